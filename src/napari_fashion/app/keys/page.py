"""docs/keys.md, made of the table: ``python -m napari_fashion.app.keys.page > docs/keys.md``."""

from __future__ import annotations

from napari_fashion.app.keys.spelling import for_people
from napari_fashion.app.keys.table import MOUSE, MOUSE_ROWS, ROWS

HEAD = """# Keys

Made of the table `napari_fashion.app.keys.table`, as tooltips, help and bindings are
(`python -m napari_fashion.app.keys.page > docs/keys.md`).

Keys act wherever the keyboard is in the window, but not where a person types: there Return takes what
was typed, Esc puts back what was there, and both give the image the keyboard back. While nothing is open,
or while a layer is active that is not the annotator's, all keys are napari's.

`?` lists the keys and changes them: click one and press another. What it is taken from, and what napari
has it for, is named. A person's own keys are kept in `keys.json` in the folder of settings
(`~/.config/napari-fashion` on Linux).

Keys of visibility act on all selected landmarks; with none selected, on the landmark under the pointer.
"""


def page() -> str:
    """Return the page, Markdown."""
    parts = [HEAD]
    for group in dict.fromkeys(row.group for row in ROWS):
        parts.append(f"## {group[0].upper()}{group[1:]}\n")
        parts.append("| keys | do | if |\n|---|---|---|")
        for row in ROWS:
            if row.group == group:
                keys = " · ".join(f"`{for_people(k)}`" for k in row.keys)
                parts.append(f"| {keys} | {row.text} | {row.when} |")
        parts.append("")
    parts.append(f"## {MOUSE}\n")
    parts.append("| gesture | does | if |\n|---|---|---|")
    parts += [f"| {row.gesture} | {row.text} | {row.when} |" for row in MOUSE_ROWS]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(), end="")

"""SIGKILL at random moments of editing, saving, merging and exporting: at most the last edit is lost.

A child edits a file and prints the number of each thing it has done; it is killed; the file is opened as a
new window would open it. What is there must be what was done, with or without the last one. Run
``python tests/torture/killing.py --kills 500``.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

N_IMAGES = 40
KINDS = ["edit"] * 12 + ["undo"] * 2 + ["redo"] + ["save"] * 4 + ["export"] * 2 + ["merge"] * 3


def document() -> dict[str, Any]:
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": 9, "height": 9, "n": 0, "theirs": 0}
            for i in range(1, N_IMAGES + 1)
        ],
        "annotations": [],
        "categories": [{"id": 1, "name": "Shirt", "keypoints": ["left_a", "right_a"]}],
    }


def plan(seed: int, n: int) -> list[tuple[str, int]]:
    """Return what the child does: each a kind and an image of ours (the first half)."""
    rng = random.Random(seed)
    return [(rng.choice(KINDS), rng.randint(1, N_IMAGES // 2)) for _ in range(n)]


class Model:
    """What the file must say after each thing done: plain lists, and nothing of the program."""

    def __init__(self) -> None:
        self.value = dict.fromkeys(range(1, N_IMAGES // 2 + 1), 0)
        self.done: dict[int, list[int]] = {}
        self.undone: dict[int, list[int]] = {}

    def do(self, step: int, kind: str, image: int) -> bool:
        """Make a step; False where there is nothing to do."""
        done, undone = self.done.setdefault(image, []), self.undone.setdefault(image, [])
        match kind:
            case "edit":
                done.append(self.value[image])
                undone.clear()
                self.value[image] = step
            case "undo" if done:
                undone.append(self.value[image])
                self.value[image] = done.pop()
            case "redo" if undone:
                done.append(self.value[image])
                self.value[image] = undone.pop()
            case "merge":
                self.done, self.undone = {}, {}
            case "undo" | "redo":
                return False
        return True


def child(path: Path, seed: int, steps: int) -> None:
    """Edit until killed."""
    from napari_fashion.coco import export
    from napari_fashion.editing.edits import Edit, set_values
    from napari_fashion.editing.opening import adopt, merge_with_disk, open_editor
    from napari_fashion.errors import ConflictError
    from napari_fashion.schema import Schema

    editor = open_editor(path, schema=Schema.load("garments")).editor
    model = Model()
    print("ready", flush=True)
    for step, (kind, image) in enumerate(plan(seed, steps), 1):
        if model.do(step, kind, image):
            editor.go_to_image(image)
            match kind:
                case "edit":
                    changes = set_values(editor.dataset, "images", image, {"n": step})
                    editor.apply(Edit("Set n", image, tuple(changes)))
                case "undo":
                    editor.undo()
                case "redo":
                    editor.redo()
                case "save":
                    editor.save()
                case "export":
                    export(editor.dataset, path.with_name("export.json"), overwrite=True)
                case "merge":
                    other_program(path, step)
                    try:
                        editor.save()
                    except ConflictError:
                        merged = merge_with_disk(editor)
                        assert not merged.conflicts, merged.conflicts
                        editor = adopt(editor, merged, {})
                        editor.save()
        print(step, flush=True)
    editor.let_go()
    print("end", flush=True)


def other_program(path: Path, step: int) -> None:
    """Change images that are not ours, as a program that knows nothing of us, in one step."""
    text = json.loads(path.read_text())
    text["images"][N_IMAGES - 1 - step % 10]["theirs"] = step
    other = path.with_name("other.tmp")
    other.write_text(json.dumps(text))
    other.rename(path)


def values(path: Path) -> tuple[dict[int, int], str]:
    """Open the file as a new window does; return what it says and how it was opened."""
    from napari_fashion.editing.opening import open_editor
    from napari_fashion.schema import Schema

    opening = open_editor(path, schema=Schema.load("garments"))
    how = "nothing pending"
    if opening.pending is not None:
        how = "conflict" if opening.conflict else "pending"
    opening.settle()
    dataset = opening.editor.dataset
    found = {
        i: json.loads(dataset.text("images", i, ("n",)) or "null")
        for i in range(1, N_IMAGES // 2 + 1)
    }
    opening.editor.let_go()
    return found, how


def kill_once(seed: int, folder: Path, *, longest: float = 0.25) -> str:
    """Kill a child once and look; return how the file was found, or raise AssertionError."""
    rng = random.Random(seed)
    path = folder / "data.json"
    path.write_text(json.dumps(document()))
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", str(path), "--seed", str(seed)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05 + rng.uniform(0, longest))
    process.kill()
    lines = process.stdout.read().split("\n")
    process.wait()
    said = [line for line in lines[:-1] if line.isdecimal()]
    last = int(said[-1]) if said else 0
    json.loads(path.read_text())  # a whole file, whatever happened
    export = folder / "export.json"
    if export.exists():
        json.loads(export.read_text())
    expected = []
    model = Model()
    for step, (kind, image) in enumerate([*plan(seed, last + 1)], 1):
        if step == last + 1:
            expected.append(dict(model.value))
        model.do(step, kind, image)
    expected.append(dict(model.value))
    found, how = values(path)
    assert found in expected, (
        f"seed {seed}, after step {last}: {found} is none of {expected} ({how})"
    )
    leftovers = [p.name for p in folder.iterdir() if p.name.startswith(".fashion-")]
    assert not leftovers, f"seed {seed}: {leftovers}"
    again, _ = values(path)  # looking changed nothing
    assert again == found
    kind = plan(seed, last + 1)[-1][0]
    return f"in {kind}, {how}" if last else "before the first step"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child, options.seed, 100_000)
        return 0
    seen: Counter[str] = Counter()
    for i in range(options.kills):
        folder = Path(tempfile.mkdtemp(prefix="fashion-kill-"))
        seen[kill_once(options.seed + i, folder)] += 1
        shutil.rmtree(folder)
    print(f"{options.kills} kills; at most the last edit was lost, and every file was whole:")
    for how, count in sorted(seen.items()):
        print(f"  {count:4d} {how}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

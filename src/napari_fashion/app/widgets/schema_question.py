"""What the landmarks of a folder of images are: asked when it is opened for the first time."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QInputDialog, QWidget

from napari_fashion.schema import BUNDLED, Schema

FROM_FILE = "From a schema file (TOML)…"


def ask_schema(parent: QWidget | None, folder: Path, usual: Schema) -> Schema | None:
    """Ask for the schema of a folder of images; None: not answered, the folder is not opened.

    Parameters
    ----------
    folder
        The folder.
    usual
        The schema that is proposed.

    Raises
    ------
    SchemaError
        If a schema file is chosen that cannot be read.
    """
    choices: dict[str, Schema | None] = {_title(usual): usual}
    for name in BUNDLED:
        schema = Schema.load(name)
        choices.setdefault(_title(schema), schema)
    choices[FROM_FILE] = None
    text, ok = QInputDialog.getItem(
        parent,
        "Landmarks",
        f"Which landmarks are annotated in {folder.name}?\n(The answer is kept in its file.)",
        list(choices),
        0,
        False,
    )
    if not ok:
        return None
    if text != FROM_FILE:
        return choices[text]
    name, _ = QFileDialog.getOpenFileName(
        parent, "A landmark schema", str(folder), "Schemas (*.toml)"
    )
    return Schema.load(name) if name else None


def _title(schema: Schema) -> str:
    return f"{schema.name}: {schema.n_landmarks} landmarks, {len(schema.categories)} categories"

"""What a retraining run is given: the data set exported, and a recipe that says how. No Qt."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from napari_fashion.coco import export
from napari_fashion.coco.ids import RecordId
from napari_fashion.datasets.source import Source
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.predictions import PREDICT
from napari_fashion.engine.model_file import read_model_file
from napari_fashion.engine.train.fine_tuning import (
    DEFAULT_LR,
    DEFAULT_VALIDATION_SHARE,
    FineTuning,
    require_images,
)
from napari_fashion.files import atomic_write
from napari_fashion.images import ImageFolder
from napari_fashion.paths import data_folder


@dataclass(frozen=True)
class RetrainOptions:
    """How to retrain.

    Attributes
    ----------
    epochs
        Passes over the images; None for as many as the engine thinks right.
    lr
        Peak learning rate.
    what
        ``"all"``: every annotated or reviewed image of the data set. ``"corrected"``: only those
        that a person has corrected or reviewed, at the risk that the model forgets the rest.
    validation_share
        Share of the images that the old and the new model are compared on.
    start_from
        ``"bundled"`` or the path of a model.
    """

    epochs: int | None = None
    lr: float = DEFAULT_LR
    what: Literal["all", "corrected"] = "all"
    validation_share: float = DEFAULT_VALIDATION_SHARE
    start_from: str = "bundled"

    @property
    def fine_tuning(self) -> FineTuning:
        """What training is told; a value that stays at its default is left to the engine."""

        def own(value: float, default: float) -> Any:
            return None if value == default else value

        return FineTuning(
            start_from=self.start_from,
            epochs=self.epochs,
            lr=own(self.lr, DEFAULT_LR),
            validation_share=own(self.validation_share, DEFAULT_VALIDATION_SHARE),
        )


def corrected_images(editor: Editor) -> list[RecordId]:
    """Return the images that a person has corrected or reviewed, in file order."""
    touched = {edit.image_id for edit in editor.history if edit.label != PREDICT}
    return [
        image.id
        for image in editor.dataset.images
        if image.reviewed
        or image.id in touched
        or any(garment.edited for garment in image.garments)
    ]


def prepare(editor: Editor, options: RetrainOptions, folder: Path) -> Path:
    """Write the training data and the recipe of a run; return the recipe's path.

    Raises
    ------
    FashionError
        If there are too few images to train on and to compare by, or there is no model to start from: a
        model set is none.
    """
    read_model_file(options.start_from)  # of a model set it says what to do
    dataset = editor.dataset
    if options.what == "corrected":
        dataset = dataset.subset(corrected_images(editor))
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data.json"
    export(dataset, data, overwrite=True)
    roots = _allowed(dataset.image_folder)
    file = str(data.resolve())
    require_images(Source(file=file, allow_roots=roots))
    # It lies with the journal, so that every retraining of the data set keeps it.
    split = editor.work.split_file() if editor.work is not None else None
    fine_tuning = replace(options.fine_tuning, split=None if split is None else str(split))
    document = fine_tuning.document(file, allow_roots=roots)
    path = folder / "recipe.toml"
    text = "# Written by napari-fashion's Retrain dock.\n" + _toml(document)
    atomic_write(path, text.encode())
    return path


def _allowed(folder: ImageFolder) -> list[str]:
    """Return the folders that images of the data set may be read from, absolute.

    Its root is among them: the training data lies elsewhere and only notes it.
    """
    own = [folder.root] if folder.trusted else []
    return list(dict.fromkeys(os.path.abspath(place) for place in (*own, *folder.allowed)))


def new_run_folder(base: Path | None = None) -> Path:
    """Return a folder for a run that does not exist yet."""
    base = base or data_folder() / "runs"
    name = f"{datetime.now():%Y%m%d-%H%M%S}"
    folder, n = base / name, 1
    while folder.exists():
        n += 1
        folder = base / f"{name}-{n}"
    return folder


def _toml(document: dict[str, Any]) -> str:
    """Return a recipe's dictionary form as TOML: its values, then a line for each table."""
    lines = [f"{key} = {_value(value)}" for key, value in document.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a TOML value in one line; strings and numbers are written as in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)

"""What a retraining run is given: the data set exported, and a recipe that says how. No Qt."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from napari_fashion.coco import export
from napari_fashion.coco.export import trainable_images
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.predictions import PREDICT
from napari_fashion.engine.train.options import FINE_TUNING
from napari_fashion.errors import FashionError
from napari_fashion.files import atomic_write
from napari_fashion.images import ImageFolder
from napari_fashion.paths import data_folder

KEEP_START = 0.3
"""How much of the old model's weights stays: images of a few kinds must not make it forget the rest
(training/model-card.md has what this brings)."""


@dataclass(frozen=True)
class RetrainOptions:
    """How to retrain.

    Attributes
    ----------
    epochs
        Passes over the images.
    lr
        Peak learning rate.
    batch
        Images a step; fewer where there are few images.
    what
        ``"all"``: every annotated or reviewed image of the data set. ``"corrected"``: only those
        that a person has corrected or reviewed, at the risk that the model forgets the rest.
    validation_share
        Share of the images that the old and the new model are compared on.
    start_from
        ``"bundled"`` or the path of a model.
    """

    epochs: int = 10
    lr: float = 5e-5
    batch: int = 8
    what: Literal["all", "corrected"] = "all"
    validation_share: float = 0.2
    start_from: str = "bundled"


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
        If there are too few images to train on and to compare by.
    """
    dataset = editor.dataset
    if options.what == "corrected":
        dataset = dataset.subset(corrected_images(editor))
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data.json"
    export(dataset, data, overwrite=True)
    usable = len(trainable_images(type(dataset).load(data)))
    if usable < 2:
        raise FashionError(
            f"{usable} images are annotated by a person or reviewed; expected at least 2. Correct "
            "some predictions and mark the images as reviewed, then retrain."
        )
    recipe: dict[str, dict[str, Any]] = {
        "": {"name": "retrained", "schema": "from-data", "start_from": options.start_from},
        "data": {"validation_share": options.validation_share, **FINE_TUNING["data"]},
        "network": FINE_TUNING["network"],
        "optimiser": {"lr": options.lr, "keep_start": KEEP_START, **FINE_TUNING["optimiser"]},
        "schedule": {
            **FINE_TUNING["schedule"],
            "epochs": options.epochs,
            "batch": max(2, min(options.batch, usable // 2)),
            "warmup_epochs": min(1.0, options.epochs / 10),
        },
    }
    text = "# Written by napari-fashion's Retrain dock.\n" + _toml(recipe)
    text += f"\n[[data.train]]\nfile = {_value(str(data.resolve()))}\n"
    if roots := _allowed(dataset.image_folder):
        text += f"allow_roots = {_value(roots)}\n"
    path = folder / "recipe.toml"
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


def _toml(tables: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, table in tables.items():
        if name:
            lines.append(f"\n[{name}]")
        lines += [f"{key} = {_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a TOML value; strings and numbers are written as in JSON."""
    return json.dumps(value, ensure_ascii=False)

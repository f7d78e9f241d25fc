"""Fine-tuning on one COCO file: what can be learned from, the fewest images, and the recipe.

The window's Retrain and ``napari-fashion train export.json`` are this. This module imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.coco.export import trainable_images
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.engine.train.options import FINE_TUNING
from napari_fashion.errors import FashionError

MIN_IMAGES = 2
"""Number of images that a run needs: one to learn from, one to judge by."""

MIN_STEPS = 60
"""Number of steps that a run takes at least, unless that needs more than `MAX_EPOCHS`."""

MAX_EPOCHS = 30
"""Largest number of epochs of a run, if a recipe that starts from a model does not set it."""

MAX_BATCH = 8
"""Largest number of images of a step, if a recipe that starts from a model does not set it."""


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune; None for what `FINE_TUNING` has.

    Attributes
    ----------
    start_from
        ``"bundled"`` or the path of a model.
    name
        Of the new model.
    epochs
        Passes over the images; None for `epochs_for`.
    lr
        Peak learning rate.
    validation_share
        Share of the images that the start and the new model are compared on.
    split
        File with the sides of the data set's images (`DataOptions.split`); None for none.
    """

    start_from: str = "bundled"
    name: str = "retrained"
    epochs: int | None = None
    lr: float | None = None
    validation_share: float | None = None
    split: str | None = None

    def document(
        self, file: str, *, images: str | None = None, allow_roots: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the recipe in its dictionary form: what it sets, and nothing else.

        Parameters
        ----------
        file
            The COCO file to learn from.
        images
            Folder of the images, if it is not the file's own.
        allow_roots
            Folders beside it in which images may lie.
        """
        source: dict[str, Any] = {"file": file}
        if images is not None:
            source["images"] = images
        if allow_roots:
            source["allow_roots"] = list(allow_roots)
        document: dict[str, Any] = {"name": self.name, "start_from": self.start_from}
        for table, key, value in (
            ("data", "validation_share", self.validation_share),
            ("data", "split", self.split),
            ("optimiser", "lr", self.lr),
            ("schedule", "epochs", self.epochs),
        ):
            if value is not None:
                document.setdefault(table, {})[key] = value
        document.setdefault("data", {})["train"] = [source]
        return document


def require_images(source: Source) -> None:
    """Refuse a source with fewer than `MIN_IMAGES` images to learn from (`trainable_images`).

    Raises
    ------
    FashionError
        If there are fewer.
    CocoError, RecipeError
        If it cannot be opened.
    """
    usable = len(trainable_images(open_source(source)))
    if usable < MIN_IMAGES:
        found = "1 image is" if usable == 1 else f"{usable} images are"
        raise FashionError(
            f"{found} annotated by a person or reviewed; expected at least {MIN_IMAGES}. Correct some "
            "predictions and mark the images as reviewed, then train again."
        )


def batch_for(images: int) -> int:
    """Return the images of a step for a number of training images: an epoch has two steps or more."""
    return max(2, min(MAX_BATCH, images // 2))


def epochs_for(images: int, batch: int, usual: int) -> int:
    """Return the epochs of a run: the usual number, or more if a few images would give few steps."""
    steps = max(1, images // batch)
    return max(usual, min(MAX_EPOCHS, -(-MIN_STEPS // steps)))


def name_for(file: Path) -> str:
    """Return the name of a run by the file that it learns from, in the letters of a model's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-.")[:100] or "retrained"


DEFAULT_LR: float = FINE_TUNING["optimiser"]["lr"]
DEFAULT_VALIDATION_SHARE: float = FINE_TUNING["data"]["validation_share"]

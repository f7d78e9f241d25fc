"""Export: the annotations that are worth training on, as a COCO file of its own.

What counts as ground truth. An annotation that came with the file, or that a person made or
changed, is. One that a model made and no person touched is only a guess, until a person has marked
its image as reviewed: then it stands. Guesses are left out, so that a model is not trained on
its own unseen output; `include_predictions` takes them in all the same. Nothing that a person did
is ever left out.

An image that is not reviewed and has only guesses is exported without annotations. To train on it
would teach that it shows no garment, so training takes images that are reviewed or have
ground truth (`trainable_images`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.statistics import columns
from napari_fashion.coco.views import Image
from napari_fashion.coco.writing import write_file
from napari_fashion.tally import counted


@dataclass(frozen=True, eq=False)
class Selection:
    """The records of a data set that an export has.

    Attributes
    ----------
    images
        Ids of the images, in order.
    annotations
        Ids of the garments.
    ignored
        Boxes of the garments that were left out of an image of which others are exported: garments
        perhaps, and no background to learn. By image.
    left_out
        Number of predicted garments that nobody has reviewed and that are left out.
    without_image
        Number of chosen garments whose image the file does not have.
    """

    images: list[RecordId]
    annotations: frozenset[RecordId]
    ignored: dict[RecordId, list[list[float]]]
    left_out: int
    without_image: int


def select(
    dataset: Dataset, *, only_reviewed: bool = False, include_predictions: bool = False
) -> Selection:
    """Choose what an export has; the parameters are those of `export`. Rejected images are left out."""
    found = columns(dataset)
    at = found.annotation_image
    known = at >= 0
    of_reviewed, of_rejected = np.zeros((2, len(at)), np.bool_)
    of_reviewed[known] = found.reviewed[at[known]]
    of_rejected[known] = found.rejected[at[known]]
    # Of an image that is not in the file: kept in a full export, as it was in the source.
    wanted = of_reviewed if only_reviewed else ~of_rejected
    truth = wanted & (of_reviewed | found.by_human | include_predictions)
    images = found.image_ids[found.reviewed if only_reviewed else ~found.rejected]
    kept = set(at[truth].tolist())
    ignored: dict[RecordId, list[list[float]]] = {}
    for key, row in zip(found.annotation_ids[wanted & ~truth], at[wanted & ~truth], strict=True):
        box = dataset.garment(key).bbox
        if box is not None and row in kept:
            ignored.setdefault(found.image_ids[row], []).append(list(box))
    return Selection(
        images=images.tolist(),
        annotations=frozenset(found.annotation_ids[truth].tolist()),
        ignored=ignored,
        left_out=int(wanted.sum() - truth.sum()),
        without_image=int((truth & ~known).sum()),
    )


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote, and how many guesses it left out."""

    path: Path
    images: int
    annotations: int
    predictions_left_out: int

    def __str__(self) -> str:
        garments, images = counted(self.annotations, "garment"), counted(self.images, "image")
        text = f"Wrote {garments} in {images} to {self.path}."
        if self.predictions_left_out:
            text += (
                f" Left out {self.predictions_left_out} predicted garments in images that nobody "
                "has reviewed."
            )
        return text


def export(
    dataset: Dataset,
    path: Path | str,
    *,
    only_reviewed: bool = False,
    include_predictions: bool = False,
    overwrite: bool = False,
) -> ExportReport:
    """Write a data set's images and ground truth to a COCO file, without the images that were rejected.

    The records keep their ids, order and unknown fields. ``file_name`` stays as it is; the folder
    it is relative to is noted under ``info.fashion.image_root``, relative to the exported file,
    and `Dataset.load` honours it.

    Parameters
    ----------
    dataset
        The data set.
    path
        The file to write.
    only_reviewed
        Only the images that a person has marked as reviewed.
    include_predictions
        Also the garments that a model made and no person has reviewed. Left out of an image of
        which others are exported, they are noted as regions under ``fashion.ignore`` of the
        image: they are garments perhaps, and no background to learn.
    overwrite
        Whether an existing file, the data set's own too, may be replaced.

    Raises
    ------
    CocoError
        If the file exists and `overwrite` is not given, or it cannot be written.
    """
    path = Path(path)
    chosen = select(dataset, only_reviewed=only_reviewed, include_predictions=include_predictions)
    chunks = dataset.chunks(
        path,
        images=set(chosen.images),
        annotations=chosen.annotations,
        ignored=chosen.ignored,
    )
    write_file(chunks, path, source=dataset.path, overwrite=overwrite)
    return ExportReport(path, len(chosen.images), len(chosen.annotations), chosen.left_out)


def trainable_images(dataset: Dataset) -> list[Image]:
    """Return the images that a model can learn from: those with ground truth, and reviewed ones.

    None that was rejected.

    A reviewed image without garments states that there is none. One that is not reviewed, and has no
    garment that a person annotated or touched, states nothing.
    """
    return [
        image
        for image in dataset.images
        if not image.is_rejected
        and (image.reviewed or any(garment.touched_by_human for garment in image.garments))
    ]

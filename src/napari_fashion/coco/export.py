"""Export: the annotations that are worth training on, as a COCO file of its own.

What counts as ground truth. An annotation that came with the file, or that a person made or
changed, is. One that a model made and nobody touched is only a guess, until a person has marked
its picture as reviewed: then it stands. Guesses are left out, so that a model is not trained on
its own unseen output; `include_predictions` takes them in all the same. Nothing that a person did
is ever left out.

A picture that is not reviewed and has only guesses is exported without annotations. To train on it
would teach that it shows no garment, so training takes pictures that are reviewed or have
annotations (`trainable_images`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.coco import provenance
from napari_fashion.coco.dataset import Dataset, with_image_root, write_document
from napari_fashion.coco.views import Image


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote, and how many guesses it left out."""

    path: Path
    images: int
    annotations: int
    predictions_left_out: int

    def __str__(self) -> str:
        text = f"Wrote {self.annotations} garments in {self.images} pictures to {self.path}."
        if self.predictions_left_out:
            text += (
                f" Left out {self.predictions_left_out} predicted garments in pictures that nobody "
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
    """Write a data set's pictures and ground truth to a COCO file.

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
        Only the pictures that a person has marked as reviewed.
    include_predictions
        Also the garments that a model made and nobody has looked at. Left out of a picture of
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
    reviewed = {i["id"] for i in dataset.table("images") if provenance.is_reviewed(i)}
    images = [i for i in dataset.table("images") if not only_reviewed or i["id"] in reviewed]
    chosen = {image["id"] for image in images}

    def is_ours(annotation: Mapping[str, Any]) -> bool:
        # Of a picture that is not in the file: kept in a full export, as it was in the source.
        return not only_reviewed or annotation.get("image_id") in chosen

    wanted = [a for a in dataset.table("annotations") if is_ours(a)]
    truth = [
        a
        for a in wanted
        if include_predictions or a.get("image_id") in reviewed or provenance.touched_by_human(a)
    ]
    kept = {id(a) for a in truth}
    ignored: dict[Any, list[Any]] = {}
    for annotation in wanted:
        if id(annotation) not in kept and annotation.get("bbox"):
            ignored.setdefault(annotation.get("image_id"), []).append(annotation["bbox"])
    told = {a.get("image_id") for a in truth}
    images = [
        {**i, provenance.KEY: provenance.with_ignored(i, ignored[i["id"]])}
        if i["id"] in ignored and i["id"] in told
        else i
        for i in images
    ]
    document = with_image_root(dataset, path) | {"images": images, "annotations": truth}
    write_document(document, path, style=dataset.style, source=dataset.path, overwrite=overwrite)
    return ExportReport(path, len(images), len(truth), len(wanted) - len(truth))


def trainable_images(dataset: Dataset) -> list[Image]:
    """Return the pictures that a model can learn from: those reviewed or annotated.

    A reviewed picture without garments says that there is none. One that is neither reviewed nor
    annotated says nothing.
    """
    return [image for image in dataset.images if image.reviewed or image.garments]

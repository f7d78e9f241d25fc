"""The data sets that the landmark files and the tags make, as COCO documents."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from napari_fashion.coco import provenance
from napari_fashion.coco.records import annotation_record, category_records, image_record
from napari_fashion.datasets.people.locate import DATA, landmarks
from napari_fashion.datasets.people.tags import category_ids, schema_of, tags
from napari_fashion.documents import read_json
from napari_fashion.errors import FetchError
from napari_fashion.images import image_size

ONE_IN: Final = 8
"""One in so many photos of ``train.json`` is for validation: choices are never made on the test split."""
IMAGES: Final = "images"
TAGGED: Final = "unlabelled"
"""Folders of the photos with landmarks, and of those with tags alone."""


def is_validation(file_name: str) -> bool:
    """Whether a photo of ``train.json`` is for validation: the CRC-32 of its name is a multiple of 8.

    >>> is_validation("0001.jpg"), is_validation("0013.jpg")
    (False, False)
    """
    return zlib.crc32(Path(file_name).name.encode()) % ONE_IN == 0


@dataclass(frozen=True)
class Split:
    """A part of the landmark files.

    Attributes
    ----------
    part
        The file.
    keeps
        Which photos of it are in the split, by their names.
    """

    part: Literal["train", "test"]
    keeps: Callable[[str], bool]


_LABELLED: Final = {
    "train": Split("train", lambda name: not is_validation(name)),
    "validation": Split("train", is_validation),
    "train+validation": Split("train", lambda name: True),
    "test": Split("test", lambda name: True),
}
SPLITS: Final = (*_LABELLED, "tagged")
"""Names of the splits: those with landmarks, and the photos with tags alone."""
UNLABELLED: Final[dict[str, Literal["absent", "unknown"]]] = {
    split: "absent" if split in _LABELLED else "unknown" for split in SPLITS
}
"""What visibility 0 means in a split: that a landmark is not there (cut off, or its place cannot be
told), or that nobody looked."""


def document(split: str, kind: str, folder: Path) -> tuple[dict[str, Any], Path]:
    """Return a split as a COCO document.

    Parameters
    ----------
    split
        One of `SPLITS`. ``train`` and ``validation`` are the two parts of ``train.json``. In ``tagged``
        every garment has its category and no landmark, and its box is the whole photo: nothing of it says
        where in the photo a garment is.
    kind
        What the categories are, one of `kinds`. Annotations keep their ``tag`` in each.
    folder
        The photos' folder (`locate`).

    Returns
    -------
    document
        Its file names are relative to `root`. Of ``tagged`` the photos that are there.
    root
        The folder of the images.
    """
    made = _tagged(kind, folder) if split == "tagged" else _labelled(_LABELLED[split], kind)
    schema = schema_of(kind)
    made["categories"] = category_records(schema)
    made["info"] = {
        "description": f"Garments on people, {split}",
        provenance.KEY: {"schema": schema.to_note()},
    }
    return made, folder if split == "tagged" else folder / IMAGES


def _labelled(split: Split, kind: str) -> dict[str, Any]:
    found = read_json(landmarks(split.part), FetchError)
    images = [image for image in found["images"] if split.keeps(image["file_name"])]
    wanted = {image["id"] for image in images}
    ids, names = category_ids(kind), [tag.name for tag in tags()]
    annotations = []
    for annotation in found["annotations"]:
        if annotation["image_id"] in wanted:
            tag = names[annotation["category_id"] - 1]
            annotations.append({**annotation, "category_id": ids[tag], "tag": tag})
    return {"images": images, "annotations": annotations}


def tagged_photos() -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each photo that has tags alone, and the tag of each of its garments."""
    with (DATA / "tags.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield row["file_name"], row["garment_tags"].split()


def _tagged(kind: str, folder: Path) -> dict[str, Any]:
    ids, k = category_ids(kind), schema_of(kind).n_landmarks
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for name, garments in tagged_photos():
        place = f"{TAGGED}/{name}"
        if not (folder / place).is_file():
            continue
        width, height = image_size(folder / place)
        images.append(image_record(len(images) + 1, place, width, height))
        for tag in garments:
            record = annotation_record(
                len(annotations) + 1,
                len(images),
                ids[tag],
                xy=np.zeros((k, 2)),
                visibility=np.zeros(k, np.int64),
                bbox=(0, 0, width, height),
            )
            annotations.append({**record, "tag": tag})
    return {"images": images, "annotations": annotations}

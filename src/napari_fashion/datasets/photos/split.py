"""What ``split.csv`` tells of each photo: its sender, label and split."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_fashion.coco.records import annotation_record, category_records, image_record
from napari_fashion.datasets.photos.locate import DATA
from napari_fashion.documents import read_json
from napari_fashion.errors import FetchError
from napari_fashion.images import image_size
from napari_fashion.schema import Schema


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with (DATA / "split.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(stream))


@cache
def senders() -> dict[str, str]:
    """Return the sender's id of every photo, by the photo's name without suffix.

    A sender's photos share rooms and backgrounds, so a fair split keeps them together.
    """
    return {row["image"]: f"sender {row['sender_id']}" for row in _rows()}


def _agreed() -> dict[str, dict[str, Any]]:
    """Return the boxes and landmarks on which models agreed, and which models, by photo."""
    document = read_json(DATA / "pseudo.json", FetchError)
    names = {image["id"]: Path(image["file_name"]).stem for image in document["images"]}
    return {
        names[a["image_id"]]: {
            key: a[key] for key in ("bbox", "area", "keypoints", "num_keypoints", "fashion")
        }
        for a in document["annotations"]
    }


def category_document(
    split: Literal["unlabelled", "pseudo", "no_garment"], folder: Path
) -> dict[str, Any]:
    """Return a COCO document of photos that nobody placed landmarks in.

    Parameters
    ----------
    split
        ``"unlabelled"``: garments whose category is known; each has one annotation without
        labelled landmarks, its box the whole photo. ``"pseudo"``: the same, with the landmarks on
        which several readings of models agreed, where they did; these name the models as their
        source. ``"no_garment"``: shoes and hats, without annotations.
    folder
        The photos' folder (`locate`), which ``file_name`` is relative to; `fetch` puts all photos
        into its ``images``, others have these in ``unlabelled``. Photos in neither are left out.
    """
    schema = Schema.load("garments")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    placed = _agreed() if split == "pseudo" else {}
    for row in _rows():
        if row["split"] != ("unlabelled" if split == "pseudo" else split):
            continue
        places = [f"{sub}/{row['image']}.jpg" for sub in ("images", "unlabelled")]
        name = next((place for place in places if (folder / place).is_file()), None)
        if name is None:
            continue
        width, height = image_size(folder / name)
        i = len(images) + 1
        images.append(image_record(i, name, width, height))
        if split != "no_garment":
            annotations.append(
                {
                    **annotation_record(
                        i,
                        i,
                        schema.category_index(row["label"]) + 1,
                        xy=np.zeros((schema.n_landmarks, 2)),
                        visibility=np.zeros(schema.n_landmarks, np.int64),
                        bbox=(0, 0, width, height),
                    ),
                    **placed.get(row["image"], {}),
                }
            )
    return {
        "images": images,
        "annotations": annotations,
        "categories": category_records(schema),
    }

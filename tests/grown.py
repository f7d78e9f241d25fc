"""Drawn garments with more categories and landmarks than `drawn` has, to learn what a start lacks."""

from __future__ import annotations

import colorsys
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from drawn import SCHEMA

BETWEEN: dict[str, tuple[int, int]] = {
    "collar_centre": (0, 1), "chest_centre": (2, 3), "waist_centre": (4, 5), "hem_centre": (6, 7),
    "left_shoulder": (0, 2), "right_shoulder": (1, 3),
    "left_side": (2, 6), "right_side": (3, 7),
    "left_front": (0, 6), "right_front": (1, 7),
    "left_sash": (0, 7), "right_sash": (1, 6),
    "left_knee": (4, 6), "right_knee": (5, 7),
    "left_cross": (4, 7), "right_cross": (5, 6),
}  # fmt: skip
"""16 more landmarks: each halfway between two of the eight, where a garment has both."""

DF2_COUNTS = (25, 33, 31, 39, 15, 15, 10, 14, 8, 29, 37, 19, 19)
"""Landmarks of each of 13 categories: 294, as DeepFashion2 has them."""


def more_landmarks(path: Path, to: Path, landmarks: int = 24) -> Path:
    """Write a drawn data set with up to 16 landmarks more; return the file."""
    document = json.loads(path.read_text())
    names = list(BETWEEN)[: landmarks - 8]
    for annotation in document["annotations"]:
        xyv = np.array(annotation["keypoints"], float).reshape(8, 3)
        more = np.zeros((len(names), 3))
        for row, name in enumerate(names):
            a, b = BETWEEN[name]
            if xyv[a, 2] and xyv[b, 2]:
                more[row] = [*(xyv[a, :2] + xyv[b, :2]) / 2, 2]
        points = np.concatenate([xyv, more])
        annotation["keypoints"] = points.ravel().tolist()
        annotation["num_keypoints"] = int((points[:, 2] > 0).sum())
    for category in document["categories"]:
        category["keypoints"] = [*SCHEMA.landmarks, *names]
        category["skeleton"] = [
            [7, 5],
            [5, 1],
            *([BETWEEN[n][0] + 1, 9 + i] for i, n in enumerate(names)),
        ]
    return _write(document, to)


def more_categories(path: Path, to: Path, categories: int) -> tuple[Path, list[str]]:
    """Write a drawn data set whose garments have new categories, told apart by colours.

    Every garment gets one of `categories` (up to 35) new names, with its own hues of garment and ground;
    the file's own names stay, without garments. Images are written anew beside the file.

    Returns
    -------
    The file, and the new names.
    """
    document = json.loads(path.read_text())
    names = [f"Dyed {i:02d}" for i in range(categories)]
    first = 1 + max(c["id"] for c in document["categories"])
    (to.parent / "images").mkdir(parents=True)
    for n, (image, annotation) in enumerate(
        zip(document["images"], document["annotations"], strict=True)
    ):
        kind = n % categories
        annotation["category_id"] = first + kind
        pixels = np.array(Image.open(path.parent / "images" / image["file_name"]))
        garment = pixels.max(2) < 115  # the ground is lighter
        for where, hue, light in ((garment, kind % 7 / 7, 0.6), (~garment, kind // 7 / 5, 1.0)):
            pixels[where] = [round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.8, light)]
        Image.fromarray(pixels).save(to.parent / "images" / image["file_name"])
    document["categories"] += [
        {"id": first + i, "name": name, "keypoints": list(SCHEMA.landmarks), "skeleton": []}
        for i, name in enumerate(names)
    ]
    to.write_text(json.dumps(document))
    return to, names


def as_deepfashion2(path: Path, to: Path) -> Path:
    """Write a drawn data set with 294 landmarks of 13 categories, each its own, as DeepFashion2 has them.

    Shirts get 25 landmarks and trousers 14, evenly along their outline of eight landmarks.
    """
    document = json.loads(path.read_text())
    kinds = [f"kind_{c}" for c in range(len(DF2_COUNTS))]
    shirt, trousers = 0, 7
    by_name = {c["id"]: c["name"] for c in document["categories"]}
    for annotation in document["annotations"]:
        is_shirt = by_name[annotation["category_id"]] == "T-Shirt"
        xy = np.array(annotation["keypoints"], float).reshape(8, 3)[:, :2]
        outline = xy[[0, 1, 3, 7, 6, 2, 0] if is_shirt else [4, 5, 7, 6, 4]]
        kind = shirt if is_shirt else trousers
        at = np.linspace(0, len(outline) - 1, DF2_COUNTS[kind], endpoint=False)
        places = np.stack(
            [np.interp(at, np.arange(len(outline)), outline[:, axis]) for axis in (0, 1)], 1
        )
        points = np.concatenate([places, np.full((len(places), 1), 2.0)], 1)
        annotation |= {
            "category_id": kind + 1,
            "keypoints": points.ravel().tolist(),
            "num_keypoints": len(points),
        }
    document["categories"] = [
        {
            "id": c + 1,
            "name": kinds[c],
            "keypoints": [f"{kinds[c]}_{i + 1}" for i in range(n)],
            "skeleton": [[i + 1, i + 2] for i in range(n - 1)],
        }
        for c, n in enumerate(DF2_COUNTS)
    ]
    return _write(document, to)


def _write(document: dict[str, Any], to: Path) -> Path:
    to.write_text(json.dumps(document))
    return to

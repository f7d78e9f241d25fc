"""DeepFashion2: a JSON file an image, with items of 13 categories that have landmarks of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from napari_fashion.coco.convert.faults import At, Faults, Wrong
from napari_fashion.coco.convert.items import Garment, Item, Part, Plan
from napari_fashion.coco.convert.registry import ConvertOptions, register_format
from napari_fashion.coco.keypoints import all_numbers
from napari_fashion.documents import JSON_BYTES, listed, shown
from napari_fashion.errors import ConvertError
from napari_fashion.files import read_regular, why_unreadable
from napari_fashion.images import SUFFIXES
from napari_fashion.schema import Schema, slug

PARTS = ("train", "validation", "test")
_ITEM = re.compile(r"item(\d{1,6})")
_OWN: Final = frozenset(
    ("category_id", "category_name", "landmarks", "bounding_box", "segmentation")
)
"""Keys of an item that COCO has a field for; the others are kept under our key."""
_ITEM_LEFT_OUT = "garments left out: an item makes no sense"
_IMAGE_LEFT_OUT = "images left out: no annotations"
_LAYOUT = "the folder that has train and validation of DeepFashion2, each with image and annos"


@register_format(
    "deepfashion2", title="DeepFashion2", layout=_LAYOUT, options=("landmarks", "category")
)
def _plan(source: Path, options: ConvertOptions, faults: Faults) -> Plan:
    whole = Schema.load("deepfashion2")
    only = None if options.category is None else category_index(whole, options.category)
    schema = whole if only is None else whole.of_category(whole.category_names[only])
    own = options.landmarks == "category"
    parts: list[Part] = []
    folders: list[str] = []
    within: list[str] = []
    for name in PARTS:
        # Some archives unpack into a folder of their own name once more.
        folder = next(
            (f for f in (name, f"{name}/{name}") if (source / f / "image").is_dir()), None
        )
        if folder is None:
            continue
        if not (source / folder / "annos").is_dir():
            faults.notes.append(f"{folder} has no annos: its images are left out.")
            continue
        info = {"landmarks": options.landmarks, "category": options.category}
        root = options.image_root or source
        parts.append(Part(name, schema, root, own_landmarks=own, info={"converted": info}))
        folders.append(folder)
        # Both parts have an image 000001.jpg: names with the part tell them apart.
        within.append(f"{name}/" if options.image_root else f"{folder}/image/")
    if not parts:
        raise ConvertError(_no_parts(source))
    names = [_image_names(source / folder) for folder in folders]
    reader = _Reader(source, whole, only, faults)
    items = (
        replace(item, name=within[i] + item.name)
        for i, folder in enumerate(folders)
        for item in reader.items(i, folder, names[i])
    )
    return Plan(parts, items, sum(map(len, names)))


def _no_parts(source: Path) -> str:
    """Return what a folder has in place of the parts, and what to do."""
    names = sorted(entry.name for entry in source.iterdir()) if source.is_dir() else []
    found = f"found {listed([shown(n) for n in names])}" if names else "found nothing in it"
    if not source.is_dir():
        found = "found a file"
    hint = ""
    if {"image", "annos"} <= set(names):
        hint = (
            f" This is one of the parts: give the folder that it is in, {source.resolve().parent}."
        )
    return f"{source}: {found}; expected {_LAYOUT}.{hint}"


def category_index(schema: Schema, given: str) -> int:
    """Return the index of a category by its name, in whatever form its words are joined.

    Raises
    ------
    ConvertError
        If the schema has none of the name.
    """
    found = [
        i
        for i, name in enumerate(schema.category_names)
        if slug(name) == slug(given.replace("-", " "))
    ]
    if not found:
        raise ConvertError(
            f"--category is {shown(given)}; expected one of {', '.join(map(slug, schema.category_names))}."
        )
    return found[0]


def _image_names(folder: Path) -> list[str]:
    with os.scandir(folder / "image") as entries:
        names = (entry.name for entry in entries)
        return sorted(n for n in names if os.path.splitext(n)[1].lower() in SUFFIXES)


class _Reader:
    """Makes images of annotation files.

    Parameters
    ----------
    source
        The data set's folder.
    schema
        Of all categories.
    only
        The category whose garments are wanted, with its landmarks alone; None for all.
    faults
        Gets what is wrong.
    """

    def __init__(self, source: Path, schema: Schema, only: int | None, faults: Faults) -> None:
        self._source = source
        self._only = only
        self._faults = faults
        self._schema = schema
        self._own = [schema.landmarks_of_category(i) for i in range(len(schema.categories))]
        self._decode = msgspec.json.Decoder().decode

    def items(self, part: int, folder: str, names: list[str]) -> Iterator[Item]:
        """Yield the images of a part, in the order of their names."""
        for name in names:
            at = At(f"{folder}/annos/{os.path.splitext(name)[0]}.json")
            garments = self._garments(at, name)
            if garments is not None and self._only is not None:
                garments = self._of_category(garments, self._only) or None
            if garments is not None:
                yield Item(part, name, at, garments)
        images = {os.path.splitext(name)[0] for name in names}
        with os.scandir(self._source / folder / "annos") as entries:
            others = sorted(entry.name for entry in entries)
        for file in others:
            stem, suffix = os.path.splitext(file)
            if suffix.lower() == ".json" and stem not in images:
                self._faults.add(
                    "annotation files left out: no image", At(f"{folder}/annos/{file}"),
                    f"no image {stem}.jpg", "an image for each annotation file",
                )  # fmt: skip

    def _of_category(self, garments: list[Garment], only: int) -> list[Garment]:
        """Return the garments of a category, with the landmarks of its own schema."""
        members = self._own[only]
        own = slice(3 * members[0], 3 * members[0] + 3 * len(members))
        return [
            replace(garment, category=0, keypoints=garment.keypoints[own])
            for garment in garments
            if garment.category == only
        ]

    def _garments(self, at: At, name: str) -> list[Garment] | None:
        """Return the garments of an annotation file; None if it cannot be used."""
        try:
            document = self._decode(read_regular(self._source / at.file, JSON_BYTES))
        except FileNotFoundError:
            self._faults.add(
                _IMAGE_LEFT_OUT, at, f"no such file beside the image {name}",
                "an annotation file for each image",
            )  # fmt: skip
            return None
        except (OSError, ValueError, RecursionError, msgspec.DecodeError) as error:
            self._faults.add(_IMAGE_LEFT_OUT, at, shown(why_unreadable(error)), "a JSON object")
            return None
        if not isinstance(document, dict):
            self._faults.add(_IMAGE_LEFT_OUT, at, shown(document), "a JSON object with items")
            return None
        matches = [m for key in document if (m := _ITEM.fullmatch(key))]
        numbered = sorted(matches, key=lambda match: int(match[1]))
        of_image = {k: v for k, v in document.items() if not _ITEM.fullmatch(k)}
        if not numbered:
            found = f"no item but {', '.join(map(shown, document)) or 'nothing'}"
            self._faults.add(_IMAGE_LEFT_OUT, at, found, "item1, item2 and so on")
            return None
        found_garments = [
            self._garment(At(at.file, 0, m[0]), document[m[0]], of_image) for m in numbered
        ]
        return [garment for garment in found_garments if garment is not None]

    def _garment(self, at: At, item: Any, of_image: dict[str, Any]) -> Garment | None:
        problem = self._problem(item)
        if problem is not None:
            self._faults.add(_ITEM_LEFT_OUT, at, *problem)
            return None
        category = item["category_id"] - 1
        members = self._own[category]
        flat: list[Any] = [0] * (3 * self._schema.n_landmarks)
        flat[3 * members[0] : 3 * members[0] + 3 * len(members)] = _cleaned(item["landmarks"])
        x1, y1, x2, y2 = item["bounding_box"]
        fashion = {key: value for key, value in item.items() if key not in _OWN} | of_image
        outline = item.get("segmentation")
        more = {} if outline is None else {"segmentation": outline}
        return Garment(category, flat, (x1, y1, x2 - x1, y2 - y1), fashion, more, at, at)

    def _problem(self, item: Any) -> Wrong | None:
        """Return what was found in an item, and what was expected, if it cannot be used."""
        if not isinstance(item, dict):
            return Wrong(shown(item), "an object")
        label, names = item.get("category_id"), self._schema.category_names
        if type(label) is not int or not 1 <= label <= len(names):
            return Wrong(f"category_id {shown(label)}", f"a number from 1 to {len(names)}")
        name = item.get("category_name", names[label - 1])
        if name != names[label - 1]:
            return Wrong(
                f"category_name {shown(name)} with category_id {label}", shown(names[label - 1])
            )
        n = len(self._own[label - 1])
        flat = item.get("landmarks")
        if not isinstance(flat, list) or not all_numbers(flat):
            return Wrong(f"landmarks {shown(flat)}", f"{3 * n} numbers, x, y and visibility")
        if len(flat) != 3 * n:
            return Wrong(
                f"{len(flat)} numbers ({len(flat) // 3} landmarks) for {name}",
                f"{3 * n} numbers, x, y and visibility of its {n} landmarks",
            )
        if not set(flat[2::3]) <= {0, 1, 2}:
            odd = next(v for v in flat[2::3] if v not in (0, 1, 2))
            return Wrong(f"the visibility {odd}", "0, 1 or 2")
        box = item.get("bounding_box")
        if not (isinstance(box, list) and len(box) == 4 and all_numbers(box)):
            return Wrong(f"bounding_box {shown(box)}", "x1, y1, x2, y2, four numbers")
        if box[2] <= box[0] or box[3] <= box[1]:
            return Wrong(f"bounding_box {shown(box)}, without an area", "x1 < x2 and y1 < y2")
        return None


def _cleaned(flat: list[Any]) -> list[Any]:
    """Return triplets in which what is not labelled lies at 0, 0."""
    if 0 in flat[2::3]:
        for i in range(2, len(flat), 3):
            if not flat[i]:
                flat[i - 2 : i + 1] = (0, 0, 0)
    return flat

"""Splitting a data set by group, the same way every time and whatever is added later."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from napari_fashion.coco import provenance
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.views import Image
from napari_fashion.errors import CocoError
from napari_fashion.tally import Tally

GroupOf = Callable[[Image], str]
"""The group of an image: images of one group stay on one side."""
REST = "train"
NO_KEY = "images without {key}, each a group by itself"


def group_position(group: str, seed: int) -> float:
    """Map a group to a stable number in [0, 1): groups are held out in this order."""
    digest = hashlib.sha256(f"{seed}/{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_by_group(
    dataset: Dataset, shares: Mapping[str, float], group_of: GroupOf, seed: int = 0
) -> dict[str, list[RecordId]]:
    """Return the ids of the images of each part.

    A group's part follows from its name and the seed alone, so that it stays when images are added or
    go. The shares are met on average over groups, not exactly.

    Parameters
    ----------
    dataset
        The data set.
    shares
        Share of each part, 0..1, in order; what remains is ``train``.
    group_of
        The group of an image.
    seed
        Of the order of the groups.

    Examples
    --------
    >>> document = {"images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(6)],
    ...             "annotations": [], "categories": [{"id": 1, "name": "a", "keypoints": ["b"]}]}
    >>> dataset = Dataset.from_document(document)
    >>> split_by_group(dataset, {"val": 0.4}, lambda image: image.file_name)
    {'train': [3, 4, 5], 'val': [0, 1, 2]}
    """
    if sum(shares.values()) >= 1:
        raise CocoError(
            f"the parts have shares of {sum(shares.values()):g} together; expected less than 1, so that "
            f"some images are left for {REST}."
        )
    parts: dict[str, list[RecordId]] = {REST: [], **{name: [] for name in shares}}
    part_of: dict[str, str] = {}
    for image in dataset.images:
        group = group_of(image)
        if group not in part_of:
            part_of[group] = _part(group_position(group, seed), shares)
        parts[part_of[group]].append(image.id)
    return parts


def _part(position: float, shares: Mapping[str, float]) -> str:
    end = 0.0
    for name, share in shares.items():
        end += share
        if position < end:
            return name
    return REST


def by_folder(image: Image) -> str:
    """Return the folder of an image, as its ``file_name`` has it."""
    return posixpath.dirname(image.file_name.replace("\\", "/"))


def by_pattern(pattern: str) -> GroupOf:
    """Return what groups images by the part of ``file_name`` that a regular expression finds.

    It is the expression's first group, or all of what it finds; an image in which it finds nothing is a
    group by itself.

    Raises
    ------
    CocoError
        If it is no regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CocoError(
            f"{pattern[:60]!r} is no regular expression ({error}); expected one that finds the group in a "
            "file's name."
        ) from error

    def group_of(image: Image) -> str:
        found = compiled.search(image.file_name)
        if found is None:
            return f"file {image.file_name}"
        return f"found {found.group(1) if compiled.groups else found.group()}"

    return group_of


def by_key(dataset: Dataset, key: str, tally: Tally | None = None) -> GroupOf:
    """Return what groups images by a key of their record, of theirs under our key, or of a garment's.

    An image without it is a group by itself.

    Parameters
    ----------
    dataset
        The data set.
    key
        The key.
    tally
        Counts the images without it.

    Raises
    ------
    CocoError
        If no image has it.
    """

    def value_of(image: Image) -> str | None:
        record = dataset.store.record("images", image.id)
        garments = (dataset.store.record("annotations", g.id) for g in image.garments)
        for found in (record, *garments):
            value: Any = found.get(key)
            value = provenance.of(found).get(key) if value is None else value
            if value is not None and not isinstance(value, (list, dict)):
                return f"value {value}"
        return None

    if dataset.images and all(value_of(image) is None for image in dataset.images):
        raise CocoError(
            f"no image and no garment has a number or text under {key[:60]!r}; expected a key of theirs, "
            "such as pair_id.",
            path=dataset.path,
            remedy="Name another key, or group by image, folder or name:REGEX.",
        )

    def group_of(image: Image) -> str:
        found = value_of(image)
        if found is None and tally is not None:
            tally.add(NO_KEY.format(key=key[:60]), image.file_name)
        return f"file {image.file_name}" if found is None else found

    return group_of

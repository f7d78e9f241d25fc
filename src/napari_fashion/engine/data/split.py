"""Training and validation images: split by group, the same way every time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_fashion.coco.splitting import group_position
from napari_fashion.documents import read_json, shown
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.errors import RecipeError
from napari_fashion.files import atomic_write

Sides = dict[str, list[str]]
"""Keys of images by side: ``train`` and ``validation``."""
TRAIN, VALIDATION = "train", "validation"

MIN_VALIDATION = 10
"""Number of validation images by which two models can be told apart at all."""
MAX_SPLIT_BYTES = 1 << 30
_EXPECTED = 'a split of a data set, {"train": [names of images], "validation": [...]}'


@dataclass(frozen=True)
class Split:
    """The sides of a data set's images.

    Attributes
    ----------
    train
        Images to train on, repeated ones as often as they were given.
    validation
        Images to judge by, each once.
    held_out
        Keys of all images on the validation side, those that no model is judged by too.
    judgeable
        Number of images that a model could be judged by, on either side.
    learned
        Number of those that the start has learned from: no model is judged by them.
    left_out
        Number of images to train on that are left out, since images to judge by that were given have
        their name or group.
    namesakes
        Two files, if some of these share a name with another file alone.
    """

    train: list[AnnotatedImage]
    validation: list[AnnotatedImage]
    held_out: frozenset[str]
    judgeable: int
    learned: int
    left_out: int = 0
    namesakes: tuple[Path, Path] | None = None

    @property
    def sides(self) -> Sides:
        """Keys by side, to be kept: given as `known` they keep each image on its side."""
        return {
            "train": sorted({image.key for image in self.train}),
            "validation": sorted(self.held_out),
        }

    def limited(self, count: int | None) -> Split:
        """Return the split with at most `count` images to train on, a stable choice by name."""
        if count is None:
            return self
        keys = {image.key for image in self.train}
        kept = set(sorted(keys, key=lambda key: (group_position(key, 0), key))[:count])
        return replace(self, train=[image for image in self.train if image.key in kept])


def split_images(
    images: Sequence[AnnotatedImage],
    share: float,
    seed: int,
    known: Sides | None = None,
    start: Sides | None = None,
) -> Split:
    """Split into training and validation images; images of one group stay together.

    Groups are held out in the order of `group_position`, until the share of the images that can be
    judged is reached, or `MIN_VALIDATION` of them if that is more, though at most a third of them for
    that. A group that would go beyond both the share and a third is passed over. At least one group
    is held out if there are two, and one stays to train on.

    Parameters
    ----------
    images
        The images; repeated ones are validated once.
    share
        Share of the images that can be judged to hold out, 0..1; 0 holds out no further ones.
    seed
        Of the order of the groups.
    known
        Sides that were settled before, of a run or of the data set: these images stay there, and
        further images of their groups get the same side. With them the sides stay as data grow.
    start
        Sides in the split of the model that training starts from. No model is judged by what it
        learned (``train``); what it was judged by stays held out, unless `known` says otherwise.
    """
    sides = _settled_sides(images, share, known or {}, start or {})
    learned = frozenset((start or {}).get(TRAIN, ()))
    judgeable = {image.key for image in images if image.can_be_judged}
    held_out_groups = _held_out_groups(images, share, seed, sides, judgeable - learned)
    train: list[AnnotatedImage] = []
    validation: dict[str, AnnotatedImage] = {}
    held_out: set[str] = set()
    for image in images:
        side = sides.get(image.key)
        if side is None:
            side = VALIDATION if image.group in held_out_groups else TRAIN
        if side == TRAIN:
            train.append(image)
            continue
        held_out.add(image.key)
        if image.can_be_judged and image.key not in learned:
            validation.setdefault(image.key, image)
    return Split(
        train,
        list(validation.values()),
        frozenset(held_out),
        judgeable=len(judgeable),
        learned=len(judgeable & learned),
    )


def given_split(
    images: Sequence[AnnotatedImage],
    validation: Sequence[AnnotatedImage],
    start: Sides | None = None,
) -> Split:
    """Return the split of images that are given for each side.

    Parameters
    ----------
    images
        To train on; those of the groups of `validation` are left out. An image without a group is one
        by itself.
    validation
        To judge by; those that the start learned are not used for it.
    start
        Sides in the split of the model that training starts from.
    """
    learned = frozenset((start or {}).get(TRAIN, ()))
    groups = {image.group for image in validation}
    train = [image for image in images if image.group not in groups]
    judgeable = {image.key: image for image in validation if image.can_be_judged}
    held_out = {image.key: image.path for image in validation}
    namesakes = (
        (image.path, held_out[image.key])
        for image in images
        if image.key in held_out and not _is_same(image.path, held_out[image.key])
    )
    return Split(
        train,
        [image for key, image in judgeable.items() if key not in learned],
        frozenset(i.key for i in (*images, *validation)) - {i.key for i in train},
        judgeable=len(judgeable),
        learned=len(judgeable.keys() & learned),
        left_out=len({i.key for i in images} - {i.key for i in train}),
        namesakes=next(namesakes, None),
    )


def _is_same(a: Path, b: Path) -> bool:
    try:
        return a == b or os.path.samefile(a, b)
    except OSError:
        return False


def _settled_sides(
    images: Sequence[AnnotatedImage], share: float, known: Sides, start: Sides
) -> dict[str, str]:
    """Return the sides that are settled, by key: of known images, and of the rest of their groups."""
    every: dict[str, str] = {}
    for sides in (start if share > 0 else {}, known):
        for side in (VALIDATION, TRAIN):
            every |= dict.fromkeys(sides.get(side, ()), side)
    settled = {image.key: every[image.key] for image in images if image.key in every}
    of_group: dict[str, str] = {}
    for image in images:
        if image.key in settled and of_group.get(image.group) != TRAIN:
            of_group[image.group] = settled[image.key]
    return {i.key: of_group[i.group] for i in images if i.group in of_group} | settled


def _held_out_groups(
    images: Sequence[AnnotatedImage],
    share: float,
    seed: int,
    sides: dict[str, str],
    judgeable: set[str],
) -> set[str]:
    """Return the groups to hold out, of those whose side is not settled.

    `judgeable` are the keys of the images that a model may be judged by.
    """
    if share == 0 or not judgeable:
        return set()
    third = len(judgeable) // 3
    target = max(round(share * len(judgeable)), min(MIN_VALIDATION, third), 1)
    most = max(target, third)
    free: dict[str, set[str]] = {}
    for image in images:
        if image.key not in sides:
            free.setdefault(image.group, set()).add(image.key)
    judged = {group: len(keys & judgeable) for group, keys in free.items() if keys & judgeable}
    left = sum(map(len, free.values())) + sum(side == TRAIN for side in sides.values())
    count = sum(sides.get(key) == VALIDATION for key in judgeable)
    held_out: set[str] = set()
    by_position = sorted(judged, key=lambda group: (group_position(group, seed), group))
    for group in by_position:
        if count >= target:
            break
        if count + judged[group] <= most and len(free[group]) < left:
            held_out.add(group)
            count += judged[group]
            left -= len(free[group])
    if not count:
        smallest = min(by_position, key=lambda group: judged[group], default=None)
        if smallest is not None and len(free[smallest]) < left:
            held_out.add(smallest)
    return held_out


def with_learned(sides: Sides, start: Sides | None) -> Sides:
    """Return the sides of a run with those of its start, all of which its model has learned from.

    What the run or its start learned is on the training side, whatever the other held out.
    """
    if not start:
        return sides
    train = {*sides[TRAIN], *start.get(TRAIN, ())}
    validation = {*sides[VALIDATION], *start.get(VALIDATION, ())}
    return {TRAIN: sorted(train), VALIDATION: sorted(validation - train)}


def read_split(path: Path) -> Sides | None:
    """Read the sides that a data set's images have by a file; None if there is none yet.

    The ``split.json`` of a run has this form too.

    Raises
    ------
    RecipeError
        If the file is another one, or names an image on both sides.
    """
    if not os.path.lexists(path):
        return None
    return parse_split(
        read_json(path, RecipeError, expected=_EXPECTED, limit=MAX_SPLIT_BYTES), path
    )


def parse_split(data: object, path: Path) -> Sides:
    """Check the content of a split's file; see `read_split`."""
    sides = sides_in(data)
    if sides is None:
        raise RecipeError(f"{path}: found {shown(data)}; expected {_EXPECTED}.")
    if both := set(sides[TRAIN]) & set(sides[VALIDATION]):
        raise RecipeError(f"{path}: {shown(min(both))} is on both sides; expected it on one.")
    return sides


def sides_in(data: object) -> Sides | None:
    """Return the sides that a value holds, such as a model's description; None if it is no split."""
    if not isinstance(data, dict) or not {TRAIN, VALIDATION} <= data.keys():
        return None
    sides = {side: data[side] for side in (TRAIN, VALIDATION)}
    for keys in sides.values():
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            return None
    return sides


def extend_split(path: Path, sides: Sides) -> None:
    """Write sides to a data set's file; images that it has already keep theirs.

    Raises
    ------
    RecipeError
        If the file is no split, or cannot be written.
    """
    before = read_split(path) or {TRAIN: [], VALIDATION: []}
    have = {key for keys in before.values() for key in keys}
    merged = {side: sorted({*before[side], *(set(sides[side]) - have)}) for side in before}
    if merged == {side: sorted(keys) for side, keys in before.items()} and have:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(merged, indent=1).encode() + b"\n")
    except OSError as error:
        raise RecipeError(
            f"{path}: the split cannot be written ({error.strerror or error}); expected a place for "
            "a file in data.split."
        ) from error


def fingerprint(images: Sequence[AnnotatedImage]) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256 of the annotations, in any order of images."""
    digests = []
    for image in images:
        digest = hashlib.sha256(image.key.encode())
        for array in (image.xy, image.visibility, image.category):
            digest.update(np.ascontiguousarray(array).tobytes())
        digests.append(digest.digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]

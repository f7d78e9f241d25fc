"""Training and validation images: split by group, the same way every time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from napari_fashion.engine.data.sample import AnnotatedImage


def group_position(group: str, seed: int) -> float:
    """Map a group to a stable number in [0, 1); groups below the validation share are held out."""
    digest = hashlib.sha256(f"{seed}/{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_images(
    images: Sequence[AnnotatedImage], share: float, seed: int, known: dict[str, list[str]] | None
) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """Split into training and validation images.

    Images of one group stay together. A group's side follows from a hash of its name, so that it stays on
    its side as the data grow; if that leaves one side empty although there are two groups, the group whose
    position is the nearest to the other side changes over.

    Parameters
    ----------
    images
        The images; repeated ones are validated once.
    share
        Share of the groups to hold out, 0..1.
    seed
        Of the hash.
    known
        Keys by side (``train``, ``validation``) in the split of the model that training starts from. These
        images and their groups keep their sides: otherwise that model would be judged on what it learned.

    Returns
    -------
    train, validation
        Validation images without a garment to judge by are dropped.
    """
    sides = _known_sides(images, known or {})
    held_out = _held_out_groups(images, share, seed, sides)
    train: list[AnnotatedImage] = []
    validation: dict[int, AnnotatedImage] = {}  # by identity: an image may be repeated for training
    for image in images:
        side = sides.get(image.key)
        if side is None:
            side = "validation" if image.group in held_out else "train"
        if side == "train" or share == 0:
            train.append(image)
        elif image.can_be_judged:
            validation[id(image)] = image
    return train, list(validation.values())


def _known_sides(images: Sequence[AnnotatedImage], known: dict[str, list[str]]) -> dict[str, str]:
    """Return the sides that are settled, by key: of known images, and of the rest of their groups."""
    sides = dict.fromkeys(known.get("train", ()), "train")
    sides |= dict.fromkeys(known.get("validation", ()), "validation")
    by_group = {p.group: sides[p.key] for p in images if p.key in sides}
    sides |= {
        p.key: by_group[p.group] for p in images if p.key not in sides and p.group in by_group
    }
    return sides


def _held_out_groups(
    images: Sequence[AnnotatedImage], share: float, seed: int, sides: dict[str, str]
) -> set[str]:
    """Return the groups to hold out, of those whose side is not settled."""
    free = {p.group: group_position(p.group, seed) for p in images if p.key not in sides}
    held_out = {group for group, position in free.items() if position < share}
    if share > 0 and len(free) > 1:
        judged = {p.group for p in images if p.key not in sides and p.can_be_judged}
        settled = any(sides.get(p.key) == "validation" and p.can_be_judged for p in images)
        if not settled and not held_out & judged and judged:
            held_out.add(min(judged, key=lambda group: free[group]))
        if not any(sides.get(p.key) == "train" for p in images) and held_out == set(free):
            held_out.remove(max(held_out, key=lambda group: free[group]))
    return held_out


def fingerprint(images: Sequence[AnnotatedImage]) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256 of the annotations, in any order of images."""
    digests = []
    for image in images:
        digest = hashlib.sha256(image.key.encode())
        for array in (image.xy, image.visibility, image.category):
            digest.update(np.ascontiguousarray(array).tobytes())
        digests.append(digest.digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]

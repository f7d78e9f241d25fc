from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.split import fingerprint, group_position, split_images


def image(number: int, group: str, *, seen: bool = True) -> AnnotatedImage:
    """An image with one garment of two landmarks, visible or hidden ones."""
    return AnnotatedImage(
        key=f"{number}.png",
        group=group,
        path=Path(f"{number}.png"),
        size=(10, 10),
        xy=np.array([[[1, 2], [number, 4]]], np.float32),
        visibility=np.full((1, 2), 2 if seen else 1),
        member=np.ones((1, 2), bool),
        box=np.array([[1, 2, 3, 4]], np.float32),
        category=np.array([0]),
        crowd=np.zeros(1, bool),
    )


def keys(images: Sequence[AnnotatedImage]) -> set[str]:
    return {p.key for p in images}


groups = st.lists(st.integers(0, 9), min_size=1, max_size=30)


@given(groups, st.floats(0, 0.9), st.integers(0, 5))
def test_every_image_is_on_one_side_with_its_group(numbers, share, seed) -> None:
    images = [image(i, f"sender {n}") for i, n in enumerate(numbers)]
    train, validation = split_images(images, share, seed, None)
    assert keys(train) | keys(validation) == keys(images)
    assert not keys(train) & keys(validation)
    assert not {p.group for p in train} & {p.group for p in validation}
    if share and len(set(numbers)) > 1:
        assert train
        assert validation
    if not share:
        assert train == images


@given(groups, groups, st.floats(0.05, 0.9), st.integers(0, 5))
def test_an_image_stays_on_its_side_as_the_data_grow(numbers, more, share, seed) -> None:
    images = [image(i, f"sender {n}") for i, n in enumerate(numbers)]
    train, validation = split_images(images, share, seed, None)
    known = {"train": sorted(keys(train)), "validation": sorted(keys(validation))}
    grown = images + [image(100 + i, f"sender {n}") for i, n in enumerate(more)]
    train_grown, validation_grown = split_images(grown, share, seed, known)
    assert keys(train) <= keys(train_grown)
    assert keys(validation) <= keys(validation_grown)
    assert not {p.group for p in train_grown} & {p.group for p in validation_grown}


def test_held_out_images_that_cannot_be_judged_are_dropped_and_repeats_are_validated_once() -> None:
    groups = sorted("abcdefgh", key=lambda group: group_position(group, 0))
    low, high = groups[0], groups[-1]
    blind, seen = image(1, low, seen=False), image(2, low)
    images = [blind, seen, seen, image(3, high), image(3, high)]
    share = (group_position(low, 0) + group_position(high, 0)) / 2
    train, validation = split_images(images, share, 0, None)
    assert [p.key for p in validation] == ["2.png"]
    assert [p.key for p in train] == ["3.png", "3.png"]


def test_a_position_is_stable_and_depends_on_the_seed() -> None:
    assert (
        group_position("sender 1", 0)
        == group_position("sender 1", 0)
        != group_position("sender 1", 1)
    )
    positions = [group_position(str(i), 3) for i in range(2000)]
    assert 0 <= min(positions) < max(positions) < 1
    assert abs(np.mean(positions) - 0.5) < 0.03


def test_the_fingerprint_is_of_the_annotations_in_any_order() -> None:
    images = [image(i, "a") for i in range(4)]
    assert fingerprint(images) == fingerprint(images[::-1])
    assert fingerprint(images) != fingerprint(images[:3])
    assert fingerprint(images) != fingerprint([image(0, "a", seen=False), *images[1:]])

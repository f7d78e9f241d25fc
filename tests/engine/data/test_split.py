from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.split import (
    extend_split,
    fingerprint,
    given_split,
    group_position,
    read_split,
    split_images,
    with_learned,
)
from napari_fashion.engine.train.notices import data_notices
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema


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
    split = split_images(images, share, seed)
    train, validation = split.train, split.validation
    assert keys(train) | keys(validation) == keys(images)
    assert not keys(train) & keys(validation)
    assert not {p.group for p in train} & {p.group for p in validation}
    assert train
    assert bool(validation) == (share > 0 and len(set(numbers)) > 1)
    if not share:
        assert train == images


@given(groups, groups, st.floats(0.05, 0.9), st.integers(0, 5))
def test_an_image_stays_on_its_side_as_the_data_grow(numbers, more, share, seed) -> None:
    images = [image(i, f"sender {n}") for i, n in enumerate(numbers)]
    before = split_images(images, share, seed)
    grown = images + [image(100 + i, f"sender {n}") for i, n in enumerate(more)]
    after = split_images(grown, share, seed, before.sides)
    assert keys(before.train) <= keys(after.train)
    assert keys(before.validation) <= keys(after.validation)
    assert not {p.group for p in after.train} & {p.group for p in after.validation}


@given(st.integers(2, 120), st.floats(0.01, 0.9), st.integers(0, 5))
def test_single_images_are_held_out_to_the_very_share_or_the_minimum(n, share, seed) -> None:
    split = split_images([image(i, str(i)) for i in range(n)], share, seed)
    expected = max(round(share * n), min(10, n // 3), 1)
    assert len(split.validation) == min(expected, n - 1)
    assert (split.judgeable, split.learned) == (n, 0)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=20), st.floats(0.01, 0.5))
def test_groups_are_held_out_in_their_order_and_not_far_beyond_the_share(sizes, share) -> None:
    images = [image(100 * g + i, str(g)) for g, size in enumerate(sizes) for i in range(size)]
    split = split_images(images, share, 1)
    n, held = len(images), len(split.validation)
    most = max(round(share * n), n // 3, 1)
    chosen = {p.group for p in split.validation}
    order = sorted(map(str, range(len(sizes))), key=lambda group: group_position(group, 1))
    if held > most:  # every group is that large
        assert len(chosen) == 1
        assert all(size > most for size in sizes)
        return
    count = 0
    target = max(round(share * n), min(10, n // 3), 1)
    for group in order:
        fits = count < target and count + sizes[int(group)] <= most
        assert (group in chosen) == fits, group
        count += fits * sizes[int(group)]


def test_images_that_no_model_is_judged_by_do_not_count_and_are_trained_on() -> None:
    images = [image(i, str(i), seen=i < 12) for i in range(100)]
    split = split_images(images, 0.25, 0)
    assert len(split.validation) == 4  # a third of the 12, less than the minimum
    assert keys(split.validation) <= keys(images[:12])
    assert len(split.train) == 96
    assert split.judgeable == 12


def test_a_groups_blind_images_are_held_out_with_it_and_repeats_are_validated_once() -> None:
    first, last = sorted("ab", key=lambda group: group_position(group, 0))
    blind, seen = image(1, first, seen=False), image(2, first)
    images = [blind, seen, seen, image(3, last), image(3, last)]
    split = split_images(images, 0.3, 0)
    assert [p.key for p in split.validation] == ["2.png"]
    assert [p.key for p in split.train] == ["3.png", "3.png"]
    assert split.held_out == {"1.png", "2.png"}
    assert split.sides == {"train": ["3.png"], "validation": ["1.png", "2.png"]}


def test_what_the_start_learned_is_trained_on_and_never_judged_by() -> None:
    images = [image(i, str(i // 2)) for i in range(40)]
    start = {"train": [f"{i}.png" for i in range(20)], "validation": ["30.png"]}
    split = split_images(images, 0.5, 0, None, start)
    assert keys(images[:20]) <= keys(split.train)
    assert {"30.png", "31.png"} <= keys(split.validation)
    assert (split.judgeable, split.learned) == (40, 20)
    assert len(split.validation) == 10  # half of those that are left


def test_a_known_side_is_kept_though_the_start_learned_the_image() -> None:
    images = [image(i, str(i)) for i in range(6)]
    known = {"train": ["0.png"], "validation": ["1.png", "2.png"]}
    start = {"train": ["1.png"], "validation": ["0.png"]}
    split = split_images(images, 0.3, 0, known, start)
    assert "0.png" in keys(split.train)
    assert {"1.png", "2.png"} <= split.held_out
    assert "1.png" not in keys(split.train) | keys(
        split.validation
    )  # neither trained on nor judged by
    again = split_images(images, 0.3, 0, split.sides, start)
    assert (keys(again.train), keys(again.validation)) == (
        keys(split.train),
        keys(split.validation),
    )


@pytest.mark.parametrize("order", [1, -1])
def test_a_group_of_which_the_start_learned_an_image_is_trained_on(order) -> None:
    images = [image(i, "sender") for i in range(3)] + [image(i, str(i)) for i in range(3, 9)]
    start = {"train": ["0.png"], "validation": ["1.png"]}
    split = split_images(images[::order], 0.3, 0, None, start)
    assert {"0.png", "2.png"} <= keys(split.train)
    assert "1.png" in keys(split.validation)  # by which the start was judged


def test_images_that_are_given_for_validation_leave_out_what_the_start_learned() -> None:
    given = [image(0, "a"), image(1, "b"), image(1, "b"), image(2, "c", seen=False)]
    images = [image(10, "a"), image(11, "x")]
    split = given_split(images, given, {"train": ["0.png"], "validation": []})
    assert [p.key for p in split.train] == ["11.png"]
    assert [p.key for p in split.validation] == ["1.png"]
    assert split.held_out == {"0.png", "1.png", "2.png", "10.png"}
    assert (split.judgeable, split.learned) == (2, 1)


def test_without_a_share_nothing_new_is_held_out() -> None:
    images = [image(i, str(i)) for i in range(30)]
    assert keys(split_images(images, 0, 0, None, {"validation": ["3.png"]}).train) == keys(images)
    known = {"train": [], "validation": ["3.png"]}
    assert keys(split_images(images, 0, 0, known).validation) == {"3.png"}


def test_a_models_split_has_what_its_starts_learned() -> None:
    own = {"train": ["a", "b"], "validation": ["c", "d"]}
    assert with_learned(own, None) == own
    start = {"train": ["c", "x"], "validation": ["a", "y"]}
    assert with_learned(own, start) == {"train": ["a", "b", "c", "x"], "validation": ["d", "y"]}


def test_a_data_sets_split_is_kept_in_a_file_and_extended(tmp_path) -> None:
    path = tmp_path / "new" / "split.json"
    assert read_split(path) is None
    images = [image(i, str(i)) for i in range(12)]
    first = split_images(images, 0.25, 0, read_split(path))
    extend_split(path, first.sides)
    assert read_split(path) == first.sides
    some = images[:3] + [image(100 + i, str(100 + i)) for i in range(30)]
    second = split_images(some, 0.25, 0, read_split(path))
    extend_split(path, second.sides)
    kept = read_split(path)
    assert set(first.sides["train"]) <= set(
        kept["train"]
    )  # also of images that are not in the data now
    assert set(first.sides["validation"]) <= set(kept["validation"])
    assert len(kept["train"]) + len(kept["validation"]) == 42
    extend_split(path, {"train": first.sides["validation"], "validation": first.sides["train"]})
    assert read_split(path) == kept
    assert [p.name for p in path.parent.iterdir()] == ["split.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [], "annotations": []}', "found .*expected a split of a data set"),
        ('{"train": ["a"], "validation": [3]}', "expected a split"),
        ('{"train": "a", "validation": []}', "expected a split"),
        ('{"train": ["a", "b"], "validation": ["b"]}', "'b' is on both sides"),
        ("[]", "expected a split"),
        ("{", "not valid JSON"),
    ],
)
def test_another_file_is_no_split_and_stays_as_it_is(tmp_path, content, message) -> None:
    path = tmp_path / "data.json"
    path.write_text(content)
    for use in (read_split, lambda path: extend_split(path, {"train": ["x"], "validation": []})):
        with pytest.raises(RecipeError, match=message):
            use(path)
    assert path.read_text() == content


def test_a_split_that_cannot_be_written_is_said(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match=r"the split cannot be written .*data\.split"):
        extend_split(tmp_path / "file" / "split.json", {"train": ["x"], "validation": []})


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


def test_namesakes_of_given_validation_images_are_told(tmp_path):
    """Two data sets may both have an image 000001.jpg."""
    folders = [tmp_path / "train", tmp_path / "validation"]
    for folder in folders:
        folder.mkdir()
        (folder / "a.jpg").write_bytes(folder.name.encode())
    ours, theirs = (replace(image(1, "1"), path=folder / "a.jpg") for folder in folders)
    other = image(2, "2")
    split = given_split([ours, other], [theirs])
    assert split.train == [other]
    assert (split.left_out, split.namesakes) == (1, (ours.path, theirs.path))
    (notice,) = data_notices(Schema.load("garments"), split, share=0.0)
    assert notice.level == "warning"
    assert "1 images of data.train are left out" in notice.message
    assert str(theirs.path) in notice.message
    once = given_split([ours, other], [ours])
    assert (once.left_out, once.namesakes) == (1, None)
    (notice,) = data_notices(Schema.load("garments"), once, share=0.0)
    assert notice.level == "info"


@given(groups, st.integers(1, 40))
def test_a_limit_keeps_a_stable_choice_of_the_images_to_train_on(of, count):
    images = [image(n, f"g{group}") for n, group in enumerate(of)]
    split = split_images([*images, *images], 0.3, 0)  # each twice, as repeated sources give them
    limited = split.limited(count)
    assert len(keys(limited.train)) == min(count, len(keys(split.train)))
    assert len(limited.train) == 2 * len(keys(limited.train))
    assert (limited.validation, limited.held_out) == (split.validation, split.held_out)
    assert keys(limited.train) <= keys(split.limited(count + 1).train)
    assert split.limited(None) is split

from __future__ import annotations

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.coco.splitting import by_folder, by_key, by_pattern, split_by_group
from napari_fashion.errors import CocoError


def dataset(n, **more):
    images = [{"id": i, "file_name": f"item{i // 4}/{i}.jpg", **more} for i in range(n)]
    categories = [{"id": 1, "name": "a", "keypoints": ["b"]}]
    return Dataset.from_document({"images": images, "annotations": [], "categories": categories})


def test_groups_stay_together_and_shares_are_about_met():
    parts = split_by_group(dataset(4000), {"val": 0.2, "test": 0.1}, by_folder)
    assert sorted(i for ids in parts.values() for i in ids) == list(range(4000))
    groups = {name: {i // 4 for i in ids} for name, ids in parts.items()}
    assert not groups["train"] & groups["val"]
    assert not groups["test"] & (groups["train"] | groups["val"])
    assert 700 < len(parts["val"]) < 900
    assert 320 < len(parts["test"]) < 480


def test_a_group_keeps_its_part_when_images_come_and_another_share_starts():
    small = split_by_group(dataset(400), {"val": 0.2}, by_folder)
    large = split_by_group(dataset(800), {"val": 0.2, "test": 0.1}, by_folder)
    assert set(small["val"]) == {i for i in large["val"] if i < 400}
    other = split_by_group(dataset(400), {"val": 0.2}, by_folder, seed=1)
    assert set(small["val"]) != set(other["val"])


def test_groups_by_name_and_key():
    images = dataset(8).images
    assert by_pattern(r"item(\d)")(images[5]) == by_pattern("item(1)")(images[4])
    assert by_pattern("nothing")(images[0]) != by_pattern("nothing")(images[1])
    keyed = dataset(4, pair_id=7)
    keyed.set_value("images", 2, ("pair_id",), 8)
    keyed.set_value("images", 3, ("fashion",), {"pair_id": 8})
    keyed.set_value("images", 3, ("pair_id",), None)
    group = by_key(keyed, "pair_id")
    assert group(keyed.images[0]) == group(keyed.images[1]) != group(keyed.images[2])
    assert group(keyed.images[2]) == group(keyed.images[3])
    with pytest.raises(CocoError, match="no regular expression"):
        by_pattern("(")


def test_something_has_to_be_left_to_train_on():
    with pytest.raises(CocoError, match="expected less than 1"):
        split_by_group(dataset(4), {"val": 0.5, "test": 0.5}, by_folder)

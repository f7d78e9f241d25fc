from __future__ import annotations

import json

import pytest

from exported import DRESS, SHIRT, annotation, document, write
from napari_fashion.coco import Dataset, find_problems, joining
from napari_fashion.coco.joining import Joined
from napari_fashion.errors import CocoError


def join(tmp_path, *files, same="join"):
    """Join files; return the document, the tally and the data set of it."""
    target = tmp_path / "joined.json"
    joined = Joined([Dataset.load(file) for file in files], target, same)
    target.write_bytes(b"".join(joined.chunks()))
    found = json.loads(target.read_text("utf-8"))
    assert (joined.images, joined.garments) == (len(found["images"]), len(found["annotations"]))
    return found, joined.tally, Dataset.load(target)


def other():
    """Two images of its own under the ids of the first file, and one that it shares."""
    content = document()
    content["images"] = [
        {"id": 1, "file_name": "new.png", "width": 120, "height": 100, "x": 1},
        {"id": 9, "file_name": "other.png", "width": 120, "height": 100},
        {"id": 2, "file_name": "a.png", "width": 120, "height": 100},
    ]
    content["annotations"] = [
        annotation(11, 1, SHIRT, "Shirt", mine=[1, 2.50]),
        annotation(99, 2, SHIRT, "Shirt"),
        annotation(11.5, 9, DRESS, "Dress"),
    ]
    content["categories"] = [{**c, "id": c["id"] + 100} for c in content["categories"][::-1]]
    for record in content["annotations"]:
        record["category_id"] += 100
    return content


def test_a_file_alone_stays_as_it_is(tmp_path):
    source = write(tmp_path / "in")
    found, tally, again = join(tmp_path, source)
    before = document()
    for table in ("images", "annotations", "categories", "licenses"):
        assert found[table] == before[table]
    assert not tally
    assert again.image_root.samefile(source.parent)


def test_ids_that_meet_are_renumbered_and_references_follow(tmp_path):
    one, two = write(tmp_path / "in"), write(tmp_path / "in", other(), "other.json")
    found, tally, again = join(tmp_path, one, two)
    assert [i["id"] for i in found["images"]] == [1, 2, 3, 4, 10, 9]
    assert found["images"][4] == {
        "id": 10,
        "file_name": "new.png",
        "width": 120,
        "height": 100,
        "x": 1,
    }
    assert [a["id"] for a in found["annotations"]] == [11, 12, 13, 14, 15, 100, 99, 11.5]
    assert [a["image_id"] for a in found["annotations"][5:]] == [10, 1, 9]
    names = [again.category_name(a["category_id"]) for a in found["annotations"][5:]]
    assert names == ["Shirt", "Shirt", "Dress"]
    assert found["annotations"][5]["mine"] == [1, 2.5]
    assert len(found["categories"]) == len(document()["categories"])
    assert tally.counts == {
        joining.SAME: 1,
        joining.RENUMBERED.format(table="images"): 1,
        joining.RENUMBERED.format(table="annotations"): 1,
    }
    assert not find_problems(again)


def test_the_text_of_what_stays_is_kept_to_the_byte(tmp_path):
    source = write(tmp_path / "in")
    source.write_text(
        source.read_text().replace("8000.5", "8000.50").replace("small", "sm\\u0061ll")
    )
    join(tmp_path, source, write(tmp_path / "in", other(), "other.json"))
    assert (tmp_path / "joined.json").read_text().count("8000.50") == source.read_text().count(
        "8000.50"
    )


def test_text_and_number_are_one_id(tmp_path):
    content = other()
    for record in content["annotations"]:
        record["id"] = str(record["id"])
    found, tally, _ = join(
        tmp_path, write(tmp_path / "in"), write(tmp_path / "in", content, "other.json")
    )
    assert [a["id"] for a in found["annotations"][5:]] == [100, "99", "11.5"]
    assert tally.counts[joining.RENUMBERED.format(table="annotations")] == 1


@pytest.mark.parametrize(
    ("same", "kept"),
    [("join", [11, 12, 13, 99]), ("first", [11, 12, 13]), ("last", [99])],
)
def test_an_image_in_both_is_decided_by_the_rule(tmp_path, same, kept):
    one, two = write(tmp_path / "in"), write(tmp_path / "in", other(), "other.json")
    found, tally, again = join(tmp_path, one, two, same=same)
    image = next(i for i in found["images"] if i["file_name"] == "a.png")
    assert [a["id"] for a in found["annotations"] if a["image_id"] == image["id"]] == kept
    assert tally.counts.get(joining.NOT_CHOSEN, 0) == {"join": 0, "first": 1, "last": 3}[same]
    assert tally.counts[joining.SAME] == 1
    assert [i["file_name"] for i in found["images"]].count("a.png") == 1
    assert not find_problems(again)


def test_a_garment_that_both_have_exactly_is_kept_once(tmp_path):
    one, two = write(tmp_path / "in"), write(tmp_path / "in", name="again.json")
    found, tally, _ = join(tmp_path, one, two)
    assert found["annotations"] == document()["annotations"]
    assert tally.counts == {joining.SAME: 4, joining.TWICE: 5}


def test_a_shared_image_of_another_size_loses_the_garments_of_the_later_file(tmp_path):
    content = other()
    content["images"][2]["width"] = 121
    one, two = write(tmp_path / "in"), write(tmp_path / "in", content, "other.json")
    found, tally, _ = join(tmp_path, one, two)
    assert tally.counts[joining.OTHER_SIZE] == 1
    assert 99 not in [a["id"] for a in found["annotations"]]


def test_files_of_two_folders_get_names_from_the_folder_above(tmp_path):
    one, two = write(tmp_path / "in" / "one"), write(tmp_path / "in" / "two")
    found, tally, again = join(tmp_path, one, two)
    assert not tally.counts.get(joining.SAME)
    assert [i["file_name"] for i in found["images"]][::4] == ["one/a.png", "two/a.png"]
    assert all(image.path.is_file() for image in again.images)


def test_categories_with_other_orders_of_landmarks_are_brought_into_one(tmp_path):
    content = other()
    for category in content["categories"]:
        category["keypoints"] = category["keypoints"][::-1]
    content["info"]["fashion"] = {"schema": "garments"}
    _, _, again = join(
        tmp_path, write(tmp_path / "in"), write(tmp_path / "in", content, "other.json")
    )
    expected = [list(mark) for mark in SHIRT[::-1]]
    garment = again.garment(99)
    assert [
        [*xy, v] for xy, v in zip(garment.xy.tolist(), garment.visibility.tolist(), strict=True)
    ] == expected
    content["categories"][0]["keypoints"] = [f"elsewhere {i}" for i in range(8)]
    with pytest.raises(CocoError, match="has 8 landmarks"):
        join(tmp_path, write(tmp_path / "in"), write(tmp_path / "in", content, "other.json"))


def test_new_categories_come_along_with_the_schema(tmp_path):
    content = other()
    content["categories"][0]["name"] = "Cape"
    _, _, again = join(
        tmp_path, write(tmp_path / "in"), write(tmp_path / "in", content, "other.json")
    )
    assert "Cape" in {again.category_name(key) for key in again.store.ids("categories")}
    assert not [kind for kind in find_problems(again).tally.counts if "schema" in kind]


def test_files_of_other_landmarks_and_other_data_sets_are_told(tmp_path):
    first, second = document(), other()
    first["info"]["fashion"] = {"converted": {"format": "deepfashion-c"}}
    second["info"]["fashion"] = {"converted": {"format": "deepfashion-c"}}
    one, two = write(tmp_path / "in", first), write(tmp_path / "in", second, "other.json")
    found, tally, _ = join(tmp_path, one, two)
    assert found["info"]["fashion"]["converted"] == {"format": "deepfashion-c"}
    assert joining.OTHER_LANDMARKS not in tally.counts
    for record in second["categories"]:
        record["keypoints"] = [f"point {i}" for i in range(8)]
        record["name"] += " of another"
    second["info"]["fashion"]["converted"]["format"] = "deepfashion2"
    found, tally, _ = join(tmp_path, one, write(tmp_path / "in", second, "other.json"))
    assert tally.counts[joining.OTHER_LANDMARKS] == 1
    assert "converted" not in found["info"]["fashion"]


def test_what_belongs_to_nothing_is_counted(tmp_path):
    content = other()
    content["annotations"][0]["image_id"] = 3  # an image of the first file only
    content["annotations"][1]["category_id"] = 5
    content["x-tool"] = 1
    _, tally, _ = join(
        tmp_path, write(tmp_path / "in"), write(tmp_path / "in", content, "other.json")
    )
    assert tally.counts[joining.NO_IMAGE] == tally.counts[joining.NO_CATEGORY] == 1
    assert tally.counts[joining.OTHER_TOP] == 1


def test_a_category_that_is_spelled_otherwise_is_the_same(tmp_path):
    content = other()
    for category in content["categories"]:
        category["name"] = category["name"].upper()
    one, two = write(tmp_path / "in"), write(tmp_path / "in", content, "other.json")
    found, tally, again = join(tmp_path, one, two)
    assert found["categories"] == document()["categories"]
    names = [again.category_name(a["category_id"]) for a in found["annotations"][5:]]
    assert names == ["Shirt", "Shirt", "Dress"]
    assert tally.counts[joining.SPELLED] == len(content["categories"])
    assert again.schema.category_names == Dataset.load(one).schema.category_names


def test_another_spelling_with_other_landmarks_is_a_category_of_its_own(tmp_path):
    content = other()
    shirt = next(c for c in content["categories"] if c["name"] == "Shirt")
    shirt["name"] = "shirt"
    shirt["keypoints"] = [f"other {name}" for name in shirt["keypoints"]]
    one, two = write(tmp_path / "in"), write(tmp_path / "in", content, "other.json")
    found, tally, _ = join(tmp_path, one, two)
    assert [c["name"] for c in found["categories"]].count("shirt") == 1
    assert joining.SPELLED not in tally.counts

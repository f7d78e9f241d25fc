"""The primitives of an editing model: set a value, insert a record, remove a record."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fashion.coco import Dataset, find_problems
from napari_fashion.errors import CocoError, EditError


def state(dataset: Dataset) -> bytes:
    """The file as it would be written."""
    return b"".join(dataset.chunks())


def test_the_text_that_a_value_had_undoes_a_change(dataset):
    before = state(dataset)
    old = dataset.text("annotations", 5, ("keypoints", 2))
    dataset.set_value("annotations", 5, ("keypoints", 2), 1)
    assert old == "2"
    assert dataset.to_document()["annotations"][0]["keypoints"][2] == 1
    assert dataset.garment(5).visibility[0] == 1
    dataset.set_text("annotations", 5, ("keypoints", 2), old)
    assert state(dataset) == before


def test_a_new_key_comes_last_and_none_takes_it_away(dataset):
    before = state(dataset)
    assert dataset.text("images", 30, ("fashion",)) is None
    dataset.set_value("images", 30, ("fashion",), {"reviewed": True})
    assert list(dataset.to_document()["images"][0])[-1] == "fashion"
    assert dataset.image(30).reviewed
    assert json.loads(dataset.text("images", 30, ("fashion",))) == {"reviewed": True}
    dataset.set_text("images", 30, ("fashion",), None)
    assert dataset.text("images", 30, ("fashion",)) is None
    assert state(dataset) == before
    dataset.set_text("images", 30, ("fashion",), None)  # it is not there already
    assert state(dataset) == before


def test_null_is_a_value_and_none_is_no_value(dataset):
    before = state(dataset)
    dataset.set_value("images", 30, ("note",), None)
    assert dataset.text("images", 30, ("note",)) == "null"
    assert dataset.to_document()["images"][0]["note"] is None
    dataset.set_text("images", 30, ("note",), None)
    assert "note" not in dataset.to_document()["images"][0]
    assert state(dataset) == before


@pytest.mark.parametrize("backwards", [True, False])
def test_keys_put_back_take_their_places(dataset, backwards):
    before = state(dataset)
    gone = {
        key: dataset.text("annotations", 5, (key,))
        for key in ("bbox", "area", "image_id", "body_type")
    }
    for key in gone:
        dataset.set_text("annotations", 5, (key,), None)
    assert not gone.keys() & dataset.to_document()["annotations"][0].keys()
    for key in reversed(gone) if backwards else gone:
        dataset.set_text("annotations", 5, (key,), gone[key])
    assert state(dataset) == before


def test_a_key_deep_inside(dataset):
    dataset.set_value("annotations", 5, ("fashion",), {"a": {"b": [1, 2]}, "c": 3})
    assert dataset.text("annotations", 5, ("fashion", "a", "b", 1)) == "2"
    dataset.set_value("annotations", 5, ("fashion", "a", "b", 1), 9)
    assert json.loads(dataset.text("annotations", 5, ("fashion", "a"))) == {"b": [1, 9]}
    dataset.set_text("annotations", 5, ("fashion", "a"), None)
    assert json.loads(dataset.text("annotations", 5, ("fashion",))) == {"c": 3}
    dataset.set_value("annotations", 5, ("fashion", "a"), 1)
    ours = dataset.to_document()["annotations"][0]["fashion"]
    assert ours == {"a": 1, "c": 3}


def test_values_are_copied_in(dataset):
    """An edit keeps its values: later edits inside must not change them."""
    value = {"scores": [1, 2]}
    dataset.set_value("annotations", 5, ("fashion",), value)
    dataset.set_value("annotations", 5, ("fashion", "scores", 0), 9)
    assert value == {"scores": [1, 2]}
    record = {"id": 99, "image_id": 30, "keypoints": [1]}
    dataset.insert_record("annotations", record)
    dataset.set_value("annotations", 99, ("keypoints", 0), 9)
    assert record["keypoints"] == [1]
    value["scores"].append(3)
    record["keypoints"].append(2)
    document = dataset.to_document()
    document["annotations"][0]["area"] = -1
    again = dataset.to_document()
    assert again["annotations"][0]["fashion"] == {"scores": [9, 2]}
    assert again["annotations"][0]["area"] == 1500.0
    assert again["annotations"][-1]["keypoints"] == [9]


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ((), "1", "expected a key other than the id"),
        (("id",), "8", "expected a key other than the id"),
        (("id",), None, "expected a key other than the id"),
        (("nothing", "there"), "1", r"annotations 5: there is nothing at \['nothing'\]"),
        (("keypoints", 24), "1", r"there is nothing at \['keypoints', 24\]"),
        (("keypoints", -1), "1", "there is nothing"),
        (("keypoints", "x"), "1", "there is nothing"),
        (("iscrowd", 0), "1", "there is nothing"),
        (("keypoints", 0), None, "cannot remove item"),
        (("image_id",), "[1]", r"\[1\] is not an id \(image_id\)"),
        (("category_id",), "true", r"True is not an id \(category_id\)"),
    ],
)
def test_a_path_that_leads_nowhere_changes_nothing(dataset, path, text, message):
    before = state(dataset)
    with pytest.raises(EditError, match=message):
        dataset.set_text("annotations", 5, path, text)
    assert state(dataset) == before


def test_a_garment_can_change_its_image(dataset):
    dataset.set_value("annotations", 7, ("image_id",), 30)
    assert [g.id for g in dataset.garments_of(30)] == [5, 7, 6]
    assert dataset.garments_of(20) == []
    dataset.set_value("annotations", 7, ("image_id",), 20)
    assert [g.id for g in dataset.garments_of(20)] == [7]
    assert [g.id for g in dataset.garments_of(30)] == [5, 6]


def test_insert_and_remove(dataset):
    before = state(dataset)
    text = dataset.remove_record("annotations", 5)
    assert json.loads(text)["id"] == 5
    assert [g.id for g in dataset.garments_of(30)] == [6]
    assert [g.id for g in dataset.garments] == [7, 6]
    with pytest.raises(CocoError, match="no record with the id 5"):
        dataset.garment(5)
    assert dataset.insert_text("annotations", text) == 5
    assert [g.id for g in dataset.garments_of(30)] == [5, 6]
    assert state(dataset) == before


def test_new_records_stand_after_the_files_ordered_by_id(dataset):
    before = state(dataset)
    for new in (99, 50, "b", 8, "a"):
        dataset.insert_record("annotations", {"id": new, "image_id": 30})
    assert [g.id for g in dataset.garments] == [5, 7, 6, 8, 50, 99, "a", "b"]
    assert [g.id for g in dataset.garments_of(30)] == [5, 6, 8, 50, 99, "a", "b"]
    document = dataset.to_document()
    assert [r["id"] for r in document["annotations"]] == [5, 7, 6, 8, 50, 99, "a", "b"]
    gone = [dataset.remove_record("annotations", key) for key in (6, 50, 5, 7)]
    assert [g.id for g in dataset.garments] == [8, 99, "a", "b"]
    for text in gone:
        dataset.insert_text("annotations", text)
    assert dataset.to_document() == document
    for new in (8, "a", 99, "b", 50):
        dataset.remove_record("annotations", new)
    assert state(dataset) == before


def test_images_and_categories_too(dataset):
    before = state(dataset)
    text = dataset.remove_record("images", 10)
    assert [i.id for i in dataset.images] == [30, 20]
    dataset.insert_text("images", text)
    assert [i.id for i in dataset.images] == [30, 10, 20]
    assert state(dataset) == before
    skirt = dataset.schema.category_index("Skirt")
    dataset.insert_record("categories", {"id": 11, "name": "Skirt"})
    assert dataset.category_id(skirt) == 11
    dataset.set_value("categories", 11, ("name",), "Polo")
    assert dataset.category_id(skirt) is None
    dataset.remove_record("categories", 11)
    assert state(dataset) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"image_id": 30}', "has the id None; expected a new id"),
        ('{"id": true, "image_id": 30}', "has the id True; expected a new id"),
        ('{"id": NaN, "image_id": 30}', "has the id nan; expected a new id"),
        ('{"id": [1], "image_id": 30}', r"has the id \[1\]; expected a new id"),
        ("[]", "has the id None; expected a new id"),
        ('{"id": 5}', "the id 5 is taken; expected a new one, such as 8"),
        ('{"id": 5.0}', "the id 5.0 is taken; expected a new one, such as 8"),
        ('{"id": 99, "image_id": [1]}', r"\[1\] is not an id \(image_id\)"),
    ],
)
def test_a_record_that_cannot_be_inserted_changes_nothing(dataset, text, message):
    before = state(dataset)
    with pytest.raises(EditError, match=message):
        dataset.insert_text("annotations", text)
    assert state(dataset) == before
    assert dataset.next_id("annotations") == 8
    with pytest.raises(EditError, match="has the id None; expected a new id"):
        dataset.insert_record("annotations", {"image_id": 30})
    assert state(dataset) == before


def test_ids_are_never_given_twice(dataset):
    assert dataset.next_id("annotations") == 8
    dataset.insert_record("annotations", {"id": 8, "image_id": 30})
    dataset.remove_record("annotations", 8)
    assert dataset.next_id("annotations") == 9
    dataset.insert_record("annotations", {"id": 100, "image_id": 30})
    assert dataset.next_id("annotations") == 101


@pytest.mark.parametrize(
    ("ids", "expected"),
    [((), 1), ((-5,), 1), ((3, "7", "x"), 8), (("a", "b"), 1), ((2.0, 10**30), 10**30 + 1)],
)
def test_next_id_of_odd_ids(doc, ids, expected):
    doc["annotations"] = [{"id": i, "image_id": 30} for i in ids]
    assert Dataset.from_document(doc).next_id("annotations") == expected


def test_problems_are_looked_for_anew_after_an_edit(dataset):
    assert not find_problems(dataset)
    dataset.set_value("annotations", 7, ("image_id",), 31)
    assert [p.place for p in find_problems(dataset)] == ["annotations[1].image_id"]


ABSENT = object()
KEYS = ["bbox", "area", "keypoints", "image_id", "fashion", "new"]
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("set"),
            st.integers(0, 30),
            st.sampled_from(KEYS),
            st.sampled_from([ABSENT, 1, 1.0, None, "x", [1, 2, 2], {"a": None}, 10, 20, 30]),
        ),
        st.tuples(st.just("insert"), st.integers(0, 30), st.sampled_from([30, 20, 10, 40])),
        st.tuples(st.just("remove"), st.integers(0, 30)),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(steps=steps, n=st.integers(0, 8), indent=st.sampled_from([None, 1, "\t"]))
def test_any_run_of_edits_keeps_the_look_ups_right_and_can_be_undone(
    tmp_path_factory, steps, n, indent
):
    document = {
        "annotations": [{"id": n - i, "image_id": [30, 20][i % 2], "bbox": [1]} for i in range(n)],
        "images": [{"id": i} for i in (30, 20, 10)],
        "categories": [{"id": 1, "name": "a", "keypoints": ["p", "q"]}],
    }
    path = tmp_path_factory.getbasetemp() / "steps.json"
    path.write_text(json.dumps(document, indent=indent))
    dataset = Dataset.load(path)
    before = state(dataset)
    assert before == path.read_bytes()
    of_file = [g.id for g in dataset.garments]
    undo = []

    for kind, number, *rest in steps:
        ids = list(dataset.garments.ids)
        if kind == "insert":
            record_id = dataset.next_id("annotations") + number
            dataset.insert_record("annotations", {"id": record_id, "image_id": rest[0]})
            undo.append((dataset.remove_record, ("annotations", record_id)))
        elif ids:
            record_id = ids[number % len(ids)]
            if kind == "remove":
                text = dataset.remove_record("annotations", record_id)
                undo.append((dataset.insert_text, ("annotations", text)))
            else:
                key, value = rest
                if key == "image_id" and isinstance(value, (list, dict)):
                    with pytest.raises(EditError, match="is not an id"):
                        dataset.set_value("annotations", record_id, (key,), value)
                    continue
                old = dataset.text("annotations", record_id, (key,))
                if value is ABSENT:
                    dataset.set_text("annotations", record_id, (key,), None)
                else:
                    dataset.set_value("annotations", record_id, (key,), value)
                undo.append((dataset.set_text, ("annotations", record_id, (key,), old)))
        fresh = Dataset.from_document(dataset.to_document())
        for image_id in (30, 20, 10, 40, 1, "x", None):
            here, there = dataset.garments_of(image_id), fresh.garments_of(image_id)
            assert [g.id for g in here] == [g.id for g in there]
        found = [g.id for g in dataset.garments]
        assert found == [g.id for g in fresh.garments]
        assert len(dataset.garments) == len(found)
        new = sorted(set(found) - set(of_file))
        assert found == [key for key in of_file if key in found] + new
        assert all(dataset.has("annotations", key) for key in found)

    for function, arguments in reversed(undo):
        function(*arguments)
    assert state(dataset) == before

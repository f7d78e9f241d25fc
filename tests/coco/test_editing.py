"""The primitives of an editing model: set a value, insert a record, remove a record."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fashion.coco import ABSENT, Dataset
from napari_fashion.errors import CocoError, EditError


def state(dataset: Dataset) -> str:
    """The document with the order of its keys."""
    return json.dumps(dataset.to_document())


def test_set_value_returns_what_undoes_it(dataset):
    before = state(dataset)
    old = dataset.set_value("annotations", 5, ("keypoints", 2), 1)
    assert old == 2
    assert dataset.record("annotations", 5)["keypoints"][2] == 1
    dataset.set_value("annotations", 5, ("keypoints", 2), old)
    assert state(dataset) == before


def test_a_new_key_comes_last_and_absent_takes_it_away(dataset):
    before = state(dataset)
    old = dataset.set_value("images", 30, ("fashion",), {"reviewed": True})
    assert old is ABSENT
    assert list(dataset.record("images", 30))[-1] == "fashion"
    assert dataset.image(30).reviewed
    assert dataset.set_value("images", 30, ("fashion",), ABSENT) == {"reviewed": True}
    assert dataset.set_value("images", 30, ("fashion",), ABSENT) is ABSENT
    assert state(dataset) == before


def test_keys_put_back_take_their_places(dataset):
    before = state(dataset)
    gone = {
        key: dataset.set_value("annotations", 5, (key,), ABSENT)
        for key in ("bbox", "area", "image_id")
    }
    for key in reversed(gone):
        dataset.set_value("annotations", 5, (key,), gone[key])
    assert state(dataset) == before


def test_a_key_deep_inside(dataset):
    dataset.set_value("annotations", 5, ("fashion",), {"a": {"b": [1, 2]}, "c": 3})
    assert dataset.set_value("annotations", 5, ("fashion", "a", "b", 1), 9) == 2
    assert dataset.set_value("annotations", 5, ("fashion", "a"), ABSENT) == {"b": [1, 9]}
    dataset.set_value("annotations", 5, ("fashion", "a"), 1)
    assert dataset.record("annotations", 5)["fashion"] == {"a": 1, "c": 3}
    assert list(dataset.record("annotations", 5)["fashion"]) == ["a", "c"]


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


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), 1, "expected a key other than the id"),
        (("id",), 8, "expected a key other than the id"),
        (("nothing", "there"), 1, r"annotations 5, \['nothing'\]: there is nothing"),
        (("keypoints", 24), 1, r"\['keypoints', 24\]: there is nothing"),
        (("keypoints", -1), 1, "there is nothing"),
        (("keypoints", "x"), 1, "there is nothing"),
        (("iscrowd", 0), 1, "there is nothing"),
        (("keypoints", 0), ABSENT, "cannot remove item"),
    ],
)
def test_a_path_that_leads_nowhere_changes_nothing(dataset, path, value, message):
    before = state(dataset)
    with pytest.raises(EditError, match=message):
        dataset.set_value("annotations", 5, path, value)
    assert state(dataset) == before


def test_a_garment_can_change_its_picture(dataset):
    dataset.set_value("annotations", 7, ("image_id",), 30)
    assert [g.id for g in dataset.garments_of(30)] == [5, 7, 6]
    assert dataset.garments_of(20) == []
    dataset.set_value("annotations", 7, ("image_id",), 20)
    assert [g.id for g in dataset.garments_of(20)] == [7]
    assert [g.id for g in dataset.garments_of(30)] == [5, 6]


def test_insert_and_remove(dataset):
    before = state(dataset)
    record, index = dataset.remove_record("annotations", 5)
    assert (record["id"], index) == (5, 0)
    assert [g.id for g in dataset.garments_of(30)] == [6]
    with pytest.raises(CocoError, match="no record with the id 5"):
        dataset.garment(5)
    dataset.insert_record("annotations", record, index)
    assert [g.id for g in dataset.garments_of(30)] == [5, 6]
    assert state(dataset) == before


def test_pictures_and_categories_too(dataset):
    before = state(dataset)
    record, index = dataset.remove_record("images", 10)
    assert [i.id for i in dataset.images] == [30, 20]
    dataset.insert_record("images", record, index)
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
    ("record", "index", "message"),
    [
        ({"image_id": 30}, None, "has the id None; expected a new id"),
        ({"id": 5}, None, "the id 5 is taken; expected a new one, such as 8"),
        ({"id": 99}, 4, "no place 4; expected 0 to 3"),
        ({"id": 99}, -1, "no place -1"),
    ],
)
def test_a_record_that_cannot_be_inserted_changes_nothing(dataset, record, index, message):
    before = state(dataset)
    with pytest.raises(EditError, match=message):
        dataset.insert_record("annotations", record, index)
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
    assert find_problems(dataset) == []
    dataset.set_value("annotations", 7, ("image_id",), 31)
    assert [p.place for p in find_problems(dataset)] == ["annotations[1].image_id"]


def test_absent_is_one_thing_and_false():
    assert not ABSENT
    assert repr(ABSENT) == "ABSENT"
    for twin in (copy.copy(ABSENT), copy.deepcopy(ABSENT), pickle.loads(pickle.dumps(ABSENT))):
        assert twin is ABSENT


KEYS = ["bbox", "area", "keypoints", "image_id", "fashion", "new"]
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("set"),
            st.integers(0, 30),
            st.sampled_from(KEYS),
            st.sampled_from([ABSENT, 1, 1.0, "x", [1, 2, 2], {"a": None}, 10, 20, 30]),
        ),
        st.tuples(st.just("insert"), st.integers(0, 30), st.sampled_from([30, 20, 10, 40])),
        st.tuples(st.just("remove"), st.integers(0, 30)),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(steps=steps, n=st.integers(0, 8))
def test_any_run_of_edits_keeps_the_look_ups_right_and_can_be_undone(steps, n):
    document = {
        "annotations": [{"id": i, "image_id": [30, 20][i % 2], "bbox": [1]} for i in range(n)],
        "images": [{"id": i} for i in (30, 20, 10)],
        "categories": [{"id": 1, "name": "a", "keypoints": ["p", "q"]}],
    }
    dataset = Dataset.from_document(document)
    before = state(dataset)
    undo = []

    for kind, number, *rest in steps:
        table = dataset.table("annotations")
        if kind == "insert":
            record_id, index = dataset.next_id("annotations"), number % (len(table) + 1)
            dataset.insert_record("annotations", {"id": record_id, "image_id": rest[0]}, index)
            undo.append((dataset.remove_record, ("annotations", record_id)))
        elif table:
            record_id = table[number % len(table)]["id"]
            if kind == "remove":
                record, index = dataset.remove_record("annotations", record_id)
                undo.append((dataset.insert_record, ("annotations", record, index)))
            else:
                key, value = rest
                if key == "image_id" and isinstance(value, (list, dict)):
                    with pytest.raises(EditError, match="is not the id of an image"):
                        dataset.set_value("annotations", record_id, (key,), value)
                    continue
                old = dataset.set_value("annotations", record_id, (key,), value)
                undo.append((dataset.set_value, ("annotations", record_id, (key,), old)))
        fresh = Dataset.from_document(copy.deepcopy(dataset.to_document()))
        for image_id in (30, 20, 10, 40, 1, "x", None):
            here, there = dataset.garments_of(image_id), fresh.garments_of(image_id)
            assert [g.id for g in here] == [g.id for g in there]
        for i, record in enumerate(dataset.table("annotations")):
            assert dataset.position("annotations", record["id"]) == i

    for function, arguments in reversed(undo):
        function(*arguments)
    assert state(dataset) == before

"""The bytes are the truth: what is not edited is written as it was read, in every layout."""

from __future__ import annotations

import json
import random

import pytest

from edit_at_random import random_step
from layouts import LAYOUTS, document
from napari_fashion.coco import Dataset
from napari_fashion.coco.store import Store
from napari_fashion.editing.editor import Editor
from napari_fashion.errors import CocoError, FashionError
from napari_fashion.schema import Schema

GARMENTS = Schema.load("garments")


def written(dataset: Dataset) -> bytes:
    return b"".join(dataset.chunks())


def opened(data: bytes) -> Dataset:
    return Dataset(Store(data))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(6))
def test_a_file_without_edits_is_its_bytes(layout, seed):
    data = LAYOUTS[layout](document(random.Random(seed)))
    assert written(opened(data)) == data


def random_edits(dataset: Dataset, rng: random.Random, n: int) -> Editor:
    """Do what people and scripts do, n times."""
    editor = Editor(dataset)
    for _ in range(n):
        random_step(editor, rng)
    return editor


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(12))
def test_unedited_records_keep_their_bytes_and_undo_gives_all_of_them_back(layout, seed):
    rng = random.Random(f"{layout}{seed}")
    data = LAYOUTS[layout](document(rng))
    check_round_trip(data, rng)


def check_round_trip(data: bytes, rng: random.Random, n: int = 20) -> None:
    dataset = opened(data)
    if not dataset.images:
        assert written(dataset) == data
        return
    store = dataset.store
    editor = random_edits(dataset, rng, n)
    out = written(dataset)
    touched = {key for step in editor.steps for key in step.edit.record_keys}
    again = Store(out)
    for table in ("images", "annotations", "categories"):
        assert again.ids(table) == store.ids(table)
        for key in store.ids(table):
            assert again.version(table, key).text == store.version(table, key).text
            if (table, key) not in touched:
                assert again.version(table, key).text == store.original(table, key)
    while editor.can_undo:
        editor.undo()
    assert written(dataset) == data
    assert not editor.dirty


def test_an_edited_record_keeps_the_bytes_of_its_other_keys():
    data = (
        b'{"images":[{"id":1,"file_name":"a\\/b.jpg","w":1e5}],\r\n "annotations":[\r\n'
        b'\t{"id": 7 , "image_id":1, "keypoints":[1.10, 2.50,2 , 12345678901234567890,-0,1],'
        b'"x" :  "\\u00E9" }\r\n],"categories":[{"id":1,"name":"Top","keypoints":["a","b"]}]}'
    )
    dataset = opened(data)
    dataset.set_text("annotations", 7, ("keypoints", 0), "9.75")
    assert written(dataset) == data.replace(b"1.10", b"9.75")
    dataset.set_value("annotations", 7, ("fashion",), {"edited": True})
    added = data.replace(b"1.10", b"9.75").replace(
        b'"\\u00E9" }', b'"\\u00E9" , "fashion": {"edited": true} }'
    )
    assert written(dataset).replace(b" ", b"") == added.replace(b" ", b"")
    assert written(dataset).startswith(data[: data.index(b"1.10")])
    dataset.set_text("annotations", 7, ("fashion",), None)
    dataset.set_text("annotations", 7, ("keypoints", 0), "1.10")
    assert written(dataset) == data


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[{"id": 1, "a": [1, 2]}]',
            '[{"id": 1, "a": [1, 2]}, {"id": 90, "image_id": 1, "k": [1, 2]}]',
        ),
        ('[{"id":1,"a":[1,2]}]', '[{"id":1,"a":[1,2]},{"id":90,"image_id":1,"k":[1,2]}]'),
        (
            '[\n  {\n   "id": 1,\n   "a": [1, 2]\n  }\n ]',
            '[\n  {\n   "id": 1,\n   "a": [1, 2]\n  },\n  {\n   "id": 90,\n   "image_id": 1,\n   '
            '"k": [1, 2]\n  }\n ]',
        ),
        (
            '[\r\n\t{\r\n\t\t"id": 1,\r\n\t\t"a": [\r\n\t\t\t1,\r\n\t\t\t2\r\n\t\t]\r\n\t}\r\n]',
            '[\r\n\t{\r\n\t\t"id": 1,\r\n\t\t"a": [\r\n\t\t\t1,\r\n\t\t\t2\r\n\t\t]\r\n\t},'
            '\r\n\t{\r\n\t\t"id": 90,'
            '\r\n\t\t"image_id": 1,\r\n\t\t"k": [\r\n\t\t\t1,\r\n\t\t\t2\r\n\t\t]\r\n\t}\r\n]',
        ),
        (
            '[\n{"id": 1, "a": [1, 2]},\n{"id": 2, "a": []}\n]',
            '[\n{"id": 1, "a": [1, 2]},\n{"id": 2, "a": []},\n{"id": 90, "image_id": 1, "k": [1, 2]}\n]',
        ),
    ],
)
def test_a_new_record_is_written_like_the_others(before, after):
    rest = (
        '{"images":[{"id":1}],"categories":[{"id":1,"name":"T","keypoints":["a"]}],"annotations":'
    )
    dataset = opened((rest + before + "}").encode())
    dataset.insert_record("annotations", {"id": 90, "image_id": 1, "k": [1, 2]})
    assert written(dataset).decode() == rest + after + "}"
    dataset.remove_record("annotations", 90)
    assert written(dataset).decode() == rest + before + "}"


def test_records_go_and_leave_their_neighbours():
    rows = [f'{{"id":{i}}}' for i in range(1, 6)]
    rest = (
        '{"images":[{"id":1}],"categories":[{"id":1,"name":"T","keypoints":["a"]}],"annotations":'
    )
    dataset = opened((rest + "[ " + " ,\n".join(rows) + " ]}").encode())
    for gone, left in ((1, [2, 3, 4, 5]), (3, [2, 4, 5]), (5, [2, 4]), (2, [4])):
        dataset.remove_record("annotations", gone)
        expected = rest + "[ " + " ,\n".join(f'{{"id":{i}}}' for i in left) + " ]}"
        assert written(dataset).decode() == expected
    dataset.remove_record("annotations", 4)
    assert written(dataset).decode() == rest + "[]}"


@pytest.mark.parametrize(
    "gaps", [[",", ", "], [", ", ","], [",", ",", ",\n", ","], [" ,  ", ",", ", "]]
)
def test_records_are_found_whatever_stands_between_them(gaps):
    rows = [f'{{"id":{i},"x":"{"y" * (i % 3)}"}}' for i in range(len(gaps) + 1)]
    body = rows[0] + "".join(gap + row for gap, row in zip(gaps, rows[1:], strict=True))
    rest = (
        '{"images":[{"id":1}],"categories":[{"id":1,"name":"T","keypoints":["a"]}],"annotations":['
    )
    dataset = opened((rest + body + "]}").encode())
    assert [dataset.text("annotations", i) for i in range(len(rows))] == rows


def test_a_key_that_is_put_back_takes_its_place_in_an_edited_record():
    text = (
        '{"images":[{"id":1,"a":1,"b":2,"c":3,"d":4}],'
        '"categories":[{"id":1,"name":"T","keypoints":["a"]}]}'
    )
    dataset = opened(text.encode())
    for key in ("b", "a"):
        dataset.set_text("images", 1, (key,), None)
    dataset.set_text("images", 1, ("d",), "5")
    for key in ("a", "b"):
        dataset.set_text("images", 1, (key,), "9")
    assert dataset.text("images", 1) == '{"id":1,"a":9,"b":9,"c":3,"d":5}'


def test_a_table_that_is_missing_is_added_at_the_end_and_goes_again():
    text = '{\n "images": [{"id": 1}],\n "categories": [{"id": 1, "name": "T", "keypoints": ["a"]}]\n}\n'
    dataset = opened(text.encode())
    dataset.insert_record("annotations", {"id": 1, "image_id": 1})
    out = written(dataset).decode()
    assert json.loads(out)["annotations"] == [{"id": 1, "image_id": 1}]
    assert out.startswith(text[: text.rindex("]")])
    dataset.remove_record("annotations", 1)
    assert written(dataset).decode() == text


@pytest.mark.parametrize(
    "odd", ["NaN", "-Infinity", '"\\ud800"', "1" * 5000, "[" * 400 + "]" * 400]
)
def test_what_the_fast_reader_refuses_is_read_to_the_same_spans(odd):
    text = (
        f'{{"images":[{{"id":1,"file_name":"é.jpg"}}],"annotations":[{{"id":3,"x":{odd},"image_id":1}},'
        '{"id":4,"ü":"ä"}],"categories":[{"id":1,"name":"T","keypoints":["a"]}]}'
    )
    dataset = opened(text.encode())
    assert dataset.text("annotations", 4) == '{"id":4,"ü":"ä"}'
    assert dataset.text("annotations", 3, ("x",)) == odd
    dataset.set_value("annotations", 3, ("y",), 1)
    dataset.set_value("annotations", 4, ("ü",), "ö")
    assert dataset.text("annotations", 3, ("x",)) == odd
    assert written(dataset).decode() == text.replace(
        '"image_id":1}', '"image_id":1,"y":1}'
    ).replace("ä", "ö")


def test_a_record_that_has_a_key_twice_opens_and_is_not_edited():
    text = (
        '{"images":[{"id":1}],"annotations":[{"id":3,"a":1,"a":2},{"id":4,"x":{"b":1,"b":2}}],'
        '"categories":[{"id":1,"name":"T","keypoints":["a"]}]}'
    )
    dataset = opened(text.encode())
    for key, name in ((3, "a"), (4, "b")):
        with pytest.raises(FashionError, match=f"has the key '{name}' twice"):
            dataset.set_value("annotations", key, ("c",), 1)
    assert written(dataset).decode() == text


def test_a_document_that_has_a_key_twice_is_refused():
    text = b'{"images":[{"id":1}],"annotations":[],"images":[{"id":2}],"categories":[]}'
    with pytest.raises(CocoError, match="the key 'images' twice"):
        Store(text)


def test_what_opens_can_be_saved_however_deep():
    for depth in (100, 500, 900):
        deep = "[" * depth + "]" * depth
        text = (
            f'{{"images":[{{"id":1}}],"annotations":[{{"id":3,"x":{deep}}}],"deep":{deep},'
            '"categories":[{"id":1,"name":"T","keypoints":["a"]}]}'
        ).encode()
        dataset = opened(text)
        dataset.set_value("images", 1, ("y",), 1)
        assert written(dataset) == text.replace(b'{"id":1}]', b'{"id":1,"y":1}]', 1)


def test_look_ups_follow_edits():
    rows = [{"id": i, "image_id": 1 + i % 2} for i in range(1, 6)]
    dataset = Dataset.from_document(
        {
            "images": [{"id": 1}, {"id": 2}],
            "annotations": rows,
            "categories": [{"id": 1, "name": "T", "keypoints": ["a"]}],
        }
    )
    store = dataset.store
    assert store.of_image(2) == [1, 3, 5]
    dataset.set_value("annotations", 2, ("image_id",), 2)
    assert store.of_image(2) == [1, 2, 3, 5]
    assert store.of_image(1) == [4]
    dataset.insert_record("annotations", {"id": 99, "image_id": 2})
    dataset.insert_record("annotations", {"id": 50, "image_id": 2})
    text = dataset.remove_record("annotations", 3)
    assert store.of_image(2) == [1, 2, 5, 50, 99]
    assert store.ids("annotations") == [1, 2, 4, 5, 50, 99]
    dataset.insert_text("annotations", text)
    assert store.of_image(2) == [1, 2, 3, 5, 50, 99]
    assert [g.id for g in dataset.garments] == [1, 2, 3, 4, 5, 50, 99]
    assert (len(dataset.garments), dataset.next_id("annotations")) == (7, 100)


def test_saving_again_is_compared_with_what_was_saved():
    dataset = opened(LAYOUTS["plain"](document(random.Random(3), n=3)))
    key = dataset.images.ids[0]
    dataset.set_value("images", key, ("width",), 1)
    assert dataset.store.unsaved == {("images", key)}
    dataset.store.mark_saved()
    assert not dataset.store.unsaved
    dataset.set_value("images", key, ("width",), 640)  # as the file had it, not as it was saved
    assert dataset.store.unsaved == {("images", key)}
    dataset.set_value("images", key, ("width",), 1)
    assert not dataset.store.unsaved


def test_landmarks_are_parsed_once_a_version(monkeypatch):
    from napari_fashion.coco import views

    dataset = opened(LAYOUTS["plain"](document(random.Random(4), n=4)))
    calls = []
    parse = views.parse_keypoints
    monkeypatch.setattr(
        views, "parse_keypoints", lambda *args: (calls.append(args), parse(*args))[1]
    )
    garments = [g for g in dataset.garments if dataset.text("annotations", g.id, ("keypoints",))]
    for _ in range(5):
        for garment in garments:
            assert garment.xy is dataset.garment(garment.id).xy
            garment.visibility.sum()
    assert len(calls) == len(garments)
    dataset.set_value("annotations", garments[0].id, ("keypoints", 0), 1)
    assert garments[0].xy is not None
    assert len(calls) == len(garments) + 1

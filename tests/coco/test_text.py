"""COCO text from anywhere: read, or refused in a sentence, in time and memory that its size bounds."""

from __future__ import annotations

import json
import logging
import os

import pytest

from napari_fashion.coco import Dataset, find_problems
from napari_fashion.coco.store import KEPT_BYTES, Store
from napari_fashion.errors import CocoError
from napari_fashion.files import MAX_BYTES
from napari_fashion.schema import Schema

IMAGE = '{"id":1,"file_name":"1.png","width":9,"height":9}'
CATEGORY = '{"id":1,"name":"Shirt","keypoints":["left_a","right_a"]}'
ANNOTATION = (
    '{"id":%s,"image_id":1,"category_id":1,"keypoints":[%s],"num_keypoints":1,"bbox":[1,1,2,2]}'
)


def document(images=IMAGE, annotations="", categories=CATEGORY, first=""):
    return (
        f'{{{first}"images":[{images}],"annotations":[{annotations}],"categories":[{categories}]}}'
    )


def opened(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return Dataset.load(path, fallback=Schema.load("garments"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            document(first="".join(f'"k{i}":0,' for i in range(100_000)) + '"k99999":1,'),
            "the key 'k99999' twice; expected each key once",
        ),
        ("{" + ",".join(f'"{"x" * 999}{i}":0' for i in range(9)) + "}", "has no 'images'"),
        (
            document(annotations=",".join(ANNOTATION % (d * 5000, "1,1,2,1,1,2") for d in "12")),
            r"annotations\[1\]\.id: the id inf is taken by annotations\[0\]",
        ),
        (
            document(images=IMAGE.replace(":1,", ":[" + "1," * 999_999 + "1],", 1)),
            r"images\[0\]\.id: found \[1, 1, 1, 1, 1, 1, 1, 1, \.\.\.\]; expected an id",
        ),
        (
            document(images=",".join([IMAGE.replace(":1,", f':"{"x" * 99_999}",', 1)] * 2)),
            r"the id 'x+\.\.\.x+' is taken",
        ),
        (
            document(categories=CATEGORY.replace('"left_a"', "5," * 999_999 + "5")),
            r"categories\[0\]\.keypoints: found \[5, 5, 5, 5, 5, 5, 5, 5, \.\.\.\]; expected a list",
        ),
        (document(first='"info":' + "[" * 99_999 + "]" * 99_999 + ","), "nested too deeply"),
        ("[" * 99_999, "nested too deeply"),
        ("\0" * 1_000_000, r"line 1, column 1: not valid JSON \(Expecting value\)"),
        (" " * 1_000_000, "the file is empty"),
        ('{"' + "\\\\" * 1_000_000 + '":1}', "has no 'images'"),
        ('{"' + '\\"' * 1_000_000 + '":1}', "has no 'images'"),
        (b"\xff\xfe{\x00\x00", "is not utf-16"),
        (
            document(
                categories=",".join([CATEGORY.replace(":1,", f":{i},", 1) for i in range(10_001)])
            ),
            "10,001 categories name landmarks; expected at most 10,000",
        ),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value[:30],
)
def test_text_without_bounds_is_refused_in_a_bounded_sentence(tmp_path, text, said):
    with pytest.raises(CocoError, match=said) as caught:
        opened(tmp_path, text)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_file_with_a_byte_order_mark_opens(tmp_path, encoding):
    assert len(opened(tmp_path, document(), encoding).images) == 1


@pytest.mark.parametrize("number", ["1" * 5000, "1e400", "NaN", "-Infinity"])
def test_numbers_that_are_none_are_a_problem_of_their_record(tmp_path, number):
    dataset = opened(tmp_path, document(annotations=ANNOTATION % (1, number + ",1,2,1,1,2")))
    assert any("keypoints" in str(problem) for problem in find_problems(dataset))
    assert dataset.garments[0].xy.shape == (2, 2)


def test_an_id_of_5000_digits_opens(tmp_path):
    text = document(images=IMAGE.replace(":1,", f":{'1' * 5000},", 1))
    assert len(opened(tmp_path, text).images) == 1


def test_a_list_of_millions_of_numbers_opens_in_linear_time(tmp_path):
    dataset = opened(
        tmp_path, document(annotations=ANNOTATION % (1, ",".join(["1.5"] * 3_000_000)))
    )
    assert any("found 3000000 numbers" in str(problem) for problem in find_problems(dataset))
    assert dataset.garments[0].xy.shape == (2, 2)


def test_a_million_keys_and_wide_gaps_are_read_in_linear_time(tmp_path):
    keys = "".join(f'"k{i}":{i},' for i in range(100_000))
    dataset = opened(tmp_path, document(first=keys))
    assert dataset.store.top("k99999") == "99999"
    images = (" " * 5000 + ",\n").join(IMAGE.replace(":1,", f":{i},", 1) for i in range(1, 500))
    assert [image.id for image in opened(tmp_path, document(images)).images] == list(range(1, 500))


def test_decoded_records_are_kept_up_to_a_size():
    long = ",".join(["1.5"] * 1_000_000)
    text = document(annotations=",".join(ANNOTATION % (i, long) for i in range(1, 15)))
    store = Store(text.encode())
    for i in range(1, 15):
        assert len(store.record("annotations", i)["keypoints"]) == 1_000_000
    kept = sum(len(version.text) for version in store._kept.values())
    assert kept <= KEPT_BYTES
    assert store.version("annotations", 14) is store.version("annotations", 14)


def test_only_a_regular_file_of_a_bounded_size_is_opened(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(CocoError, match=r"it is a pipe, not a regular file\); expected a COCO"):
        Dataset.load(tmp_path / "a.json")
    with pytest.raises(CocoError, match="it is a device, not a regular file"):
        Dataset.load("/dev/zero")
    with (tmp_path / "large.json").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(CocoError, match=f"and at most {MAX_BYTES:,} are read"):
        Dataset.load(tmp_path / "large.json")


def test_nothing_is_logged_unless_somebody_listens(tmp_path, caplog, capfd):
    with caplog.at_level(logging.INFO, "napari_fashion"):
        opened(tmp_path, document())
    assert any("a.json" in r.message and "1 images" in r.message for r in caplog.records)
    assert {r.name for r in caplog.records} == {"napari_fashion.coco.dataset"}
    assert capfd.readouterr() == ("", "")
    assert json.loads(document())

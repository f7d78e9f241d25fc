from __future__ import annotations

import copy
import gc
import json
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.coco.text import ExactFloat, Style, copy_json, read_json, write_json
from napari_fashion.errors import CocoError

# Numbers as others write them: "@1.10@" becomes the bare 1.10 in the file.
number_texts = st.one_of(
    st.sampled_from(["1.10", "1e5", "1E-7", "-0.0", "0.0", "1.0", "1e400", "12.3400", "1e+02"]),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})\.[0-9]{1,30}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
).map(lambda text: f"@{text}@")
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | number_texts
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=25,
)
layouts = st.sampled_from(
    [
        {"separators": (",", ":")},
        {},
        {"indent": 2},
        {"indent": "\t"},
        {"indent": 1, "ensure_ascii": False},
        {"ensure_ascii": False},
    ]
)


def source(value, layout) -> str:
    return re.sub(r'"@(-?[0-9][0-9.eE+-]*)@"', r"\1", json.dumps(value, **layout))


def through(path, text: str, newline: str = "\n") -> str:
    path.write_bytes(text.replace("\n", newline).encode())
    return write_json(*read_json(path)).decode()


@given(value=st.dictionaries(st.text(), values, max_size=5), layout=layouts)
def test_what_is_read_is_written_as_it_was(tmp_path_factory, exact, value, layout):
    text = source(value, layout)
    again = through(tmp_path_factory.getbasetemp() / "any.json", text)
    assert exact(again) == exact(text)


DOCUMENT = {"images": [{"id": 1, "file_name": "ä.jpg", "e": [], "o": {}}], "n": [1, 2.5, "x", None]}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    "layout", [{"separators": (",", ":")}, {}, {"indent": 4}, {"indent": "\t"}]
)
def test_the_layout_is_kept_to_the_byte(tmp_path, layout, ascii_only, end, newline):
    text = json.dumps(DOCUMENT, ensure_ascii=ascii_only, **layout) + end
    if "indent" not in layout and end:
        newline = "\n"
    assert through(tmp_path / "a.json", text, newline) == text.replace("\n", newline)


def test_a_byte_order_mark_is_kept(tmp_path):
    assert through(tmp_path / "a.json", '\ufeff{"a":1}') == '\ufeff{"a":1}'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
def test_other_encodings_are_read(tmp_path, encoding):
    (tmp_path / "a.json").write_bytes('{"a": "ä"}'.encode(encoding))
    assert read_json(tmp_path / "a.json")[0] == {"a": "ä"}


def test_half_a_surrogate_pair_survives(tmp_path):
    assert through(tmp_path / "a.json", '{"a":"\\ud800","b":"ä"}') == '{"a":"\\ud800","b":"ä"}'


def test_nan_and_infinity_survive(tmp_path):
    text = '{"a":[NaN,Infinity,-Infinity,1.0],"b":NaN}'
    assert through(tmp_path / "a.json", text) == text


def test_only_numbers_written_oddly_are_kept_as_text(tmp_path):
    (tmp_path / "a.json").write_text("[1.5, 1.50, 2.0, 1e1]")
    numbers = read_json(tmp_path / "a.json")[0]
    assert [type(n) for n in numbers] == [float, ExactFloat, float, ExactFloat]
    assert numbers == [1.5, 1.5, 2.0, 10.0]


def test_a_number_keeps_its_text_when_copied():
    number = ExactFloat("1.50")
    for twin in (copy.copy(number), copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert (twin, twin.text) == (1.5, "1.50")
    assert write_json(copy_json({"a": [number]}), Style(final_newline=False)) == b'{"a":[1.50]}'


def test_copies_share_nothing():
    value = {"a": [{"b": [1]}]}
    twin = copy_json(value)
    twin["a"][0]["b"].append(2)
    assert value == {"a": [{"b": [1]}]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"line 1, column 1: the file is empty"),
        (b'{"a": 1,\n "b": }', r"line 2, column 7: not valid JSON \(Expecting value\)"),
        (b'{"a": "\xff"}', "byte 7 is not utf-8"),
        (b'{"a": 1, "b": {"id": 3, "x": 1, "x": 2}}', "the key 'x' twice \\(its id is 3\\)"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b'{"a": ' + b"1" * 5000 + b"}", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(tmp_path, data, message):
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(CocoError, match=rf"(?s)bad\.json.*{message}"):
        read_json(tmp_path / "bad.json")
    assert gc.isenabled()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CocoError, match=r"none\.json: cannot be read \(No such file"):
        read_json(tmp_path / "none.json")

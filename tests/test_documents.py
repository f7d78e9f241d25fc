from __future__ import annotations

import codecs
import json
import os
import re
import time

import pytest

from napari_fashion.documents import (
    JSON_BYTES,
    MAX_DEPTH,
    TOML_BYTES,
    parse_json,
    parse_toml,
    read_json,
    read_toml,
    shortened,
    shown,
)
from napari_fashion.errors import RecipeError, SchemaError


def toml(tmp_path, data):
    path = tmp_path / "a.toml"
    path.write_bytes(data)
    return read_toml(path, RecipeError, expected="a recipe (TOML)")


def refused(read, data, error=RecipeError):
    """Return the sentence with which a text is refused; it is one line of bounded length, at once."""
    began = time.perf_counter()
    with pytest.raises(error) as caught:
        read(data, "a file", error, "a document")
    assert time.perf_counter() - began < 5
    text = str(caught.value)
    assert text.startswith("a file")
    assert "\n" not in text
    assert len(text) < 500
    assert text.endswith(".")
    return text


@pytest.mark.parametrize(
    "bom", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE]
)
def test_any_byte_order_mark_is_read(tmp_path, bom):
    encoding = {
        b"": "utf-8",
        codecs.BOM_UTF8: "utf-8",
        codecs.BOM_UTF16_LE: "utf-16-le",
        codecs.BOM_UTF16_BE: "utf-16-be",
        codecs.BOM_UTF32_LE: "utf-32-le",
    }[bom]
    assert toml(tmp_path, bom + 'name = "Ärmel"\n'.encode(encoding)) == {"name": "Ärmel"}
    path = tmp_path / "a.json"
    path.write_bytes(bom + '{"name": "Ärmel"}'.encode(encoding))
    assert read_json(path, RecipeError) == {"name": "Ärmel"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            "a = 1\nb = \n",
            r"line 2, column 5: not valid TOML \(Invalid value\); expected a document",
        ),
        ("a = [", "at its end: not valid TOML"),
        ("a = 1\na = 2\n", "line 2, column 6: not valid TOML"),
        ("a = 1\nb = [nan]", r"found nan at b\[0\]; expected a finite number"),
        ("[x]\na = -inf", r"found -inf at x\.a; expected a finite"),
        ("a = 1e400", "found inf at a; expected a finite number"),
        ("a = " + "1" * 5000, "a number cannot be read .*4300 digits"),
        ("a = " + "[" * 100_000, f"line 1: lists and tables nested more than {MAX_DEPTH} deep"),
        ("\na = " + "{a=" * 100_000, f"line 2: lists and tables nested more than {MAX_DEPTH} deep"),
        ("a." * 100_000 + "a = 1", f"a key of parts joined by dots more than {MAX_DEPTH} deep"),
        ("['''a'''" + ".a" * 100_000 + "]", "a key of parts joined by dots"),
        ("# x\n[" + "a . " * 40 + "a]", "line 2: a key of parts"),
        ("a = '''\n\n'''\nb" + ".b" * 40 + "=1", "line 4: a key of parts"),
        (b"a = '\xff'", "line 1: byte 5 is not UTF-8 .*Save it again as UTF-8"),
        (b"a = 1\n\0", "line 2: there is a null character"),
        ("a = 1\n".encode("utf-16-le"), "null character"),
        ('a = """' + '\\"""' * 10_000, "not valid TOML"),
        ("a = '''" + "''\\" * 10_000, "not valid TOML"),
    ],
)
def test_toml_that_cannot_be_read_is_refused_with_its_place(data, said):
    text = refused(parse_toml, data)
    assert re.search(said, text), text


def test_toml_of_depth_and_dots_that_people_write_is_read():
    text = 'a.b.c = [1.5, "x.y.z.w", 2026-01-01]  # a.b.c.d\n[t."q.r".s]\nu = {v.w = [[1], [2]]}\n'
    assert parse_toml(text, "x", RecipeError)["t"]["q.r"]["s"]["u"]["v"]["w"] == [[1], [2]]
    versions = ", ".join(["1.5"] * 1000)
    assert len(parse_toml(f"a = [{versions}]", "x", RecipeError)["a"]) == 1000
    text = 'a = """one "two" \\"three\\"\n' + "[{. " * 100 + '""""\nb = 1\n'
    assert parse_toml(text, "x", RecipeError)["b"] == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "line 1, column 1: it is empty; expected a document"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6: not valid JSON .*; expected a document"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' comes twice at a; expected each key once"),
        ('{"a": 1, "a": 1}', "the key 'a' comes twice; expected"),
        ('{"a": [1, NaN]}', r"found nan at a\[1\]; expected a finite number"),
        ('{"a": 1e400}', "found inf at a; expected a finite"),
        ('{"a": [[' + "1" * 5000 + "]]}", r"found an integer of 5,000 digits at a\[0\]\[0\]"),
        ("-Infinity", "found -inf; expected a finite number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 40 + "]" * 40, f"nested more than {MAX_DEPTH} deep"),
        ("[" + "[]," * 3_000_000 + "[]]", "has about .* values; expected a document, with at most"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b'{"\0": 1}', "null character"),
    ],
)
def test_json_that_cannot_be_read_is_refused_with_its_place(data, said):
    text = refused(parse_json, data, SchemaError)
    assert re.search(said, text), text


def test_a_key_that_comes_twice_is_found_in_linear_time():
    keys = ",".join(f'"{i}":0' for i in range(300_000))
    assert "'7' comes twice" in refused(parse_json, "{" + keys + ',"7":1}')


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path):
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    with pytest.raises(RecipeError, match=r"pipe\.toml: cannot be read \(it is a pipe, not a reg"):
        read_toml(pipe, RecipeError)
    with pytest.raises(RecipeError, match="it is a device, not a regular file"):
        read_json("/dev/zero", RecipeError)
    with pytest.raises(RecipeError, match="Is a directory"):
        read_json(tmp_path, RecipeError)
    with pytest.raises(RecipeError, match="there is no such file; expected a TOML document"):
        read_toml(tmp_path / "none.toml", RecipeError)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_toml("a\0b", RecipeError)
    large = tmp_path / "large.toml"
    for limit in (TOML_BYTES, JSON_BYTES):
        with large.open("wb") as stream:
            stream.truncate(limit + 1)
        read = read_toml if limit == TOML_BYTES else read_json
        with pytest.raises(
            RecipeError, match=f"{limit + 1:,} bytes, and at most {limit:,} are read"
        ):
            read(large, RecipeError)
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "real.toml")
    (tmp_path / "real.toml").write_text("a = 1")
    assert read_toml(link, RecipeError) == {"a": 1}


@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        "x" * 10_000_000,
        [[[[[[1]]]]]] * 1000,
        {str(i): i for i in range(1000)},
        "a\nb\x1b[",
    ],
    ids=["digits", "letters", "list", "object", "control"],
)
def test_any_value_is_shown_on_one_short_line(value):
    text = shown(value)
    assert len(text) <= 240
    assert text.isprintable()


def test_what_json_writes_is_read_as_it_was():
    data = {"a": [1, 2.5, None, True, "\U0001f600 ü"], "b": {"c": []}, "d": -(2**70)}
    assert parse_json(json.dumps(data), "x", RecipeError) == data


@pytest.mark.parametrize(
    ("text", "letters", "expected"),
    [
        ("0123456789", 10, "0123456789"),
        ("0123456789", 9, "0123 ... 6789"),
        ("0123456789", 4, "01 ... 89"),
        ("", 4, ""),
    ],
)
def test_long_text_loses_its_middle(text, letters, expected):
    assert shortened(text, letters) == expected

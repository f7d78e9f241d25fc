"""JSON text in and out, so that what nobody edited comes back as it was written."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.errors import CocoError


class ExactFloat(float):
    """A float that remembers how the file wrote it, where that differs from Python's way.

    ``1.10``, ``1e5`` and a coordinate of twenty digits are numbers like any other to whoever
    reads them, and are written back letter for letter. Only such numbers become this: the
    others already survive as plain floats.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> ExactFloat:
        """Read a number and keep its text."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __getnewargs__(self) -> tuple[Any, ...]:  # for copy and pickle
        return (self.text,)


@dataclass(frozen=True)
class Style:
    r"""How a JSON file is laid out.

    Attributes
    ----------
    indent
        The white space of one level, or None when everything stands on one line.
    spaced
        Whether a space follows a colon (and, on one line, a comma).
    ascii
        Whether characters beyond ASCII are written as ``\u`` escapes.
    newline
        What ends a line.
    final_newline
        Whether the file ends with a line end.
    bom
        Whether the file starts with a UTF-8 byte order mark.
    """

    indent: str | None = None
    spaced: bool = False
    ascii: bool = False
    newline: str = "\n"
    final_newline: bool = True
    bom: bool = False

    @classmethod
    def of(cls, text: str) -> Style:
        """Find the style that a JSON text is written in, from its first lines and its last."""
        bom = text.startswith("\ufeff")
        head = text.lstrip("\ufeff")[:4096]
        opening = re.match(r"\s*[\[{](\r?\n)([ \t]+)\S", head)
        first_key = re.search(r'"(?:[^"\\]|\\.)*"\s*:(\s?)', head)
        return cls(
            indent=opening[2] if opening else None,
            spaced=bool(first_key and first_key[1]),
            ascii=text.isascii() and "\\u" in text,
            newline="\r\n" if opening and opening[1] == "\r\n" else "\n",
            final_newline=text.endswith("\n"),
            bom=bom,
        )


def read_json(path: Path) -> tuple[Any, Style]:
    """Read a JSON file and the style it is written in.

    Raises
    ------
    CocoError
        If the file cannot be read, is not JSON, or has one key twice in an object (reading it
        would drop a value).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CocoError(
            f"cannot be read ({error.strerror or error}); expected a COCO keypoint file (JSON).",
            path=path,
        ) from error
    try:
        text = data.decode(json.detect_encoding(data).removesuffix("-sig"))
    except UnicodeDecodeError as error:
        raise CocoError(
            f"byte {error.start} is not {error.encoding}; expected JSON in UTF-8.", path=path
        ) from error
    try:
        with _collector_paused():
            document = json.loads(
                text.lstrip("\ufeff"), parse_float=_parse_float, object_pairs_hook=_no_key_twice
            )
    except json.JSONDecodeError as error:
        found = "the file is empty" if not text.strip() else f"not valid JSON ({error.msg})"
        raise CocoError(
            f"{found}; expected a COCO keypoint file.",
            path=path,
            place=f"line {error.lineno}, column {error.colno}",
        ) from error
    except _KeyTwiceError as error:
        raise CocoError(
            f"an object has the key {error.key!r} twice ({error.clue}); expected each key once, "
            "since a reader keeps only one of the values.",
            path=path,
            remedy="Remove one of them.",
        ) from error
    except (ValueError, RecursionError) as error:  # thousands of digits, thousands of levels
        raise CocoError(f"JSON that cannot be read ({error}).", path=path) from error
    return document, Style.of(text)


def write_json(document: Any, style: Style) -> bytes:
    """Return the bytes of a JSON file in the given style."""
    text = _dumps(document, style)
    if style.final_newline:
        text += "\n"
    if style.newline != "\n":  # a JSON string cannot hold a raw line end, so these are all layout
        text = text.replace("\n", style.newline)
    if style.bom:
        text = "\ufeff" + text
    return text.encode()


def copy_json(value: Any) -> Any:
    """Return a deep copy of a JSON value."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_json(item) for item in value]
    return value


_NUMBERS = frozenset((int, float))


class _KeyTwiceError(Exception):
    def __init__(self, key: str, clue: str) -> None:
        super().__init__(key)
        self.key = key
        self.clue = clue


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        key = next(key for key in keys if keys.count(key) > 1)
        clue = f"its id is {record['id']!r}" if "id" in record else f"its keys are {keys[:8]}"
        raise _KeyTwiceError(key, clue)
    return record


def _parse_float(text: str, _repr: Callable[[float], str] = float.__repr__) -> float:
    number = float(text)
    return number if _repr(number) == text else ExactFloat(text)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the cycle collector: JSON has no cycles, and looking for them doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _dumps(document: Any, style: Style) -> str:
    escape = json.JSONEncoder(ensure_ascii=style.ascii).encode
    comma = "," if style.indent is not None or not style.spaced else ", "
    colon = ": " if style.spaced else ":"
    keys: dict[str, str] = {}  # there are few of them, each in every record

    def text_of(value: str) -> str:
        text = escape(value)
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8
            return json.dumps(value)
        return text

    def key_of(value: str) -> str:
        if value not in keys:
            keys[value] = text_of(value) + colon
        return keys[value]

    def scalar(value: Any) -> str:
        kind = type(value)
        if kind is str:
            return text_of(value)
        if kind is int:
            return repr(value)
        if kind is ExactFloat:
            return str(value.text)
        return json.dumps(value)

    def write(value: Any, margin: str) -> str:
        kind = type(value)
        if kind is dict:
            brackets, inner = "{}", margin and margin + step
            items = [key_of(key) + write(item, inner) for key, item in value.items()]
        elif kind is list or kind is tuple:
            brackets, inner = "[]", margin and margin + step
            if _NUMBERS.issuperset(map(type, value)):  # the long lists, in one go
                items = list(map(repr, value))
                if "nan" in items or "inf" in items or "-inf" in items:
                    items = list(map(scalar, value))
            else:
                items = [write(item, inner) for item in value]
        else:
            return scalar(value)
        if not items:
            return brackets
        return f"{brackets[0]}{inner}{(comma + inner).join(items)}{margin}{brackets[1]}"

    step = style.indent or ""
    return write(document, "" if style.indent is None else "\n")

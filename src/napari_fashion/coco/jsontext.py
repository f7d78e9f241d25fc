"""JSON as text: where values stand, how they are laid out, and changing one of them in place.

Everything here works on the text of one JSON value, mostly a record. A change copies all of the
text but the value that it is about, so that number texts, escapes, order and white space of the
rest survive by construction.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from napari_fashion.errors import EditError

Path = Sequence[str | int]
"""Keys and list indices from a value to one inside it."""

MAX_DIGITS = 4000
"""Integers of more digits are read as floats; Python refuses to convert them."""

_space = re.compile(r"[ \t\n\r]*").match
_words = re.compile(r"[^, \t\n\r]+").finditer
# Numbers are not needed to find a value's end, and an integer of 5,000 digits must not be converted.
_scan = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str).raw_decode


class Member(NamedTuple):
    """A key of an object and its value's span: ``text[start:end]``; `key_start` is at its quote."""

    key: str
    key_start: int
    start: int
    end: int


# -- reading -------------------------------------------------------------------------------------


def loads(text: str | bytes) -> Any:
    """Read a JSON value as Python does: ``NaN`` passes, the last of two equal keys wins.

    Raises
    ------
    ValueError
        If the text is not JSON.
    RecursionError
        If it is nested some thousand levels deep.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of thousands of digits
        return json.loads(text, parse_int=read_int)


def read_int(text: str) -> int | float:
    """Read an integer; one of more than `MAX_DIGITS` digits as a float."""
    return int(text) if len(text) <= MAX_DIGITS else float(text)


def first_double_key(text: str) -> str | None:
    """Return a key that some object of a JSON value has twice, or None."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found.append(key)
            seen.add(key)

    json.JSONDecoder(
        object_pairs_hook=look, parse_float=str, parse_int=str, parse_constant=str
    ).decode(text)
    return found[0] if found else None


def same_text(a: str, b: str) -> bool:
    """Whether two JSON values differ in white space and order of keys at most."""
    return a == b or _exact(a) == _exact(b)


def same_content(a: str | bytes, b: str | bytes) -> bool:
    """Whether two JSON values mean the same, however their numbers and strings are written."""
    if a == b:
        return True
    one, two = (json.loads(t, parse_int=read_int, parse_constant=str) for t in (a, b))
    return bool(one == two)


def _exact(text: str) -> Any:
    number: Callable[[str], tuple[str]] = lambda digits: (digits,)  # noqa: E731 (no JSON value is a tuple)
    return json.loads(text, parse_float=number, parse_int=number, parse_constant=number)


def members(text: str, start: int = 0) -> list[Member]:
    """Return the members of the object that begins at `start`, in order."""
    found: list[Member] = []
    i = _space(text, start + 1).end()  # type: ignore[union-attr]
    if text[i] == "}":
        return found
    while True:
        key, colon = scanstring(text, i + 1)
        colon = _space(text, colon).end()  # type: ignore[union-attr]
        value = _space(text, colon + 1).end()  # type: ignore[union-attr]
        end = _scan(text, value)[1]
        found.append(Member(key, i, value, end))
        i = _space(text, end).end()  # type: ignore[union-attr]
        if text[i] == "}":
            return found
        i = _space(text, i + 1).end()  # type: ignore[union-attr]


def elements(text: str, start: int = 0) -> list[tuple[int, int]]:
    """Return the spans of the elements of the list that begins at `start`."""
    closing = text.index("]", start)
    body = text[start + 1 : closing]
    if not any(mark in body for mark in '"[{'):  # numbers and words, as most lists are
        return [(m.start(), m.end()) for m in _words(text, start + 1, closing)]
    found: list[tuple[int, int]] = []
    i = _space(text, start + 1).end()  # type: ignore[union-attr]
    while True:
        end = _scan(text, i)[1]
        found.append((i, end))
        i = _space(text, end).end()  # type: ignore[union-attr]
        if text[i] == "]":
            return found
        i = _space(text, i + 1).end()  # type: ignore[union-attr]


def locate(text: str, path: Path) -> tuple[int, int] | None:
    """Return the span of the value at a path; None where the last key of it is missing.

    Raises
    ------
    EditError
        If the path leads nowhere.
    """
    start, end = 0, len(text)
    for step, key in enumerate(path):
        found = _child(text, start, key)
        if found is None:
            if step == len(path) - 1 and isinstance(key, str) and text[start] == "{":
                return None
            raise EditError(
                f"there is nothing at {list(path[: step + 1])}; expected a value to change."
            )
        start, end = found
    return start, end


def _child(text: str, start: int, key: str | int) -> tuple[int, int] | None:
    if isinstance(key, str):
        if text[start] != "{":
            return None
        return next(((m.start, m.end) for m in members(text, start) if m.key == key), None)
    if text[start] != "[" or isinstance(key, bool) or key < 0:
        return None
    spans = elements(text, start)
    return spans[key] if key < len(spans) else None


# -- layout --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    r"""How an object is written.

    Attributes
    ----------
    lead, separator, tail
        White space between the brace and the first key, what stands between two members, and white space
        before the closing brace.
    colon
        What stands between key and value.
    indent
        White space of one level; None where the object stands on one line.
    comma
        What stands between the elements of a list on one line.
    inline_lists
        Whether lists of a many-line object stand on one line.
    ascii, upper
        Whether characters beyond ASCII are ``\u`` escapes, with capitals in their digits.
    """

    lead: str = ""
    separator: str = ","
    tail: str = ""
    colon: str = ":"
    indent: str | None = None
    comma: str = ","
    inline_lists: bool = True
    ascii: bool = False
    upper: bool = False

    @property
    def margin(self) -> str:
        """The line end and the white space before a key; empty on one line."""
        at = max(self.lead.find("\n"), 0)
        at -= self.lead[max(at - 1, 0) : at] == "\r"
        return self.lead[at:] if "\n" in self.lead else ""


def layout_of(text: str, known: Layout | None = None) -> Layout:
    """Return the layout of an object, from its first members.

    Parameters
    ----------
    text
        The object.
    known
        Layout used if the object is too small to show one.
    """
    known = known or Layout()
    found = members(text)
    if not found:
        return known
    first, last = found[0], found[-1]
    lead, tail = text[1 : first.key_start], text[last.end : len(text) - 1]
    colon = text[scanstring(text, first.key_start + 1)[1] : first.start]
    layout = replace(known, lead=lead, tail=tail, colon=colon)
    if "\n" in lead:
        outer, inner = tail.rpartition("\n")[2], lead.rpartition("\n")[2]
        unit = inner[len(outer) :] if inner.startswith(outer) else inner
        layout = replace(layout, indent=unit or (known.indent or ""))
    else:
        layout = replace(layout, indent=None)
    if len(found) > 1:
        layout = replace(layout, separator=text[first.end : found[1].key_start])
    elif ("\n" in lead) != ("\n" in known.separator):
        layout = replace(layout, separator="," + lead)
    comma = layout.separator if layout.indent is None else known.comma
    for m in found:
        if text[m.start] == "[":
            spans = elements(text, m.start)
            if len(spans) > 1:
                gap = text[spans[0][1] : spans[1][0]]
                inline = "\n" not in gap
                return replace(layout, inline_lists=inline, comma=gap if inline else comma)
    return replace(layout, comma=comma)


def dumps(value: Any, layout: Layout | None = None) -> str:
    """Return a JSON value as the value of a key in an object of this layout.

    Numbers are written as Python writes them.
    """
    layout = layout or Layout()
    margin = layout.margin if layout.indent is not None else ""
    return _dump(value, layout, margin)


def dump_object(record: dict[str, Any], layout: Layout) -> str:
    """Return an object in this layout, its members between its own `lead` and `tail`."""
    if not record:
        return "{}"
    body = layout.separator.join(
        _string(key, layout) + layout.colon + dumps(value, layout) for key, value in record.items()
    )
    return "{" + layout.lead + body + layout.tail + "}"


def _dump(value: Any, layout: Layout, margin: str) -> str:
    if isinstance(value, dict):
        items = [
            _string(key, layout) + layout.colon + _dump(item, layout, _deeper(layout, margin))
            for key, item in value.items()
        ]
        return _joined("{", items, "}", layout, margin)
    if isinstance(value, (list, tuple)):
        inline = layout.inline_lists or not margin
        inner = "" if inline else _deeper(layout, margin)
        items = [_dump(item, layout, inner) for item in value]
        return _joined("[", items, "]", layout, "" if inline else margin)
    if isinstance(value, str):
        return _string(value, layout)
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)
    return json.dumps(value)


def _deeper(layout: Layout, margin: str) -> str:
    return margin + (layout.indent or "") if margin else ""


def _joined(opening: str, items: list[str], closing: str, layout: Layout, margin: str) -> str:
    if not items:
        return opening + closing
    if not margin:
        return opening + layout.comma.join(items) + closing
    inner = _deeper(layout, margin)
    return opening + inner + ("," + inner).join(items) + margin + closing


def _string(value: str, layout: Layout) -> str:
    text = json.dumps(value, ensure_ascii=layout.ascii)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8
        text = json.dumps(value)
    if layout.upper:
        text = re.sub(r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})", lambda m: m[1] + m[2].upper(), text)
    return text


# -- changing ------------------------------------------------------------------------------------


def replaced(
    text: str, path: Path, value: str | None, *, layout: Layout, order: Sequence[str] = ()
) -> str:
    """Return an object's text with another value at a path.

    Parameters
    ----------
    text
        The object.
    path
        The last of it is the key to set, create or remove, or an element to set.
    value
        JSON text, or None to remove the key.
    layout
        For a key that is new in an empty object.
    order
        Keys in the order that they once had: one that is put back at the top level takes its
        place among them.

    Raises
    ------
    EditError
        If the path leads nowhere, or an element of a list would be removed.

    Examples
    --------
    >>> replaced('{"id":1,  "bbox": [1, 2]}', ("bbox", 1), "2.50", layout=Layout())
    '{"id":1,  "bbox": [1, 2.50]}'
    """
    found = locate(text, path)
    if found is not None:
        if value is not None:
            return text[: found[0]] + value + text[found[1] :]
        if isinstance(path[-1], int):
            raise EditError(f"cannot remove item {list(path)} of a list; set the whole list.")
        return _without(text, path)
    if value is None:
        return text
    holder = locate(text, path[:-1])
    assert holder is not None
    start, end = holder
    inside = text[start:end]
    grown = _with(inside, str(path[-1]), value, layout, order if len(path) == 1 else ())
    return text[:start] + grown + text[end:]


def _without(text: str, path: Path) -> str:
    holder = locate(text, path[:-1])
    assert holder is not None
    found = members(text, holder[0])
    i = next(i for i, m in enumerate(found) if m.key == path[-1])
    if len(found) == 1:
        return text[: holder[0]] + "{}" + text[holder[1] :]
    if i == 0:
        return text[: found[0].key_start] + text[found[1].key_start :]
    return text[: found[i - 1].end] + text[found[i].end :]


def _with(text: str, key: str, value: str, layout: Layout, order: Sequence[str]) -> str:
    found = members(text)
    name = _string(key, layout)
    if not found:
        return "{" + layout.lead + name + layout.colon + value + layout.tail + "}"
    own = layout_of(text, layout)
    place = len(found)
    if key in order:
        sooner = set(order[: order.index(key)])
        place = max((i + 1 for i, m in enumerate(found) if m.key in sooner), default=0)
    if place == 0:
        at = found[0].key_start
        return text[:at] + name + own.colon + value + own.separator + text[at:]
    at = found[place - 1].end
    return text[:at] + own.separator + name + own.colon + value + text[at:]

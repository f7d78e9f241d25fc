"""The search of the queue: words of file names and rules such as ``score<0.7 garments>1 category:Dress``.

A rule is a column, a sign and a value, without spaces unless the value is in quotes; ``-`` before a rule or
a word leaves out what it finds. All rules and words have to hold. What is not understood is left out of the
search and reported with its place in the text, so that it can be underlined.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.documents import closest

Mask = NDArray[np.bool_]

_TERM = re.compile(
    r'(?P<minus>-?)(?:(?P<column>[^\W\d]\w*)(?P<sign><=|>=|!=|<|>|=|:)(?P<value>"[^"]*"?|\S*)'
    r'|(?P<word>"[^"]*"?|\S+))'
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "=": operator.eq, ":": operator.eq, "!=": operator.ne,
}  # fmt: skip
_EXACT = ("=", ":", "!=")


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """Numbers, one a row; nan where a row has none, which no comparison finds.

    Attributes
    ----------
    values
        (N,) float64.
    """

    values: NDArray[np.float64]


class TimeColumn(NumberColumn):
    """Times, as seconds since 1970; they are compared with days."""


@dataclass(frozen=True, eq=False)
class WordColumn:
    """Words out of a fixed list, of which a row may have several.

    Attributes
    ----------
    words
        The W words.
    has
        (W, N) bool: which rows have each.
    """

    words: Sequence[str]
    has: Mask


Column = NumberColumn | WordColumn


@dataclass(frozen=True)
class Misunderstood:
    """A part of the text that is no rule: ``text[start:end]``, and why in a sentence."""

    start: int
    end: int
    why: str


@dataclass(frozen=True, eq=False)
class Found:
    """What a search finds.

    Attributes
    ----------
    rows
        (N,) bool.
    misunderstood
        The parts of the text that were left out.
    """

    rows: Mask
    misunderstood: tuple[Misunderstood, ...]


class _RuleError(Exception):
    """A rule that is not understood; the message says why."""


def search(text: str, names: NDArray[np.str_], columns: Mapping[str, Column]) -> Found:
    """Return which rows a text finds.

    Parameters
    ----------
    names
        (N,) file names in lower case, for words.
    columns
        By name, each of N rows.
    """
    rows = np.ones(len(names), np.bool_)
    misunderstood = []
    for match in _TERM.finditer(text):
        try:
            found = _found(match, names, columns)
        except _RuleError as error:
            misunderstood.append(Misunderstood(match.start(), match.end(), str(error)))
            continue
        rows &= ~found if match["minus"] else found
    return Found(rows, tuple(misunderstood))


def _found(match: re.Match[str], names: NDArray[np.str_], columns: Mapping[str, Column]) -> Mask:
    if (column := match["column"]) is None:
        word = match["word"].strip('"').lower()
        return np.char.find(names, word) >= 0 if word else np.ones(len(names), np.bool_)
    sign, value = match["sign"], match["value"].strip('"')
    known = columns.get(column.lower())
    if known is None:
        near = closest(column.lower(), columns)
        hint = f" Did you mean {near}?" if near else ""
        raise _RuleError(f"{column}: no such column; expected {', '.join(columns)}.{hint}")
    if not value:
        raise _RuleError(
            f"{column}{sign}: no value; expected one, such as {_example(column, known)}."
        )
    match known:
        case TimeColumn():
            return _by_time(column, sign, value, known)
        case NumberColumn():
            return _by_number(column, sign, value, known)
        case WordColumn():
            return _by_word(column, sign, value, known)


def _by_number(column: str, sign: str, value: str, known: NumberColumn) -> Mask:
    try:
        number = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        raise _RuleError(f"{column}{sign}{value}: {value} is no number.") from None
    with np.errstate(invalid="ignore"):
        found: Mask = _COMPARE[sign](known.values, number)
    return found & ~np.isnan(known.values)


def _by_time(column: str, sign: str, value: str, known: TimeColumn) -> Mask:
    """Compare with a day: ``=`` finds times within it, ``>`` after it, ``<`` before it."""
    day = _day(value)
    if day is None:
        raise _RuleError(
            f"{column}{sign}{value}: expected a day as 2026-11-30, today, yesterday or 7d (days ago)."
        )
    start = datetime.combine(day, time()).timestamp()
    end = datetime.combine(day + timedelta(days=1), time()).timestamp()
    values = known.values
    with np.errstate(invalid="ignore"):
        within = np.asarray((values >= start) & (values < end), np.bool_)
        finds: dict[str, Mask] = {
            "<": values < start, "<=": values < end, ">": values >= end, ">=": values >= start,
            "=": within, ":": within, "!=": ~within & ~np.isnan(values),
        }  # fmt: skip
    return finds[sign]


def _by_word(column: str, sign: str, value: str, known: WordColumn) -> Mask:
    if sign not in _EXACT:
        raise _RuleError(f"{column}{sign}{value}: {column} has words; expected {column}:{value}.")
    low = value.lower()
    chosen = [i for i, word in enumerate(known.words) if word.lower() == low]
    chosen = chosen or [i for i, word in enumerate(known.words) if word.lower().startswith(low)]
    if not chosen:
        near = closest(low, {word.lower(): word for word in known.words})
        hint = f" Did you mean {near}?" if near else ""
        raise _RuleError(f"{column}: no {value} here.{hint}")
    found = np.asarray(known.has[chosen].any(axis=0), np.bool_)
    return ~found if sign == "!=" else found


def _day(value: str) -> date | None:
    today = date.today()
    words = {"today": today, "yesterday": today - timedelta(days=1)}
    if value.lower() in words:
        return words[value.lower()]
    if (ago := re.fullmatch(r"(\d{1,5})d", value)) is not None:
        return today - timedelta(days=int(ago[1]))
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _example(column: str, known: Column) -> str:
    match known:
        case TimeColumn():
            return f"{column}>=yesterday"
        case NumberColumn():
            return f"{column}<0.7"
        case WordColumn():
            return f"{column}:{known.words[0]}" if known.words else f"{column}:…"

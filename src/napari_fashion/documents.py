"""The one reader of small text documents that people or we write: TOML and JSON.

Only regular files of a bounded size are read, in UTF-8 with or without a byte order mark, or in UTF-16
or UTF-32 with one. Whatever is wrong with a document is one sentence that names the file, the place in
it, what was found and what was expected; reading takes time and memory in proportion to its size.

COCO files have a reader of their own (`coco.spans`): they are large, and their bytes are kept.
"""

from __future__ import annotations

import codecs
import difflib
import json
import math
import re
import reprlib
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from napari_fashion.errors import FashionError
from napari_fashion.files import read_regular, why_unreadable

TOML_BYTES = 1 << 20
"""TOML documents (recipes, schemas, maps) are read up to this size: 1 MiB."""
JSON_BYTES = 64 << 20
"""JSON documents (what stands beside a model, a run's files) are read up to this size: 64 MiB."""
MAX_DEPTH = 32
"""Tables, objects and lists are read up to this depth, and so are the parts of a dotted key."""
MAX_VALUES = 4_000_000
"""Maximum number of values in a JSON document."""

MakeError = Callable[[str], FashionError]
"""Makes the error of a sentence: `RecipeError`, `SchemaError`, `CheckpointError` ..."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_toml(
    path: Path | str,
    error: MakeError,
    *,
    expected: str = "a TOML document",
    limit: int = TOML_BYTES,
) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path
        A regular file, or a link to one.
    error
        Makes the error that is raised.
    expected
        What the file should be, for the sentence: ``"a recipe (TOML)"``.
    limit
        Its greatest size in bytes.

    Returns
    -------
    Its tables. All numbers are finite, and nothing is nested deeper than `MAX_DEPTH`.

    Raises
    ------
    FashionError
        What `error` makes, where the file cannot be read or is malformed.
    """
    return parse_toml(_read(Path(path), error, expected, limit), str(path), error, expected)


def read_json(
    path: Path | str,
    error: MakeError,
    *,
    expected: str = "a JSON document",
    limit: int = JSON_BYTES,
) -> Any:
    """Read a JSON file; see `read_toml`.

    Returns
    -------
    Its value. All numbers are finite, no object has a key twice, and nothing is nested deeper than
    `MAX_DEPTH`.

    Raises
    ------
    FashionError
        What `error` makes, where the file cannot be read or is malformed.
    """
    return parse_json(_read(Path(path), error, expected, limit), str(path), error, expected)


def parse_toml(
    text: str | bytes, where: str, error: MakeError, expected: str = "a TOML document"
) -> dict[str, Any]:
    """Read a TOML text; `where` names it in errors, otherwise as `read_toml`."""
    text = _decoded(text, where, error, expected)
    _check_toml_depth(text, where, error, expected)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        what, place = _toml_problem(str(problem))
        raise error(f"{where}{place}: not valid TOML ({what}); expected {expected}.") from problem
    except RecursionError as problem:
        raise error(f"{where}: nested too deeply to be read; expected {expected}.") from problem
    except ValueError as problem:  # an integer of thousands of digits
        raise error(
            f"{where}: a number cannot be read ({problem}); expected {expected}."
        ) from problem
    _check_values(data, where, error)
    return data


def parse_json(
    text: str | bytes, where: str, error: MakeError, expected: str = "a JSON document"
) -> Any:
    """Read a JSON text; `where` names it in errors, otherwise as `read_json`."""
    text = _decoded(text, where, error, expected)
    values = text.count(",") + text.count("[") + text.count("{")
    if values > MAX_VALUES:
        raise error(
            f"{where}: it has about {values:,} values; expected {expected}, with at most "
            f"{MAX_VALUES:,}."
        )
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as problem:
        found = "it is empty" if not text.strip() else f"not valid JSON ({problem.msg})"
        raise error(
            f"{where}, line {problem.lineno}, column {problem.colno}: {found}; expected {expected}."
        ) from problem
    except RecursionError as problem:
        raise error(f"{where}: nested too deeply to be read; expected {expected}.") from problem
    _check_values(data, where, error)
    return data


def shown(value: object, letters: int = 60) -> str:
    """Return a value as a sentence shows it: bounded, on one line, whatever it is.

    Parameters
    ----------
    value
        Anything that a document can hold.
    letters
        About how many letters it may have.
    """
    if value is None:
        return "nothing"
    shortener = _Shortener()
    shortener.maxstring = shortener.maxother = letters
    return shortener.repr(value)[: 4 * letters]


def shortened(text: str, letters: int, gap: str = " ... ") -> str:
    """Return a text without its middle if it has more than this number of letters.

    >>> shortened("0123456789", 4)
    '01 ... 89'
    """
    half = letters // 2
    return text if len(text) <= letters else f"{text[:half]}{gap}{text[-half:]}"


def ended(text: str) -> str:
    """Return a sentence with its full stop, where it has no end of its own."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def closest(name: object, known: Iterable[str]) -> str | None:
    """Return the known name that was perhaps meant; None if none is close."""
    return next(iter(difflib.get_close_matches(str(name)[:100], list(known)[:1000], 1)), None)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a hint at the known name that is close, else all known names.

    >>> did_you_mean("epoch", ["epochs", "batch"]), did_you_mean("x", ["epochs", "batch"])
    ("did you mean 'epochs'?", 'expected one of epochs, batch')
    """
    known = list(known)
    if (near := closest(name, known)) is not None:
        return f"did you mean {near!r}?"
    return f"expected one of {', '.join(known)}" if known else "expected none"


class _Shortener(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlist = 8
        self.maxdict = self.maxtuple = 4
        self.maxlevel = 3

    def repr_int(self, x: int, level: int) -> str:
        digits = int(x.bit_length() * math.log10(2)) + 1
        return repr(x) if digits <= 40 else f"an integer of some {digits:,} digits"

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(x if len(x) <= 4096 else x[:2048] + x[-2048:], level)


class _Twice(dict[str, Any]):
    """An object that has a key twice."""

    key = ""


class _TooLong:
    """An integer of more digits than Python converts."""

    def __init__(self, digits: int) -> None:
        self.digits = digits


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    twice = _Twice(made)
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            twice.key = key
            break
        seen.add(key)
    return twice


def _integer(text: str) -> int | _TooLong:
    return int(text) if len(text) <= 4000 else _TooLong(len(text))


def _read(path: Path, error: MakeError, expected: str, limit: int) -> bytes:
    try:
        return read_regular(path, limit)
    except FileNotFoundError as problem:
        raise error(f"{path}: there is no such file; expected {expected}.") from problem
    except (OSError, ValueError, MemoryError) as problem:
        raise error(
            f"{shown_path(path)}: cannot be read ({why_unreadable(problem)}); expected {expected}."
        ) from problem


def shown_path(path: Path | str) -> str:
    """Return a path as a sentence shows it: on one line."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return names as a sentence lists them, the first few where there are many."""
    first = ", ".join(name if len(name) <= 60 else f"{name[:60]}..." for name in names[:most])
    more = len(names) - most
    return f"{first} and {more:,} more" if more > 0 else first


def counted(names: Sequence[str], what: str, most: int = 8) -> str:
    """Return how many names there are, and the first few.

    >>> counted(["neck", "hem", "cuff"], "landmarks", 2)
    '3 landmarks (neck, hem and 1 more)'
    """
    return f"{len(names):,} {what} ({listed(names, most)})" if names else f"no {what}"


def _decoded(text: str | bytes, where: str, error: MakeError, expected: str) -> str:
    """Return a document's text without its byte order mark, or raise an error that names its bytes."""
    if isinstance(text, bytes):
        bom, encoding = next(
            ((mark, name) for mark, name in _BOMS if text.startswith(mark)), (b"", "utf-8")
        )
        try:
            text = text[len(bom) :].decode(encoding)
        except UnicodeDecodeError as problem:
            line = problem.object.count(b"\n", 0, problem.start) + 1
            raise error(
                f"{where}, line {line}: byte {problem.start + len(bom)} is not {encoding.upper()} "
                f"({problem.reason}); expected {expected} in UTF-8. Save it again as UTF-8."
            ) from problem
    at = text.find("\0")
    if at >= 0:
        raise error(
            f"{where}, line {text.count(chr(10), 0, at) + 1}: there is a null character; expected "
            f"{expected} in UTF-8. Save it again as UTF-8 text."
        )
    return text.removeprefix("\ufeff")


_toml_tokens = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\[^\n])*+"'
    r"|'[^'\n]*+'"
    r"|#[^\n]*+"
    r"|(?P<mark>[\[\]{}.,=\n\"'])",
    re.DOTALL,
)


def _check_toml_depth(text: str, where: str, error: MakeError, expected: str) -> None:
    """Refuse deep nesting and keys of many parts before the parser sees them.

    It would run out of stack at the one, and takes time by the square of the other.
    """
    depth = parts = line = 0
    for token in _toml_tokens.finditer(text):
        mark = token["mark"]
        if mark is None:
            line += token[0].count("\n") if len(token[0]) > 2 else 0
            continue
        if (
            mark in "\"'"
        ):  # a string that does not end: the parser raises the error, and reads no further
            return
        if mark in "[{":
            depth += 1
            parts = 0
        elif mark in "]}":
            depth -= 1
            parts = 0
        elif mark == ".":
            parts += 1
        else:
            parts = 0
            line += mark == "\n"
        if depth > MAX_DEPTH or parts > MAX_DEPTH:
            what = (
                "lists and tables nested" if depth > MAX_DEPTH else "a key of parts joined by dots"
            )
            raise error(
                f"{where}, line {line + 1}: {what} more than {MAX_DEPTH} deep; expected {expected}."
            )


def _toml_problem(text: str) -> tuple[str, str]:
    """Split the parser's sentence into what is wrong and where."""
    found = re.fullmatch(
        r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", text, re.DOTALL
    )
    if found is None:
        return text[:200], ""
    place = f", line {found[2]}, column {found[3]}" if found[2] else ", at its end"
    return found[1][:200], place


def _check_values(data: object, where: str, error: MakeError) -> None:
    """Go through a document without recursion; refuse what no document of ours holds."""
    level: list[tuple[tuple[str | int, ...], object]] = [((), data)]
    for depth in range(MAX_DEPTH + 2):
        if not level:
            return
        if depth > MAX_DEPTH:
            break
        deeper: list[tuple[tuple[str | int, ...], object]] = []
        for path, value in level:
            if isinstance(value, _Twice):
                raise error(
                    f"{where}: the key {shown(value.key)} comes twice{_in(path)}; expected each key "
                    "once. Remove one of them."
                )
            items: Any = ()
            if isinstance(value, dict):
                items = value.items()
            elif isinstance(value, list):
                items = enumerate(value)
            elif (wrong := _wrong_number(value)) is not None:
                raise error(f"{where}: found {wrong}{_in(path)}; expected a finite number.")
            for key, item in items:
                if isinstance(item, (dict, list)):
                    deeper.append(((*path, key), item))
                elif (wrong := _wrong_number(item)) is not None:
                    raise error(
                        f"{where}: found {wrong}{_in((*path, key))}; expected a finite number."
                    )
        level = deeper
    raise error(f"{where}: nested more than {MAX_DEPTH} deep; expected a flatter document.")


def _wrong_number(value: object) -> str | None:
    if isinstance(value, _TooLong):
        return f"an integer of {value.digits:,} digits"
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return None


def _in(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return f" at {shown_path(text.removeprefix('.')[:200])}" if text else ""

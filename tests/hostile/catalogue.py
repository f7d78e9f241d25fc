"""What a hostile input is, how it is used, and what is right; the doors' modules fill the list."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOORS = ("images", "records", "documents", "commands")


@dataclass(frozen=True)
class Use:
    """How an input is used, and what is right.

    Attributes
    ----------
    how
        A function of `using`: ``image``, ``records``, ``command``, ``process``, ``read``.
    what
        What that function is given.
    status
        The statuses that are right; of a command that, or 0: handled and 1: refused.
    says
        Regular expressions that what was said must match.
    never
        Regular expressions that it must not match.
    makes
        Globs of what may be new in the folder afterwards, each of which must be there.
    may_make
        Globs of what may be new as well.
    """

    how: str
    what: dict[str, Any] = field(default_factory=dict)
    status: tuple[int, ...] = (0,)
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    may_make: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A hostile input."""

    name: str
    door: str
    kind: str
    make: Callable[[Path], Use]


ENTRIES: dict[str, Entry] = {}


def add(door: str, kind: str, name: str, make: Callable[[Path], Use]) -> None:
    """Put an input into the list."""
    name = f"{door}: {name}"
    assert name not in ENTRIES, name
    ENTRIES[name] = Entry(name, door, kind, make)


def command(*arguments: object, status: int | tuple[int, ...] = 0, stdin: bytes = b"",
            says: tuple[str, ...] = (), never: tuple[str, ...] = (), makes: tuple[str, ...] = (),
            may_make: tuple[str, ...] = ()) -> Use:  # fmt: skip
    """Run a command in the worker, in the input's folder; MODEL stands for the tiny model."""
    statuses = status if isinstance(status, tuple) else (status,)
    what = {"arguments": [str(a) for a in arguments], "stdin": stdin}
    return Use("command", what, statuses, says, never, makes, may_make)


def process(*arguments: object, status: int | tuple[int, ...] = 0, stdin: bytes = b"",
            env: dict[str, str | None] | None = None, shell: str = "", signals: tuple[Any, ...] = (),
            says: tuple[str, ...] = (), never: tuple[str, ...] = (), makes: tuple[str, ...] = (),
            may_make: tuple[str, ...] = ()) -> Use:  # fmt: skip
    """Run a command in a process of its own, with its own streams, signals and environment.

    Parameters
    ----------
    shell
        Redirections that a shell puts behind it, such as ``>&-``.
    signals
        Pairs of a text and a signal: sent when the text is on standard error, or so many seconds later.
    """
    statuses = status if isinstance(status, tuple) else (status,)
    what = {
        "arguments": [str(a) for a in arguments], "stdin": stdin, "env": env or {}, "shell": shell,
        "signals": list(signals),
    }  # fmt: skip
    return Use("process", what, statuses, says, never, makes, may_make)


def read(what: str, name: str, *says: str, refused: bool = True) -> Use:
    """Read a document by the package: ``recipe``, ``schema``, ``model``, ``map``."""
    return Use("read", {"reader": what, "file": name}, (1 if refused else 0,), says)


def all_entries() -> list[Entry]:
    """Return the whole list."""
    for door in DOORS:
        importlib.import_module(f"hostile.{door}")
    return list(ENTRIES.values())

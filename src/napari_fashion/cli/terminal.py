"""Output of commands: results on standard output, everything else on standard error.

Text is never read as markup and never broken into lines; characters that would steer the terminal
are escaped, and letters that it cannot encode are replaced.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from napari_fashion.documents import shortened

if TYPE_CHECKING:
    from napari_fashion.tally import Tally

QUIET, NORMAL, VERBOSE, DEBUG = -1, 0, 1, 2
LINE_SECONDS = 10.0
"""Without a terminal progress is a line at most so often."""

LONGEST_LINE = 2000
"""Maximum number of letters in a line of an error or a warning, whatever it names."""

_level = NORMAL
_silent = False
_STEERING = frozenset(("Cc", "Cs", "Zl", "Zp"))  # control, half surrogates, line separators
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


def set_up(level: int = NORMAL) -> None:
    """Prepare the streams, and the log that `--verbose` shows.

    Parameters
    ----------
    level
        `QUIET`: no progress and no closing lines; errors and what was left out are printed. `VERBOSE` and
        `DEBUG` also show the package's log, of which warnings are always shown.
    """
    global _level
    _level = level
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    logger = logging.getLogger("napari_fashion")
    for handler in [h for h in logger.handlers if isinstance(h, _Handler)]:
        logger.removeHandler(handler)
    logger.addHandler(_Handler(level))
    logger.setLevel(
        logging.DEBUG if level >= DEBUG else logging.INFO if level >= VERBOSE else logging.WARNING
    )
    logging.captureWarnings(True)  # libraries' warnings are lines of source: for the log
    warned = logging.getLogger("py.warnings")
    for old in [h for h in warned.handlers if isinstance(h, (_Handler, logging.NullHandler))]:
        warned.removeHandler(old)
    warned.addHandler(_Handler(level) if level >= VERBOSE else logging.NullHandler())


def silence(silent: bool = True) -> None:
    """Write nothing at all from now on, or write again: of several processes one reports."""
    global _silent
    _silent = silent


def tear_down() -> None:
    """Take the log's handlers away again: the process may go on without us."""
    logging.captureWarnings(False)
    for name in ("napari_fashion", "py.warnings"):
        logger = logging.getLogger(name)
        for handler in [h for h in logger.handlers if isinstance(h, _Handler)]:
            logger.removeHandler(handler)
    logging.getLogger("napari_fashion").setLevel(logging.NOTSET)


class _Handler(logging.Handler):
    """Shows log records as we show everything else."""

    def __init__(self, level: int) -> None:
        super().__init__()
        where = "%(asctime)s %(name)s: " if level >= VERBOSE else ""
        self.setFormatter(logging.Formatter(f"{where}%(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record to standard error."""
        warn(self.format(record))


def plain(text: object, *, lines: bool = False) -> str:
    r"""Return a text with what would steer a terminal escaped: ``\x1b`` for an escape character.

    Parameters
    ----------
    lines
        Keep line feeds: the text is ours and has several lines.
    """
    return "".join(_shown(c, lines) for c in str(text))


def _shown(character: str, lines: bool) -> str:
    if character == "\n" and lines:
        return character
    if character in _TURNING or unicodedata.category(character) in _STEERING:
        return character.encode("unicode_escape").decode()
    return character


def notify(text: object) -> None:
    """Tell on standard output what was done; not with ``--quiet``."""
    if _level > QUIET:
        _write(sys.stdout, plain(text, lines=True))


def give(text: object) -> None:
    """Write what was asked for to standard output, with ``--quiet`` too."""
    _write(sys.stdout, plain(text, lines=True))


def give_json(value: Any, indent: int | None = 1) -> None:
    """Write JSON to standard output, in letters that it can encode."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    text = json.dumps(value, indent=indent, ensure_ascii=encoding != "utf8")
    try:
        text.encode("utf8")
    except UnicodeEncodeError:  # half of a surrogate pair
        text = json.dumps(value, indent=indent)
    _write(sys.stdout, text)


def warn(text: object) -> None:
    """Print a message on standard error; very long lines are shortened in the middle."""
    _write(
        sys.stderr,
        "\n".join(shortened(line, LONGEST_LINE) for line in plain(text, lines=True).split("\n")),
    )


def tell(tally: Tally, before: str = "") -> None:
    """Tell on standard error what was found or left out, one line per kind with the first few."""
    for line in tally.lines():
        warn(line if line.startswith(" ") else f"{before}{line}")


def _write(stream: Any, text: str) -> None:
    if stream is None or _silent:  # None: a program without a console
        return
    stream.write(text + "\n")
    stream.flush()


def table(rows: Iterable[Sequence[object]], title: str = "") -> str:
    """Return rows as aligned columns, the first to the left and the others to the right."""
    from rich.cells import cell_len

    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(cells[0]))] if cells else []
    lines = [plain(title)] if title else []
    for row in cells:
        parts = [
            cell + " " * (width - cell_len(cell))
            if i == 0
            else " " * (width - cell_len(cell)) + cell
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


class Progress(Protocol):
    """Progress of a task."""

    def advance(self, n: int = 1) -> None:
        """Count `n` more."""

    def update(self, done: int | None = None, total: int | None = None, text: str = "") -> None:
        """Set the number of items done, their total, and the text beside them."""


@contextlib.contextmanager
def progress(text: str, total: int | None = None) -> Iterator[Progress]:
    """Show progress: a bar in a terminal, else a line every ten seconds."""
    if _level <= QUIET or _silent or sys.stderr is None:
        yield _Nothing()
    elif _is_terminal():
        yield from _bar(text, total)
    else:
        lines = _Lines(text, total)
        yield lines
        lines.end()


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # closed
        return False


class _Nothing:
    def advance(self, n: int = 1) -> None:
        pass

    def update(self, done: int | None = None, total: int | None = None, text: str = "") -> None:
        pass


class _Lines:
    def __init__(self, text: str, total: int | None) -> None:
        self._text, self._total, self._done = text, total, 0
        self._said_at, self._said = time.monotonic(), -1

    def advance(self, n: int = 1) -> None:
        self.update(self._done + n)

    def update(self, done: int | None = None, total: int | None = None, text: str = "") -> None:
        self._done = self._done if done is None else done
        self._total = self._total if total is None else total
        self._text = text or self._text
        if time.monotonic() - self._said_at >= LINE_SECONDS:
            self._say()

    def end(self) -> None:
        if self._said >= 0 and self._said != self._done:
            self._say()

    def _say(self) -> None:
        of = "" if self._total is None else f" of {self._total:,}"
        warn(f"{self._text}: {self._done:,}{of}")
        self._said_at, self._said = time.monotonic(), self._done


def _bar(text: str, total: int | None) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    with RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        redirect_stdout=False,
        redirect_stderr=True,
    ) as shown:
        task = shown.add_task(plain(text), total=total)

        class Bar:
            def advance(self, n: int = 1) -> None:
                shown.advance(task, n)

            def update(
                self, done: int | None = None, total: int | None = None, text: str = ""
            ) -> None:
                shown.update(
                    task, completed=done, total=total, description=plain(text) if text else None
                )

        yield Bar()

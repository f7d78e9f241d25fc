"""What is odd in a data set: single findings, and their number by kind with the first few of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from napari_fashion.tally import EXAMPLES, Tally

Severity = Literal["error", "warning"]
ERROR: Final = "error"
WARNING: Final = "warning"
ERRORS: Final = frozenset(
    (
        "annotations of no category",
        "annotations of no image",
        "boxes that are no four finite numbers",
        "categories that the schema lacks",
        "categories with other landmarks",
        "files that are no images",
        "ids that another record has",
        "images of another size than their record",
        "images without a file's name",
        "keypoints of another form",
        "landmarks far outside their image",
        "landmarks that all lie in 0..1",
        "landmarks that are no finite numbers",
        "missing images",
        "records that cannot be read",
        "schemas that do not fit",
    )
)
"""Kinds of findings that are errors: records that cannot be used as they are. All others are warnings."""


def severity(kind: str) -> Severity:
    """Return how bad findings of a kind are.

    >>> severity("missing images"), severity("boxes of text")
    ('error', 'warning')
    """
    return ERROR if kind in ERRORS else WARNING


Report = Callable[[str, str, str, str], None]
"""Takes a finding: its kind, the place, what was found and what was expected."""


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes
    ----------
    path
        The file, if there is one.
    place
        Where in the document, such as ``annotations[3].keypoints``.
    found, expected
        What stands there and what should.
    kind
        What findings of its kind are called: a plural.
    sentence
        The whole finding, if it is worded already.
    """

    path: Path | None
    place: str
    found: str
    expected: str
    kind: str = "oddities"
    sentence: str = ""

    def __str__(self) -> str:
        if self.sentence:
            return self.sentence
        where = f"{self.path}, {self.place}" if self.path else self.place
        return f"{where}: found {self.found}; expected {self.expected}."


class Problems:
    """The number of oddities of each kind in a data set, and the first few of each.

    Its size is bounded by the number of kinds, however large and odd the file is.

    Attributes
    ----------
    tally
        How many of each kind, with the first few as sentences.
    first
        The first few of each kind, in the order in which they were found.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self.first: list[Problem] = []

    def __len__(self) -> int:
        return self.tally.total

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.first)

    def __repr__(self) -> str:
        return f"Problems({self.tally.counts})"

    def __str__(self) -> str:
        return str(self.tally)

    def lines(self) -> Iterator[str]:
        """Yield one line per kind, and under it the first few (`Tally.lines`)."""
        return self.tally.lines()

    def add(self, problem: Problem) -> None:
        """Count a finding."""
        known = self.tally.examples.get(problem.kind, ())
        if len(known) < EXAMPLES:
            self.first.append(problem)
            self.tally.add(problem.kind, str(problem))
        else:
            self.tally.add(problem.kind)

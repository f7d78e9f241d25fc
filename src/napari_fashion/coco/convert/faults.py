"""What is wrong in a data set that is converted: file, line, found, expected; counted by kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from napari_fashion.tally import Tally


@dataclass(frozen=True, slots=True)
class At:
    """A place in a data set.

    Attributes
    ----------
    file
        Relative to the data set's folder.
    line
        Counted from 1, with the lines of the header; 0 where no line is at fault.
    within
        A part of the line or the file, such as ``item2``.
    """

    file: str
    line: int = 0
    within: str = ""

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line else ""
        return f"{self.file}{line}" + (f", {self.within}" if self.within else "")


class Wrong(NamedTuple):
    """What was found that makes no sense, and what was expected; clauses without an end."""

    found: str
    expected: str


NO_SENSE = "images left out: a line makes no sense"
"""The kind of fault of a line that leaves out its image, which has one garment."""


@dataclass(slots=True)
class Faults:
    """The faults of a data set; its size is bounded, however many there are.

    Attributes
    ----------
    tally
        Counts by kind, with the first few. A kind says what became of it: "garments left out: ...".
    notes
        What a person should know and is no fault.
    """

    tally: Tally = field(default_factory=Tally)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, at: At, found: str, expected: str) -> None:
        """Count a fault.

        Parameters
        ----------
        kind
            A plural that says what became of it.
        at
            Where it is.
        found, expected
            Clauses without an end.
        """
        self.tally.add(kind, f"{at}: found {found}; expected {expected}.")

    def __bool__(self) -> bool:
        return bool(self.tally)

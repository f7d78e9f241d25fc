"""The text lists of DeepFashion: a count, a header, and a line for each image, in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from napari_fashion.coco.convert.faults import NO_SENSE, At, Faults
from napari_fashion.documents import shown
from napari_fashion.errors import ConvertError
from napari_fashion.files import open_regular, why_unreadable

MAX_LINE = 1 << 20
"""Number of bytes of a line at most: no list of the data sets has one of a tenth of it."""

Value = TypeVar("Value")
Number = int | float


class ListFile:
    """A list with a count in its first line and a header in its second, read line by line.

    Parameters
    ----------
    folder
        The data set's folder.
    name
        Of the list, relative to it.
    first_column
        What the header begins with.
    faults
        Gets what is wrong with count and header.

    Attributes
    ----------
    header
        The words of the header; empty if there is none.

    Raises
    ------
    ConvertError
        If there is no such file, it cannot be read or is empty.
    """

    def __init__(self, folder: Path, name: str, first_column: str, faults: Faults) -> None:
        self.path = folder / name
        self.name = name
        self._first = first_column
        self._faults = faults
        self.count: int | None = None
        self.header: list[str] = []
        self._begin = 0
        for line, words in self._lines(0):
            if line == 1 and len(words) == 1 and words[0].isdecimal() and len(words[0]) < 12:
                self.count = int(words[0])
                continue
            if self._has_header(line, words):
                self.header = words
                self._begin = line
            else:
                self._begin = line - 1
            break
        else:
            if self.count is None:
                raise ConvertError(
                    f"{name}: found nothing, an empty file; expected a count, a header and a line for "
                    "each image."
                )
        if self.count is None:
            self._odd(1, "no count", "the number of lines after the header")

    def _has_header(self, line: int, words: list[str]) -> bool:
        if words[0] == self._first:
            return True
        expected = f"a header that begins with {self._first}"
        self._odd(line, f"no header but {shown(' '.join(words))}", expected)
        return False

    def at(self, line: int) -> At:
        """Return the place of a line."""
        return At(self.name, line)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield number and words of each line after the header; count what the first line counts."""
        found = 0
        for line, words in self._lines(self._begin):
            found += 1
            yield line, words
        self._check_count(found)

    def table(
        self,
        parse: Callable[[list[str]], Value | str],
        expected: str,
        kind: str = NO_SENSE,
    ) -> Table[Value]:
        """Read all lines, by the name that each begins with.

        Parameters
        ----------
        parse
            Returns the value of the words after the name, or as text what was found in their place.
        expected
            What they should be, for messages.
        kind
            Of the fault if they are not.
        """
        return Table(self, parse, expected, kind, self._faults)

    def _odd(self, line: int, found: str, expected: str) -> None:
        self._faults.add("lists that are read all the same", self.at(line), found, expected)

    def raw_rows(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each line after the header that is not blank; count as `rows`."""
        found = 0
        for line, text in self._raw(self._begin):
            if text.strip():
                found += 1
                yield line, text
        self._check_count(found)

    def _check_count(self, found: int) -> None:
        if self.count is not None and found != self.count:
            self._odd(
                1,
                f"the count {self.count}, and {found} lines follow the header",
                "the number of lines that follow the header",
            )

    def _lines(self, begin: int) -> Iterator[tuple[int, list[str]]]:
        """Yield number and words of the lines after the first `begin` that are not blank."""
        for number, line in self._raw(begin):
            words = self._words(line, number)
            if words:
                yield number, words

    def _raw(self, begin: int) -> Iterator[tuple[int, bytes]]:
        try:
            with open_regular(self.path) as stream:
                number = 0
                while line := stream.readline(MAX_LINE):
                    number += 1
                    if len(line) == MAX_LINE:
                        raise ConvertError(
                            f"{self.name}, line {number}: found more than {MAX_LINE:,} bytes; expected a "
                            "list."
                        )
                    if number > begin:
                        yield number, line
        except (OSError, ValueError) as error:
            raise ConvertError(
                f"{self.name}: cannot be read ({why_unreadable(error)}); expected a list of the data set."
            ) from error

    def _words(self, line: bytes, number: int) -> list[str]:
        """Return the words of a line; those of one that is no text are counted and empty."""
        try:
            return line.decode().split() if number > 1 else line.decode("utf-8-sig").split()
        except UnicodeDecodeError:
            start = shown(line[:60])
            self._faults.add("lines left out", self.at(number), start, "text in UTF-8")
            return []


class Table(dict[str, tuple[int, Value]]):
    """The lines of a list by the name that each begins with: line number and value.

    Lines that make no sense are counted and left out, and so are further lines of a name.

    Attributes
    ----------
    broken
        Names whose line was left out.
    """

    def __init__(
        self,
        file: ListFile,
        parse: Callable[[list[str]], Value | str],
        expected: str,
        kind: str,
        faults: Faults,
    ) -> None:
        super().__init__()
        self.file = file
        self.broken: set[str] = set()
        for line, words in file.rows():
            name = words[0]
            if (known := self.get(name)) is not None:
                report_twice(file, line, name, known[0], faults)
                continue
            value = parse(words[1:])
            if isinstance(value, str):
                self.broken.add(name)
                faults.add(kind, file.at(line), value, expected)
                continue
            self[name] = (line, value)

    def of(self, name: str, image_at: At, faults: Faults) -> tuple[int, Value] | None:
        """Return the line and value of a name; where there is none, count it unless it was counted."""
        found = self.get(name)
        if found is None and name not in self.broken:
            faults.add(
                "images left out: a list lacks the image",
                At(self.file.name),
                f"no line for {name} ({image_at})",
                "a line for each image",
            )
        return found


def report_twice(file: ListFile, line: int, name: str, first: int, faults: Faults) -> None:
    """Count a further line of an image."""
    faults.add(
        "lines left out: an image again",
        file.at(line),
        f"{name} a second time (first on line {first})",
        "each image once",
    )


def numbers(words: list[str]) -> list[Number] | None:
    """Return words as numbers, whole ones as integers; None if one is no finite number.

    >>> numbers(["071", "2.50"]), numbers(["7", "x"])
    ([71, 2.5], None)
    """
    try:
        return list(map(int, words))
    except ValueError:
        pass
    try:
        found = [float(word) for word in words]
    except ValueError:
        return None
    if any(abs(value) > 1e9 or value != value for value in found):
        return None
    return [int(value) if value.is_integer() else value for value in found]


def box_of(words: list[str]) -> tuple[Number, Number, Number, Number] | str:
    """Return x, y, width, height of the corners x_1 y_1 x_2 y_2, or what was found instead."""
    found = numbers(words)
    if found is None or len(found) != 4:
        return (
            f"{len(words)} words, {shown(' '.join(words))}"
            if found is None
            else (f"{len(words)} numbers after the name")
        )
    x1, y1, x2, y2 = found
    if x2 <= x1 or y2 <= y1:
        return f"{' '.join(words)}, a box without an area"
    return x1, y1, x2 - x1, y2 - y1


BOX = "x_1 y_1 x_2 y_2, four numbers with x_1 < x_2 and y_1 < y_2"
"""What `box_of` expects, for messages."""

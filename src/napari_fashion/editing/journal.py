"""The journal: every edit, undo and redo on the disk before the next one can be made.

One JSON object a line::

    {"crc":"9f3a01c2","v":1,"n":12,"time":"2026-11-29T22:41:03.120","base":"<digest>",
     "do":"edit","edit":{...},"was":[["annotations",7,"{...}"]]}

``n`` is the step's number, ``base`` the SHA-256 of the file that the edits are of, ``crc`` the CRC-32 of
the line without it, and ``was`` has the text in the file of each record that is touched for the first
time, and of the images and categories that it names, so that the journal alone tells what a person changed
and what was meant by it. A save notes the new file's
digest (``"do":"saving"``) before the file gets its name: a kill in between leaves a journal that fits
the old file or the new one, and says which edits either lacks.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from psygnal import Signal

from napari_fashion.coco import Dataset, TableName, jsontext
from napari_fashion.editing.edits import Edit, Id, RecordKey, SetValue
from napari_fashion.editing.workfiles import BASE, JOURNAL
from napari_fashion.errors import CocoError, EditError
from napari_fashion.files import read_regular, stamp_of, sync_folder

VERSION = 1
SYNC_SECONDS: Final = 0.05
"""A line is with the system at once, and on the disk after at most so long."""

Do = Literal["edit", "undo", "redo", "saving"]
_PREFIX = b'{"crc":"'


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    n: int
    time: datetime
    base: str
    do: Do
    edit: dict[str, Any] | None = None
    merged: bool = False
    was: list[tuple[TableName, Id, str | None]] = []
    to: str | None = None


@dataclass(frozen=True)
class Entry:
    """One line: what was done, and the edit that was made, taken back or made again.

    Attributes
    ----------
    number
        Of the step in the history.
    time
        When.
    do
        Which of the three.
    edit
        As it was made; of an undo it is the edit that was taken back.
    merged
        Whether it became a part of the step before it.
    """

    number: int
    time: datetime
    do: Do
    edit: Edit
    merged: bool = False


@dataclass
class Pending:
    """The edits of a journal that its file lacks.

    Attributes
    ----------
    path
        The journal.
    base
        Digest of the file that the edits are of.
    entries
        What was done since, oldest first.
    was
        The text that the base has of each record touched; None for a new one.
    damage
        What is wrong with the journal, where its rest could not be read; empty if nothing is.
    """

    path: Path
    base: str = ""
    entries: list[Entry] = field(default_factory=list)
    was: dict[RecordKey, str | None] = field(default_factory=dict)
    damage: str = ""

    def __str__(self) -> str:
        n = len(self.entries)
        what = f"{n} change{'' if n == 1 else 's'}"
        if not n:
            return f"No change can be read. {self.damage}".strip()
        text = f"{what} since {self.entries[0].time:%Y-%m-%d %H:%M} {'is' if n == 1 else 'are'} not saved."
        return f"{text} {self.damage}".strip()


class Journal:
    """Appends what an editor does to a file.

    It remembers what was done since the last save, so that it can be written again as a whole: after a line
    that could not be written, when its folder vanished, or when another version of the file takes the
    place of the one that the edits were of.

    Parameters
    ----------
    path
        The journal's file; it is made with the first line.
    base
        Digest of the file that the edits are of.
    dataset
        Whose saved records are noted when they are touched for the first time.
    deferred
        Write nothing until `rewrite`.
    """

    failed = Signal(str)
    """The journal could not be written: why. The edit is made all the same, and in memory only."""

    def __init__(self, path: Path, base: str, dataset: Dataset, *, deferred: bool = False) -> None:
        self.path = path
        self.base = base
        self.entries: list[Entry] = []
        """What was done since the last save."""
        self.is_whole = not deferred
        """Whether the file has all of it."""
        self._rested: tuple[int, ...] | None = None
        self._deferred = deferred
        self._dataset = dataset
        self._known: set[RecordKey] = set()
        self._stream: _Whole | None = None
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()

    def take_over(self, entries: Iterable[Entry]) -> None:
        """Go on behind entries that the file has already."""
        self.entries += entries
        self._known.update(key for entry in self.entries for key in entry.edit.record_keys)

    def note(self, entry: Entry) -> None:
        """Append what was done; the data set has the change already."""
        self.entries.append(entry)
        if self._deferred:
            return
        try:
            if self.is_whole and self._is_in_place():
                self._append(self._line(entry))
            else:
                self.rewrite()
        except (OSError, ValueError, RecursionError) as error:
            self.is_whole = False
            reason = getattr(error, "strerror", None) or error
            self.failed.emit(
                f"{self.path}: the journal cannot be written ({reason}). Your changes are in memory only "
                "until it can: save now, or make room; it is tried again with the next change."
            )

    def rewrite(self, *, keep_old: bool = False) -> None:
        """Rewrite everything since the last save; it takes the old journal's place in one step.

        Parameters
        ----------
        keep_old
            Keep a journal that is there as a file of its own.

        Raises
        ------
        OSError
            If it cannot be written; the journal that was there stays.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{JOURNAL}.{os.getpid()}.tmp")
        self._known.clear()
        try:
            with new.open("wb") as stream:
                for entry in self.entries:
                    stream.write(encode_line(self._line(entry)))
                stream.flush()
                os.fsync(stream.fileno())
            if keep_old and self.path.exists():
                shutil.copy2(self.path, aside_name(self.path))
            self._close()
            if self.entries:
                os.replace(new, self.path)
            else:
                self.path.unlink(missing_ok=True)
        finally:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
        sync_folder(self.path.parent)
        self.is_whole, self._deferred = True, False

    def saving(self, digest: str) -> None:
        """Note that a file with this digest is about to replace the one that the edits are of.

        Raises
        ------
        OSError
            If it cannot be written; then the file must not be replaced.
        """
        if self.path.exists():
            self._append(self._header("saving", 0) | {"to": digest})
            assert self._stream is not None
            os.fsync(self._stream.fileno())

    def saved(self, digest: str) -> None:
        """Begin a new journal: the file has everything now."""
        self._close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.base = digest
        self.entries.clear()
        self._known.clear()
        self.is_whole = True

    def rest(self) -> None:
        """Close the file, and remember what it is like (`resume`)."""
        self.close()
        self._rested = stamp_of(self.path)

    def resume(self) -> None:
        """Go on after `rest`; what another window made of the file meanwhile is put aside.

        Raises
        ------
        CocoError
            If that is not possible.
        """
        if stamp_of(self.path) != self._rested:
            if self.path.exists():
                put_journal_aside(self.path)
            self.is_whole = not self.entries
        if not self.is_whole:
            with contextlib.suppress(OSError, ValueError, RecursionError):
                self.rewrite()

    def sync(self) -> None:
        """Bring what is written to the disk."""
        with self._guard, contextlib.suppress(OSError, ValueError):
            self._timer = None
            if self._stream is not None:
                os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file; what was appended stays."""
        self.sync()
        self._close()

    def _close(self) -> None:
        with self._guard:
            if self._stream is not None:
                self._stream.close()
                self._stream = None

    def _is_in_place(self) -> bool:
        """Whether the file that is open is the one at the path: its folder may have vanished."""
        if self._stream is None:
            return not self._known or stamp_of(self.path) is not None
        try:
            here, there = os.fstat(self._stream.fileno()), os.stat(self.path)
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def _header(self, do: Do, number: int, when: datetime | None = None) -> dict[str, Any]:
        moment = (when or datetime.now()).isoformat(timespec="milliseconds")
        return {"v": VERSION, "n": number, "time": moment, "base": self.base, "do": do}

    def _line(self, entry: Entry) -> dict[str, Any]:
        line = self._header(entry.do, entry.number, entry.time) | {"edit": entry.edit.to_dict()}
        if entry.merged:
            line["merged"] = True
        was = []
        for table, key in self._touched(entry.edit):
            if (table, key) not in self._known:
                was.append([table, key, self._dataset.saved_text(table, key)])
                self._known.add((table, key))
        return line | ({"was": was} if was else {})

    def _touched(self, edit: Edit) -> list[RecordKey]:
        """Return the records that an edit changes, and the images and categories that they name."""
        keys = list(edit.record_keys)
        for change in edit.changes:
            if change.table != "annotations":
                continue
            if isinstance(change, SetValue):
                if not self._dataset.has("annotations", change.id):
                    continue
                garment = self._dataset.garment(change.id)
                named = garment.image_id, garment.category_id
            else:
                record = jsontext.loads(change.record)
                image_id, category_id = record.get("image_id"), record.get("category_id")
                named = (
                    self._dataset.find_id("images", image_id),
                    self._dataset.find_id("categories", category_id),
                )
            keys += zip(("images", "categories"), named, strict=True)
        return [key for key in dict.fromkeys(keys) if key[1] is not None]

    def _append(self, line: dict[str, Any]) -> None:
        data = encode_line(line)
        if self._stream is None:
            self._stream = self._open()
        start = os.lseek(self._stream.fileno(), 0, os.SEEK_END)
        try:
            self._stream.write(data)
        except OSError:
            with contextlib.suppress(OSError):  # no half line stays before the next one
                os.ftruncate(self._stream.fileno(), start)
            raise
        with self._guard:
            if self._timer is None:
                self._timer = threading.Timer(SYNC_SECONDS, self.sync)
                self._timer.daemon = True
                self._timer.start()

    def _open(self) -> _Whole:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stream = self.path.open("ab", buffering=0)
        if stream.tell() == 0:
            sync_folder(self.path.parent)
        else:
            _drop_torn_line(self.path, stream)
        return _Whole(stream)


class _Whole:
    """A raw stream whose `write` writes all or raises."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.fileno, self.close = stream.fileno, stream.close

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._stream.write(view) :]


def _drop_torn_line(path: Path, stream: Any) -> None:
    """Truncate a torn last line: it is unreadable, and the next one begins behind it."""
    end = path.read_bytes().rfind(b"\n") + 1
    if end < stream.tell():
        os.ftruncate(stream.fileno(), end)


def put_journal_aside(path: Path) -> Path:
    """Rename a journal so that it is not offered any more; return where it is.

    Raises
    ------
    CocoError
        If it cannot be renamed.
    """
    aside = aside_name(path)
    base = path.with_name(BASE)  # of a folder that was never saved: what its edits are of
    try:
        if base.exists():
            base.rename(aside.with_suffix(".base.json"))
        try:
            path.rename(aside)
        except OSError:
            with contextlib.suppress(OSError):
                aside.with_suffix(".base.json").rename(base)
            raise
    except OSError as error:
        raise CocoError(
            f"the journal cannot be put aside ({error.strerror}); it stays as it is.", path=path
        ) from error
    return aside


def aside_name(path: Path) -> Path:
    """Return a free name beside a journal, for one that is put aside."""
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"edits-{moment}.jsonl")
    n = 1
    while aside.exists():
        n += 1
        aside = path.with_name(f"edits-{moment}-{n}.jsonl")
    return aside


def encode_line(line: dict[str, Any]) -> bytes:
    """Return a journal line with its checksum."""
    body = json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode()
    return _PREFIX + f"{zlib.crc32(body):08x}".encode() + b'",' + body[1:] + b"\n"


def read_line(data: bytes) -> tuple[_Line, Edit | None]:
    """Read a journal line strictly.

    Raises
    ------
    EditError
        If it is torn, damaged, of a later version, or no line of a journal.
    """
    start = len(_PREFIX)
    if not data.startswith(_PREFIX) or data[start + 8 : start + 10] != b'",':
        raise EditError(f"Not a line of a journal: {data[:60]!r}.")
    body = b"{" + data[start + 10 :].rstrip(b"\r\n")
    if f"{zlib.crc32(body):08x}".encode() != data[start : start + 8]:
        raise EditError("A line of the journal is damaged: its checksum is another.")
    try:
        line = msgspec.convert(json.loads(body), _Line)
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError, OverflowError) as error:
        raise EditError(f"Not a line of a journal: {error}.") from error
    if not 1 <= line.v <= VERSION:
        raise EditError(
            f"A journal of version {line.v}; expected {VERSION} or earlier. Use a newer "
            "napari-fashion to read it."
        )
    if (line.do == "saving") != (line.edit is None) or (line.do == "saving") != bool(line.to):
        raise EditError(f"Not a line of a journal: {line.do!r} without what it is about.")
    return line, None if line.edit is None else Edit.from_dict(line.edit)


def read_journal(path: Path, digest: str | None) -> Pending | None:
    """Return what a journal has that the file lacks; None if that is nothing.

    A torn last line costs that line. A line in the middle that is damaged ends the reading: what
    follows may build on it.

    Parameters
    ----------
    digest
        Of the file as it is; the edits before a save that it has are left out.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Pending(path, damage=f"The journal {path} cannot be read ({error.strerror}).")
    lines = data.split(b"\n")
    lines.pop()  # empty, or torn: a line ends with its line end
    pending = Pending(path)
    for i, text in enumerate(lines):
        if not text:
            continue
        try:
            line, edit = read_line(text)
        except EditError as error:
            rest = sum(1 for more in lines[i:] if more)
            pending.damage = (
                f"Line {i + 1} of the journal {path} cannot be read ({error}), and so {rest} "
                f"line{'s' if rest > 1 else ''} from there on are left out."
            )
            break
        if edit is None:
            if line.to == digest:  # the file has everything up to here
                pending.entries.clear()
                pending.was.clear()
                pending.base = line.to or ""
            continue
        if not pending.entries and not pending.base:
            pending.base = line.base
        pending.entries.append(Entry(line.n, line.time, line.do, edit, line.merged))
        for table, key, was in line.was:
            pending.was.setdefault((table, key), was)
    if not pending.entries and not pending.damage:
        return None
    return pending

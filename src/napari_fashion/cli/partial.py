"""What a prediction has found so far, in files that survive a kill.

A line of JSON a batch of images, after a first line with what they belong to. A last line that
was not written whole is removed, and its batch is predicted again: what comes out in the end is
the same to the byte as without the interruption.

With several processes each has a file of its own: NAME.partial is the first one's, NAME.partial-1
the second one's. The images are dealt to the processes in blocks that depend on the images alone,
so that a prediction can be gone on with by any number of processes.
"""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from napari_fashion.engine.distributed import processes
from napari_fashion.errors import FashionError
from napari_fashion.files import atomic_write, open_regular

if TYPE_CHECKING:
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.ids import RecordId

FORMAT = "napari-fashion partial predictions"
VERSION = 1


def digest_of(dataset: Dataset) -> str:
    """Return a digest of what is predicted on: the file's, or of all images' records."""
    if dataset.state is not None:
        return dataset.state.digest
    digest = hashlib.sha256()
    for chunk in dataset.chunks():
        digest.update(chunk)
    digest.update(os.fsencode(os.path.abspath(dataset.image_root)))
    return digest.hexdigest()


class Partial:
    """The files of one prediction.

    Parameters
    ----------
    path
        The first process's file.
    of
        What it is of: JSON values that must be the same to go on.
    ids
        Of the images, in their order.
    block
        Number of images in a row that are dealt to one process.

    Attributes
    ----------
    done
        Number of images done, as far as this process knows: by all when it began, and by itself.
    """

    def __init__(self, path: Path, of: dict[str, Any], ids: Sequence[RecordId], block: int) -> None:
        self.path = path
        self._ids = ids
        self._of = json.loads(json.dumps(of))
        self._block = block
        self._stream: IO[bytes] | None = None
        self._mine: list[tuple[int, int]] = []
        self.done = 0

    def begin(self, *, resume: bool, overwrite: bool) -> None:
        """Begin, or go on; every process has to.

        Raises
        ------
        FashionError
            If there is something to go on with and no option for what to do with it; if there is nothing
            to go on with, or it is of something else.
        """
        together = processes()

        def ready() -> tuple[dict[str, Any], list[tuple[int, int]]]:
            return self._of, self._begin_first(resume=resume, overwrite=overwrite)

        of, done = together.from_first(ready)
        if differ := [key for key in of if self._of[key] != of[key]]:
            raise FashionError(
                f"Process {together.rank} of {together.size} finds other {', '.join(differ)} than the "
                "first; expected the same files for all processes. Use folders that all machines share."
            )
        self.done = sum(stop - start for start, stop in done)
        left = _blocks(done, len(self._ids), self._block)
        self._mine = [part for block in left[together.rank :: together.size] for part in block]
        own = self._file(together.rank)
        own.parent.mkdir(parents=True, exist_ok=True)
        if not own.exists():
            head = {"format": FORMAT, "version": VERSION, "of": self._of}
            atomic_write(own, json.dumps(head).encode() + b"\n", overwrite=False)
        self._stream = open(own, "ab")  # noqa: SIM115  (closed by `close`)

    def _begin_first(self, *, resume: bool, overwrite: bool) -> list[tuple[int, int]]:
        """Read or remove what is there; return the ranges of images that are done."""
        there = self._files()
        if resume:
            return self._go_on(there)
        if there and not overwrite:
            raise FashionError(
                f"{there[0]} is what an interrupted prediction has found. Go on with --resume, or begin "
                "again with --overwrite."
            )
        for path in there:
            self._read_format(path)
        for path in there:
            path.unlink()
        return []

    def _file(self, rank: int) -> Path:
        return self.path if rank == 0 else self.path.with_name(f"{self.path.name}-{rank}")

    def _files(self) -> list[Path]:
        """Return the files that are there, of however many processes."""
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.path.parent):
                name, _, number = entry.name.rpartition("-")
                if name == self.path.name and number.isdecimal() and len(number) < 9:
                    found[int(number)] = self.path.with_name(entry.name)
        first = [self.path] if os.path.lexists(self.path) else []
        return [*first, *(found[number] for number in sorted(found))]

    def _go_on(self, files: Sequence[Path]) -> list[tuple[int, int]]:
        """Check the files, and remove what is no result from them."""
        ends = [self._read_head(path) for path in files]
        done: list[tuple[int, int]] = []
        for path, end in zip(files, ends, strict=True):
            with open_regular(path) as stream:
                stream.seek(end)
                for line in stream:
                    chunk = _parsed(line)
                    if chunk is None or not self._fits(chunk, done):
                        break
                    bisect.insort(done, (chunk["start"], chunk["start"] + chunk["n"]))
                    end += len(line)
            os.truncate(path, end)
        return done

    def _fits(self, chunk: dict[str, Any], done: list[tuple[int, int]]) -> bool:
        """Whether a line is what `add` writes, of images that are not in another line.

        What comes after one that is not is removed.
        """
        start, n, found, left_out = (chunk.get(key) for key in ("start", "n", "found", "left_out"))
        if type(start) is not int or type(n) is not int or n <= 0:
            return False
        if start < 0 or start + n > len(self._ids):
            return False
        place = bisect.bisect(done, (start, start))
        before, after = done[:place][-1:], done[place : place + 1]
        return (
            all(stop <= start for _, stop in before)
            and all(start + n <= other for other, _ in after)
            and isinstance(found, list)
            and all(
                isinstance(pair, list)
                and len(pair) == 2
                and pair[0] in self._ids[start : start + n]
                and isinstance(pair[1], list)
                and all(_is_result(record) for record in pair[1])
                for pair in found
            )
            and isinstance(left_out, list)
            and all(
                isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) for t in pair)
                for pair in left_out
            )
        )

    def _read_format(self, path: Path) -> tuple[dict[str, Any], int]:
        """Return the first line and where it ends; FashionError if the file is not ours."""
        with open_regular(path) as stream:
            line = stream.readline(1 << 20)
        head = _parsed(line)
        if head is None or head.get("format") != FORMAT or head.get("version") != VERSION:
            raise FashionError(
                f"{path} is not what an interrupted prediction left; expected a file that predict "
                "wrote. Move it away, or name another --out."
            )
        return head, len(line)

    def _read_head(self, path: Path) -> int:
        """Check that the file is of the same thing; return where its first line ends."""
        head, end = self._read_format(path)
        other = head.get("of")
        other = other if isinstance(other, dict) else {}
        differ = [key for key in self._of if other.get(key) != self._of[key]]
        if differ:
            raise FashionError(
                f"{path} is of another prediction: {', '.join(differ)} "
                f"{'differs' if len(differ) == 1 else 'differ'}. Give the same inputs and options to go "
                "on, or begin again with --overwrite and without --resume."
            )
        return end

    @property
    def left(self) -> int:
        """Number of images that this process has to do."""
        return sum(stop - start for start, stop in self._mine)

    def ranges(self) -> Iterator[range]:
        """Yield the images that this process has to do, as ranges of places; blocks at most."""
        for start, stop in self._mine:
            yield range(start, stop)

    def add(
        self, start: int, n: int, found: list[list[Any]], left_out: list[tuple[str, str]]
    ) -> None:
        """Keep what was found in `n` images from place `start` on: ``[image id, results]`` each."""
        assert self._stream is not None
        chunk = {"start": start, "n": n, "found": found, "left_out": left_out}
        self._stream.write(json.dumps(chunk).encode() + b"\n")
        self._stream.flush()
        self.done += n

    def count(self) -> int:
        """Return the number of images that all processes have done so far."""
        return sum(n for _, n, _, _ in self._lines())

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Yield what all processes kept, in the order of the images."""
        with contextlib.ExitStack() as stack:
            streams = {path: stack.enter_context(path.open("rb")) for path in self._files()}
            for _, _, path, offset in sorted(self._lines()):
                streams[path].seek(offset)
                yield json.loads(streams[path].readline())

    def _lines(self) -> Iterator[tuple[int, int, Path, int]]:
        """Yield first place and number of images of every whole line, its file, and where it is."""
        for path in self._files():
            with path.open("rb") as stream:
                offset = len(stream.readline())
                for line in stream:
                    if (chunk := _parsed(line)) is not None:
                        yield chunk["start"], chunk["n"], path, offset
                    offset += len(line)

    def close(self) -> None:
        """Close this process's file; it stays."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def remove(self) -> None:
        """Remove the files: what they had is in the results."""
        for path in self._files():
            path.unlink()


def _blocks(done: Sequence[tuple[int, int]], n: int, size: int) -> list[list[tuple[int, int]]]:
    """Return what is left of each block of `size` images out of `n`, as ranges; whole ones first to last.

    `done` has ranges, ascending and apart from each other. Blocks without anything left are left out.
    """
    gaps = []
    place = 0
    for start, stop in [*done, (n, n)]:
        if start > place:
            gaps.append((place, start))
        place = stop
    blocks: dict[int, list[tuple[int, int]]] = {}
    for start, stop in gaps:
        while start < stop:
            block = start // size
            end = min(stop, (block + 1) * size)
            blocks.setdefault(block, []).append((start, end))
            start = end
    return [blocks[block] for block in sorted(blocks)]


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "image_id": object,
    "category_id": object,
    "keypoints": list,
    "score": (int, float),
    "keypoint_scores": list,
    "category_scores": dict,
    "source": str,
}


def _is_result(record: object) -> bool:
    """Whether a value has what a result needs to be used again."""
    return isinstance(record, dict) and all(
        key in record and isinstance(record[key], kind) for key, kind in _FIELDS.items()
    )


def _parsed(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

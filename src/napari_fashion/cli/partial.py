"""What a prediction has found so far, in a file that survives a kill.

A line of JSON a batch of images, after a first line with what they belong to. A last line that
was not written whole is removed, and its batch is predicted again: what comes out in the end is
the same to the byte as without the interruption.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from napari_fashion.errors import FashionError
from napari_fashion.files import open_regular

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
    """The file of one prediction.

    Parameters
    ----------
    path
        The file.
    of
        What it is of: JSON values that must be the same to go on.
    ids
        Of the images, in their order.

    Attributes
    ----------
    done
        Number of images done.
    """

    def __init__(self, path: Path, of: dict[str, Any], ids: Sequence[RecordId]) -> None:
        self.path = path
        self._ids = ids
        self._of = json.loads(json.dumps(of))
        self._stream: IO[bytes] | None = None
        self.done = 0

    def begin(self, *, resume: bool, overwrite: bool) -> None:
        """Begin, or go on.

        Raises
        ------
        FashionError
            If there is something to go on with and no option for what to do with it; if there is nothing
            to go on with, or it is of something else.
        """
        there = os.path.lexists(self.path)
        if resume and there:
            self._go_on()
            return
        if there and not overwrite:
            raise FashionError(
                f"{self.path} is what an interrupted prediction has found. Go on with --resume, or begin "
                "again with --overwrite."
            )
        if there:
            self._read_format()
            self.path.unlink()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = open(self.path, "xb")  # noqa: SIM115  (closed by `close`)
        self._write({"format": FORMAT, "version": VERSION, "of": self._of})

    def _go_on(self) -> None:
        end = self._read_head()
        with open_regular(self.path) as stream:
            stream.seek(end)
            for line in stream:
                chunk = _parsed(line)
                if chunk is None or not self._follows(chunk):
                    break
                self.done += chunk["n"]
                end += len(line)
        os.truncate(self.path, end)
        self._stream = open(self.path, "ab")  # noqa: SIM115

    def _follows(self, chunk: dict[str, Any]) -> bool:
        """Whether a line is what `add` writes next; what comes after one that is not is removed."""
        n, found, left_out = (chunk.get(key) for key in ("n", "found", "left_out"))
        return (
            type(n) is int
            and 0 < n <= len(self._ids) - self.done
            and chunk.get("start") == self.done
            and isinstance(found, list)
            and all(
                isinstance(pair, list)
                and len(pair) == 2
                and pair[0] in self._ids[self.done : self.done + n]
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

    def _read_format(self) -> tuple[dict[str, Any], int]:
        """Return the first line and where it ends; FashionError if the file is not ours."""
        with open_regular(self.path) as stream:
            line = stream.readline(1 << 20)
        head = _parsed(line)
        if head is None or head.get("format") != FORMAT or head.get("version") != VERSION:
            raise FashionError(
                f"{self.path} is not what an interrupted prediction left; expected a file that predict "
                "wrote. Move it away, or name another --out."
            )
        return head, len(line)

    def _read_head(self) -> int:
        """Check that the file is of the same thing; return where its first line ends."""
        head, end = self._read_format()
        other = head.get("of")
        other = other if isinstance(other, dict) else {}
        differ = [key for key in self._of if other.get(key) != self._of[key]]
        if differ:
            raise FashionError(
                f"{self.path} is of another prediction: {', '.join(differ)} "
                f"{'differs' if len(differ) == 1 else 'differ'}. Give the same inputs and options to go "
                "on, or begin again with --overwrite and without --resume."
            )
        return end

    def add(
        self, start: int, n: int, found: list[list[Any]], left_out: list[tuple[str, str]]
    ) -> None:
        """Keep what was found in `n` images from place `start` on: ``[image id, results]`` each."""
        self._write({"start": start, "n": n, "found": found, "left_out": left_out})
        self.done = start + n

    def _write(self, value: dict[str, Any]) -> None:
        assert self._stream is not None
        self._stream.write(json.dumps(value).encode() + b"\n")
        self._stream.flush()

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Yield what was kept, in order."""
        with self.path.open("rb") as stream:
            stream.readline()
            for line in stream:
                yield json.loads(line)

    def close(self) -> None:
        """Close the file; it stays."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def remove(self) -> None:
        """Remove the file: what it had is in the results."""
        self.path.unlink()


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

"""COCO documents that are written while they are made: records wait in files, never in memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import msgspec

from napari_fashion.coco import provenance
from napari_fashion.coco.convert.items import Garment, Item, Part
from napari_fashion.coco.image_places import relative_root
from napari_fashion.coco.records import (
    Record,
    category_record,
    category_records,
    converted_record,
    image_record,
)

_CHUNK = 1 << 20


class Growing:
    """The document of a part, to which images are added.

    Parameters
    ----------
    part
        The part.
    path
        The file that it becomes.
    folder
        Where its records wait.
    """

    def __init__(self, part: Part, path: Path, folder: Path) -> None:
        self.part = part
        self.path = path
        self.images = 0
        self.garments = 0
        categories = part.categories
        if categories is None and part.own_landmarks:
            categories = _own_categories(part)
        self.categories: list[Record] = categories or category_records(part.schema)
        self._ids = [record["id"] for record in self.categories]
        self._own = (
            [part.schema.landmarks_of_category(i) for i in range(len(part.schema.categories))]
            if part.own_landmarks
            else None
        )
        self._encode = msgspec.json.Encoder().encode
        self._files = ExitStack()
        self._image_file = self._waiting(folder)
        self._garment_file = self._waiting(folder)

    def _waiting(self, folder: Path) -> IO[bytes]:
        file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (until `close`)
        return self._files.enter_context(file)

    def close(self) -> None:
        """Let the waiting records go."""
        self._files.close()

    def add(self, item: Item, size: tuple[int, int]) -> None:
        """Add an image of a size (width, height in pixels) and its garments."""
        self.images += 1
        image_id = self.images if item.record_id is None else item.record_id
        record = {**image_record(image_id, item.name, *size), **item.more}
        before = b",\n" if self.images > 1 else b"\n"
        self._image_file.write(before + self._encode(record))
        for garment in item.garments:
            self.garments += 1
            before = b",\n" if self.garments > 1 else b"\n"
            self._garment_file.write(before + self._encode(self._record(garment, image_id)))

    def _record(self, garment: Garment, image_id: Any) -> Record:
        flat = garment.keypoints
        if self._own is not None:
            flat = [v for i in self._own[garment.category] for v in flat[3 * i : 3 * i + 3]]
        return converted_record(
            self.garments if garment.record_id is None else garment.record_id,
            image_id,
            self._ids[garment.category],
            keypoints=flat,
            bbox=garment.bbox,
            more=garment.more,
            fashion=garment.fashion,
        )

    def chunks(self, image_root: Path) -> Iterator[bytes]:
        """Yield the document.

        Parameters
        ----------
        image_root
            Folder that the names of images are relative to; it is noted relative to the document.
        """
        info = dict(self.part.top.get("info") or {})
        ours = {
            **self.part.info,
            "image_root": relative_root(image_root, self.path.parent),
            "schema": self.part.schema.to_note(),
        }
        top = {**self.part.top, "info": {**info, provenance.KEY: ours}}
        yield b"{"
        for key, value in top.items():
            yield json.dumps(key).encode() + b":" + json.dumps(value).encode() + b",\n"
        yield b'"images":['
        yield from _whole(self._image_file)
        yield b'],\n"annotations":['
        yield from _whole(self._garment_file)
        yield b'],\n"categories":[\n'
        yield b",\n".join(self._encode(record) for record in self.categories)
        yield b"\n]}\n"


def _own_categories(part: Part) -> list[Record]:
    """Return category records that list the category's own landmarks."""
    own = (part.schema.of_category(category.name) for category in part.schema.categories)
    return [category_record(schema, 0, i + 1) for i, schema in enumerate(own)]


def _whole(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk

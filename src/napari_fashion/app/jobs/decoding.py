"""Images decoded ahead in a thread, and kept within a limit of bytes."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from napari_fashion.editing.editor import Editor
from napari_fashion.errors import FashionError
from napari_fashion.images import ReducedImage, read_reduced

KEPT_BYTES = 64 << 20
"""Decoded images that are kept: some 30 at the size of a screen, or a whole one of 12 megapixels."""
WHOLE = (1 << 30, 1 << 30)
"""Larger than any image: what is shown within it is not reduced."""
LOOKED_AT = 50
"""Images that are looked at for the next one that is not reviewed."""


@dataclass(frozen=True)
class Wanted:
    """An image as it is to be shown.

    Attributes
    ----------
    path
        The file.
    size
        Width and height that the annotation file gives, if known (`read_image`).
    within
        Width and height in pixels of what it is shown in; `WHOLE`: not reduced.
    """

    path: Path
    size: tuple[int, int] | None
    within: tuple[int, int]


Key = tuple[Wanted, tuple[int, int] | None]


class Decoding:
    """Decodes images before they are asked for; one that fails says so only when it is.

    A file that was changed since is read again. Nothing here waits for the person, and `get` alone
    raises.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self.limit = limit
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="decoding")
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, ReducedImage] = OrderedDict()
        self._begun: dict[Key, Future[ReducedImage]] = {}
        self._closed = False

    def get(self, wanted: Wanted) -> ReducedImage:
        """Return an image: from those that are kept, else read now.

        Raises
        ------
        ImageError
            As of `read_image`.
        """
        key = _key(wanted)
        with self._lock:
            found, future = self._find(key), self._begun.get(key)
            if future is not None and future.cancel():
                del self._begun[key]
                future = None
        if found is None and future is not None:
            return future.result()
        return self._read(key) if found is None else found

    def look(self, wanted: Wanted) -> ReducedImage | None:
        """Return an image if it is kept."""
        with self._lock:
            return self._find(_key(wanted))

    def ahead(self, wanted: Iterable[Wanted]) -> None:
        """Decode these in the background, in this order, in place of what was asked for before."""
        keys = [_key(one) for one in wanted]
        with self._lock:
            for key, future in list(self._begun.items()):
                if key not in keys and future.cancel():
                    del self._begun[key]
            for key in keys:
                if not self._closed and key not in self._kept and key not in self._begun:
                    self._begun[key] = self._pool.submit(self._in_thread, key)

    def fetch(self, wanted: Wanted) -> Future[ReducedImage] | None:
        """Decode one in the background besides; None after `close`."""
        key = _key(wanted)
        with self._lock:
            if self._closed:
                return None
            if (future := self._begun.get(key)) is None:
                future = self._begun[key] = self._pool.submit(self._in_thread, key)
            return future

    def close(self) -> None:
        """Let go of everything; waits for the image at hand."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(cancel_futures=True)
        self._kept.clear()
        self._begun.clear()

    def _find(self, key: Key) -> ReducedImage | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _in_thread(self, key: Key) -> ReducedImage:
        try:
            return self._read(key)
        finally:
            with self._lock:
                self._begun.pop(key, None)

    def _read(self, key: Key) -> ReducedImage:
        with self._lock:
            if (found := self._find(key)) is not None:
                return found
        wanted, state = key
        image = read_reduced(wanted.path, wanted.within, size=wanted.size)
        with self._lock:
            if state is not None and not self._closed and _key(wanted) == key:
                self._kept[key] = image
                self._shrink()
        return image

    def _shrink(self) -> None:
        size = sum(image.rgb.nbytes for image in self._kept.values())
        while size > self.limit and len(self._kept) > 1:
            size -= self._kept.popitem(last=False)[1].rgb.nbytes


def _key(wanted: Wanted) -> Key:
    """Return what an image is kept under: with the state of its file, None if it cannot be told."""
    try:
        status = os.stat(wanted.path)
    except (OSError, ValueError):
        return wanted, None
    return wanted, (status.st_mtime_ns, status.st_size)


def neighbours(editor: Editor, within: tuple[int, int]) -> list[Wanted]:
    """Return the images that are likely to be shown next, the likeliest first.

    The next one, the previous one, and the next that is not reviewed. One whose file may not be read
    is left out.
    """
    ids, here = editor.image_ids, editor.index
    places = [i for i in (here + 1, here - 1) if 0 <= i < len(ids)]
    for i in range(here + 2, min(here + 2 + LOOKED_AT, len(ids))):
        if not editor.dataset.image(ids[i]).reviewed:
            places.append(i)
            break
    found = []
    for image in (editor.dataset.image(ids[i]) for i in places):
        with contextlib.suppress(FashionError):
            found.append(Wanted(image.path, image.known_size, within))
    return found

"""The image files of an export: linked, copied or left where they are, each under a name of its own."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from napari_fashion.coco.convert.writers import Work
from napari_fashion.coco.views import Image
from napari_fashion.errors import ImageError
from napari_fashion.files import is_file

_DRIVE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
MISSING = "images whose files cannot be read, left out with their garments"
UNSIZED = "images of unknown size, left out with their garments"
COPIED = "images copied, since the disk cannot link them"
RENAMED = "images under another name: unique, inside of the folder, and without what the format cannot have"


class Placer:
    """Places image files below a folder; a name is given once.

    Parameters
    ----------
    work
        The export at hand.
    folder
        Where to, relative to the export's; ignored if images are left where they are.
    key
        What has to be unique of a name; by default all of it, letters of both cases being one.
    rename
        What a name has to become for the format.
    """

    def __init__(
        self,
        work: Work,
        folder: str,
        *,
        key: Callable[[str], str] = lambda name: name,
        rename: Callable[[str], str] = lambda name: name,
    ) -> None:
        self._work = work
        self._root = work.folder / folder
        self._key = key
        self._rename = rename
        # Hashes: 300,000 names themselves would take several times as much memory.
        self._taken: dict[int, int] = {}
        self._folders: set[str] = set()

    def place(self, image: Image) -> tuple[str, tuple[int, int]] | None:
        """Place an image; return its name below the folder and its size in pixels.

        None if it is left out, which is counted: its file or its size is missing. Where images are
        left in place the name is the record's.
        """
        tally = self._work.tally
        if self._work.options.images == "leave":
            size = self._size(image)
            return None if size is None else (image.file_name, size)
        try:
            source = image.path
            if not is_file(source):
                raise ImageError(f"{image.file_name[:200]}: no file {source}")
        except ImageError as error:
            tally.add(MISSING, str(error))
            return None
        size = self._size(image)
        if size is None:
            return None
        name = self._name(image.file_name, os.fspath(source))
        target = self._root / name
        folder = posixpath.dirname(name)
        if folder not in self._folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        if not os.path.lexists(target):
            self._put(source, target)
        return name, size

    def _size(self, image: Image) -> tuple[int, int] | None:
        try:
            return image.size
        except ImageError as error:
            self._work.tally.add(UNSIZED, str(error))
            return None

    def _name(self, file_name: str, source: str) -> str:
        name = self._rename(inner_name(file_name))
        stem, suffix = posixpath.splitext(name)
        n, identity = 1, hash(source)
        while self._taken.setdefault(hash(self._key(name).casefold()), identity) != identity:
            n += 1
            name = f"{stem}-{n}{suffix}"
        if name != file_name and not name.endswith(f"/{file_name}"):  # img/a.jpg is a.jpg
            self._work.tally.add(RENAMED, f"{file_name} is {name}")
        return name

    def _put(self, source: Path, target: Path) -> None:
        if self._work.options.images == "hardlink":
            try:
                os.link(os.path.realpath(source), target)
                return
            except OSError as error:
                if not source.exists():
                    raise
                self._work.tally.add(COPIED, f"{source}: {error.strerror}")
        shutil.copy2(source, target)


def inner_name(file_name: str) -> str:
    r"""Return a name below a folder for a ``file_name``; of one that leads elsewhere the last part.

    >>> inner_name("a/./b.jpg"), inner_name("../b.jpg"), inner_name("C:\\x\\b.jpg")
    ('a/b.jpg', 'b.jpg', 'b.jpg')
    """
    name = file_name if os.path.sep in file_name else file_name.replace("\\", "/")
    leads_out = name.startswith("/") or _DRIVE.match(name) is not None
    name = posixpath.normpath(name)
    if leads_out or name.split("/")[0] == "..":
        name = posixpath.basename(name)
    return name

"""Where the images of a data set lie, and which files of the machine may be read as such."""

from __future__ import annotations

import errno
import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from napari_fashion.errors import ImageError, OutsideRootError
from napari_fashion.images.formats import SUFFIXES
from napari_fashion.images.roots import is_too_wide, remembered_roots
from napari_fashion.tally import Tally

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/*")
_DRIVE = re.compile(r"[A-Za-z]:")
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_ONLY_NAMED = "lies in a folder that no person has named"
_ANNOTATIONS = re.compile(r"annotations?|anno.*|labels?|json|coco", re.IGNORECASE)
"""Folders of annotations whose images may lie in the folder above."""
_TAIL_PARTS = 32
"""Maximum number of last parts of an absolute name that are searched for below the root."""


Origin = Literal["given", "own", "found"]
"""Whether a person gave the root, it is the file's own folder, or it was noted or found."""


class ImageFolder:
    """Resolves the ``file_name`` of records, inside a root and the other folders that are allowed.

    A name is checked as text before the file system is asked about it: one that leads out of the
    root (absolute, ``..``, a drive, another machine, an address) is never touched, unless it lies in
    an allowed folder, or in one that was remembered (`remember_root`). Links count by where they lead.
    Folders are resolved once.

    Parameters
    ----------
    root
        The folder that names are relative to.
    allowed
        Other folders that a person allowed.
    trusted
        Whether the root itself is allowed; not if only the file names it.
    origin
        Where the root comes from. Only one that was given is searched for the end of an address.
    """

    def __init__(
        self,
        root: Path | str,
        allowed: Iterable[Path | str] = (),
        *,
        trusted: bool = True,
        origin: Origin = "given",
    ) -> None:
        self.root = Path(root)
        self.allowed = tuple(Path(folder) for folder in allowed)
        self.trusted = trusted
        self.origin = origin
        self._agreed: tuple[str, ...] | None = None
        self._places: tuple[str, ...] | None = None
        self._texts: tuple[str, ...] | None = None
        self._folders: dict[str, str | ImageError] = {}
        self._spellings: dict[str, dict[str, str]] = {}
        self._tails: dict[str, int] = {}
        self._taken: dict[str, str] = {}
        self._root_text = str(self.root)

    def __repr__(self) -> str:
        return f"ImageFolder({str(self.root)!r}, allowed={[str(a) for a in self.allowed]})"

    def path(self, file_name: object) -> Path:
        """Return the path of an image by its ``file_name``; the file need not be there.

        Backslashes are taken as separators where there is no file of that very name, and a name in
        another Unicode form than the disk's is found. An absolute name of another machine is searched
        for below the root by its longest ending that is there, an address only below a root that was
        given.

        Raises
        ------
        OutsideRootError
            If it lies outside what is allowed.
        ImageError
            If it is no name of a file: not text, empty, or refused by the system; or if it ends like
            another absolute name that was taken for the same file.
        """
        name = checked_name(file_name)
        try:
            try:
                return self._path(name)
            except OutsideRootError as error:
                if not self._was_agreed(error):
                    raise
                return self._path(name)
        except (OSError, ValueError, RuntimeError) as error:
            raise ImageError(
                f"{name[:80]}: cannot be searched for ({error}); expected the name of an image file."
            ) from error

    def _path(self, name: str) -> Path:
        if "\\" in name and os.sep == "/":
            plain = self._outside(name) is None and self._find(name)
            if plain and os.path.lexists(plain):
                return Path(plain)
            name = name.replace("\\", "/")
        why = self._outside(name)
        if why is None:
            return Path(self._find(name))
        if why == "..":
            target = self._joined(name)
            if self._is_allowed_text(target):
                return Path(self._find(target))
            raise self._refusal(name, os.path.dirname(target), f"leads out of {self.root}")
        is_web = why == "an address" and not name.lower().startswith("file:")
        found = None if is_web and self.origin != "given" else self._tail(name)
        if found is not None:
            return Path(found)
        here = why == "an absolute path" and os.path.isabs(name)
        raise self._refusal(name, posixpath.dirname(name) or name if here else None, f"is {why}")

    def _was_agreed(self, error: OutsideRootError) -> bool:
        """Allow the remembered folder that a refused image lies in; False if there is none."""
        if error.folder is None:
            return False
        if self._agreed is None:  # read once, and only where some name leads out
            self._agreed = remembered_roots()
        wanted = os.path.normpath(error.folder)
        found = next((root for root in self._agreed if _is_inside(wanted, root)), None)
        if found is None or Path(found) in self.allowed:
            return False
        self.allowed = (*self.allowed, Path(found))
        self._places = self._texts = None
        self._folders.clear()
        return True

    # -- as text ---------------------------------------------------------------------------

    def _outside(self, name: str) -> str | None:
        """Return why a name leads out of the root, as a text alone; None if it does not."""
        absolute = _absolute(name)
        if absolute is None:
            return ".." if ".." in name and _climbs(name) else None
        if absolute == "an absolute path" and os.path.isabs(name):
            return None if self._is_allowed_text(os.path.normpath(name)) else absolute
        return absolute

    def _joined(self, name: str) -> str:
        """Return where a name leads from the root, as a text; links of the root count."""
        root = self._allowed()[0] if self.trusted else os.path.abspath(self._root_text)
        return os.path.normpath(os.path.join(root, name))

    def _is_allowed_text(self, path: str) -> bool:
        if self._texts is None:
            own = [self.root] if self.trusted else []
            absolute = (os.path.abspath(folder) for folder in (*own, *self.allowed))
            self._texts = (*absolute, *self._allowed())
        return any(_is_inside(path, text) for text in self._texts)

    # -- on the disk -----------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether the root may be accessed: one that only the file names may not."""
        return self.trusted or self._is_allowed_text(os.path.abspath(self._root_text))

    def _allowed(self) -> tuple[str, ...]:
        """Return the folders that are allowed, resolved."""
        if self._places is None:
            own = [self.root] if self.trusted else []
            self._places = tuple(os.path.realpath(folder) for folder in (*own, *self.allowed))
        return self._places

    def _find(self, name: str) -> str:
        """Return where a name lies that leads nowhere else as a text; ImageError if links do."""
        if not self.usable and not os.path.isabs(name):
            raise self._refusal(name, self._root_text, _ONLY_NAMED)
        head, leaf = os.path.split(name)
        folder = self._folder(head)
        path = os.path.join(folder, leaf)
        try:
            status = os.lstat(path)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise ImageError(
                    f"{name[:80]}: the system refuses this name ({error.strerror or error}); expected "
                    "the name of an image file."
                ) from None
            if leaf.isascii():
                return path
            found = self._spelling(folder, leaf)
            if found is None:
                return path
            path = os.path.join(folder, found)
            status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            self._check_inside(name, os.path.realpath(path))
        return path

    def _folder(self, head: str) -> str:
        """Return a folder below the root, checked once; raise an error if it leads out."""
        known = self._folders.get(head)
        if known is None:
            known = self._folders[head] = self._checked_folder(head)
        if isinstance(known, ImageError):
            raise known.with_traceback(None)
        return known

    def _checked_folder(self, head: str) -> str | ImageError:
        try:
            if not head or head == "/":
                path = head or self._root_text
            else:
                above, last = os.path.split(head)
                if above == head:  # a drive
                    path = head
                else:
                    parent = self._folder(above) if not os.path.isabs(head) else above
                    path = os.path.join(parent, last)
                    if not last.isascii() and not os.path.lexists(path):
                        path = os.path.join(parent, self._spelling(parent, last) or last)
            self._check_inside(head, os.path.realpath(path))
        except ImageError as error:
            return error
        except (OSError, ValueError, RuntimeError) as error:
            return ImageError(f"{head[:80]}: cannot be read ({error}); expected a folder.")
        return path

    def _check_inside(self, name: str, resolved: str) -> None:
        if not any(_is_inside(resolved, place) for place in self._allowed()):
            folder = resolved if os.path.isdir(resolved) else os.path.dirname(resolved)
            raise self._refusal(name, folder, f"leads to {resolved[:200]}")

    def _spelling(self, folder: str, name: str) -> str | None:
        """Return how the disk writes a name that differs in its Unicode form only."""
        known = self._spellings.get(folder)
        if known is None:
            known = self._spellings[folder] = {}
            try:
                for entry in os.listdir(folder):
                    if not entry.isascii():
                        known.setdefault(unicodedata.normalize("NFC", entry), entry)
            except OSError:
                pass
        return known.get(unicodedata.normalize("NFC", name))

    def _tail(self, name: str) -> str | None:
        """Return the file below the root that has the longest ending of an absolute name."""
        parts = [
            p for p in re.split(r"[/\\]+", _SCHEME.sub("", name, count=1)) if p not in ("", ".")
        ]
        parts = parts[-_TAIL_PARTS:]
        if not parts or ".." in parts:
            return None
        head = "/".join(parts[:-1])
        starts = list(range(len(parts)))
        if (hint := self._tails.get(head)) is not None:
            starts.insert(0, hint)
        for start in starts:
            try:
                found = self._find("/".join(parts[start:]))
            except ImageError:
                continue
            if os.path.isfile(found):
                self._tails[head] = start
                whole = "/".join(parts)
                if (other := self._taken.setdefault(found, whole)) != whole:
                    raise ImageError(
                        f"{name[:200]}: only {'/'.join(parts[start:])[:200]} is there, which "
                        f"{other[:200]} was taken for already; expected a file for each. Put the images "
                        "into folders as they are named, or correct file_name."
                    )
                return found
        return None

    def _refusal(self, name: str, folder: str | None, why: str) -> OutsideRootError:
        if folder is None:
            return OutsideRootError(
                f"{name[:200]}: {why}, and no path of this machine; images are read from "
                f"{_texts(self)} only. Give the folder of the images (in a command: --images), or put "
                "them beside the file.",
                path=name,
                folder=None,
            )
        return OutsideRootError(
            f"{name[:200]}: {why}; images are read from {_texts(self)} only. If they may be "
            f"read from {folder[:200]} too, allow that folder (in a command: --allow-root).",
            path=name,
            folder=Path(folder),
        )


def checked_name(file_name: object) -> str:
    """Return a ``file_name`` that the system can be asked about.

    Raises
    ------
    ImageError
        If it is no text, empty, or has letters that no file name can have.
    """
    if file_name is None or file_name == "":
        raise ImageError("no file_name; expected the name of an image file.")
    if not isinstance(file_name, str):
        raise ImageError(
            f"the file_name {repr(file_name)[:60]}; expected the name of an image file, a text."
        )
    try:
        if "\0" in file_name:
            raise ValueError("a null character")
        os.fsencode(file_name)
    except ValueError:
        raise ImageError(
            f"the file_name {file_name[:60]!r}, which no file can have; expected the name of an "
            "image file."
        ) from None
    if not file_name.strip("/\\. "):
        raise ImageError(f"the file_name {file_name[:60]!r}; expected the name of an image file.")
    return file_name


def image_files(
    folder: Path | str,
    *,
    allowed: Iterable[Path | str] = (),
    left_out: list[tuple[Path, str]] | None = None,
    passed_over: Tally | None = None,
) -> Iterator[str]:
    """Yield the images in a folder and below, by their names, relative to it with forward slashes.

    Sorted; what only links lead to comes last. Hidden files and folders are passed over. A linked
    folder is followed once, where it leads into the folder or an allowed one.

    Parameters
    ----------
    folder
        The folder.
    allowed
        Other folders that links may lead to.
    left_out
        Gets the folders that cannot be read, with the reason.
    passed_over
        Counts the other files.
    """
    root = os.fspath(folder)
    places = [os.path.realpath(place) for place in (root, *allowed)]
    seen: set[tuple[int, int]] = set()
    waiting = [root]

    def failed(path: str, why: str) -> None:
        if left_out is not None:
            left_out.append((Path(path), f"{path}: {why}"))

    def unreadable(error: OSError) -> None:
        failed(str(error.filename), f"cannot be read ({error.strerror}); expected a folder.")

    while waiting:
        begin = waiting.pop(0)
        links: list[str] = []
        for parent, folders, names in os.walk(begin, onerror=unreadable):
            if not _is_new(parent, seen):
                folders.clear()
                continue
            visible = sorted(name for name in folders if not name.startswith("."))
            links += [p for n in visible if os.path.islink(p := os.path.join(parent, n))]
            folders[:] = [n for n in visible if not os.path.islink(os.path.join(parent, n))]
            within = os.path.relpath(parent, root).replace(os.sep, "/")
            for name in sorted(names):
                if name.startswith("."):
                    continue
                if os.path.splitext(name)[1].lower() in SUFFIXES:
                    yield name if within == "." else f"{within}/{name}"
                elif passed_over is not None:
                    passed_over.add("files that are no images by their names", name)
        for link in links:
            target = os.path.realpath(link)
            if any(_is_inside(target, place) for place in places):
                waiting.append(link)
            else:
                failed(
                    link,
                    f"is a link to {target}, outside {root}; expected a folder inside it. If images may "
                    "be read from there, allow that folder (in a command: --allow-root).",
                )


def _is_new(folder: str, seen: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(folder)
    except OSError:
        return False
    key = (status.st_dev, status.st_ino)
    if key in seen:
        return False
    seen.add(key)
    return True


def _absolute(name: str) -> str | None:
    """Return what kind of absolute name it is; None for a relative one."""
    first = name[0]
    if first in "/\\":
        return "a path on another machine" if name[1:2] in ("/", "\\") else "an absolute path"
    if ":" in name:
        if _DRIVE.match(name):
            return "an absolute path"
        if (match := _SCHEME.match(name)) and match.group().endswith("//"):
            return "an address"
        if os.name == "nt":
            return "a name with a colon"
    return None


def _climbs(name: str) -> bool:
    """Whether a relative name leads above where it begins."""
    depth = 0
    for part in name.replace("\\", "/").split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in ("", "."):
            depth += 1
    return False


def _is_inside(path: str, folder: str) -> bool:
    if os.name == "nt":
        path, folder = os.path.normcase(path), os.path.normcase(folder)
    return path == folder or path.startswith(folder if folder.endswith(os.sep) else folder + os.sep)


def is_believed(noted: str, folder: Path) -> bool:
    """Whether a folder that a file notes for its images may be read without asking a person.

    It may where it lies in the file's folder, in one beside it, or in one that was remembered
    (`remember_root`). The folder above itself may where the file's folder is named as one of
    annotations. None of this holds above where that is a whole drive or the home folder. A name that is
    no path of this machine is not accessed.

    Parameters
    ----------
    noted
        As the file has it, relative to its folder or absolute.
    folder
        The file's folder.
    """
    try:
        if "\0" in noted or (noted and _absolute(noted) and not os.path.isabs(noted)):
            return False
        own = os.path.realpath(folder)
        target = os.path.normpath(os.path.join(own, noted))
        above = os.path.dirname(own)
        places = (own, *remembered_roots())
        usual = not is_too_wide(above)
        bare = _ANNOTATIONS.fullmatch(os.path.basename(own)) is not None

        def may(path: str) -> bool:
            if any(_is_inside(path, place) for place in places):
                return True
            return usual and _is_inside(path, above) and (bare or path != above)

        return may(target) and may(os.path.realpath(target))
    except (OSError, ValueError, RuntimeError):
        return False


_of_copies: dict[str, ImageFolder] = {}


def note_copy(path: Path | str, images: ImageFolder) -> None:
    """Note, in this process only, that a file is our copy of one whose images lie in a folder."""
    _of_copies[os.path.realpath(path)] = images


def images_of_copy(path: Path | str) -> ImageFolder | None:
    """Return where the images of a copy lie that this process wrote (`note_copy`); None for others."""
    return _of_copies.get(os.path.realpath(path)) if _of_copies else None


def _texts(folder: ImageFolder) -> str:
    own = [folder.root] if folder.trusted else []
    texts = [str(place) for place in (*own, *folder.allowed)]
    return " and ".join(texts[:4]) or "the folder of the file"

"""Where the images of a COCO file lie: the place that the file notes, else the most likely one."""

from __future__ import annotations

import os
from pathlib import Path

from napari_fashion.coco.store import Store
from napari_fashion.errors import ImageError
from napari_fashion.files import is_file
from napari_fashion.images.folder import ImageFolder, images_of_copy, is_believed
from napari_fashion.images.roots import is_root_of, is_too_wide


def find_image_folder(
    path: Path | None,
    *,
    noted: object,
    store: Store,
    allowed: tuple[Path | str, ...] = (),
) -> ImageFolder:
    """Return the folder that the ``file_name`` of a file's images is relative to.

    Parameters
    ----------
    path
        The COCO file; None for a document in memory.
    noted
        The value under ``info.fashion.image_root``.
    store
        The file's records: if nothing is noted, their first images are searched for.
    allowed
        Other folders that images may be read from.
    """
    if path is None:
        return ImageFolder(Path(), allowed, origin="found")
    if (original := images_of_copy(_real(path))) is not None:
        more = (*original.allowed, *allowed)
        return ImageFolder(original.root, more, trusted=original.trusted, origin=original.origin)
    folder = path.parent
    if isinstance(noted, str):
        is_own = not os.path.isabs(noted) and os.path.normpath(noted) == "."
        return ImageFolder(
            folder / noted,
            allowed,
            trusted=is_believed(noted, folder) or is_root_of(path, noted),
            origin="own" if is_own else "found",
        )
    likeliest, trusted = _likeliest(path, store)
    return ImageFolder(
        likeliest, allowed, trusted=trusted, origin="own" if likeliest == folder else "found"
    )


def _likeliest(path: Path, store: Store) -> tuple[Path, bool]:
    """Return the usual place with most of a file's first images, and whether it may be read."""
    folder = path.parent
    beside = Path(os.path.abspath(folder)).parent
    guesses = [
        folder / "images",
        folder / path.stem,
        beside,
        beside / "images",
        beside / path.stem,
    ]
    trust = {folder: True} | {place: is_believed(_real(place), folder) for place in guesses}
    # A guess that needs a person's consent comes last; a whole drive or home folder is no guess.
    places = [place for place in trust if trust[place]]
    places += [p for p in trust if not trust[p] and not is_too_wide(_real(p))]
    records = [store.record("images", key) for key in store.ids("images")[:8]]
    names = [name for r in records if isinstance(name := r.get("file_name"), str)]
    folders = [ImageFolder(place, origin="found") for place in places]
    found = [sum(_has_file(candidate, name) for name in names) for candidate in folders]
    likeliest = places[found.index(max(found))]
    return likeliest, trust[likeliest]


def relative_root(root: Path, folder: Path) -> str:
    """Return the path of an image root as a file in `folder` notes it."""
    try:
        return Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()
    except (OSError, RuntimeError, ValueError):  # another drive, a loop of links
        return root.as_posix()


def _has_file(folder: ImageFolder, name: str) -> bool:
    try:
        return is_file(folder.path(name))
    except ImageError:
        return False


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return os.path.abspath(path)


def root_of(folder: Path, name: str) -> Path | None:
    """Return the folder that names are relative to, of one in which a person found an image.

    The folder may be that one, or one further in that the image lies in: of ``a/1.jpg`` it may be the
    folder ``a``. None if the image is not there.
    """
    parts = Path(name.replace("\\", "/")).parts
    for depth in range(len(parts)):
        inner, root = parts[:-1][len(parts) - 1 - depth :], folder
        for part in reversed(inner):
            root = root.parent if root.name == part else Path()
        if root != Path() and root.joinpath(*parts).is_file():
            return root
    return None

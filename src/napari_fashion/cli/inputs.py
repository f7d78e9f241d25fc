"""What commands read: COCO files, folders, images, globs, a list on standard input, journals."""

from __future__ import annotations

import codecs
import contextlib
import glob
import os
import re
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_fashion.cli.terminal import plain, tell, warn
from napari_fashion.errors import FashionError
from napari_fashion.files import is_file
from napari_fashion.tally import Tally

if TYPE_CHECKING:
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.categories import CategoryAnswer, CategoryRule
    from napari_fashion.datasets.source import Source
    from napari_fashion.schema import Schema

STDIN = "-"
_FIRST = 100
"""Number of images that are looked for."""
_SEPARATORS = re.escape(os.sep + (os.altsep or ""))
_ANY_FOLDERS = re.compile(rf"(?:^|(?<=[{_SEPARATORS}]))(?:\*\*(?:[{_SEPARATORS}]+|$))+")
"""``**`` between separators, in a glob; several in a row are as one."""


class Listed(str):
    """A name from a list: if its file is missing, the other names still count."""

    __slots__ = ()


def is_coco(text: str) -> bool:
    """Whether an input is a COCO file: a JSON file by its name, or by how it begins."""
    path = Path(text)
    if path.suffix.lower() == ".json":
        return True
    if path.suffix or not is_file(path):
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    except OSError:
        return False


def listed(inputs: Sequence[str]) -> list[str]:
    """Return the inputs with ``-`` replaced by the list on standard input.

    The list has a file a line, or file names that end with null characters.

    Raises
    ------
    FashionError
        If the list is empty, or asked for twice.
    """
    if STDIN not in inputs:
        return list(inputs)
    if inputs.count(STDIN) > 1:
        raise FashionError("'-' is given twice; standard input can be read only once.")
    stream = None if sys.stdin is None else sys.stdin.buffer
    data = b"" if stream is None else stream.read()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FashionError("standard input is in UTF-16; expected a list of names in UTF-8.")
    data = data.removeprefix(codecs.BOM_UTF8)
    ends = b"\0" if b"\0" in data else b"\n"
    names = [Listed(os.fsdecode(line.rstrip(b"\r"))) for line in data.split(ends)]
    names = [name for name in names if name.strip()]
    if not names:
        raise FashionError(
            "standard input lists nothing; expected the name of an image, folder or COCO file a line."
        )
    at = list(inputs).index(STDIN)
    return [*inputs[:at], *names, *inputs[at + 1 :]]


def open_dataset(
    inputs: Sequence[str],
    schema: Schema,
    *,
    images: Path | None = None,
    allow_roots: Sequence[Path] = (),
) -> tuple[Dataset, bool]:
    """Open what the inputs name.

    Parameters
    ----------
    inputs
        One COCO file, or one data set by name (``people:test``), or images, folders and globs.
    schema
        What the landmarks of images without annotations are.

    Returns
    -------
    The data set, and whether it has records of its own: a COCO file, or one by name.

    Raises
    ------
    FashionError
        If there is nothing, or several COCO files.
    """
    from napari_fashion.coco import Dataset
    from napari_fashion.datasets.opening import is_named, open_source
    from napari_fashion.datasets.source import Source

    if len(inputs) == 1 and is_named(inputs[0]) and not is_file(Path(inputs[0])):
        where = None if images is None else str(images)
        return open_source(Source(file=inputs[0], images=where), schema), True
    if any(is_coco(text) for text in inputs):
        if len(inputs) > 1:
            raise FashionError(
                f"{plain(next(t for t in inputs if is_coco(t)))} is a COCO file, and {len(inputs) - 1} "
                "more inputs were given; expected one COCO file, or images and folders."
            )
        return Dataset.load(
            inputs[0], fallback=schema, image_root=images, allow_roots=allow_roots
        ), True
    if images is not None:
        raise FashionError(
            "--images names the folder of a COCO file's images; the inputs are images and folders."
        )
    if len(inputs) == 1 and Path(inputs[0]).is_dir():
        return _open_folder(Path(inputs[0]), schema, allow_roots), False
    return _open_images(inputs, schema, allow_roots), False


def _open_folder(folder: Path, schema: Schema, allow_roots: Sequence[Path]) -> Dataset:
    from napari_fashion.coco import Dataset
    from napari_fashion.editing.workfiles import ANNOTATIONS

    own = folder / ANNOTATIONS
    if is_file(own):
        warn(
            f"{own} has annotations of this folder, which are not used here. Give that file to go on "
            "from them."
        )
    return Dataset.from_folder(folder, schema=schema, allow_roots=allow_roots)


def _open_images(inputs: Sequence[str], schema: Schema, allow_roots: Sequence[Path]) -> Dataset:
    """Open images, the images of folders, and those that match globs."""
    from napari_fashion.coco import Dataset
    from napari_fashion.images import image_files
    from napari_fashion.tally import Tally

    files: list[Path] = []
    left_out: list[tuple[Path, str]] = []
    passed_over = Tally()
    for text in inputs:
        path = Path(text)
        if _is_folder(path):
            names = image_files(
                path, allowed=allow_roots, left_out=left_out, passed_over=passed_over
            )
            files += [path / name for name in names]
        elif is_file(path):
            files.append(path)
        elif isinstance(text, Listed):
            left_out.append(
                (path, f"{plain(text)}: {_why_no_image(path)}; expected an image file.")
            )
        else:
            found = sorted(p for p in map(Path, _matches(text)) if is_file(p))
            if not found:
                raise FashionError(
                    f"{plain(text)}: no such image, folder or COCO file, and nothing matches it as a "
                    "glob."
                )
            files += found
    if not files and left_out:
        raise FashionError(
            f"none of the {len(inputs):,} names of the list is an image: {left_out[0][1]}"
        )
    dataset = Dataset.from_files(files, schema=schema)
    dataset.left_out += left_out
    dataset.passed_over.update(passed_over)
    return dataset


def _matches(pattern: str) -> Iterable[str]:
    """Return the files that match a glob, as `glob.glob` with ``recursive``, in bounded time.

    ``**`` enters each folder once, by the name that leads to it without links where there is one; so
    links that lead in circles end.
    """
    if pattern.endswith((os.sep, os.altsep or os.sep)):
        return []  # asks for folders
    first, *others = _ANY_FOLDERS.split(pattern)
    found = glob.glob(first) if first else [""]
    if not others:
        return found
    for within in others:
        folders = _folders_below(found)
        found = list(
            dict.fromkeys(
                path
                for folder in folders
                for path in glob.glob(os.path.join(glob.escape(folder), within or "*"))
            )
        )
    return found


def _folders_below(tops: Iterable[str]) -> Iterator[str]:
    """Yield the folders and all below, each once; hidden ones are passed over, linked ones last."""
    seen: set[tuple[int, int]] = set()
    waiting, links = deque[str](), deque[str]()

    def wait(paths: Iterable[str]) -> None:
        for path in paths:
            (links if os.path.islink(path.rstrip(os.sep)) else waiting).append(path)

    wait(tops)
    while waiting or links:
        folder = (waiting or links).popleft()
        try:
            status = os.stat(folder or os.curdir)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder or os.curdir) as entries:
                names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except OSError:  # no folder, or an unreadable one
            continue
        yield folder
        wait(path for name in names if os.path.isdir(path := os.path.join(folder, name)))


def _is_folder(path: Path) -> bool:
    try:
        return os.path.isdir(path)
    except ValueError:  # a null character
        return False


def _why_no_image(path: Path) -> str:
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return "is no regular file"


@contextmanager
def opened(
    inputs: Sequence[str],
    schema: Schema,
    *,
    with_journal: bool,
    images: Path | None = None,
    allow_roots: Sequence[Path] = (),
) -> Iterator[tuple[Dataset, bool]]:
    """Give what the inputs name (`open_dataset`), with a journal's changes if they are wanted."""
    with tempfile.TemporaryDirectory() as temporary:
        if len(inputs) == 1:
            inputs = [use_journal(inputs[0], with_journal, Path(temporary))]
        yield open_dataset(inputs, schema, images=images, allow_roots=allow_roots)


@contextmanager
def with_journal(file: str, wanted: bool) -> Iterator[str]:
    """Give the file to read: the one given, or a copy that has its journal's changes until the end."""
    with tempfile.TemporaryDirectory() as temporary:
        yield use_journal(file, wanted, Path(temporary))


def use_journal(file: str, wanted: bool, folder: Path) -> str:
    """Return the file to read: the one given, or one in `folder` that has its journal's changes.

    Says so where there are any.
    """
    from napari_fashion.editing.opening import pending_of, write_with_journal

    path = Path(file)
    pending = pending_of(path) if is_file(path) and is_coco(file) else None
    if pending is None:
        return file
    if wanted:
        warn(f"{file}: {len(pending.entries)} changes of its journal applied.")
        return str(write_with_journal(path, pending, folder))
    warn(
        f"{file}: {pending} They are in its journal; the file is used as it was saved. "
        "--with-journal applies them."
    )
    return file


def refuse_add(text: str) -> None:
    """Raise FashionError if a command that adds no categories is asked to."""
    if text == "add":
        raise FashionError(
            "--categories is 'add', which this command cannot do; expected 'skip' or the name of a map."
        )


def category_answer(text: str) -> CategoryAnswer:
    """Return the answer of ``--categories`` about the model's categories that a file lacks.

    Raises
    ------
    FashionError
        If it is neither ``add`` nor ``skip`` nor a map that can be read.
    """
    from napari_fashion.coco.categories import CategoryAnswer, read_category_map

    if text == "add":
        return CategoryAnswer("add")
    if text == "skip":
        return CategoryAnswer("skip")
    if not text.lower().endswith(".toml"):
        raise FashionError(
            f"--categories is {text[:60]!r}; expected 'add', 'skip', or the name of a map that ends in "
            ".toml."
        )
    return CategoryAnswer("skip", read_category_map(Path(text)).names)


def tell_problems(dataset: Dataset) -> None:
    """Report what is odd in the records of a data set, counted by kind.

    What a folder has that is no image (`Dataset.left_out`) is for the command to count.
    """
    from napari_fashion.coco.problems import NO_IMAGES, find_problems

    tally = find_problems(dataset).tally
    tally.counts.pop(NO_IMAGES, None)
    tell(tally)
    tell(dataset.passed_over)


def tell_spelled(rule: CategoryRule, file: str) -> None:
    """Report which of a file's categories the model spells otherwise."""
    spelled = Tally()
    rule.count_spelled(spelled, file)
    tell(spelled)


def tell_no_images(dataset: Dataset, file: Path) -> None:
    """Warn if no image is where a file says: what is made of it would have none either."""
    first = min(len(dataset.images), _FIRST)
    missing = list(dataset.missing_images(first))
    if first and len(missing) == first:
        which = "no image" if first == len(dataset.images) else f"none of the first {first} images"
        warn(
            f"{plain(str(file))}: {which} can be read where the file says ({plain(missing[0][1])}). The "
            "records are copied all the same. --images names the folder that the names are relative to."
        )


def tell_problems_of(sources: Iterable[Source], schema: Schema | None = None) -> None:
    """Report what is odd in the files of sources; a set of our own has nothing odd."""
    from napari_fashion.datasets.opening import open_source

    for source in sources:
        if is_coco(source.file):
            with contextlib.suppress(FashionError):  # the work itself will report it
                tell_problems(open_source(source, schema))


def set_limits(max_pixels: int | None) -> None:
    """Apply the options that limit what is read."""
    if max_pixels is not None:
        from napari_fashion.images import set_pixel_limit

        set_pixel_limit(max_pixels)


def set_threads(threads: int | None) -> None:
    """Let torch use this many threads of the CPU."""
    if threads:
        import torch

        torch.set_num_threads(threads)

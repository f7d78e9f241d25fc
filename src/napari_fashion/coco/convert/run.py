"""Converting a data set: plan, sizes, records, images, documents; nothing is written before all is read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from napari_fashion.coco.convert.checks import check_places
from napari_fashion.coco.convert.documents import Growing
from napari_fashion.coco.convert.faults import Faults
from napari_fashion.coco.convert.items import Plan
from napari_fashion.coco.convert.placing import FOLDER, place_image
from napari_fashion.coco.convert.registry import (
    ConvertOptions,
    Format,
    check_options,
    format_named,
)
from napari_fashion.coco.convert.sizes import with_sizes
from napari_fashion.coco.writing import write_file
from napari_fashion.errors import ConvertError
from napari_fashion.images import remember_root

Watch = Callable[[str, int, int | None], None]
"""Told what is done, the number of images so far, and their number in all, if known."""
Claim = Callable[[Path], object]
"""Told each file that will be written, before anything is; raises an error if it may not be."""


@dataclass(frozen=True)
class Converted:
    """A document that was written, with its numbers of images and garments."""

    path: Path
    images: int
    garments: int


def convert(
    name: str,
    source: Path | str,
    out: Path | str,
    options: ConvertOptions | None = None,
    *,
    faults: Faults | None = None,
    strict: bool = False,
    overwrite: bool = False,
    watch: Watch = lambda text, done, total: None,
    claim: Claim = lambda path: None,
) -> list[Converted]:
    """Convert a data set to COCO keypoint documents, one for each of its parts.

    Images that cannot be read are left out, and so are garments that make no sense; the numbers of all
    others are those of the data set. Boxes and landmarks outside their image are counted and kept.

    Parameters
    ----------
    name
        Of the format (`FORMATS`).
    source
        The data set's folder, or the COCO file.
    out
        Folder of the documents, and of linked or copied images.
    options
        How.
    faults
        Gets what is wrong.
    strict
        Write nothing if anything is wrong.
    overwrite
        Whether existing files may be replaced.
    watch, claim
        See `Watch` and `Claim`.

    Returns
    -------
    The documents that were written; none of a part without images.

    Raises
    ------
    ConvertError
        If the data set is not there or not laid out as the format, nothing of it can be converted, or
        `strict` is set and something is wrong.
    CocoError
        If a document cannot be written.
    """
    chosen = format_named(name)
    options = options or ConvertOptions()
    check_options(chosen, options)
    faults = Faults() if faults is None else faults
    source, out = Path(source), Path(out)
    if not source.exists():
        raise ConvertError(f"{source}: there is no such file or folder; expected {chosen.layout}.")
    plan = chosen.plan(source, options, faults)
    for part in plan.parts:
        part.allowed = (*part.allowed, *options.allow_roots)
        part.info = {**part.info, "converted": {"format": name, **part.info.get("converted", {})}}
    paths = [out / f"{part.name}.json" for part in plan.parts]
    for path in paths:
        claim(path)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".fashion-", dir=out)))
        growing = [Growing(p, path, folder) for p, path in zip(plan.parts, paths, strict=True)]
        for document in growing:
            stack.callback(document.close)
        placed = _add_all(growing, plan, options, faults, watch)
        _check_result(growing, chosen, faults, strict)
        if options.image_files != "leave":
            _place(placed, growing, out, options, overwrite, watch)
        return _write(growing, out, options, overwrite)


Placed = list[tuple[int, str]]
"""Part and name of each image of a document."""


def _add_all(
    growing: list[Growing], plan: Plan, options: ConvertOptions, faults: Faults, watch: Watch
) -> Placed:
    """Add all images to their documents; return those whose files will be placed."""
    placed: Placed = []
    done = 0
    sized = with_sizes(plan.items, plan.parts, options.processes)
    for item, size in sized:
        done += 1
        if done % 1000 == 0:
            watch("converting", done, plan.total)
        if isinstance(size, str):
            faults.tally.add("images left out: cannot be read", f"{item.at}: {size}")
            continue
        part = plan.parts[item.part]
        if part.check_places:
            check_places(item, size, part.schema, faults)
        growing[item.part].add(item, size)
        if options.image_files != "leave":
            placed.append((item.part, item.name))
    watch("converting", done, plan.total)
    return placed


def _check_result(growing: list[Growing], chosen: Format, faults: Faults, strict: bool) -> None:
    if strict and faults:
        n = faults.tally.total
        raise ConvertError(
            f"{n:,} {'fault' if n == 1 else 'faults'}; nothing was written, as --strict asks. Mend the "
            "data set, or leave --strict away: what is wrong is then left out."
        )
    if not any(document.images for document in growing):
        raise ConvertError(
            f"Nothing of the data set can be converted; nothing was written. Expected {chosen.layout}."
        )


def _place(
    placed: Placed,
    growing: list[Growing],
    out: Path,
    options: ConvertOptions,
    overwrite: bool,
    watch: Watch,
) -> None:
    folders = [document.part.folder() for document in growing]
    for done, (index, name) in enumerate(placed):
        if done % 1000 == 0:
            watch("placing images", done, len(placed))
        target = out / FOLDER / growing[index].part.place / name
        place_image(folders[index].path(name), target, options.image_files, overwrite=overwrite)
    watch("placing images", len(placed), len(placed))


def _write(
    growing: list[Growing], out: Path, options: ConvertOptions, overwrite: bool
) -> list[Converted]:
    written = []
    for document in growing:
        if not document.images:
            continue
        root = document.part.images
        if options.image_files in ("leave", "symlink") and document.part.origin != "found":
            remember_root(root)  # a person named it: what leads there may be read
        if options.image_files != "leave":
            root = out / FOLDER / document.part.place
        chunks: Iterator[bytes] = document.chunks(root)
        write_file(chunks, document.path, overwrite=overwrite, streamed=True)
        written.append(Converted(document.path, document.images, document.garments))
    return written

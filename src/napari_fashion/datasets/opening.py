"""Sources are opened by name: the registry of their kinds, and the kinds that the package has."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from napari_fashion.coco import Dataset
from napari_fashion.datasets import people, photos
from napari_fashion.datasets.source import Source, kind_of
from napari_fashion.documents import closest, shown
from napari_fashion.errors import RecipeError
from napari_fashion.files import is_file
from napari_fashion.options import Options, told
from napari_fashion.paths import cache_folder
from napari_fashion.registry import Registry
from napari_fashion.schema import Schema

MAX_SAMPLES = 100_000
"""Largest number of procedural garments that a source may ask for."""

Names = Literal["anywhere", "kind", "source"]
Unlabelled = Literal["absent", "unknown"]
Opener = Callable[[str, Source], Dataset]
"""Opens a source, given the argument in its name and the source."""


@dataclass(frozen=True)
class SourceKind:
    """A kind of sources.

    Attributes
    ----------
    expected
        What its names look like, for messages.
    open
        Opens one.
    names
        Among which images a name is one image's: ``"anywhere"``; ``"kind"`` and ``"source"`` if images are
        named by number, so that only the name of the kind, or of the source, makes a name unique.
    unlabelled
        What visibility 0 means, given the argument in the source's name: that the landmark is not there
        (cut off, or its place cannot be told), or that nobody labelled it.
    """

    expected: str
    open: Opener
    names: Names = "anywhere"
    unlabelled: Callable[[str], Unlabelled] = lambda argument: "unknown"


_KINDS: Registry[SourceKind] = Registry("source kind")


def register_source(
    kind: str,
    *,
    expected: str,
    names: Names = "anywhere",
    unlabelled: Callable[[str], Unlabelled] = lambda argument: "unknown",
) -> Callable[[Opener], Opener]:
    """Register what opens sources named ``kind:argument``; a decorator.

    Parameters
    ----------
    kind, expected, names, unlabelled
        See `SourceKind`; `kind` is of two or more lower-case letters.

    Raises
    ------
    ValueError
        If the kind is registered already.
    """

    def register(opener: Opener) -> Opener:
        _KINDS.register(kind, SourceKind(expected, opener, names, unlabelled))
        return opener

    return register


def is_named(text: str) -> bool:
    """Whether a text names a data set by a kind that is registered, such as ``people:test``."""
    return kind_of(text) in _KINDS


def unlabelled_of(source: Source) -> Unlabelled:
    """Return what visibility 0 means in a source; of a file nobody knows.

    >>> unlabelled_of(Source(file="people:train")), unlabelled_of(Source(file="a.json"))
    ('absent', 'unknown')
    """
    kind = _KINDS.get(source.kind)
    if source.unlabelled is not None:
        return source.unlabelled
    return "unknown" if kind is None else kind.unlabelled(source.argument)


def open_source(source: Source, fallback: Schema | None = None) -> Dataset:
    """Open the data set that a source names.

    Parameters
    ----------
    source
        A COCO file, or a kind that is registered and its argument.
    fallback
        What the landmarks mean if no category of a file names any.

    Raises
    ------
    RecipeError
        If there is no such kind, its argument is malformed, or the photos are not here.
    CocoError
        If the file cannot be read.
    """
    kind = _KINDS.get(source.kind)
    if kind is not None:
        return kind.open(source.argument, source)
    if source.kind and not is_file(Path(source.file)):
        near = closest(source.kind, _KINDS)
        hint = f" Did you mean {near}:{source.argument[:60]}?" if near else ""
        known = "; ".join(kind.expected for kind in _KINDS.values())
        raise RecipeError(
            f"{shown(source.file)[1:-1]}: no such file, and no kind of sources; expected a COCO file, "
            f"or {known}.{hint}"
        )
    return Dataset.load(
        source.file,
        fallback=fallback,
        image_root=source.images,
        allow_roots=source.allow_roots,
    )


def image_identity(source: Source, file_name: str) -> tuple[str, str]:
    """Return what identifies an image across exports, and the group that it is of.

    Parameters
    ----------
    source
        Where the image comes from.
    file_name
        As its record has it.

    Returns
    -------
    key
        Its ``file_name``, which an export keeps; of the CC0 photos the photo's name alone, which is unique;
        of the street photos with their kind, of procedural garments with their source.
    group
        The sender of a CC0 photo, whose photos share rooms and backgrounds; otherwise the key.
    """
    kind = _KINDS.get(source.kind)
    if kind is not None and kind.names == "source":
        key = f"{source.file}/{file_name}"
        return key, key
    if kind is not None and kind.names == "kind":
        key = f"{source.kind}/{Path(file_name).name}"  # in whichever split it is
        return key, key
    sender = photos.senders().get(Path(file_name).stem)
    return (file_name, file_name) if sender is None else (Path(file_name).name, sender)


@register_source(
    "photos",
    expected="photos:train, photos:test, photos:unlabelled, photos:pseudo or photos:no_garment",
    unlabelled=lambda split: "absent" if split in ("train", "test") else "unknown",
)
def _open_photos(split: str, source: Source) -> Dataset:
    folder = Path(source.images) if source.images else photos.locate()
    if folder is None:
        raise RecipeError(
            "The CC0 garment photos are not here. Get them with `napari-fashion fetch`, or set "
            "NAPARI_FASHION_PHOTOS to a folder that has them."
        )
    match split:
        case "train" | "test":
            return Dataset.load(photos.landmarks(split), image_root=folder / "images")
        case "unlabelled" | "pseudo" | "no_garment":
            document = photos.category_document(split, folder)
            if not document["images"]:
                raise RecipeError(
                    f"{folder} has none of the photos of {source.file}. Get them with "
                    "`napari-fashion fetch --all`."
                )
            return Dataset.from_document(document, image_root=folder)
    raise RecipeError(
        f"photos:{shown(split)[1:-1]}: no such split; expected {_KINDS['photos'].expected}."
    )


@register_source(
    "people",
    expected="people:train, people:validation, people:train+validation, people:test or people:tagged, "
    "alone or with :tags or :deepfashion",
    names="kind",
    unlabelled=lambda argument: people.UNLABELLED.get(argument.partition(":")[0], "unknown"),
)
def _open_people(argument: str, source: Source) -> Dataset:
    split, _, kind = argument.partition(":")
    kind = kind or "garments"
    if split not in people.SPLITS or kind not in people.kinds():
        raise RecipeError(
            f"people:{shown(argument)[1:-1]}: no such split; expected {_KINDS['people'].expected}."
        )
    folder = Path(source.images) if source.images else people.locate()
    if folder is None:
        raise RecipeError(
            "The street photos are not here. Get them with `napari-fashion fetch people`, or set "
            "NAPARI_FASHION_PEOPLE to a folder that has them."
        )
    document, root = people.document(split, kind, folder)
    if not document["images"]:
        raise RecipeError(
            f"{folder} has none of the photos of {source.file}. Get them with "
            "`napari-fashion fetch people --all`."
        )
    return Dataset.from_document(document, image_root=root)


@register_source(
    "samples",
    expected="samples:COUNT, samples:COUNT:SEED or samples:COUNT:SEED:landmarks=SCHEMA",
    names="source",
    unlabelled=lambda argument: "absent",
)
def _open_samples(argument: str, source: Source) -> Dataset:
    """Render procedural garments once; they are kept in the user's cache folder."""
    from napari_fashion.datasets import procedural  # imports SciPy

    numbers, settings = _settings_of(argument)
    count, seed = _count_and_seed(numbers, source, "samples:500:1")
    options = _read_settings("samples", argument, settings, procedural.SampleOptions)
    chosen = "" if options.landmarks == "garments" else f"-{options.landmarks}"
    return _rendered(
        f"samples-{count}-{seed}{chosen}",
        lambda folder: procedural.write_dataset(folder, count, seed, landmarks=options.landmarks),
    )


@register_source(
    "layouts",
    expected="layouts:COUNT:SEED or layouts:COUNT:SEED:SETTING=VALUE,...",
    names="source",
    unlabelled=lambda argument: "absent",
)
def _open_layouts(argument: str, source: Source) -> Dataset:
    """Render images of several procedural garments once; they are kept in the user's cache folder."""
    from napari_fashion.datasets import procedural

    numbers, settings = _settings_of(argument)
    count, seed = _count_and_seed(numbers, source, "layouts:500:1:garments=2-3,overlap=0.4")
    options = _read_settings("layouts", argument, settings, procedural.LayoutOptions)
    name = "-".join(
        ["layouts", str(count), str(seed), _digest([options.model_dump_json().encode()])]
    )
    return _rendered(name, lambda folder: procedural.write_layouts(folder, count, seed, options))


def _count_and_seed(text: str, source: Source, example: str) -> tuple[int, int]:
    """Read ``COUNT`` or ``COUNT:SEED`` of images that are rendered."""
    count, *others = text.split(":")
    try:
        numbers = int(count), *map(int, others or ["0"])
    except ValueError:
        numbers = ()
    if len(numbers) != 2 or not (1 <= numbers[0] <= MAX_SAMPLES and 0 <= numbers[1] < 1 << 32):
        raise RecipeError(
            f"{shown(source.file)[1:-1]}: expected {_KINDS[source.kind].expected}, such as {example}, "
            f"with 1 to {MAX_SAMPLES:,} images and a seed below 2^32."
        )
    return numbers


def _settings_of(argument: str) -> tuple[str, str]:
    """Return the numbers of rendered images and their settings, such as ``garments=2,overlap=0.4``."""
    numbers, _, settings = argument.rpartition(":") if "=" in argument else (argument, "", "")
    return numbers, settings


_O = TypeVar("_O", bound=Options)


def _read_settings(kind: str, argument: str, settings: str, options: type[_O]) -> _O:
    """Read settings such as ``garments=2-3,overlap=0.4``: a word, one number, or a range.

    One number for a range is both its ends.
    """
    values: dict[str, object] = {}
    for setting in filter(None, settings.split(",")):
        key, _, text = setting.partition("=")
        bounds = text.split("-")
        values[key] = text if key in _SINGLE else bounds * 2 if len(bounds) == 1 else bounds
    try:
        return options.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{kind}:{shown(argument)[1:-1]}: {told(error, options)}") from None


_SINGLE = ("worn", "cut_off", "landmarks")
"""Settings that are one number or one word; the others are ranges."""


def _digest(parts: Iterable[bytes]) -> str:
    code = hashlib.sha256()
    for part in parts:
        code.update(part)
    return code.hexdigest()[:8]


def _rendered(name: str, write: Callable[[Path], Path]) -> Dataset:
    """Return a data set of the cache folder; `write` makes it there if it is not.

    Other code that draws other images has a folder of its own.
    """
    from napari_fashion.datasets import procedural

    cache = cache_folder()
    files = sorted(Path(procedural.__file__).parent.glob("*.[pt][yo]*"))
    folder = cache / f"{name}-{_digest(file.read_bytes() for file in files)}"
    found = folder / procedural.ANNOTATIONS
    if not found.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            made = write(Path(temporary) / "made")
            try:
                made.parent.rename(folder)
            except OSError:
                if not found.is_file():  # otherwise another process was faster
                    raise
    return Dataset.load(found)

"""The registry of the formats that are converted to COCO, one format a module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from napari_fashion.coco.convert.faults import Faults
from napari_fashion.coco.convert.items import Plan
from napari_fashion.documents import closest, shown
from napari_fashion.errors import ConvertError
from napari_fashion.registry import Registry

ImageMode = Literal["leave", "hardlink", "symlink", "copy"]


@dataclass(frozen=True)
class ConvertOptions:
    """How a data set is converted; a format takes those of the first six that it names.

    Attributes
    ----------
    annotations
        Which lists of DeepFashion-C: ``old`` (``Anno``), ``coarse`` or ``fine`` (``Anno_coarse``,
        ``Anno_fine``); ``auto`` is ``coarse``, or ``old`` where there is no ``Anno_coarse``.
    visibility
        Of landmarks of ``Anno_fine``, which has none: all ``visible``, or as the ``coarse`` lists have it.
    upper_last_pair
        Whether the last pair of an upper garment is its ``hem`` or, as the report's converter has it,
        its ``waistline``.
    landmarks
        Whether an annotation of DeepFashion2 has ``all`` 294 landmarks or those of its ``category``.
    category
        The one category of DeepFashion2 whose garments are converted, with its own schema; all by default.
    schema
        What the landmarks of a COCO file mean that names none: a bundled schema or a file.
    image_root
        Folder of the images, where it is not the usual one.
    image_files
        Whether images are left where they are, linked or copied.
    allow_roots
        Other folders that links among the images may lead to.
    processes
        Number of processes that read the sizes of images; 0 reads them in this one.
    """

    annotations: Literal["auto", "old", "coarse", "fine"] = "auto"
    visibility: Literal["visible", "coarse"] = "visible"
    upper_last_pair: Literal["hem", "waistline"] = "hem"
    landmarks: Literal["all", "category"] = "all"
    category: str | None = None
    schema: str | None = None
    image_root: Path | None = None
    image_files: ImageMode = "leave"
    allow_roots: tuple[Path, ...] = ()
    processes: int = 0


Planner = Callable[[Path, ConvertOptions, Faults], Plan]
"""Looks at a data set's folder and returns what is to be converted; faults are counted."""


@dataclass(frozen=True)
class Format:
    """A format that can be converted.

    Attributes
    ----------
    name
        As the command takes it.
    title
        The data set's name.
    layout
        What its folder holds, for messages.
    options
        Names of the options that only some formats take, and this one does.
    plan
        Looks at a data set.
    """

    name: str
    title: str
    layout: str
    options: tuple[str, ...]
    plan: Planner


FORMATS: Registry[Format] = Registry("format")
"""All formats by name."""

_OWN = ("annotations", "visibility", "upper_last_pair", "landmarks", "category", "schema")
"""Options that only some formats take."""


def register_format(
    name: str, *, title: str, layout: str, options: tuple[str, ...] = ()
) -> Callable[[Planner], Planner]:
    """Register a format; a decorator of its `Planner`.

    Parameters
    ----------
    name, title, layout, options
        See `Format`.

    Raises
    ------
    ValueError
        If the name is registered already, or an option is none of `ConvertOptions`.
    """
    if unknown := set(options) - set(_OWN):
        raise ValueError(f"The format {name!r} takes {unknown}; expected some of {_OWN}.")

    def register(planner: Planner) -> Planner:
        FORMATS.register(name, Format(name, title, layout, options, planner))
        return planner

    return register


def format_named(name: str) -> Format:
    """Return a format.

    Raises
    ------
    ConvertError
        If there is none of that name.
    """
    found = FORMATS.get(name)
    if found is None:
        near = closest(name, FORMATS)
        hint = f" (did you mean {near}?)" if near else ""
        raise ConvertError(f"No format {shown(name)}{hint}; expected one of {', '.join(FORMATS)}.")
    return found


def check_options(chosen: Format, options: ConvertOptions) -> None:
    """Raise ConvertError if an option is given that the format does not take."""
    defaults = {field.name: field.default for field in fields(ConvertOptions)}
    for name in _OWN:
        if name not in chosen.options and getattr(options, name) != defaults[name]:
            takers = ", ".join(f.name for f in FORMATS.values() if name in f.options)
            raise ConvertError(
                f"--{name.replace('_', '-')} is for {takers}; {chosen.name} has no such choice. Leave it "
                "away."
            )

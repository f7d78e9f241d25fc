"""Sample images as a data set on disk: images and a COCO keypoint file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_fashion.coco.records import annotation_record, category_records, image_record
from napari_fashion.files import atomic_write
from napari_fashion.schema import Schema

from ._render import render, render_scene
from .layouts import LayoutOptions, render_layout
from .placing import shared_boxes
from .stage import Sample, SampleGarment
from .wardrobes import wardrobe_of

ANNOTATIONS = "annotations.json"
"""Name of the COCO file that `write_dataset` and `demo_dataset` write beside ``images/``."""

_COVERED = 0.97
"""A garment of whose cloth more is covered cannot be seen."""

_DEMO: tuple[tuple[int, tuple[str, ...]], ...] = (
    (23, ("T-Shirt",)),
    (23, ("Dress",)),
    (21, ("Hoodie",)),
    (21, ("Pants",)),
    (21, ("Shirt",)),
    (26, ("Skirt",)),
    (15, ("Top", "Shorts")),
    (26, ("Blazer",)),
    (26, ("Polo",)),
    (21, ("Outwear",)),
    (24, ("Body",)),
    (9, ()),
)
"""Seed and categories of each image of the demo."""


def write_dataset(
    folder: Path | str,
    n: int,
    seed: int = 0,
    *,
    size: tuple[int, int] = (400, 533),
    scenes: float = 0.1,
    empty: float = 0.03,
    file_format: str = "jpg",
    landmarks: str = "garments",
) -> Path:
    """Render `n` images into ``folder/images`` and return the path of their COCO file.

    Parameters
    ----------
    seed
        Image i has the seed ``seed + i``.
    size
        Width and height in pixels.
    scenes, empty
        Shares of images with several garments and with none.
    file_format
        ``jpg`` or ``png``.
    landmarks
        The schema of the file: ``garments``, ``deepfashion2`` or ``fashionai`` (`wardrobes`).

    Raises
    ------
    FashionError
        If no garments are rendered with such landmarks.
    """
    share = np.random.default_rng(seed)
    kinds = share.random(n)
    counts = share.integers(2, 4, n)

    def samples() -> Iterable[Sample]:
        for i in range(n):
            if kinds[i] < empty:
                yield render_scene(seed + i, n_garments=0, size=size, landmarks=landmarks)
            elif kinds[i] < empty + scenes:
                number = int(counts[i])
                yield render_scene(seed + i, n_garments=number, size=size, landmarks=landmarks)
            else:
                yield render(seed + i, size=size, landmarks=landmarks)

    schema = Schema.load(wardrobe_of(landmarks).schema)
    return _write(Path(folder), ((s, {}) for s in samples()), file_format, schema=schema)


def write_layouts(
    folder: Path | str,
    n: int,
    seed: int = 0,
    options: LayoutOptions | None = None,
    *,
    size: tuple[int, int] = (400, 533),
    file_format: str = "jpg",
) -> Path:
    """Render `n` images of several garments into ``folder/images``; return the path of their COCO file.

    Image records say under ``layout`` whether outfits are ``worn``, and the overlap that was asked for;
    annotations what it came to: ``overlap``, the largest share that the box of the garment's landmarks has
    in common with another's (`shared_boxes`), and ``occlusion``, the share of its cloth that others cover.
    Garments of which next to nothing shows are regions to ignore (``iscrowd``).

    Parameters
    ----------
    seed
        Image i has the seed ``seed + i``.
    options
        Number, scale, overlap and occlusion of the garments.
    size
        Width and height in pixels.
    file_format
        ``jpg`` or ``png``.
    """

    def samples() -> Iterator[tuple[Sample, dict[str, Any]]]:
        for i in range(n):
            layout = render_layout(seed + i, options, size=size)
            asked = None if layout.overlap is None else round(layout.overlap, 3)
            yield layout.sample, {"layout": {"worn": layout.worn, "overlap": asked}}

    return _write(Path(folder), samples(), file_format, laid=True)


def demo_dataset(folder: Path | str, *, size: tuple[int, int] = (600, 800)) -> Path:
    """Render the twelve images that the demo shows and return the path of their COCO file."""
    samples = (
        render(seed, category=categories[0], size=size)
        if len(categories) == 1
        else render_scene(seed, categories=categories, size=size)
        for seed, categories in _DEMO
    )
    return _write(Path(folder), ((sample, {}) for sample in samples), "png")


def demo_files() -> list[str]:
    """Return the names of the files that `demo_dataset` writes, relative to its folder."""
    return [ANNOTATIONS, *(_image_name(n, "png") for n in range(1, len(_DEMO) + 1))]


def _image_name(number: int, file_format: str) -> str:
    return f"images/sample_{number:05d}.{file_format}"


def _write(
    folder: Path,
    samples: Iterable[tuple[Sample, dict[str, Any]]],
    file_format: str,
    *,
    schema: Schema | None = None,
    laid: bool = False,
) -> Path:
    """Write samples, each with further keys of its image record, as a COCO data set.

    `schema`: what their landmarks mean, ``garments`` by default. `laid`: annotations tell overlap and
    occlusion.
    """
    schema = schema or Schema.load("garments")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (sample, more) in enumerate(samples, start=1):
        height, width = sample.image.shape[:2]
        name = _image_name(number, file_format)
        atomic_write(folder / name, _encoded(sample.image, file_format))
        images.append({**image_record(number, name, width, height), **more})
        first = len(annotations)
        shown = [g for g in sample.garments if (g.visibility > 0).any()]
        for garment in shown:
            record = _annotation(garment, len(annotations) + 1, number, schema)
            annotations.append(record)
        if laid:
            _record_layout(annotations[first:], shown)
    document = {
        "info": {"description": "Procedural garments with exact landmarks", "version": "1.0"},
        "licenses": [],
        "categories": category_records(schema),
        "images": images,
        "annotations": annotations,
    }
    path = folder / ANNOTATIONS
    atomic_write(path, (json.dumps(document, indent=1) + "\n").encode())
    return path


def _annotation(
    garment: SampleGarment, number: int, image_id: int, schema: Schema
) -> dict[str, Any]:
    record = annotation_record(
        number,
        image_id,
        schema.category_index(garment.category) + 1,
        xy=garment.xy,
        visibility=garment.visibility,
    )
    return {**record, "body_type": garment.body_type}


def _record_layout(records: Sequence[dict[str, Any]], garments: Sequence[SampleGarment]) -> None:
    """Add what overlap and occlusion came to, to the annotations of one image."""
    corners = [[x, y, x + w, y + h] for x, y, w, h in (record["bbox"] for record in records)]
    shared = shared_boxes(corners)
    for record, garment, shares in zip(records, garments, shared, strict=True):
        record["overlap"] = round(float(shares.max(initial=0.0)), 3)
        record["occlusion"] = round(garment.occlusion, 3)
        record["iscrowd"] = int(garment.occlusion > _COVERED)


def _encoded(image: np.ndarray, file_format: str) -> bytes:
    stream = io.BytesIO()
    if file_format == "png":
        Image.fromarray(image).save(stream, "PNG", compress_level=6)
    elif file_format == "jpg":
        Image.fromarray(image).save(stream, "JPEG", quality=88)
    else:
        raise ValueError(f"file_format is {file_format!r}; expected 'jpg' or 'png'.")
    return stream.getvalue()

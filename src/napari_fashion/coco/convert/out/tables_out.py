"""CSV and Parquet: tables with one row a landmark."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from napari_fashion.coco import provenance
from napari_fashion.coco.convert.out.other_keys import OtherKeys, images_keys
from napari_fashion.coco.convert.out.placing import Placer
from napari_fashion.coco.convert.out.plain_coco import HELD, TO_IGNORE, box_of
from napari_fashion.coco.convert.writers import Part, Work, register_writer
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.views import Garment
from napari_fashion.errors import CocoError

COLUMNS: Final[dict[str, str]] = {
    "image": "string",
    "image_id": "string",
    "width": "int64",
    "height": "int64",
    "reviewed": "bool",
    "annotation_id": "string",
    "category": "string",
    "box_x": "double",
    "box_y": "double",
    "box_width": "double",
    "box_height": "double",
    "area": "double",
    "body_type": "string",
    "landmark": "string",
    "x": "double",
    "y": "double",
    "visibility": "int64",
    "source": "string",
    "score": "double",
    "present": "double",
    "visible": "double",
    "garment_source": "string",
    "garment_score": "double",
}
"""The columns and their types in Parquet; a missing value is empty, or null."""
CROWDS = "crowd regions, which have no landmarks and so no row"
EMPTY = "images without garments, which have no row"
NO_ROWS = "garments whose category has no landmarks, which have no row"
GROUP_ROWS = 100_000
"""Rows of a Parquet row group: what is held in memory."""

_HELD: Final = frozenset(
    (*HELD["annotations"] - {"segmentation"}, "score", "source", "fashion.source", "fashion.score",
     "fashion.keypoint_sources", "body_type", *provenance.NUMBERS,
     *(f"{provenance.KEY}.{name}" for name in provenance.NUMBERS))
)  # fmt: skip
NOT_HELD = "garments with keys that the table has no column for"

Row = tuple[Any, ...]


@register_writer("csv", title="CSV, one row a landmark", images="leave")
def write_csv(work: Work) -> None:
    """Write ``landmarks.csv``, or one file a part; UTF-8, with a header, as RFC 4180 has it."""
    for part, rows in _parts(work):
        with (work.folder / f"{_name(work, part)}.csv").open(
            "w", encoding="utf-8", newline=""
        ) as f:
            table = csv.writer(f)
            table.writerow(COLUMNS)
            table.writerows(map(_printable, rows))


def _check_parquet(datasets: Sequence[Dataset]) -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise CocoError(
            f"Parquet needs pyarrow ({error}). Install it: pip install 'napari-fashion[parquet]', or "
            "export to csv."
        ) from error


@register_writer(
    "parquet", title="Parquet, one row a landmark", images="leave", check=_check_parquet
)
def write_parquet(work: Work) -> None:
    """Write ``landmarks.parquet``, or one file a part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "int64": pa.int64(), "bool": pa.bool_(), "double": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    for part, rows in _parts(work):
        path = work.folder / f"{_name(work, part)}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for block in _blocks(rows):
                arrays = [
                    pa.array(column, field.type)
                    for column, field in zip(zip(*block, strict=True), schema, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    block: list[Row] = []
    for row in rows:
        block.append(row)
        if len(block) == GROUP_ROWS:
            yield block
            block = []
    if block:
        yield block


def _name(work: Work, part: Part) -> str:
    return "landmarks" if work.is_single else part.name


def _parts(work: Work) -> Iterator[tuple[Part, Iterator[Row]]]:
    placer = Placer(work, "images")
    for part in work.parts:
        yield part, _rows(work, part, placer)


def _rows(work: Work, part: Part, placer: Placer) -> Iterator[Row]:
    """Yield the rows of a part: the landmarks that a garment's category can have, and the labelled ones."""
    tally, schema = work.tally, part.dataset.schema
    others = OtherKeys(tally, NOT_HELD, _HELD)
    of_images = images_keys(tally, "fashion.reviewed")
    for image in part.images():
        found = placer.place(image)
        work.advance(1)
        if found is None:
            continue
        work.n_images += 1
        of_images.count(part.dataset.store.record("images", image.id))
        name, (width, height) = found
        if n := len(image.ignored_boxes) + len(part.chosen.ignored.get(image.id, ())):
            tally.add(TO_IGNORE.partition(" (")[0], image.file_name, n)
        of_image = (_text(name), _text(image.id), width, height, image.reviewed)
        garments = part.garments(image)
        if not garments:
            tally.add(EMPTY)
        for garment in garments:
            if garment.is_crowd:
                tally.add(CROWDS, f"annotation {garment.id} of {image.file_name}")
                continue
            record = part.dataset.store.record("annotations", garment.id)
            others.count(record)
            labelled = np.flatnonzero(garment.visibility).tolist()
            can = schema.landmarks_of_category(garment.category) if garment.category >= 0 else ()
            members = sorted({*can, *labelled})
            if not members:
                tally.add(NO_ROWS, f"annotation {garment.id} of {image.file_name}")
                continue
            work.n_garments += 1
            yield from _garment_rows(garment, record, of_image, members, schema.landmarks)


def _garment_rows(
    garment: Garment,
    record: Mapping[str, Any],
    of_image: Row,
    members: Sequence[int],
    names: Sequence[str],
) -> Iterator[Row]:
    xy, seen = garment.xy.tolist(), garment.visibility.tolist()
    source, sources = _sources(garment, record)
    numbers = [garment.landmark_scores, garment.landmark_present, garment.landmark_visible]
    scores = np.stack(numbers, axis=1).tolist()
    box = box_of(garment)
    shown_box = box if any(box) else (None,) * 4
    body_type = record.get("body_type")
    before = (
        *of_image, _text(garment.id), _text(garment.category_name), *shown_box, garment.area,
        None if body_type is None else _text(body_type),
    )  # fmt: skip
    after = (_text(source), garment.score)
    for i in members:
        x, y = xy[i] if seen[i] else (None, None)
        known = (None if score != score else score for score in scores[i])
        yield (*before, _text(names[i]), x, y, seen[i], _text(sources[i]), *known, *after)


def _sources(garment: Garment, record: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """Return who made a garment and who each landmark, in the file's words where it has some."""
    ours = provenance.of(record)
    noted = next(
        (v for v in (ours.get("source"), record.get("source")) if isinstance(v, str) and v), None
    )
    if noted is None or garment.source != provenance.HUMAN:
        return garment.source, garment.landmark_sources
    own = ours.get("keypoint_sources")
    k = len(garment.landmark_sources)
    listed = own if isinstance(own, list) and len(own) == k else [None] * k
    return noted, [v if isinstance(v, str) and v else noted for v in listed]


def _text(value: object) -> str:
    """Return a value as text that UTF-8 can hold: half a surrogate pair becomes a question mark."""
    return str(value).encode("utf-8", "replace").decode()


def _printable(row: Row) -> list[Any]:
    """Return a row as CSV has it: whole numbers without a point, ``true`` and ``false``."""
    return [
        str(v).lower()
        if isinstance(v, bool)
        else int(v)
        if isinstance(v, float) and v.is_integer()
        else v
        for v in row
    ]

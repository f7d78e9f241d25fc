"""DeepFashion's own text layout: the lists of ``Anno/`` and ``Eval/`` with the images under ``img/``."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from napari_fashion.coco import provenance
from napari_fashion.coco.convert.out.other_keys import OtherKeys, images_keys
from napari_fashion.coco.convert.out.placing import Placer
from napari_fashion.coco.convert.out.plain_coco import HELD, box_of
from napari_fashion.coco.convert.out.shared_schema import category_names
from napari_fashion.coco.convert.writers import Part, Work, register_writer
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.views import Garment
from napari_fashion.documents import counted, listed
from napari_fashion.errors import CocoError
from napari_fashion.schema import Schema

LANDMARKS: Final = (
    "left_collar", "right_collar", "left_sleeve", "right_sleeve",
    "left_waistline", "right_waistline", "left_hem", "right_hem",
)  # fmt: skip
TYPES: Final = {1: (0, 1, 2, 3, 6, 7), 2: (4, 5, 6, 7), 3: tuple(range(8))}
"""Landmarks of upper, lower and full garments."""
NAME_WIDTH, CATEGORY_WIDTH = 70, 15
VISIBILITY: Final = {2: 0, 1: 1, 0: 2}
"""COCO's visibility -> DeepFashion's: 0 visible, 1 hidden, 2 cut off."""

CROWDS = "crowd regions, which DeepFashion's lists cannot hold, left out"
FURTHER = "garments beside the largest of their image, left out: DeepFashion has one an image"
EMPTY = "images without a garment, left out: DeepFashion has one in each"
NO_CATEGORY = "garments without a category, left out"
ROUNDED = "garments with fractions of pixels, rounded: DeepFashion has whole ones"
FOREIGN = "labelled landmarks that garments of the type do not have, left out"
OUTSIDE = "landmarks outside of their image, written as cut off"
NOT_HELD = "garments with keys that the lists cannot hold"
SPACED = "images with white space in their names, left out (linked or copied ones are renamed)"
TWICE = "images of a name that another one has, left out"
_HELD = frozenset((*HELD["annotations"] - {"segmentation"}, "fashion.clothes_type"))


def check_deepfashion(datasets: Sequence[Dataset]) -> None:
    """Check that the landmarks are DeepFashion's eight.

    Raises
    ------
    CocoError
        If they are others, or a category's name cannot be told from another's in the lists.
    """
    for dataset in datasets:
        if set(dataset.schema.landmarks) != set(LANDMARKS):
            raise CocoError(
                f"has {counted(dataset.schema.landmarks, 'landmarks')}; DeepFashion's layout has "
                f"these eight: {listed(LANDMARKS)}.",
                path=dataset.path,
                remedy="Export to another format, such as coco.",
            )
    words = [_word(name) for name in category_names(datasets)]
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise CocoError(
            f"has several categories that would be {listed(twice)} in DeepFashion's list, whose names "
            "have no spaces; expected names that differ.",
            path=datasets[0].path,
        )


@dataclass(frozen=True)
class _Lists:
    """The lists that are being written, one line an image in each."""

    landmarks: TextIO
    boxes: TextIO
    categories: TextIO
    partitions: TextIO


@register_writer(
    "deepfashion", title="DeepFashion lists", images="hardlink", check=check_deepfashion
)
def write_deepfashion(work: Work) -> None:
    """Write the old layout: ``Anno/list_*.txt``, ``Eval/list_eval_partition.txt``, ``img/``.

    Coordinates are whole pixels, a landmark that is not labelled is cut off at 0, 0, and each image
    has one garment, its largest. ``variation_type`` is a column if every garment has one.
    """
    names = category_names([part.dataset for part in work.parts])
    varied = all(_is_varied(part) for part in work.parts)
    types = {name: Counter[int]() for name in names}
    with _open_lists(work.folder, varied) as lists:
        seen: set[int] = set()
        placer = Placer(work, ".", rename=_list_name)
        for part in work.parts:
            _write_part(work, part, placer, lists, seen, names, types, varied=varied)
    (work.folder / "Anno" / "list_category_cloth.txt").write_text(
        f"{len(names)}\ncategory_name  category_type\n"
        + "".join(
            f"{_word(name):<{CATEGORY_WIDTH - 1}} {_usual_type(work.parts, name, types[name])}\n"
            for name in names
        ),
        "utf-8",
    )


def _write_part(
    work: Work,
    part: Part,
    placer: Placer,
    lists: _Lists,
    seen: set[int],
    names: Sequence[str],
    types: Mapping[str, Counter[int]],
    *,
    varied: bool,
) -> None:
    held = {*_HELD, "fashion.variation_type"} if varied else _HELD
    of_images = images_keys(work.tally)
    others = OtherKeys(work.tally, NOT_HELD, held)
    for image in part.images():
        work.advance(1)
        garment = _garment_of(work, part, part.garments(image), image.file_name)
        found = None if garment is None else placer.place(image)
        if garment is None or found is None:
            continue
        name, size = found
        of_images.count(part.dataset.store.record("images", image.id))
        if re.search(r"\s", name):  # left where it is: a name in place cannot change
            work.tally.add(SPACED, name)
            continue
        if hash(name) in seen:
            work.tally.add(TWICE, name)
            continue
        seen.add(hash(name))
        padded = name.ljust(NAME_WIDTH)
        kind = clothes_type(garment, part.dataset.schema)
        record = part.dataset.store.record("annotations", garment.id)
        others.count(record)
        variation = f"  {provenance.of(record)['variation_type']}" if varied else ""
        marks = _marks(work, garment, part.dataset.schema, kind, size)
        places = "".join(f"  {v} {x:03d} {y:03d}" for v, x, y in marks)
        lists.landmarks.write(f"{padded}  {kind}{variation}{places} \n")
        x, y, w, h = box_of(garment)
        corners = (x, y, x + w, y + h)
        lists.boxes.write(f"{padded} {' '.join(f'{round(v):03d}' for v in corners)}\n")
        types[garment.category_name][kind] += 1
        lists.categories.write(f"{padded} {names.index(garment.category_name) + 1}\n")
        lists.partitions.write(f"{padded} {part.name}\n")
        if any(v != round(v) for v in (*corners, *garment.xy.ravel().tolist())):
            work.tally.add(ROUNDED)
        work.n_images += 1
        work.n_garments += 1


def _garment_of(
    work: Work, part: Part, garments: Sequence[Garment], file_name: str
) -> Garment | None:
    """Return the garment of an image that is written: the one with the largest box."""
    single: list[Garment] = []
    for garment in garments:
        if garment.is_crowd:
            work.tally.add(CROWDS, f"annotation {garment.id} of {file_name}")
        elif garment.category < 0:
            work.tally.add(NO_CATEGORY, f"annotation {garment.id} of {file_name}")
        else:
            single.append(garment)
    if not single:
        work.tally.add(EMPTY, file_name)
        return None
    if len(single) > 1:
        work.tally.add(FURTHER, file_name, len(single) - 1)
    return max(single, key=lambda garment: box_of(garment)[2] * box_of(garment)[3])


def clothes_type(garment: Garment, schema: Schema) -> int:
    """Return a garment's type: 1 upper, 2 lower, 3 full."""
    present = np.flatnonzero(garment.visibility).tolist()
    body_type = garment.body_type or schema.body_type_for(garment.category, present)
    return _type_of(schema, body_type)


def _type_of(schema: Schema, body_type: str) -> int:
    names = {schema.landmarks[i] for i in schema.landmarks_of(body_type)}
    has_top, has_waist = "left_collar" in names, "left_waistline" in names
    return (3 if has_waist else 1) if has_top else 2


def _usual_type(parts: Sequence[Part], name: str, types: Counter[int]) -> int:
    """Return the type that most written garments of a category have; of one without any its first."""
    if types:
        return max(types, key=lambda kind: (types[kind], -kind))
    for part in parts:
        schema = part.dataset.schema
        if name in schema.category_names:
            index = schema.category_index(name)
            return _type_of(schema, schema.categories[index].body_types[0])
    return 3


def _marks(
    work: Work, garment: Garment, schema: Schema, kind: int, size: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    """Yield visibility, x and y of the landmarks of a type, in DeepFashion's order and numbers."""
    order = [schema.landmarks.index(name) for name in LANDMARKS]
    places, seen = garment.xy[order], garment.visibility[order]
    others = np.setdiff1d(np.arange(len(LANDMARKS)), TYPES[kind])
    if n := int((seen[others] > 0).sum()):
        work.tally.add(FOREIGN, f"annotation {garment.id}", n)
    for i in TYPES[kind]:
        x, y = (round(v) for v in places[i].tolist())
        v = int(seen[i])
        if v and not (0 <= x <= size[0] and 0 <= y <= size[1]):
            work.tally.add(OUTSIDE, f"annotation {garment.id}")
            v = 0
        yield (VISIBILITY[v], x, y) if v else (2, 0, 0)


def _is_varied(part: Part) -> bool:
    """Whether every exported garment has a variation type, 1 to 5."""
    store = part.dataset.store
    return bool(part.chosen.annotations) and all(
        provenance.of(store.record("annotations", key)).get("variation_type") in (1, 2, 3, 4, 5)
        for key in part.chosen.annotations
    )


def _list_name(name: str) -> str:
    """Return a name as the lists have it: under ``img/``, without white space."""
    name = re.sub(r"\s", "_", name)
    return name if name.startswith("img/") else f"img/{name}"


def _word(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip()) or "_"


def _open_text(path: Path) -> TextIO:
    """Open a list to write; names of files keep bytes that are no text."""
    return path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n")


@contextmanager
def _open_lists(folder: Path, varied: bool) -> Iterator[_Lists]:
    """Give the lists to write lines to; at the end each gets its count and header in front."""
    variation = "variation_type  " if varied else ""
    columns = "  ".join(
        f"landmark_visibility_{i} landmark_location_x_{i} landmark_location_y_{i}"
        for i in range(1, 9)
    )
    headers = {
        "Anno/list_landmarks.txt": f"image_name  clothes_type  {variation}{columns}",
        "Anno/list_bbox.txt": "image_name  x_1  y_1  x_2  y_2",
        "Anno/list_category_img.txt": "image_name  category_label",
        "Eval/list_eval_partition.txt": "image_name  evaluation_status",
    }
    paths = [folder / name for name in headers]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
    with ExitStack() as stack:
        streams = [stack.enter_context(_open_text(path.with_suffix(".rows"))) for path in paths]
        yield _Lists(*streams)
    for path, header in zip(paths, headers.values(), strict=True):
        rows = path.with_suffix(".rows")
        with rows.open("rb") as stream:
            count = sum(1 for _ in stream)
            stream.seek(0)
            with path.open("wb") as whole:
                whole.write(f"{count}\n{header}\n".encode())
                shutil.copyfileobj(stream, whole)
        rows.unlink()

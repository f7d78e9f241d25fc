"""YOLO-pose: a text file of normalised boxes and landmarks for each image, and ``data.yaml``."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_fashion.coco.convert.out.other_keys import OtherKeys, images_keys
from napari_fashion.coco.convert.out.placing import Placer, inner_name
from napari_fashion.coco.convert.out.plain_coco import HELD, NO_CATEGORY, TO_IGNORE, box_of
from napari_fashion.coco.convert.out.shared_schema import (
    category_names,
    check_same_landmarks,
    tell_other_landmarks,
)
from napari_fashion.coco.convert.writers import Part, Work, register_writer
from napari_fashion.coco.views import Garment, Image
from napari_fashion.schema import Schema

CROWDS = "crowd regions, which YOLO cannot hold, left out"
NO_BOX = "garments with neither a box nor landmarks, left out"
OUTSIDE = "landmarks outside of their image, written as not labelled"
CUT = "boxes that reach beyond their image, cut at its edge"
NOT_HELD = "garments with keys that YOLO cannot hold"
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@register_writer("yolo", title="YOLO-pose", images="hardlink", check=check_same_landmarks)
def write_yolo(work: Work) -> None:
    """Write ``images/PART``, ``labels/PART`` and ``data.yaml``.

    A line has the number of the category, the box (x and y of its centre, width, height) and x, y,
    visibility of each landmark of the schema; lengths are divided by the image's width or height.
    """
    tell_other_landmarks(work)
    names = category_names([part.dataset for part in work.parts])
    numbers = {name: i for i, name in enumerate(names)}
    for part in work.parts:
        placer = Placer(work, f"images/{part.name}", key=lambda name: posixpath.splitext(name)[0])
        _write_part(work, part, placer, numbers)
    _write_yaml(work, names)


def _write_part(work: Work, part: Part, placer: Placer, numbers: dict[str, int]) -> None:
    labels = work.folder / "labels" / part.name
    folders: set[Path] = set()
    of_images = images_keys(work.tally)
    others = OtherKeys(work.tally, NOT_HELD, HELD["annotations"] - {"segmentation"})
    for image in part.images():
        found = placer.place(image)
        work.advance(1)
        if found is None:
            continue
        name, size = found
        of_images.count(part.dataset.store.record("images", image.id))
        path = labels / (posixpath.splitext(inner_name(name))[0] + ".txt")
        if path.parent not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.add(path.parent)
        lines = _lines(work, part, image, size, numbers, others)
        # A file that two records name has the garments of both.
        with path.open("a", encoding="ascii", newline="\n") as stream:
            stream.writelines(lines)
        work.n_images += 1
        work.n_garments += len(lines)


def _lines(
    work: Work,
    part: Part,
    image: Image,
    size: tuple[int, int],
    numbers: dict[str, int],
    others: OtherKeys,
) -> list[str]:
    tally, lines = work.tally, list[str]()
    ignored = len(image.ignored_boxes) + len(part.chosen.ignored.get(image.id, ()))
    if ignored:
        tally.add(TO_IGNORE.partition(" (")[0], image.file_name, ignored)
    for garment in part.garments(image):
        if garment.is_crowd:
            tally.add(CROWDS, f"annotation {garment.id} of {image.file_name}")
            continue
        if not part.dataset.has("categories", garment.category_id):
            tally.add(NO_CATEGORY, f"annotation {garment.id} of {image.file_name}")
            continue
        record = part.dataset.store.record("annotations", garment.id)
        others.count(record)
        line = _line(work, garment, size, numbers[garment.category_name])
        if line is None:
            tally.add(NO_BOX, f"annotation {garment.id} of {image.file_name}")
        else:
            lines.append(line)
    return lines


def _line(work: Work, garment: Garment, size: tuple[int, int], category: int) -> str | None:
    width, height = size
    what = f"annotation {garment.id}"
    x, y, w, h = box_of(garment)
    x1, y1, x2, y2 = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if x2 <= x1 or y2 <= y1:
        return None
    if (x1, y1, x2, y2) != (x, y, x + w, y + h):
        work.tally.add(CUT, what)
    xy = garment.xy
    seen = garment.visibility
    inside = ((xy >= 0) & (xy <= np.array(size))).all(axis=1)
    if n := int((~inside & (seen > 0)).sum()):
        work.tally.add(OUTSIDE, what, n)
    kept = inside & (seen > 0)
    values = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]
    text = [str(category), *(f"{value:.9g}" for value in values)]
    for (px, py), v, keep in zip((xy / size).tolist(), seen.tolist(), kept.tolist(), strict=True):
        text.append(f"{px:.9g} {py:.9g} {v}" if keep else "0 0 0")
    return " ".join(text) + "\n"


def _write_yaml(work: Work, names: Sequence[str]) -> None:
    """Write ``data.yaml``; strings are quoted as in JSON, which YAML understands."""
    schema = work.parts[0].dataset.schema
    left = work.options.images == "leave"
    parts = {part.name: f"images/{part.name}" for part in work.parts}
    lines = ["# Made by napari-fashion export-data --to yolo."]
    if left:
        lines.append(
            "# The images were left where they are. Ultralytics searches labels beside images: link or "
            "copy the images to train with it."
        )
        for part in work.parts:
            parts[part.name] = str(part.dataset.image_root.resolve())
    else:
        lines.append(
            f"path: {yaml_text(str(work.target.resolve()))}  # change it if the folder is moved"
        )
    if "val" not in parts:
        lines.append("# No validation images were exported: these are the training images again.")
    parts.setdefault("val", parts.get("train", next(iter(parts.values()))))
    parts.setdefault("train", parts["val"])
    lines += [
        f"{name}: {yaml_text(parts[name])}" for name in ("train", "val", "test") if name in parts
    ]
    lines.append(f"kpt_shape: [{schema.n_landmarks}, 3]")
    lines += _mirrors(schema)
    lines.append("names:")
    lines += [f"  {i}: {yaml_text(name)}" for i, name in enumerate(names)]
    lines.append("kpt_names:")
    listed = ", ".join(yaml_text(name) for name in schema.landmarks)
    lines += [f"  {i}: [{listed}]" for i in range(len(names))]
    (work.folder / "data.yaml").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


def _mirrors(schema: Schema) -> list[str]:
    if schema.mirrors:
        return [f"flip_idx: {json.dumps(list(schema.flips))}"]
    return [f"# No flip_idx: do not mirror images in training ({schema.mirror_problem})."]


def yaml_text(text: str) -> str:
    """Return a text as YAML has it in quotes: as JSON, with what only JSON allows escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)

"""Any COCO-like file as a clean one: numbers as numbers, triplets, categories that name their landmarks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_fashion.coco import provenance
from napari_fashion.coco.convert.faults import At, Faults
from napari_fashion.coco.convert.items import Garment, Item, Part, Plan
from napari_fashion.coco.convert.registry import ConvertOptions, register_format
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import TABLES, RecordId, TableName
from napari_fashion.coco.jsontext import loads
from napari_fashion.coco.keypoints import box_problem, flag, number, parse_box
from napari_fashion.coco.records import category_record
from napari_fashion.coco.views import pixels
from napari_fashion.documents import shown
from napari_fashion.errors import ConvertError
from napari_fashion.files import is_file
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

_LAYOUT = "a COCO keypoint file (JSON), or a folder of such files"
_IMAGE_KEYS = frozenset(("id", "file_name", "width", "height"))
_GARMENT_KEYS = frozenset(
    ("id", "image_id", "category_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd")
)


@register_format("coco", title="any COCO-like keypoint file", layout=_LAYOUT, options=("schema",))
def _plan(source: Path, options: ConvertOptions, faults: Faults) -> Plan:
    files = [source] if is_file(source) else sorted(source.glob("*.json"))
    if not files:
        raise ConvertError(f"{source}: found no such file and no .json in it; expected {_LAYOUT}.")
    schema = None if options.schema is None else Schema.load(options.schema)
    readers = []
    for file in files:
        dataset = Dataset.load(
            file,
            fallback=schema,
            image_root=options.image_root,
            allow_roots=options.allow_roots,
        )
        readers.append(_Reader(dataset, file.name, faults))
    items = (item for i, reader in enumerate(readers) for item in reader.items(i))
    total = sum(reader.dataset.store.count("images") for reader in readers)
    return Plan([r.part(f.stem) for r, f in zip(readers, files, strict=True)], items, total)


@dataclass
class _Reader:
    """Makes clean images of a data set's records."""

    dataset: Dataset
    file: str
    faults: Faults
    changed: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        store = self.dataset.store
        self._keeps_ids = {t: all(type(key) is int for key in store.ids(t)) for t in TABLES}
        self._categories = {key: i for i, key in enumerate(store.ids("categories"))}

    def part(self, name: str) -> Part:
        """Return the part that the data set becomes."""
        folder, store = self.dataset.image_folder, self.dataset.store
        top = {
            member.key: loads(store.top(member.key) or "null")
            for member in store.members
            if member.key not in TABLES
        }
        info = top.get("info")
        if info is not None and not isinstance(info, dict):
            top["info"] = {"description": info}
        ours = dict(provenance.of(top.get("info", {})))
        return Part(
            name,
            self.dataset.schema,
            folder.root,
            name,
            categories=[self._category(i, key) for i, key in enumerate(store.ids("categories"))],
            info=ours,
            top=top,
            check_places=False,
            allowed=tuple(folder.allowed),
            trusted=folder.trusted,
            origin=folder.origin,
        )

    def _id(self, table: TableName, key: RecordId) -> RecordId | None:
        return key if self._keeps_ids[table] else None

    def _category(self, row: int, key: RecordId) -> dict[str, Any]:
        """Return a category record that names its landmarks, with the record's further fields."""
        schema, record = self.dataset.schema, self.dataset.store.record("categories", key)
        index = max(self.dataset.category_index(key), 0)
        clean = category_record(schema, index, key if self._keeps_ids["categories"] else row + 1)
        order = self.dataset.landmark_order(key)
        if order is not None:
            clean["keypoints"] = [str(name) for name in record["keypoints"]]
            at = {landmark: i + 1 for i, landmark in enumerate(order) if landmark >= 0}
            clean["skeleton"] = [[at[a], at[b]] for a, b in schema.edges if a in at and b in at]
        name = record.get("name")
        more = {k: v for k, v in record.items() if k not in clean}
        parent = record.get("supercategory", clean["supercategory"])
        return {**clean, "name": str(name), "supercategory": parent, **more}

    def items(self, part: int) -> Iterator[Item]:
        """Yield the images in file order; note at the end what was written in another form."""
        dataset = self.dataset
        found: set[RecordId] = set()
        for image in dataset.images:
            record = dataset.store.record("images", image.id)
            at = At(self.file, 0, f"image {shown(image.id)}")
            garments = [g for view in image.garments if (g := self._garment(view.id)) is not None]
            found.update(view.id for view in image.garments)
            if not image.file_name:
                self.faults.add(
                    "images left out: no file_name", at, shown(record.get("file_name")), "a name"
                )
                continue
            more = {k: v for k, v in record.items() if k not in _IMAGE_KEYS}
            size = image.known_size
            if size is None:
                self._measured(record, at)
            yield Item(
                part, image.file_name, at, garments, size, more,
                self._id("images", image.id),
            )  # fmt: skip
        for key in dataset.store.ids("annotations"):
            if key not in found:
                self.faults.add(
                    "garments left out: of no image",
                    self._at(key),
                    f"image_id {shown(dataset.store.record('annotations', key).get('image_id'))}",
                    "the id of an image of the file",
                )
        self.faults.notes += [f"{self.file}: {line}" for line in self.changed.lines(examples=0)]

    def _at(self, key: RecordId, more: str = "") -> At:
        """Return the place of an annotation, or of something in it."""
        return At(self.file, 0, f"annotation {shown(key)}{more}")

    def _measured(self, record: Mapping[str, Any], at: At) -> None:
        """Count an image without a size that can be used."""
        given = {k: record[k] for k in ("width", "height") if record.get(k) is not None}
        if all(map(pixels, given.values())):
            self.changed.add("images without width and height, which are those of the file")
            return
        self.faults.add(
            "images with the width and height of the file, not of the record", at,
            " and ".join(f"{k} {shown(v)}" for k, v in given.items()), "whole numbers above 0",
        )  # fmt: skip

    def _garment(self, key: RecordId) -> Garment | None:
        dataset = self.dataset
        record = dataset.store.record("annotations", key)
        view = dataset.garment(key)
        at = self._at(key)
        category = self._categories.get(view.category_id)
        if category is None:
            self.faults.add(
                "garments left out: of no category", at,
                f"category_id {shown(record.get('category_id'))}", "the id of a category of the file",
            )  # fmt: skip
            return None
        order = dataset.landmark_order(view.category_id)
        n = dataset.schema.n_landmarks if order is None else len(order)
        flat = self._flat(record.get("keypoints"), n, key)
        if isinstance(flat, str):
            self.faults.add(
                "garments left out: keypoints make no sense", at, flat,
                f"{3 * n} numbers, x, y and visibility of {n} landmarks",
            )  # fmt: skip
            return None
        skipped = _GARMENT_KEYS if view.is_foreign else _GARMENT_KEYS | {provenance.KEY}
        more = {k: v for k, v in record.items() if k not in skipped}
        more["iscrowd"] = self._crowd(record.get("iscrowd"), at)
        area = number(record.get("area"))
        if math.isfinite(area) and area >= 0:
            more["area"] = _plain(record["area"])
        elif record.get("area") is not None:
            self.faults.add(
                "garments with the area of their box", at, f"area {shown(record['area'])}",
                "a number of pixels",
            )  # fmt: skip
        return Garment(
            category, flat, self._box(record, flat, at), provenance.of(record), more,
            record_id=self._id("annotations", key),
        )  # fmt: skip

    def _crowd(self, value: Any, at: At) -> int:
        """Return COCO's flag of a crowd."""
        is_crowd = int(flag(value))
        text = value.strip().lower() if isinstance(value, str) else None
        if value is not None and number(value) not in (0, 1) and text not in ("true", "false"):
            self.faults.add(
                f"garments with iscrowd {is_crowd} in place of what makes no sense", at,
                f"iscrowd {shown(value)}", "0 or 1",
            )  # fmt: skip
        return is_crowd

    def _box(self, record: Mapping[str, Any], flat: list[Any], at: At) -> tuple[Any, Any, Any, Any]:
        """Return the record's box; that of the landmarks where it has none that can be used."""
        value: Any = record.get("bbox")
        if parse_box(value) is not None and not box_problem(value):
            x, y, w, h = (_plain(v) for v in value)
            if any(isinstance(v, str) for v in value):
                self.changed.add("boxes as text, written as numbers")
            return x, y, w, h
        if value is None or value == []:
            self.changed.add("boxes that were missing, made of the landmarks")
        else:
            problem = box_problem(value) or f"bbox {shown(value)}"
            self.faults.add(
                "garments with the box of their landmarks", at, problem,
                "x, y, width and height, four finite numbers with an area",
            )  # fmt: skip
        xs = [x for x, v in zip(flat[0::3], flat[2::3], strict=True) if v]
        ys = [y for y, v in zip(flat[1::3], flat[2::3], strict=True) if v]
        return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)) if xs else (0, 0, 0, 0)

    def _flat(self, value: Any, n: int, key: RecordId) -> list[Any] | str:
        """Return the flat triplets of N landmarks; as text what was found if it means none.

        Taken are triplets and x, y pairs, flat or as a list of lists, numbers as text, and nothing at all.
        """
        if value is None or value == []:
            self.faults.add(
                "garments kept without a landmark: no keypoints", self._at(key), "none",
                f"{3 * n} numbers, x, y and visibility of {n} landmarks",
            )  # fmt: skip
            return [0] * (3 * n)
        if not isinstance(value, list):
            return f"keypoints {shown(value)}"
        if all(isinstance(point, list) for point in value):
            if len({len(point) for point in value}) != 1 or len(value[0]) not in (2, 3):
                return f"keypoints {shown(value)}"
            self.changed.add("keypoints as a list of points, written flat")
            value = [v for point in value for v in point]
        if any(not isinstance(v, (int, float, str, type(None))) for v in value):
            return f"keypoints {shown(value)}"
        if len(value) not in (2 * n, 3 * n):
            return f"{len(value)} numbers"
        if any(isinstance(v, str) for v in value):
            self.changed.add("keypoints as text, written as numbers")
        if len(value) == 2 * n:
            self.changed.add("keypoints as x, y pairs, written as visible landmarks (0, 0: none)")
            pairs = zip(value[0::2], value[1::2], strict=True)
            value = [v for x, y in pairs for v in (x, y, 2 if number(x) or number(y) else 0)]
        triplets = (self._triplet(value[3 * i : 3 * i + 3], key, i + 1) for i in range(n))
        return [v for triplet in triplets for v in triplet]

    def _triplet(self, given: list[Any], key: RecordId, n: int) -> tuple[Any, Any, int]:
        """Return the numbers of landmark N of an annotation; 0, 0, 0 if it is not labelled.

        So it is, and counted, where its place or its visibility is no finite number.
        """
        x, y, v = given
        seen = number(v)
        label = min(max(round(seen), 0), 2) if math.isfinite(seen) else 0
        at = self._at(key, f", landmark {n}")
        if label != seen:
            kind = (
                "landmarks that are not labelled"
                if not label
                else f"landmarks of visibility {label}"
            )
            self.faults.add(
                f"{kind}, whose visibility makes no sense",
                at,
                f"visibility {shown(v)}",
                "0, 1 or 2",
            )
        if not label:
            if label == seen and (number(x) or number(y)) and x is not None:
                self.changed.add("landmarks that are not labelled, placed at 0, 0")
            return 0, 0, 0
        if not (math.isfinite(number(x)) and math.isfinite(number(y))):
            self.faults.add(
                "landmarks that are not labelled: their place makes no sense", at,
                f"x {shown(x)}, y {shown(y)}", "finite numbers",
            )  # fmt: skip
            return 0, 0, 0
        return _plain(x), _plain(y), label


def _plain(value: Any) -> int | float:
    """Return a number that may be text; whole numbers of text as integers."""
    if type(value) is int or type(value) is float:
        return value
    found = number(value)
    return int(found) if found.is_integer() else found

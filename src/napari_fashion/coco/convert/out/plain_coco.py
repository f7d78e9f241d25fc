"""Plain COCO keypoint documents, in a form that every tool reads, written record by record."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from napari_fashion.coco import jsontext, provenance
from napari_fashion.coco.convert.out.other_keys import OtherKeys
from napari_fashion.coco.convert.out.placing import Placer
from napari_fashion.coco.convert.writers import Part, Work
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import TABLES, RecordId, TableName
from napari_fashion.coco.image_places import relative_root
from napari_fashion.coco.keypoints import (
    DECIMALS,
    all_numbers,
    landmark_box,
    number,
)
from napari_fashion.coco.records import image_record
from napari_fashion.coco.views import Garment, Image
from napari_fashion.documents import listed, shown
from napari_fashion.images import remember_root, remember_root_of

IMAGE_KEYS: Final = ("license", "coco_url", "flickr_url", "date_captured")
"""Keys of an image that are COCO's own, besides those that every image has."""
HELD: Final[dict[TableName, frozenset[str]]] = {
    "images": frozenset(
        ("id", "file_name", "width", "height", *IMAGE_KEYS)
    ),
    "annotations": frozenset(
        ("id", "image_id", "category_id", "iscrowd", "bbox", "area", "num_keypoints", "keypoints",
         "segmentation")
    ),
    "categories": frozenset(("id", "name", "supercategory", "keypoints", "skeleton")),
}  # fmt: skip
"""Keys that COCO has, by table."""
NO_CATEGORY = "annotations of no category, left out"
NO_SEGMENTATION = "segmentations of another form than COCO's, left out"
OTHER_KEYS = "{table} with keys that are not COCO's own, left out (kept with extras)"
OTHER_TOP = "keys at the top of the file that are not COCO's own, left out (kept with extras)"
MENDED = "keypoints of another form, written as far as they can be read"
TO_IGNORE = "regions of unknown content, left out (kept with extras)"


class PlainCoco:
    """Writes one part of an export as a COCO document.

    Ids are whole numbers, sizes and boxes are there, landmarks are triplets of finite numbers, and
    counts are right.

    Parameters
    ----------
    work
        The export at hand.
    part
        The file.
    placer
        Places its images.
    uniform
        Every category gets all landmarks of the schema, in its order: for tools that train one set of
        landmarks.
    single
        Name of the one category that all garments get, for tools that know one only.
    """

    def __init__(
        self,
        work: Work,
        part: Part,
        placer: Placer,
        *,
        uniform: bool = False,
        single: str | None = None,
    ) -> None:
        self._work = work
        self._part = part
        self._dataset = part.dataset
        self._placer = placer
        self._uniform = uniform
        self._single = single
        self._extras = work.options.extras
        self._others = {
            table: OtherKeys(work.tally, OTHER_KEYS.format(table=table), held)
            for table, held in HELD.items()
        }
        self._image_ids = WholeIds(self._dataset, "images", work)
        self._garment_ids = WholeIds(self._dataset, "annotations", work)
        self._category_ids = WholeIds(self._dataset, "categories", work)

    def write(self, name: str, image_folder: str) -> None:
        """Write the document.

        Parameters
        ----------
        name
            The file, relative to the export's folder.
        image_folder
            Where images are placed, relative to the export's folder.
        """
        path = self._work.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        placed: dict[RecordId, None] = {}
        with path.open("w", encoding="ascii", newline="\n") as stream:
            stream.write('{\n"info": ' + _json(self._info(Path(name), image_folder)))
            licenses = self._dataset.store.top("licenses")
            if licenses is not None:
                stream.write(',\n"licenses": ' + _json(jsontext.loads(licenses)))
            for key, text in self._other_top():
                stream.write(f",\n{_json(key)}: {text}")
            _write_list(stream, "images", self._images(placed))
            _write_list(stream, "annotations", self._annotations(placed))
            _write_list(stream, "categories", self._categories())
            stream.write("\n}\n")

    # -- the top ---------------------------------------------------------------------------

    def _info(self, name: Path, image_folder: str) -> dict[str, Any]:
        """Return ``info`` with the one note of ours: where the images lie, and the schema."""
        text = self._dataset.store.top("info")
        given = None if text is None else jsontext.loads(text)
        info = dict(given) if isinstance(given, dict) else {}
        folder = (self._work.target / name).parent
        if self._work.options.images == "leave":
            root = self._dataset.image_root
            if self._dataset.image_folder.origin != "found":
                remember_root(root)
            elif self._dataset.image_folder.usable:
                remember_root_of(self._work.target / name, root)
        else:
            root = self._work.target / image_folder
        info[provenance.KEY] = {
            "schema": self._dataset.schema.to_note(),
            "image_root": relative_root(root, folder),
        }
        return info

    def _other_top(self) -> Iterator[tuple[str, str]]:
        """Yield what else stands at the top of the file, where extras are kept; else count it."""
        store = self._dataset.store
        keys = [m.key for m in store.members if m.key not in (*TABLES, "info", "licenses")]
        if self._extras:
            yield from ((key, _json(jsontext.loads(store.top(key) or "null"))) for key in keys)
        elif keys:
            self._work.tally.add(OTHER_TOP, listed(keys), len(keys))

    # -- images ----------------------------------------------------------------------------

    def _images(self, placed: dict[RecordId, None]) -> Iterator[dict[str, Any]]:
        for image in self._part.images():
            found = self._placer.place(image)
            self._work.advance(1)
            if found is None:
                continue
            placed[image.id] = None
            self._work.n_images += 1
            name, (width, height) = found
            record = self._dataset.store.record("images", image.id)
            made = image_record(self._image_ids.of(image.id), name, width, height)
            made |= {key: record[key] for key in IMAGE_KEYS if key in record}
            yield self._with_extras(made, record, self._others["images"], self._ignored(image))

    def _ignored(self, image: Image) -> list[list[float]]:
        """Return the regions that nobody knows of an image; without extras they are counted."""
        boxes = self._part.chosen.ignored.get(image.id, [])
        if not self._extras and (n := len(boxes) + len(image.ignored_boxes)):
            self._work.tally.add(TO_IGNORE, image.file_name, n)
        return boxes

    # -- annotations -----------------------------------------------------------------------

    def _annotations(self, placed: Mapping[RecordId, None]) -> Iterator[dict[str, Any]]:
        for image_id in placed:
            self._work.advance(0)
            for garment in self._part.garments(Image(self._dataset, image_id)):
                record = self._annotation(garment)
                if record is not None:
                    self._work.n_garments += 1
                    yield record

    def _annotation(self, garment: Garment) -> dict[str, Any] | None:
        if self._single is None and not self._dataset.has("categories", garment.category_id):
            self._work.tally.add(NO_CATEGORY, f"annotation {garment.id}")
            return None
        record = self._dataset.store.record("annotations", garment.id)
        box = box_of(garment)
        area = number(record.get("area"))
        flat = self._keypoints(garment, record.get("keypoints"))
        made: dict[str, Any] = {
            "id": self._garment_ids.of(garment.id),
            "image_id": self._image_ids.of(garment.image_id),
            "category_id": self._category_id(garment),
            "iscrowd": int(garment.is_crowd),
            "bbox": list(box),
            "area": area if math.isfinite(area) and area >= 0 else round(box[2] * box[3], DECIMALS),
            "num_keypoints": sum(v > 0 for v in flat[2::3]),
            "keypoints": flat,
        }
        outline = record.get("segmentation")
        if is_segmentation(outline):
            made["segmentation"] = outline
        elif outline not in (None, []):
            self._work.tally.add(NO_SEGMENTATION, f"annotation {garment.id}")
        return self._with_extras(made, record, self._others["annotations"])

    def _category_id(self, garment: Garment) -> int:
        return 1 if self._single else self._category_ids.of(garment.category_id)

    def _keypoints(self, garment: Garment, value: Any) -> list[float | int]:
        """Return the triplets of a garment: the record's own if they are right, else what is of them."""
        order = self._dataset.landmark_order(garment.category_id)
        k = self._dataset.schema.n_landmarks
        given = triplets_of(value, k if order is None else len(order))
        if given is None and value is not None:
            self._work.tally.add(MENDED, f"annotation {garment.id}: {shown(value)}")
        if given is not None and (order is None or not self._uniform):
            return given
        flat: list[float | int] = []
        places, seen = garment.xy.tolist(), garment.visibility.tolist()
        for i in range(k) if order is None or self._uniform else order:
            (x, y), v = (places[i], seen[i]) if i >= 0 else ((0.0, 0.0), 0)
            flat += [x, y, v]
        return flat

    # -- categories ------------------------------------------------------------------------

    def _categories(self) -> Iterator[dict[str, Any]]:
        if self._single is not None:
            made = category_of(self._dataset, {"id": 1, "name": self._single}, uniform=True)
            yield {"id": 1, **made}
            return
        for key in self._dataset.store.ids("categories"):
            record = self._dataset.store.record("categories", key)
            made = category_of(self._dataset, record, uniform=self._uniform)
            made = {"id": self._category_ids.of(key), **made}
            yield self._with_extras(made, record, self._others["categories"])

    # -- what is not COCO's ----------------------------------------------------------------

    def _with_extras(
        self,
        made: dict[str, Any],
        record: Mapping[str, Any],
        others: OtherKeys,
        ignored: Sequence[list[float]] = (),
    ) -> dict[str, Any]:
        """Return a record with the keys that are not COCO's own, or count them."""
        if not self._extras:
            others.count(record)
            return made
        more = {key: value for key, value in record.items() if key not in made}
        more.pop("segmentation", None)
        if ignored:
            more[provenance.KEY] = provenance.with_ignored(record, list(ignored))
        return {**made, **more}


class WholeIds:
    """Ids as whole numbers, as most tools expect them: others get numbers above the highest."""

    def __init__(self, dataset: Dataset, table: TableName, work: Work) -> None:
        self._numbers: dict[RecordId, int] = {}
        odd = [key for key in dataset.store.ids(table) if type(key) is not int]
        if odd:
            first = dataset.store.next_id(table)
            self._numbers = {key: first + i for i, key in enumerate(odd)}
            work.tally.add(f"ids of {table} that are no whole numbers, numbered anew", n=len(odd))

    def of(self, key: RecordId) -> int:
        """Return the number of a record."""
        return self._numbers[key] if key in self._numbers else int(key)


def category_of(dataset: Dataset, record: Mapping[str, Any], *, uniform: bool) -> dict[str, Any]:
    """Return a category's record without its id: name, supercategory, landmarks and skeleton."""
    schema = dataset.schema
    listed = record.get("keypoints")
    own = isinstance(listed, list) and listed and all(isinstance(name, str) for name in listed)
    names = list(listed) if own and listed and not uniform else list(schema.landmarks)
    skeleton = _skeleton(record.get("skeleton"), len(names)) if own and not uniform else None
    if skeleton is None:
        fits = tuple(names) == schema.landmarks
        skeleton = [[a + 1, b + 1] for a, b in schema.edges] if fits else []
    above = record.get("supercategory")
    return {
        "name": str(record.get("name", f"category {record['id']}")),
        "supercategory": above if isinstance(above, str) else "clothing",
        "keypoints": names,
        "skeleton": skeleton,
    }


def _skeleton(value: Any, k: int) -> list[list[int]] | None:
    """Return pairs of numbers from 1 to `k`; None if the value has another form."""
    if not isinstance(value, list) or not value:
        return None
    for pair in value:
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(i) is int for i in pair)):
            return None
        if not all(1 <= i <= k for i in pair):
            return None
    return value


def box_of(garment: Garment) -> tuple[float, float, float, float]:
    """Return a garment's box x, y, width, height, else that of its landmarks, else zeros."""
    box = garment.bbox
    if box is None or box[2] < 0 or box[3] < 0 or not any(box):
        box = landmark_box(garment.xy, garment.visibility)
    return box or (0.0, 0.0, 0.0, 0.0)


def triplets_of(value: Any, n: int) -> list[float | int] | None:
    """Return a record's keypoints where they are `n` right triplets, else None.

    A landmark that is not labelled is at 0, 0.

    >>> triplets_of([1, 2.5, 2, 7, 7, 0], 2), triplets_of([1, 2, 3], 1)
    ([1, 2.5, 2, 0, 0, 0], None)
    """
    if not isinstance(value, list) or len(value) != 3 * n or not all_numbers(value):
        return None
    if not all(map(math.isfinite, value)) or not {0, 1, 2}.issuperset(value[2::3]):
        return None
    flat = list(value)
    for at in range(2, len(flat), 3):
        flat[at] = int(flat[at])
        if not flat[at]:
            flat[at - 2] = flat[at - 1] = 0
    return flat


def is_segmentation(value: Any) -> bool:
    """Whether a value is a segmentation in one of COCO's forms: polygons, or a run-length mask."""
    if isinstance(value, dict):
        size = value.get("size")
        counts = value.get("counts")
        return isinstance(size, list) and len(size) == 2 and isinstance(counts, (str, list))
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(part, list)
            and len(part) >= 6
            and len(part) % 2 == 0
            and all_numbers(part)
            and all(map(math.isfinite, part))
            for part in value
        )
    )


def _write_list(stream: TextIO, name: str, records: Iterable[dict[str, Any]]) -> None:
    stream.write(f',\n"{name}": [')
    separator = "\n"
    for record in records:
        stream.write(separator + _json(record))
        separator = ",\n"
    stream.write("\n]" if separator == ",\n" else "]")


def _json(value: Any) -> str:
    return json.dumps(value)

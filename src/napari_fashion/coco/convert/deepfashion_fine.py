"""DeepFashion-C, ``Anno_fine``: another choice of images, in lists whose lines have no names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.coco.convert.attributes import attribute_names
from napari_fashion.coco.convert.deepfashion_lists import (
    BODY_TYPES,
    PARTITIONS,
    category_labels,
    image_folder,
    label_reader,
    landmarks_of,
    schema_of,
)
from napari_fashion.coco.convert.faults import NO_SENSE, At, Faults, Wrong
from napari_fashion.coco.convert.items import Garment, Item, Part, Plan
from napari_fashion.coco.convert.lists import BOX, ListFile, box_of, numbers
from napari_fashion.coco.convert.registry import ConvertOptions
from napari_fashion.documents import shown
from napari_fashion.errors import ConvertError
from napari_fashion.files import is_file, read_regular, why_unreadable
from napari_fashion.schema import Schema

FOLDER = "Anno_fine"
KINDS = ("cate", "bbox", "landmarks", "attr")
"""Lists of a partition beside that of the names; the last may be missing."""


@dataclass
class _Partition:
    """The lines of one partition's lists, in the order of the names."""

    index: int
    names: list[tuple[int, str]]
    rows: dict[str, list[tuple[int, list[str]]]]

    def at(self, kind: str, row: int) -> At:
        """Return the place of a row in one of the lists."""
        return At(f"{FOLDER}/{PARTITIONS[self.index]}_{kind}.txt", self.rows[kind][row][0])


def fine_plan(source: Path, options: ConvertOptions, faults: Faults) -> Plan:
    """Return the plan of ``Anno_fine``.

    A partition of which a list has more or fewer rows than there are names is not converted: every
    garment would get what belongs to its neighbour.

    Raises
    ------
    ConvertError
        If there are no lists of any partition.
    """
    labels, schema = category_labels(
        source, f"{FOLDER}/list_category_cloth.txt", schema_of(options.upper_last_pair), faults
    )
    images = image_folder(source, options.image_root)
    found = [_read(source, i, faults) for i in range(len(PARTITIONS))]
    partitions = [partition for partition in found if partition is not None]
    seen: Mapping[str, tuple[int, list[Any]]] = {}
    if options.visibility == "coarse":
        seen = _coarse(source, {n for p in partitions for _, n in p.names}, schema, faults)
        faults.notes.append(
            f"Visibility is that of Anno_coarse/list_landmarks.txt for {len(seen):,} images; elsewhere all "
            "landmarks that are there count as visible."
        )
    else:
        faults.notes.append(
            "Anno_fine has no visibility: all landmarks that are there count as visible (--visibility "
            "coarse takes it from Anno_coarse)."
        )
    info = {
        "annotations": FOLDER,
        "visibility": options.visibility,
        "upper_last_pair": options.upper_last_pair,
    }
    parts = [Part(name, schema, images, info={"converted": info}) for name in PARTITIONS]
    attributes = attribute_names(source, FOLDER, faults) if is_file(source / _ATTRIBUTES) else []
    rows = _Rows(schema, labels, attributes, seen, faults)
    items = (item for partition in partitions for item in rows.items(partition))
    return Plan(parts, items, sum(len(partition.names) for partition in partitions))


_ATTRIBUTES = f"{FOLDER}/list_attr_cloth.txt"


@dataclass
class _Rows:
    """Makes images of the rows of a partition."""

    schema: Schema
    labels: Sequence[int | None]
    attributes: Sequence[str]
    seen: Mapping[str, tuple[int, list[Any]]]
    faults: Faults

    def items(self, partition: _Partition) -> Iterator[Item]:
        """Yield the images of a partition, in the order of its names."""
        lines: dict[str, int] = {}
        file = f"{FOLDER}/{PARTITIONS[partition.index]}.txt"
        for row, (line, name) in enumerate(partition.names):
            if (first := lines.setdefault(name, line)) != line:
                self.faults.add(
                    "lines left out: an image again", At(file, line),
                    f"{name} a second time (first on line {first})", "each image once",
                )  # fmt: skip
                continue
            garment = self._garment(partition, row, name)
            if garment is not None:
                yield Item(partition.index, name, At(file, line), [garment])

    def _garment(self, partition: _Partition, row: int, name: str) -> Garment | None:
        words = {kind: rows[row][1] for kind, rows in partition.rows.items()}
        category = label_reader(self.labels)(words["cate"])
        box = box_of(words["bbox"])
        if isinstance(category, str):
            expected = f"a label from 1 to {len(self.labels)}, a line of list_category_cloth.txt"
            self.faults.add(NO_SENSE, partition.at("cate", row), category, expected)
            return None
        if isinstance(box, str):
            self.faults.add(NO_SENSE, partition.at("bbox", row), box, BOX)
            return None
        body_type = self.schema.categories[category].body_types[0]
        slots = self.schema.landmarks_of(body_type)
        keypoints = _places(words["landmarks"], slots, self.schema.n_landmarks)
        if isinstance(keypoints, Wrong):
            self.faults.add(NO_SENSE, partition.at("landmarks", row), *keypoints)
            return None
        clothes_type = next(t for t, label in BODY_TYPES.items() if label == body_type)
        self._see(name, clothes_type, keypoints)
        fashion: dict[str, Any] = {"clothes_type": clothes_type}
        if "attr" in words:
            fashion.update(self._attributes(partition, row, words["attr"]))
        return Garment(
            category, keypoints, box, fashion, {"body_type": body_type},
            partition.at("bbox", row), partition.at("landmarks", row),
        )  # fmt: skip

    def _see(self, name: str, clothes_type: int, keypoints: list[Any]) -> None:
        """Give landmarks the visibility that the coarse lists have for the same image."""
        coarse = self.seen.get(name)
        if coarse is None or coarse[0] != clothes_type:
            return
        for i in range(2, len(keypoints), 3):
            if keypoints[i] and coarse[1][i]:
                keypoints[i] = coarse[1][i]
            elif keypoints[i]:
                keypoints[i - 2 : i + 1] = (0, 0, 0)

    def _attributes(self, partition: _Partition, row: int, words: list[str]) -> dict[str, Any]:
        names = self.attributes
        if len(words) != len(names) or not set(words) <= {"0", "1"}:
            self.faults.add(
                "garments kept without attributes: a line makes no sense",
                partition.at("attr", row),
                f"{len(words)} values, {shown(' '.join(words))}",
                f"{len(names)} values of 0 or 1, one for each line of list_attr_cloth.txt",
            )
            return {}
        return {
            "attributes": [name for name, word in zip(names, words, strict=True) if word == "1"]
        }


def _places(words: list[str], slots: Sequence[int], k: int) -> list[Any] | Wrong:
    """Return COCO's keypoints of x, y pairs of the landmarks at `slots`, which zeros follow."""
    values = numbers(words)
    if values is None or len(values) != 2 * k:
        found = f"{len(words)} words" if values is None else f"{len(values)} numbers"
        return Wrong(f"{found}, {shown(' '.join(words))}", f"{2 * k} numbers, x and y of landmarks")
    if any(values[2 * len(slots) :]):
        rest = shown(" ".join(words[2 * len(slots) :]))
        return Wrong(
            f"{rest} after {len(slots)} landmarks",
            "zeros after the landmarks of the category's type",
        )
    keypoints: list[Any] = [0] * (3 * k)
    for i, slot in enumerate(slots):
        x, y = values[2 * i : 2 * i + 2]
        if x or y:
            keypoints[3 * slot : 3 * slot + 3] = (x, y, 2)
    return keypoints


def _read(source: Path, index: int, faults: Faults) -> _Partition | None:
    """Return the lines of a partition; None if it has no lists, or they do not match."""
    part = PARTITIONS[index]
    names_file = f"{FOLDER}/{part}.txt"
    if not is_file(source / names_file):
        faults.notes.append(f"{names_file} is not there: the partition {part} is left out.")
        return None
    names = [(line, words[0]) for line, words in _lines(source, names_file)]
    rows: dict[str, list[tuple[int, list[str]]]] = {}
    fits = True
    for kind in KINDS:
        file = f"{FOLDER}/{part}_{kind}.txt"
        if not is_file(source / file):
            if kind == "attr":
                continue
            faults.add(
                "partitions left out: a list is missing", At(file), "no such file",
                f"a list with a row for each of the {len(names)} names in {part}.txt",
            )  # fmt: skip
            fits = False
            continue
        rows[kind] = _lines(source, file)
        if len(rows[kind]) != len(names):
            faults.add(
                "partitions left out: lists do not match", At(file),
                f"{len(rows[kind])} rows beside {len(names)} names in {part}.txt", "a row for each name",
            )  # fmt: skip
            fits = False
    return _Partition(index, names, rows) if fits else None


def _lines(source: Path, name: str) -> list[tuple[int, list[str]]]:
    """Return number and words of each line of a file that is not blank."""
    try:
        text = read_regular(source / name).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConvertError(
            f"{name}: cannot be read ({why_unreadable(error)}); expected a list of the data set."
        ) from error
    lines = ((i, line.split()) for i, line in enumerate(text.splitlines(), 1))
    return [(i, words) for i, words in lines if words]


def _coarse(
    source: Path, names: set[str], schema: Schema, faults: Faults
) -> dict[str, tuple[int, list[Any]]]:
    """Return clothes type and keypoints of some images in the coarse lists."""
    file = ListFile(source, "Anno_coarse/list_landmarks.txt", "image_name", faults)
    has_variation = "variation_type" in file.header
    slots = {t: schema.landmarks_of(label) for t, label in BODY_TYPES.items()}
    found: dict[str, tuple[int, list[Any]]] = {}
    for _, words in file.rows():
        if words[0] in names and words[0] not in found:
            read = landmarks_of(words[1:], has_variation, slots)
            if not isinstance(read, Wrong):
                found[words[0]] = (read[0], read[2])
    return found

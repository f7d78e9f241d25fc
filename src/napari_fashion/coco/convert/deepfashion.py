"""DeepFashion, Category and Attribute Prediction and Landmark Detection: text lists to COCO."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.coco.convert.attributes import read_attributes, read_joints
from napari_fashion.coco.convert.deepfashion_fine import fine_plan
from napari_fashion.coco.convert.deepfashion_lists import (
    BODY_TYPES,
    PARTITIONS,
    category_labels,
    image_folder,
    label_reader,
    landmark_schema,
    landmarks_of,
    list_name,
    partitions_of,
    schema_of,
)
from napari_fashion.coco.convert.faults import NO_SENSE, At, Faults, Wrong
from napari_fashion.coco.convert.items import Garment, Item, Part, Plan
from napari_fashion.coco.convert.lists import BOX, ListFile, Number, Table, box_of, report_twice
from napari_fashion.coco.convert.registry import ConvertOptions, register_format
from napari_fashion.errors import ConvertError
from napari_fashion.schema import Schema


@dataclass
class LandmarkLists:
    """What every line of ``list_landmarks.txt`` is read with.

    Attributes
    ----------
    file
        The list.
    boxes
        ``list_bbox.txt``.
    partition
        Line and part of each image.
    schema
        What the landmarks mean.
    category
        Returns the index of an image's category, by its name, its clothes type and its place; None
        leaves it out.
    attributes
        What is noted of an image's attributes.
    """

    file: ListFile
    boxes: Table[tuple[Number, Number, Number, Number]]
    partition: Table[int]
    schema: Schema
    category: Callable[[str, int, At], int | None]
    attributes: Callable[[str], Mapping[str, Any]]
    faults: Faults

    def items(self) -> Iterator[Item]:
        """Yield the images, in the order of the list."""
        has_variation = "variation_type" in self.file.header
        slots = {t: self.schema.landmarks_of(label) for t, label in BODY_TYPES.items()}
        lines: dict[str, int] = {}
        for line, words in self.file.rows():
            name = words[0]
            if (first := lines.setdefault(name, line)) != line:
                report_twice(self.file, line, name, first, self.faults)
                continue
            item = self._item(name, line, words[1:], has_variation, slots)
            if item is not None:
                yield item
        self._report_missing(lines)

    def _item(
        self,
        name: str,
        line: int,
        words: list[str],
        has_variation: bool,
        slots: Mapping[int, Sequence[int]],
    ) -> Item | None:
        at = self.file.at(line)
        read = landmarks_of(words, has_variation, slots)
        if isinstance(read, Wrong):
            self.faults.add(NO_SENSE, at, *read)
            return None
        clothes_type, variation, keypoints = read
        part = self.partition.get(name)
        if part is None:
            if name not in self.partition.broken:
                self.faults.add(
                    "images left out: of no partition", at,
                    f"{name}, which {self.partition.file.name} lacks", "an image of a partition",
                )  # fmt: skip
            return None
        box = self.boxes.of(name, at, self.faults)
        category = self.category(name, clothes_type, at)
        if box is None or category is None:
            return None
        fashion: dict[str, Any] = {"clothes_type": clothes_type}
        if variation is not None:
            fashion["variation_type"] = variation
        fashion.update(self.attributes(name))
        garment = Garment(
            category,
            keypoints,
            box[1],
            fashion,
            {"body_type": BODY_TYPES[clothes_type]},
            self.boxes.file.at(box[0]),
            at,
        )
        return Item(part[1], name, at, [garment])

    def _report_missing(self, lines: Mapping[str, int]) -> None:
        for name, (line, _) in self.partition.items():
            if name not in lines:
                self.faults.add(
                    "images left out: a list lacks the image",
                    self.partition.file.at(line),
                    f"{name}, which {self.file.name} lacks",
                    "landmarks for each image",
                )


# -- the formats -------------------------------------------------------------------------------

_C_LAYOUT = (
    "the folder that has Anno (or Anno_coarse, Anno_fine), Eval and img or Img/img of DeepFashion, "
    "Category and Attribute Prediction"
)


@register_format(
    "deepfashion-c",
    title="DeepFashion, Category and Attribute Prediction",
    layout=_C_LAYOUT,
    options=("annotations", "visibility", "upper_last_pair"),
)
def _plan_c(source: Path, options: ConvertOptions, faults: Faults) -> Plan:
    chosen = options.annotations
    if chosen == "auto":
        chosen = "coarse" if (source / "Anno_coarse").is_dir() else "old"
    if chosen != "fine" and options.visibility != "visible":
        raise ConvertError(
            "--visibility coarse is for --annotations fine, whose lists have no visibility; the others "
            "have it. Leave it away."
        )
    folder = {"old": "Anno", "coarse": "Anno_coarse", "fine": "Anno_fine"}[chosen]
    if not (source / folder).is_dir():
        raise ConvertError(f"{source}: found no folder {folder}; expected {_C_LAYOUT}.")
    if chosen == "fine":
        return fine_plan(source, options, faults)
    labels, schema = category_labels(
        source,
        f"{folder}/list_category_cloth.txt",
        schema_of(options.upper_last_pair),
        faults,
    )
    images = ListFile(source, f"{folder}/list_category_img.txt", "image_name", faults).table(
        label_reader(labels), f"a label from 1 to {len(labels)}, a line of list_category_cloth.txt"
    )
    attributes = read_attributes(source, folder, faults)

    def category(name: str, clothes_type: int, at: At) -> int | None:
        found = images.of(name, at, faults)
        return None if found is None else found[1]

    return _plan(source, folder, options, faults, schema, category, attributes)


@register_format(
    "deepfashion-l",
    title="DeepFashion, Fashion Landmark Detection",
    layout="the folder that has Anno, Eval and Img/img of DeepFashion, Fashion Landmark Detection",
    options=("upper_last_pair",),
)
def _plan_l(source: Path, options: ConvertOptions, faults: Faults) -> Plan:
    joints = read_joints(source, "Anno/list_joints.txt", faults)
    schema = landmark_schema(options.upper_last_pair)
    order = list(BODY_TYPES)
    return _plan(
        source, "Anno", options, faults, schema, lambda name, kind, at: order.index(kind), joints
    )


def _plan(
    source: Path,
    folder: str,
    options: ConvertOptions,
    faults: Faults,
    schema: Schema,
    category: Callable[[str, int, At], int | None],
    attributes: Callable[[str], Mapping[str, Any]],
) -> Plan:
    """Return the plan of lists with names in every line."""
    file = ListFile(source, f"{folder}/list_landmarks.txt", "image_name", faults)
    lists = LandmarkLists(
        file,
        ListFile(source, f"{folder}/list_bbox.txt", "image_name", faults).table(box_of, BOX),
        partitions_of(ListFile(source, list_name(source, "Eval/list_eval_partition.txt",
                                                 f"{folder}/list_eval_partition.txt"),
                               "image_name", faults)),
        schema,
        category,
        attributes,
        faults,
    )  # fmt: skip
    images = image_folder(source, options.image_root)
    info = {"annotations": folder, "upper_last_pair": options.upper_last_pair}
    parts = [Part(name, schema, images, info={"converted": info}) for name in PARTITIONS]
    return Plan(parts, lists.items(), file.count)

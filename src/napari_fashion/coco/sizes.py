"""How large the images and garments of a data set are, and how many garments an image has."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import TableName
from napari_fashion.coco.keypoints import parse_box
from napari_fashion.coco.statistics import columns
from napari_fashion.coco.views import pixels

MOST_GARMENTS = 5
"""Images with this many garments or more are counted together."""


class Range(NamedTuple):
    """The least, the median and the largest of some sizes, in pixels."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Sizes:
    """Sizes in pixels over a data set.

    Attributes
    ----------
    width, height
        Of the images whose records have them; None if none has.
    images_of_unknown_size
        Images whose records have no size.
    garments
        For each category of the schema that occurs, the longer side of the boxes of its garments.
    garments_without_box
        Garments without a usable box.
    garments_per_image
        Number of images by the number of their garments, crowds not counted: ``"0"`` to ``"4"``, and
        ``"5 or more"``.
    """

    width: Range | None
    height: Range | None
    images_of_unknown_size: int
    garments: dict[str, Range]
    garments_without_box: int
    garments_per_image: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes as JSON has them."""
        return asdict(self)


class _Size(msgspec.Struct, gc=False):
    width: Any = None
    height: Any = None


class _Box(msgspec.Struct, gc=False):
    bbox: Any = None


def sizes(dataset: Dataset) -> Sizes:
    """Measure a data set as it is now, from its records; no image is read."""
    found = columns(dataset)
    size = np.array(
        [(pixels(w), pixels(h)) for w, h in _values(dataset, "images", _Size)], np.int64
    )
    size = size.reshape(-1, 2)
    known = size[(size > 0).all(axis=1)]
    longer = np.array(
        [_longer(box) for (box,) in _values(dataset, "annotations", _Box)], np.float64
    )
    single = ~found.crowd
    has_box = longer > 0
    garments: dict[str, Range] = {}
    for i, name in enumerate(dataset.schema.category_names):
        of_category = longer[single & has_box & (found.category == i)]
        if len(of_category):
            garments[name] = _range(of_category)
    at = found.annotation_image[single & (found.annotation_image >= 0)]
    per_image = np.bincount(at, minlength=len(found.image_ids)).clip(max=MOST_GARMENTS)
    counts = np.bincount(per_image, minlength=MOST_GARMENTS + 1).tolist()
    labels = [*map(str, range(MOST_GARMENTS)), f"{MOST_GARMENTS} or more"]
    return Sizes(
        width=_range(known[:, 0]) if len(known) else None,
        height=_range(known[:, 1]) if len(known) else None,
        images_of_unknown_size=len(size) - len(known),
        garments=garments,
        garments_without_box=int((single & ~has_box).sum()),
        garments_per_image=dict(zip(labels, counts, strict=True)),
    )


def _range(values: npt.NDArray[Any]) -> Range:
    return Range(float(values.min()), float(np.median(values)), float(values.max()))


def _longer(value: Any) -> float:
    box = parse_box(value)
    return 0.0 if box is None else max(box[2], box[3])


def _values(
    dataset: Dataset, table: TableName, kind: type[msgspec.Struct]
) -> list[tuple[Any, ...]]:
    """Return the values of a few keys of all records of a table."""
    try:
        return [msgspec.structs.astuple(row) for row in dataset.store.bulk(table, kind)]
    except msgspec.MsgspecError:
        records = (dataset.store.record(table, key) for key in dataset.store.ids(table))
        return [tuple(map(r.get, kind.__struct_fields__)) for r in records]

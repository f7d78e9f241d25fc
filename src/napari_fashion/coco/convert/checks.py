"""Whether boxes and landmarks lie in their image; what lies outside is counted and kept."""

from __future__ import annotations

from napari_fashion.coco.convert.faults import Faults
from napari_fashion.coco.convert.items import Garment, Item
from napari_fashion.schema import Schema

BOX_OUTSIDE = "garments kept as they are: the box leaves the image"
LANDMARK_OUTSIDE = "garments kept as they are: a landmark lies outside the image"


def check_places(item: Item, size: tuple[int, int], schema: Schema, faults: Faults) -> None:
    """Count boxes and landmarks that lie outside their image; its edge belongs to it.

    Parameters
    ----------
    size
        Width and height of the image in pixels.
    """
    width, height = size
    for garment in item.garments:
        x, y, w, h = garment.bbox
        if x < 0 or y < 0 or x + w > width or y + h > height:
            _report_box(item, garment, size, faults)
        flat = garment.keypoints
        xs, ys = flat[0::3], flat[1::3]
        if max(xs) > width or max(ys) > height or min(xs) < 0 or min(ys) < 0:
            _report_landmark(item, garment, size, schema, faults)


def _report_box(item: Item, garment: Garment, size: tuple[int, int], faults: Faults) -> None:
    x, y, w, h = garment.bbox
    width, height = size
    values = (("x_1", x, width), ("y_1", y, height), ("x_2", x + w, width), ("y_2", y + h, height))
    name, value, most = next((n, v, m) for n, v, m in values if not 0 <= v <= m)
    faults.add(
        BOX_OUTSIDE,
        garment.box_at or item.at,
        f"{name} = {value} for {item.name}, {width} x {height} pixels",
        f"a box within the image ({name} from 0 to {most})",
    )


def _report_landmark(
    item: Item, garment: Garment, size: tuple[int, int], schema: Schema, faults: Faults
) -> None:
    flat, (width, height) = garment.keypoints, size
    at = next(
        i
        for i in range(0, len(flat), 3)
        if not (0 <= flat[i] <= width and 0 <= flat[i + 1] <= height)
    )
    faults.add(
        LANDMARK_OUTSIDE,
        garment.landmarks_at or item.at,
        f"landmark {at // 3 + 1} ({schema.landmarks[at // 3]}) at {flat[at]}, {flat[at + 1]} for "
        f"{item.name}, {width} x {height} pixels",
        f"a place in the image (x up to {width}, y up to {height})",
    )

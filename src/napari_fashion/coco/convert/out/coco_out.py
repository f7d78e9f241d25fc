"""COCO: keypoint files as every tool reads them."""

from __future__ import annotations

from napari_fashion.coco.convert.out.placing import Placer
from napari_fashion.coco.convert.out.plain_coco import PlainCoco
from napari_fashion.coco.convert.writers import Work, register_writer


@register_writer("coco", title="COCO keypoints", images="leave")
def write_coco(work: Work) -> None:
    """Write ``annotations.json``, or one document a part: ``train.json``, ``val.json``, ``test.json``."""
    placer = Placer(work, "images")
    for part in work.parts:
        name = "annotations.json" if work.is_single else f"{part.name}.json"
        PlainCoco(work, part, placer).write(name, "images")

"""COCO results: what a model found, as the list that every COCO tool reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from napari_fashion.coco import provenance
from napari_fashion.coco.dataset import write_document
from napari_fashion.coco.predictions import annotation_record
from napari_fashion.coco.text import Style


def result_record(
    image_id: Any,
    category_id: Any,
    *,
    xy: npt.ArrayLike,
    visibility: npt.ArrayLike,
    scores: npt.ArrayLike,
    score: float,
    source: str,
    category_scores: Mapping[str, float],
) -> dict[str, Any]:
    """Return one COCO result; parameters as for `annotation_record`.

    A result has no id and no key of ours: the scores stand beside COCO's own fields, which
    pycocotools passes over. Its ``score`` ranks the garments, ``keypoint_scores`` has one number a
    landmark.
    """
    annotation = annotation_record(
        0,
        image_id,
        category_id,
        xy=xy,
        visibility=visibility,
        scores=scores,
        score=score,
        source=source,
        category_scores=category_scores,
    )
    ours = annotation.pop(provenance.KEY)
    return {
        "image_id": image_id,
        "category_id": category_id,
        "keypoints": annotation["keypoints"],
        "score": ours["score"],
        "keypoint_scores": ours["keypoint_scores"],
        "bbox": annotation["bbox"],
        "area": annotation["area"],
        "category_scores": ours["category_scores"],
        "source": ours["source"],
    }


def write_results(
    results: Iterable[Mapping[str, Any]], path: Path | str, *, overwrite: bool = False
) -> None:
    """Write a COCO results file; an existing one only with `overwrite`.

    Raises
    ------
    CocoError
        If the file exists and `overwrite` is not given, or it cannot be written.
    """
    rows = [dict(result) for result in results]
    write_document(rows, Path(path), style=Style(spaced=True), overwrite=overwrite)

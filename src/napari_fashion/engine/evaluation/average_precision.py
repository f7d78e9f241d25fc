"""OKS average precision as COCO defines it, computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np


def average_precision(
    truth: dict[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]
) -> dict[str, float | None]:
    """Compute OKS average precision and recall, all categories taken as one.

    Parameters
    ----------
    truth
        COCO keypoint document; annotations without ``area`` get that of their box.
    results
        COCO results: ``image_id``, ``category_id``, ``keypoints`` (x, y, v, flat), ``score``.
    sigmas
        (K,) of the schema.

    Returns
    -------
    ``ap``, ``ap50``, ``ap75`` and ``ar``; None if the truth has nothing to find.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    names = ("ap", "ap50", "ap75", "ar")
    labelled = [
        a
        for a in truth["annotations"]
        if not a.get("iscrowd") and any(v > 0 for v in a["keypoints"][2::3])
    ]
    if not labelled:
        return dict.fromkeys(names)
    if not results:
        return dict.fromkeys(names, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco = COCO()
        coco.dataset = {
            "images": [dict(i) for i in truth["images"]],
            "categories": [{"id": 1, "name": "garment"}],
            "annotations": [_for_evaluation(a) for a in truth["annotations"]],
        }
        coco.createIndex()
        found = coco.loadRes([{**r, "category_id": 1} for r in results])
        evaluation = COCOeval(coco, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ap, ap50, ap75, _, _, ar = (float(s) for s in evaluation.stats[:6])
    figures = {"ap": ap, "ap50": ap50, "ap75": ap75, "ar": ar}
    return {name: value if value >= 0 else None for name, value in figures.items()}


def _for_evaluation(annotation: dict[str, Any]) -> dict[str, Any]:
    """Copy an annotation with the keys that COCOeval relies on and files may lack."""
    keypoints = annotation["keypoints"]
    seen = [i for i in range(0, len(keypoints), 3) if keypoints[i + 2] > 0]
    xs = [keypoints[i] for i in seen] or [0.0]
    ys = [keypoints[i + 1] for i in seen] or [0.0]
    box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    # COCOeval finds nothing with useCats=0 for keypoints, so all get one category.
    copy = {"iscrowd": 0, "bbox": box, **annotation, "num_keypoints": len(seen), "category_id": 1}
    copy.setdefault("area", float(copy["bbox"][2] * copy["bbox"][3]))
    return copy

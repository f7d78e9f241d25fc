"""OKS average precision as COCO defines it: pycocotools matches, NumPy accumulates.

Finds on crowds, and on garments without a labelled landmark, are neither right nor false. They are
recognised as pycocotools does: by their landmarks if a crowd has any, else by the distance to the
annotation's box, grown to three times its size.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.evaluation._arrays import Bool, Float64

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""(T,) OKS from which a prediction has found a garment; the average is over all of them."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which the precision is read."""
AREAS = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's ranges of a garment's area, square pixels."""
MOST = 20
"""Number of predictions an image, best first, that the average precision looks at."""

_ALL = 1_000_000


@dataclass(frozen=True, eq=False)
class Matches:
    """Predictions matched with garments at T thresholds, of N images; the best score first.

    Attributes
    ----------
    image
        (P,) int64: which image each prediction is of.
    rank
        (P,) int64: number of better predictions in its image.
    right, false
        (T, P) bool; a prediction that is neither is ignored.
    garments
        (N,) int64: number of garments to find in each image.
    """

    image: NDArray[np.int64]
    rank: NDArray[np.int64]
    right: Bool
    false: Bool
    garments: NDArray[np.int64]

    def average_precision(self, weights: Float64 | None = None) -> dict[str, float | None]:
        """Return average precision and recall.

        Parameters
        ----------
        weights
            (N,) how often each image counts; None for once. A resample of images is such a count.

        Returns
        -------
        ``ap``, ``ap50``, ``ap75`` and ``ar``; None if there is nothing to find.
        """
        w = np.ones(len(self.garments)) if weights is None else weights
        n = float(w @ self.garments)
        if not n:
            return dict.fromkeys(("ap", "ap50", "ap75", "ar"))
        kept = np.flatnonzero((self.rank < MOST) & (w[self.image] > 0))
        each = w[self.image[kept]]
        right = np.cumsum(self.right[:, kept] * each, axis=1)
        false = np.cumsum(self.false[:, kept] * each, axis=1)
        precision = right / (right + false + np.spacing(1))
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        read = np.zeros((len(THRESHOLDS), len(RECALLS)))
        for t, (recall, values) in enumerate(zip(right / n, precision, strict=True)):
            at = np.searchsorted(recall, RECALLS, side="left")
            there = at < len(values)
            read[t, there] = values[at[there]]
        by_threshold = read.mean(1)
        return {
            "ap": float(read.mean()),
            "ap50": float(by_threshold[0]),
            "ap75": float(by_threshold[5]),
            "ar": float((right[:, -1] / n).mean()) if right.shape[1] else 0.0,
        }

    def precision_recall(self, weights: Float64 | None = None) -> tuple[float | None, float | None]:
        """Return precision and recall of detection at an OKS of 0.5, over all predictions.

        Parameters
        ----------
        weights
            As for `average_precision`.

        Returns
        -------
        precision, recall
            None where no prediction counts, or there is no garment.
        """
        w = np.ones(len(self.garments)) if weights is None else weights
        each = w[self.image]
        right, false = float(each @ self.right[0]), float(each @ self.false[0])
        n = float(w @ self.garments)
        return right / (right + false) if right + false else None, right / n if n else None


def match(
    truth: dict[str, Any],
    results: Sequence[dict[str, Any]],
    sigmas: Sequence[float],
    *,
    area: str = "all",
    only: Iterable[int] | None = None,
) -> Matches:
    """Match predictions with garments, all categories taken as one.

    Parameters
    ----------
    truth
        COCO keypoint document; annotations without ``area`` get that of their box.
    results
        COCO results: ``image_id``, ``category_id``, ``keypoints`` (x, y, v, flat), ``score``.
    sigmas
        (K,) of the schema.
    area
        A name in `AREAS`: garments of other areas are ignored.
    only
        Ids of the annotations that are to be found; others are ignored. None for all.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    wanted = None if only is None else set(only)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco, found = COCO(), COCO()
        coco.dataset = {
            "images": [dict(i) for i in truth["images"]],
            "categories": [{"id": 1, "name": "garment"}],
            "annotations": [_for_evaluation(a, wanted) for a in truth["annotations"]],
        }
        coco.createIndex()
        if results:
            found = coco.loadRes([{**r, "category_id": 1} for r in results])
        else:  # loadRes refuses an empty list
            found.dataset = {**coco.dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(coco, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        evaluation.params.iouThrs = THRESHOLDS
        evaluation.params.areaRng = [list(AREAS[area])]
        evaluation.params.areaRngLbl = [area]
        evaluation.params.maxDets = [_ALL]
        evaluation.evaluate()
    return _gathered(evaluation.evalImgs)


def _gathered(of_images: Sequence[dict[str, Any] | None]) -> Matches:
    """Return what COCOeval says of each image, as arrays over all predictions."""
    n = len(THRESHOLDS)
    scores: list[float] = []
    image: list[int] = []
    rank: list[int] = []
    garments: list[int] = []
    hit, ignored = [np.zeros((n, 0), np.bool_)], [np.zeros((n, 0), np.bool_)]
    for number, one in enumerate(of_images):
        if one is None:
            garments.append(0)
            continue
        scores += one["dtScores"]
        image += [number] * len(one["dtScores"])
        rank += range(len(one["dtScores"]))
        garments.append(int((np.asarray(one["gtIgnore"]) == 0).sum()))
        hit.append(np.asarray(one["dtMatches"]).reshape(n, -1) > 0)
        ignored.append(np.asarray(one["dtIgnore"], np.bool_).reshape(n, -1))
    order = np.argsort(-np.asarray(scores, np.float64), kind="mergesort")
    found, passed = np.concatenate(hit, 1)[:, order], np.concatenate(ignored, 1)[:, order]
    return Matches(
        np.asarray(image, np.int64)[order],
        np.asarray(rank, np.int64)[order],
        found & ~passed,
        ~found & ~passed,
        np.asarray(garments, np.int64),
    )


def average_precision(
    truth: dict[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]
) -> dict[str, float | None]:
    """Compute OKS average precision and recall, all categories taken as one.

    Parameters
    ----------
    truth, results, sigmas
        As for `match`.

    Returns
    -------
    ``ap``, ``ap50``, ``ap75``, ``ar``, and the average precision of ``ap_medium`` and ``ap_large``
    garments; None if the truth has nothing to find.
    """
    figures = match(truth, results, sigmas).average_precision()
    for area in ("medium", "large"):
        figures[f"ap_{area}"] = match(truth, results, sigmas, area=area).average_precision()["ap"]
    return figures


def _for_evaluation(annotation: dict[str, Any], only: set[int] | None) -> dict[str, Any]:
    """Copy an annotation with the keys that COCOeval relies on and files may lack."""
    keypoints = annotation["keypoints"]
    seen = [i for i in range(0, len(keypoints), 3) if keypoints[i + 2] > 0]
    xs = [keypoints[i] for i in seen] or [0.0]
    ys = [keypoints[i + 1] for i in seen] or [0.0]
    box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    # COCOeval finds nothing with useCats=0 for keypoints, so all get one category.
    copy = {"iscrowd": 0, "bbox": box, **annotation, "num_keypoints": len(seen), "category_id": 1}
    copy.setdefault("area", float(copy["bbox"][2] * copy["bbox"][3]))
    if only is not None and annotation["id"] not in only:
        copy["num_keypoints"] = 0  # ignored, but matched by its landmarks
    return copy

"""The figures a model is judged by; plain numpy. A figure of nothing is None, never NaN.

N garments, K landmarks, C categories. Visibility is COCO's: 0 not labelled, 1 hidden, 2 visible.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_fashion.coco.categories import FOREIGN

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

PDL_AT = (0.05, 0.1, 0.2)
"""Normalised distances at which the share of near landmarks is given; 0.1 is the usual one."""
WITHIN = 0.02
"""The normalised error under which a person need not correct a landmark."""

SAME_OKS = 0.5
"""Two garments are the same if their object keypoint similarity is above this.

It is taken over the landmarks of the one that has fewer: a shirt and trousers share their hem only.
"""
SAME_IOU = 0.7
"""So are two whose landmark boxes overlap this much: a person may have moved every landmark."""

Landmarks = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""(K, 2) places, xy pixels, and (K,) which of them mean something."""


# -- landmark errors -----------------------------------------------------------------------------


def normalised_errors(pred_xy: ArrayLike, true_xy: ArrayLike, size: ArrayLike = 1.0) -> Float64:
    """Distance between prediction and truth, coordinates divided by the image's size.

    Parameters
    ----------
    pred_xy, true_xy
        (..., K, 2), pixels, x then y.
    size
        Width and height: (2,), or (..., 2) with one a garment; 1 for normalised coordinates.

    Returns
    -------
    (..., K) errors; NaN coordinates give NaN, to be masked.

    Raises
    ------
    ValueError
        If the shapes do not fit or a size is not positive.
    """
    pred = np.asarray(pred_xy, np.float64)
    true = np.asarray(true_xy, np.float64)
    if pred.shape != true.shape or pred.ndim < 1 or pred.shape[-1] != 2:
        raise ValueError(
            f"Predictions have shape {pred.shape} and the truth {true.shape}; expected both to be "
            "(..., K, 2)."
        )
    scale = np.asarray(size, np.float64)
    if (scale <= 0).any():
        raise ValueError(f"Sizes go down to {scale.min()}; expected widths and heights above 0.")
    if scale.ndim > 1:
        scale = scale[..., None, :]
    return np.asarray(np.linalg.norm((pred - true) / scale, axis=-1))


def masked(errors: ArrayLike, visibility: ArrayLike, *, hidden: bool = False) -> Bool:
    """Which errors count: (N, K), the visible landmarks of the truth, or hidden ones as well."""
    seen = np.asarray(visibility) >= (1 if hidden else 2)
    values = np.asarray(errors, np.float64)
    if seen.shape != values.shape:
        raise ValueError(f"{values.shape} errors, but visibilities of shape {seen.shape}.")
    if not np.isfinite(values[seen]).all():
        raise ValueError(
            "A landmark that counts has an error that is not finite; every landmark needs a "
            "prediction (decode with force_complete=True)."
        )
    return seen


def error_by_landmark(errors: ArrayLike, counts: ArrayLike) -> list[float | None]:
    """Mean error of each landmark, NE: K values, None where nothing counts.

    Parameters
    ----------
    errors, counts
        (N, K), which of the errors count.
    """
    values, seen = _pair(errors, counts)
    n = seen.sum(axis=0)
    total = np.where(seen, values, 0.0).sum(axis=0)
    return [float(t / m) if m else None for t, m in zip(total, n, strict=True)]


def average_error(errors: ArrayLike, counts: ArrayLike) -> float | None:
    """AVG NE: the mean over the landmarks of their mean errors."""
    return _mean([e for e in error_by_landmark(errors, counts) if e is not None])


def pooled_error(errors: ArrayLike, counts: ArrayLike) -> float | None:
    """Mean error over all points."""
    values, seen = _pair(errors, counts)
    return _mean(values[seen])


def median_error(errors: ArrayLike, counts: ArrayLike) -> float | None:
    """Median error over all points."""
    values, seen = _pair(errors, counts)
    return float(np.median(values[seen])) if seen.any() else None


def share_within(errors: ArrayLike, counts: ArrayLike, distance: float) -> float | None:
    """PDL: the share of the points whose error is at most `distance`."""
    values, seen = _pair(errors, counts)
    return _mean(np.asarray(values <= distance)[seen])


def garments_within(errors: ArrayLike, counts: ArrayLike, distance: float) -> float | None:
    """Share of the garments, of those with a point that counts, all of whose points are within."""
    values, seen = _pair(errors, counts)
    fine = np.all((values <= distance) | ~seen, axis=1)
    return _mean(np.asarray(fine)[seen.any(axis=1)])


def _pair(errors: ArrayLike, counts: ArrayLike) -> tuple[Float64, Bool]:
    values = np.asarray(errors, np.float64)
    seen = np.asarray(counts, np.bool_)
    if values.ndim != 2 or values.shape != seen.shape:
        raise ValueError(f"Shapes {values.shape} and {seen.shape}; expected both to be (N, K).")
    return values, seen


def _mean(values: ArrayLike) -> float | None:
    array = np.asarray(values, np.float64)
    return float(array.mean()) if array.size else None


# -- categories ----------------------------------------------------------------------------------


def category_ranks(probabilities: ArrayLike, truth: ArrayLike) -> NDArray[np.int64]:
    """Rank of the true category, (N,): 0 is the likeliest. Ties count against the model.

    Parameters
    ----------
    probabilities
        (N, C) or logits.
    truth
        (N,) category indices; `UNCLEAR` ones are left out of the answer, and those that the model does not
        know (`FOREIGN`) rank behind all.
    """
    table = np.asarray(probabilities, np.float64)
    true = np.asarray(truth, np.int64)
    counted = (true >= 0) | (true == FOREIGN)
    table, true = table[counted], true[counted]
    foreign = true == FOREIGN
    own = np.take_along_axis(table, np.where(foreign, 0, true)[:, None], axis=1)
    ranks = np.asarray((table >= own).sum(axis=1) - 1, np.int64)
    ranks[foreign] = np.iinfo(np.int64).max
    return ranks


def top(ranks: ArrayLike, n: int) -> float | None:
    """Share of garments whose true category is among the `n` likeliest."""
    return _mean(np.asarray(ranks) < n)


# -- several garments in an image ---------------------------------------------------------------


def oks_matrix(
    pred_xy: ArrayLike,
    true_xy: ArrayLike,
    visibility: ArrayLike,
    area: ArrayLike,
    sigmas: ArrayLike,
) -> Float64:
    """Object keypoint similarity of every prediction with every garment of one image.

    As COCO has it: the mean over the labelled landmarks of ``exp(-d^2 / (2 area (2 sigma)^2))``.

    Parameters
    ----------
    pred_xy
        (P, K, 2) pixels.
    true_xy, visibility, area
        (G, K, 2) pixels, (G, K), (G,) square pixels.
    sigmas
        (K,).

    Returns
    -------
    (P, G); 0 for garments with no labelled landmark, which nothing can be compared with.
    """
    pred = np.asarray(pred_xy, np.float64)
    true = np.asarray(true_xy, np.float64)
    seen = np.asarray(visibility) > 0
    if len(pred) == 0 or len(true) == 0:
        return np.zeros((len(pred), len(true)))
    squared = ((pred[:, None] - true[None]) ** 2).sum(axis=-1)
    variance = (2 * np.asarray(sigmas, np.float64)) ** 2
    scale = np.asarray(area, np.float64)[:, None] + np.spacing(1)
    similar = np.exp(-squared / (2 * variance * scale)[None])
    labelled = seen.sum(axis=1)
    total = np.where(seen, similar, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, labelled, out=np.zeros_like(total), where=labelled > 0))


def same_garment(a: Landmarks, b: Landmarks, sigmas: ArrayLike) -> bool:
    """Whether two sets of landmarks are of one garment, by `SAME_OKS` or `SAME_IOU`.

    Parameters
    ----------
    a, b
        Places and which of them mean something.
    sigmas
        (K,) of the schema.
    """
    (xy_a, there_a), (xy_b, there_b) = a, b
    if not there_a.any() or not there_b.any():
        return False
    low_a, high_a = xy_a[there_a].min(0), xy_a[there_a].max(0)
    low_b, high_b = xy_b[there_b].min(0), xy_b[there_b].max(0)
    area_a, area_b = np.prod(high_a - low_a), np.prod(high_b - low_b)
    overlap = np.prod(np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None))
    union = area_a + area_b - overlap
    if union > 0 and overlap / union >= SAME_IOU:
        return True
    both = there_a & there_b
    if not both.any():
        return False
    distance2 = ((xy_a - xy_b)[both] ** 2).sum(axis=1)
    spread2 = (2 * np.asarray(sigmas)[both]) ** 2 * max(area_a, area_b, 1.0)
    similarity = np.exp(-distance2 / (2 * spread2)).sum()
    return bool(similarity / min(there_a.sum(), there_b.sum()) > SAME_OKS)


def match_garments(
    similarity: ArrayLike, scores: ArrayLike, threshold: float = 0.5
) -> NDArray[np.int64]:
    """Which garment each prediction found, (P,), -1 for none; the surest prediction chooses first.

    Parameters
    ----------
    similarity
        (P, G), such as `oks_matrix`.
    scores
        (P,) of the predictions.
    threshold
        Least similarity of a find.
    """
    table = np.array(similarity, np.float64, copy=True)
    matches = np.full(table.shape[0], -1, np.int64)
    if table.shape[1] == 0:
        return matches
    for p in np.argsort(-np.asarray(scores, np.float64), kind="stable"):
        g = int(np.argmax(table[p]))
        if table[p, g] >= threshold:
            matches[p] = g
            table[:, g] = -np.inf
    return matches


def precision_recall(
    matches: Iterable[NDArray[np.int64]], n_garments: int
) -> tuple[float | None, float | None]:
    """Give detection precision and recall from the `match_garments` of every image."""
    found = [np.asarray(m) for m in matches]
    n_predictions = sum(len(m) for m in found)
    hits = sum(int((m >= 0).sum()) for m in found)
    precision = hits / n_predictions if n_predictions else None
    recall = hits / n_garments if n_garments else None
    return precision, recall


def average_precision(
    truth: dict[str, Any], results: Sequence[dict[str, Any]], sigmas: Sequence[float]
) -> dict[str, float | None]:
    """OKS average precision by pycocotools, all categories as one.

    Parameters
    ----------
    truth
        COCO keypoint document; annotations without ``area`` get their box's.
    results
        COCO results: image_id, category_id, keypoints (x, y, v flat), score.
    sigmas
        K of the schema.

    Returns
    -------
    ``ap``, ``ap50``, ``ap75``, ``ar``; None where there is nothing to find.
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
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
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
    # COCOeval's own useCats=0 finds nothing for keypoints, so all are of one category.
    copy = {"iscrowd": 0, "bbox": box, **annotation, "num_keypoints": len(seen), "category_id": 1}
    copy.setdefault("area", float(copy["bbox"][2] * copy["bbox"][3]))
    return copy


# -- how sure a figure is ------------------------------------------------------------------------


def bootstrap_interval(
    figure: Callable[[NDArray[np.int64]], float | None],
    groups: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    rounds: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Interval of a figure under drawing the images again, with replacement (percentiles).

    Parameters
    ----------
    figure
        Computes the figure of the rows it is given (indices, some of them several times).
    groups
        Which image each of the N rows belongs to: rows of one image are drawn together.
    confidence, rounds, seed
        Width of the interval, number of draws, and the seed that makes it repeatable.

    Returns
    -------
    Lower and upper bound; None where there are no rows or the figure has no value.
    """
    members: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    rows = [np.asarray(m, np.int64) for m in members.values()]
    if not rows:
        return None
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        drawn = random.integers(len(rows), size=len(rows))
        value = figure(np.concatenate([rows[d] for d in drawn]))
        if value is not None:
            values.append(value)
    if not values:
        return None
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


# -- all of it -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """The figures of one evaluation; None is a figure of nothing.

    Attributes
    ----------
    n_images, n_garments, n_points
        What was judged; points are the visible landmarks.
    error_by_landmark
        NE of each landmark by name, over visible ones.
    average_error
        AVG NE: their mean.
    pooled_error, median_error
        Over all visible points.
    pooled_error_with_hidden
        Over visible and hidden points.
    near
        PDL: share of visible points within each of `PDL_AT`, by the distance as text.
    points_within, garments_within
        Share of the points, and of the garments in all their points, within `WITHIN`.
    top1, top3, top5
        Share of garments whose true category is among the likeliest.
    precision, recall
        Of finding garments at all; None where only one was asked for.
    ap, ap50, ap75, ar
        OKS average precision and recall; None likewise.
    intervals
        95 % bootstrap intervals over images of some of the figures, by name.
    """

    n_images: int
    n_garments: int
    n_points: int
    error_by_landmark: dict[str, float | None]
    average_error: float | None
    pooled_error: float | None
    median_error: float | None
    pooled_error_with_hidden: float | None
    near: dict[str, float | None]
    points_within: float | None
    garments_within: float | None
    top1: float | None
    top3: float | None
    top5: float | None
    precision: float | None = None
    recall: float | None = None
    ap: float | None = None
    ap50: float | None = None
    ap75: float | None = None
    ar: float | None = None
    intervals: dict[str, tuple[float, float] | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON takes."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.intervals is not None:
            data["intervals"] = {
                name: None if bounds is None else list(bounds)
                for name, bounds in self.intervals.items()
            }
        return data


def report(
    errors: ArrayLike,
    visibility: ArrayLike,
    landmarks: Sequence[str],
    groups: Sequence[Hashable],
    *,
    probabilities: ArrayLike | None = None,
    categories: ArrayLike | None = None,
    detection: dict[str, float | None] | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Report:
    """Put the figures of N garments together.

    Parameters
    ----------
    errors, visibility
        (N, K) of `normalised_errors`, and of the truth.
    landmarks
        K names.
    groups
        (N,) which image each garment is from.
    probabilities, categories
        (N, C) and (N,); categories as of `category_ranks`. Without them there is no top-n.
    detection
        ``precision``, ``recall`` and what `average_precision` returns, where it applies.
    rounds, seed
        Of the bootstrap; 0 rounds leave the intervals out.
    """
    values = np.asarray(errors, np.float64).reshape(-1, len(landmarks))
    seen = np.asarray(visibility).reshape(-1, len(landmarks))
    visible = masked(values, seen)
    labelled = masked(values, seen, hidden=True)

    def ranked(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        if probabilities is None or categories is None:
            return np.zeros(0, np.int64)
        return category_ranks(np.asarray(probabilities)[rows], np.asarray(categories)[rows])

    figures: dict[str, Callable[[NDArray[np.int64]], float | None]] = {
        "average_error": lambda rows: average_error(values[rows], visible[rows]),
        "pooled_error": lambda rows: pooled_error(values[rows], visible[rows]),
        "points_within": lambda rows: share_within(values[rows], visible[rows], WITHIN),
        "garments_within": lambda rows: garments_within(values[rows], visible[rows], WITHIN),
        "top1": lambda rows: top(ranked(rows), 1),
        "top3": lambda rows: top(ranked(rows), 3),
        "top5": lambda rows: top(ranked(rows), 5),
    }
    everything = np.arange(len(values))
    intervals = (
        {
            name: bootstrap_interval(figure, groups, rounds=rounds, seed=seed)
            for name, figure in figures.items()
        }
        if rounds
        else None
    )
    return Report(
        n_images=len(set(groups)),
        n_garments=len(values),
        n_points=int(visible.sum()),
        error_by_landmark=dict(zip(landmarks, error_by_landmark(values, visible), strict=True)),
        median_error=median_error(values, visible),
        pooled_error_with_hidden=pooled_error(values, labelled),
        near={str(at): share_within(values, visible, at) for at in PDL_AT},
        intervals=intervals,
        **{name: figure(everything) for name, figure in figures.items()},
        **(detection or {}),
    )

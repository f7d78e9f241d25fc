"""Landmark errors: normalised error (NE), its averages, and the share of near landmarks (PDL).

The report, section 6.2; the published comparison on DeepFashion uses the average over the landmarks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from napari_fashion.engine.evaluation._arrays import Bool, Float64, mean_or_none

PDL_AT = (0.05, 0.1, 0.2)
"""Normalised distances at which PDL is reported; 0.1 is the usual one."""
PDL_CURVE = tuple(round(0.01 * n, 2) for n in range(31))
"""Normalised distances of the PDL curve."""
PCK_AT = (0.05, 0.1, 0.2)
"""Shares of the box's longer side at which PCK is reported (Yang and Ramanan 2013)."""
CONFIDENCES = tuple(round(0.05 * n, 2) for n in range(1, 20))
"""Thresholds on a landmark's score at which errors are split into confident and unconfident ones."""
WITHIN = 0.02
"""Normalised error below which a person need not correct a landmark."""


def normalised_errors(pred_xy: ArrayLike, true_xy: ArrayLike, size: ArrayLike = 1.0) -> Float64:
    """Return the distances between prediction and truth, coordinates divided by the image's size.

    Parameters
    ----------
    pred_xy, true_xy
        (..., K, 2), pixels, x then y.
    size
        Width and height in pixels: (2,), or (..., 2) with one size per garment; 1 if the coordinates are
        normalised already.

    Returns
    -------
    (..., K) errors, without unit. NaN coordinates give NaN, which `masked` refuses where it counts.

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
    """Return which errors count: those of visible landmarks, and of hidden ones on request.

    Parameters
    ----------
    errors, visibility
        (N, K) normalised errors, and the truth's visibility.
    hidden
        Count hidden landmarks (v = 1) too.

    Returns
    -------
    (N, K) bool.

    Raises
    ------
    ValueError
        If the shapes differ, or an error that counts is not finite.
    """
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
    """Return the mean error of each landmark (NE): K values, None where nothing counts.

    Parameters
    ----------
    errors, counts
        (N, K) normalised errors, and which of them count (`masked`).
    """
    values, seen = _pair(errors, counts)
    n = seen.sum(axis=0)
    total = np.where(seen, values, 0.0).sum(axis=0)
    return [float(t / m) if m else None for t, m in zip(total, n, strict=True)]


def average_error(errors: ArrayLike, counts: ArrayLike) -> float | None:
    """Return AVG NE: the mean over the landmarks of their mean errors."""
    return mean_or_none([e for e in error_by_landmark(errors, counts) if e is not None])


def pooled_error(errors: ArrayLike, counts: ArrayLike) -> float | None:
    """Return the mean error over all points."""
    values, seen = _pair(errors, counts)
    return mean_or_none(values[seen])


def median_error(errors: ArrayLike, counts: ArrayLike) -> float | None:
    """Return the median error over all points."""
    values, seen = _pair(errors, counts)
    return float(np.median(values[seen])) if seen.any() else None


def share_within(errors: ArrayLike, counts: ArrayLike, distance: float) -> float | None:
    """Return PDL: the share of the points whose error is at most `distance`."""
    values, seen = _pair(errors, counts)
    return mean_or_none(np.asarray(values <= distance)[seen])


def garments_within(errors: ArrayLike, counts: ArrayLike, distance: float) -> float | None:
    """Return the share of garments all of whose points are within `distance`.

    Garments without a point that counts are left out.
    """
    values, seen = _pair(errors, counts)
    fine = np.all((values <= distance) | ~seen, axis=1)
    return mean_or_none(np.asarray(fine)[seen.any(axis=1)])


def errors_by_confidence(
    errors: ArrayLike, counts: ArrayLike, scores: ArrayLike, threshold: float
) -> tuple[float | None, float | None]:
    """Return AVG NE over confident and over unconfident predictions.

    Parameters
    ----------
    errors, counts, scores
        (N, K) normalised errors, which of them count, and the scores of the predicted landmarks.
    threshold
        Least score of a confident prediction.
    """
    values, seen = _pair(errors, counts)
    confident = np.asarray(scores, np.float64) >= threshold
    return average_error(values, seen & confident), average_error(values, seen & ~confident)


def detected_elsewhere(
    scores: ArrayLike, visibility: ArrayLike, threshold: float
) -> tuple[float | None, float | None]:
    """Return the shares of detected landmarks that are not in the truth, and that are hidden in it.

    Parameters
    ----------
    scores, visibility
        (N, K) scores of the predicted landmarks, and the truth's visibility.
    threshold
        Least score of a detected landmark.

    Returns
    -------
    Shares with v = 0 (cut off, not labelled, or none of the garment's) and with v = 1; None if nothing
    is detected.
    """
    detected = np.asarray(scores, np.float64) >= threshold
    seen = np.asarray(visibility)[detected]
    return mean_or_none(seen == 0), mean_or_none(seen == 1)


def _pair(errors: ArrayLike, counts: ArrayLike) -> tuple[Float64, Bool]:
    values = np.asarray(errors, np.float64)
    seen = np.asarray(counts, np.bool_)
    if values.ndim != 2 or values.shape != seen.shape:
        raise ValueError(f"Shapes {values.shape} and {seen.shape}; expected both to be (N, K).")
    return values, seen

"""The metrics of one evaluation, gathered: as data, and as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_fashion.engine.evaluation.category_metrics import category_ranks, top
from napari_fashion.engine.evaluation.intervals import bootstrap_interval
from napari_fashion.engine.evaluation.landmark_metrics import (
    PDL_AT,
    WITHIN,
    average_error,
    error_by_landmark,
    garments_within,
    masked,
    median_error,
    pooled_error,
    share_within,
)

Row = tuple[str, str, str]
"""A metric in words, its value, and its interval; empty where it has none."""


@dataclass(frozen=True)
class Report:
    """The metrics of one evaluation; undefined ones are None.

    Attributes
    ----------
    n_images, n_garments, n_points
        Number of images, garments and visible landmarks that were judged.
    error_by_landmark
        NE of each landmark by name, over visible ones.
    average_error
        AVG NE: the mean of `error_by_landmark`.
    pooled_error, median_error
        Over all visible landmarks.
    pooled_error_with_hidden
        Over visible and hidden landmarks.
    near
        PDL: share of visible landmarks within each of `PDL_AT`, by the distance as text.
    points_within, garments_within
        Share of visible landmarks within `WITHIN`, and of garments all of whose landmarks are.
    top1, top3, top5
        Share of garments whose true category is among the likeliest.
    precision, recall
        Of detecting garments; None if the protocol gives the garment.
    ap, ap50, ap75, ar
        OKS average precision and recall; None likewise.
    intervals
        95 % bootstrap intervals over images, of some of the metrics, by name.
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


def build_report(
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
    """Compute all metrics of N garments.

    Parameters
    ----------
    errors, visibility
        (N, K) of `normalised_errors`, and the truth's.
    landmarks
        K names.
    groups
        (N,) the image of each garment.
    probabilities, categories
        (N, C) predicted and (N,) true, as `category_ranks` takes them; without them there is no top-n.
    detection
        ``precision``, ``recall`` and what `average_precision` returns, if the protocol detects garments.
    rounds, seed
        Of the bootstrap; 0 rounds leave the intervals out.

    Raises
    ------
    ValueError
        If an error that counts is not finite (`masked`).
    """
    values = np.asarray(errors, np.float64).reshape(-1, len(landmarks))
    seen = np.asarray(visibility).reshape(-1, len(landmarks))
    visible = masked(values, seen)
    labelled = masked(values, seen, hidden=True)

    def ranked(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        if probabilities is None or categories is None:
            return np.zeros(0, np.int64)
        return category_ranks(np.asarray(probabilities)[rows], np.asarray(categories)[rows])

    resampled: dict[str, Callable[[NDArray[np.int64]], float | None]] = {
        "average_error": lambda rows: average_error(values[rows], visible[rows]),
        "pooled_error": lambda rows: pooled_error(values[rows], visible[rows]),
        "points_within": lambda rows: share_within(values[rows], visible[rows], WITHIN),
        "garments_within": lambda rows: garments_within(values[rows], visible[rows], WITHIN),
        "top1": lambda rows: top(ranked(rows), 1),
        "top3": lambda rows: top(ranked(rows), 3),
        "top5": lambda rows: top(ranked(rows), 5),
    }
    all_rows = np.arange(len(values))
    intervals = None
    if rounds:
        intervals = {
            name: bootstrap_interval(metric, groups, rounds=rounds, seed=seed)
            for name, metric in resampled.items()
        }
    return Report(
        n_images=len(set(groups)),
        n_garments=len(values),
        n_points=int(visible.sum()),
        error_by_landmark=dict(zip(landmarks, error_by_landmark(values, visible), strict=True)),
        median_error=median_error(values, visible),
        pooled_error_with_hidden=pooled_error(values, labelled),
        near={str(at): share_within(values, visible, at) for at in PDL_AT},
        intervals=intervals,
        **{name: metric(all_rows) for name, metric in resampled.items()},
        **(detection or {}),
    )


@dataclass(frozen=True, eq=False)
class Judged:
    """One garment of the truth with what was predicted for it.

    Attributes
    ----------
    key
        The image's file name.
    errors
        (K,) float64: distance in coordinates divided by the width and height of the crop, or of
        the whole image. Of a garment that was not found: to the image's corner.
    box_errors
        (K,) float64: the same, divided by the width and height of the garment's box.
    visibility
        (K,) of the truth.
    category
        Index of the true category, `UNCLEAR` or `FOREIGN` (`coco.categories`).
    probabilities
        (C,) predicted.
    """

    key: str
    errors: NDArray[np.float64]
    box_errors: NDArray[np.float64]
    visibility: NDArray[np.int64]
    category: int
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The metrics of a model on annotated images by one protocol.

    Attributes
    ----------
    protocol, title
        Name of the protocol, and what it measures in words.
    report
        See `Report`.
    judged
        What `report` was computed from, one per garment.
    seconds_per_image
        Of network, decoder and resizing, without reading files.
    average_error_by_box
        AVG NE with errors divided by the garment's box.
    divided_by_box
        Whether the report's errors are divided by the garment's box, too.
    images
        Shares of images by what was detected in them, by their names; empty if the protocol gives the
        garment.
    """

    protocol: str
    title: str
    report: Report
    judged: list[Judged]
    seconds_per_image: float | None
    average_error_by_box: float | None
    divided_by_box: bool
    images: dict[str, float | None]

    def summary(self) -> dict[str, float]:
        """Return the few metrics that a training run shows."""
        r = self.report
        metrics = {
            "ne": r.average_error,
            "median": r.median_error,
            "pdl": r.near["0.1"],
            "top1": r.top1,
            "top3": r.top3,
            "top5": r.top5,
        }
        return {name: value for name, value in metrics.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON takes."""
        return {
            "protocol": self.protocol,
            **self.report.to_dict(),
            "average_error_by_box": self.average_error_by_box,
            "images": self.images,
            "seconds_per_image": self.seconds_per_image,
        }

    def rows(self) -> list[Row]:
        """Return the metrics as a table for people; undefined ones are left out."""
        r = self.report
        counts = f"{r.n_garments} / {r.n_images} / {r.n_points}"
        by_box = None if self.divided_by_box else self.average_error_by_box
        rows: list[Row | None] = [
            ("garments / images / points", counts, ""),
            self._row("AVG NE, visible landmarks", r.average_error, "average_error"),
            *(self._row(f"  {name}", error) for name, error in r.error_by_landmark.items()),
            self._row("AVG NE, by the garment's box", by_box),
            self._row("pooled NE", r.pooled_error, "pooled_error"),
            self._row("pooled NE, hidden too", r.pooled_error_with_hidden),
            self._row("median", r.median_error),
            *(self._row(f"PDL at {at}", share, percent=True) for at, share in r.near.items()),
            self._row(f"landmarks within {WITHIN}", r.points_within, "points_within", percent=True),
            self._row(
                f"garments with all within {WITHIN}",
                r.garments_within,
                "garments_within",
                percent=True,
            ),
            *(
                self._row(f"category top-{n}", getattr(r, f"top{n}"), f"top{n}", percent=True)
                for n in (1, 3, 5)
            ),
            self._row("detection precision", r.precision, percent=True),
            self._row("detection recall", r.recall, percent=True),
            self._row("OKS AP", r.ap),
            self._row("OKS AP at 0.5", r.ap50),
            *(self._row(label, share, percent=True) for label, share in self.images.items()),
        ]
        if self.seconds_per_image is not None:
            rows.append(("time an image", f"{1000 * self.seconds_per_image:.1f} ms", ""))
        return [row for row in rows if row is not None]

    def _row(
        self, label: str, value: float | None, interval: str = "", *, percent: bool = False
    ) -> Row | None:
        if value is None:
            return None

        def text(number: float) -> str:
            return f"{100 * number:.1f} %" if percent else f"{number:.4f}"

        bounds = (self.report.intervals or {}).get(interval)
        return label, text(value), " to ".join(map(text, bounds)) if bounds else ""

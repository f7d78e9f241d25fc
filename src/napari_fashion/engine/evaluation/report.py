"""The metrics of one evaluation, gathered as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from napari_fashion.coco.categories import UNCLEAR
from napari_fashion.engine.evaluation._arrays import Bool, Float64
from napari_fashion.engine.evaluation.category_metrics import category_ranks, confusion, top
from napari_fashion.engine.evaluation.detections import COUNTS, MatchedImages
from napari_fashion.engine.evaluation.groups import Groups, grouped, merged, named
from napari_fashion.engine.evaluation.intervals import bootstrap_intervals
from napari_fashion.engine.evaluation.judged import Judged
from napari_fashion.engine.evaluation.landmark_metrics import (
    CONFIDENCES,
    PCK_AT,
    PDL_AT,
    PDL_CURVE,
    WITHIN,
    average_error,
    detected_elsewhere,
    error_by_landmark,
    errors_by_confidence,
    garments_within,
    masked,
    median_error,
    pooled_error,
    share_within,
)
from napari_fashion.engine.evaluation.ratios import Ratios
from napari_fashion.engine.evaluation.visibility import BY_LANDMARK, PRESENCE, Presence
from napari_fashion.schema import Schema

Bounds = tuple[float, float] | None
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Report:
    """The metrics of one evaluation; undefined ones are None.

    Attributes
    ----------
    n_images, n_garments, n_points
        Number of images, garments and visible landmarks that were judged.
    not_found
        Number of these garments of which nothing was found.
    error_by_landmark
        NE of each landmark by name, over visible ones.
    average_error
        AVG NE: the mean of `error_by_landmark`.
    pooled_error, median_error
        Over all visible landmarks.
    error_by_landmark_with_hidden, average_error_with_hidden, pooled_error_with_hidden
        The same over visible and hidden landmarks.
    average_error_by_box
        AVG NE with errors divided by the garment's box.
    near
        PDL: share of visible landmarks within each of `PDL_AT`, by the distance as text.
    pck
        PCK: share of visible landmarks within each of `PCK_AT` of the box's longer side.
    points_within, garments_within
        Share of visible landmarks within `WITHIN`, and of garments all of whose landmarks are.
    confidence
        Score from which a landmark is confident, and counts as detected.
    confident_error, unconfident_error, confident_share
        AVG NE over confident and over unconfident predictions of visible landmarks, and the share of the
        first.
    not_present, not_visible
        Share of detected landmarks (`visibility`) that are not in the truth, or hidden in it.
    top1, top3, top5
        Share of garments whose true category is among the likeliest.
    precision, recall
        Of detecting garments, at an OKS of 0.5; None if the protocol gives the garment.
    ap, ap50, ap75, ap_medium, ap_large, ar
        OKS average precision and recall; None likewise.
    images
        Shares of images by what was detected in them, by their names; empty likewise.
    n_matched
        Number of garments whose prediction has an OKS of 0.5 and more.
    tells_visibility
        Whether the model tells which landmarks are hidden; otherwise all count as visible.
    presence
        Of landmarks in matched garments: ``found_error_visible`` and ``found_error_hidden``, AVG NE by
        the file's box, ``found_pooled_visible`` and ``found_pooled_hidden``, the same over all points;
        ``found_absent_per_image``, detected ones that are not there;
        ``missed``, the share of those there that were not detected;
        ``visibility_right``, the share of detected ones rightly said to be visible or hidden, beside
        ``visibility_commoner``, the share of the commoner answer, and ``visibility_balanced``, the mean
        of the shares of both answers; Brier scores and expected calibration errors of the probabilities
        to be ``visible`` and ``present``. And ``absent_per_image``: detected landmarks that are not
        there, of all garments.
    by_landmark
        The same of each landmark.
    by_category, by_body_type, by_count
        Figures of each category, of each body type, and of images by their number of garments.
    by_tag
        Figures of each category by the file's name for it.
    confusion
        See `category_metrics.confusion`.
    curves
        ``pdl``: (distance, share) pairs; ``confidence``: (threshold, confident error, unconfident error,
        confident share); ``visible`` and ``present``: reliability (`Presence.curves`).
    intervals
        95 % bootstrap intervals over images, by the metric's name, with dots within groups
        (``near.0.1``); None if there are none.
    """

    n_images: int
    n_garments: int
    n_points: int
    not_found: int
    error_by_landmark: Figures
    average_error: float | None
    pooled_error: float | None
    median_error: float | None
    error_by_landmark_with_hidden: Figures
    average_error_with_hidden: float | None
    pooled_error_with_hidden: float | None
    average_error_by_box: float | None
    near: Figures
    pck: Figures
    points_within: float | None
    garments_within: float | None
    confidence: float
    confident_error: float | None
    unconfident_error: float | None
    confident_share: float | None
    not_present: float | None
    not_visible: float | None
    top1: float | None
    top3: float | None
    top5: float | None
    precision: float | None = None
    recall: float | None = None
    ap: float | None = None
    ap50: float | None = None
    ap75: float | None = None
    ap_medium: float | None = None
    ap_large: float | None = None
    ar: float | None = None
    images: Figures = field(default_factory=dict)
    n_matched: int = 0
    tells_visibility: bool = False
    presence: Figures = field(default_factory=dict)
    by_landmark: dict[str, Figures] = field(default_factory=dict)
    by_tag: dict[str, Figures] = field(default_factory=dict)
    by_category: dict[str, Figures] = field(default_factory=dict)
    by_body_type: dict[str, Figures] = field(default_factory=dict)
    by_count: dict[str, Figures] = field(default_factory=dict)
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    curves: dict[str, list[list[float | None]]] = field(default_factory=dict)
    intervals: dict[str, Bounds] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON takes."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.intervals is not None:
            data["intervals"] = {
                name: None if bounds is None else list(bounds)
                for name, bounds in self.intervals.items()
            }
        return data


class _Table:
    """What was judged, as arrays of N garments."""

    def __init__(self, judged: Sequence[Judged], schema: Schema, confidence: float) -> None:
        n, k, c = len(judged), schema.n_landmarks, len(schema.categories)
        self.schema, self.confidence = schema, confidence
        self.keys = [j.key for j in judged]

        def landmarks(name: str) -> Float64:
            return np.array([getattr(j, name) for j in judged], np.float64).reshape(n, k)

        self.errors, self.box, self.side = map(landmarks, ("errors", "box_errors", "side_errors"))
        self.scores = landmarks("scores")
        self.visibility = landmarks("visibility").astype(np.int64)
        self.visible = masked(self.errors, self.visibility)
        self.labelled = masked(self.errors, self.visibility, hidden=True)
        self.probabilities = np.array([j.probabilities for j in judged]).reshape(n, c)
        self.category = np.array([j.category for j in judged], np.int64)
        self.category_names = [j.category_name for j in judged]
        self.garments = np.array([j.garments for j in judged], np.int64)
        self.presence = Presence(judged, schema, confidence)
        self.found = np.array([j.found for j in judged], np.bool_)
        self.body_type = np.array([j.body_type for j in judged], object)
        self.ranked = (self.category != UNCLEAR) & (c > 0)
        self.ranks = np.full(n, -1, np.int64)
        self.ranks[self.ranked] = category_ranks(
            self.probabilities[self.ranked], self.category[self.ranked]
        )

    def ratios(self) -> Ratios:
        """Return all metrics of garments that get intervals."""
        r = Ratios()
        names = self.schema.landmarks
        confident, detected = self.scores >= self.confidence, self.presence.detected
        within = (self.errors <= WITHIN) & self.visible
        r.add_average(
            "average_error", self.errors, self.visible, [f"error_by_landmark.{n}" for n in names]
        )
        r.add_average(
            "average_error_with_hidden", self.errors, self.labelled,
            [f"error_by_landmark_with_hidden.{n}" for n in names],
        )  # fmt: skip
        r.add_average("average_error_by_box", self.box, self.visible)
        r.add_average("confident_error", self.errors, self.visible & confident)
        r.add_average("unconfident_error", self.errors, self.visible & ~confident)
        r.add("confident_share", confident.astype(np.float64), self.visible)
        r.add("pooled_error", self.errors, self.visible)
        r.add("pooled_error_with_hidden", self.errors, self.labelled)
        r.add_median("median_error", self.errors, self.visible)
        for at in PDL_AT:
            r.add(f"near.{at}", (self.errors <= at).astype(np.float64), self.visible)
        for at in PCK_AT:
            r.add(f"pck.{at}", (self.side <= at).astype(np.float64), self.visible)
        r.add("points_within", within.astype(np.float64), self.visible)
        whole: Bool = np.all(within | ~self.visible, axis=1)
        any_visible: Bool = np.any(self.visible, axis=1)
        r.add("garments_within", whole.astype(np.float64), any_visible)
        r.add("not_present", (self.visibility == 0).astype(np.float64), detected)
        r.add("not_visible", (self.visibility == 1).astype(np.float64), detected)
        for n in (1, 3, 5):
            r.add(f"top{n}", (self.ranks < n).astype(np.float64), self.ranked)
        for name, chosen in self.body_types():
            r.add_average(
                f"by_body_type.{name}.average_error", self.errors, self.visible & chosen[:, None]
            )
        return r

    def body_types(self) -> list[tuple[str, Bool]]:
        """Return the body types that occur, with their garments."""
        chosen = [(name, self.body_type == name) for name in self.schema.body_type_names]
        return [(name, rows) for name, rows in chosen if rows.any()]

    def counts(self) -> list[str]:
        """Return the group of each garment by the number of garments in its image."""
        names = dict(COUNTS)
        most = COUNTS[-1][0]
        return [names.get(min(n, most), "") for n in self.garments.tolist()]

    def of_category(self, chosen: Bool) -> Ratios:
        """Return the metrics of the garments of one category."""
        r = Ratios()
        r.add_average("average_error", self.errors[chosen], self.visible[chosen])
        r.add("top1", (self.ranks[chosen] < 1).astype(np.float64), self.ranked[chosen])
        return r


def build_report(
    judged: Sequence[Judged],
    schema: Schema,
    *,
    detected: MatchedImages | None = None,
    confidence: float = 0.15,
    rounds: int = 1000,
    seed: int = 0,
) -> Report:
    """Compute all metrics of N garments.

    Parameters
    ----------
    judged
        The garments.
    schema
        The model's.
    detected
        What was found in whole images, if the protocol detects garments.
    confidence
        Score from which a landmark is confident, and counts as detected.
    rounds, seed
        Of the bootstrap; 0 rounds leave the intervals out.

    Raises
    ------
    ValueError
        If an error that counts is not finite (`masked`).
    """
    table = _Table(judged, schema, confidence)
    bootstrap = {"rounds": rounds, "seed": seed}
    intervals: dict[str, Bounds] | None = None
    if rounds:
        intervals = dict(bootstrap_intervals(table.ratios().figures, table.keys, **bootstrap))
        intervals |= bootstrap_intervals(table.presence.figures, table.keys, **bootstrap)
    presence = table.presence.figures(np.ones(len(judged)))
    found: Figures = {}
    if detected is not None:
        found = detected.figures(np.ones(len(detected.images)))
        if intervals is not None:
            images = range(len(detected.images))
            intervals |= bootstrap_intervals(detected.figures, images, **bootstrap)
    by_category: dict[str, Figures] = {}
    for index, name in enumerate(schema.category_names):
        chosen = table.category == index
        if not chosen.any():
            continue
        ratios = table.of_category(chosen)
        by_category[name] = {"garments": int(chosen.sum()), **ratios.figures(np.ones(chosen.sum()))}
        if intervals is not None:
            keys = [table.keys[row] for row in np.flatnonzero(chosen)]
            own = bootstrap_intervals(ratios.figures, keys, **bootstrap)
            intervals |= {f"by_category.{name}.{metric}": bounds for metric, bounds in own.items()}
    groups = Groups(table.presence, table.errors, table.visible, detects=detected is not None)
    by_tag, by_count = (
        groups.of(kind, keys, table.keys, intervals, bootstrap)
        for kind, keys in (("by_tag", table.category_names), ("by_count", table.counts()))
    )
    return Report(
        **_landmark_figures(table),
        n_matched=int(table.presence.matched.sum()),
        tells_visibility=table.presence.tells_visibility,
        presence=named(f"{PRESENCE}.", presence),
        by_landmark=grouped(f"{BY_LANDMARK}.", presence),
        by_tag=by_tag,
        **_category_figures(table),
        **_plain(found),
        images={n.removeprefix("images."): v for n, v in found.items() if n.startswith("images.")},
        by_category=by_category,
        by_body_type=_by_body_type(table, detected, found),
        by_count=merged(_groups("by_count.", detected, found), by_count),
        intervals=intervals,
    )


def _plain(found: Figures) -> dict[str, Any]:
    """Return the metrics of detection that belong to no group."""
    return {n: v for n, v in found.items() if not n.startswith(("by_", "images."))}


def _landmark_figures(t: _Table) -> dict[str, Any]:
    """Return the metrics of landmarks by the names of `Report`."""
    names = t.schema.landmarks
    confident, unconfident = errors_by_confidence(t.errors, t.visible, t.scores, t.confidence)
    detected = np.where(t.presence.detected, t.scores, -1.0)
    not_present, not_visible = detected_elsewhere(detected, t.visibility, t.confidence)
    return {
        "n_images": len(set(t.keys)),
        "n_garments": len(t.keys),
        "n_points": int(t.visible.sum()),
        "not_found": int((~t.found).sum()),
        "error_by_landmark": dict(zip(names, error_by_landmark(t.errors, t.visible), strict=True)),
        "average_error": average_error(t.errors, t.visible),
        "pooled_error": pooled_error(t.errors, t.visible),
        "median_error": median_error(t.errors, t.visible),
        "error_by_landmark_with_hidden": dict(
            zip(names, error_by_landmark(t.errors, t.labelled), strict=True)
        ),
        "average_error_with_hidden": average_error(t.errors, t.labelled),
        "pooled_error_with_hidden": pooled_error(t.errors, t.labelled),
        "average_error_by_box": average_error(t.box, t.visible),
        "near": {str(at): share_within(t.errors, t.visible, at) for at in PDL_AT},
        "pck": {str(at): share_within(t.side, t.visible, at) for at in PCK_AT},
        "points_within": share_within(t.errors, t.visible, WITHIN),
        "garments_within": garments_within(t.errors, t.visible, WITHIN),
        "confidence": t.confidence,
        "confident_error": confident,
        "unconfident_error": unconfident,
        "confident_share": _confident_share(t, t.confidence),
        "not_present": not_present,
        "not_visible": not_visible,
        "curves": {
            **t.presence.curves(),
            "pdl": [[at, share_within(t.errors, t.visible, at)] for at in PDL_CURVE],
            "confidence": [
                [
                    at,
                    *errors_by_confidence(t.errors, t.visible, t.scores, at),
                    _confident_share(t, at),
                ]
                for at in CONFIDENCES
            ],
        },
    }


def _confident_share(t: _Table, threshold: float) -> float | None:
    return share_within(-t.scores, t.visible, -threshold)


def _category_figures(t: _Table) -> dict[str, Any]:
    """Return the metrics of categories by the names of `Report`."""
    ranks = t.ranks[t.ranked]
    return {
        **{f"top{n}": top(ranks, n) for n in (1, 3, 5)},
        "confusion": confusion(
            t.probabilities, t.category, t.found, t.schema.category_names, t.category_names
        ),
    }


def _by_body_type(t: _Table, detected: MatchedImages | None, found: Figures) -> dict[str, Figures]:
    """Return the figures of each body type: of landmarks, and of detection if there is any."""
    groups = _groups("by_body_type.", detected, found)
    for name, chosen in t.body_types():
        figures = groups.setdefault(name, {"garments": int(chosen.sum())})
        figures["average_error"] = average_error(t.errors[chosen], t.visible[chosen])
    return groups


def _groups(prefix: str, detected: MatchedImages | None, found: Figures) -> dict[str, Figures]:
    """Return the figures of groups, by the group's name."""
    if detected is None:
        return {}
    groups: dict[str, Figures] = {
        name.removeprefix(prefix): {"garments": n}
        for name, n in detected.counts().items()
        if name.startswith(prefix)
    }
    for name, value in found.items():
        if name.startswith(prefix):
            group, _, metric = name.removeprefix(prefix).rpartition(".")
            groups[group][metric] = value
    return groups

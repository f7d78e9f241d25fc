"""One evaluation: a model, a protocol, what was judged and the metrics; and its table for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_fashion.engine.evaluation.judged import Judged
from napari_fashion.engine.evaluation.landmark_metrics import WITHIN
from napari_fashion.engine.evaluation.report import Report

Row = tuple[str, str, str]
"""A metric in words, its value, and its interval; empty where it has none."""

PRESENCE_ROWS = {
    "found_error_visible": ("of these: AVG NE by the file's box, visible", False),
    "found_error_hidden": ("of these: AVG NE by the file's box, hidden", False),
    "found_pooled_visible": ("of these: pooled NE by the file's box, visible", False),
    "found_pooled_hidden": ("of these: pooled NE by the file's box, hidden", False),
    "found_absent_per_image": ("of these: detected and not there, an image", False),
    "missed": ("of these: landmarks that are there and not detected", True),
    "visibility_right": ("of these: visible or hidden right", True),
    "visibility_commoner": ("  if always the commoner one", True),
    "visibility_balanced": ("  mean of visible and of hidden ones", True),
    "visible_brier": ("visible: Brier score", False),
    "visible_calibration_error": ("visible: calibration error (ECE)", False),
    "present_brier": ("there: Brier score", False),
    "present_calibration_error": ("there: calibration error (ECE)", False),
}
"""Names of `Report.presence` in words, and whether they are shares."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The metrics of a model on annotated images by one protocol.

    Attributes
    ----------
    protocol, title
        Name of the protocol, and what it measures in words.
    parts
        Its parts: cut, margin, choice and fallback.
    report
        See `Report`.
    judged
        What `report` was computed from, one per garment.
    seconds_per_image
        Of network, decoder and resizing, without reading files.
    """

    protocol: str
    title: str
    parts: dict[str, str | float]
    report: Report
    judged: list[Judged]
    seconds_per_image: float | None

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
            "parts": self.parts,
            **self.report.to_dict(),
            "seconds_per_image": self.seconds_per_image,
        }

    def rows(self) -> list[Row]:
        """Return the metrics as a table for people; undefined ones are left out."""
        r = self.report
        counts = f"{r.n_garments} / {r.n_images} / {r.n_points}"
        rows: list[Row | None] = [
            ("garments / images / points", counts, ""),
            ("garments not found", str(r.not_found), "") if r.not_found else None,
            *self._landmark_rows(),
            *(
                self._row(f"category top-{n}", getattr(r, f"top{n}"), f"top{n}", percent=True)
                for n in (1, 3, 5)
            ),
            *self._detection_rows(),
        ]
        if self.seconds_per_image is not None:
            rows.append(("time an image", f"{1000 * self.seconds_per_image:.1f} ms", ""))
        return [row for row in rows if row is not None]

    def _landmark_rows(self) -> list[Row | None]:
        r = self.report

        def share(label: str, value: float | None, name: str) -> Row | None:
            return self._row(label, value, name, percent=True)

        return [
            self._row("AVG NE, visible landmarks", r.average_error, "average_error"),
            *(
                self._row(f"  {name}", error, f"error_by_landmark.{name}")
                for name, error in r.error_by_landmark.items()
            ),
            self._row(
                "AVG NE, hidden too", r.average_error_with_hidden, "average_error_with_hidden"
            ),
            self._row(
                "AVG NE, by the garment's box", r.average_error_by_box, "average_error_by_box"
            ),
            self._row("pooled NE", r.pooled_error, "pooled_error"),
            self._row(
                "pooled NE, hidden too", r.pooled_error_with_hidden, "pooled_error_with_hidden"
            ),
            self._row("median", r.median_error, "median_error"),
            self._row(f"AVG NE, scores from {r.confidence}", r.confident_error, "confident_error"),
            self._row(
                f"AVG NE, scores below {r.confidence}", r.unconfident_error, "unconfident_error"
            ),
            *(share(f"PDL at {at}", value, f"near.{at}") for at, value in r.near.items()),
            *(share(f"PCK at {at}", value, f"pck.{at}") for at, value in r.pck.items()),
            share(f"landmarks within {WITHIN}", r.points_within, "points_within"),
            share(f"garments with all within {WITHIN}", r.garments_within, "garments_within"),
            share("detected landmarks that are not there", r.not_present, "not_present"),
            share("detected landmarks that are hidden", r.not_visible, "not_visible"),
            *self._presence_rows(),
        ]

    def _presence_rows(self) -> list[Row | None]:
        r = self.report
        if not r.presence:
            return []
        matched = f"{r.n_matched} of {r.n_garments}"
        rows: list[Row | None] = [
            self._row(
                "detected landmarks that are not there, an image",
                r.presence.get("absent_per_image"),
                "presence.absent_per_image",
            ),
            ("garments with an OKS from 0.5", matched, ""),
        ]
        for name, (label, percent) in PRESENCE_ROWS.items():
            if name.startswith("visible") and not r.tells_visibility:
                continue
            rows.append(self._row(label, r.presence.get(name), f"presence.{name}", percent=percent))
        if not r.tells_visibility:
            rows.append(("visibility told", "no: all that is detected counts as visible", ""))
        return rows

    def _detection_rows(self) -> list[Row | None]:
        r = self.report
        return [
            self._row("detection precision", r.precision, "precision", percent=True),
            self._row("detection recall", r.recall, "recall", percent=True),
            self._row("OKS AP", r.ap, "ap"),
            self._row("OKS AP at 0.5", r.ap50, "ap50"),
            self._row("OKS AP at 0.75", r.ap75, "ap75"),
            self._row("OKS AR", r.ar, "ar"),
            *(
                self._row(f"OKS AP, {name}", group.get("ap"), f"{kind}.{name}.ap")
                for kind in ("by_body_type", "by_count")
                for name, group in getattr(r, kind).items()
            ),
            *(
                self._row(
                    f"found, {name}", group.get("found"), f"by_tag.{name}.found", percent=True
                )
                for name, group in r.by_tag.items()
                if len(r.by_tag) > 1
            ),
            *(
                self._row(label, share, f"images.{label}", percent=True)
                for label, share in r.images.items()
            ),
        ]

    def _row(
        self, label: str, value: float | None, interval: str = "", *, percent: bool = False
    ) -> Row | None:
        if value is None:
            return None

        def text(number: float) -> str:
            return f"{100 * number:.1f} %" if percent else f"{number:.4f}"

        bounds = (self.report.intervals or {}).get(interval)
        return label, text(value), " to ".join(map(text, bounds)) if bounds else ""

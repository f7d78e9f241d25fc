"""Metrics of groups of garments, such as those of one category in the file, and figures by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_fashion.engine.evaluation._arrays import Bool, Float64
from napari_fashion.engine.evaluation.intervals import bootstrap_intervals
from napari_fashion.engine.evaluation.ratios import Ratios
from napari_fashion.engine.evaluation.visibility import Presence

Figures = dict[str, float | None]
Bounds = tuple[float, float] | None


class Groups:
    """The garments of a report, by groups.

    Parameters
    ----------
    presence
        Of the N garments.
    errors, visible
        (N, K) normalised errors, and which of them count.
    detects
        Whether garments were detected: then the share that was found is a metric.
    """

    def __init__(
        self, presence: Presence, errors: Float64, visible: Bool, *, detects: bool
    ) -> None:
        self._presence, self._errors, self._visible = presence, errors, visible
        self._detects = detects

    def of(
        self,
        kind: str,
        names: Sequence[str],
        keys: Sequence[str],
        intervals: dict[str, Bounds] | None,
        bootstrap: Mapping[str, int],
    ) -> dict[str, Figures]:
        """Return the figures of each group, those with the most garments first.

        Parameters
        ----------
        kind
            What the intervals' names begin with.
        names, keys
            (N,) the group of each garment, empty for none, and its image.
        intervals
            Takes the intervals, over the images of each group; None for none.
        bootstrap
            Number of rounds, and seed.
        """
        of_garment = np.array(names, object)
        found, counts = np.unique(of_garment[of_garment != ""].astype(str), return_counts=True)
        groups: dict[str, Figures] = {}
        for at in np.argsort(-counts, kind="stable"):
            name = str(found[at])
            rows = np.flatnonzero(of_garment == name)
            ratios = Ratios()
            ratios.add_average("average_error", self._errors[rows], self._visible[rows])
            part = self._presence.part(rows)

            def figures(
                weights: Float64, ratios: Ratios = ratios, part: Presence = part
            ) -> Figures:
                own = {**ratios.figures(weights), **part.group_figures(weights)}
                return own if self._detects else {k: v for k, v in own.items() if k != "found"}

            groups[name] = {"garments": len(rows), **figures(np.ones(len(rows)))}
            if intervals is not None:
                own = bootstrap_intervals(
                    figures, [keys[row] for row in rows.tolist()], **bootstrap
                )
                intervals |= {f"{kind}.{name}.{metric}": bound for metric, bound in own.items()}
        return groups


def named(prefix: str, figures: Figures) -> Figures:
    """Return the figures whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): v for n, v in figures.items() if n.startswith(prefix)}


def grouped(prefix: str, figures: Figures) -> dict[str, Figures]:
    """Return the figures named ``<prefix><group>.<metric>``, by group."""
    groups: dict[str, Figures] = {}
    for name, value in named(prefix, figures).items():
        group, _, metric = name.rpartition(".")
        groups.setdefault(group, {})[metric] = value
    return groups


def merged(first: dict[str, Figures], second: Mapping[str, Figures]) -> dict[str, Figures]:
    """Return the figures of both by group; where both have one, that of the first counts."""
    names = [*first, *(name for name in second if name not in first)]
    return {name: {**second.get(name, {}), **first.get(name, {})} for name in names}

"""Published figures, as data, and whether one's own figures are comparable with them.

The files beside this one are from the report that this project implements (its Tables 1 to 6 and Figures
21 to 27) and the works that it cites. Empty cells were not reported.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from napari_fashion.documents import listed

LANDMARKS = (
    "left_collar", "right_collar", "left_sleeve", "right_sleeve",
    "left_waistline", "right_waistline", "left_hem", "right_hem",
)  # fmt: skip
"""DeepFashion's landmarks, in the order of the files' columns."""

CATEGORIES = 50
"""Number of categories of DeepFashion-C."""


@dataclass(frozen=True)
class DataSet:
    """A data set of which figures were published.

    Attributes
    ----------
    name, title
        As an argument, and in words.
    partition, images
        The partition that is judged, and its number of images.
    errors
        Name of the file with normalised errors.
    categories
        Name of the file with category accuracies; empty if there is none.
    """

    name: str
    title: str
    partition: str
    images: int
    errors: str
    categories: str


DATA_SETS = {
    "deepfashion-c": DataSet(
        "deepfashion-c",
        "DeepFashion-C",
        "test",
        40_000,
        "deepfashion-c-ne.csv",
        "category-top-k.csv",
    ),
    "deepfashion-l": DataSet(
        "deepfashion-l", "DeepFashion-L", "test", 19_991, "deepfashion-l-ne.csv", ""
    ),
}
"""The data sets by name."""


@dataclass(frozen=True)
class Errors:
    """Normalised errors that a work reports.

    Attributes
    ----------
    work, year
        Who reports them, and when; the year is empty if it is not known.
    average
        AVG NE.
    by_landmark
        NE by landmark; None where not reported.
    """

    work: str
    year: str
    average: float | None
    by_landmark: dict[str, float | None]


@dataclass(frozen=True)
class Accuracies:
    """Category accuracies that a work reports, as shares.

    Attributes
    ----------
    work, year
        Who reports them, and when.
    top3, top5
        Share of images whose true category is among the likeliest.
    """

    work: str
    year: str
    top3: float | None
    top5: float | None


@cache
def rows(file: str) -> tuple[dict[str, str], ...]:
    """Return the rows of one of the files, by its columns."""
    text = (resources.files(__package__) / file).read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def errors(data_set: str) -> list[Errors]:
    """Return the published errors on a data set of `DATA_SETS`, the least average first."""
    found = [
        Errors(
            row.get("work") or f"the report: {row['model']}",
            row.get("year", ""),
            _number(row["average"]),
            {name: _number(row[name]) for name in LANDMARKS},
        )
        for row in rows(DATA_SETS[data_set].errors)
    ]
    return sorted(found, key=lambda work: work.average or 1.0)


def accuracies(data_set: str) -> list[Accuracies]:
    """Return the published category accuracies on a data set, the best top-3 first."""
    file = DATA_SETS[data_set].categories
    found = []
    for row in rows(file) if file else ():
        top3, top5 = _number(row["top3"]), _number(row["top5"])
        found.append(
            Accuracies(
                row["work"],
                row["year"],
                None if top3 is None else round(top3 / 100, 6),
                None if top5 is None else round(top5 / 100, 6),
            )
        )
    return sorted(found, key=lambda work: -(work.top3 or 0.0))


def _number(text: str) -> float | None:
    return float(text) if text.strip() else None


def why_not_comparable(
    data_set: str | None,
    partition: str | None,
    n_images: int,
    landmarks: Sequence[str],
    parts: dict[str, str | float],
    with_data_set: str,
) -> list[str]:
    """Return why figures cannot be compared with those published on a data set; empty if they can.

    Parameters
    ----------
    data_set, partition
        What was judged, as far as it is known.
    n_images
        Number of images that were judged.
    landmarks
        Of the model.
    parts
        Of the protocol (`Evaluation.parts`).
    with_data_set
        A name in `DATA_SETS`.
    """
    known = DATA_SETS[with_data_set]
    reasons = []
    if data_set != known.name:
        found = "is not known" if data_set is None else f"is {data_set}"
        reasons.append(f"the data set {found}, and theirs is {known.title}")
    elif partition != known.partition:
        found = "is not known" if partition is None else f"is {partition}"
        reasons.append(f"the partition {found}, and theirs is {known.partition}")
    if n_images != known.images:
        reasons.append(f"{n_images:,} images were judged, and {known.images:,} by them")
    if tuple(landmarks) != LANDMARKS:
        reasons.append(
            f"the model has {len(landmarks)} landmarks ({listed(landmarks, 3)}), and theirs the "
            f"{len(LANDMARKS)} of DeepFashion"
        )
    if parts.get("cut") != "bbox" or parts.get("margin") != 0:
        reasons.append("images were not cropped by the file's box, as theirs were")
    return reasons

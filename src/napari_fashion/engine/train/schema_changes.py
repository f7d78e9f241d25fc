"""What a run adds to the fields of the model that it starts from, and what it drops, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_fashion.documents import listed
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.network.transfer import FieldMatch, SchemaMatch
from napari_fashion.engine.train.events import NoticeEvent

FEW = 5
"""A new landmark or category that fewer garments show is hardly learned."""


def notices_of(
    match: SchemaMatch, images: Sequence[AnnotatedImage], start: str
) -> list[NoticeEvent]:
    """Return what is new and what is dropped, with how many garments show what is new.

    Parameters
    ----------
    match
        Of the start's schema and the run's.
    images
        The training images, by the run's schema.
    start
        The id of the model that the run starts from.
    """
    old, new = match.start, match.schema
    landmarks, categories = _counts(images, new.n_landmarks, len(new.categories))
    notices = [
        *_new("landmarks", match.landmarks, new.landmarks, landmarks, start, ""),
        *_new(
            "categories", match.categories, new.category_names, categories, start,
            " If one of them stands for a category of the start, give a map of categories instead.",
        ),
    ]  # fmt: skip
    for what, theirs, ours in (
        ("landmarks", old.landmarks, new.landmarks),
        ("categories", old.category_names, new.category_names),
    ):
        known = set(ours)
        if lost := [name for name in theirs if name not in known]:
            notices.append(
                NoticeEvent(
                    message=f"Dropped: {_counted(len(lost), what)} of {start} that the schema "
                    f"{new.name!r} of this run lacks: {listed(lost)}.",
                    level="warning",
                )
            )
    if fresh := len(match.edges.new):
        n = len(new.edges)
        notices.append(
            NoticeEvent(
                message=f"New: {fresh} of {n} edges between landmarks, learned from scratch."
            )
        )
    return notices


def _new(
    what: str,
    match: FieldMatch,
    names: Sequence[str],
    counts: NDArray[np.int64],
    start: str,
    advice: str,
) -> list[NoticeEvent]:
    """Return the notices on new fields: those that enough garments show, and the others."""
    enough = [i for i in match.new if counts[i] >= FEW]
    scarce = [i for i in match.new if counts[i] < FEW]
    notices = []
    if enough:
        shown = listed([f"{names[i]} ({counts[i]:,} garments)" for i in enough])
        message = (
            f"New: {_counted(len(enough), what)} that {start} lacks, learned from scratch: {shown}."
        )
        notices.append(NoticeEvent(message=message + advice))
    if scarce:
        shown = listed([f"{names[i]} ({counts[i]:,})" for i in scarce])
        message = f"New, but hardly learned: {_counted(len(scarce), what)} that fewer than {FEW} garments "
        message += "show"
        notices.append(NoticeEvent(message=f"{message}: {shown}.{advice}", level="warning"))
    return notices


def _counted(n: int, what: str) -> str:
    singular = {"landmarks": "landmark", "categories": "category"}[what]
    return f"{n:,} {singular if n == 1 else what}"


def _counts(
    images: Sequence[AnnotatedImage], n_landmarks: int, n_categories: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many garments of distinct images show each landmark, and have each category."""
    landmarks = np.zeros(n_landmarks, np.int64)
    categories = np.zeros(n_categories, np.int64)
    for image in {id(image): image for image in images}.values():
        real = ~image.crowd
        landmarks += (image.visibility[real] > 0).sum(0)
        np.add.at(categories, image.category[real & (image.category >= 0)], 1)
    return landmarks, categories

"""Which of the garments that were found is compared with a garment of the truth: a registry of choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.matching import match_garments, oks_matrix
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.registry import Registry
from napari_fashion.schema import Schema

Found = Sequence[PredictedGarment]
"""Garments that were found, in pixels of the image, best score first."""


class Choice(Protocol):
    """Which garment that was found is compared with a garment of the truth.

    Attributes
    ----------
    name, title
        Its name in the registry, and the rule in words.
    single
        Whether the decoder is told that there is exactly one garment.
    """

    name: str
    title: str
    single: bool

    def choose(
        self, image: AnnotatedImage, garments: Sequence[int], found: Found, schema: Schema
    ) -> list[PredictedGarment | None]:
        """Return for each garment of the truth, by its index, the one to compare; None for none."""


class Nearest:
    """The garment that is nearest to the truth, by the mean distance of its visible landmarks."""

    name = "nearest"
    title = "the garment nearest to the truth"
    single = False

    def choose(
        self, image: AnnotatedImage, garments: Sequence[int], found: Found, schema: Schema
    ) -> list[PredictedGarment | None]:
        """Return the nearest of all; a landmark that was not found is as far as the image is long."""
        return [_least(found, _distances(image, i, found)) for i in garments]


class Best:
    """The garment with the best score."""

    name = "best"
    title = "the garment with the best score"
    single = False

    def choose(
        self, image: AnnotatedImage, garments: Sequence[int], found: Found, schema: Schema
    ) -> list[PredictedGarment | None]:
        """Return the first of all, for every garment."""
        return [_least(found, [-g.score for g in found])] * len(garments)


class Inside:
    """The best score among garments that lie inside the annotation's box."""

    name = "inside"
    title = "the best score inside the file's box"
    single = False

    def choose(
        self, image: AnnotatedImage, garments: Sequence[int], found: Found, schema: Schema
    ) -> list[PredictedGarment | None]:
        """Return the best whose middle, that of the box of its landmarks, lies in the annotation's box."""
        chosen: list[PredictedGarment | None] = []
        for i in garments:
            x0, y0, x1, y1 = image.box[i].tolist()
            inside = []
            for garment in found:
                x, y = _middle(garment)
                inside.append(-garment.score if x0 <= x <= x1 and y0 <= y <= y1 else np.inf)
            chosen.append(_least(found, inside))
        return chosen


class Only:
    """The only garment: the decoder is told that there is one (`DecoderOptions.single_instance`)."""

    name = "only"
    title = "the only garment"
    single = True

    def choose(
        self, image: AnnotatedImage, garments: Sequence[int], found: Found, schema: Schema
    ) -> list[PredictedGarment | None]:
        """Return the one."""
        return [found[0] if found else None] * len(garments)


class Matched:
    """One to one, by object keypoint similarity; for images with several garments.

    The prediction with the highest score chooses first; a garment that was not found is compared with the
    most similar prediction that is left.
    """

    name = "matched"
    title = "garments matched one to one"
    single = False

    def choose(
        self, image: AnnotatedImage, garments: Sequence[int], found: Found, schema: Schema
    ) -> list[PredictedGarment | None]:
        """Return a different one for each garment."""
        real = list(garments)
        similarity = oks_matrix(
            np.array([g.xy for g in found]).reshape(-1, *image.xy.shape[1:]),
            image.xy[real],
            image.visibility[real],
            image.area[real],
            schema.sigmas,
        )
        matches = _match_remaining(match_garments(similarity, [g.score for g in found]), similarity)
        by_row = {int(row): garment for row, garment in zip(matches, found, strict=True)}
        return [by_row.get(row) for row in range(len(real))]


CHOICES: Registry[Choice] = Registry("choice")
"""The choices by name."""


for _choice in (Nearest(), Best(), Inside(), Only(), Matched()):
    CHOICES.register(_choice.name, _choice)


def _least(found: Found, values: Sequence[float]) -> PredictedGarment | None:
    """Return the garment with the least value, the first of equal ones; None if none is finite."""
    finite = [(value, n) for n, value in enumerate(values) if np.isfinite(value)]
    return found[min(finite)[1]] if finite else None


def _distances(image: AnnotatedImage, i: int, found: Found) -> list[float]:
    visible = image.visibility[i] == 2
    far = float(np.hypot(*image.size))
    distances = []
    for garment in found:
        apart = np.linalg.norm(garment.xy.astype(np.float64) - image.xy[i], axis=1)
        distances.append(float(np.where(garment.found, apart, far)[visible].mean()))
    return distances


def _middle(garment: PredictedGarment) -> tuple[float, float]:
    xy = garment.xy[garment.found]
    if not len(xy):
        return np.inf, np.inf
    x, y = ((xy.min(0) + xy.max(0)) / 2).tolist()
    return x, y


def _match_remaining(
    matches: NDArray[np.int64], similarity: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Match each garment that was not found with the most similar prediction that is left.

    A prediction that is far off still has an error to count, but takes no garment from another.

    Parameters
    ----------
    matches, similarity
        (P,) of `match_garments`, and the (P, G) similarities.

    Returns
    -------
    (P,) int64, -1 where nothing is left.
    """
    completed = matches.copy()
    left = similarity.copy()
    left[matches >= 0] = -1.0
    left[:, matches[matches >= 0]] = -1.0
    while left.size and left.max() > 0:
        p, g = np.unravel_index(int(left.argmax()), left.shape)
        completed[p] = g
        left[p], left[:, g] = -1.0, -1.0
    return completed

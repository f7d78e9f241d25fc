"""Whether one model is better than another on the same images: a paired bootstrap and a verdict."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco.categories import FOREIGN
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.intervals import bootstrap_interval
from napari_fashion.engine.evaluation.judged import Judged
from napari_fashion.engine.evaluation.landmark_metrics import average_error
from napari_fashion.schema import Schema

MIN_IMAGES = 10
"""Number of images below which no verdict is given."""
MIN_GROUPS = 10
"""Number of groups from which on whole groups are resampled; with fewer, images are.

An interval over a handful of groups is far too narrow: over one it has no width at all.
"""

Verdict = Literal["better", "worse", "no difference", "too few"]

_ADVICE = "Review about 20 more images, then train again."


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images, by their AVG NE.

    Attributes
    ----------
    before, after
        AVG NE of either; None if there is nothing to judge by.
    interval
        95 % interval of after - before; None if there is none.
    images
        Number of images judged.
    verdict
        ``"better"`` if the interval lies below 0, ``"worse"`` if above, ``"no difference"`` if it has 0
        in it; ``"too few"`` for fewer than `MIN_IMAGES` images.
    """

    before: float | None
    after: float | None
    interval: tuple[float, float] | None
    images: int
    verdict: Verdict

    @property
    def text(self) -> str:
        """The verdict in a sentence, with both errors and the interval of the difference."""
        held_out = f"{self.images} held-out image{'' if self.images == 1 else 's'}"
        if self.verdict == "too few" or self.before is None or self.after is None:
            errors = ""
            if self.before is not None and self.after is not None:
                errors = f" (NE {self.before:.4f} before, {self.after:.4f} after)"
            return f"Too few to tell: {held_out}{errors}; expected {MIN_IMAGES} or more. {_ADVICE}"
        word = {
            "better": "Better",
            "worse": "Worse",
            "no difference": "No difference that can be told",
        }[self.verdict]
        text = f"{word}: the normalised error (NE) on {held_out} is {self.after:.4f} after"
        text += f" and {self.before:.4f} before"
        if self.interval is None:
            return text + "."
        low, high = self.interval
        zero = ", which includes 0" if self.verdict == "no difference" else ""
        difference = self.after - self.before
        return (
            f"{text} (difference {difference:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}{zero})."
        )


def compare_judged(
    before: Sequence[Judged],
    after: Sequence[Judged],
    groups: Mapping[str, Hashable],
    *,
    rounds: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare what two models predicted for the same garments.

    Parameters
    ----------
    before, after
        Of the same N garments with the same K landmarks, in the same order.
    groups
        The group of each image by its key, such as its sender; the images of one are not independent.
        They are resampled together if there are at least `MIN_GROUPS`; otherwise images are.
    rounds, seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If the garments are not the same.
    """
    if [j.key for j in before] != [j.key for j in after]:
        raise ValueError("The models were not judged on the same garments, in the same order.")
    keys = [j.key for j in after]
    images = len(set(keys))
    if not after:
        return Comparison(None, None, None, 0, "too few")
    old, new = (np.array([j.errors for j in judged]) for judged in (before, after))
    visible = np.array([j.visibility for j in after]) == 2

    def difference(rows: NDArray[np.int64]) -> float | None:
        one = average_error(old[rows], visible[rows])
        two = average_error(new[rows], visible[rows])
        return None if one is None or two is None else two - one

    units: Sequence[Hashable] = [groups.get(key, key) for key in keys]
    if len(set(units)) < MIN_GROUPS:
        units = keys
    interval = bootstrap_interval(difference, units, rounds=rounds, seed=seed)
    ne = average_error(old, visible), average_error(new, visible)
    return Comparison(*ne, interval, images, _verdict(interval, images))


def _verdict(interval: tuple[float, float] | None, images: int) -> Verdict:
    if interval is None or images < MIN_IMAGES:
        return "too few"
    low, high = interval
    if high < 0:
        return "better"
    return "worse" if low > 0 else "no difference"


def project_images(
    images: Sequence[AnnotatedImage], schema: Schema, to: Schema, landmarks: Sequence[str]
) -> list[AnnotatedImage]:
    """Return images with the landmarks and categories of another schema.

    Parameters
    ----------
    images
        Annotated by `schema`.
    schema, to
        The images' schema, and the one that they get.
    landmarks
        Names that both schemas have: only these stay labelled.

    Returns
    -------
    The images that can still be judged. Categories that `to` lacks are `FOREIGN`.
    """
    from_place = {name: i for i, name in enumerate(schema.landmarks)}
    to_place = {name: i for i, name in enumerate(to.landmarks)}
    source = [from_place[name] for name in landmarks]
    target = [to_place[name] for name in landmarks]
    places = {name: i for i, name in enumerate(to.category_names)}
    category = np.array([places.get(name, FOREIGN) for name in schema.category_names], np.int64)
    projected = []
    for image in images:
        n = len(image.category)
        xy = np.zeros((n, to.n_landmarks, 2), np.float32)
        visibility = np.zeros((n, to.n_landmarks), np.int64)
        member = np.zeros((n, to.n_landmarks), np.bool_)
        xy[:, target] = image.xy[:, source]
        visibility[:, target] = image.visibility[:, source]
        member[:, target] = image.member[:, source]
        of_garment = [int(category[c]) if c >= 0 else c for c in image.category.tolist()]
        changed = replace(
            image,
            xy=xy,
            visibility=visibility,
            member=member,
            category=np.array(of_garment, np.int64).reshape(n),
        )
        if changed.can_be_judged:
            projected.append(changed)
    return projected


def select_landmarks(
    judged: Sequence[Judged], schema: Schema, landmarks: Sequence[str]
) -> list[Judged]:
    """Return what was judged by a schema's landmarks, of some of them in the given order."""
    place = {name: i for i, name in enumerate(schema.landmarks)}
    rows = [place[name] for name in landmarks]
    return [
        replace(
            j,
            errors=j.errors[rows],
            box_errors=j.box_errors[rows],
            side_errors=j.side_errors[rows],
            visibility=j.visibility[rows],
            scores=j.scores[rows],
            truth=j.truth[rows],
            predicted=j.predicted[rows],
            present=None if j.present is None else j.present[rows],
            visible=None if j.visible is None else j.visible[rows],
        )
        for j in judged
    ]

"""The two ways to ask for a sample image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .scenes import compose
from .stage import Sample
from .wardrobes import WARDROBES, wardrobe_of

CATEGORIES = WARDROBES["garments"].categories
"""The categories that can be rendered: those of the schema ``garments``."""

Size = tuple[int, int]


def render(
    seed: int,
    *,
    category: str | None = None,
    size: Size = (400, 533),
    landmarks: str = "garments",
) -> Sample:
    """Render one garment.

    Parameters
    ----------
    seed
        The same seed and arguments give the same image.
    category
        One of `CATEGORIES`, or of the categories of the schema that `landmarks` names; drawn from the
        seed when None.
    size
        Width and height in pixels.
    landmarks
        The schema whose landmarks and categories the garment has: ``garments`` or ``deepfashion2``.

    Raises
    ------
    FashionError
        If there is no such category, or no garments with such landmarks.
    """
    wardrobe = wardrobe_of(landmarks)
    if category is None:
        drawn = np.random.default_rng([seed, 1, *wardrobe.stream])
        category = wardrobe.categories[int(drawn.integers(len(wardrobe.categories)))]
    rng = np.random.default_rng([seed, 1, *wardrobe.stream, wardrobe.number(category)])
    return compose(seed, [category], size, rng, wardrobe)


def render_scene(
    seed: int,
    n_garments: int = 2,
    *,
    categories: Sequence[str] | None = None,
    size: Size = (400, 533),
    landmarks: str = "garments",
) -> Sample:
    """Render several garments that may overlap a little, or with 0 an image without any.

    Parameters
    ----------
    seed, size, landmarks
        As in `render`.
    n_garments
        How many; garments come in the order they lie on each other, the lowest first.
    categories
        The category of each, instead of `n_garments` drawn ones.

    Raises
    ------
    FashionError
        If there is no such category, or no garments with such landmarks.
    """
    wardrobe = wardrobe_of(landmarks)
    rng = np.random.default_rng([seed, 2, *wardrobe.stream])
    if categories is None:
        known = wardrobe.categories
        categories = [known[int(i)] for i in rng.integers(len(known), size=n_garments)]
    for category in categories:
        wardrobe.number(category)
    return compose(seed, list(categories), size, rng, wardrobe)

"""The two ways to ask for a sample image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_fashion.errors import FashionError

from .cuts import CUTS
from .scenes import compose
from .stage import Sample

CATEGORIES = tuple(sorted(CUTS))
"""The categories that can be rendered: those of the schema ``garments``."""

Size = tuple[int, int]


def render(seed: int, *, category: str | None = None, size: Size = (400, 533)) -> Sample:
    """Render one garment.

    Parameters
    ----------
    seed
        The same seed and arguments give the same image.
    category
        One of `CATEGORIES`; drawn from the seed when None.
    size
        Width and height in pixels.

    Raises
    ------
    FashionError
        If there is no such category.
    """
    if category is None:
        category = CATEGORIES[int(np.random.default_rng([seed, 1]).integers(len(CATEGORIES)))]
    rng = np.random.default_rng([seed, 1, _number(category)])
    return compose(seed, [category], size, rng)


def render_scene(
    seed: int,
    n_garments: int = 2,
    *,
    categories: Sequence[str] | None = None,
    size: Size = (400, 533),
) -> Sample:
    """Render several garments that may overlap a little, or with 0 an image without any.

    Parameters
    ----------
    seed, size
        As in `render`.
    n_garments
        How many; garments come in the order they lie on each other, the lowest first.
    categories
        The category of each, instead of `n_garments` drawn ones.

    Raises
    ------
    FashionError
        If there is no such category.
    """
    rng = np.random.default_rng([seed, 2])
    if categories is None:
        categories = [CATEGORIES[int(i)] for i in rng.integers(len(CATEGORIES), size=n_garments)]
    for category in categories:
        _number(category)
    return compose(seed, list(categories), size, rng)


def _number(category: str) -> int:
    if category not in CATEGORIES:
        raise FashionError(
            f"No sample garment {category!r}; expected one of {', '.join(CATEGORIES)}."
        )
    return CATEGORIES.index(category)

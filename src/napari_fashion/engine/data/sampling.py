"""How often each training image is drawn in an epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.data.sample import AnnotatedImage


def sampling_rates(images: Sequence[AnnotatedImage], balance: float) -> NDArray[np.float64]:
    """Return how often each image is drawn in an epoch, 1 on average.

    Parameters
    ----------
    images
        P training images.
    balance
        A garment counts n^-balance, if its category has n garments; an image counts as the mean of its
        garments. Images without a garment of known category are drawn as often as the average.

    Returns
    -------
    (P,) float64.
    """
    known = [_known_categories(image) for image in images]
    categories = np.concatenate([np.zeros(0, np.int64), *known])
    rates = np.ones(len(images))
    if balance == 0 or not len(categories):
        return rates
    count = np.bincount(categories).clip(min=1)
    has = np.array([len(c) > 0 for c in known])
    rates[has] = [(count[c] ** -balance).mean() for c in known if len(c)]
    rates[has] /= rates[has].mean()
    return rates


def category_rates(
    images: Sequence[AnnotatedImage],
    rates: NDArray[np.float64],
    categories: int,
    *,
    unseen_is_rare: bool = True,
) -> NDArray[np.float64]:
    """Return the share of each category among the garments that are drawn.

    Parameters
    ----------
    images
        P training images.
    rates
        (P,) how often each is drawn (`sampling_rates`).
    categories
        C, the number of categories.
    unseen_is_rare
        Whether a category without garments counts as rare. Logits learned with the log of these shares
        added hardly move for a rare category, and are read as if it were common: right if a model has
        learned the category before. Otherwise it counts like the most frequent one, so that a model
        learns not to predict what it never saw.

    Returns
    -------
    (C,) float64 with the sum 1. Every category counts one garment more than there are (Laplace's rule), so
    that a category without any is rare, and not impossible.
    """
    count = np.ones(categories)
    for image, rate in zip(images, rates, strict=True):
        np.add.at(count, _known_categories(image), rate)
    if not unseen_is_rare and categories:
        count[count == 1] = count.max()
    share: NDArray[np.float64] = count / count.sum()
    return share


def systematic_sample(rates: NDArray[np.float64], start: float) -> NDArray[np.int64]:
    """Draw as many items as there are, each as often as its rate says, rounded up or down.

    Systematic sampling (Madow and Madow 1944): the rates are laid end to end, and the item under each of
    the points start, start + 1, start + 2, ... is drawn.

    Parameters
    ----------
    rates
        (P,), 1 on average.
    start
        In [0, 1), uniform at random.

    Returns
    -------
    (P,) int64 indices, ascending.
    """
    n = len(rates)
    ends = np.cumsum(rates)
    ends *= n / ends[-1]
    drawn = np.searchsorted(ends, np.arange(n) + start, side="right").clip(max=n - 1)
    return np.asarray(drawn, np.int64)


def _known_categories(image: AnnotatedImage) -> NDArray[np.int64]:
    return image.category[(image.category >= 0) & ~image.crowd]

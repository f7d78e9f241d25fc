"""The colour of what lies outside an image: one form of it for training and inference. No torch here."""

from __future__ import annotations

from typing import Any

from napari_fashion.documents import shown
from napari_fashion.images.transforms import PADDING

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

GREY: Colour = (PADDING, PADDING, PADDING)
RANDOM = "random"
"""A colour drawn for each image."""


def read_colour(value: Any, *, random: bool = False) -> Any:
    """Return a colour as recipes give it: ``"grey"`` for `GREY`, or its three values; for validators.

    Parameters
    ----------
    value
        What the recipe has.
    random
        Whether `RANDOM` is possible, which is returned as it is.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> read_colour("grey"), read_colour([255, 255, 255])
    ((124, 124, 124), (255, 255, 255))
    """
    if value == "grey":
        return GREY
    if random and value == RANDOM:
        return value
    if (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(type(level) is int and 0 <= level <= 255 for level in value)
    ):
        return tuple(value)
    raise ValueError(
        f'found {shown(value)}; expected "grey", {chr(34) + RANDOM + chr(34) + ", " if random else ""}or '
        "red, green and blue as [R, G, B], whole numbers of 0 to 255"
    )

"""What garments can be rendered with which landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_fashion.documents import closest, shown
from napari_fashion.errors import FashionError
from napari_fashion.options import Options

from .contours import cut_contoured, with_contour
from .cuts import CUTS, DEEPFASHION2_CUTS
from .fashionai import FASHIONAI_CUTS, cut_for_fashionai, with_fashionai
from .pieces import Garment
from .silhouettes import cut_garment


@dataclass(frozen=True)
class Wardrobe:
    """The garments of one schema.

    Attributes
    ----------
    schema
        Its name.
    categories
        Those that can be rendered: all of the schema's, sorted.
    cut
        Cuts a garment of a category.
    marked
        Gives a garment the schema's landmarks. Only samples have them; what hangs or joins garments goes by
        the eight of ``garments``.
    stream
        Number that keeps random numbers apart from other schemas'.
    """

    schema: str
    categories: tuple[str, ...]
    cut: Callable[[str, np.random.Generator], Garment]
    marked: Callable[[Garment], Garment]
    stream: tuple[int, ...]

    def number(self, category: str) -> int:
        """Return the number of a category.

        Raises
        ------
        FashionError
            If there is no such category.
        """
        if category not in self.categories:
            raise FashionError(
                f"No sample garment {category!r}; expected one of {', '.join(self.categories)}."
            )
        return self.categories.index(category)


WARDROBES = {
    wardrobe.schema: wardrobe
    for wardrobe in (
        Wardrobe("garments", tuple(sorted(CUTS)), cut_garment, lambda garment: garment, ()),
        Wardrobe(
            "deepfashion2", tuple(sorted(DEEPFASHION2_CUTS)), cut_contoured, with_contour, (2,)
        ),
        Wardrobe(
            "fashionai", tuple(sorted(FASHIONAI_CUTS)), cut_for_fashionai, with_fashionai, (3,)
        ),
    )
}
"""By the schemas' names."""


class SampleOptions(Options):
    """What is set of images with procedural garments.

    Attributes
    ----------
    landmarks
        The schema whose landmarks and categories they have.
    """

    landmarks: Literal["garments", "deepfashion2", "fashionai"] = "garments"


def wardrobe_of(schema: str) -> Wardrobe:
    """Return the garments with a schema's landmarks.

    Raises
    ------
    FashionError
        If no garments are rendered with them.
    """
    if schema not in WARDROBES:
        near = closest(schema, WARDROBES)
        hint = f" Did you mean {near}?" if near else ""
        raise FashionError(
            f"landmarks: found {shown(schema)}; expected {', '.join(WARDROBES)}.{hint}"
        )
    return WARDROBES[schema]

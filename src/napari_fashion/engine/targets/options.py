"""How landmarks become targets; torch-free, because recipes read it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_fashion.options import Options


class TargetOptions(Options):
    """How landmarks become targets.

    Attributes
    ----------
    side
        Side of the square of cells around a landmark that regress to it, in cells.
    edge_width
        Width of the band of cells around an edge that regress to its ends, in cells.
    foreign
        Landmarks that the garment's body type does not have: ``"ignore"`` gives no loss in the
        garment's box, ``"negative"`` teaches that they are not there.
    margin
        Share of its size by which a garment's box grows where something in it is ignored.
    """

    side: float = Field(default=4.0, gt=0, le=1000)
    edge_width: float = Field(default=3.0, gt=0, le=1000)
    foreign: Literal["ignore", "negative"] = "ignore"
    margin: float = Field(default=0.1, ge=0, le=100)

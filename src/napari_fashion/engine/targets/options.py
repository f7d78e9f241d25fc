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
    foreign
        Landmarks that the garment's body type does not have: ``"ignore"`` gives no loss in the
        garment's box, ``"negative"`` teaches that they are not there.
    """

    side: float = Field(default=4.0, gt=0, le=1000)
    foreign: Literal["ignore", "negative"] = "negative"

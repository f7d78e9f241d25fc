"""What decoding returns."""

from __future__ import annotations

from dataclasses import dataclass

from napari_fashion.engine.decode.arguments import Float32


@dataclass(frozen=True, eq=False)
class DecodedGarment:
    """One garment in cells.

    Attributes
    ----------
    xy
        (K, 2) float32, cells, x then y; 0 where the score is 0.
    scores
        (K,) float32, 0..1; 0 is a landmark that was not found.
    spread
        (K,) float32, cells: Laplace scale of the position; 0 where the score is 0.
    score
        Mean score over the landmarks that the garment's body type has.
    """

    xy: Float32
    scores: Float32
    spread: Float32
    score: float

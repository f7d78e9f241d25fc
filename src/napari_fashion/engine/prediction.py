"""What the engine says about one image, in pixels; knows no COCO and no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PredictedGarment:
    """One garment that the model found.

    Attributes
    ----------
    xy
        (K, 2) float32, pixels of the original image, x then y; (0, 0) is the centre of the
        top-left pixel. What stands where the score is 0 means nothing.
    scores
        (K,) float32, 0..1; 0 is a landmark that was not found.
    spread
        (K,) float32, pixels: Laplace scale of the position, how far off it may be.
    category
        (C,) float32 probabilities, in the order of the schema's categories.
    score
        Score of the whole garment, 0..1.
    present
        (K,) float32 probabilities that each landmark is there at all, 0 for those that were not
        found; None if the model does not say so.
    visible
        (K,) float32 probabilities that each landmark, if it is there, is visible and not hidden; None
        if the model does not say so.
    layer
        In whose fields it was found (`engine.layers`); 0 without layers.
    visible_threshold
        A landmark counts as visible from this probability on (`VisibilityOptions`).
    """

    xy: NDArray[np.float32]
    scores: NDArray[np.float32]
    spread: NDArray[np.float32]
    category: NDArray[np.float32]
    score: float
    present: NDArray[np.float32] | None = None
    visible: NDArray[np.float32] | None = None
    visible_threshold: float = 0.5
    layer: int = 0

    @property
    def found(self) -> NDArray[np.bool_]:
        """(K,) bool: which landmarks were found."""
        return self.scores > 0

    @property
    def visibility(self) -> NDArray[np.int64]:
        """(K,) int64, COCO's: 0 not found, 1 hidden, 2 visible.

        What a model that tells nothing of visibility found counts as visible.
        """
        if self.visible is None:
            return np.where(self.found, 2, 0)
        seen = np.where(self.visible >= self.visible_threshold, 2, 1)
        return np.where(self.found, seen, 0)

    def keeping(self, landmarks: NDArray[np.bool_]) -> PredictedGarment:
        """Return the garment with only some of its landmarks, (K,) bool; the others are not found."""

        def kept(values: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.where(landmarks, values, np.float32(0))

        return replace(
            self,
            xy=np.where(landmarks[:, None], self.xy, np.float32(0)),
            scores=kept(self.scores),
            spread=kept(self.spread),
            present=None if self.present is None else kept(self.present),
            visible=None if self.visible is None else kept(self.visible),
        )

    @property
    def category_index(self) -> int:
        """Index of the likeliest category, or -1 where the model knows no categories."""
        return int(np.argmax(self.category)) if self.category.size else -1


@dataclass(frozen=True, eq=False)
class Prediction:
    """The garments of one image, best first.

    Attributes
    ----------
    garments
        Best score first.
    width, height
        Size of the original image, pixels.
    model_id
        Which model said so.
    """

    garments: tuple[PredictedGarment, ...]
    width: int
    height: int
    model_id: str

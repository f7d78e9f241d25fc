"""How a garment reads the category field while a network learns."""

from __future__ import annotations

from torch import Tensor


def pool_category(logits: Tensor, mask: Tensor, how: str) -> Tensor:
    """Read the category field where a garment is (`inference.postprocess` does the same in NumPy).

    Parameters
    ----------
    logits
        (..., C, H, W) category logits.
    mask
        (..., H, W) bool, the garment's cells; where it is empty, the whole image counts.
    how
        ``"max"`` or ``"mean"`` of the cells.

    Returns
    -------
    (..., C) logits.
    """
    empty = ~mask.flatten(-2).any(-1)
    mask = (mask | empty[..., None, None]).unsqueeze(-3)
    if how == "max":
        return logits.masked_fill(~mask, float("-inf")).flatten(-2).amax(-1)
    weights = mask.to(logits.dtype)
    return (logits * weights).sum((-2, -1)) / weights.sum((-2, -1))

"""The loss of a garment's category."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.network.category import pool_category
from napari_fashion.engine.targets.encode import Targets


class Teacher(NamedTuple):
    """What another model says of the same images (Hinton et al. 2015, distillation).

    Attributes
    ----------
    logits
        (B, C, H', W') category logits; the cells may be of another size than the student's.
    share
        Share of the category target that is the teacher's, 0 to 1; the label has the rest.
    known
        (C,) bool: the categories that the teacher has; None for all. A garment of another one is
        learned from its label alone.
    """

    logits: Tensor
    share: float
    known: Tensor | None = None


def category_loss(
    logits: Tensor,
    targets: Targets,
    pool: str,
    label_smoothing: float = 0.0,
    shift: Tensor | None = None,
    teacher: Teacher | None = None,
) -> Tensor:
    """Cross-entropy on the logits that each garment reads from its own cells.

    Parameters
    ----------
    logits
        (B, C, H, W).
    targets
        Of B images with N garments each.
    pool
        ``"max"`` or ``"mean"`` over the garment's cells.
    label_smoothing
        Share of the target that is spread over all categories: evenly as they are read, which is
        by ``softmax(shift)`` as they are learned.
    shift
        (C,) added to the logits while they are learned, the teacher's as well; None for zeros.
    teacher
        See `Teacher`; None for labels alone.
    """
    image, garment = torch.nonzero(targets.category >= 0, as_tuple=True)
    if not len(image):
        return logits.sum() * 0.0
    cells = targets.garment_cells[image, garment]
    pooled = pool_category(logits[image], cells, pool)
    if shift is None:
        shift = pooled.new_zeros(pooled.shape[1])
    truth = F.one_hot(targets.category[image, garment], pooled.shape[1])
    target = (1 - label_smoothing) * truth + label_smoothing * shift.softmax(0)
    if teacher is not None:
        theirs = F.interpolate(
            teacher.logits.float(), size=logits.shape[-2:], mode="bilinear", align_corners=False
        )
        says = (pool_category(theirs[image], cells, pool) + shift).softmax(-1)
        share = target.new_full((len(target), 1), teacher.share)
        if teacher.known is not None:
            share = share * teacher.known[targets.category[image, garment]][:, None]
        target = torch.lerp(target, says, share)
    return F.cross_entropy(pooled + shift, target)

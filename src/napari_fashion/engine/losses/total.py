"""All losses of a batch, by name."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.losses.category import Teacher, category_loss
from napari_fashion.engine.losses.confidence import CONFIDENCE_LOSSES
from napari_fashion.engine.losses.gather import gather
from napari_fashion.engine.losses.options import LossOptions
from napari_fashion.engine.losses.vector import VECTOR_LOSSES
from napari_fashion.engine.network.heads import CONFIDENCE, PAF, PIF, HeadSpec
from napari_fashion.engine.network.network import Heads
from napari_fashion.engine.targets.encode import FieldTargets, Targets


def compute_losses(
    heads: Heads,
    targets: Targets,
    options: LossOptions,
    category_pool: str,
    category_rates: Tensor | None = None,
    teacher: Teacher | None = None,
) -> dict[str, Tensor]:
    """Return every weighted component by name; their sum is the loss to minimise.

    Components are means: confidences over the number of positive cells (so that an image's many
    empty cells do not drown its few landmarks), vectors and sizes over the cells that regress, the
    category over garments.

    Parameters
    ----------
    heads
        Raw outputs; their channels are those of `HEADS`.
    targets
        See `Targets`.
    options
        See `LossOptions`.
    category_pool
        ``"max"`` or ``"mean"``, see `pool_category`.
    category_rates
        (C,) how often each category is drawn (`data.sampling.category_rates`), for
        `category_prior`.
    teacher
        What a teacher says of the same images.
    """
    losses = _field_losses(PIF, heads.pif, targets.pif, options)
    if heads.paf.shape[1]:
        losses |= _field_losses(PAF, heads.paf, targets.paf, options)
    if heads.category.shape[1]:
        shift = None
        if options.category_prior:
            if category_rates is None:
                raise ValueError("category_prior needs category_rates; found None.")
            shift = options.category_prior * category_rates.log()
        losses["category"] = category_loss(
            heads.category.float(), targets, category_pool, options.label_smoothing, shift, teacher
        )
    return {name: loss * options.weights.get(name, 1.0) for name, loss in losses.items()}


def _field_losses(
    spec: HeadSpec, raw: Tensor, targets: FieldTargets, options: LossOptions
) -> dict[str, Tensor]:
    """Losses of a head with raw output (B, L, channels, H, W)."""
    count = max(1, len(targets.cells))
    confidence, values = gather(raw, targets.cells, spec.index(CONFIDENCE))
    of_confidence = CONFIDENCE_LOSSES[options.confidence]
    of_vector = VECTOR_LOSSES[options.vector]
    vectors, sizes = [], []
    for point, target in zip(spec.points, targets.points, strict=True):
        x, y, log_spread, size = (values[spec.index(channel)] for channel in point)
        to_x, to_y = target.vector.unbind(1)
        distance = ((x - to_x).square() + (y - to_y).square()).clamp(min=1e-12).sqrt()
        vectors.append(of_vector(distance, log_spread, target.size))
        sizes.append((F.softplus(size) - target.size).abs())
    cells = of_confidence(confidence, targets.confidence, targets.weight, options)
    return {
        f"{spec.name}.confidence": cells / count,
        f"{spec.name}.vector": torch.cat(vectors).sum() / count,
        f"{spec.name}.size": torch.cat(sizes).sum() / count,
    }

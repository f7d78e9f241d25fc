"""All losses of a batch, by name."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.losses.category import Teacher, category_loss
from napari_fashion.engine.losses.confidence import CONFIDENCE_LOSSES
from napari_fashion.engine.losses.gather import gather
from napari_fashion.engine.losses.options import LossOptions
from napari_fashion.engine.losses.vector import VECTOR_LOSSES
from napari_fashion.engine.network.activation import log_spread_of
from napari_fashion.engine.network.heads import CONFIDENCE, PAF, VISIBLE, HeadSpec, pif_spec
from napari_fashion.engine.network.network import Heads
from napari_fashion.engine.targets.encode import FieldTargets, Targets


@dataclass(frozen=True)
class Normalisers:
    """What the sums of the losses are divided by.

    Those of several batches, or of the parts of one that several processes have, are added up
    before the losses are computed: then the sum of the parts' losses and gradients is that of the
    whole.

    Attributes
    ----------
    pif, paf
        Number of positive cells that count.
    garments
        Number of garments whose category is learned.
    """

    pif: int = 0
    paf: int = 0
    garments: int = 0

    @classmethod
    def of(cls, targets: Targets) -> Normalisers:
        """Count what targets have."""
        garments = int((targets.category >= 0).sum())
        return cls(len(targets.pif.cells), len(targets.paf.cells), garments)

    def __add__(self, other: Normalisers) -> Normalisers:
        return Normalisers(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def compute_losses(
    heads: Heads,
    targets: Targets,
    options: LossOptions,
    category_pool: str,
    category_rates: Tensor | None = None,
    teacher: Teacher | None = None,
    normalisers: Normalisers | None = None,
    *,
    bounded_spread: bool = True,
) -> dict[str, Tensor]:
    """Return every weighted component by name; their sum is the loss to minimise.

    Components are means: confidences over the number of positive cells (so that an image's many
    empty cells do not drown its few landmarks), vectors and sizes over the cells that regress, the
    category over garments.

    Parameters
    ----------
    heads
        Raw outputs; their channels are those of `heads_of`.
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
    normalisers
        Of the step that the batch is a part of; None for the batch's own.
    bounded_spread
        `NetworkConfig.bounded_spread`.
    """
    over = normalisers or Normalisers.of(targets)
    spec = pif_spec(heads.pif.shape[2])
    losses = _field_losses(spec, heads.pif, targets.pif, options, over.pif, bounded_spread)
    if heads.paf.shape[1]:
        losses |= _field_losses(PAF, heads.paf, targets.paf, options, over.paf, bounded_spread)
    if heads.category.shape[1]:
        shift = None
        if options.category_prior:
            if category_rates is None:
                raise ValueError("category_prior needs category_rates; found None.")
            shift = options.category_prior * category_rates.log()
        losses["category"] = category_loss(
            heads.category.float(),
            targets,
            category_pool,
            options.label_smoothing,
            shift,
            teacher,
            over.garments,
        )
    return {name: loss * options.weights.get(name, 1.0) for name, loss in losses.items()}


def _field_losses(
    spec: HeadSpec,
    raw: Tensor,
    targets: FieldTargets,
    options: LossOptions,
    positive: int,
    bounded_spread: bool,
) -> dict[str, Tensor]:
    """Losses of a head with raw output (B, L, channels, H, W), over `positive` cells."""
    count = max(1, positive)
    confidence, values = gather(raw, targets.cells, spec.index(CONFIDENCE))
    of_confidence = CONFIDENCE_LOSSES[options.confidence]
    of_vector = VECTOR_LOSSES[options.vector]
    vectors, sizes = [], []
    for point, target in zip(spec.points, targets.points, strict=True):
        x, y, log_spread, size = (values[spec.index(channel)] for channel in point)
        to_x, to_y = target.vector.unbind(1)
        distance = ((x - to_x).square() + (y - to_y).square()).clamp(min=1e-12).sqrt()
        log_spread = log_spread_of(log_spread, bounded=bounded_spread)
        vectors.append(of_vector(distance, log_spread, target.size, options))
        sizes.append((F.softplus(size) - target.size).abs())
    cells = of_confidence(confidence, targets.confidence, targets.weight, options)
    seen = {}
    if VISIBLE in spec.channels:
        assert targets.visible is not None
        logits = values[spec.index(VISIBLE)]
        total = F.binary_cross_entropy_with_logits(logits, targets.visible, reduction="sum")
        seen = {f"{spec.name}.{VISIBLE}": total / count}
    return {
        **seen,
        f"{spec.name}.confidence": cells / count,
        f"{spec.name}.vector": torch.cat(vectors).sum() / count,
        f"{spec.name}.size": torch.cat(sizes).sum() / count,
    }

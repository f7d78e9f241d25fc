"""The losses of DESIGN section 4: confidence, vectors with spread, sizes and category."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.documents import did_you_mean, shown
from napari_fashion.engine.network.activation import bounded_log_spread
from napari_fashion.engine.network.category import pool_category
from napari_fashion.engine.network.network import Heads
from napari_fashion.engine.targets import PointTargets, Targets
from napari_fashion.options import Options

COMPONENTS = (
    *(f"{head}.{part}" for head in ("pif", "paf") for part in ("confidence", "vector", "size")),
    "category",
)
"""Names of the losses."""


class LossOptions(Options):
    """Which losses, and the weight lambda of each component.

    Attributes
    ----------
    confidence
        ``"focal"`` cross-entropy (the published method) or ``"smooth_l1"`` (the report).
    focal_gamma
        Exponent of the focal factor; 0 is plain cross-entropy.
    vector
        ``"laplace"`` (with the predicted spread) or ``"smooth_l1"``.
    weights
        Lambda by component; a component that is missing counts 1.
    label_smoothing
        Of the category's cross-entropy.
    category_prior
        Tau of logit adjustment (Menon et al. 2021): the logits are learned with tau times the log
        of how often a category is drawn added to them, and read without. At 1 all categories are
        alike to the model, however rare, and those that the training images lack are hardly
        unlearned; at 0 rare ones are given up where they look like common ones.
    """

    confidence: Literal["focal", "smooth_l1"] = "focal"
    focal_gamma: float = Field(default=1.0, ge=0, le=100)
    vector: Literal["laplace", "smooth_l1"] = "laplace"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    category_prior: float = Field(default=0.0, ge=0, le=1)
    weights: dict[str, float] = Field(default_factory=dict)

    @field_validator("weights")
    @classmethod
    def _of_components(cls, value: dict[str, float]) -> dict[str, float]:
        for name, weight in value.items():
            if name not in COMPONENTS:
                raise ValueError(f"{shown(name)} is no loss; {did_you_mean(name, COMPONENTS)}")
            if not 0 <= weight <= 1e6:
                raise ValueError(f"{name} is {weight}; expected 0 to 1000000")
        return value


def compute_losses(
    heads: Heads,
    targets: Targets,
    options: LossOptions,
    category_pool: str,
    category_rates: Tensor | None = None,
    teacher_logits: tuple[Tensor, float] | None = None,
) -> dict[str, Tensor]:
    """Return every weighted component by name; their sum is the loss to minimise.

    Components are means: confidences over the cells of positive channels' count (so that a
    image's many empty cells do not drown its few landmarks), vectors and sizes over the cells
    that regress, the category over garments.

    Parameters
    ----------
    heads
        Raw outputs (B, K, 5, H, W), (B, E, 9, H, W), (B, C, H, W).
    targets
        See `Targets`.
    options
        See `LossOptions`.
    category_pool
        ``"max"`` or ``"mean"``, see `pool_category`.
    category_rates
        (C,) how often each category is drawn (`data.category_rates`), for `category_prior`.
    taught
        A teacher's category field for the same images and its share, see `category_loss`.
    """
    pif, paf = heads.pif.float(), heads.paf.float()
    losses = _field_losses(
        "pif",
        pif[:, :, 0],
        targets.pif_confidence,
        targets.pif_weight,
        [(pif[:, :, 1:3], pif[:, :, 3], pif[:, :, 4], targets.pif)],
        options,
    )
    if paf.shape[1]:
        losses |= _field_losses(
            "paf",
            paf[:, :, 0],
            targets.paf_confidence,
            targets.paf_weight,
            [
                (paf[:, :, 1:3], paf[:, :, 5], paf[:, :, 7], targets.paf1),
                (paf[:, :, 3:5], paf[:, :, 6], paf[:, :, 8], targets.paf2),
            ],
            options,
        )
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
            teacher_logits,
        )
    return {name: loss * options.weights.get(name, 1.0) for name, loss in losses.items()}


def _field_losses(
    field: str,
    logits: Tensor,
    confidence: Tensor,
    weight: Tensor,
    ends: list[tuple[Tensor, Tensor, Tensor, PointTargets]],
    options: LossOptions,
) -> dict[str, Tensor]:
    positive = (confidence > 0) & (weight > 0)
    count = positive.sum().clamp(min=1)
    losses = {
        f"{field}.confidence": (
            confidence_loss(logits, confidence, options.confidence, options.focal_gamma) * weight
        ).sum()
        / count
    }
    vectors, sizes = [], []
    for vector, log_spread, size, target in ends:
        distance = (vector - target.vector).square().sum(2).clamp(min=1e-12).sqrt()[positive]
        if options.vector == "laplace":
            vectors.append(laplace_loss(distance, bounded_log_spread(log_spread[positive])))
        else:
            vectors.append(smooth_l1_loss(distance, target.size[positive]))
        sizes.append((F.softplus(size[positive]) - target.size[positive]).abs())
    losses[f"{field}.vector"] = torch.cat(vectors).sum() / count
    losses[f"{field}.size"] = torch.cat(sizes).sum() / count
    return losses


def confidence_loss(logits: Tensor, target: Tensor, kind: str, gamma: float = 0.0) -> Tensor:
    """Loss of each cell's confidence, unreduced.

    ``"focal"``: cross-entropy times (1 - p_t)^gamma (Lin et al. 2017). ``"smooth_l1"``: of the
    probability, as the report has it.
    """
    if kind == "smooth_l1":
        return F.smooth_l1_loss(torch.sigmoid(logits), target, reduction="none")
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if gamma == 0:
        return loss
    return loss * (1 - torch.exp(-loss.detach())) ** gamma


def laplace_loss(distance: Tensor, log_spread: Tensor) -> Tensor:
    """|x - mu| / b + log(2 b), elementwise, with b = exp(log_spread) (PifPaf, equation 4)."""
    return distance * torch.exp(-log_spread) + log_spread + math.log(2.0)


def smooth_l1_loss(distance: Tensor, radius: Tensor) -> Tensor:
    """0.5 d^2 / r inside the radius r, d - 0.5 r outside (DESIGN section 4), elementwise.

    The 1 / r makes the two meet at r, with slope 1 there and beyond.
    """
    radius = radius.clamp(min=1e-3)
    return torch.where(distance < radius, 0.5 * distance.square() / radius, distance - 0.5 * radius)


def category_loss(
    logits: Tensor,
    targets: Targets,
    how: str,
    label_smoothing: float = 0.0,
    shift: Tensor | None = None,
    teacher_logits: tuple[Tensor, float] | None = None,
) -> Tensor:
    """Cross-entropy on the logits that each garment reads from its own cells.

    Parameters
    ----------
    logits
        (B, C, H, W).
    targets
        Of B images with N garments each.
    how
        ``"max"`` or ``"mean"`` over the garment's cells.
    label_smoothing
        Share of the target that is spread over all categories: evenly as they are read, which is
        by ``softmax(shift)`` as they are learned.
    shift
        (C,) added to the logits while they are learned; None for zeros.
    taught
        (B, C, H', W') category logits of another model for the same images, whose cells may be of
        another size, and the share of the target that is what it says of each garment (Hinton et al.
        2015, distillation); `shift` is added to its logits as well. None for labels alone.
    """
    image, garment = torch.nonzero(targets.category >= 0, as_tuple=True)
    if not len(image):
        return logits.sum() * 0.0
    pooled = pool_category(logits[image], targets.garment_cells[image, garment], how)
    if shift is None:
        shift = pooled.new_zeros(pooled.shape[1])
    truth = F.one_hot(targets.category[image, garment], pooled.shape[1])
    target = (1 - label_smoothing) * truth + label_smoothing * shift.softmax(0)
    if teacher_logits is not None:
        theirs, share = teacher_logits
        theirs = F.interpolate(
            theirs.float(), size=logits.shape[-2:], mode="bilinear", align_corners=False
        )
        cells = targets.garment_cells[image, garment]
        says = (pool_category(theirs[image], cells, how) + shift).softmax(-1)
        target = torch.lerp(target, says, share)
    return F.cross_entropy(pooled + shift, target)

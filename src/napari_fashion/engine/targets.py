"""Targets: what the fields of a batch should be, encoded on the batch's device (DESIGN section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from napari_fashion.engine.network.activation import cell_grid
from napari_fashion.options import Options
from napari_fashion.schema import Schema


@dataclass(frozen=True)
class GarmentBatch:
    """The garments of B images, padded to N an image; coordinates in network-input pixels.

    Attributes
    ----------
    xy
        (B, N, K, 2) float32.
    visibility
        (B, N, K) int64: 0 not labelled, 1 hidden, 2 visible.
    member
        (B, N, K) bool: the garment's body type has this landmark.
    box
        (B, N, 4) float32: x0, y0, x1, y1.
    area
        (B, N) float32: of the garment's upright box, square pixels; the box of a turned garment
        has more.
    category
        (B, N) int64, -1 where unknown.
    crowd
        (B, N) bool: a region to ignore, not a garment.
    valid
        (B, N) bool: false where the row only pads.
    content
        (B, 4, 2) float32: corners of the visible part of the image, in order around it; what
        lies outside is padding.
    """

    xy: Tensor
    visibility: Tensor
    member: Tensor
    box: Tensor
    area: Tensor
    category: Tensor
    crowd: Tensor
    valid: Tensor
    content: Tensor

    def to(self, device: torch.device) -> GarmentBatch:
        """Return the batch on another device."""
        return GarmentBatch(*(getattr(self, f).to(device) for f in self.__dataclass_fields__))


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
        By what share of its size a garment's box grows where something in it is ignored.
    """

    side: float = Field(default=4.0, gt=0, le=1000)
    edge_width: float = Field(default=3.0, gt=0, le=1000)
    foreign: Literal["ignore", "negative"] = "ignore"
    margin: float = Field(default=0.1, ge=0, le=100)


class PointTargets(NamedTuple):
    """Targets of L channels that point at one place each (PIF), or at one end of an edge (PAF).

    Attributes
    ----------
    vector
        (B, L, 2, H, W) from the cell to the place, in cells.
    size
        (B, L, H, W) the landmark's size, sqrt(area) * sigma, in cells.
    """

    vector: Tensor
    size: Tensor


class Targets(NamedTuple):
    """Targets of a batch; weights are 1 where a cell counts and 0 where it is ignored.

    Attributes
    ----------
    pif_confidence, pif_weight
        (B, K, H, W).
    pif
        Where each landmark is, for cells of confidence 1.
    paf_confidence, paf_weight
        (B, E, H, W).
    paf1, paf2
        Where the edge's ends are, for cells of confidence 1.
    garment_cells
        (B, N, H, W) bool: the cells in each garment's box, which vote on its category.
    category
        (B, N) int64: the garment's category, -1 where there is none to learn.
    """

    pif_confidence: Tensor
    pif_weight: Tensor
    pif: PointTargets
    paf_confidence: Tensor
    paf_weight: Tensor
    paf1: PointTargets
    paf2: PointTargets
    garment_cells: Tensor
    category: Tensor


def encode_targets(
    garments: GarmentBatch,
    schema: Schema,
    options: TargetOptions,
    shape: tuple[int, int],
    stride: int,
) -> Targets:
    """Encode the garments of a batch.

    The nearest garment's landmark (or edge) wins a cell. Crowd regions and padding are ignored.
    A landmark that the body type has but that is not labelled gives no loss in the garment's box
    (grown by `options.margin`); in an annotation without any labelled landmark none does.

    Parameters
    ----------
    garments
        B images with N garments.
    schema
        K landmarks with their sigmas, E edges.
    options
        See `TargetOptions`.
    shape
        H and W of the fields, cells.
    stride
        Input pixels per cell; cell i's centre lies at pixel ``i * stride + (stride - 1) / 2``.
    """
    height, width = shape
    device = garments.xy.device
    grid = cell_grid(height, width, device)
    to_cells = 1.0 / stride
    xy = (garments.xy + 0.5) * to_cells - 0.5  # (B, N, K, 2)
    box = (garments.box + 0.5) * to_cells - 0.5  # (B, N, 4)
    sigmas = torch.tensor(schema.sigmas, device=device)
    size = garments.area.sqrt()[..., None] * (sigmas * to_cells)  # (B, N, K)

    real = garments.valid & ~garments.crowd
    labelled = (garments.visibility > 0) & real[..., None]
    any_labelled = labelled.any(-1, keepdim=True)
    unlabelled = ~labelled & (garments.member | ~any_labelled)
    if options.foreign == "ignore":
        unlabelled = unlabelled | ~(labelled | garments.member)
    unlabelled = unlabelled & real[..., None]

    inside_content = _inside_convex(grid, (garments.content + 0.5) * to_cells - 0.5)  # (B, H, W)
    crowd = _inside_box(grid, box, 0.0) & (garments.valid & garments.crowd)[..., None, None]
    counts = (inside_content & ~crowd.any(1))[:, None]  # (B, 1, H, W)
    grown = _inside_box(grid, box, options.margin)  # (B, N, H, W)

    edges = torch.tensor(schema.edges, dtype=torch.long, device=device).reshape(-1, 2)
    first, second = edges[:, 0], edges[:, 1]
    pif = _nearest(
        lambda n: _point_distance(grid, xy[:, n], labelled[:, n], options.side),
        xy.shape[1],
        (xy,),
        (size,),
    )
    both = labelled[..., first] & labelled[..., second]
    paf = _nearest(
        lambda n: _segment_distance(
            grid, xy[:, n][:, first], xy[:, n][:, second], both[:, n], options.edge_width
        ),
        xy.shape[1],
        (xy[:, :, first], xy[:, :, second]),
        (size[:, :, first], size[:, :, second]),
    )
    # An edge is ignored where it should be but an end of it is unlabelled.
    edge_open = (unlabelled[..., first] | unlabelled[..., second]) & ~both
    pif_weight = _weights(counts, grown, unlabelled, pif.confidence)
    paf_weight = _weights(counts, grown, edge_open, paf.confidence)
    return Targets(
        pif.confidence,
        pif_weight,
        PointTargets(pif.places[0] - grid, pif.sizes[0]),
        paf.confidence,
        paf_weight,
        PointTargets(paf.places[0] - grid, paf.sizes[0]),
        PointTargets(paf.places[1] - grid, paf.sizes[1]),
        _inside_box(grid, box, 0.0) & inside_content[:, None],
        torch.where(real, garments.category, -1),
    )


class _Nearest(NamedTuple):
    confidence: Tensor
    places: list[Tensor]
    sizes: list[Tensor]


def _nearest(distance_of, n, places, sizes) -> _Nearest:  # type: ignore[no-untyped-def]
    """Give each cell to the garment whose distance is the least finite one.

    ``distance_of(n)`` is (B, L, H, W) with inf where garment n has no claim; `places` are
    (B, N, L, 2) and `sizes` (B, N, L).
    """
    best = distance_of(0)
    b, _, h, w = best.shape
    owner = torch.zeros_like(best, dtype=torch.long)
    for i in range(1, n):
        distance = distance_of(i)
        closer = distance < best
        best = torch.where(closer, distance, best)
        owner = torch.where(closer, i, owner)
    confidence = torch.isfinite(best).to(torch.float32)
    index = owner.flatten(2)  # (B, L, HW) in 0..N-1

    def pick(values: Tensor) -> Tensor:  # (B, N, L) -> (B, L, H, W)
        return values.transpose(1, 2).gather(2, index).view(b, -1, h, w)

    picked = [torch.stack([pick(p[..., 0]), pick(p[..., 1])], dim=2) for p in places]
    return _Nearest(confidence, picked, [pick(s) for s in sizes])


def _point_distance(grid: Tensor, xy: Tensor, labelled: Tensor, side: float) -> Tensor:
    """(B, K, H, W): distance to the landmark in cells, inf outside its square."""
    delta = (grid[None, None] - xy[..., None, None]).abs()  # (B, K, 2, H, W)
    near = (delta.amax(2) <= side / 2) & labelled[..., None, None]
    return torch.where(near, delta.norm(dim=2), float("inf"))


def _segment_distance(grid: Tensor, a: Tensor, b: Tensor, both: Tensor, width: float) -> Tensor:
    """(B, E, H, W): distance to the segment a-b in cells, inf outside its band."""
    along = b - a  # (B, E, 2)
    length2 = along.square().sum(-1).clamp(min=1e-6)[..., None, None]
    delta = grid[None, None] - a[..., None, None]  # (B, E, 2, H, W)
    t = (delta * along[..., None, None]).sum(2) / length2
    foot = delta - t.clamp(0, 1)[:, :, None] * along[..., None, None]
    distance = foot.norm(dim=2)
    return torch.where((distance <= width / 2) & both[..., None, None], distance, float("inf"))


def _inside_box(grid: Tensor, box: Tensor, margin: float) -> Tensor:
    """(B, N, H, W) bool: cells in the box grown by `margin` of its size, at least half a cell."""
    low, high = box[..., :2], box[..., 2:]
    grow = torch.clamp((high - low) * margin, min=0.5)
    low, high = (low - grow)[..., None, None], (high + grow)[..., None, None]
    return ((grid >= low) & (grid <= high)).all(2)


def _inside_convex(grid: Tensor, corners: Tensor) -> Tensor:
    """(B, H, W) bool: cells that reach into the convex (B, 4, 2) corners, whichever way these turn.

    A cell whose centre lies outside counts while it is no more than half a cell off: the fields of
    an image whose side is no multiple of the stride end with such cells.
    """
    sides = []
    for i in range(4):
        a, b = corners[:, i], corners[:, (i + 1) % 4]
        edge = b - a
        delta = grid[None] - a[..., None, None]
        cross = edge[:, 0, None, None] * delta[:, 1] - edge[:, 1, None, None] * delta[:, 0]
        sides.append(cross / edge.norm(dim=1).clamp(min=1e-6)[:, None, None])
    distance = torch.stack(sides)  # signed, to each side's line
    return (distance > -0.5).all(0) | (distance < 0.5).all(0)


def _weights(counts: Tensor, grown: Tensor, ignored: Tensor, confidence: Tensor) -> Tensor:
    """(B, L, H, W): 1 where the cell counts; an ignored channel still learns its positives."""
    hidden = torch.einsum("bnhw,bnl->blhw", grown.to(torch.float32), ignored.to(torch.float32)) > 0
    weight = (~hidden | (confidence > 0)) & counts
    return weight.to(torch.float32)

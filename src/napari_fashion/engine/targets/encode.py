"""The targets of a batch, encoded on the batch's device.

Only labelled landmarks and edges are looked at, and of these only the cells near them: with 294
landmarks, of which a garment has 25, targets cost hardly more than with 8.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_fashion.engine.data.batch import GarmentBatch
from napari_fashion.engine.network.activation import cell_grid
from napari_fashion.engine.targets.options import TargetOptions
from napari_fashion.schema import Schema

EDGE_WIDTH = 3.0
"""Width of the band of cells around an edge that regress to its ends, in cells."""

MARGIN = 0.1
"""Share of its size by which a garment's box grows where something in it is ignored."""

_SLACK = 1e-3
"""Cells: candidates for an edge's band are searched this far beyond it, against rounding."""


class PointTargets(NamedTuple):
    """Where P positive cells point: to a landmark (PIF), or to one end of an edge (PAF).

    Attributes
    ----------
    vector
        (P, 2) from the cell to the place, in cells.
    size
        (P,) the landmark's size, sqrt(area) * sigma, in cells.
    """

    vector: Tensor
    size: Tensor


class FieldTargets(NamedTuple):
    """Targets of a head with L landmarks or edges.

    Attributes
    ----------
    confidence
        (B, L, H, W) float32: 1 at positive cells, 0 elsewhere.
    weight
        (B, L, H, W) float32: 1 where the cell counts, 0 where it is ignored.
    cells
        (P, 4) int64: image, channel, row and column of each positive cell that counts, in the
        order of memory.
    points
        What these cells point to, in the order of `HeadSpec.points`: one for PIF, two for PAF.
    visible
        (P,) float32: 1 where the landmark that the cell points to is visible, 0 where it is hidden; None
        for PAF.
    """

    confidence: Tensor
    weight: Tensor
    cells: Tensor
    points: tuple[PointTargets, ...]
    visible: Tensor | None = None


class Targets(NamedTuple):
    """Targets of a batch.

    Attributes
    ----------
    pif, paf
        Of the K landmarks and the E edges.
    garment_cells
        (B, N, H, W) bool: the cells that vote on each garment's category: those in the box of its
        labelled landmarks, which is where predictions read it (`inference.postprocess`), or in its own
        box if fewer than two are labelled; or all cells of the image.
    category
        (B, N) int64: the garment's category, -1 if there is none to learn.
    """

    pif: FieldTargets
    paf: FieldTargets
    garment_cells: Tensor
    category: Tensor


def encode_targets(
    garments: GarmentBatch,
    schema: Schema,
    options: TargetOptions,
    shape: tuple[int, int],
    stride: int,
    *,
    category_region: str = "garment",
) -> Targets:
    """Encode the garments of a batch.

    The nearest garment's landmark (or edge) wins a cell. Crowd regions and padding are ignored.
    A landmark that the body type has but that is not labelled gives no loss in the garment's box
    (grown by `MARGIN`); in an annotation without any labelled landmark none does.

    Parameters
    ----------
    garments
        B images with N garments, of the network's landmarks (`in_layers`).
    schema
        The network's K landmarks with their sigmas, and E edges.
    options
        See `TargetOptions`.
    shape
        H and W of the fields, cells.
    stride
        Input pixels per cell; cell i's centre lies at pixel ``i * stride + (stride - 1) / 2``.
    category_region
        `NetworkConfig.category_region`.
    """
    device = garments.xy.device
    grid = cell_grid(*shape, device)
    to_cells = 1.0 / stride
    xy = (garments.xy + 0.5) * to_cells - 0.5  # (B, N, K, 2)
    box = (garments.box + 0.5) * to_cells - 0.5  # (B, N, 4)
    sigmas = torch.tensor(schema.sigmas, device=device)
    size = garments.area.sqrt()[..., None] * (sigmas * to_cells)  # (B, N, K)
    real = garments.valid & ~garments.crowd
    labelled = (garments.visibility > 0) & real[..., None]
    unlabelled = _unlabelled(garments, labelled, options.foreign == "ignore")

    inside_content = _inside_convex(grid, (garments.content + 0.5) * to_cells - 0.5)  # (B, H, W)
    crowd = _inside_box(grid, box, 0.0) & (garments.valid & garments.crowd)[..., None, None]
    counts = inside_content & ~crowd.any(1)  # (B, H, W)
    grown = _inside_box(grid, box, MARGIN)  # (B, N, H, W)

    rows = torch.nonzero(labelled)  # (R, 3): image, garment, landmark
    near = _near_points(xy[rows.unbind(1)], shape, options.side)
    seen = garments.visibility == 2
    pif = _field(rows, near, [(xy, size)], counts, grown, unlabelled, seen)

    edges = torch.tensor(schema.edges, dtype=torch.long, device=device).reshape(-1, 2)
    paf = _edge_field(edges, xy, size, labelled, unlabelled, counts, grown)
    cells = _inside_box(grid, _voting_box(xy, labelled, box), 0.0) & inside_content[:, None]
    if category_region == "image":
        real = real & cells.flatten(2).any(
            -1
        )  # an image tells nothing of a garment beyond its edges
        cells = inside_content[:, None].expand_as(cells)
    return Targets(pif, paf, cells, torch.where(real, garments.category, -1))


def _edge_field(
    edges: Tensor,
    xy: Tensor,
    size: Tensor,
    labelled: Tensor,
    unlabelled: Tensor,
    counts: Tensor,
    grown: Tensor,
) -> FieldTargets:
    """Targets of (E, 2) edges between K landmarks; the other parts are those of `encode_targets`."""
    first, second = edges[:, 0], edges[:, 1]
    both = labelled[..., first] & labelled[..., second]
    # An edge is ignored where it should be but an end of it is unlabelled.
    edge_open = (unlabelled[..., first] | unlabelled[..., second]) & ~both
    ends = [(xy[:, :, end], size[:, :, end]) for end in (first, second)]
    rows = torch.nonzero(both)
    a, b = (places[rows.unbind(1)] for places, _ in ends)
    height, width = counts.shape[1:]
    near = _near_segments(a, b, (height, width), EDGE_WIDTH)
    return _field(rows, near, ends, counts, grown, edge_open)


def _unlabelled(garments: GarmentBatch, labelled: Tensor, foreign: bool) -> Tensor:
    """(B, N, K) bool: landmarks of which the annotation does not say where they are.

    Those that the garment's body type lacks are among them if `foreign` is true.
    """
    any_labelled = labelled.any(-1, keepdim=True)
    unlabelled = ~labelled & (garments.member | ~any_labelled)
    if foreign:
        unlabelled = unlabelled | ~(labelled | garments.member)
    return unlabelled & (garments.valid & ~garments.crowd)[..., None]


class _Near(NamedTuple):
    """Q pairs of a row (a labelled landmark or edge) and a cell that is near enough to it."""

    row: Tensor  # (Q,)
    y: Tensor  # (Q,)
    x: Tensor  # (Q,)
    distance: Tensor  # (Q,) in cells


def _near_points(xy: Tensor, shape: tuple[int, int], side: float) -> _Near:
    """Cells in the square of `side` cells around each of (R, 2) points."""
    row, y, x = _in_boxes(xy - side / 2, xy + side / 2, shape, exact=(xy, side / 2))
    return _Near(row, y, x, (torch.stack([x, y], 1) - xy[row]).norm(dim=1))


def _near_segments(a: Tensor, b: Tensor, shape: tuple[int, int], width: float) -> _Near:
    """Cells in the band of `width` cells around each segment from (R, 2) a to b."""
    grow = width / 2 + _SLACK
    row, y, x = _in_boxes(torch.minimum(a, b) - grow, torch.maximum(a, b) + grow, shape)
    along = (b - a)[row]
    length2 = along.square().sum(1).clamp(min=1e-6)
    delta = torch.stack([x, y], 1) - a[row]
    t = (delta * along).sum(1) / length2
    distance = (delta - t.clamp(0, 1)[:, None] * along).norm(dim=1)
    kept = distance <= width / 2
    return _Near(row[kept], y[kept], x[kept], distance[kept])


def _in_boxes(
    low: Tensor,
    high: Tensor,
    shape: tuple[int, int],
    exact: tuple[Tensor, float] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return row, y and x of the cells in boxes, row by row in the order of memory.

    `low` and `high` (R, 2) are the boxes' corners, x first. With `exact`, their (R, 2) centres and
    half their side, cells count by their distance from the centre.
    """
    inside = []
    for axis, n in ((1, shape[0]), (0, shape[1])):
        cells = torch.arange(n, device=low.device, dtype=torch.float32)
        if exact is None:
            inside.append((cells >= low[:, axis, None]) & (cells <= high[:, axis, None]))
        else:
            centre, half = exact
            inside.append((cells - centre[:, axis, None]).abs() <= half)
    row, y, x = torch.nonzero(inside[0][:, :, None] & inside[1][:, None, :], as_tuple=True)
    return row, y, x


def _field(
    rows: Tensor,
    near: _Near,
    ends: list[tuple[Tensor, Tensor]],
    counts: Tensor,
    grown: Tensor,
    ignored: Tensor,
    seen: Tensor | None = None,
) -> FieldTargets:
    """Give each cell to the nearest of the rows that are near it.

    Parameters
    ----------
    rows
        (R, 3) image, garment and channel of what is labelled.
    near
        The cells near each of them.
    ends
        Places (B, N, L, 2) and sizes (B, N, L) that the cells point to.
    counts
        (B, H, W) bool: cells that count.
    grown
        (B, N, H, W) bool: cells in which what is `ignored` (B, N, L) of a garment gives no loss.
    seen
        (B, N, L) bool: what is visible and not hidden.
    """
    n_channels = ignored.shape[2]
    height, width = counts.shape[1:]
    image, garment, channel = rows[near.row].unbind(1)
    place = ((image * n_channels + channel) * height + near.y) * width + near.x
    # Both sorts are stable: of equal distances the first garment's counts.
    order = near.distance.argsort(stable=True)
    order = order[place[order].argsort(stable=True)]
    place = place[order]
    first = torch.ones_like(place, dtype=torch.bool)
    first[1:] = place[1:] != place[:-1]
    order, place = order[first], place[first]
    image, garment, channel, y, x = (t[order] for t in (image, garment, channel, near.y, near.x))

    weight = _weights(counts, grown, ignored)
    confidence = torch.zeros_like(weight)
    confidence.view(-1)[place] = 1.0
    weight.view(-1)[place] = counts[image, y, x].to(weight.dtype)
    kept = counts[image, y, x]
    image, garment, channel, y, x = (t[kept] for t in (image, garment, channel, y, x))
    at = torch.stack([x, y], 1)
    return FieldTargets(
        confidence,
        weight,
        torch.stack([image, channel, y, x], 1),
        tuple(
            PointTargets(places[image, garment, channel] - at, sizes[image, garment, channel])
            for places, sizes in ends
        ),
        None if seen is None else seen[image, garment, channel].float(),
    )


def _weights(counts: Tensor, grown: Tensor, ignored: Tensor) -> Tensor:
    """(B, L, H, W) float32: 1 where a cell counts that is not a positive one."""
    n_channels = ignored.shape[2]
    weight = counts[:, None].to(torch.float32).repeat(1, n_channels, 1, 1)
    for garment in range(ignored.shape[1]):
        image, channel = torch.nonzero(ignored[:, garment], as_tuple=True)
        weight[image, channel] *= ~grown[image, garment]
    return weight


def _voting_box(xy: Tensor, labelled: Tensor, box: Tensor) -> Tensor:
    """(B, N, 4) the box of each garment's labelled landmarks; its own if fewer than two are."""
    low = xy.masked_fill(~labelled[..., None], torch.inf).amin(2)
    high = xy.masked_fill(~labelled[..., None], -torch.inf).amax(2)
    enough = labelled.sum(-1, keepdim=True) > 1
    return torch.where(enough, torch.cat([low, high], -1), box)


def _inside_box(grid: Tensor, box: Tensor, margin: float) -> Tensor:
    """(B, N, H, W) bool: cells in the box grown by `margin` of its size, at least half a cell."""
    low, high = box[..., :2], box[..., 2:]
    grow = torch.clamp((high - low) * margin, min=0.5)
    low, high = (low - grow)[..., None, None], (high + grow)[..., None, None]
    return ((grid >= low) & (grid <= high)).all(2)


def _inside_convex(grid: Tensor, corners: Tensor) -> Tensor:
    """(B, H, W) bool: cells that reach into the convex (B, 4, 2) corners, in either order.

    A cell whose centre lies outside counts if it is no more than half a cell off: the fields of
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

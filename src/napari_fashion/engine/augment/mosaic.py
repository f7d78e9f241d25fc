"""Images of a group laid out together, and pieces of them as backgrounds.

A group is a few images of a batch in a row (`Canvases.group`), all in the same process: what an
image is laid out with does not depend on how a batch is shared out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.augment.draws import Draws
from napari_fashion.engine.augment.resample import sample
from napari_fashion.engine.data.batch import Canvases, GarmentBatch

LAYOUTS = ((2, 1), (1, 2), (2, 2))
"""Columns and rows of the images that are laid out together."""
GROUP = max(columns * rows for columns, rows in LAYOUTS)
"""Least number of images in a group; a batch of fewer is a group by itself."""
_LARGEST = 2 * GROUP - 1

BACKDROP_SHARE = (0.5, 1.0)
"""Least and greatest side of the piece that replaces padding, over its image's shorter side."""

_EMPTY_SLOT: dict[str, Callable[[Tensor], Tensor]] = {
    **dict.fromkeys(
        ("xy", "visibility", "member", "box", "area", "crowd", "valid"), torch.zeros_like
    ),
    "category": lambda known: torch.full_like(known, -1),
}
"""What the fields of a batch hold for a garment that is not there."""


def group_sizes(batch: int) -> list[int]:
    """Return the sizes of a batch's groups: as many of at least `GROUP` images as there can be."""
    n = max(1, batch // GROUP)
    return [batch * (i + 1) // n - batch * i // n for i in range(n)]


def lay_together(
    batch: Canvases, probability: float, draws: Draws, padding: Tensor
) -> tuple[Canvases, Tensor]:
    """Lay some of the images out together with others of their group, each half as large.

    Two side by side, two above each other, or four, with equal probability; without gaps except
    for what their shapes leave, which is padding. Groups of fewer than four images stay as they
    are.

    Parameters
    ----------
    batch
        B images with N garments each.
    probability
        Of an image, to be laid out with others; these keep their own places in the batch.
    draws
        Random draws of the B images.
    padding
        (B, 3) colours of each image's padding, 0..255.

    Returns
    -------
    batch
        B images with 4 N garments each, or the same batch if none was chosen. The image whose
        place in the batch it is lies at the top left, and its garments come first.
    together
        (B,) bool: which were laid out with others.
    """
    together = draws.chance(probability)
    layout = draws.integers(0, len(LAYOUTS)).tolist()
    order = draws.rand(_LARGEST - 1)
    members = _members(batch)
    together &= torch.tensor([len(of) >= GROUP for of in members])
    if not together.any():
        return batch, together
    roomy = {}
    for name, nothing in _EMPTY_SLOT.items():
        there: Tensor = getattr(batch.garments, name)
        roomy[name] = torch.cat([there, *[nothing(there)] * (GROUP - 1)], 1)
    laid = replace(
        batch,
        pixels=batch.pixels.clone(),
        size=batch.size.clone(),
        garments=replace(batch.garments, **roomy),
    )
    for i in torch.nonzero(together).flatten().tolist():
        columns, rows = LAYOUTS[layout[i]]
        others = [j for j in members[i] if j != i]
        chosen = order[i, : len(others)].argsort().tolist()
        sources = [i, *(others[j] for j in chosen)][: columns * rows]
        _lay_out(batch, laid, i, sources, columns, padding[i])
    return laid, together


def _members(batch: Canvases) -> list[list[int]]:
    """Return the places in the batch of each image's group, its own among them."""
    groups = batch.group.tolist()
    places: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    return [places[group] for group in groups]


def _lay_out(
    batch: Canvases,
    laid: Canvases,
    i: int,
    sources: list[int],
    columns: int,
    padding: Tensor,
) -> None:
    """Write the images `sources` of `batch` into image `i` of `laid`, row by row."""
    n = batch.garments.valid.shape[1]
    halves = (batch.size[sources].cpu() / 2).long().clamp(min=1).view(-1, columns, 2)
    x = [0, *halves[:, :, 0].amax(0).cumsum(0).tolist()]
    y = [0, *halves[:, :, 1].amax(1).cumsum(0).tolist()]
    pixels, garments = laid.pixels, laid.garments
    pixels[i] = padding.to(pixels)[:, None, None]
    small = F.avg_pool2d(batch.pixels[sources].float(), 2).round().to(torch.uint8)
    for q, source in enumerate(sources):
        row, column = divmod(q, columns)
        w, h = halves[row, column].tolist()
        left, top = x[column], y[row]
        pixels[i, :, top : top + h, left : left + w] = small[q, :, :h, :w]
        slots = slice(q * n, (q + 1) * n)
        for name in _EMPTY_SLOT:
            getattr(garments, name)[i, slots] = getattr(batch.garments, name)[source]
        corner = garments.xy.new_tensor([left, top])
        garments.xy[i, slots] = (garments.xy[i, slots] + 0.5) / 2 - 0.5 + corner
        garments.box[i, slots] = (garments.box[i, slots] + 0.5) / 2 - 0.5 + corner.repeat(2)
        garments.area[i, slots] /= 4
    laid.size[i] = laid.size.new_tensor([x[-1], y[-1]])


def backdrops(
    batch: Canvases,
    cropped: Tensor,
    side: int,
    probability: float,
    draws: Draws,
    padding: Tensor,
) -> tuple[Tensor, Tensor]:
    """Choose what lies around some crops: pieces of their groups' images without garments.

    Parameters
    ----------
    batch
        B images.
    cropped
        (B,) bool: views that have something around their crop.
    side
        Of the input, pixels.
    probability
        Of a cropped view, to get a piece of an image.
    draws
        Random draws of the B images.
    padding
        (B, 3) colours of each image's padding, 0..255.

    Returns
    -------
    around
        (B, 3, side, side) float32: what lies around each crop; padding if nothing was chosen.
    replaced
        (B,) bool: which got a piece of an image.
    """
    s = batch.pixels.shape[-1]
    device = batch.pixels.device
    chosen = cropped & draws.chance(probability)
    pick = draws.rand()
    share = draws.uniform(*BACKDROP_SHARE)
    place = draws.rand(2)
    around = padding.to(device)[:, :, None, None].repeat(1, 1, side, side)
    is_empty = (~batch.garments.valid.cpu().any(1)).tolist()
    empty = [[j for j in of if is_empty[j]] for of in _members(batch)]
    chosen &= torch.tensor([bool(of) for of in empty])
    at = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(at, at, indexing="ij")
    unit = torch.stack([x, y], -1)
    for i in torch.nonzero(chosen).flatten().tolist():
        source = empty[i][int(pick[i] * len(empty[i]))]
        size = batch.size[source].cpu()
        extent = size.min() * share[i]
        points = (size - extent) * place[i] + unit * extent
        pixels = batch.pixels[source][None].float()
        around[i] = sample(pixels, (points * (2.0 / s) - 1.0)[None].to(device))[0]
    return around, chosen.to(device)


def content_everywhere(garments: GarmentBatch, replaced: Tensor, side: int) -> GarmentBatch:
    """Return garments whose image fills the whole input where `replaced` (B,) says so.

    What replaces padding is learned as well: no garment is there.
    """
    corners = garments.content.new_tensor([[0, 0], [side, 0], [side, side], [0, side]]) - 0.5
    content = torch.where(replaced[:, None, None], corners, garments.content)
    return replace(garments, content=content)

"""Images of a batch laid out together, and pieces of them as backgrounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.augment.draws import chance, uniform
from napari_fashion.engine.augment.resample import sample
from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.images.transforms import PADDING

LAYOUTS = ((2, 1), (1, 2), (2, 2))
"""Columns and rows of the images that are laid out together."""
_MOST = max(columns * rows for columns, rows in LAYOUTS)

BACKDROP_SHARE = (0.5, 1.0)
"""Least and greatest side of the piece that replaces padding, over its image's shorter side."""

_EMPTY_SLOT: dict[str, Callable[[Tensor], Tensor]] = {
    **dict.fromkeys(
        ("xy", "visibility", "member", "box", "area", "crowd", "valid"), torch.zeros_like
    ),
    "category": lambda known: torch.full_like(known, -1),
}
"""What the fields of a batch hold for a garment that is not there."""


def lay_together(
    batch: Canvases, probability: float, generator: torch.Generator
) -> tuple[Canvases, Tensor]:
    """Lay some of the images out together with others of the batch, each half as large.

    Two side by side, two above each other, or four, with equal probability; without gaps except
    for what their shapes leave, which is padding. A batch of fewer than four images stays as it is.

    Parameters
    ----------
    batch
        B images with N garments each.
    probability
        Of an image, to be laid out with others; these keep their own places in the batch.
    generator
        Source of randomness (CPU).

    Returns
    -------
    batch
        B images with 4 N garments each, or the same batch if none was chosen. The image whose
        place in the batch it is lies at the top left, and its garments come first.
    together
        (B,) bool: which were laid out with others.
    """
    b = len(batch.pixels)
    together = chance(generator, b, probability)
    layout = torch.randint(0, len(LAYOUTS), (b,), generator=generator).tolist()
    others = torch.rand(b, b - 1, generator=generator).argsort(1)[:, : _MOST - 1] + 1
    if b < _MOST or not together.any():
        return batch, torch.zeros_like(together)
    roomy = {}
    for name, nothing in _EMPTY_SLOT.items():
        there: Tensor = getattr(batch.garments, name)
        roomy[name] = torch.cat([there, *[nothing(there)] * (_MOST - 1)], 1)
    laid = Canvases(batch.pixels.clone(), batch.size.clone(), replace(batch.garments, **roomy))
    for i in torch.nonzero(together).flatten().tolist():
        columns, rows = LAYOUTS[layout[i]]
        sources = [i, *((i + others[i]) % b).tolist()][: columns * rows]
        _lay_out(batch, laid, i, sources, columns)
    return laid, together


def _lay_out(batch: Canvases, laid: Canvases, i: int, sources: list[int], columns: int) -> None:
    """Write the images `sources` of `batch` into image `i` of `laid`, row by row."""
    n = batch.garments.valid.shape[1]
    halves = (batch.size[sources].cpu() / 2).long().clamp(min=1).view(-1, columns, 2)
    x = [0, *halves[:, :, 0].amax(0).cumsum(0).tolist()]
    y = [0, *halves[:, :, 1].amax(1).cumsum(0).tolist()]
    pixels, garments = laid.pixels, laid.garments
    pixels[i] = PADDING
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
    batch: Canvases, cropped: Tensor, side: int, probability: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose what lies around some crops: pieces of the batch's images without garments.

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
    generator
        Source of randomness (CPU).

    Returns
    -------
    around
        (B, 3, side, side) float32: what lies around each crop; padding if nothing was chosen.
    replaced
        (B,) bool: which got a piece of an image.
    """
    b, _, _, s = batch.pixels.shape
    device = batch.pixels.device
    chosen = cropped & chance(generator, b, probability)
    pick = torch.rand(b, generator=generator)
    share = uniform(generator, b, *BACKDROP_SHARE)
    place = torch.rand(b, 2, generator=generator)
    around = torch.full((b, 3, side, side), float(PADDING), device=device)
    empty = torch.nonzero(~batch.garments.valid.cpu().any(1)).flatten()
    if not len(empty):
        return around, torch.zeros(b, dtype=torch.bool, device=device)
    at = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(at, at, indexing="ij")
    unit = torch.stack([x, y], -1)
    for i in torch.nonzero(chosen).flatten().tolist():
        source = empty[int(pick[i] * len(empty))]
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

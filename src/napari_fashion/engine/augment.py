"""Augmentation of whole batches: one matrix and one resampling, then colour; on any device."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.targets import GarmentBatch
from napari_fashion.images.transforms import PADDING
from napari_fashion.options import Options


class AugmentOptions(Options):
    """How far images are turned, scaled, moved and recoloured.

    Attributes
    ----------
    flip
        Chance of a horizontal flip; left and right landmarks swap.
    rotation
        Largest rotation either way, degrees.
    quarter_turn
        Chance of a turn by 90, 180 or 270 degrees on top, for garments photographed sideways.
    scale
        Least and greatest share of the input that the view's longer side fills; drawn from a
        power law (uniform in the logarithm).
    stretch
        Least and greatest ratio of x to y scale.
    shift
        Largest shift beyond what keeps the view inside the input, as a share of the input.
    box_view
        Share of views that show one garment's box instead of the whole image.
    box_margin
        Least and greatest margin around that box, as a share of its size.
    box_tight
        Share of the box views that have no margin at all, as box-cut images have.
    box_crop
        Share of the box views in which what lies outside the box is padding, as in images cut
        by a box.
    box_part
        Share of the box views whose box is that of some of the garment's landmarks only (at least
        two, drawn at random): garments that are partly out of the image, and slivers.
    mosaic
        Chance that an image is laid out together with one or three others of its batch, each
        half as large (Bochkovskiy et al. 2020): images with several garments, where the data have
        few. Such images are seen whole.
    background
        Share of the views cut by a box that show, instead of padding around the cut, a piece of a
        image of the same batch without garments; where the batch has none, they keep their padding.
    erase
        Chance that a rectangle somewhere in the input is painted over with one colour: no part of a
        garment may be what alone gives it away (Zhong et al. 2020, random erasing).
    brightness, contrast, saturation
        Largest relative change.
    hue
        Largest turn of the colour wheel, degrees.
    grey
        Chance that the image loses its colours.
    noise
        Largest standard deviation of pixel noise, of 255.
    """

    flip: float = Field(default=0.5, ge=0, le=1)
    rotation: float = Field(default=20.0, ge=0, le=180)
    quarter_turn: float = Field(default=0.0, ge=0, le=1)
    scale: tuple[float, float] = (0.6, 1.1)
    stretch: tuple[float, float] = (0.85, 1.18)
    shift: float = Field(default=0.05, ge=0, le=10)
    box_view: float = Field(default=0.5, ge=0, le=1)
    box_margin: tuple[float, float] = (0.0, 0.3)
    box_tight: float = Field(default=0.3, ge=0, le=1)
    box_crop: float = Field(default=0.6, ge=0, le=1)
    box_part: float = Field(default=0.0, ge=0, le=1)
    mosaic: float = Field(default=0.0, ge=0, le=1)
    background: float = Field(default=0.0, ge=0, le=1)
    erase: float = Field(default=0.0, ge=0, le=1)
    brightness: float = Field(default=0.4, ge=0, le=100)
    contrast: float = Field(default=0.3, ge=0, le=100)
    saturation: float = Field(default=0.4, ge=0, le=100)
    hue: float = Field(default=15.0, ge=0, le=360)
    grey: float = Field(default=0.05, ge=0, le=1)
    noise: float = Field(default=6.0, ge=0, le=255)

    @field_validator("scale", "stretch", "box_margin")
    @classmethod
    def _a_range(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        low = 0.0 if info.field_name == "box_margin" else 0.01
        if not low <= value[0] <= value[1] <= 100:
            raise ValueError(
                f"found {list(value)}; expected a least and a greatest value of {low:g} to 100"
            )
        return value

    def milder(self) -> AugmentOptions:
        """Return options that turn, scale, move, hide and recolour images half as far as these.

        What the views show (boxes, flips) stays.
        """
        halved = {name: getattr(self, name) / 2 for name in _STRENGTHS}
        ranges = {name: tuple(math.sqrt(v) for v in getattr(self, name)) for name in _RATIOS}
        return self.model_copy(update=halved | ranges)


_STRENGTHS = (
    "rotation", "quarter_turn", "shift", "erase", "brightness", "contrast", "saturation", "hue",
    "grey", "noise",
)  # fmt: skip
_RATIOS = ("scale", "stretch")
"""Drawn uniformly in the logarithm: the root is half as far from 1."""

HALVED_BELOW = 0.5
"""Input pixels a canvas pixel, below which the canvas is halved before it is sampled."""

_LAYOUTS = ((2, 1), (1, 2), (2, 2))
"""Columns and rows of the images that are laid out together."""
_MOST = max(columns * rows for columns, rows in _LAYOUTS)

PART_SHARE = (0.2, 0.9)
"""Least and greatest chance of a landmark to be among those of a box of only some of them."""

BACKDROP_SHARE = (0.5, 1.0)
"""Least and greatest side of the piece that stands in for padding, as a share of its image's shorter."""

ERASED_SHARE = (0.1, 0.35)
"""Least and greatest side of the rectangle that is painted over, as a share of the input's."""

NO_AUGMENTATION = AugmentOptions(
    flip=0, rotation=0, scale=(1.0, 1.0), stretch=(1.0, 1.0), shift=0, box_view=0,
    brightness=0, contrast=0, saturation=0, hue=0, grey=0, noise=0,
)  # fmt: skip
"""The whole image, fitted into the input: what a model sees without augmentation."""


_NOTHING: dict[str, Callable[[Tensor], Tensor]] = {
    **dict.fromkeys(
        ("xy", "visibility", "member", "box", "area", "crowd", "valid"), torch.zeros_like
    ),
    "category": lambda known: torch.full_like(known, -1),
}
"""What a batch says of a garment that is not there, by field."""


@dataclass(frozen=True)
class Canvases:
    """A batch as the loader gives it: images at the top left of equal canvases.

    Attributes
    ----------
    pixels
        (B, 3, S, S) uint8.
    size
        (B, 2) float32: width and height of each image on its canvas.
    garments
        Coordinates in canvas pixels; its `content` is not yet filled.
    """

    pixels: Tensor
    size: Tensor
    garments: GarmentBatch


def augment_batch(
    batch: Canvases,
    side: int,
    options: AugmentOptions,
    flips: Sequence[int],
    generator: torch.Generator,
    crop_aspect: float = 1.0,
) -> tuple[Tensor, GarmentBatch]:
    """Make the network's input of a batch.

    Random numbers are drawn on the CPU from `generator`, so that a run is the same on every
    device; everything else runs where the batch is.

    Parameters
    ----------
    batch
        B images.
    side
        Side of the square input, pixels.
    options
        See `AugmentOptions`; `NO_AUGMENTATION` for none.
    flips
        The schema's permutation of landmarks under a flip.
    generator
        Source of randomness (CPU).
    crop_aspect
        Shape of the views that are cut by a box, as the recipe says.

    Returns
    -------
    inputs
        (B, 3, side, side) float32, 0..255, padded with `PADDING`.
    garments
        The garments in input pixels, with `content` filled.
    """
    device = batch.pixels.device
    together = torch.zeros(len(batch.pixels), dtype=torch.bool)
    if options.mosaic:
        batch, together = lay_together(batch, options.mosaic, generator)
    flipped, matrix, view = _draw_views(batch, side, options, generator, crop_aspect, together)
    around, replaced = torch.full((1, 1, 1, 1), float(PADDING), device=device), None
    if options.background:
        crop = (view[:, :2] > 0).any(1) | (view[:, 2:] < batch.size.cpu()).any(1)
        around, replaced = _backdrops(batch, crop, side, options.background, generator)
    matrix, view = matrix.to(device), view.to(device)
    inputs = _resample(batch.pixels, matrix, view, side, around)
    inputs = _recolour(inputs, options, generator)
    if options.erase:
        inputs = _erase(inputs, options.erase, generator)
    garments = _move_garments(batch.garments, matrix, view)
    if replaced is not None:
        # What stands in for padding is to be learned as well: no garment is there.
        corners = garments.content.new_tensor([[0, 0], [side, 0], [side, side], [0, side]]) - 0.5
        garments = replace(
            garments, content=torch.where(replaced[:, None, None], corners, garments.content)
        )
    return inputs, _swap_flipped(garments, flipped.to(device), flips)


def _backdrops(
    batch: Canvases, crop: Tensor, side: int, chance: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose what lies around the cut of some views: pieces of the batch's images without garments.

    Parameters
    ----------
    batch
        B images.
    cut
        (B,) bool: views that have something around their cut.
    side
        Of the input, pixels.
    chance
        Of a cut view, to get a piece of an image.
    generator
        Source of randomness (CPU).

    Returns
    -------
    around
        (B, 3, side, side) float32: what lies around each cut; padding where nothing was chosen.
    replaced
        (B,) bool: which got a piece of an image.
    """
    b, _, _, s = batch.pixels.shape
    device = batch.pixels.device
    chosen = crop & (torch.rand(b, generator=generator) < chance)
    pick = torch.rand(b, generator=generator)
    share = _uniform(generator, b, *BACKDROP_SHARE)
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
        around[i] = _sample(pixels, (points * (2.0 / s) - 1.0)[None].to(device))[0]
    return around, chosen.to(device)


def lay_together(
    batch: Canvases, chance: float, generator: torch.Generator
) -> tuple[Canvases, Tensor]:
    """Lay some of the images out together with others of the batch, each half as large.

    Two side by side, two above each other, or four, as likely as each other; without gaps but for what
    their shapes leave, which is padding. A batch of fewer than four images stays as it is.

    Parameters
    ----------
    batch
        B images with N garments each.
    chance
        Of an image, to be laid out with others; these keep their own places in the batch.
    generator
        Source of randomness (CPU).

    Returns
    -------
    batch
        B images with 4 N garments each, or the batch as it was where none was chosen. The image
        whose place it is lies at the top left, and its garments come first.
    together
        (B,) bool: which were laid out with others.
    """
    b, n = len(batch.pixels), batch.garments.valid.shape[1]
    together = torch.rand(b, generator=generator) < chance
    layout = torch.randint(0, len(_LAYOUTS), (b,), generator=generator).tolist()
    others = torch.rand(b, b - 1, generator=generator).argsort(1)[:, : _MOST - 1] + 1
    if b < _MOST or not together.any():
        return batch, torch.zeros_like(together)
    pixels, size = batch.pixels.clone(), batch.size.clone()
    roomy = {}
    for name, nothing in _NOTHING.items():
        there: Tensor = getattr(batch.garments, name)
        roomy[name] = torch.cat([there, *[nothing(there)] * (_MOST - 1)], 1)
    garments = replace(batch.garments, **roomy)
    for i in torch.nonzero(together).flatten().tolist():
        columns, rows = _LAYOUTS[layout[i]]
        sources = [i, *((i + others[i]) % b).tolist()][: columns * rows]
        halves = (batch.size[sources].cpu() / 2).long().clamp(min=1).view(rows, columns, 2)
        x = [0, *halves[:, :, 0].amax(0).cumsum(0).tolist()]
        y = [0, *halves[:, :, 1].amax(1).cumsum(0).tolist()]
        pixels[i] = PADDING
        small = F.avg_pool2d(batch.pixels[sources].float(), 2).round().to(torch.uint8)
        for q, source in enumerate(sources):
            row, column = divmod(q, columns)
            w, h = halves[row, column].tolist()
            left, top = x[column], y[row]
            pixels[i, :, top : top + h, left : left + w] = small[q, :, :h, :w]
            slots = slice(q * n, (q + 1) * n)
            for name in _NOTHING:
                getattr(garments, name)[i, slots] = getattr(batch.garments, name)[source]
            corner = garments.xy.new_tensor([left, top])
            garments.xy[i, slots] = (garments.xy[i, slots] + 0.5) / 2 - 0.5 + corner
            garments.box[i, slots] = (garments.box[i, slots] + 0.5) / 2 - 0.5 + corner.repeat(2)
            garments.area[i, slots] /= 4
        size[i] = size.new_tensor([x[-1], y[-1]])
    return Canvases(pixels, size, garments), together


def _uniform(generator: torch.Generator, n: int, low: float, high: float) -> Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _draw_views(
    batch: Canvases,
    side: int,
    options: AugmentOptions,
    generator: torch.Generator,
    crop_aspect: float,
    seen_whole: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw flips (B,), canvas-to-input matrices (B, 2, 3) and visible rectangles (B, 4).

    Edge-based coordinates: pixel i covers i .. i + 1. Images that are `seen_whole` (B,) get no
    box view.
    """
    b = len(batch.pixels)
    whole = torch.cat([torch.zeros(b, 2), batch.size.cpu()], dim=1)  # x0, y0, x1, y1
    region, view = whole.clone(), whole.clone()
    evened = torch.ones(b, 2)
    boxed = (torch.rand(b, generator=generator) < options.box_view) & ~seen_whole
    crop = torch.rand(b, generator=generator) < options.box_crop
    pick = torch.rand(b, generator=generator)
    margins = torch.rand(b, 4, generator=generator)
    low, high = options.box_margin
    margins = margins * (high - low) + low
    tight = torch.rand(b, generator=generator) < options.box_tight
    margins = torch.where(tight[:, None], 0.0, margins)
    boxes = batch.garments.box.cpu() + 0.5
    usable = (batch.garments.valid & ~batch.garments.crowd).cpu()
    usable &= (batch.garments.visibility.cpu() > 0).any(-1)
    part = torch.zeros(b, dtype=torch.bool)
    if options.box_part:
        part = torch.rand(b, generator=generator) < options.box_part
        share = _uniform(generator, b, *PART_SHARE)
        kept = torch.rand(b, batch.garments.xy.shape[2], generator=generator) < share[:, None]
        labelled, places = batch.garments.visibility.cpu() > 0, batch.garments.xy.cpu() + 0.5
    for i in torch.nonzero(boxed & usable.any(1)).flatten().tolist():
        candidates = torch.nonzero(usable[i]).flatten()
        one = candidates[int(pick[i] * len(candidates))]
        box = boxes[i, one]
        if part[i]:
            chosen = kept[i] & labelled[i, one]
            if chosen.sum() >= 2:
                some = places[i, one][chosen]
                box = torch.cat([some.amin(0), some.amax(0)])
        extent = (box[2:] - box[:2]).clamp(min=4.0)
        grown = torch.cat(
            [box[:2] - margins[i, :2] * extent, box[:2] + extent * (1 + margins[i, 2:])]
        )
        region[i] = grown
        if crop[i]:
            view[i, :2] = torch.maximum(whole[i, :2], grown[:2])
            view[i, 2:] = torch.minimum(whole[i, 2:], grown[2:])
            sides = (view[i, 2:] - view[i, :2]).clamp(min=4.0)
            evened[i] = (sides / sides.amax()) ** (crop_aspect - 1)

    centre = (region[:, :2] + region[:, 2:]) / 2
    extent = (region[:, 2:] - region[:, :2]).amax(1)
    zoom = torch.exp(_uniform(generator, b, *(math.log(s) for s in options.scale)))
    stretch = torch.exp(_uniform(generator, b, *(0.5 * math.log(s) for s in options.stretch)))
    angle = torch.deg2rad(_uniform(generator, b, -options.rotation, options.rotation))
    if options.quarter_turn:
        turned = torch.rand(b, generator=generator) < options.quarter_turn
        quarters = torch.randint(1, 4, (b,), generator=generator)
        angle = angle + torch.where(turned, quarters * (math.pi / 2), 0.0)
    flipped = torch.rand(b, generator=generator) < options.flip
    room = ((1 - zoom).clamp(min=0) / 2 + options.shift)[:, None] * side
    shift = (torch.rand(b, 2, generator=generator) * 2 - 1) * room
    if options.shift == 0 and options.scale == (1.0, 1.0):
        shift = torch.zeros(b, 2)

    factor = side * zoom / extent
    sx, sy = factor * stretch * evened[:, 0], factor / stretch * evened[:, 1]
    sx = torch.where(flipped, -sx, sx)
    cos, sin = torch.cos(angle), torch.sin(angle)
    linear = torch.stack(
        [torch.stack([cos * sx, -sin * sy], 1), torch.stack([sin * sx, cos * sy], 1)], 1
    )
    target = side / 2 + shift
    translation = target - (linear @ centre[..., None])[..., 0]
    return flipped, torch.cat([linear, translation[..., None]], dim=2), view


def _resample(pixels: Tensor, matrix: Tensor, view: Tensor, side: int, around: Tensor) -> Tensor:
    """Sample (B, 3, S, S) canvases through canvas-to-input matrices; outside the view lies `around`."""
    b, _, _, s = pixels.shape
    device = pixels.device
    inverse = torch.linalg.inv(matrix[:, :, :2])
    at = torch.arange(side, device=device, dtype=torch.float32) + 0.5
    y, x = torch.meshgrid(at, at, indexing="ij")
    points = torch.stack([x, y], -1).view(1, -1, 2) - matrix[:, None, :, 2]  # (B, side^2, 2)
    source = (points @ inverse.transpose(1, 2)).view(b, side, side, 2)
    canvases = pixels.to(torch.float32)
    sampled = _sample(canvases, source * (2.0 / s) - 1.0)
    # Where an image gets much smaller along an axis, pixels are averaged along it first: no aliasing.
    small = matrix[:, :, :2].norm(dim=1) < HALVED_BELOW  # (B, 2): canvas x, y
    for kernel in ((2, 2), (1, 2), (2, 1)) if s % 2 == 0 else ():
        chosen = (small[:, 0] == (kernel[1] == 2)) & (small[:, 1] == (kernel[0] == 2))
        if chosen.any():
            halved = F.avg_pool2d(canvases[chosen], kernel)
            sampled[chosen] = _sample(halved, source[chosen] * (2.0 / s) - 1.0)
    inside = ((source >= view[:, None, None, :2]) & (source <= view[:, None, None, 2:])).all(-1)
    return torch.where(inside[:, None], sampled, around)


def _sample(canvases: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(
        canvases, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def _recolour(x: Tensor, options: AugmentOptions, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image by one colour matrix."""
    b = len(x)
    draw = torch.rand(b, 6, generator=generator) * 2 - 1
    grey = torch.rand(b, generator=generator) < options.grey
    brightness = 1 + options.brightness * draw[:, 0]
    contrast = 1 + options.contrast * draw[:, 1]
    saturation = torch.where(grey, 0.0, 1 + options.saturation * draw[:, 2])
    hue = torch.deg2rad(options.hue * draw[:, 3])
    luma = torch.tensor([0.299, 0.587, 0.114])
    eye = torch.eye(3)
    project = torch.ones(3, 1) @ luma[None]
    saturate = saturation[:, None, None] * eye + (1 - saturation)[:, None, None] * project
    # Rotation about the grey axis (Rodrigues).
    axis = 1 / math.sqrt(3.0)
    cross = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]])
    cos, sin = torch.cos(hue)[:, None, None], torch.sin(hue)[:, None, None]
    turn = cos * eye + (1 - cos) * torch.full((3, 3), 1 / 3) + sin * cross
    gain = (brightness * contrast)[:, None, None]
    matrix = (gain * (turn @ saturate)).to(x.device)
    offset = (128.0 * (1 - contrast)).to(x.device)
    y = torch.einsum("bij,bjhw->bihw", matrix, x) + offset[:, None, None, None]
    if options.noise:
        sigma = (options.noise * (draw[:, 4] + 1) / 2).to(x.device)
        noise = torch.randn(x.shape, generator=generator).to(x.device)
        y = y + sigma[:, None, None, None] * noise
    return y.clamp(0, 255)


def _erase(x: Tensor, chance: float, generator: torch.Generator) -> Tensor:
    """Paint over a rectangle of some of the (B, 3, S, S) images, each with a colour of its own."""
    b, _, _, side = x.shape
    chosen = torch.rand(b, generator=generator) < chance
    extent = _uniform(generator, 2 * b, *ERASED_SHARE).view(b, 2)
    low = torch.rand(b, 2, generator=generator) * (1 - extent)
    high = low + extent
    colour = (torch.rand(b, 3, generator=generator) * 255).to(x.device)
    at = (torch.arange(side) + 0.5) / side
    across = (at >= low[:, :1]) & (at < high[:, :1])
    down = (at >= low[:, 1:]) & (at < high[:, 1:])
    painted = (down[:, :, None] & across[:, None, :] & chosen[:, None, None]).to(x.device)
    return torch.where(painted[:, None], colour[:, :, None, None], x)


def _apply(matrix: Tensor, xy: Tensor) -> Tensor:
    """Map (B, ..., 2) pixel-centre coordinates through edge-based (B, 2, 3) matrices."""
    flat = xy.flatten(1, -2) + 0.5
    moved = flat @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]
    return (moved - 0.5).view(xy.shape)


def _move_garments(garments: GarmentBatch, matrix: Tensor, view: Tensor) -> GarmentBatch:
    x0, y0, x1, y1 = garments.box.unbind(-1)
    corners = torch.stack(
        [torch.stack(c, -1) for c in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], dim=2
    )
    corners = _apply(matrix, corners)
    box = torch.cat([corners.amin(2), corners.amax(2)], dim=-1)
    v0, v1 = view[:, :2] - 0.5, view[:, 2:] - 0.5
    content = torch.stack(
        [
            torch.stack(c, -1)
            for c in (
                (v0[:, 0], v0[:, 1]),
                (v1[:, 0], v0[:, 1]),
                (v1[:, 0], v1[:, 1]),
                (v0[:, 0], v1[:, 1]),
            )
        ],
        dim=1,
    )
    return replace(
        garments,
        xy=_apply(matrix, garments.xy),
        box=box,
        area=garments.area * torch.linalg.det(matrix[:, :, :2]).abs()[:, None],
        content=_apply(matrix, content),
    )


def _swap_flipped(garments: GarmentBatch, flipped: Tensor, flips: Sequence[int]) -> GarmentBatch:
    order = torch.tensor(list(flips), device=flipped.device)
    where = flipped[:, None, None]
    return replace(
        garments,
        xy=torch.where(where[..., None], garments.xy[:, :, order], garments.xy),
        visibility=torch.where(where, garments.visibility[:, :, order], garments.visibility),
        member=torch.where(where, garments.member[:, :, order], garments.member),
    )

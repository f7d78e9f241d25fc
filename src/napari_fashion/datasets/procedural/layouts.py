"""Images of several garments whose number, scale, overlap and occlusion are set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from napari_fashion.options import Options

from ._render import CATEGORIES
from .fabrics import Bolt
from .grounds import Camera, Matrix, background, tilted
from .outfits import Layer, dress, single
from .pieces import Points
from .placing import Item, arrange
from .scenes import draw_light
from .silhouettes import cut_garment
from .stage import Sample, Stage, contrasting

MOST_GARMENTS = 6
_ZOOM = (1.1, 1.5)  # how much an image that cuts garments off is enlarged
_Share = Annotated[float, Field(ge=0, le=1)]


class LayoutOptions(Options):
    """What is set of images with several garments.

    Attributes
    ----------
    garments
        Least and greatest number of garments in an image, 2 to 6.
    worn
        Share of the images that show outfits: a jacket over a shirt over trousers and the like
        (`outfits`). The others show garments that lie beside and on each other. The other options but
        `cut_off` are for these: outfits overlap as they are worn.
    overlap
        Least and greatest overlap of a garment with the one that it is laid on: what the boxes of
        their landmarks share, as a share of the smaller box. An image has one value.
    occlusion
        Least and greatest share of a garment's cloth that the next one covers. Where garments are laid is
        chosen to come near, as far as the overlap permits; None takes what comes. What it came to is
        recorded.
    scale
        Least and greatest length of a garment (the longer side of its cloth) as a share of the image's
        longer side; None for as long as all fit in, the smallest at least 0.65 of the largest. Where they
        do not fit they are cut off.
    cut_off
        Share of the images whose edges cut garments off.
    """

    garments: tuple[int, int] = (2, MOST_GARMENTS)
    worn: _Share = 0.5
    overlap: tuple[_Share, _Share] = (0.0, 0.5)
    occlusion: tuple[_Share, _Share] | None = None
    scale: tuple[float, float] | None = None
    cut_off: _Share = 0.15

    @model_validator(mode="after")
    def _are_ranges(self) -> LayoutOptions:
        for name in ("garments", "overlap", "occlusion", "scale"):
            bounds = getattr(self, name)
            if bounds is not None and bounds[0] > bounds[1]:
                raise ValueError(f"{name}: found {bounds[0]}-{bounds[1]}; expected least-greatest")
        low, high = self.garments
        if low < 2 or high > MOST_GARMENTS:
            raise ValueError(f"garments: found {low}-{high}; expected 2 to {MOST_GARMENTS}")
        if self.scale is not None and not 0.05 <= self.scale[0] <= self.scale[1] <= 2:
            raise ValueError(
                f"scale: found {self.scale[0]}-{self.scale[1]}; expected 0.05 to 2 of the image"
            )
        return self


@dataclass(frozen=True)
class Layout:
    """A rendered image of several garments.

    Attributes
    ----------
    sample
        The image and its garments.
    worn
        Whether it shows outfits.
    overlap
        What was asked for, of garments that are laid; None for outfits.
    """

    sample: Sample
    worn: bool
    overlap: float | None


def render_layout(
    seed: int, options: LayoutOptions | None = None, *, size: tuple[int, int] = (400, 533)
) -> Layout:
    """Render one image with several garments.

    Parameters
    ----------
    seed
        The same seed and arguments give the same image.
    options
        What is set.
    size
        Width and height in pixels.
    """
    options = options or LayoutOptions()
    rng = np.random.default_rng([seed, 3])
    number = int(rng.integers(options.garments[0], options.garments[1] + 1))
    worn = bool(rng.random() < options.worn)
    overlap = None if worn else float(rng.uniform(*options.overlap))
    if worn:
        groups = [dress(n, rng) for n in _outfit_sizes(number)]
    else:
        groups = [
            single(cut_garment(CATEGORIES[i], rng))
            for i in rng.integers(len(CATEGORIES), size=number).tolist()
        ]
    items, positions = _laid_out(groups, options, overlap, size, rng)
    view = _view(items, positions, options, worn, size, rng)
    return Layout(_painted(seed, items, positions, view, size, rng), worn, overlap)


def _outfit_sizes(number: int) -> list[int]:
    """Return the number of garments of each outfit of an image: twos and threes."""
    return {2: [2], 3: [3], 4: [2, 2], 5: [3, 2], 6: [3, 3]}[number]


def _laid_out(
    groups: Sequence[Sequence[Layer]],
    options: LayoutOptions,
    overlap: float | None,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[list[Item], Points]:
    """Return the groups turned and scaled, and where each lies, (n, 2), all to one scale."""
    worn = overlap is None
    # Lengths as shares of the image's, if they are set; otherwise of the longest garment's.
    low, high = (0.65, 1.0) if options.scale is None or worn else options.scale
    items = []
    for layers in groups:
        angle = np.deg2rad(rng.normal(0, 3 if worn else 12))
        length = float(rng.uniform(low, high) * max(size))
        items.append(Item.of(layers, angle, length))
    occlusion = None
    if options.occlusion is not None and not worn:
        occlusion = float(rng.uniform(*options.occlusion))
    return items, arrange(items, overlap or 0.0, occlusion, size, rng)


def _view(
    items: Sequence[Item],
    positions: Points,
    options: LayoutOptions,
    worn: bool,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Matrix:
    """Return the matrix (3, 3) from where garments were laid to the image's pixels."""
    low = np.min([i.extent[0] + p for i, p in zip(items, positions, strict=True)], axis=0)
    high = np.max([i.extent[1] + p for i, p in zip(items, positions, strict=True)], axis=0)
    image = np.array(size, np.float64)
    scale = 1.0
    if options.scale is None or worn:
        scale = float(rng.uniform(0.84, 0.93) * (image / (high - low)).min())
    cuts = rng.random() < options.cut_off
    if cuts:
        scale *= rng.uniform(*_ZOOM)
    room = image - scale * (high - low)
    # Where there is room the garments lie anywhere in it; what is too large is shifted as far.
    shift = rng.uniform(0.1, 0.9, 2) if (room > 0).all() or cuts else np.full(2, 0.5)
    view = np.eye(3)
    view[:2, :2] *= scale
    view[:2, 2] = shift * room - scale * low
    return np.asarray(tilted(rng, size[0], size[1], 0.3) @ view)


def _painted(
    seed: int,
    items: Sequence[Item],
    positions: Points,
    view: Matrix,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Sample:
    """Paint the garments on a background, each over the ones before it."""
    light = draw_light(rng)
    canvas, _ = background(rng, size[0], size[1], light)
    stage = Stage(canvas, light, rng)
    for item, position in zip(items, positions, strict=True):
        matrix = view @ item.matrix(position)
        painted = []
        for layer in item.layers:
            own = matrix.copy()
            own[:, 2] += matrix[:, :2] @ layer.shift
            camera = Camera(own)
            px = 1 / (float(view[0, 0]) * item.scale)
            bolt = Bolt.choose(layer.garment, rng)
            number = stage.lay(layer.garment, camera)
            painted.append((layer, number, bolt, camera, px, camera.plane(stage.shape)))
        for layer, number, bolt, camera, px, plane in reversed(painted):
            stage.paint(number, layer.back, bolt, camera, px, plane, inside=True)
        for layer, number, bolt, camera, px, plane in painted:
            bolt = contrasting(bolt, canvas, _box(camera, layer))
            stage.paint(number, layer.front, bolt, camera, px, plane)
    return stage.finish(seed)


def _box(camera: Camera, layer: Layer) -> tuple[float, float, float, float]:
    """Return x, y, width and height in the image of a layer's landmarks."""
    has = np.array([bool(owner) for owner in layer.garment.owners])
    xy = camera.project(layer.garment.landmarks[has])
    low, high = xy.min(axis=0), xy.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])

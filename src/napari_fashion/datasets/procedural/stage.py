"""An image while garments are painted into it: who covers whom, and which landmarks stay visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .cloth import paint
from .fabrics import Bolt
from .grounds import Camera
from .pieces import Garment, Piece, Points
from .raster import Array, contains, edge_distance, noise, smoothstep, table


@dataclass(frozen=True)
class SampleGarment:
    """A garment in a sample image.

    Attributes
    ----------
    category, body_type
        As the schema ``garments`` names them.
    xy
        (K, 2) float64 pixels, (0, 0) the centre of the top-left pixel; (0, 0) where not there.
    visibility
        (K,) 2 visible, 1 hidden under cloth, 0 not there or outside the image.
    outlines
        (N, 2) outlines of the pieces that landmarks lie on, in the image.
    alpha
        (H, W) float32, 0..1: how much of each pixel shows this garment.
    occlusion
        Share of its cloth inside the image that other garments cover, 0..1; what its own pieces cover
        of each other does not count, nor does the inside of its back.
    """

    category: str
    body_type: str
    xy: Points
    visibility: NDArray[np.int64]
    outlines: tuple[Points, ...]
    alpha: Array
    occlusion: float = 0.0


@dataclass(frozen=True)
class Sample:
    """A rendered image (H, W, 3) uint8 RGB and what is in it, bottom to top."""

    seed: int
    image: NDArray[np.uint8]
    garments: tuple[SampleGarment, ...]


class _Laid:
    """A garment on the stage, with masks (H, W) of all its cloth and of what shows of it."""

    def __init__(self, garment: Garment, camera: Camera, shape: tuple[int, int]) -> None:
        self.garment = garment
        self.xy = camera.project(garment.landmarks)
        self.outlines = [
            camera.project(p.outline) for p in garment.pieces if p.part in garment.owners
        ]
        self.alpha = np.zeros(shape, np.float32)
        self.front = np.zeros(shape, np.float32)
        self.uncovered = np.zeros(shape, np.float32)

    @property
    def occlusion(self) -> float:
        cloth = float(self.front.sum())
        return 1 - float(self.uncovered.sum()) / cloth if cloth > 0 else 0.0


class Stage:
    """An image that garments are painted into, one over the other.

    Parameters
    ----------
    canvas
        (H, W, 3) 0..1, the background; painted on.
    light
        (2,) unit vector in the image that points to the light.
    rng
        Source of randomness of all that is painted.
    """

    def __init__(self, canvas: Array, light: Points, rng: np.random.Generator) -> None:
        self.canvas, self.light, self.rng = canvas, light, rng
        self.shape = (canvas.shape[0], canvas.shape[1])
        self._laid: list[_Laid] = []
        self._drawn: list[tuple[int, str, Points]] = []

    def lay(self, garment: Garment, camera: Camera) -> int:
        """Add a garment, of which nothing is painted yet; return its number."""
        self._laid.append(_Laid(garment, camera, self.shape))
        return len(self._laid) - 1

    def paint(
        self,
        number: int,
        pieces: Sequence[Piece],
        bolt: Bolt,
        camera: Camera,
        px: float,
        plane: tuple[Array, Array],
        *,
        inside: bool = False,
    ) -> None:
        """Paint pieces of a garment over what is there.

        Parameters
        ----------
        number
            Of the garment.
        pieces
            Bottom to top.
        bolt, camera, px, plane
            See `cloth.paint`.
        inside
            Whether they are the inside of the garment's back, which others are meant to cover.
        """
        for piece in pieces:
            painted = paint(
                self.canvas, piece, bolt, camera.project, plane, px, self.light, self.rng
            )
            if painted is None:
                continue
            alpha, window = painted
            for other, laid in enumerate(self._laid):
                laid.alpha[window] *= 1 - alpha
                if other != number:
                    laid.uncovered[window] *= 1 - alpha
            own = self._laid[number]
            own.alpha[window] += alpha
            if not inside:
                for mask in (own.front, own.uncovered):
                    mask[window] += (1 - mask[window]) * alpha
            self._drawn.append((number, piece.part, camera.project(piece.outline)))

    def finish(self, seed: int) -> Sample:
        """Return the image as a camera takes it, and its garments in the order of their numbers."""
        garments = []
        for number, laid in enumerate(self._laid):
            visibility = self._visibility(number, laid)
            garments.append(
                SampleGarment(
                    laid.garment.category,
                    laid.garment.body_type,
                    np.where(visibility[:, None] > 0, laid.xy, 0.0),
                    visibility,
                    tuple(laid.outlines),
                    laid.alpha,
                    laid.occlusion,
                )
            )
        return Sample(seed, _develop(self.canvas, self.light, self.rng), tuple(garments))

    def _visibility(self, number: int, laid: _Laid) -> NDArray[np.int64]:
        """Return 2, or 1 for what lies inside a piece drawn over it, or 0 outside the image.

        Only pieces of other parts hide a landmark, and only those drawn after the last piece of its
        own part that has it on its edge.
        """
        height, width = self.shape
        visibility = np.zeros(len(laid.xy), dtype=np.int64)
        for k, owner in enumerate(laid.garment.owners):
            x, y = laid.xy[k]
            if not owner or not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
                continue
            own = [
                i
                for i, (who, part, outline) in enumerate(self._drawn)
                if (who, part) == (number, owner) and edge_distance(outline, laid.xy[k]) < 1.5
            ]
            after = self._drawn[own[-1] + 1 :] if own else []
            hidden = any(
                (who, part) != (number, owner) and contains(outline, laid.xy[k])
                for who, part, outline in after
            )
            visibility[k] = 1 if hidden else 2
        return visibility


def contrasting(bolt: Bolt, canvas: Array, box: tuple[float, float, float, float]) -> Bolt:
    """Take the garment's second colour where its first would vanish on the ground."""
    y, x = max(int(box[1]), 0), max(int(box[0]), 0)
    ground = canvas[y : y + int(box[3]) : 7, x : x + int(box[2]) : 7].reshape(-1, 3).mean(axis=0)
    if np.abs(ground - bolt.colors[0]).max() > 0.14 or len(bolt.colors) < 2:
        return bolt
    colors = bolt.colors.copy()
    colors[[0, 1]] = colors[[1, 0]]
    return replace(bolt, colors=colors, trim=colors[0] * 0.9)


def _develop(canvas: Array, light: Points, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Finish the image as a telephone's camera would: falling light, warmth, blur, noise."""
    height, width = canvas.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    fall = 1 + rng.uniform(0.02, 0.12) * (x * light[0] + y * light[1])
    fall *= 1 - rng.uniform(0.02, 0.14) * smoothstep((np.hypot(x, y) - 0.5).astype(np.float32))
    fall *= 1 + rng.uniform(0.02, 0.07) * noise(table(rng), 1.3 * x + 9, 1.3 * y + 9)
    warm = 1 + rng.normal(0, 0.025) * np.array([1, 0.1, -1], dtype=np.float32)
    out = canvas * fall[..., None] * warm * np.float32(rng.uniform(0.94, 1.06))
    out = 0.5 + (out - 0.5) * np.float32(rng.uniform(0.96, 1.06))
    grain = rng.standard_normal((height, width), dtype=np.float32)
    coarse = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    chroma = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)
    level = np.float32(rng.uniform(0.004, 0.012))
    out += (level * grain)[..., None] + 0.5 * level * chroma[:height, :width]
    return np.asarray(np.clip(out * 255 + 0.5, 0, 255), dtype=np.uint8)

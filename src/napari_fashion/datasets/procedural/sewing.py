"""Seams, stitches, pockets and buttons, pressed into the cloth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .fabrics import Bolt, rgb
from .pieces import Detail, Piece, Points, disc
from .raster import Array, blur, stroke

Project = Callable[[Points], Points]
"""From the garment's plane to pixels."""
Cover = Callable[[list[Points]], Array]
"""How much of each pixel of a window (h, w) lies inside closed outlines, in pixels."""
Layer = tuple[Array, Array]
"""A colour, and how much of it lies over each pixel of the window, (h, w)."""


def sew(
    piece: Piece, bolt: Bolt, project: Project, cover: Cover, px: float, height: Array
) -> list[Layer]:
    """Press the details of a piece into its cloth.

    Parameters
    ----------
    piece, bolt
        The piece, and what it is cut of.
    project, cover
        See `Project` and `Cover`.
    px
        One pixel in units of the garment's plane.
    height
        (h, w) of the cloth in pixels; changed in place.

    Returns
    -------
    Coloured layers on top, the lowest first.
    """
    sewing = _Sewing(bolt, project, cover, px, height)
    for detail in piece.details:
        sewing.add(detail)
    sewing.finish()
    return sewing.layers


class _Sewing:
    """The details of one piece as they are sewn."""

    def __init__(
        self, bolt: Bolt, project: Project, cover: Cover, px: float, height: Array
    ) -> None:
        self.bolt, self.project, self.cover, self.px = bolt, project, cover, px
        self.height = height
        self.layers: list[Layer] = []
        self._grooves: list[Points] = []
        self._stitches: list[Points] = []

    def add(self, detail: Detail) -> None:
        """Sew one detail; seams and stitches only take effect with `finish`."""
        line = self.project(detail.points)
        wide = max(detail.width / self.px, 0.9)
        match detail.kind:
            case "seam":
                self._grooves += stroke(line, max(wide, 1.3))
            case "stitch":
                self._stitches += self._stitched(line)
            case "line":
                self._line(line, wide)
            case "zip":
                self._zip(line, wide)
            case "patch":
                self._patch(detail, line)
            case "label":
                self.layers.append((rgb("ece8df"), self.cover([line])))
            case "button":
                self._button(detail)

    def finish(self) -> None:
        """Press in all seams, then all stitches."""
        if self._grooves:
            groove = self.cover(self._grooves)
            self.height -= 1.5 * blur(groove, 1.0)
            self.layers.append((self.bolt.colors[0] * 0.6, groove * 0.35))
        if self._stitches:
            stitch = self.cover(self._stitches)
            self.height -= 0.5 * blur(stitch, 1.0)
            self.layers.append((self.bolt.thread, stitch * 0.8))

    def _stitched(self, line: Points) -> list[Points]:
        return stroke(line, 1.0, dash=max(0.013 / self.px, 2.6))

    def _line(self, line: Points, wide: float) -> None:
        share = self.cover(stroke(line, wide))
        self.height += 0.5 * wide * blur(share, 1.2)
        self.layers.append((self.bolt.trim * 1.05, share))

    def _zip(self, line: Points, wide: float) -> None:
        tape, teeth = self.cover(stroke(line, wide * 1.5)), self.cover(stroke(line, wide * 0.45))
        gaps = self.cover(stroke(line, wide * 0.45, dash=max(0.012 / self.px, 2.5)))
        self.height -= 0.6 * blur(tape, 1.0)
        self.layers += [
            (self.bolt.colors[0] * 0.72, tape * 0.8),
            (rgb("b9b4a6"), teeth * 0.9),
            (rgb("6f6b62"), gaps),
        ]

    def _patch(self, detail: Detail, line: Points) -> None:
        self.height += 1.3 * blur(self.cover([line]), 1.0)
        middle = detail.points.mean(axis=0)
        inset = middle + (detail.points - middle) * 0.9
        self._stitches += self._stitched(self.project(np.vstack([inset, inset[:1]])))

    def _button(self, detail: Detail) -> None:
        x, y = (float(v) for v in detail.points[0])
        knob = self.cover([self.project(disc(x, y, detail.width))])
        self.height += 2.0 * blur(knob, 1.0)
        holes = [disc(x + offset, y, 0.0022, n=8) for offset in (-0.0035, 0.0035)]
        pierced = self.cover([self.project(hole) for hole in holes])
        dark = float(self.bolt.colors[0].mean()) > 0.35  # buttons contrast with the cloth
        self.layers += [
            (rgb("6b5848") if dark else rgb("efe9dc"), knob),
            (rgb("2c241e") if dark else rgb("4a4038"), pierced),
        ]

"""Graphics for the chest: closed outlines in the garment's plane, each with the index of its colour."""

from __future__ import annotations

import numpy as np

from .pieces import Points, disc

_GLYPHS = {
    "n": ("1001", "1101", "1111", "1011", "1001"),
    "a": ("111", "101", "111", "101", "101"),
    "p": ("111", "101", "111", "100", "100"),
    "r": ("110", "101", "110", "101", "101"),
    "i": ("1", "1", "1", "1", "1"),
}


def _graphic_word() -> list[tuple[Points, int]]:
    out: list[tuple[Points, int]] = []
    x, size = -0.21, 0.02
    for letter in "napari":
        rows = _GLYPHS[letter]
        for j, row in enumerate(rows):
            for i, bit in enumerate(row):
                if bit == "1":
                    a, b = x + i * size, 0.27 + j * size * 1.25
                    box = [[a, b], [a + size, b], [a + size, b + size * 1.25], [a, b + size * 1.25]]
                    out.append((np.array(box), 1))
        x += (len(rows[0]) + 1) * size
    line = np.array([[-0.2, 0.415], [0.2, 0.415], [0.2, 0.427], [-0.2, 0.427]])
    return [*out, (line, 2)]


def _graphic_hills() -> list[tuple[Points, int]]:
    y, r = 0.38, 0.135
    floor = y + r * 0.55
    x = r * np.sqrt(1 - 0.55**2)
    hills = np.array(
        [[-x, floor], [-0.055, y - 0.02], [-0.01, y + 0.035], [0.045, y - 0.05], [x, floor]]
    )
    cap = np.array(
        [
            [0.045, y - 0.05],
            [0.073, y - 0.01],
            [0.05, y - 0.018],
            [0.03, y - 0.005],
            [0.022, y - 0.018],
        ]
    )
    return [(disc(0, y, r), 1), (disc(-0.03, y - 0.06, 0.032), 2), (hills, 0), (cap, 1)]


def _graphic_bands() -> list[tuple[Points, int]]:
    out = []
    x = np.linspace(-0.19, 0.19, 24)
    for i, color in enumerate((1, 2, 3, 1)):
        y = 0.3 + i * 0.042 + 0.018 * np.sin(x * 17)
        top = np.stack([x, y], axis=1)
        out.append((np.vstack([top, top[::-1] + np.array([0, 0.028])]), color))
    return out


def _graphic_star() -> list[tuple[Points, int]]:
    def star(x: float, y: float, r: float) -> Points:
        a = np.linspace(0, 2 * np.pi, 10, endpoint=False) - np.pi / 2
        q = r * np.where(np.arange(10) % 2, 0.42, 1.0)
        return np.stack([x + q * np.cos(a), y + q * np.sin(a)], axis=1)

    return [(star(0, 0.38, 0.13), 1), (star(0, 0.38, 0.085), 2), (star(0, 0.38, 0.045), 1)]


def _graphic_sun() -> list[tuple[Points, int]]:
    out: list[tuple[Points, int]] = []
    for i in range(7):  # a setting sun in bars
        y0, y1 = -0.13 + i * 0.037, -0.13 + i * 0.037 + 0.03 - i * 0.003
        y = np.linspace(y0, y1, 5)
        x = np.sqrt(np.maximum(0.13**2 - y**2, 0))
        right = np.stack([x, 0.38 + y], axis=1)
        out.append((np.vstack([right, (right * (-1, 1))[::-1]]), 1 if i < 4 else 2))
    return out


GRAPHICS = (_graphic_word, _graphic_hills, _graphic_bands, _graphic_star, _graphic_sun)

"""Arrays of any depth become (H, W, 3) uint8 RGB, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.errors import ImageError

Rgb = NDArray[np.uint8]
Rows = Callable[[int, int], NDArray[Any]]
Scale = Callable[[NDArray[Any]], Rgb]

STRIP = 1 << 20
"""Pixels that are converted at a time."""

_MOST = 1e300  # differences of floats that are no larger are finite


@dataclass(frozen=True)
class Pixels:
    """What was decoded, in its own depth, a few rows at a time.

    Attributes
    ----------
    rows
        Returns rows `top` to `end` as (n, W) or (n, W, C); an even C has alpha last.
    stretch
        Floats outside 0..1 are stretched over their range.
    inverted
        0 is white.
    premultiplied
        The colours were multiplied by alpha.
    """

    rows: Rows
    stretch: bool = True
    inverted: bool = False
    premultiplied: bool = False


def to_rgb(array: NDArray[Any]) -> Rgb:
    """Turn a (H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4) array into (H, W, 3) uint8 RGB.

    Bytes are taken as they are. Wider integers are scaled by the range that they use (255, 4095,
    else 65535 or the highest), floats are taken as 0..1 (NaN as 0), booleans as black and white.
    Alpha is laid over white.

    Raises
    ------
    ImageError
        If the array is none of these shapes, empty, or holds no numbers.
    """
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and array.size:
        return array.astype(np.uint8, copy=False)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or array.size == 0:
        raise ImageError(
            f"Found an array of shape {array.shape}; expected an image of shape (height, width) or "
            "(height, width, channels) with 1 to 4 channels."
        )
    if array.dtype.kind not in "buif":
        raise ImageError(f"Found values of type {array.dtype}; expected numbers.")
    height, width = array.shape[:2]
    rgb = np.empty((height, width, 3), np.uint8)
    convert(Pixels(lambda top, end: array[top:end], stretch=False), height, width, rgb)
    return rgb


def unturned(rgb: Rgb, turn: int) -> Rgb:
    """Return a view of a rotated image in which the unrotated one stands."""
    match turn:
        case 2:
            return rgb[:, ::-1]
        case 3:
            return rgb[::-1, ::-1]
        case 4:
            return rgb[::-1]
        case 5:
            return rgb.swapaxes(0, 1)
        case 6:
            return np.rot90(rgb)
        case 7:
            return rgb[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(rgb, -1)
    return rgb


def convert(pixels: Pixels, height: int, width: int, out: Rgb) -> None:
    """Write pixels into (H, W, 3) uint8, some rows at a time: no copy of the whole is made."""
    step = max(1, STRIP // width)
    tops = range(0, height, step)

    def strip(top: int) -> NDArray[Any]:
        values = pixels.rows(top, min(top + step, height))
        return values if values.ndim == 3 else values[:, :, None]

    scales = _scales(strip, tops, pixels)
    for top in tops:
        values = strip(top)
        colours = values.shape[2] - (values.shape[2] in (2, 4))
        rgb = scales[0](values[:, :, :colours])
        if pixels.inverted:
            rgb = 255 - rgb
        if colours < values.shape[2]:
            rgb = _over_white(rgb, scales[1](values[:, :, colours:]), pixels.premultiplied)
        out[top : top + len(rgb)] = rgb


def _over_white(rgb: Rgb, alpha: Rgb, premultiplied: bool) -> Rgb:
    """Lay colours over white: ``c * a + 1 - a``, rounded, in 16 bits."""
    clear = 255 - alpha
    if premultiplied:
        return np.minimum(rgb, alpha) + clear
    total = rgb.astype(np.uint16) * alpha
    total += clear.astype(np.uint16) * np.uint16(255)
    total += np.uint16(127)
    return (total // np.uint16(255)).astype(np.uint8)


def _scales(
    strip: Callable[[int], NDArray[Any]], tops: range, pixels: Pixels
) -> tuple[Scale, Scale]:
    """Return what makes bytes of the colours, and of the alpha."""
    first = strip(0)
    kind = first.dtype.kind
    if first.dtype == np.uint8:
        return np.asarray, np.asarray
    if kind == "b":
        return _bytes_of_bools, _bytes_of_bools
    colours = first.shape[2] - (first.shape[2] in (2, 4))
    parts = (slice(0, colours), slice(colours, None))
    if kind == "f":
        if not pixels.stretch:
            return _scaled(0.0, 1.0), _scaled(0.0, 1.0)
        low, high = np.inf, -np.inf
        for top in tops:
            values = strip(top)[:, :, :colours]
            finite = values[np.isfinite(values)]
            low = min(low, float(finite.min(initial=np.inf)))
            high = max(high, float(finite.max(initial=-np.inf)))
        if not low < high or (low >= 0.0 and high <= 1.0):
            low, high = 0.0, 1.0
        low, high = max(low, -_MOST), min(high, _MOST)
        return _scaled(low, high), _scaled(0.0, 1.0)
    most = [0, 0]
    for top in tops:
        values = strip(top)
        for i, part in enumerate(parts):
            most[i] = max(most[i], int(values[:, :, part].max(initial=0)))
    if pixels.premultiplied:
        most = [max(most)] * 2
    ranges = [255 if m <= 255 else 4095 if m <= 4095 else max(65535, m) for m in most]
    if first.dtype.itemsize == 2 and kind == "u":
        return _looked_up(ranges[0]), _looked_up(ranges[1])
    return _scaled(0.0, float(ranges[0])), _scaled(0.0, float(ranges[1]))


def _bytes_of_bools(values: NDArray[Any]) -> Rgb:
    return values.astype(np.uint8) * np.uint8(255)


def _scaled(low: float, high: float) -> Scale:
    """Return what scales a range to bytes; what is not finite goes to its ends, NaN to the lower."""
    from skimage.exposure import rescale_intensity
    from skimage.util import img_as_ubyte

    def scale(values: NDArray[Any]) -> Rgb:
        wide = values.dtype.itemsize > 4 or values.dtype.kind != "f" or high - low > 1e30
        finite = np.nan_to_num(
            values.astype(np.float64 if wide else np.float32), nan=low, posinf=high, neginf=low
        )
        unit = rescale_intensity(finite, in_range=(low, high), out_range=(0.0, 1.0))
        result: Rgb = img_as_ubyte(unit.clip(0.0, 1.0))
        return result

    return scale


def _looked_up(top: int) -> Scale:
    """Return what scales 16-bit values by a table."""
    table = _scaled(0.0, float(top))(np.arange(65536, dtype=np.uint16))

    def scale(values: NDArray[Any]) -> Rgb:
        result: Rgb = table[values]
        return result

    return scale

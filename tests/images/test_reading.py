"""Real files of every kind, drawn here; hostile ones; and what must not happen meanwhile."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from napari_fashion.errors import ImageError
from napari_fashion.images import (
    image_size,
    limits,
    pixel_limit,
    read_image,
    read_reduced,
    reading,
    set_pixel_limit,
    to_rgb,
)

RGB = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
NOISE = np.random.default_rng(0).integers(0, 256, (23, 31, 4), dtype=np.uint8)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_rgb_file_comes_back_as_it_was(tmp_path):
    save(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


def test_grey_and_16_bit_files(tmp_path):
    grey = np.linspace(0, 255, 35).astype(np.uint8).reshape(5, 7)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), expected)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), expected)


def test_transparent_becomes_white_and_palette_is_read(tmp_path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0, 0] = 10, 20, 30, 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read[0, 0].tolist() == [10, 20, 30]
    assert read[1, 1].tolist() == [255, 255, 255]
    Image.fromarray(RGB).quantize(8).save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png").shape == (5, 7, 3)


def _exif(tmp_path, orientation):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = orientation
    path = tmp_path / f"{orientation}.png"
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(1, RGB), (3, RGB[::-1, ::-1]), (6, np.rot90(RGB, -1)), (8, np.rot90(RGB))],
)
def test_exif_rotation_is_applied(tmp_path, orientation, expected):
    np.testing.assert_array_equal(read_image(_exif(tmp_path, orientation)), expected)


def test_annotations_of_the_unrotated_image_win(tmp_path):
    path = _exif(tmp_path, 6)
    assert read_image(path, size=(7, 5)).shape == (5, 7, 3)
    assert read_image(path, size=(5, 7)).shape == (7, 5, 3)


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"not an image")
    with pytest.raises(ImageError, match="no image that is known"):
        read_image(tmp_path / "bad.jpg")
    save(tmp_path / "cut.png", np.zeros((99, 99, 3), np.uint8))
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError):
        read_image(tmp_path / "cut.png")
    with pytest.raises(ImageError, match="shape"):
        to_rgb(np.zeros((2, 3, 4, 5)))


def test_to_rgb_scales_by_type():
    assert to_rgb(np.array([[True, False]]))[0, 0].tolist() == [255] * 3
    assert to_rgb(np.array([[0.5]]))[0, 0].tolist() == [128] * 3
    assert to_rgb(np.array([[4095]], np.uint16))[0, 0].tolist() == [255] * 3
    assert to_rgb(np.array([[np.nan]]))[0, 0].tolist() == [0] * 3


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_image_as_it_is_seen(tmp_path, suffix, orientation):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    with Image.open(path) as image:
        expected = ImageOps.exif_transpose(image).size
    assert image_size(path) == expected


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "I;16", "CMYK"])
def test_any_kind_of_image(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new(mode, (5, 4)).save(path)
    assert image_size(path) == (5, 4)


def test_only_the_header_is_read(tmp_path):
    path = tmp_path / "a.jpg"
    Image.effect_noise((400, 300), 50).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    assert image_size(path) == (400, 300)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    with pytest.raises(ImageError, match=r"a\.jpg: is no image that is known"):
        image_size(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"b\.jpg: no such file"):
        image_size(tmp_path / "b.jpg")


# -- every kind of file ------------------------------------------------------------------------


def close(read, expected, by=1):
    assert read.shape == expected.shape
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - expected.astype(int)).max() <= by


def over_white(colours, alpha):
    """What lies over white, by floats."""
    unit = alpha[..., None] / 255
    return np.rint(colours * unit + 255 * (1 - unit)).astype(np.uint8)


def grey(values):
    return np.repeat(values[..., None], 3, axis=2)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp", "gif"])
def test_lossless_files_come_back_as_they_were(tmp_path, suffix):
    array = NOISE[:, :, :3] if suffix != "gif" else grey(NOISE[:, :, 0])
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", array if suffix != "gif" else array[..., 0], **options)
    np.testing.assert_array_equal(read_image(path), array)
    assert image_size(path) == (31, 23)


@pytest.mark.parametrize("suffix", ["jpg", "jfif", "JPE", "avif", "webp"])
def test_lossy_files_nearly_do(tmp_path, suffix):
    smooth = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8) * 2
    path = tmp_path / f"a.{suffix}"
    kind = {"avif": "AVIF", "webp": "WEBP"}.get(suffix, "JPEG")
    Image.fromarray(grey(smooth)).save(path, format=kind, quality=95)
    close(read_image(path), grey(smooth), by=8)
    assert image_size(path) == (60, 40)


def test_alpha_is_laid_over_white_in_every_format_that_has_it(tmp_path):
    expected = over_white(NOISE[..., :3], NOISE[..., 3])
    for name in ("a.png", "a.tif"):
        close(read_image(save(tmp_path / name, NOISE)), expected)
    save(tmp_path / "a.webp", NOISE, lossless=True, exact=True)
    close(read_image(tmp_path / "a.webp"), expected)
    expected = over_white(grey(NOISE[..., 0]), NOISE[..., 1])
    for name in ("b.png", "b.tif"):
        close(read_image(save(tmp_path / name, NOISE[..., :2])), expected)


def test_transparent_colours_are_white(tmp_path):
    """tRNS: of palettes, grey of 1 to 16 bits, and colour of 8 and 16 bits."""
    palette = Image.fromarray(NOISE[..., 0] // 64).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.save(tmp_path / "p.png", transparency=bytes([255, 0, 128, 255]))
    read = read_image(tmp_path / "p.png")
    index = NOISE[..., 0] // 64
    assert (read[index == 1] == 255).all()
    close(read[index == 2], np.tile(np.array([127, 255, 127], np.uint8), ((index == 2).sum(), 1)))
    for bits in (1, 2, 4, 8, 16):
        top = 2**bits - 1
        values = (NOISE[..., 0].astype(np.uint32) * top // 255).astype(np.uint16)
        path = tmp_path / f"g{bits}.png"
        path.write_bytes(png(values[..., None], bits, 0, trns=struct.pack(">H", 0)))
        expected = np.rint(values * (255 / top)).astype(np.uint8)
        expected[values == 0] = 255
        close(read_image(path), grey(expected), by=0)
    for bits in (8, 16):
        values = (NOISE[..., :3].astype(np.uint16)) * (1 if bits == 8 else 257)
        values[3, 4] = 1, 2, 3
        path = tmp_path / f"c{bits}.png"
        path.write_bytes(png(values, bits, 2, trns=struct.pack(">3H", 1, 2, 3)))
        read = read_image(path)
        assert read[3, 4].tolist() == [255, 255, 255]
        close(read[5:], NOISE[5:, :, :3], by=0)


def png(values, bits, colour, *, trns=b"", interlaced=False, extra=()):
    """A PNG file, written here: Pillow writes few of the kinds that there are."""
    height, width, _ = values.shape

    def packed(part):
        rows = []
        for row in part:
            if bits == 16:
                data = row.astype(">u2").tobytes()
            elif bits == 8:
                data = row.astype(np.uint8).tobytes()
            else:
                text = "".join(f"{int(v):0{bits}b}" for v in row.ravel())
                text += "0" * (-len(text) % 8)
                data = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
            rows.append(b"\0" + data)
        return b"".join(rows)

    adam = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    parts = [values[y::dy, x::dx] for y, x, dy, dx in [*adam, (1, 0, 2, 1)]]
    raw = b"".join(map(packed, parts)) if interlaced else packed(values)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *extra]
    chunks += [(b"tRNS", trns)] if trns else []
    return png_of(*chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b""))


def png_of(*chunks):
    out = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        out += struct.pack(">I", len(data)) + name + data
        out += struct.pack(">I", zlib.crc32(name + data))
    return out


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("bits", [8, 16])
def test_png_of_every_depth_and_colour(tmp_path, bits, colour, channels, interlaced):
    values = NOISE[..., :channels].astype(np.uint16)
    if bits == 16:
        values = values * 257
    path = tmp_path / "a.png"
    path.write_bytes(png(values, bits, colour, interlaced=interlaced))
    expected = NOISE[..., : channels - (channels in (2, 4))]
    expected = np.repeat(expected, 3, axis=2) if expected.shape[2] == 1 else expected
    if channels in (2, 4):
        expected = over_white(expected, NOISE[..., channels - 1])
    close(read_image(path), expected, by=1 if channels in (2, 4) else 0)
    assert image_size(path) == (31, 23)


@pytest.mark.parametrize("top", [200, 4095, 30_000, 65_535])
@pytest.mark.parametrize("kind", ["png", "tif", "big-endian tif", "lzw tif", "deflate tif"])
@pytest.mark.parametrize("shape", [(23, 31), (23, 31, 3), (23, 31, 4)])
def test_sixteen_bits_are_scaled_by_the_range_that_they_use_grey_and_colour(
    tmp_path, shape, kind, top
):
    """A 12-bit camera's file was black in colour, and right in grey."""
    values = np.random.default_rng(1).integers(0, top + 1, shape).astype(np.uint16)
    values[0, 0] = top
    if len(shape) == 3 and shape[2] == 4:
        values[..., 3] = 65_535
    path = tmp_path / f"a.{kind.split()[-1]}"
    if kind == "png":
        colour = {2: 0, 3: 2, 4: 6}[len(shape) if len(shape) == 2 else shape[2]]
        path.write_bytes(png(values.reshape(*shape[:2], -1), 16, colour))
    elif kind == "lzw tif":
        write_lzw(path, values)
    else:
        photometric = "minisblack" if len(shape) == 2 else "rgb"
        tifffile.imwrite(
            path,
            values,
            photometric=photometric,
            byteorder=">" if "big" in kind else "<",
            compression="deflate" if "deflate" in kind else None,
            extrasamples=["unassalpha"] if shape[-1] == 4 else None,
        )
    full = 255 if top <= 255 else 4095 if top <= 4095 else 65_535
    expected = np.rint(values.astype(float) * (255 / full)).astype(np.uint8)
    expected = grey(expected) if expected.ndim == 2 else expected[..., :3]
    close(read_image(path), expected, by=1 if shape[-1] == 4 else 0)


def write_lzw(path, values):
    """A TIFF file of LZW codes that were not packed: nothing here writes one of 16-bit colour."""
    data, codes = values.astype("<u2").tobytes(), []
    for i, byte in enumerate(data):
        codes += [256] * (i % 200 == 0) + [byte]  # cleared before codes become longer than 9 bits
    text = "".join(f"{code:09b}" for code in [*codes, 257])
    text += "0" * (-len(text) % 8)
    packed = int(text, 2).to_bytes(len(text) // 8, "big")
    height, width = values.shape[:2]
    n = 1 if values.ndim == 2 else values.shape[2]
    tags = {256: width, 257: height, 258: 16, 259: 5, 262: 1 if n == 1 else 2, 277: n, 278: height}
    tags |= {273: 8, 279: len(packed), 339: 1}
    if n == 4:
        tags[338] = 2
    bits = struct.pack(f"<{n}H", *[16] * n)
    at = 8 + len(packed)
    entries = b""
    for key, value in sorted(tags.items()):
        if key == 258 and n > 2:
            entries += struct.pack("<HHII", key, 3, n, at)
        else:
            entries += struct.pack("<HHII", key, 4 if key in (273, 279) else 3, 1, value)
    body = packed + bits + struct.pack("<H", len(tags)) + entries + b"\0" * 4
    path.write_bytes(b"II*\0" + struct.pack("<I", at + len(bits)) + body)


def test_a_12_bit_colour_tiff_is_as_bright_as_the_same_in_grey(tmp_path):
    values = np.linspace(0, 4095, 40 * 30).astype(np.uint16).reshape(40, 30)
    tifffile.imwrite(tmp_path / "grey.tif", values)
    tifffile.imwrite(tmp_path / "colour.tif", grey(values), photometric="rgb")
    np.testing.assert_array_equal(
        read_image(tmp_path / "colour.tif"), read_image(tmp_path / "grey.tif")
    )


TIFFS = {
    "grey with alpha": ({"photometric": "minisblack", "extrasamples": ["unassalpha"]}, 2),
    "planar colour": ({"photometric": "rgb", "planarconfig": "separate"}, 3),
    "tiles": ({"photometric": "rgb", "tile": (16, 16)}, 3),
    "strips": ({"photometric": "rgb", "rowsperstrip": 3}, 3),
    "deflate with differences": (
        {"photometric": "rgb", "compression": "deflate", "predictor": True},
        3,
    ),
    "BigTIFF": ({"photometric": "rgb", "bigtiff": True}, 3),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("layout", TIFFS)
def test_tiff_of_many_layouts(tmp_path, layout, dtype):
    options, channels = TIFFS[layout]
    if options.get("predictor") and dtype.startswith("float"):
        pytest.skip("needs imagecodecs to be written")
    if layout == "grey with alpha" and dtype != "uint16" and dtype != "uint8":
        pytest.skip("not a kind that anybody writes")
    values = NOISE[..., :channels].copy()
    factor = {"uint8": 1, "uint16": 257, "uint32": 16_843_009, "float32": 1 / 255}
    array = (values.astype(np.float64) * factor.get(dtype, 1 / 255)).round(9).astype(dtype)
    if "planar" in layout:
        array = np.moveaxis(array, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    flat = over_white(grey(values[..., 0]), values[..., 1]) if channels == 2 else values
    close(read_image(tmp_path / "a.tif"), flat)
    assert image_size(tmp_path / "a.tif") == (31, 23)


def test_premultiplied_alpha_is_not_multiplied_again(tmp_path):
    colours = np.full((4, 4, 3), 200, np.uint16) * 257
    alpha = np.full((4, 4, 1), 0.5)
    array = np.dstack((colours * alpha, alpha * 65_535)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["assocalpha"])
    close(read_image(tmp_path / "a.tif"), np.full((4, 4, 3), 228, np.uint8))
    grey_alpha = array[..., [0, 3]]
    tifffile.imwrite(
        tmp_path / "b.tif", grey_alpha, photometric="minisblack", extrasamples=["assocalpha"]
    )
    close(read_image(tmp_path / "b.tif"), np.full((4, 4, 3), 228, np.uint8))
    # One that only says so: its colours exceed its alpha, as no multiplied ones can.
    grey_alpha[0, 0] = 65_535, 32_768
    tifffile.imwrite(
        tmp_path / "c.tif", grey_alpha, photometric="minisblack", extrasamples=["assocalpha"]
    )
    close(read_image(tmp_path / "c.tif")[1:], np.full((3, 4, 3), 178, np.uint8))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_may_be_zero(tmp_path, dtype):
    values = NOISE[..., 0].astype(dtype) * (1 if dtype == "uint8" else 257)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite")
    close(read_image(tmp_path / "a.tif"), 255 - grey(NOISE[..., 0]), by=0)


def test_floats_are_stretched_and_what_is_not_finite_does_no_harm(tmp_path):
    values = np.linspace(-5, 20, 30).astype(np.float32).reshape(5, 6)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    for name, array in (("a.tif", values), ("b.tif", np.dstack([values] * 3))):
        photometric = "rgb" if array.ndim == 3 else "minisblack"
        tifffile.imwrite(tmp_path / name, array, photometric=photometric)
        read = read_image(tmp_path / name)
        assert read[0, :3, 0].tolist() == [0, 255, 0]
        assert read[-1, -1].tolist() == [255] * 3
        assert (np.diff(read[..., 0].ravel()[3:].astype(int)) >= 0).all()
    tifffile.imwrite(tmp_path / "c.tif", np.full((3, 3), np.nan, np.float32))
    assert not read_image(tmp_path / "c.tif").any()
    tifffile.imwrite(tmp_path / "d.tif", np.array([[-3e38, 3e38]], np.float32))
    assert read_image(tmp_path / "d.tif")[0, :, 0].tolist() == [0, 255]
    tifffile.imwrite(tmp_path / "e.tif", np.array([[-1.7e308, 1.7e308]]))
    assert read_image(tmp_path / "e.tif")[0, :, 0].tolist() == [0, 255]


def test_negative_values_are_black(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[-5, 0, 4095]], np.int16))
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 0, 255]


def test_cmyk_and_lab(tmp_path):
    cmyk = np.zeros((8, 8, 4), np.uint8)
    cmyk[..., 0] = 255
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.jpg", quality=95)
    close(read_image(tmp_path / "a.jpg"), np.tile(np.array([0, 255, 255], np.uint8), (8, 8, 1)), 3)
    lab = np.tile(np.array([255 * 53 // 100, 80, 67], np.int16), (2, 2, 1))  # red
    tifffile.imwrite(tmp_path / "b.tif", lab.astype(np.uint8), photometric="cielab")
    read = read_image(tmp_path / "b.tif")
    assert read[0, 0, 0] > 240
    assert read[0, 0, 1:].max() < 30


def test_of_several_frames_it_is_the_first(tmp_path):
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "green", "blue")]
    for name in ("a.gif", "a.webp", "a.tif", "a.png", "a.avif", "a.mpo"):
        kind = {"a.mpo": "MPO"}.get(name)
        frames[0].save(
            tmp_path / name, format=kind, save_all=True, append_images=frames[1:], quality=95
        )
        read = read_image(tmp_path / name)
        assert read.shape == (10, 20, 3)
        close(read, np.tile(np.array([255, 0, 0], np.uint8), (10, 20, 1)), by=12)
        assert image_size(tmp_path / name) == (20, 10)


@pytest.mark.parametrize(
    "suffix", ["jpg", "png", "webp", "tif", "avif", "16.tif", "16.png", "planar.tif"]
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_format(tmp_path, suffix, orientation):
    array = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 50, np.ones((16, 16), np.uint8))
    array = grey(array)
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    if suffix == "16.png":
        tag = exif.tobytes()[6:]
        path.write_bytes(png(array.astype(np.uint16) * 257, 16, 2, extra=[(b"eXIf", tag)]))
    elif suffix in ("16.tif", "planar.tif"):
        planar = suffix == "planar.tif"
        values = array.astype(np.uint16) * 257
        tifffile.imwrite(
            path,
            np.moveaxis(values, 2, 0) if planar else values,
            photometric="rgb",
            planarconfig="separate" if planar else "contig",
            extratags=[(0x0112, 3, 1, orientation, True)],
        )
    else:
        Image.fromarray(array).save(path, exif=exif, quality=100)
    turned = Image.fromarray(array)
    turned.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned))
    close(read_image(path), expected, by=6)
    assert image_size(path) == (expected.shape[1], expected.shape[0])
    if orientation >= 5:
        close(read_image(path, size=(48, 32)), array, by=6)


def test_an_orientation_behind_the_pixels_of_a_png_counts_for_size_and_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png(RGB.astype(np.uint16), 8, 2)
    tail = data[-12:]
    chunk = png_of((b"eXIf", exif.tobytes()[6:]))[8:]
    (tmp_path / "a.png").write_bytes(data[:-12] + chunk + tail)
    assert image_size(tmp_path / "a.png") == (5, 7)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(RGB, -1))


def test_a_damaged_exif_does_not_cost_the_image(tmp_path):
    save(tmp_path / "a.jpg", RGB, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff", quality=100)
    assert read_image(tmp_path / "a.jpg").shape == (5, 7, 3)
    assert image_size(tmp_path / "a.jpg") == (7, 5)


def test_heic_is_told_where_it_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99)
    monkeypatch.setattr(reading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r"a\.heic: is a HEIC file.*pillow-heif"):
        read_image(tmp_path / "a.heic")


# -- what is no image --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "an EPS file called .jpg"),
        (b"\xc5\xd0\xd3\xc6" + b"\0" * 60, "an EPS file"),
        (b"%PDF-1.7\n", "a PDF file"),
        (b"DDS " + struct.pack("<I", 124) + b"\xff" * 120, "a DDS file"),
        (b"8BPS\0\1" + b"\0" * 60, "a PSD file"),
        (b"\0\0\1\0\1\0" + b"\0" * 60, "an ICO file"),
        (b"<?xml version='1.0'?><svg xmlns='x'>", "an SVG file"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b'{"error": 404}', "a JSON file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a film"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 file"),
        (b"PK\3\4" + b"\0" * 60, "a ZIP file"),
        (b"\0" * 100, "begins with zeros only"),
        (b"nothing known at all", "no image that is known"),
        (b"", "is empty"),
    ],
)
def test_another_format_is_named_and_its_program_is_not_started(tmp_path, monkeypatch, data, what):
    def forbidden(*args, **options):
        raise AssertionError(f"started {args}")

    for owner, name in ((subprocess, "Popen"), (os, "system"), (os, "posix_spawn")):
        monkeypatch.setattr(owner, name, forbidden)
    (tmp_path / "a.jpg").write_bytes(data)
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=what) as caught:
            read(tmp_path / "a.jpg")
        assert "a.jpg" in str(caught.value)
        assert "expected" in str(caught.value)


def test_a_folder_with_what_ends_pillow_still_gives_the_others(tmp_path):
    from napari_fashion.coco import Dataset
    from napari_fashion.schema import Schema

    save(tmp_path / "a.png", RGB)
    (tmp_path / "b.png").write_bytes(b"DDS " + struct.pack("<I", 124) + b"\xff" * 120)
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 9)
    (tmp_path / "d.tif").write_bytes(b"II*\0\xff\xff\xff\x7f")
    dataset = Dataset.from_folder(tmp_path, schema=Schema.load("garments"))
    assert [image.file_name for image in dataset.images] == ["a.png"]
    assert [path.name for path, _ in dataset.left_out] == ["b.png", "c.jpg", "d.tif"]


@pytest.mark.skipif(os.name == "nt", reason="these are files of POSIX systems")
def test_only_regular_files_are_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the name of a socket must be short
        server.bind("s.jpg")
        for name, what in {
            "pipe.jpg": "a pipe",
            "folder.jpg": "a folder",
            "zero.jpg": "a device",
            "s.jpg": "a socket",
            "loop.jpg": "not a readable image",
        }.items():
            for read in (read_image, image_size):
                with pytest.raises(ImageError, match=what):
                    read(tmp_path / name)


def test_truncated_and_random_files_end_in_a_sentence(tmp_path):
    rng = np.random.default_rng(3)
    for kind in ("jpg", "png", "webp", "tif", "gif", "bmp", "avif"):
        whole = save(tmp_path / f"w.{kind}", NOISE[..., :3]).read_bytes()
        for n in (1, 3, 12, 40, len(whole) // 2, len(whole) - 3):
            path = tmp_path / f"t.{kind}"
            path.write_bytes(whole[:n])
            with contextlib.suppress(ImageError):
                assert read_image(path).shape == (23, 31, 3)
        path.write_bytes(whole[:16] + rng.bytes(500))
        with pytest.raises(ImageError):
            read_image(path)


@pytest.mark.parametrize(
    "error", [MemoryError, RecursionError, struct.error, IndexError, zlib.error]
)
def test_whatever_a_decoder_raises_is_this_image_s_failure(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error("inside")

    save(tmp_path / "a.png", RGB)
    monkeypatch.setattr(reading, "_open", fail)
    for read in (read_image, image_size):
        with pytest.raises(ImageError, match=r"a\.png"):
            read(tmp_path / "a.png")


# -- bombs -------------------------------------------------------------------------------------


def bounded(code, *arguments, megabytes=700, seconds=60):
    """Run code in a process that may use so much memory and time; return what it printed."""
    limit = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20}, {megabytes << 20}))\n"
        f"resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", limit + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * seconds,
        env=environment,
    )


READ_ALL = """
from napari_fashion.errors import ImageError
from napari_fashion.images import image_size, read_image
for path in sys.argv[1:]:
    for read in (image_size, read_image):
        try:
            read(path)
        except ImageError as error:
            print(error)
        else:
            print(path, 'was read')
"""


def header_bombs(folder):
    """Small files that say that they are huge."""
    deflated = zlib.compress(b"\0" * 3_000_000, 9)
    header = struct.pack(">IIBBBBB", 17_000, 17_000, 8, 2, 0, 0, 0)
    files = {
        "a.png": png_of((b"IHDR", header), (b"IDAT", deflated), (b"IEND", b"")),
        "b.gif": b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b";" + b"\0" * 20,
        "c.bmp": b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 99_999, 99_999, 1, 24, *[0] * 6),
        "d.tif": _tiff({256: 2**31, 257: 2**31, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 279: 8}),
        "e.tif": _tiff({256: 1, 257: 2**31, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 279: 8}),
        "f.bmp": b"BM"  # run-length coded, 300 million pixels wide
        + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 140_000_000, 1, 1, 8, 1, *[0] * 5)
        + b"\0\2\xff\xff" * 9,
        "g.webp": b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\xff" * 2,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def _tiff(tags):
    entries = b"".join(
        struct.pack("<HHII", key, 4, 1, value) for key, value in sorted(tags.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0" * 4


def test_headers_are_believed_before_anything_is_decoded(tmp_path):
    files = header_bombs(tmp_path)
    result = bounded(READ_ALL, *files, megabytes=500, seconds=20)
    assert result.returncode == 0, result.stderr
    assert "was read" not in result.stdout
    lines = result.stdout.splitlines()
    assert len(lines) == 2 * len(files)
    assert "17000 x 17000 are 289,000,000 pixels; expected at most 150,000,000" in lines[0]
    assert "NAPARI_FASHION_MAX_PIXELS=289000000" in lines[0]


def test_what_unpacks_to_much_more_is_bounded(tmp_path):
    """Text and colour profiles of a PNG, segments of a TIFF, scans of a JPEG."""
    bomb = zlib.compress(b"\0" * 200_000_000, 9)
    good = png(RGB.astype(np.uint16), 8, 2)
    text = png_of((b"zTXt", b"k\0\0" + bomb))[8:]
    profile = png_of((b"iCCP", b"k\0\0" + bomb))[8:]
    (tmp_path / "text.png").write_bytes(good[:33] + text + good[33:])
    (tmp_path / "profile.png").write_bytes(good[:33] + profile + good[33:])
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((4, 4, 2), np.uint16),
        photometric="minisblack",
        extrasamples=["unassalpha"],
        compression="deflate",
    )
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        at = page.tags["StripOffsets"].valueoffset, page.tags["StripByteCounts"].valueoffset
    data = bytearray((tmp_path / "a.tif").read_bytes())
    struct.pack_into("<I", data, at[0], len(data))
    struct.pack_into("<I", data, at[1], len(bomb))
    (tmp_path / "a.tif").write_bytes(bytes(data) + bomb)
    buffer = io.BytesIO()
    Image.new("RGB", (8000, 8000)).save(buffer, "JPEG", progressive=True)
    jpeg = buffer.getvalue()
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    (tmp_path / "scans.jpg").write_bytes(jpeg[:-2] + scan * 200 + jpeg[-2:])
    files = [tmp_path / name for name in ("text.png", "profile.png", "a.tif", "scans.jpg")]
    result = bounded(READ_ALL, *files, megabytes=700, seconds=20)
    assert result.returncode == 0, result.stderr
    assert "unpacks to more" in result.stdout
    assert "a progressive JPEG of" in result.stdout


def test_the_limit_can_be_raised_and_says_when_it_is_no_number(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", RGB)
    monkeypatch.setenv("NAPARI_FASHION_MAX_PIXELS", "34")
    with pytest.raises(ImageError, match=r"7 x 5 are 35 pixels; expected at most 34"):
        image_size(path)
    set_pixel_limit(35)
    assert pixel_limit() == 35
    assert os.environ["NAPARI_FASHION_MAX_PIXELS"] == "35"  # for the processes that are started
    assert image_size(path) == (7, 5)
    with pytest.raises(ValueError, match="positive"):
        set_pixel_limit(0)
    for text in ("many", "-5", "1e9", "9" * 5000):
        monkeypatch.setenv("NAPARI_FASHION_MAX_PIXELS", text)
        with pytest.raises(ImageError, match="NAPARI_FASHION_MAX_PIXELS"):
            read_image(path)
    monkeypatch.setenv("NAPARI_FASHION_MAX_PIXELS", "")
    assert pixel_limit() == limits.MAX_PIXELS


def test_pillow_s_own_limit_stays_as_it_is_and_is_not_asked(tmp_path, monkeypatch):
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("a.png", "a.jpg", "a.tif", "a.bmp"):
        save(tmp_path / name, RGB)
        assert read_image(tmp_path / name).shape == (5, 7, 3)
    monkeypatch.undo()
    assert Image.MAX_IMAGE_PIXELS == before == 89_478_485


def test_files_of_too_many_bytes_are_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", RGB)
    webp = save(tmp_path / "a.webp", RGB)
    monkeypatch.setattr(reading, "MAX_BYTES", 20)
    with pytest.raises(ImageError, match="at most 20"):
        read_image(path)
    monkeypatch.undo()
    monkeypatch.setattr(reading, "MAX_WHOLE_BYTES", 20)
    with pytest.raises(ImageError, match="more than 20 bytes"):
        read_image(webp)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_bytes_are_converted_without_copies_in_floats(tmp_path, mode):
    """64 bytes a pixel were used for RGBA; what is needed is 4 (Pillow's) and 3 (ours)."""
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (4000, 3000)).save(path)
    code = (
        "from napari_fashion.images import read_image\n"
        "import numpy\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); a = read_image(sys.argv[1]); print((peak() - before) * 1024 / 12e6)"
    )
    result = bounded(code, path, megabytes=3000)
    assert float(result.stdout) < 13, result.stdout + result.stderr


# -- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64", "bool"])
def test_arrays_of_any_type_are_converted_strip_by_strip(monkeypatch, dtype, channels):
    from napari_fashion.images import values

    top = {"uint8": 255, "uint16": 65_535, "int32": 65_535, "bool": 1}.get(dtype, 1.0)
    unit = np.round(NOISE[..., :channels] / 255) if dtype == "bool" else NOISE[..., :channels] / 255
    array = (unit * top).astype(dtype)
    once = to_rgb(array)
    monkeypatch.setattr(values, "STRIP", 40)
    np.testing.assert_array_equal(to_rgb(array), once)
    expected = unit[..., : channels - (channels in (2, 4))]
    expected = np.repeat(expected, 3, axis=2) if expected.shape[2] == 1 else expected
    if channels in (2, 4):
        expected = expected * unit[..., -1:] + 1 - unit[..., -1:]
    close(once, np.rint(expected * 255).astype(np.uint8))


@pytest.mark.parametrize(
    "array",
    [np.zeros((0, 5, 3)), np.zeros((2, 2), complex), np.array([["a"]]), np.zeros((2, 2, 5))],
)
def test_arrays_that_are_no_images_are_refused(array):
    with pytest.raises(ImageError, match="Found"):
        to_rgb(array)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_reduced_image_is_the_same_picture(tmp_path, suffix, orientation):
    """As it stands when it is read whole, no smaller than asked for and less than twice as large."""
    ramp = np.zeros((803, 1205, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, 1205)
    ramp[..., 1] = np.linspace(0, 255, 803)[:, None]
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(ramp).save(path, exif=exif, **({"quality": 95} if suffix == "jpg" else {}))
    whole = read_image(path)
    reduced = read_reduced(path, (300, 250))
    height, width = whole.shape[:2]
    assert reduced.size == (width, height)
    assert not reduced.is_whole
    share = min(300 / width, 250 / height)
    h, w = reduced.rgb.shape[:2]
    assert w >= width * share
    assert h >= height * share
    assert w < 2 * width * share + 2
    expected = np.asarray(Image.fromarray(whole).resize((w, h), Image.Resampling.BOX))
    assert abs(reduced.rgb.astype(int) - expected).max() <= 6
    np.testing.assert_array_equal(read_reduced(path, (2000, 2000)).rgb, whole)


def test_a_reduced_image_of_an_unrotated_record_is_unrotated(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((400, 600, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert read_reduced(tmp_path / "a.jpg", (100, 100)).size == (400, 600)
    reduced = read_reduced(tmp_path / "a.jpg", (100, 100), size=(600, 400))
    assert reduced.size == (600, 400)
    assert reduced.rgb.shape == (100, 150, 3)


def test_a_reduced_image_has_the_limits_of_the_whole_one(tmp_path, monkeypatch):
    path = save(tmp_path / "a.jpg", np.zeros((400, 600, 3), np.uint8), progressive=True)
    monkeypatch.setattr(limits, "MAX_PIXELS", 100 * 100)
    with pytest.raises(ImageError, match="600 x 400"):
        read_reduced(path, (50, 50))
    monkeypatch.undo()
    monkeypatch.setattr(reading, "MAX_SCANS", 0)
    with pytest.raises(ImageError, match="600 x 400 pixels, which would"):
        read_reduced(path, (50, 50))

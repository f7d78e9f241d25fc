"""Sizes read directly from JPEG headers are those that Pillow finds."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image

from napari_fashion.errors import ImageError
from napari_fashion.images import image_size, set_pixel_limit
from napari_fashion.images.headers import jpeg_size, quick_size
from napari_fashion.images.limits import MAX_PIXELS_VARIABLE


def jpeg(size=(31, 57), **options):
    stream = io.BytesIO()
    Image.new("RGB", size, "teal").save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg(progressive=True),
        jpeg(comment=b"x" * 6000),
        jpeg(icc_profile=b"i" * 70_000),
        jpeg()[:2] + b"\xff\xff" + jpeg()[2:],
    ],
)
def test_plain_files_are_read_directly(tmp_path, data):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert quick_size(path) == image_size(path) == (31, 57)
    assert jpeg_size(data) == (31, 57)


def test_exif_is_left_to_the_reader_that_knows_rotation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(exif=exif.tobytes())
    assert jpeg_size(data) is None
    (tmp_path / "a.jpg").write_bytes(data)
    assert quick_size(tmp_path / "a.jpg") == image_size(tmp_path / "a.jpg") == (57, 31)


def test_other_formats_are_read_too(tmp_path):
    Image.new("L", (9, 4)).save(tmp_path / "a.png")
    assert quick_size(tmp_path / "a.png") == (9, 4)


def test_whatever_is_cut_off_is_no_size_and_never_another_error(tmp_path):
    whole = jpeg()
    path = tmp_path / "a.jpg"
    for n in range(len(whole)):
        found = jpeg_size(whole[:n])
        assert found in (None, (31, 57))
    for n in (0, 1, 2, 20, 120):
        path.write_bytes(whole[:n])
        with pytest.raises(ImageError, match=r"a\.jpg"):
            quick_size(path)


def test_damage_is_no_other_size(tmp_path):
    assert jpeg_size(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 20) is None
    assert jpeg_size(b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x00\x01\x01\x11\x00") is None
    assert jpeg_size(b"") is None


def test_what_is_missing_or_a_pipe_or_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ImageError, match="no such file"):
        quick_size(tmp_path / "gone.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="is a pipe"):
        quick_size(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").write_bytes(jpeg())
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "1")
    set_pixel_limit(100)
    with pytest.raises(ImageError, match="expected at most 100"):
        quick_size(tmp_path / "a.jpg")

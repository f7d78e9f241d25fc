from __future__ import annotations

import pytest
from napari_fashion.coco.pictures import picture_files, picture_size
from PIL import Image, ImageOps

from napari_fashion.errors import PictureError


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_picture_as_it_is_seen(tmp_path, suffix, orientation):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    with Image.open(path) as picture:
        expected = ImageOps.exif_transpose(picture).size
    assert picture_size(path) == expected


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "I;16", "CMYK"])
def test_any_kind_of_picture(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new(mode, (5, 4)).save(path)
    assert picture_size(path) == (5, 4)


def test_only_the_header_is_read(tmp_path):
    path = tmp_path / "a.jpg"
    Image.effect_noise((400, 300), 50).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    assert picture_size(path) == (400, 300)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(PictureError, match=r"a\.jpg: not a picture that can be read"):
        picture_size(tmp_path / "a.jpg")
    with pytest.raises(PictureError, match=r"b\.jpg: no such file"):
        picture_size(tmp_path / "b.jpg")


def test_files_come_sorted_and_relative(tmp_path):
    for name in [
        "b.JPG",
        "a.png",
        "z/y/c.tiff",
        "z/a.jpeg",
        ".x.jpg",
        ".git/d.jpg",
        "n.txt",
        "jpg",
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(picture_files(tmp_path)) == ["a.png", "b.JPG", "z/a.jpeg", "z/y/c.tiff"]

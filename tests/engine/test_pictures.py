from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_fashion.engine.pictures import Placement, read_picture, resize, to_rgb, write_png
from napari_fashion.errors import PictureError

RGB = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def test_rgb_file_comes_back_as_it_was(tmp_path):
    write_png(tmp_path / "deep" / "a.png", RGB)
    np.testing.assert_array_equal(read_picture(tmp_path / "deep" / "a.png"), RGB)


def test_grey_and_16_bit_files(tmp_path):
    grey = np.linspace(0, 255, 35).astype(np.uint8).reshape(5, 7)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png"), expected)
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), expected)


def test_transparent_becomes_white_and_palette_is_read(tmp_path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0, 0] = 10, 20, 30, 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png")
    assert read[0, 0].tolist() == [10, 20, 30]
    assert read[1, 1].tolist() == [255, 255, 255]
    Image.fromarray(RGB).quantize(8).save(tmp_path / "p.png")
    assert read_picture(tmp_path / "p.png").shape == (5, 7, 3)


def _exif(tmp_path, orientation):
    picture = Image.fromarray(RGB)
    exif = picture.getexif()
    exif[0x0112] = orientation
    path = tmp_path / f"{orientation}.png"
    picture.save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(1, RGB), (3, RGB[::-1, ::-1]), (6, np.rot90(RGB, -1)), (8, np.rot90(RGB))],
)
def test_exif_rotation_is_applied(tmp_path, orientation, expected):
    np.testing.assert_array_equal(read_picture(_exif(tmp_path, orientation)), expected)


def test_annotations_of_the_unrotated_picture_win(tmp_path):
    path = _exif(tmp_path, 6)
    assert read_picture(path, size=(7, 5)).shape == (5, 7, 3)
    assert read_picture(path, size=(5, 7)).shape == (7, 5, 3)


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(PictureError, match="no such picture"):
        read_picture(tmp_path / "none.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    with pytest.raises(PictureError, match="not a readable picture"):
        read_picture(tmp_path / "bad.jpg")
    write_png(tmp_path / "cut.png", np.zeros((99, 99, 3), np.uint8))
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PictureError):
        read_picture(tmp_path / "cut.png")
    with pytest.raises(PictureError, match="shape"):
        to_rgb(np.zeros((2, 3, 4, 5)))


def test_to_rgb_scales_by_type():
    assert to_rgb(np.array([[True, False]]))[0, 0].tolist() == [255] * 3
    assert to_rgb(np.array([[0.5]]))[0, 0].tolist() == [128] * 3
    assert to_rgb(np.array([[4095]], np.uint16))[0, 0].tolist() == [255] * 3
    assert to_rgb(np.array([[np.nan]]))[0, 0].tolist() == [0] * 3


@pytest.mark.parametrize("size", [(400, 533), (533, 400), (31, 200), (192, 192)])
@pytest.mark.parametrize("stride", [4, 8, 16])
def test_cells_cover_the_picture_exactly(size, stride):
    margin = max(8, stride)
    place = Placement.fit(*size, 192, 32, margin)
    assert max(place.size) == 192
    for padded, side in zip(place.padded, place.size, strict=True):
        assert padded % 32 == 0
        assert 0 <= padded - side - 2 * margin < 32
    scale, offset = place.cell_geometry(stride)
    for axis in range(2):
        # The left edge of cell 0 is the picture's left edge; the last input pixel's right edge
        # its right edge.
        assert -0.5 * scale[axis] + offset[axis] == pytest.approx(-0.5)
        last = place.size[axis] / stride - 0.5
        assert last * scale[axis] + offset[axis] == pytest.approx(size[axis] - 0.5)


def test_resize_keeps_the_edges_together():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 30:] = 200
    small = resize(picture, (30, 20))
    assert small.shape == (20, 30, 3)
    assert small[:, 14].max() < 60
    assert small[:, 15].min() > 140


def test_slivers_are_stretched_to_some_cells_and_places_still_agree() -> None:
    place = Placement.fit(200, 3, 224, 32, 8, 16)
    assert place.size == (224, 16)
    (sx, sy), (ox, oy) = place.cell_geometry(8)
    assert 28 * sx == pytest.approx(200)  # cells across the picture
    assert 2 * sy == pytest.approx(3)
    assert (ox, oy) == pytest.approx((sx / 2 - 0.5, sy / 2 - 0.5))
    assert Placement.fit(200, 100, 224, 32, 8, 16) == Placement.fit(200, 100, 224, 32, 8)


def test_a_cut_picture_may_be_less_narrow_to_the_network() -> None:
    assert Placement.fit(200, 50, 224, 32, 8, aspect=1.0).size == (224, 56)
    even = Placement.fit(200, 50, 224, 32, 8, aspect=0.5)
    assert even.size == (224, 112)
    assert Placement.fit(50, 200, 224, 32, 8, aspect=0.5).size == (112, 224)
    assert Placement.fit(50, 200, 224, 32, 8, aspect=0.0).size == (224, 224)
    (sx, sy), (ox, oy) = even.cell_geometry(8)
    assert (28 * sx, 14 * sy) == pytest.approx((200, 50))  # cells cover the picture all the same
    assert (ox, oy) == pytest.approx((sx / 2 - 0.5, sy / 2 - 0.5))

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_fashion.images.transforms import Placement, resize, write_png

RGB = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def test_a_png_is_written_with_its_folder(tmp_path):
    write_png(tmp_path / "deep" / "a.png", RGB)
    with Image.open(tmp_path / "deep" / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), RGB)


@pytest.mark.parametrize("size", [(400, 533), (533, 400), (31, 200), (192, 192)])
@pytest.mark.parametrize("stride", [4, 8, 16])
def test_cells_cover_the_image_exactly(size, stride):
    margin = max(8, stride)
    place = Placement.fit(*size, 192, 32, margin)
    assert max(place.size) == 192
    for padded, side in zip(place.padded, place.size, strict=True):
        assert padded % 32 == 0
        assert 0 <= padded - side - 2 * margin < 32
    scale, offset = place.cell_geometry(stride)
    for axis in range(2):
        # The left edge of cell 0 is the image's left edge; the last input pixel's right edge
        # its right edge.
        assert -0.5 * scale[axis] + offset[axis] == pytest.approx(-0.5)
        last = place.size[axis] / stride - 0.5
        assert last * scale[axis] + offset[axis] == pytest.approx(size[axis] - 0.5)


def test_resize_keeps_the_edges_together():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = 200
    small = resize(image, (30, 20))
    assert small.shape == (20, 30, 3)
    assert small[:, 14].max() < 60
    assert small[:, 15].min() > 140


def test_slivers_are_stretched_to_some_cells_and_places_still_agree() -> None:
    place = Placement.fit(200, 3, 224, 32, 8, 16)
    assert place.size == (224, 16)
    (sx, sy), (ox, oy) = place.cell_geometry(8)
    assert 28 * sx == pytest.approx(200)  # cells across the image
    assert 2 * sy == pytest.approx(3)
    assert (ox, oy) == pytest.approx((sx / 2 - 0.5, sy / 2 - 0.5))
    assert Placement.fit(200, 100, 224, 32, 8, 16) == Placement.fit(200, 100, 224, 32, 8)


def test_a_cut_image_may_be_less_narrow_to_the_network() -> None:
    assert Placement.fit(200, 50, 224, 32, 8, aspect=1.0).size == (224, 56)
    even = Placement.fit(200, 50, 224, 32, 8, aspect=0.5)
    assert even.size == (224, 112)
    assert Placement.fit(50, 200, 224, 32, 8, aspect=0.5).size == (112, 224)
    assert Placement.fit(50, 200, 224, 32, 8, aspect=0.0).size == (224, 224)
    (sx, sy), (ox, oy) = even.cell_geometry(8)
    assert (28 * sx, 14 * sy) == pytest.approx((200, 50))  # cells cover the image all the same
    assert (ox, oy) == pytest.approx((sx / 2 - 0.5, sy / 2 - 0.5))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.fields import average_fields
from synthetic_fields import Scene

pair = st.tuples(st.floats(0.1, 64), st.floats(0.1, 64))


def test_arrays_are_float32_and_contiguous() -> None:
    fields = Scene(5, 7).fields(pif_spread=np.zeros((8, 7, 5)).transpose(0, 2, 1))
    assert fields.pif_spread.dtype == np.float32
    assert fields.pif_spread.flags.c_contiguous
    assert fields.grid == (5, 7)
    assert fields.n_landmarks == 8


@given(scale=pair, offset=pair, xy=pair)
def test_pixels_and_cells_are_inverse(scale, offset, xy) -> None:
    fields = Scene(2, 2).fields(scale=scale, offset=offset)
    pixels = fields.to_pixels([xy, (0, 0)])
    assert pixels[1] == pytest.approx(offset)
    assert pixels[0] == pytest.approx([xy[i] * scale[i] + offset[i] for i in range(2)])
    assert fields.to_cells(pixels)[0] == pytest.approx(xy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pif_confidence": np.zeros((5, 7))}, "pif_confidence has shape"),
        ({"pif_xy": np.zeros((8, 5, 7))}, "pif_xy has shape"),
        ({"paf_xy2": np.zeros((11, 2, 5, 6))}, "paf_xy2 has shape"),
        ({"category": np.zeros((15, 4, 7))}, "category has shape"),
        ({"edges": ((0, 8), *Scene(1, 1).edges[1:])}, r"edge \(0, 8\)"),
        ({"edges": ()}, "expected \\(0, 5, 7\\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        Scene(5, 7).fields(**change)


def look(cells, scale, place, *, spread, confidence=0.8, category=0.0):
    """Fields in which every cell of landmark 0 says `place` (pixels) with a spread in pixels."""
    scene = Scene(*cells)
    offset = (scale / 2 - 0.5, scale / 2 - 0.5)
    xy = np.zeros((8, 2, *cells))
    xy[0] = ((np.array(place) - offset) / scale)[:, None, None]
    sure = np.zeros((8, *cells))
    sure[0] = confidence
    return scene.fields(
        pif_confidence=sure,
        pif_xy=xy,
        pif_spread=np.full((8, *cells), spread / scale),
        pif_size=np.full((8, *cells), 2 * spread / scale),
        category=np.full((15, *cells), category),
        scale=(scale, scale),
        offset=offset,
    )


def test_looks_at_several_sizes_are_averaged_in_pixels() -> None:
    fine = look((16, 12), 8.0, (50, 70), spread=2, confidence=0.6, category=1.0)
    coarse = look((11, 8), 12.0, (53, 70), spread=4, confidence=0.9, category=3.0)
    both = average_fields([fine, coarse])
    assert both.grid == fine.grid
    assert (both.scale, both.offset) == (fine.scale, fine.offset)
    # Weights: confidence over the square of the spread, 0.6 / 4 to 0.9 / 16.
    share = (0.9 / 16) / (0.6 / 4 + 0.9 / 16)
    place = both.to_pixels(np.moveaxis(both.pif_xy[0], 0, -1))
    assert place == pytest.approx(np.broadcast_to((50 + 3 * share, 70), place.shape), abs=1e-3)
    assert both.pif_spread[0] * 8 == pytest.approx(np.full(fine.grid, 2 + 2 * share))
    assert both.pif_confidence[0] == pytest.approx(np.full(fine.grid, 0.75))
    assert both.category == pytest.approx(np.full((15, 16, 12), 2.0))


def test_a_look_alone_stays_as_it_is_and_the_same_twice_too() -> None:
    scene = Scene(9, 7)
    scene.landmark(2, (3.3, 4.1))
    fields = scene.fields(scale=(3.0, 2.0), offset=(1.0, 0.5))
    assert average_fields([fields]) is fields
    twice = average_fields([fields, fields])
    for name in ("pif_confidence", "pif_xy", "pif_size", "paf_xy2", "category"):
        assert getattr(twice, name) == pytest.approx(getattr(fields, name), abs=1e-4)


def test_a_cell_takes_the_nearest_cell_of_another_look() -> None:
    fine, coarse = look((8, 8), 4.0, (9, 9), spread=1), look((4, 4), 8.0, (9, 9), spread=1)
    coarse.category[0] = np.arange(16).reshape(4, 4)
    both = average_fields([fine, coarse])
    assert (2 * both.category[0] == np.kron(np.arange(16).reshape(4, 4), np.ones((2, 2)))).all()

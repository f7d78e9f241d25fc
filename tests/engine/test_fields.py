from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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

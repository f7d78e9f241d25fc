from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.evaluation.charts import Axis, Dot, Line, dot_chart, line_chart, ticks

SVG = "{http://www.w3.org/2000/svg}"
AXIS = Axis("<x> & unit", lambda v: f"{v:g}")
numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(numbers, st.floats(1e-6, 1e6))
def test_ticks_are_round_and_within(low, span) -> None:
    found = ticks(low, low + span)
    assert len(found) <= 8
    slack = 1e-6 * max(abs(low), span)
    assert all(low - slack <= v <= low + span + slack for v in found)
    assert found == sorted(set(found))


def places(svg, tag="polyline"):
    root = ElementTree.fromstring(svg)
    for line in root.iter(f"{SVG}{tag}"):
        yield [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]


def test_points_lie_where_their_numbers_are() -> None:
    chart = line_chart([Line("a", [(0, 0), (1, 0.5), (2, 1)])], AXIS, Axis("y", str, high=1.0))
    (path,) = places(chart)
    (x0, y0), (x1, y1), (x2, y2) = path
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y2 < y1 < y0
    texts = [t.text for t in ElementTree.fromstring(chart).iter(f"{SVG}text")]
    assert "<x> & unit" in texts


@given(st.lists(st.tuples(numbers, numbers), max_size=6), st.booleans())
def test_any_numbers_make_a_chart_inside_its_frame(points, marked) -> None:
    points = sorted(points)
    lines = [
        Line("a", points, marked=marked),
        Line("b", points[:1], [(0.0, 1.0)] * len(points[:1])),
    ]
    chart = line_chart(lines, Axis("x", str, low=None), Axis("y", str, low=None))
    if not points:
        assert chart == ""
        return
    for path in places(chart):
        assert all(0 <= x <= 500 and 0 <= y <= 300 for x, y in path)


def test_intervals_are_bands_and_bars() -> None:
    line = Line("a", [(0, 1), (1, 2), (2, 2)], [(0.5, 1.5), None, (1, 3)])
    ((*band,),) = places(line_chart([line], AXIS, AXIS), "polygon")
    assert len(band) == 4
    rows = [
        Dot("left hem", [0.1, None], [(0.05, 0.2), None]),
        Dot("none", [None, None], [None] * 2),
    ]
    chart = dot_chart(rows, ["box", "whole"], AXIS)
    root = ElementTree.fromstring(chart)
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert "left hem" in texts
    assert "none" not in texts
    assert dot_chart([], ["box"], AXIS) == ""

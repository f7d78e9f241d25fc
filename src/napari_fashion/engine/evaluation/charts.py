"""Charts as inline SVG: lines over a number, and points with intervals; well-formed XML, no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#2463b4", "#c2571a", "#2e7d4f", "#8a4fa3", "#6b7280")
"""Colours of lines, in this order; told apart on white by most eyes."""

_INK, _GREY, _GRID = "#1f2933", "#5b6673", "#e4e7eb"
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 18, 14, 46
_LETTER = 6.4
"""Width of a letter at 12 pixels, on the average."""
_MOST_LETTERS = 46
"""Letters of a row's label; longer ones are shortened."""

Text = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes
    ----------
    label
        In the legend.
    points
        x and y of each point, in the order of x.
    bounds
        Lower and upper bound of y at each point; empty, or as many as points.
    marked
        Whether points have marks.
    """

    label: str
    points: Sequence[tuple[float, float]]
    bounds: Sequence[tuple[float, float] | None] = ()
    marked: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes
    ----------
    label
        What is measured, with its unit.
    text
        Writes a tick.
    low, high
        Ends of the axis; None for those of the data.
    """

    label: str
    text: Text
    low: float | None = 0.0
    high: float | None = None


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from `low` to `high`: 1, 2 or 5 times a power of ten apart.

    >>> ticks(0, 0.3)
    [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    """
    span = high - low
    if not span > 0:
        return [low]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def line_chart(
    lines: Sequence[Line], x: Axis, y: Axis, *, width: int = 500, height: int = 300
) -> str:
    """Draw lines over a number, with a legend if there are several.

    Lines of fewer than one point are left out; a chart of none is empty text.
    """
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    legend = 22 * (len(lines) > 1)
    frame = _Frame(lines, x, y, width, height, _TOP + legend)
    parts = [frame.grid(x, y)]
    for line, colour in zip(lines, _cycle(len(lines)), strict=True):
        parts.append(frame.band(line, colour))
        parts.append(frame.line(line, colour))
    if legend:
        parts.append(_legend([line.label for line in lines]))
    label = escape(f"{y.label} by {x.label}")
    return _svg(width, height, label, "".join(parts))


class _Frame:
    """Where numbers lie in a chart."""

    def __init__(
        self, lines: Sequence[Line], x: Axis, y: Axis, width: int, height: int, top: int
    ) -> None:
        xs = [p[0] for line in lines for p in line.points]
        ys = [p[1] for line in lines for p in line.points]
        ys += [value for line in lines for b in line.bounds if b for value in b]
        self.x0, self.x1 = _range(x, xs)
        self.y0, self.y1 = _range(y, ys)
        self.left, self.right, self.top, self.bottom = _LEFT, width - _RIGHT, top, height - _BOTTOM

    def px(self, x: float) -> float:
        share = (x - self.x0) / (self.x1 - self.x0)
        return self.left + share * (self.right - self.left)

    def py(self, y: float) -> float:
        share = (y - self.y0) / (self.y1 - self.y0)
        return self.bottom - share * (self.bottom - self.top)

    def grid(self, x: Axis, y: Axis) -> str:
        parts = []
        for value in ticks(self.y0, self.y1):
            at = self.py(value)
            parts.append(_rule(self.left, at, self.right, at, _GRID))
            parts.append(_text(self.left - 8, at + 4, y.text(value), "end", _GREY))
        for value in ticks(self.x0, self.x1):
            at = self.px(value)
            parts.append(_rule(at, self.bottom, at, self.bottom + 4, _GREY))
            parts.append(_text(at, self.bottom + 18, x.text(value), "middle", _GREY))
        parts.append(_rule(self.left, self.bottom, self.right, self.bottom, _GREY))
        middle = (self.left + self.right) / 2
        parts.append(_text(middle, self.bottom + 38, x.label, "middle", _INK))
        height = (self.top + self.bottom) / 2
        parts.append(
            f'<text transform="translate(14 {height:.1f}) rotate(-90)" text-anchor="middle" '
            f'fill="{_INK}">{escape(y.label)}</text>'
        )
        return "".join(parts)

    def line(self, line: Line, colour: str) -> str:
        places = [(self.px(x), self.py(y)) for x, y in line.points]
        drawn = ""
        if len(places) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            drawn = (
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" '
                'stroke-linejoin="round"/>'
            )
        if line.marked or len(places) == 1:
            drawn += "".join(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places
            )
        return drawn

    def band(self, line: Line, colour: str) -> str:
        pairs = zip(line.points, line.bounds, strict=bool(line.bounds))
        known = [(x, bound) for (x, _), bound in pairs if bound is not None]
        if len(known) < 2:
            return ""
        upper = [(self.px(x), self.py(high)) for x, (_, high) in known]
        lower = [(self.px(x), self.py(low)) for x, (low, _) in reversed(known)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in upper + lower)
        return f'<polygon points="{path}" fill="{colour}" fill-opacity="0.13"/>'


@dataclass(frozen=True)
class Dot:
    """A row of a chart of points.

    Attributes
    ----------
    label
        At the left.
    values
        One for each series; None leaves it out.
    bounds
        Interval of each value; None for none.
    """

    label: str
    values: Sequence[float | None]
    bounds: Sequence[tuple[float, float] | None]


def dot_chart(rows: Sequence[Dot], series: Sequence[str], x: Axis, *, width: int = 500) -> str:
    """Draw a point with its interval for every row and series; empty text without rows."""
    rows = [row for row in rows if any(value is not None for value in row.values)]
    if not rows:
        return ""
    legend = 22 * (len(series) > 1)
    pitch = 24 if len(series) < 3 else 10 * len(series) + 6
    left = int(min(max(len(row.label) for row in rows), _MOST_LETTERS) * _LETTER) + 16
    top, right = 6 + legend, width - _RIGHT
    bottom = top + pitch * len(rows)
    numbers = [v for row in rows for v in row.values if v is not None]
    numbers += [v for row in rows for b in row.bounds if b for v in b]
    low, high = _range(x, numbers)

    def px(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    parts = []
    for tick in ticks(low, high):
        parts.append(_rule(px(tick), top, px(tick), bottom, _GRID))
        parts.append(_text(px(tick), bottom + 18, x.text(tick), "middle", _GREY))
    parts.append(_text((left + right) / 2, bottom + 38, x.label, "middle", _INK))
    for place, row in enumerate(rows):
        middle = top + pitch * (place + 0.5)
        parts.append(_text(left - 10, middle + 4, _short(row.label), "end", _INK))
        for i, (value, bound) in enumerate(zip(row.values, row.bounds, strict=True)):
            if value is None:
                continue
            at = middle + 9 * (i - (len(series) - 1) / 2)
            colour = COLOURS[i % len(COLOURS)]
            if bound is not None:
                parts.append(_rule(px(bound[0]), at, px(bound[1]), at, colour, 1.5))
            parts.append(f'<circle cx="{px(value):.1f}" cy="{at:.1f}" r="3.5" fill="{colour}"/>')
    if legend:
        parts.append(_legend(series))
    return _svg(width, bottom + 46, escape(x.label), "".join(parts))


def _range(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis; the upper one at a round number above the data."""
    low = min(values) if axis.low is None else axis.low
    if axis.high is not None:
        return low, max(axis.high, low + 1e-9)
    most = max(values)
    if most - low <= 1e-9 * max(1.0, abs(low)):
        return low, low + 1.0
    step = ticks(low, most)
    size = step[1] - step[0] if len(step) > 1 else most - low
    return low, low + size * math.ceil((most - low) / size - 1e-9)


def _short(label: str) -> str:
    return label if len(label) <= _MOST_LETTERS else f"{label[: _MOST_LETTERS - 1]}…"


def _cycle(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _legend(labels: Sequence[str]) -> str:
    parts, at = [], float(_LEFT)
    for label, colour in zip(labels, _cycle(len(labels)), strict=True):
        parts.append(_rule(at, 12, at + 16, 12, colour, 3))
        parts.append(_text(at + 22, 16, label, "start", _INK))
        at += 22 + len(label) * _LETTER + 20
    return "".join(parts)


def _rule(x0: float, y0: float, x1: float, y1: float, colour: str, width: float = 1) -> str:
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _svg(width: int, height: int, label: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-size="12">{inside}</svg>'
    )

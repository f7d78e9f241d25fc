"""The heads' layout: what each channel of a field means, by name. No torch here.

A head gives every cell several channels for each of its fields: PIF for each landmark, PAF for each edge of
the skeleton (OpenPifPaf calls them CIF and CAF), the category head for each category. Everything that reads
or writes fields (losses, activation, averaging with the flipped image, files) asks here where a channel is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

CONFIDENCE = "confidence"
VISIBLE = "visible"

Kind = Literal["confidence", "position", "log_spread", "size", "logit"]


class Sliceable(Protocol):
    """An array or tensor."""

    def __getitem__(self, index: Any) -> Any: ...


Array = TypeVar("Array", bound=Sliceable)


class Point(NamedTuple):
    """The channels that place one point.

    Attributes
    ----------
    x, y
        Position: raw, from the cell; activated, absolute, both in cells.
    log_spread
        Log of the position's Laplace scale b; activated, b itself, in cells.
    size
        The landmark's sigma, in cells; raw, before softplus.
    """

    x: str
    y: str
    log_spread: str
    size: str


@dataclass(frozen=True)
class HeadSpec:
    """A head described by its channels.

    Attributes
    ----------
    name
        Of the head.
    fields
        What it has one field each for: ``"landmarks"``, ``"edges"`` or ``"categories"``.
    channels
        Names of a field's channels, in the order of the tensor's axis -3.
    points
        Channels of the points that a field places: one for PIF, the edge's two ends for PAF.

    Raises
    ------
    ValueError
        If a point names a channel that is not there, or its y does not follow its x.
    """

    name: str
    fields: Literal["landmarks", "edges", "categories"]
    channels: tuple[str, ...]
    points: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        for point in self.points:
            missing = [channel for channel in point if channel not in self.channels]
            if missing or self.index(point.y) != self.index(point.x) + 1:
                raise ValueError(f"head {self.name!r} has channels {self.channels}; got {point}.")

    def __len__(self) -> int:
        return len(self.channels)

    def index(self, channel: str) -> int:
        """Return a channel's place on axis -3."""
        return self.channels.index(channel)

    def channel(self, values: Array, name: str) -> Array:
        """Return one channel of (..., channels, H, W) values: a view (..., H, W)."""
        taken: Array = values[..., self.index(name), :, :]
        return taken

    def position(self, values: Array, point: Point) -> Array:
        """Return a point's x and y of (..., channels, H, W) values: a view (..., 2, H, W)."""
        first = self.index(point.x)
        taken: Array = values[..., first : first + 2, :, :]
        return taken

    def kind(self, channel: str) -> Kind:
        """Return what a channel holds."""
        for point in self.points:
            if channel in (point.x, point.y):
                return "position"
            if channel == point.log_spread:
                return "log_spread"
            if channel == point.size:
                return "size"
        return "confidence" if channel == CONFIDENCE else "logit"

    @cached_property
    def runs(self) -> tuple[tuple[Kind, slice], ...]:
        """Neighbouring channels of one kind, as slices of axis -3, in their order."""
        runs: list[tuple[Kind, slice]] = []
        at = 0
        for kind, group in groupby(self.channels, self.kind):
            end = at + len(list(group))
            runs.append((kind, slice(at, end)))
            at = end
        return tuple(runs)

    @cached_property
    def x_channels(self) -> list[int]:
        """Places of the channels that a horizontal flip mirrors."""
        return [self.index(point.x) for point in self.points]

    @cached_property
    def weighted_channels(self) -> list[int]:
        """Places of the channels that are averaged weighted by confidence: all others than it."""
        return [i for i, name in enumerate(self.channels) if name != CONFIDENCE]

    @cached_property
    def reversed_order(self) -> list[int]:
        """Channels in the order in which they describe the same edge from its other end."""
        other = {
            name: twin
            for point, counterpart in zip(self.points, reversed(self.points), strict=True)
            for name, twin in zip(point, counterpart, strict=True)
        }
        return [self.index(other.get(name, name)) for name in self.channels]

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a model's description holds it."""
        return {"name": self.name, "fields": self.fields, "channels": list(self.channels)}


PIF = HeadSpec(
    "pif",
    "landmarks",
    (CONFIDENCE, "x", "y", "log_spread", "size"),
    (Point("x", "y", "log_spread", "size"),),
)
PIF_VISIBLE = HeadSpec(PIF.name, PIF.fields, (*PIF.channels, VISIBLE), PIF.points)
"""PIF whose cells also say whether the landmark that they point at is visible and not hidden."""
PAF = HeadSpec(
    "paf",
    "edges",
    (CONFIDENCE, "x1", "y1", "x2", "y2", "log_spread1", "log_spread2", "size1", "size2"),
    (
        Point("x1", "y1", "log_spread1", "size1"),
        Point("x2", "y2", "log_spread2", "size2"),
    ),
)
CATEGORY = HeadSpec("category", "categories", ("logit",))


def heads_of(*, visibility: bool) -> tuple[HeadSpec, HeadSpec, HeadSpec]:
    """Return the heads of a network in the order of its output, with or without visibility."""
    return (PIF_VISIBLE if visibility else PIF, PAF, CATEGORY)


def pif_spec(channels: int) -> HeadSpec:
    """Return the PIF head that has so many channels."""
    return PIF_VISIBLE if channels == len(PIF_VISIBLE) else PIF

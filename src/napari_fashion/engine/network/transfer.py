"""A network's weights in one with other landmarks, edges or categories, matched by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_fashion.engine.layers import Layer, Layers
from napari_fashion.engine.network.heads import CATEGORY, PAF, HeadSpec, heads_of
from napari_fashion.engine.network.network import Heads, Network
from napari_fashion.schema import Schema

_FOREIGN_LOGIT = -1e4
"""Logit of a category that a teacher does not know: its probability is 0, and no sum becomes NaN."""


@dataclass(frozen=True)
class FieldMatch:
    """Where the fields of a head are in the same head of another network.

    Attributes
    ----------
    source
        For each field its place in the other head; -1 if that head lacks it.
    reversed
        For each field whether the other head describes it from its other end (edges only).
    """

    source: tuple[int, ...]
    reversed: tuple[bool, ...]

    @property
    def new(self) -> list[int]:
        """Places of the fields that the other head lacks."""
        return [i for i, place in enumerate(self.source) if place < 0]

    def rows(self, spec: HeadSpec, upsample: int, start: HeadSpec | None = None) -> Tensor:
        """Return where the rows of the head's convolution are in the other one's.

        Parameters
        ----------
        spec
            The head's channels.
        start
            The other head's, if they are others.
        upsample
            Of its PixelShuffle, which makes one channel of upsample^2 neighbouring rows.

        Returns
        -------
        (fields * channels * upsample^2,) int64; -1 for rows of new fields and new channels.
        """
        start = start or spec
        same = torch.arange(len(spec))
        other = torch.tensor(spec.reversed_order) if any(self.reversed) else same
        there = torch.tensor(
            [start.index(name) if name in start.channels else -1 for name in spec.channels]
        )
        rows = []
        for place, turned in zip(self.source, self.reversed, strict=True):
            channels = there[other if turned else same]
            copies = (place * len(start) + channels)[:, None] * upsample**2 + torch.arange(
                upsample**2
            )
            known = (channels >= 0)[:, None] & torch.tensor(place >= 0)
            rows.append(torch.where(known, copies, -1).flatten())
        return torch.cat(rows) if rows else torch.zeros(0, dtype=torch.long)


@dataclass(frozen=True)
class SchemaMatch:
    """What a schema shares with the one of the model that a run starts from.

    Landmarks and categories are matched by name, edges by the names of their ends in either order.

    Attributes
    ----------
    start, schema
        Of the model that the run starts from, and of the run.
    landmarks, edges, categories
        Where each of the run's is in the start's.
    """

    start: Schema
    schema: Schema
    landmarks: FieldMatch
    edges: FieldMatch
    categories: FieldMatch

    @classmethod
    def of(cls, start: Schema, schema: Schema) -> SchemaMatch:
        """Match the landmarks, edges and categories of two schemas."""
        landmarks = _by_name(start.landmarks, schema.landmarks)
        return cls(
            start,
            schema,
            landmarks,
            _edges(landmarks, start, schema),
            _by_name(start.category_names, schema.category_names),
        )

    def field(self, spec: HeadSpec) -> FieldMatch:
        """Return the match of a head's fields."""
        match: FieldMatch = getattr(self, spec.fields)
        return match

    @property
    def is_same(self) -> bool:
        """Whether every field of either schema is one of the other, at the same place."""
        pairs = (
            (self.landmarks, self.start.n_landmarks),
            (self.edges, len(self.start.edges)),
            (self.categories, len(self.start.categories)),
        )
        return all(m.source == tuple(range(n)) and not any(m.reversed) for m, n in pairs)

    @property
    def shared_landmarks(self) -> list[str]:
        """Names of the landmarks that both have, in the run's order."""
        known = set(self.start.landmarks)
        return [name for name in self.schema.landmarks if name in known]

    @property
    def share_of_new(self) -> float:
        """Share of the run's landmarks that the start lacks, or of its categories if that is greater."""
        return max(
            len(match.new) / max(1, len(match.source))
            for match in (self.landmarks, self.categories)
        )

    @property
    def has_new(self) -> bool:
        """Whether the run has landmarks, edges or categories that the start lacks."""
        return bool(self.landmarks.new or self.edges.new or self.categories.new)


def match_fields(start: Layers, run: Layers) -> SchemaMatch:
    """Match the fields of two networks, whose layers may be others.

    A layer's fields are those of the start's layer of the same name, else of the one with which it shares
    the most categories, else of any that has the landmark.
    """
    known = start.schema.category_names
    source: list[int] = []
    for layer in run.layers:
        own = {run.schema.category_names[c] for c in layer.categories}

        def nearness(other: Layer, layer: Layer = layer, own: set[str] = own) -> tuple[bool, int]:
            return other.name != layer.name, -len(own & {known[c] for c in other.categories})

        ranked = sorted(start.layers, key=nearness)
        for i in layer.landmarks:
            name = run.schema.landmarks[i]
            places = [
                other.first + place
                for other in ranked
                for place, theirs in enumerate(other.landmarks)
                if start.schema.landmarks[theirs] == name
            ]
            source.append(places[0] if places else -1)
    landmarks = FieldMatch(tuple(source), (False,) * len(source))
    return SchemaMatch(
        start.field_schema,
        run.field_schema,
        landmarks,
        _edges(landmarks, start.field_schema, run.field_schema),
        _by_name(start.schema.category_names, run.schema.category_names),
    )


def _by_name(start: Sequence[str], names: Sequence[str]) -> FieldMatch:
    place = {name: i for i, name in enumerate(start)}
    return FieldMatch(tuple(place.get(n, -1) for n in names), (False,) * len(names))


def _edges(landmarks: FieldMatch, start: Schema, schema: Schema) -> FieldMatch:
    """Match edges between landmarks that are matched."""
    place = {ends: i for i, ends in reversed([*enumerate(start.edges)])}
    source, turned = [], []
    for a, b in schema.edges:
        ends = landmarks.source[a], landmarks.source[b]
        found, other = place.get(ends, -1), place.get(ends[::-1], -1)
        source.append(found if found >= 0 else other)
        turned.append(found < 0 <= other)
    return FieldMatch(tuple(source), tuple(turned))


@dataclass(frozen=True, eq=False)
class Origin:
    """What a run starts from, in the shape of the run's own network.

    Attributes
    ----------
    state
        Weights by name, on the CPU: the start's, and fresh ones in new rows.
    new_rows
        (rows,) bool for each weight of a head that has new rows: which they are.
    """

    state: dict[str, Tensor]
    new_rows: dict[str, Tensor]

    @classmethod
    def of(cls, start: Network, network: Network, match: SchemaMatch) -> Origin:
        """Return the weights of `start` in the shape of `network`, whose own stay in new rows.

        Parameters
        ----------
        start, network
            Of one configuration but for layers and visibility; `network` has fresh heads.
        match
            Of their fields (`match_fields`).
        """
        theirs = {k: v.detach().cpu() for k, v in start.state_dict().items()}
        rows = _rows_by_weight(start, network, match)
        state: dict[str, Tensor] = {}
        new_rows: dict[str, Tensor] = {}
        for name, value in network.state_dict().items():
            if name not in rows:
                state[name] = theirs[name].clone()
                continue
            state[name] = value.detach().cpu().clone()
            taken = rows[name] >= 0
            if taken.any():
                state[name][taken] = theirs[name][rows[name][taken]]
            if not taken.all():
                new_rows[name] = ~taken
        return cls(state, new_rows)

    def share_of(self, name: str, value: Tensor, share: float) -> Tensor | float:
        """Return how much of a weight is the origin's, if that is `share`: nothing of new rows.

        Parameters
        ----------
        name, value
            Of the weight.
        share
            Of the origin in what is not new.

        Returns
        -------
        A number, or a tensor that broadcasts against `value`.
        """
        new = self.new_rows.get(name)
        if new is None:
            return share
        shares = torch.where(new, 0.0, share).to(value.device, value.dtype)
        return shares.view(-1, *[1] * (value.ndim - 1))


def _rows_by_weight(start: Network, network: Network, match: SchemaMatch) -> dict[str, Tensor]:
    """Return, for each weight of a head of `network`, where its rows are in the start's."""
    upsample = network.config.upsample
    pif, _, _ = heads_of(visibility=network.config.visibility)
    before, _, _ = heads_of(visibility=start.config.visibility)
    heads = (
        (f"{pif.name}.conv", network.pif, match.landmarks.rows(pif, upsample, before)),
        (f"{PAF.name}.conv", network.paf, match.edges.rows(PAF, upsample)),
        (CATEGORY.name, network.category, match.categories.rows(CATEGORY, 1)),
    )
    return {
        f"{prefix}.{part}": rows
        for prefix, head, rows in heads
        if head is not None
        for part in ("weight", "bias")
    }


class CategoryTeacher(nn.Module):
    """Says what another model thinks of a garment's category, in the categories of a run.

    Parameters
    ----------
    network
        Of the other model; for inference only.
    match
        Of its schema, as the start, and the run's.
    """

    known: Tensor
    """(C,) bool: the run's categories that the other model has."""
    _places: Tensor

    def __init__(self, network: Network, match: SchemaMatch) -> None:
        super().__init__()
        self.network = network
        source = torch.tensor(match.categories.source)
        self.register_buffer("known", source >= 0)
        self.register_buffer("_places", source.clamp(min=0))

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, C, H, W) category logits; those of unknown categories say that it is none of them."""
        heads: Heads = self.network(images)
        logits = heads.category[:, self._places]
        return torch.where(self.known[:, None, None], logits, _FOREIGN_LOGIT)

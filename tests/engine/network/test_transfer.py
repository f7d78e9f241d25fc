from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_fashion.engine.layers import Layers
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.network.heads import PAF, PIF, PIF_VISIBLE
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.network.transfer import (
    CategoryTeacher,
    Origin,
    SchemaMatch,
    match_fields,
)
from napari_fashion.schema import Category, Schema

GARMENTS = Schema.load("garments")


def other_schema(landmarks, edges, categories):
    """A schema with these names, edges by the names of their ends."""
    place = {name: i for i, name in enumerate(landmarks)}
    every = tuple(range(len(landmarks)))
    return replace(
        GARMENTS,
        name="other",
        landmarks=tuple(landmarks),
        skeletons=(("own", tuple((place[a], place[b]) for a, b in edges)),),
        default_skeleton="own",
        flips=every,
        sigmas=(0.1,) * len(landmarks),
        body_types=(("any", every),),
        categories=tuple(Category(name, ("any",)) for name in categories),
        colors=("#ffffff",) * len(landmarks),
    )


def named_edges(schema):
    return [(schema.landmarks[a], schema.landmarks[b]) for a, b in schema.edges]


def network_of(schema, **config):
    options = {
        "backbone": "shufflenet_v2_x0_5", "width": 16, "blocks": 1, "dropout": 0.0, **config
    }  # fmt: skip
    sizes = schema.n_landmarks, len(schema.edges), len(schema.categories)
    return Network(NetworkConfig(**options), *sizes).eval()


@pytest.mark.parametrize("config", [{}, {"neck": "plain", "upsample": 2}], ids=["sum", "shuffle"])
def test_fields_come_out_where_their_names_are(config):
    """Landmarks in another order with new ones between, an edge the other way round, other categories."""
    first, *others = named_edges(GARMENTS)
    landmarks = ["new_a", *reversed(GARMENTS.landmarks[1:]), "new_b"]  # lacks the first
    kept = [edge for edge in others if GARMENTS.landmarks[0] not in edge]
    turned = [kept[0][::-1], *kept[1:], ("new_a", kept[0][0])]
    other = other_schema(landmarks, turned, ["Kilt", *reversed(GARMENTS.category_names[3:])])
    torch.manual_seed(1)
    start, network = network_of(GARMENTS, **config), network_of(other, **config)
    match = SchemaMatch.of(GARMENTS, other)
    origin = Origin.of(start, network, match)
    network.load_state_dict(origin.state)
    image = 255 * torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before, after = start(image), network(image)
    for i, name in enumerate(landmarks):
        if name in GARMENTS.landmarks:
            torch.testing.assert_close(
                after.pif[:, i], before.pif[:, GARMENTS.landmarks.index(name)]
            )
    place = {edge: i for i, edge in enumerate(named_edges(GARMENTS))}
    assert any(edge[::-1] in place for edge in turned)
    for i, edge in enumerate(turned):
        if edge in place:
            torch.testing.assert_close(after.paf[:, i], before.paf[:, place[edge]])
        elif edge[::-1] in place:
            theirs = before.paf[:, place[edge[::-1]]]
            twins = {"x1": "x2", "y2": "y1", "size1": "size2", "log_spread2": "log_spread1"}
            for channel, twin in {**twins, "confidence": "confidence"}.items():
                torch.testing.assert_close(
                    after.paf[:, i, PAF.index(channel)], theirs[:, PAF.index(twin)]
                )
    for i, name in enumerate(other.category_names):
        if name in GARMENTS.category_names:
            torch.testing.assert_close(
                after.category[:, i], before.category[:, GARMENTS.category_index(name)]
            )
    assert match.landmarks.new == [0, len(landmarks) - 1]
    assert match.edges.new == [len(turned) - 1]
    assert match.categories.new == [0]
    assert match.has_new
    assert match.share_of_new == 2 / 9
    assert first not in turned


def test_new_rows_are_those_of_new_fields_and_fresh():
    other = other_schema([*GARMENTS.landmarks, "new"], [], GARMENTS.category_names)
    start = network_of(GARMENTS, neck="plain", upsample=2)
    network = network_of(other, neck="plain", upsample=2)
    fresh = network.pif.conv.weight.detach().clone()
    origin = Origin.of(start, network, SchemaMatch.of(GARMENTS, other))
    assert set(origin.new_rows) == {"pif.conv.weight", "pif.conv.bias"}
    rows = origin.new_rows["pif.conv.weight"].nonzero().flatten()
    n = len(PIF) * 4
    assert rows.tolist() == list(range(8 * n, 9 * n))
    assert torch.equal(origin.state["pif.conv.weight"][rows], fresh[rows])
    assert torch.equal(origin.state["pif.conv.weight"][: 8 * n], start.pif.conv.weight)


def test_the_same_schema_has_nothing_new():
    match = SchemaMatch.of(GARMENTS, GARMENTS)
    assert match.is_same
    assert not match.has_new
    start, network = network_of(GARMENTS), network_of(GARMENTS)
    origin = Origin.of(start, network, match)
    assert not origin.new_rows
    assert all(torch.equal(v, origin.state[k]) for k, v in start.state_dict().items())


@pytest.mark.parametrize(
    "change",
    [
        {"landmarks": GARMENTS.landmarks[::-1]},
        {"categories": GARMENTS.categories[:-1]},
        {"skeletons": (("own", GARMENTS.edges[1:]),), "default_skeleton": "own"},
        {
            "skeletons": (("own", tuple((b, a) for a, b in GARMENTS.edges)),),
            "default_skeleton": "own",
        },
    ],
)  # fmt: skip
def test_what_differs_is_not_the_same(change):
    assert not SchemaMatch.of(GARMENTS, replace(GARMENTS, **change)).is_same


def test_a_network_without_edges_or_categories_gets_them_and_loses_them():
    bare = other_schema(GARMENTS.landmarks, [], [])
    for one, two in ((GARMENTS, bare), (bare, GARMENTS)):
        start, network = network_of(one), network_of(two)
        origin = Origin.of(start, network, SchemaMatch.of(one, two))
        network.load_state_dict(origin.state)
        assert torch.equal(network.pif.conv.weight, start.pif.conv.weight)
    assert set(origin.new_rows) == {
        "paf.conv.weight", "paf.conv.bias", "category.weight", "category.bias",
    }  # fmt: skip


def test_a_teacher_speaks_of_the_runs_categories():
    run = other_schema(GARMENTS.landmarks, [], ["Kilt", "Dress", "Shirt"])
    network = network_of(GARMENTS)
    teacher = CategoryTeacher(network, SchemaMatch.of(GARMENTS, run))
    assert teacher.known.tolist() == [False, True, True]
    image = 255 * torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        logits, own = teacher(image), network(image).category
    torch.testing.assert_close(logits[:, 1], own[:, GARMENTS.category_index("Dress")])
    torch.testing.assert_close(logits[:, 2], own[:, GARMENTS.category_index("Shirt")])
    assert logits.softmax(1)[:, 0].max() == 0


# -- layers and visibility -----------------------------------------------------------------

PLAIN = Layers.of(GARMENTS, {})
WORN = Layers.of(GARMENTS, {"outer": ["Blazer", "Outwear"], "lower": ["Pants", "Shorts", "Skirt"]})


def test_each_layer_starts_as_the_one_that_there_was():
    torch.manual_seed(1)
    start = network_of(PLAIN.field_schema)
    network = network_of(WORN.field_schema, visibility=True)
    origin = Origin.of(start, network, match_fields(PLAIN, WORN))
    network.load_state_dict(origin.state)
    image = 255 * torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before, after = start(image), network(image)
    assert after.pif.shape[1:3] == (20, len(PIF_VISIBLE))
    for i, landmark in enumerate(WORN.landmark_of):
        torch.testing.assert_close(after.pif[:, i, : len(PIF)], before.pif[:, landmark])
    for i, (a, b) in enumerate(WORN.field_schema.edges):
        theirs = GARMENTS.edges.index((WORN.landmark_of[a], WORN.landmark_of[b]))
        torch.testing.assert_close(after.paf[:, i], before.paf[:, theirs])
    torch.testing.assert_close(after.category, before.category)
    new = origin.new_rows["pif.conv.weight"].nonzero().flatten().tolist()
    assert new == [i * 6 + 5 for i in range(20)]  # the channel of visibility
    assert "paf.conv.weight" not in origin.new_rows


def test_a_layer_is_found_again_by_its_name_then_by_its_categories():
    other = Layers.of(GARMENTS, {"lower": ["Pants", "Shorts"], "jackets": ["Outwear", "Hoodie"]})
    match = match_fields(WORN, other)
    lower, jackets, rest = (
        match.landmarks.source[layer.first : layer.first + len(layer.landmarks)]
        for layer in other.layers
    )
    assert lower == tuple(range(8, 12))
    assert jackets == tuple(range(8))  # those of "outer", which has Outwear
    assert rest == tuple(range(12, 20))
    assert -1 not in match.edges.source


def test_one_layer_again_takes_the_fields_of_most_categories():
    start = network_of(WORN.field_schema, visibility=True)
    network = network_of(PLAIN.field_schema)
    match = match_fields(WORN, PLAIN)
    assert match.landmarks.source == tuple(range(12, 20))
    origin = Origin.of(start, network, match)
    assert not origin.new_rows
    theirs = start.pif.conv.weight.view(20, 6, -1)
    torch.testing.assert_close(origin.state["pif.conv.weight"].view(8, 5, -1), theirs[12:, :5])

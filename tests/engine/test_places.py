"""294 landmarks in files, 81 fields in the network."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from grown import as_deepfashion2
from napari_fashion.cli import main
from napari_fashion.coco import Dataset
from napari_fashion.datasets.source import Source
from napari_fashion.editing.predictions import take_prediction
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.model import Model
from napari_fashion.engine.places import (
    fold_landmarks,
    unfold_fields,
    unfold_garment,
    unfold_prediction,
)
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import SchemaError
from napari_fashion.schema import Schema

FILES = Schema.load("deepfashion2")
PLACES = Schema.load("deepfashion2-places")
KINDS = range(len(FILES.categories))


def predicted(kind: int, k: int) -> PredictedGarment:
    random = np.random.default_rng(kind)
    return PredictedGarment(
        xy=random.uniform(0, 99, (k, 2)).astype(np.float32),
        scores=random.uniform(0.1, 1, k).astype(np.float32),
        spread=random.uniform(0.1, 1, k).astype(np.float32),
        category=np.eye(13, dtype=np.float32)[kind],
        score=0.5,
    )


def test_the_places_of_deepfashion2():
    assert (FILES.n_landmarks, PLACES.n_landmarks) == (294, 81)
    assert PLACES.file_schema == FILES
    assert FILES.file_schema == FILES
    of = FILES.place_indices
    assert [PLACES.landmarks[p] for p in of] == list(FILES.places)
    for landmark, flipped in enumerate(FILES.flips):
        assert PLACES.flips[of[landmark]] == of[flipped]
    known = {frozenset(edge) for edge in PLACES.edges}
    assert known == {frozenset((of[a], of[b])) for a, b in FILES.edges}
    assert len(known) == len(PLACES.edges)
    for kind in KINDS:
        assert len(PLACES.landmarks_of_category(kind)) == len(FILES.landmarks_of_category(kind))


def test_a_shared_schema_is_written_and_read():
    assert Schema.from_dict(json.loads(json.dumps(PLACES.to_dict()))) == PLACES
    assert Schema.from_note(PLACES.to_note()) == PLACES
    fewer = PLACES.with_categories(PLACES.categories[:3])
    assert fewer.file_schema == FILES.with_categories(FILES.categories[:3])
    assert Schema.from_dict(fewer.to_dict()) == fewer


def test_a_schema_that_is_not_of_its_parents_places_is_refused():
    data = PLACES.to_dict()
    data["places_of"] = "garments"
    with pytest.raises(SchemaError, match="81 landmarks are not the 0 places of 'garments'"):
        Schema.from_dict(data)
    with pytest.raises(SchemaError, match="no places that landmarks share"):
        Schema.load("garments").shared()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unfolded_and_folded_is_the_same(kind):
    found = predicted(kind, 81)
    whole = unfold_garment(found, PLACES)
    own = list(FILES.landmarks_of_category(kind))
    assert np.flatnonzero(whole.found).tolist() == own
    for i in own:
        place = PLACES.landmarks.index(FILES.places[i])
        assert whole.xy[i].tolist() == found.xy[place].tolist()
        assert whole.scores[i] == found.scores[place]
        assert whole.spread[i] == found.spread[place]
    xy, seen = fold_landmarks(whole.xy.astype(float), np.where(whole.scores > 0, 2, 0), PLACES, own)
    theirs = list(PLACES.landmarks_of_category(kind))
    assert np.flatnonzero(seen).tolist() == sorted(theirs)
    assert xy[theirs] == pytest.approx(found.xy[theirs])


def test_a_category_that_is_known_decides():
    whole = unfold_garment(predicted(0, 81), PLACES, category=8)
    assert np.flatnonzero(whole.found).tolist() == list(FILES.landmarks_of_category(8))


def test_landmarks_of_the_own_category_win_a_place():
    """A short sleeve top has landmark 0, a long sleeve top 25; both are at neckline_1."""
    xy, seen = np.zeros((294, 2)), np.zeros(294, np.int64)
    xy[0], xy[25], seen[[0, 25]] = (1, 2), (3, 4), (1, 2)
    for own, expected in ((0, ((1, 2), 1)), (1, ((3, 4), 2))):
        at, visibility = fold_landmarks(xy, seen, PLACES, FILES.landmarks_of_category(own))
        assert (tuple(at[0]), visibility[0]) == expected


def test_other_schemas_are_left_as_they_are():
    schema = Schema.load("garments")
    garment = predicted(0, 8)
    assert unfold_garment(garment, schema) is garment


def test_each_landmark_gets_the_field_of_its_place():
    random = np.random.default_rng(0)
    k, e = 81, len(PLACES.edges)
    fields = Fields(
        random.random((k, 3, 4)), random.random((k, 2, 3, 4)), random.random((k, 3, 4)),
        random.random((k, 3, 4)), random.random((e, 3, 4)), random.random((e, 2, 3, 4)),
        random.random((e, 2, 3, 4)), random.random((e, 3, 4)), random.random((e, 3, 4)),
        random.random((13, 3, 4)), PLACES.edges,
    )  # fmt: skip
    whole = unfold_fields(fields, PLACES)
    of = FILES.place_indices
    assert whole.edges == FILES.edges
    for i in (0, 25, 200, 293):
        assert (whole.pif_xy[i] == fields.pif_xy[of[i]]).all()
    turned = 0
    for i, (a, b) in enumerate(FILES.edges):
        ends = (of[a], of[b])
        if ends in PLACES.edges:
            j, first, spread = PLACES.edges.index(ends), fields.paf_xy1, fields.paf_spread1
        else:
            turned += 1
            j, first, spread = PLACES.edges.index(ends[::-1]), fields.paf_xy2, fields.paf_spread2
        assert (whole.paf_confidence[i] == fields.paf_confidence[j]).all()
        assert (whole.paf_xy1[i] == first[j]).all()
        assert (whole.paf_spread1[i] == spread[j]).all()
    assert turned < len(FILES.edges)


@pytest.fixture
def deepfashion2(drawn, tmp_path):
    """Drawn shirts and trousers with DeepFashion2's landmarks; their images stay where they are."""
    few = tmp_path / "few.json"
    Dataset.load(drawn).subset(list(range(1, 25))).save(few)
    path = as_deepfashion2(few, tmp_path / "df2.json")
    document = json.loads(path.read_text())
    for kind, category in zip(FILES.categories, document["categories"], strict=True):
        own = FILES.landmarks_of_category(FILES.category_index(kind.name))
        assert len(own) == len(category["keypoints"])
        category |= {"name": kind.name, "keypoints": [FILES.landmarks[i] for i in own]}
    document["info"] = {"fashion": {"schema": "deepfashion2"}}
    path.write_text(json.dumps(document))
    return path


def test_a_network_of_81_fields_writes_a_file_of_294_landmarks(
    deepfashion2, drawn, trained, tmp_path, capsys
):
    images = str(drawn.parent / "images")
    recipe = {
        "start_from": str(trained[0]),
        "schema": "deepfashion2-places",
        "data": {"train": [{"file": str(deepfashion2), "images": images}], "validation_share": 0.0},
        "augment": {"flip": 0.0},  # the outlines of this test begin anywhere
        "schedule": {"validate_every": 1000},
    }
    path = train(Recipe.from_dict(recipe), tmp_path / "run", device="cpu", emit=lambda event: None)
    model = Model.load(path, "cpu")
    assert model.schema == PLACES
    judged = load_sources([Source(file=str(deepfashion2), images=images)], model.schema)
    assert {image.xy.shape[1] for image in judged} == {81}
    assert evaluate_images(model, judged, rounds=0).report.average_error < 0.08

    out = tmp_path / "predicted.json"
    bare = json.loads(deepfashion2.read_text())
    bare["annotations"] = []
    (tmp_path / "bare.json").write_text(json.dumps(bare))
    command = ["predict", str(tmp_path / "bare.json"), "--images", images, "--model", str(path)]
    assert main([*command, "--annotations", str(out), "--device", "cpu", "--threads", "1"]) == 0
    truth = Dataset.load(deepfashion2, image_root=images)
    found = Dataset.load(out, image_root=images)
    assert found.schema == FILES
    errors = []
    for image in truth.images:
        (true,) = image.garments
        for garment in found.image(image.id).garments:
            assert garment.category_name == true.category_name
            both = (garment.visibility > 0) & (true.visibility > 0)
            assert both.sum() == (garment.visibility > 0).sum()  # none of another category
            errors += np.linalg.norm(garment.xy[both] - true.xy[both], axis=1).tolist()
    assert len(errors) > 200
    assert np.median(errors) < 6  # pixels of 96
    assert len(json.loads(out.read_text())["annotations"][0]["keypoints"]) in (3 * 25, 3 * 14)


def test_a_prediction_is_taken_into_a_file_with_all_landmarks(deepfashion2):
    dataset = Dataset.load(deepfashion2)
    from napari_fashion.engine.prediction import Prediction

    image = dataset.images[0]
    prediction = unfold_prediction(Prediction((predicted(8, 81),), 96, 96, "m-1"), PLACES)
    edit = take_prediction(dataset, image.id, prediction, PLACES.file_schema).edit
    edit.apply(dataset)
    new = next(g for g in dataset.image(image.id).garments if g.source.startswith("model:"))
    assert new.category_name == FILES.categories[8].name
    assert np.flatnonzero(new.visibility).tolist() == list(FILES.landmarks_of_category(8))


def test_presence_and_visibility_are_unfolded_with_their_landmarks():
    k = PLACES.n_landmarks
    told = {name: np.linspace(0.1, 0.9, k).astype(np.float32) for name in ("present", "visible")}
    garment = unfold_garment(replace(predicted(3, k), **told), PLACES)
    own = list(FILES.landmarks_of_category(3))
    places = np.array(FILES.place_indices)[own]
    np.testing.assert_array_equal(garment.visible[own], told["visible"][places])
    np.testing.assert_array_equal(garment.present[own], told["present"][places])
    assert garment.visibility.shape == (294,)
    assert not garment.visibility[[i for i in range(294) if i not in own]].any()

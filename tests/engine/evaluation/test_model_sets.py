"""Evaluation of a model set: by the best score, and by the body type of the truth."""

from __future__ import annotations

import json

import numpy as np
import pytest

from model_sets import OF_TYPE, SCHEMA, small_member, write_set
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import PROTOCOLS, evaluate_images, protocol_of
from napari_fashion.engine.evaluation.sweeps import over_margins
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_set import load_model
from napari_fashion.schema import Schema


@pytest.fixture(scope="module")
def members(trained, tmp_path_factory):
    """A trained model for upper garments, and one with random weights and four landmarks for lower ones."""
    folder = tmp_path_factory.mktemp("members")
    lower = small_member(folder, "lower", OF_TYPE["lower"])
    path = folder / "set.json"
    write_set(path, {str(trained[0]): ["upper"], lower: ["lower"]}, "set")
    return load_model(path, "cpu"), Model.load(trained[0], "cpu"), Model.load(lower, "cpu")


@pytest.fixture(scope="module")
def images(drawn):
    """Shirts and trousers in turn, one an image."""
    return load_sources([Source(file=str(drawn))], SCHEMA)[:10]


def of_type(images, name):
    return [image for image in images if SCHEMA.categories[image.category[0]].body_types[0] == name]


def read_with(schema: Schema, drawn, folder):
    """The trousers again, with the landmarks of another schema alone."""
    document = json.loads(drawn.read_text())
    at = [SCHEMA.landmarks.index(name) for name in schema.landmarks]
    number = SCHEMA.category_index("Pants") + 1
    document["annotations"] = [a for a in document["annotations"] if a["category_id"] == number]
    for annotation in document["annotations"]:
        keypoints = np.array(annotation["keypoints"]).reshape(-1, 3)[at]
        annotation["keypoints"] = keypoints.ravel().tolist()
    kept = {a["image_id"] for a in document["annotations"]}
    document["images"] = [i for i in document["images"] if i["id"] in kept]
    document["categories"] = [{"id": number, "name": "Pants", "keypoints": list(schema.landmarks)}]
    path = folder / "lower.json"
    path.write_text(json.dumps(document))
    return load_sources([Source(file=str(path), images=str(drawn.parent / "images"))], schema)


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_by_the_truth_each_garment_is_compared_with_its_member(
    members, images, drawn, tmp_path, protocol
):
    both, upper, lower = members
    found = evaluate_images(both, images, protocol=protocol, body_type="truth", rounds=0)
    assert [j.key for j in found.judged] == [image.key for image in images]
    assert found.parts["body_type"] == "truth"
    by_key = {j.key: j for j in found.judged}

    alone = evaluate_images(upper, of_type(images, "upper"), protocol=protocol, rounds=0)
    own = list(SCHEMA.landmarks_of("upper"))
    for judged in alone.judged:
        together = by_key[judged.key]
        assert together.body_type == "upper"
        np.testing.assert_allclose(together.errors[own], judged.errors[own], atol=1e-6)
        np.testing.assert_allclose(together.scores[own], judged.scores[own], atol=1e-6)
        assert not together.scores[list(set(range(8)) - set(own))].any()

    four = read_with(lower.schema, drawn, tmp_path)
    alone = evaluate_images(lower, four, protocol=protocol, rounds=0)
    own = [SCHEMA.landmarks.index(name) for name in lower.schema.landmarks]
    compared = [judged for judged in alone.judged if judged.key in by_key]
    assert len(compared) == 5
    for judged in compared:
        np.testing.assert_allclose(by_key[judged.key].errors[own], judged.errors, atol=1e-6)
        np.testing.assert_allclose(by_key[judged.key].scores[own], judged.scores, atol=1e-6)


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_by_the_score_the_surest_member_counts(members, images, protocol):
    """The one with random weights never is."""
    both, upper, _ = members
    shirts = of_type(images, "upper")
    found = evaluate_images(both, shirts, protocol=protocol, rounds=0)
    alone = evaluate_images(upper, shirts, protocol=protocol, rounds=0)
    own = list(SCHEMA.landmarks_of("upper"))
    for one, other in zip(found.judged, alone.judged, strict=True):
        np.testing.assert_allclose(one.errors[own], other.errors[own], atol=1e-6)
    assert found.report.average_error == pytest.approx(alone.report.average_error)
    assert found.report.average_error < 0.1
    assert (found.report.recall is None) == (protocol != "whole")
    assert "body_type" not in found.parts


def test_by_the_truth_nothing_is_said_of_detection(members, images):
    found = evaluate_images(members[0], images, protocol="whole", body_type="truth", rounds=0)
    assert found.report.recall is None
    assert found.report.precision is None


def test_garments_without_a_member_are_compared_by_the_score(trained, images, tmp_path):
    full = small_member(tmp_path, "full", SCHEMA)
    path = tmp_path / "set.json"
    write_set(path, {str(trained[0]): ["upper"], full: ["full"]}, "set")
    both = load_model(path, "cpu")
    trousers = of_type(images, "lower")
    by_truth = evaluate_images(both, trousers, body_type="truth", rounds=0)
    by_score = evaluate_images(both, trousers, rounds=0)
    assert by_truth.report.average_error == by_score.report.average_error


def test_one_model_is_all_members(members, images):
    """The truth has nothing to choose from."""
    upper = members[1]
    by_truth = evaluate_images(upper, images, body_type="truth", rounds=0)
    by_score = evaluate_images(upper, images, rounds=0)
    for one, other in zip(by_truth.judged, by_score.judged, strict=True):
        np.testing.assert_allclose(one.errors, other.errors, atol=1e-6)


def test_margins_can_be_swept(members, images):
    how = {"rounds": 0, "body_type": "truth"}
    points = list(over_margins(members[0], images[:4], protocol_of("box"), [0.0, 0.5], **how))
    assert [point.at for point in points] == [0.0, 0.5]
    assert points[0].average_error != points[1].average_error

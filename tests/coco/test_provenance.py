from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.coco import provenance

MODEL = "model:abc"


def predicted(**changes) -> dict:
    ours = provenance.of_model(MODEL, 0.83456, [0.9, 0.8, 0.12345], {"Dress": 0.99999})
    return {"id": 1, "fashion": {**ours, **changes}}


def test_without_our_key_all_is_human():
    record = {"id": 1}
    assert provenance.source(record) == "human"
    assert provenance.score(record) is None
    assert provenance.landmark_sources(record, 2) == ("human", "human")
    assert np.isnan(provenance.landmark_scores(record, 2)).all()
    assert provenance.category_source(record) == "human"
    assert provenance.category_scores(record) == {}
    assert provenance.touched_by_human(record)
    assert not provenance.is_reviewed(record)
    assert not provenance.edited(record)
    record = {**record, "fashion": provenance.with_human(record, 2, [0], category=True)}
    assert provenance.edited(record)
    assert provenance.source(record) == "human"


def test_of_a_model():
    record = predicted()
    assert provenance.source(record) == MODEL
    assert provenance.score(record) == 0.8346
    assert provenance.landmark_sources(record, 3) == (MODEL,) * 3
    assert provenance.landmark_scores(record, 3).tolist() == [0.9, 0.8, 0.1235]
    assert provenance.category_source(record) == MODEL
    assert provenance.category_scores(record) == {"Dress": 1.0}
    assert not provenance.touched_by_human(record)


def test_a_human_landmark_among_a_models():
    record = predicted(other=[1])
    record["fashion"] = provenance.with_human(record, 3, [1])
    assert provenance.source(record) == MODEL
    assert provenance.landmark_sources(record, 3) == (MODEL, "human", MODEL)
    np.testing.assert_array_equal(provenance.landmark_scores(record, 3), [0.9, np.nan, 0.1235])
    assert provenance.category_source(record) == MODEL
    assert provenance.touched_by_human(record)
    assert record["fashion"]["other"] == [1]
    again = provenance.with_human(record, 3, [2])
    assert again["keypoint_sources"] == [MODEL, "human", "human"]


def test_a_human_category_of_a_models_garment():
    record = predicted()
    record["fashion"] = provenance.with_human(record, 3, category=True)
    assert provenance.category_source(record) == "human"
    assert provenance.landmark_sources(record, 3) == (MODEL,) * 3
    assert "keypoint_sources" not in record["fashion"]
    assert provenance.touched_by_human(record)


def test_writing_leaves_the_record_alone():
    record = predicted()
    before = repr(record)
    provenance.with_human(record, 3, [0], category=True)
    provenance.with_reviewed(record, True)
    assert repr(record) == before


def test_reviewed():
    image = {"id": 1, "fashion": {"note": "x"}}
    image["fashion"] = provenance.with_reviewed(image, True)
    assert image["fashion"] == {"note": "x", "reviewed": True}
    assert provenance.is_reviewed(image)
    image["fashion"] = provenance.with_reviewed(image, False)
    assert not provenance.is_reviewed(image)


@pytest.mark.parametrize(
    "value",
    [
        "text",
        [1],
        None,
        {"source": 3, "score": "x", "keypoint_scores": 1, "keypoint_sources": {}},
        {"source": "", "score": True, "keypoint_scores": [1], "keypoint_sources": ["human"]},
        {"category_scores": ["Dress"], "category_source": 1, "reviewed": "yes"},
    ],
)
def test_what_others_put_under_our_key_does_no_harm(value):
    record = {"id": 1, "fashion": value}
    assert provenance.source(record) == "human"
    assert provenance.score(record) is None
    assert provenance.landmark_sources(record, 2) == ("human", "human")
    assert np.isnan(provenance.landmark_scores(record, 2)).all()
    assert provenance.category_source(record) == "human"
    assert provenance.category_scores(record) == {}
    assert not provenance.is_reviewed(record)

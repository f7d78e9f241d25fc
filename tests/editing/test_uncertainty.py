"""The expected number of corrections: what each probability adds, and that a person's work adds nothing."""

from __future__ import annotations

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.editing.uncertainty import expected_corrections
from small import SCHEMA, TROUSERS_XY, annotation, small_document


def dataset(**fashion):
    document = small_document()
    known = {"source": "model:m", "score": 0.8, "keypoint_scores": [0, 0, 0, 0, 1, 1, 1, 1],
             "category_scores": {"Pants": 1.0}, **fashion}  # fmt: skip
    document["annotations"] = [annotation(12, 2, TROUSERS_XY, "Pants", fashion=known)]
    return Dataset.from_document(document, schema=SCHEMA)


def expected(**fashion):
    return expected_corrections(dataset(**fashion).garments_of(2))


def test_a_model_that_is_sure_of_everything_expects_none():
    assert expected() == 0
    assert expected_corrections([]) == 0


@pytest.mark.parametrize(
    ("fashion", "number"),
    [
        ({"keypoint_scores": [0, 0, 0, 0, 0.9, 1, 0.5, 1]}, 0.6),
        ({"category_scores": {"Pants": 0.7, "Shorts": 0.2}}, 0.3),
        ({"category_scores": {"Shorts": 0.2}}, 1.0),  # the model gave it another category
        ({"keypoint_present": [0.1, 0.2, 0, 0, 1, 1, 1, 1]}, 0.3),
        ({"keypoint_visible": [0.5, 0, 0, 0, 0.9, 1, 0.2, 1]}, 0.1 + 0.2),
    ],
)
def test_what_each_probability_adds(fashion, number):
    assert expected(**fashion) == pytest.approx(number)


def test_what_a_person_placed_or_chose_adds_nothing():
    unsure = dataset(
        keypoint_scores=[0, 0, 0, 0, 0.4, 1, 1, 1],
        keypoint_visible=[0, 0, 0, 0, 0.5, 1, 1, 1],
        category_scores={"Pants": 0.5},
    )
    assert expected_corrections(unsure.garments_of(2)) == pytest.approx(0.6 + 0.5 + 0.5)
    operations.move_landmarks(unsure, 12, {4: (50, 20)}).apply(unsure)
    assert expected_corrections(unsure.garments_of(2)) == pytest.approx(0.5)
    operations.set_category(unsure, 12, SCHEMA.category_index("Shorts")).apply(unsure)
    assert expected_corrections(unsure.garments_of(2)) == 0
    assert (
        expected_corrections(Dataset.from_document(small_document(), schema=SCHEMA).garments_of(1))
        == 0
    )

"""The expected number of corrections: what each probability adds, and that a person's work adds nothing."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.coco import Dataset, columns
from napari_fashion.coco.uncertainty import expected_corrections, expected_corrections_of_all
from napari_fashion.editing import operations
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


def test_all_at_once_are_the_same_as_one_by_one():
    """A model's, corrected in part, a person's own, a crowd, and one with a list that is too short."""
    document = small_document()
    fashion = {"source": "model:m", "score": 0.8, "keypoint_scores": [0, 0, 0, 0, 0.9, 0.8, 0.7, 0.6],
               "keypoint_present": [0.1] * 8, "keypoint_visible": [0.8] * 8,
               "category_scores": {"Pants": 0.7}}  # fmt: skip
    human = {
        **fashion,
        "keypoint_sources": ["model:m"] * 4 + ["human"] * 4,
        "category_source": "human",
    }
    document["annotations"] = [
        annotation(1, 2, TROUSERS_XY, "Pants", fashion=fashion),
        annotation(2, 2, TROUSERS_XY, "Pants", fashion=human),
        annotation(3, 2, TROUSERS_XY, "Pants"),
        annotation(4, 2, TROUSERS_XY, "Pants", fashion={**fashion, "keypoint_scores": [0.5]}),
        annotation(5, 2, TROUSERS_XY, "Shorts", fashion=fashion),
        annotation(6, 2, TROUSERS_XY, "Pants", fashion=fashion) | {"iscrowd": 1},
    ]
    made = Dataset.from_document(document, schema=SCHEMA)
    found = expected_corrections_of_all(made, columns(made))
    singly = [expected_corrections([made.garment(i)]) for i in (1, 2, 4, 5)]
    assert found[[0, 1, 3, 4]] == pytest.approx(singly)
    assert len(set(np.round(singly, 6))) == 4
    assert np.isnan(found[[2, 5]]).all()

"""What a person would correct, in the order in which it is corrected."""

from __future__ import annotations

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.editing.corrections import corrections
from small import SCHEMA, SHIRT_XY, TROUSERS_XY, annotation, small_document


def garments(*annotations):
    document = small_document()
    document["annotations"] = list(annotations)
    return Dataset.from_document(document, schema=SCHEMA).garments_of(1)


def changed(xy=SHIRT_XY, category="Shirt", garment_id=1, hidden=(), **places):
    record = annotation(garment_id, 1, [places.get(f"l{k}", p) for k, p in enumerate(xy)], category)
    for k in hidden:
        record["keypoints"][3 * k + 2] = 1
    return record


def found(shown, truth, tolerance=0.02):
    return [(c.kind, c.garment_id, c.landmark) for c in corrections(shown, truth, tolerance)]


def test_nothing_is_wrong_with_what_is_right():
    assert found(garments(changed()), garments(changed(garment_id=5))) == []
    assert found([], []) == []


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (changed(category="Blouse"), ("category", 1, None)),
        (changed(l0=(43, 20)), ("move", 1, 0)),  # the box is 100 x 90
        (changed(l2=(0, 0)), ("place", 1, 2)),
        (changed(l4=(45, 60)), ("remove", 1, 4)),
        (changed(hidden=(3,)), ("visibility", 1, 3)),
    ],
)
def test_each_kind_of_mistake(shown, expected):
    assert found(garments(shown), garments(changed(garment_id=5))) == [expected]


def test_a_landmark_may_be_off_by_a_share_of_the_box_along_each_side():
    truth = garments(changed(garment_id=5))
    assert found(garments(changed(l0=(41.9, 21.7))), truth) == []
    assert found(garments(changed(l0=(40, 21.9))), truth) == [("move", 1, 0)]  # 1.8 are allowed
    assert found(garments(changed(l0=(43, 20))), truth, 0.05) == []


def test_some_pixels_are_allowed_in_any_case():
    shown, truth = garments(changed(l0=(45, 20))), garments(changed(garment_id=5))
    assert [c.kind for c in corrections(shown, truth)] == ["move"]
    assert [c.kind for c in corrections(shown, truth, least=4.9)] == ["move"]
    assert list(corrections(shown, truth, least=5)) == []


def test_one_that_is_moved_and_hidden_is_moved_first():
    shown = garments(changed(l0=(50, 20), hidden=(0,)))
    assert found(shown, garments(changed(garment_id=5))) == [("move", 1, 0)]


def test_a_garment_without_landmarks_is_not_asked_for():
    nothing = changed([(0, 0)] * 8, "Shirt", 7)
    assert found(garments(changed()), garments(changed(garment_id=5), nothing)) == []


def test_garments_too_many_and_missing_come_first():
    far = [(x + 500 if x else 0, y) for x, y in TROUSERS_XY]
    shown = garments(changed(category="Blouse"), changed(far, "Pants", 2))
    truth = garments(changed(garment_id=5), changed(TROUSERS_XY, "Pants", 6))
    assert found(shown, truth) == [
        ("delete", 2, None),
        ("add", None, None),
        *(("place", None, k) for k in (4, 5, 6, 7)),
        ("category", 1, None),
    ]

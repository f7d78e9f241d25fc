from __future__ import annotations

from dataclasses import replace

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.coco.categories import CategoryAnswer
from napari_fashion.editing import operations
from napari_fashion.editing.predictions import add_prediction, take_prediction
from napari_fashion.errors import FashionError
from small import (
    SCHEMA,
    SHIRT_XY,
    TROUSERS_XY,
    predicted,
    prediction,
    small_dataset,
    small_document,
)


def take(dataset, image_id, *garments, **options):
    taken = take_prediction(dataset, image_id, prediction(*garments, **options), SCHEMA)
    if taken.edit is not None:
        taken.edit.apply(dataset)
    return taken


def test_garments_of_a_model_are_put_in_with_their_scores(dataset) -> None:
    taken = take(dataset, 3, predicted(SHIRT_XY, "Shirt", 0.75))
    (garment,) = dataset.garments_of(3)
    assert str(taken) == "1 garment found."
    assert garment.source == "model:new"
    assert garment.score == 0.75
    assert garment.category_name == "Shirt"
    assert garment.visibility.tolist() == [2, 2, 2, 2, 0, 0, 2, 2]
    assert garment.landmark_scores.tolist() == [0.75, 0.75, 0.75, 0.75, 0, 0, 0.75, 0.75]
    assert next(iter(garment.category_scores)) == "Shirt"


def test_a_models_garments_make_place(dataset) -> None:
    take(dataset, 2, predicted(SHIRT_XY, "Shirt"), predicted(TROUSERS_XY, "Pants"))
    assert [(g.category_name, g.source) for g in dataset.garments_of(2)] == [
        ("Shirt", "model:new"),
        ("Pants", "model:new"),
    ]


def test_a_persons_garment_stays_and_its_twin_is_left_out(dataset) -> None:
    before = dataset.text("annotations", 11)
    taken = take(dataset, 1, predicted(SHIRT_XY, "Shirt", shift=4.0))
    assert (taken.edit, taken.kept) == (None, 1)
    assert dataset.text("annotations", 11) == before


def test_a_persons_garment_stays_beside_another_one(dataset) -> None:
    taken = take(dataset, 1, predicted(TROUSERS_XY, "Pants"))
    assert (taken.added, taken.kept) == (1, 0)
    assert [g.source for g in dataset.garments_of(1)] == ["human", "model:new"]


def test_what_a_person_corrected_stays_and_the_rest_is_renewed(dataset) -> None:
    operations.move_landmarks(dataset, 12, {6: (20, 118)}).apply(dataset)
    operations.delete_landmarks(dataset, 12, [5]).apply(dataset)
    operations.set_category(dataset, 12, SCHEMA.category_index("Shorts")).apply(dataset)
    taken = take(dataset, 2, predicted(TROUSERS_XY, "Pants", 0.95, shift=2.0))
    (garment,) = dataset.garments_of(2)
    assert taken.updated == 1
    assert garment.id == 12
    assert garment.xy[6].tolist() == [20, 118]
    assert garment.visibility[5] == 0
    assert garment.category_name == "Shorts"
    assert garment.xy[4].tolist() == [47, 14]
    assert garment.landmark_sources[4:] == ("model:new", "human", "human", "model:new")
    assert garment.landmark_scores[7] == pytest.approx(0.95)
    assert garment.category_source == "human"


def test_the_category_of_a_corrected_garment_is_renewed_unless_a_person_chose_it(dataset) -> None:
    operations.move_landmarks(dataset, 12, {6: (20, 118)}).apply(dataset)
    take(dataset, 2, predicted(TROUSERS_XY, "Shorts"))
    assert dataset.garment(12).category_name == "Shorts"


def test_a_garment_that_a_person_deleted_does_not_come_back(dataset) -> None:
    operations.delete_garment(dataset, 12).apply(dataset)
    taken = take(dataset, 2, predicted(TROUSERS_XY, "Pants"))
    assert (taken.edit, taken.rejected) == (None, 1)
    assert dataset.garments_of(2) == []


def test_a_reviewed_image_stays(dataset) -> None:
    operations.set_reviewed(dataset, 2, True).apply(dataset)
    taken = take(dataset, 2, predicted(SHIRT_XY, "Shirt"))
    assert taken.edit is None
    assert "Reviewed" in str(taken)


def test_the_same_prediction_again_is_no_edit(dataset) -> None:
    take(dataset, 3, predicted(SHIRT_XY, "Shirt"))
    again = take(dataset, 3, predicted(SHIRT_XY, "Shirt"))
    assert (again.edit, again.added) == (None, 1)


def test_garments_of_categories_that_the_file_lacks_are_left_out_and_counted() -> None:
    dataset = small_dataset(categories=["Pants", "Shirt"])
    found = predicted(SHIRT_XY, "Dress"), predicted(TROUSERS_XY, "Pants")
    taken = take(dataset, 3, *found)
    assert [g.category_name for g in dataset.garments_of(3)] == ["Pants"]
    assert (taken.added, taken.left_out) == (1, ("Dress",))
    assert "1 left out, since the file has no category for Dress" in str(taken)


def test_categories_that_the_file_lacks_come_with_the_edit_where_a_person_said_so() -> None:
    dataset = small_dataset(categories=["Pants", "Shirt"])
    found = prediction(predicted(SHIRT_XY, "Dress"), predicted(TROUSERS_XY, "Skirt"))
    taken = take_prediction(dataset, 3, found, SCHEMA, CategoryAnswer("add"))
    taken.edit.apply(dataset)
    # The schema knows all 15 categories, though the file names two.
    assert [g.category_name for g in dataset.garments_of(3)] == ["Dress", "Skirt"]
    assert taken.left_out == ()
    taken.edit.inverse().apply(dataset)
    assert len(dataset.to_document()["categories"]) == 2


def test_a_file_of_one_category_gives_it_to_every_garment() -> None:
    document = small_document()
    document["categories"] = [{**document["categories"][0], "name": "clothing"}]
    dataset = Dataset.from_document(document)
    taken = take(dataset, 3, predicted(SHIRT_XY, "Dress"), predicted(TROUSERS_XY, "Pants"))
    assert [g.category_name for g in dataset.garments_of(3)] == ["clothing"] * 2
    assert taken.left_out == ()


def test_a_corrected_garment_keeps_its_category_where_the_file_lacks_the_new_one() -> None:
    dataset = small_dataset(categories=["Pants", "Shirt"])
    operations.move_landmarks(dataset, 12, {6: (20, 118)}).apply(dataset)
    taken = take(dataset, 2, predicted(TROUSERS_XY, "Shorts"))
    assert (taken.updated, taken.left_out) == (1, ())
    assert dataset.garment(12).category_name == "Pants"
    assert dataset.garment(12).landmark_sources[7] == "model:new"


def test_a_file_without_categories_gets_all_of_the_models() -> None:
    """One alone would be given to every garment from then on."""
    document = small_document() | {"annotations": [], "categories": []}
    dataset = Dataset.from_document(document, schema=SCHEMA)
    edit, key = operations.add_garment(dataset, 1, 3)
    edit.apply(dataset)
    assert dataset.garment(key).category == 3
    assert len(dataset.to_document()["categories"]) == len(SCHEMA.categories)
    edit.inverse().apply(dataset)
    take(dataset, 3, predicted(SHIRT_XY, "Dress"))
    take(dataset, 2, predicted(TROUSERS_XY, "Pants"))
    assert [g.category_name for g in dataset.garments] == ["Dress", "Pants"]
    assert len(dataset.to_document()["categories"]) == len(SCHEMA.categories)


def test_another_schemas_model_is_refused(dataset) -> None:
    other = replace(SCHEMA, landmarks=tuple(n.upper() for n in SCHEMA.landmarks))
    with pytest.raises(FashionError, match="trained on this schema"):
        take_prediction(dataset, 1, prediction(), other)


def add(dataset, image_id, *garments):
    added = add_prediction(dataset, image_id, prediction(*garments), SCHEMA)
    if added.edit is not None:
        added.edit.apply(dataset)
    return added


def test_a_garment_that_was_asked_for_is_added_and_nothing_else_changes(dataset) -> None:
    before = [garment.id for garment in dataset.garments_of(2)]
    added = add(dataset, 2, predicted(TROUSERS_XY, "Shorts", 0.3))  # on top of the model's own
    assert added.added == 1
    ids = [garment.id for garment in dataset.garments_of(2)]
    assert ids[:-1] == before
    new = dataset.garment(ids[-1])
    assert (new.source, new.category_name, new.score) == ("model:new", "Shorts", 0.3)
    assert added.edit.label == "Add a garment"


def test_it_is_added_where_a_person_deleted_one_and_to_a_reviewed_image(dataset) -> None:
    operations.delete_garment(dataset, dataset.garments_of(2)[0].id).apply(dataset)
    operations.set_reviewed(dataset, 2, True).apply(dataset)
    assert take(dataset, 2, predicted(TROUSERS_XY, "Pants")).added == 0
    assert add(dataset, 2, predicted(TROUSERS_XY, "Pants")).added == 1


def test_one_without_a_category_in_the_file_is_left_out_by_name() -> None:
    dataset = Dataset.from_document(small_document(categories=["Shirt", "Pants"]), schema=SCHEMA)
    added = add(dataset, 3, predicted(SHIRT_XY, "Dress"))
    assert (added.edit, added.left_out) == (None, ("Dress",))

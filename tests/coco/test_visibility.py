"""What a model says of presence and visibility: in results, in files, and back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO

from napari_fashion.coco import Dataset, provenance
from napari_fashion.coco.categories import CategoryRule
from napari_fashion.coco.records import annotation_of_result
from napari_fashion.coco.results import prediction_of_results, result_records, write_results
from napari_fashion.editing import operations
from napari_fashion.editing.predictions import take_prediction
from small import SCHEMA, SHIRT_XY, predicted, prediction, small_dataset, small_document

# the shirt has no waistline; 0.49996 is written as 0.5
PRESENT = np.array([0.99, 0.98, 0.7, 0.9, 0, 0, 0.95, 0.6], np.float32)
VISIBLE = np.array([0.97, 0.17, 0.9, 0.49996, 0.3, 0.9, 0.5, 0.2], np.float32)
TOLD = [2, 1, 2, 1, 0, 0, 2, 1]


def garment(**changes):
    return replace(predicted(SHIRT_XY, "Shirt"), present=PRESENT, visible=VISIBLE, **changes)


def results(found, dataset=None):
    dataset = dataset or small_dataset()
    rule = CategoryRule.of(dataset, SCHEMA)
    records, left_out = result_records(dataset, 3, prediction(found), rule)
    assert not left_out
    return records


def test_results_say_what_is_hidden_and_keep_the_probabilities():
    (record,) = results(garment())
    assert record["keypoints"][2::3] == TOLD
    assert record["keypoint_visible"] == [0.97, 0.17, 0.9, 0.5, 0.3, 0.9, 0.5, 0.2]
    assert record["keypoint_present"] == [0.99, 0.98, 0.7, 0.9, 0.0, 0.0, 0.95, 0.6]
    assert len(record["keypoint_scores"]) == 8


def test_a_model_that_tells_nothing_of_visibility_leaves_results_as_they_were():
    (record,) = results(predicted(SHIRT_XY, "Shirt"))
    assert record["keypoints"][2::3] == [2, 2, 2, 2, 0, 0, 2, 2]
    assert not {"keypoint_visible", "keypoint_present"} & set(record)


@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.123456789])
def test_results_come_back_as_the_prediction_that_they_were_made_of(threshold):
    dataset = small_dataset()
    found = garment(visible_threshold=threshold)
    records = json.loads(json.dumps(results(found, dataset)))
    back = prediction_of_results(records, dataset, SCHEMA, (120, 120), "new", threshold)
    (again,) = back.garments
    np.testing.assert_array_equal(again.visibility, found.visibility)
    np.testing.assert_allclose(again.visible, found.visible, atol=5e-5)
    np.testing.assert_allclose(again.present, found.present, atol=5e-5)
    assert results(again, dataset) == records


def test_a_results_file_is_opened_with_everything_that_the_model_said(tmp_path):
    records = results(garment())
    write_results(records, tmp_path / "results.json")
    (record,) = json.loads((tmp_path / "results.json").read_text())
    annotation = {**annotation_of_result(record, 77), "image_id": 3}
    assert annotation["num_keypoints"] == 6
    dataset = small_dataset()
    dataset.insert_record("annotations", annotation)
    opened = dataset.garment(77)
    assert opened.visibility.tolist() == TOLD
    np.testing.assert_allclose(opened.landmark_visible, VISIBLE, atol=5e-5)
    np.testing.assert_allclose(opened.landmark_present, PRESENT, atol=5e-5)
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(small_document()))
    COCO(str(truth)).loadRes(str(tmp_path / "results.json"))  # other tools pass over our keys


def taken(dataset, found, image_id=3):
    edit = take_prediction(dataset, image_id, prediction(found), SCHEMA).edit
    assert edit is not None
    edit.apply(dataset)
    return dataset.garments_of(image_id)[0]


def test_a_prediction_in_the_file_says_what_is_hidden_and_is_saved_so(tmp_path):
    dataset = small_dataset()
    found = taken(dataset, garment())
    record = dataset.store.record("annotations", found.id)
    assert found.visibility.tolist() == TOLD
    assert record["num_keypoints"] == 6
    dataset.save(tmp_path / "saved.json")
    saved = Dataset.load(tmp_path / "saved.json", schema=SCHEMA)
    assert saved.store.record("annotations", found.id) == record


def test_a_corrected_visibility_is_one_edit_and_becomes_the_persons():
    dataset = small_dataset()
    found = taken(dataset, garment())
    before = dataset.text("annotations", found.id)
    edit = operations.set_visibility(dataset, found.id, [1], 2)
    edit.apply(dataset)
    corrected = dataset.garment(found.id)
    assert corrected.visibility.tolist() == [2, 2, 2, 1, 0, 0, 2, 1]
    assert corrected.landmark_sources[:3] == ("model:new", "human", "model:new")
    assert np.isnan(corrected.landmark_visible[1])
    assert np.isnan(corrected.landmark_present[1])
    assert corrected.landmark_visible[0] == 0.97
    edit.inverse().apply(dataset)
    assert dataset.text("annotations", found.id) == before


def test_a_new_prediction_renews_the_visibility_around_what_a_person_set():
    dataset = small_dataset()
    found = taken(dataset, garment())
    operations.set_visibility(dataset, found.id, [1], 2).apply(dataset)
    again = taken(dataset, garment(visible_threshold=0.1))
    assert again.id == found.id
    assert again.visibility.tolist() == [2, 2, 2, 2, 0, 0, 2, 2]
    assert np.isnan(again.landmark_visible[1])
    assert again.landmark_sources[1] == "human"


def test_what_an_earlier_model_said_of_visibility_goes_with_it():
    dataset = small_dataset()
    found = taken(dataset, garment())
    operations.set_visibility(dataset, found.id, [1], 2).apply(dataset)
    again = taken(dataset, predicted(SHIRT_XY, "Shirt"))
    ours = provenance.of(dataset.store.record("annotations", again.id))
    assert not {"keypoint_visible", "keypoint_present"} & set(ours)
    assert again.visibility.tolist() == [2, 2, 2, 2, 0, 0, 2, 2]

"""Predictions in, and results out."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from napari_fashion.coco import Dataset, find_problems, provenance, write_results
from napari_fashion.coco.records import annotation_record, result_record, top_categories
from napari_fashion.errors import CocoError
from napari_fashion.schema import Schema

XY = np.array([[10.123, 20], [40, 60.456], [99, 99], [15, 30], [0, 0], [1, 1], [20, 25], [30, 35]])
VISIBILITY = np.array([2, 2, 0, 1, 0, 0, 2, 2])
SCORES = np.array([0.9, 0.8, 0.04, 0.7, 0, 0, 0.654321, 0.6])
KEYPOINTS = [
    *(10.12, 20.0, 2, 40.0, 60.46, 2, 0.0, 0.0, 0, 15.0, 30.0, 1),
    *(0.0, 0.0, 0, 0.0, 0.0, 0, 20.0, 25.0, 2, 30.0, 35.0, 2),
]
FOUND = {
    "xy": XY,
    "visibility": VISIBILITY,
    "fashion": provenance.of_model(
        "model:abc", np.float32(0.71239), SCORES, {"Dress": np.float32(0.75), "Skirt": 0.125}
    ),
}


def test_annotation_record():
    record = annotation_record(12, 30, 4, **FOUND)
    assert (
        json.loads(json.dumps(record))
        == record
        == {
            "id": 12,
            "image_id": 30,
            "category_id": 4,
            "iscrowd": 0,
            "bbox": [10.12, 20.0, 29.88, 40.46],
            "area": 1208.94,
            "num_keypoints": 5,
            "keypoints": KEYPOINTS,
            "fashion": {
                "source": "model:abc",
                "score": 0.7124,
                "keypoint_scores": [0.9, 0.8, 0.04, 0.7, 0.0, 0.0, 0.6543, 0.6],
                "category_scores": {"Dress": 0.75, "Skirt": 0.125},
            },
        }
    )


def test_a_garment_without_landmarks_has_an_empty_box():
    record = annotation_record(1, 1, 1, **{**FOUND, "visibility": np.zeros(8)})
    assert (record["bbox"], record["area"], record["num_keypoints"]) == ([0.0] * 4, 0.0, 0)


def test_a_prediction_in_the_data_set(dataset):
    dataset.insert_record("annotations", annotation_record(12, 10, 4, **FOUND))
    garment = dataset.garment(12)
    assert (garment.source, garment.score, garment.touched_by_human) == ("model:abc", 0.7124, False)
    np.testing.assert_allclose(garment.xy[VISIBILITY > 0], XY[VISIBILITY > 0], atol=0.005)
    np.testing.assert_allclose(garment.landmark_scores, SCORES, atol=5e-5)
    assert garment.category_scores == {"Dress": 0.75, "Skirt": 0.125}
    assert not find_problems(dataset)


def test_top_categories_come_likeliest_first():
    schema = Schema.load("garments")
    p = np.zeros(15)
    p[[3, 7, 1]] = [0.5, 0.3, 0.2]
    top = top_categories(schema, p)
    assert list(top.items())[:3] == [("Dress", 0.5), ("Pants", 0.3), ("Blouse", 0.2)]
    assert len(top) == 5
    assert len(top_categories(schema, p, 2)) == 2


def test_result_record():
    record = result_record(annotation_record(12, 30, 4, **FOUND))
    assert list(record) == [
        "image_id",
        "category_id",
        "keypoints",
        "score",
        "keypoint_scores",
        "bbox",
        "area",
        "category_scores",
        "source",
    ]
    assert record["score"] == 0.7124
    assert record["keypoint_scores"][2] == 0.04
    assert record["keypoints"][6:9] == [0.0, 0.0, 0]


def test_pycocotools_evaluates_the_results(dataset, tmp_path, capsys):
    """What the model found exactly where the truth is has an average precision of 1."""
    truth = tmp_path / "truth.json"
    dataset.set_value("annotations", 7, ("area",), 12)
    for garment in dataset.garments:
        dataset.set_value("annotations", garment.id, ("area",), 2000.0)
        if dataset.text("annotations", garment.id, ("keypoints",)) is None:
            dataset.set_value("annotations", garment.id, ("keypoints",), [0, 0, 0] * 8)
            dataset.set_value("annotations", garment.id, ("num_keypoints",), 0)
        if dataset.text("annotations", garment.id, ("bbox",)) is None:
            dataset.set_value("annotations", garment.id, ("bbox",), [0, 0, 9, 9])
    dataset.save(truth)
    garment = dataset.garment(5)
    found = {**FOUND, "xy": garment.xy, "visibility": garment.visibility}
    result = result_record(annotation_record(1, 30, 9, **found))
    write_results([result], tmp_path / "results.json")
    coco = COCO(str(truth))
    results = coco.loadRes(str(tmp_path / "results.json"))
    evaluation = COCOeval(coco, results, "keypoints")
    evaluation.params.kpt_oks_sigmas = np.array(dataset.schema.sigmas)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_results_are_written_whole_and_never_over_a_file(tmp_path):
    path = tmp_path / "results.json"
    result = result_record(annotation_record(1, 1, 1, **FOUND))
    write_results([], path)
    assert json.loads(path.read_text()) == []
    with pytest.raises(CocoError, match=r"results\.json: exists already; nothing was written"):
        write_results([result], path)
    write_results([result], path, overwrite=True)
    assert json.loads(path.read_text())[0]["source"] == "model:abc"
    with pytest.raises(CocoError, match=r"found a list.*results files"):
        Dataset.load(path)


def test_the_room_needs_neither_torch_nor_qt_nor_napari():
    code = (
        "import sys, napari_fashion.coco, napari_fashion.datasets.photos;"
        "print([m for m in ('torch', 'napari', 'qtpy', 'napari_fashion.engine') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

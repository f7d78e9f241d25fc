from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from drawn import SCHEMA
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.average_precision import average_precision, match
from napari_fashion.engine.evaluation.detections import Detections
from napari_fashion.engine.prediction import PredictedGarment, Prediction

NAMES = ("ap", "ap50", "ap75", "ap_medium", "ap_large", "ar")
SIZE = (400, 320)


def coco(xy: np.ndarray, **more) -> dict:
    keypoints = np.concatenate([xy, np.full((len(xy), 1), 2)], axis=1).ravel().tolist()
    return {"image_id": 1, "category_id": 1, "keypoints": keypoints, **more}


def document(*garments: np.ndarray) -> dict:
    return {
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "Top"}, {"id": 2, "name": "Dress"}],
        "annotations": [coco(xy, id=i + 1) for i, xy in enumerate(garments)],
    }


def pycocotools_says(truth, results, sigmas):
    """Return the figures of an unchanged COCOeval on a file, its own boxes, areas and crowds."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = json.loads(json.dumps(truth))
        data.createIndex()
        evaluation = COCOeval(data, data.loadRes(json.loads(json.dumps(results))), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, float)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    figures = dict(zip(NAMES, evaluation.stats[:6].tolist(), strict=True))
    return {name: value if value >= 0 else None for name, value in figures.items()}


def random_file(rng):
    """Return a COCO document with boxes and areas of its own, crowds and unlabelled garments; and results.

    Numbers are quarters, which every float holds exactly.
    """
    k = SCHEMA.n_landmarks
    images = [
        {"id": 7 * n, "file_name": f"{n}.png", "width": SIZE[0], "height": SIZE[1]}
        for n in range(1, 6)
    ]
    annotations, results = [], []
    for image in images:
        for _ in range(rng.integers(0, 5)):
            visibility = rng.integers(0, 3, k) * (rng.random() < 0.8)
            low = rng.integers(0, 150, 2)
            xy = (low + rng.integers(0, 4 * 160, (k, 2)) / 4) * (visibility > 0)[:, None]
            w, h = (int(side) for side in rng.integers(10, 150, 2))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": 1,
                    "iscrowd": int(rng.random() < 0.2),
                    "bbox": [*low.tolist(), w, h],
                    "area": float(w * h * rng.choice([0.05, 0.5, 1, 4])),
                    "num_keypoints": int((visibility > 0).sum()),
                    "keypoints": np.c_[xy, visibility].ravel().tolist(),
                }
            )
            for _ in range(rng.integers(0, 3)):  # finds near it, of a good and of a bad place
                near = low + rng.integers(0, 600, (k, 2)) / 4 if rng.random() < 0.3 else xy
                near = near + rng.integers(-40, 41, (k, 2)) / 4 * rng.choice([0, 0.25, 1])
                score = float(rng.integers(1, 16) / 16)  # many ties
                results.append(coco(near, image_id=image["id"], score=score))
    categories = [
        {"id": i + 1, "name": name, "keypoints": list(SCHEMA.landmarks), "skeleton": []}
        for i, name in enumerate(SCHEMA.category_names)
    ]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def test_average_precision_knows_perfect_half_and_nothing(capsys) -> None:
    first = np.array([[10.0, 10], [30, 10], [20, 40]])
    truth = document(first, first + 50)
    sigmas = (0.08,) * 3
    perfect = [coco(first, score=0.9), coco(first + 50, score=0.8)]
    found = average_precision(truth, perfect, sigmas)
    assert [found[n] for n in ("ap", "ap50", "ap75", "ar")] == pytest.approx([1] * 4)
    half = average_precision(truth, perfect[:1], sigmas)
    assert half["ar"] == pytest.approx(0.5)
    assert half["ap"] == pytest.approx(51 / 101)  # recall 0 to 0.5 of COCO's 101 points
    other_category = [{**r, "category_id": 2} for r in perfect]
    assert average_precision(truth, other_category, sigmas)["ap"] == pytest.approx(1)
    assert average_precision(truth, [], sigmas)["ap"] == 0
    assert average_precision(document(), perfect, sigmas)["ap"] is None
    assert capsys.readouterr().out == ""
    assert "area" not in truth["annotations"][0]  # the caller's document is as it was


def test_average_precision_uses_the_given_sigmas() -> None:
    first = np.array([[10.0, 10], [30, 10], [20, 40]])
    near = [coco(first + 3, score=0.9)]
    strict = average_precision(document(first), near, (0.02,) * 3)
    kind = average_precision(document(first), near, (0.5,) * 3)
    assert strict["ap"] == 0
    assert kind["ap"] == pytest.approx(1)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_figures_are_those_of_pycocotools(seed) -> None:
    truth, results = random_file(np.random.default_rng(seed))
    if not results:
        return
    expected = pycocotools_says(truth, results, SCHEMA.sigmas)
    assert average_precision(truth, results, SCHEMA.sigmas) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_a_resample_is_the_file_with_these_images(seed) -> None:
    rng = np.random.default_rng(seed)
    truth, results = random_file(rng)
    # Equal scores of different images may come in another order: make them differ.
    for result, score in zip(results, rng.permutation(len(results)) + 1.0, strict=True):
        result["score"] = float(score)
    weights = rng.integers(0, 3, len(truth["images"]))
    copied = {"images": [], "annotations": [], "categories": truth["categories"]}
    again = []
    for image, times in zip(truth["images"], weights.tolist(), strict=True):
        for _ in range(times):
            number = len(copied["images"]) + 1
            copied["images"].append({**image, "id": number})
            for source, target in ((truth["annotations"], copied["annotations"]), (results, again)):
                of_image = [a for a in source if a["image_id"] == image["id"]]
                target += [{**a, "image_id": number, "id": len(target) + n + 1}
                           for n, a in enumerate(of_image)]  # fmt: skip
    ours = match(truth, results, SCHEMA.sigmas)
    expected = match(copied, again, SCHEMA.sigmas)
    assert ours.precision_recall(weights.astype(float)) == pytest.approx(
        expected.precision_recall()
    )
    figures = ours.average_precision(weights.astype(float))
    assert figures == pytest.approx(expected.average_precision(), abs=1e-9)


def prediction_of(results, image_id) -> Prediction:
    garments = [
        PredictedGarment(
            np.array(r["keypoints"], np.float32).reshape(-1, 3)[:, :2],
            np.ones(SCHEMA.n_landmarks, np.float32),
            np.ones(SCHEMA.n_landmarks, np.float32),
            np.ones(len(SCHEMA.categories), np.float32) / len(SCHEMA.categories),
            r["score"],
        )
        for r in results
        if r["image_id"] == image_id
    ]
    garments.sort(key=lambda garment: -garment.score)
    return Prediction(tuple(garments), *SIZE, "random")


@pytest.mark.parametrize("seed", range(12))
def test_a_file_counts_with_its_own_boxes_areas_and_crowds(seed, tmp_path) -> None:
    """From the file through the reader to the figures: those of pycocotools on the same file."""
    truth, results = random_file(np.random.default_rng(seed))
    path = tmp_path / "a.json"
    path.write_text(json.dumps(truth))
    for image in truth["images"]:
        Image.new("RGB", SIZE).save(tmp_path / image["file_name"])
    detections = Detections(SCHEMA)
    numbers = {image["file_name"]: image["id"] for image in truth["images"]}
    for image in load_sources([Source(file=str(path), empty="negative")], SCHEMA):
        detections.add(image, prediction_of(results, numbers[image.key]))
    found = detections.matched()
    figures = found.figures(np.ones(len(found.images)))
    expected = pycocotools_says(truth, results, SCHEMA.sigmas)
    assert {name: figures[name] for name in NAMES} == pytest.approx(expected, abs=1e-12)


def test_a_smaller_area_is_a_stricter_measure(tmp_path) -> None:
    """The same places, 2 pixels off: found by the box's area, and not by a twentieth of it."""
    xy = np.array([[20.0 + 20 * n, 30 + 25 * (n % 3)] for n in range(8)])
    aps = {}
    for share in (1, 0.05):
        truth = document(xy)
        (annotation,) = truth["annotations"]
        annotation |= {"bbox": [20, 30, 140, 50], "area": 7000 * share}
        annotation |= {"num_keypoints": 8, "iscrowd": 0}
        results = [coco(xy + 2, score=0.5)]
        aps[share] = average_precision(truth, results, SCHEMA.sigmas)["ap"]
        assert aps[share] == pytest.approx(pycocotools_says(truth, results, SCHEMA.sigmas)["ap"])
    assert aps[1] > aps[0.05]


def test_finds_on_crowds_and_on_unlabelled_garments_are_neither_right_nor_false() -> None:
    xy = np.array([[20.0 + 5 * n, 30 + 5 * (n % 3)] for n in range(8)])
    truth = document(xy)
    region = {"bbox": [200, 200, 60, 60], "keypoints": [0] * 24, "image_id": 1}
    on_it = coco(xy + 190, score=0.9)
    for ignored in ({"iscrowd": 1}, {"iscrowd": 0, "num_keypoints": 0}):
        truth["annotations"][1:] = [{**region, **ignored, "id": 2}]
        results = [coco(xy, score=0.5), on_it]
        found = match(truth, results, SCHEMA.sigmas)
        assert found.precision_recall() == (1, 1)
        assert found.average_precision()["ap"] == pytest.approx(1)
        elsewhere = [*results, coco(xy + np.array([300, 0]), score=0.4)]
        assert match(truth, elsewhere, SCHEMA.sigmas).precision_recall() == (0.5, 1)


def test_only_some_garments_are_to_be_found() -> None:
    """As per body type: a find on another garment is ignored, one on none is false."""
    xy = np.array([[20.0 + 5 * n, 30 + 5 * (n % 3)] for n in range(8)])
    truth = document(xy, xy + 100)
    results = [
        coco(xy, score=0.5),
        coco(xy + 100, score=0.9),
        coco(xy + np.array([200, 0]), score=0.4),
    ]
    found = match(truth, results, SCHEMA.sigmas, only=[1])
    assert found.garments.tolist() == [1]
    assert found.precision_recall() == (0.5, 1)
    assert found.average_precision()["ap"] == pytest.approx(1)

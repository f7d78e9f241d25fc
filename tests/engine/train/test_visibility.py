"""A network that tells visibility: trained, calibrated at the end, judged, and used."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from drawn import draw_dataset, tiny_recipe
from napari_fashion.cli import main, status
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import NoticeEvent
from napari_fashion.engine.train.recipe import Recipe

SIDE = 5
"""Pixels around a landmark that a patch covers."""


def cover_landmarks(path, seed=0):
    """Lay a white patch over two in five of the landmarks of a drawn data set; these are hidden."""
    rng = np.random.default_rng(seed)
    document = json.loads(path.read_text())
    for image, annotation in zip(document["images"], document["annotations"], strict=True):
        file = path.parent / "images" / image["file_name"]
        pixels = np.array(Image.open(file))
        keypoints = np.array(annotation["keypoints"]).reshape(-1, 3)
        for k in np.flatnonzero(keypoints[:, 2]):
            if rng.random() < 0.4:
                x, y = np.rint(keypoints[k, :2]).astype(int)
                pixels[max(0, y - SIDE) : y + SIDE + 1, max(0, x - SIDE) : x + SIDE + 1] = 255
                keypoints[k, 2] = 1
        Image.fromarray(pixels).save(file)
        annotation["keypoints"] = keypoints.ravel().tolist()
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="module")
def telling(tmp_path_factory):
    """A run that learned visibility from covered landmarks, and its events."""
    folder = tmp_path_factory.mktemp("telling")
    data = cover_landmarks(draw_dataset(folder / "data", 96, seed=9))
    recipe = tiny_recipe(
        data,
        network={"visibility": True},
        schedule={"epochs": 60, "validate_every": 60},
        data={"validation_share": 0.4},
    )
    recipe["loss"]["weights"]["pif.visible"] = 3.0
    recipe["data"]["train"][0]["unlabelled"] = "absent"
    events = []
    path = train(Recipe.from_dict(recipe), folder / "run", device="cpu", emit=events.append)
    return path, data, events


def test_training_ends_with_a_calibration_on_the_validation_images(telling):
    path, _, events = telling
    model = Model.load(path, "cpu")
    options = model.inference.visibility
    said = [e.message for e in events if isinstance(e, NoticeEvent)]
    (visible,) = [m for m in said if m.startswith("On the validation images, visible: of ")]
    assert f"scale {options.visible_scale:.3f}" in visible
    assert options != VisibilityOptions()
    assert 0 < options.visible_threshold < 1
    notes = model.info.history["calibrated"]["notes"]
    assert len(notes) == 2
    assert {f"On the validation images, {note}" for note in notes} <= set(said)
    assert model.info.history["steps"] > 0


def test_hidden_landmarks_are_told_in_results_of_unseen_images(telling, tmp_path):
    path, *_ = telling
    data = cover_landmarks(draw_dataset(tmp_path / "new", 40, seed=77), seed=5)
    figures, results = tmp_path / "figures.json", tmp_path / "results.json"
    common = ["--model", str(path), "--device", "cpu", "--threads", "1"]
    command = ["evaluate", str(data), *common, "--protocol", "whole", "--json", str(figures)]
    assert main([*command, "--rounds", "50"]) == status.DONE
    whole = json.loads(figures.read_text())["whole"]
    presence = whole["presence"]
    assert presence["visibility_right"] > 0.9
    assert presence["visibility_balanced"] > 0.9
    assert presence["visible_calibration_error"] < 0.1
    low, high = whole["intervals"]["presence.visibility_right"]
    assert low <= presence["visibility_right"] <= high

    assert main(["predict", str(data), *common, "--out", str(results)]) == status.DONE
    truth = {a["image_id"]: a for a in json.loads(data.read_text())["annotations"]}
    right = []
    for record in json.loads(results.read_text()):
        told = np.array(record["keypoints"][2::3])
        true = np.array(truth[record["image_id"]]["keypoints"][2::3])
        assert len(record["keypoint_visible"]) == 8
        both = (told > 0) & (true > 0)
        right += (told == true)[both].tolist()
    assert np.mean(right) > 0.9


def test_an_exported_model_tells_the_same(telling, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed (extra 'onnx')")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra 'onnx')")
    path, data, _ = telling
    exported = tmp_path / "told.onnx"
    assert main(["export-model", str(path), "--out", str(exported)]) == status.DONE
    one, two = Model.load(path, "cpu"), Model.load(exported)
    assert one.inference.visibility == two.inference.visibility
    image = np.array(Image.open(data.parent / "images" / "001.png"))
    for a, b in zip(
        one.predict([image])[0].garments, two.predict([image])[0].garments, strict=True
    ):
        np.testing.assert_allclose(a.visible, b.visible, atol=1e-3)
        np.testing.assert_array_equal(a.visibility, b.visibility)

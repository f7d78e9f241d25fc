"""The script that judges networks of many landmarks and measures what they cost."""

from __future__ import annotations

import pytest

from napari_fashion.datasets.procedural import write_dataset
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe


@pytest.fixture
def script(load_script):
    return load_script("many_landmarks")


def test_a_prediction_of_81_places_is_measured_with_its_networks_weights(script):
    few, places = (script.measure_prediction(f"landmarks-{n}", 1, 1) for n in (8, 81))
    assert places["parameters"] > few["parameters"]
    assert min(places["predict"], places["predict_mb"]) > 0


def test_steps_are_measured_on_fewer_images_of_the_recipes_source(script):
    assert script._fewer("landmarks-81", 16) == "samples:16:1:landmarks=deepfashion2"
    assert script._fewer("landmarks-8", 16) == "samples:16:1"


def test_a_run_is_judged_by_category(script, tmp_path):
    file = write_dataset(
        tmp_path / "data", 5, 9, size=(90, 120), scenes=0, empty=0, landmarks="deepfashion2"
    )
    recipe = Recipe.from_dict(
        {
            "schema": "deepfashion2-places",
            "pretrained": "none",
            "inference": {"input_size": 96, "flip_tta": False, "refinement": False},
            "network": {"backbone": "shufflenet_v2_x0_5", "width": 32, "blocks": 1},
            "data": {"train": [{"file": str(file)}], "validation_share": 0.0, "canvas": 96},
            "schedule": {"batch": 5, "epochs": 1, "sizes": []},
        }
    )
    train(recipe, tmp_path / "run", device="cpu", emit=lambda event: None)
    found = script.judged(tmp_path / "run", str(file))
    assert found["landmarks"] == 81
    assert sum(row["garments"] for row in found["categories"].values()) == 5
    for row in [*found["categories"].values(), found["all"]]:
        assert 0 < row["ne"] < 1
        assert 0 <= row["found"] <= 1
    table = script.run_table(("landmarks-81", found))
    assert all(f"| {name} |" in table for name in found["categories"])


def test_costs_stand_beside_those_of_eight_landmarks(script):
    few = dict.fromkeys(script.COSTS, 2.0)
    table = script.cost_table({"landmarks-8": few, "landmarks-294": dict.fromkeys(few, 3.0)})
    assert "| a training step | 2.00 s (1.00) | 3.00 s (1.50) |" in table
    assert "| weights | 2 (1.00) | 3 (1.50) |" in table

"""Files for TensorBoard, read back by TensorBoard's own reader."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from drawn import tiny_recipe
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import EpochEvent, StepEvent
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import RecipeError


def run(recipe, folder, **options):
    events = []
    emit = options.pop("emit", events.append)
    train(Recipe.from_dict(recipe), folder, device="cpu", emit=emit, **options)
    return events


def read(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(
        str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0}
    )
    return found.Reload()


def recipe_for(drawn, **options):
    return tiny_recipe(
        drawn, schedule={"epochs": 3, "validate_every": 1}, tensorboard={"on": True, **options}
    )


def test_losses_rates_metrics_and_images_are_written(drawn, tmp_path):
    events = run(recipe_for(drawn, images=3), tmp_path / "run")
    found = read(tmp_path / "run")
    steps = {e.step: e for e in events if isinstance(e, StepEvent)}
    assert len(steps) == 12
    expected = {
        "loss/total": {s: e.loss for s, e in steps.items()},
        "learning rate": {s: e.lr for s, e in steps.items()},
        "images per second": {s: e.images_per_second for s, e in steps.items()},
    }
    for name in steps[1].losses:
        expected[f"loss/{name}"] = {s: e.losses[name] for s, e in steps.items()}
    epochs = [e for e in events if isinstance(e, EpochEvent)]
    for name in ("ne", "top1"):
        expected[f"validation/{name}"] = {4 * e.epoch: e.val[name] for e in epochs}
    for tag, values in expected.items():
        written = {e.step: e.value for e in found.Scalars(tag)}
        assert written == pytest.approx(values, rel=1e-6), tag
    tags = found.Tags()["images"]
    assert len(tags) == 3
    for tag in tags:
        assert [image.step for image in found.Images(tag)] == [4, 8, 12]
        drawn_image = Image.open(io.BytesIO(found.Images(tag)[-1].encoded_image_string))
        name = tag.split(" ", 1)[1]
        original = Image.open(drawn.parent / "images" / name)
        assert drawn_image.size == original.size
        assert np.asarray(drawn_image).shape == np.asarray(original).shape


def test_predictions_are_drawn(drawn, trained, tmp_path):
    """A model that knows the images: what it predicts is painted over them."""
    folder, _ = trained
    recipe = recipe_for(drawn, images=1) | {
        "start_from": str(folder / "model.json"),
        "optimiser": {"lr": 1e-6, "freeze_norms": True},
        "schedule": {"epochs": 1, "batch": 8},
    }
    run(recipe, tmp_path / "run")
    found = read(tmp_path / "run")
    [tag] = found.Tags()["images"]
    painted = np.asarray(Image.open(io.BytesIO(found.Images(tag)[-1].encoded_image_string)), float)
    plain = np.asarray(Image.open(drawn.parent / "images" / tag.split(" ", 1)[1]), float)
    assert (np.abs(painted - plain).max(-1) > 40).mean() > 0.02


class Killed(BaseException):
    pass


def test_steps_after_the_state_that_a_run_goes_on_from_are_dropped(drawn, tmp_path):
    recipe, folder = recipe_for(drawn, images=1), tmp_path / "run"

    def kill(event):
        if isinstance(event, StepEvent) and event.step == 7:
            raise Killed

    with pytest.raises(Killed):
        run(recipe, folder, emit=kill)
    before = [e.step for e in read(folder).Scalars("loss/total")]
    assert before == [1, 2, 3, 4, 5, 6, 7]
    events = run(recipe, folder, resume=True)
    assert events[0].step == 4
    found = read(folder)
    assert [e.step for e in found.Scalars("loss/total")] == list(range(1, 13))
    values = {e.step: e.value for e in found.Scalars("loss/total")}
    for event in events:
        if isinstance(event, StepEvent):
            assert values[event.step] == pytest.approx(event.loss, rel=1e-6)
    [tag] = found.Tags()["images"]
    assert [image.step for image in found.Images(tag)] == [4, 8, 12]


def test_nothing_is_written_by_default(drawn, tmp_path):
    recipe = tiny_recipe(drawn, schedule={"epochs": 1, "max_steps": 1})
    run(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_missing_library_is_told_before_anything_runs(drawn, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(
        RecipeError, match=r"Install it, such as by pip install 'napari-fashion\[tens"
    ):
        run(recipe_for(drawn), tmp_path / "run")
    assert not (tmp_path / "run").exists()

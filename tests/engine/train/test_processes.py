"""Several processes train one network as one process does."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from drawn import tiny_recipe
from napari_fashion.engine.augment.options import AugmentOptions
from napari_fashion.engine.distributed import Launch, Processes
from napari_fashion.engine.train import batches
from napari_fashion.engine.train.batches import share_of_batch
from napari_fashion.errors import RecipeError
from several import gradients_of_a_batch, in_processes, reduce_things, train_a_run


def frozen(drawn, trained, **more):
    """A recipe with frozen norms and no dropout: each image is by itself in the network."""
    augment = {"mosaic": 0.5, "rotation": 20, "noise": 6, "erase": 0.3}
    schedule = {"epochs": 2, "batch": 8, "validate_every": 2, **more.pop("schedule", {})}
    return tiny_recipe(
        drawn,
        start_from=str(trained[0]),
        optimiser={"freeze_norms": True, **more.pop("optimiser", {})},
        augment=augment,
        schedule=schedule,
        **more,
    )


def test_things_are_reduced_over_all_processes(tmp_path):
    assert in_processes(3, reduce_things, tmp_path)["size"] == 3


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_the_gradients_of_two_processes_are_those_of_one(drawn, trained, tmp_path, precision):
    recipe = frozen(drawn, trained, precision=precision)
    one, two = (
        in_processes(n, gradients_of_a_batch, tmp_path, recipe, str(tmp_path / "run"))
        for n in (1, 2)
    )
    assert two.pop("parts").tolist() == [4, 4]
    assert one.pop("parts").tolist() == [8]
    torch.testing.assert_close(two.pop("inputs"), one.pop("inputs"), atol=1e-3, rtol=0)  # of 255
    assert one.keys() == two.keys()
    assert len(one) > 100
    tolerance = 1e-5 if precision == "float32" else 0.02  # bfloat16 has 8 bits
    for name, gradient in one.items():
        scale = max(float(gradient.norm()), 0.01)
        assert float((two[name] - gradient).norm()) < tolerance * scale, name


def test_a_run_of_two_processes_ends_with_the_weights_of_one(drawn, trained, tmp_path):
    """Also if they have unequal parts of a batch."""
    schedule = {"batch": 7, "max_steps": 8, "validate_every": 1}
    recipe = frozen(drawn, trained, schedule=schedule, optimiser={"kind": "sgd", "lr": 1e-3})
    recipe["augment"] |= {"mosaic": 0.0}  # so that a batch can be divided anywhere
    for n in (1, 2):
        apart = in_processes(n, train_a_run, tmp_path, recipe, str(tmp_path / str(n)))
        assert apart["apart"] == 0
    start = load_file(trained[0] / "model.safetensors")
    one, two = (load_file(tmp_path / run / "model.safetensors") for run in ("1", "2"))
    moved = max(float((one[k] - start[k]).abs().max()) for k in one)
    assert moved > 1e-3
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4, msg=name)
    metrics = [
        json.loads((tmp_path / run / "model.json").read_text())["metrics"] for run in ("1", "2")
    ]
    assert metrics[0]
    assert metrics[1] == pytest.approx(metrics[0], abs=1e-4)


def test_norms_that_learn_stay_the_same_in_all_processes(drawn, tmp_path):
    recipe = tiny_recipe(drawn, schedule={"max_steps": 4}, network={"dropout": 0.3})
    apart = in_processes(2, train_a_run, tmp_path, recipe, str(tmp_path / "run"))
    assert apart["apart"] == 0
    trained = load_file(tmp_path / "run" / "model.safetensors")
    moved = [float(v.abs().max()) for k, v in trained.items() if k.endswith("running_mean")]
    assert max(moved) > 0


def as_process(monkeypatch, rank, size):
    here = Processes(Launch(rank, size, rank, size))
    monkeypatch.setattr(batches, "processes", lambda: here)


@pytest.mark.parametrize("augment", [AugmentOptions(), AugmentOptions(mosaic=0.2)])
@pytest.mark.parametrize("batch", [8, 13, 32])
def test_the_parts_of_a_batch_are_the_batch(monkeypatch, batch, augment):
    for size in (1, 2, 3):
        places = []
        if augment.mosaic and batch // 4 < size:
            as_process(monkeypatch, 0, size)
            with pytest.raises(RecipeError, match=rf"{batch} images in 2 groups.*3 processes"):
                share_of_batch(batch, augment)
            continue
        for rank in range(size):
            as_process(monkeypatch, rank, size)
            part = share_of_batch(batch, augment)
            assert len(part) >= (4 if augment.mosaic else batch // size)
            places += part
        assert places == list(range(batch))


def test_a_batch_of_fewer_images_than_processes_is_refused(monkeypatch):
    as_process(monkeypatch, 0, 3)
    with pytest.raises(RecipeError, match="A batch has 2 images; expected at least one for each"):
        share_of_batch(2, AugmentOptions())

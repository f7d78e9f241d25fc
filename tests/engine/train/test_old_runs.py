"""Runs of versions without checkpoints go on."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from drawn import draw_dataset, split_file, tiny_recipe
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import DoneEvent
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import checkpoint_paths
from napari_fashion.errors import CheckpointError
from old_runs import make_old

OPTIMISER = {"backbone_lr": 0.5, "freeze_norms": True}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """COCO file of 9 small drawn garments; the validation images are in `others.json` beside it."""
    torch.set_num_threads(1)
    return split_file(draw_dataset(tmp_path_factory.mktemp("few") / "data", 12, size=(48, 48)), 9)[
        0
    ]


def recipe_for(data, **changes):
    """Return a recipe of 2 epochs of 3 steps."""
    return tiny_recipe(
        data,
        inference={"input_size": 32},
        data={"canvas": 32, "validation": [{"file": str(data.with_name("others.json"))}]},
        schedule={"epochs": 2, "batch": 3},
        network={"dropout": 0.2},
        **changes,
    )


def run(recipe, folder, **options):
    events = []
    path = train(Recipe.from_dict(recipe), folder, device="cpu", emit=events.append, **options)
    return path, events


def stop_after(n):
    steps = iter(range(1, 1000))
    return lambda: next(steps) == n


@pytest.fixture(scope="module")
def old_once(few, tmp_path_factory):
    """Folder of an old run that was stopped after 4 of its 6 steps, and that of a whole run."""
    folder = tmp_path_factory.mktemp("old")
    recipe = recipe_for(few, optimiser=OPTIMISER)
    run(recipe, folder / "run", should_stop=stop_after(4))
    make_old(folder / "run")
    run(recipe, folder / "whole")
    return folder


@pytest.fixture
def old(old_once, tmp_path):
    return shutil.copytree(old_once / "run", tmp_path / "run")


def test_an_old_run_goes_on_to_the_very_same_weights(few, old_once, old):
    assert (old / "state.json").exists()
    assert not (old / "checkpoints").exists()
    _, events = run(recipe_for(few), old, resume=True)
    assert events[0].step == 4
    assert isinstance(events[-1], DoneEvent)
    assert sorted(os.listdir(old)) == sorted(os.listdir(old_once / "whole"))
    for place in (lambda f: f / "model.safetensors", lambda f: checkpoint_paths(f)[0]):
        one, two = load_file(place(old)), load_file(place(old_once / "whole"))
        assert one.keys() == two.keys()
        assert [name for name in one if not torch.equal(one[name], two[name])] == []


def test_an_old_run_has_todays_form_before_it_learns_anything(few, old):
    metrics = json.loads((old / "model.json").read_text())["metrics"]

    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(recipe_for(few), old, resume=True, should_stop=fail)
    assert [path.name for path in checkpoint_paths(old)] == ["step-00000004.safetensors"]
    assert not list(old.glob("state.*"))
    assert json.loads((old / "model.json").read_text())["metrics"] == metrics
    (old / "state.json").write_text("{}")  # today's form counts, whatever else is there
    _, events = run(recipe_for(few), old, resume=True)
    assert events[0].step == 4


def test_a_share_of_the_start_is_taken_out_of_an_old_average(few, old_once, tmp_path):
    start = str(old_once / "whole")
    recipe = recipe_for(few, start_from=start, optimiser={"keep_start": 0.4})
    run(recipe, tmp_path / "whole")
    run(recipe, tmp_path / "run", should_stop=stop_after(4))
    make_old(tmp_path / "run")
    run(recipe, tmp_path / "run", resume=True)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "run"))
    for name, value in one.items():  # mixing and taking out leaves the trace of its rounding
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-5)


def test_a_run_from_before_recipes_said_what_their_model_is_goes_on(few, old_once, tmp_path):
    start = old_once / "whole"
    recipe = recipe_for(few, start_from=str(start))
    run(recipe, tmp_path / "run", should_stop=stop_after(4))
    make_old(tmp_path / "run")
    path = tmp_path / "run" / "recipe.json"
    document = json.loads(path.read_text())
    del document["network"], document["inference"], document["format"]  # the defaults stood there
    path.write_text(json.dumps(document))
    described = tmp_path / "run" / "model.json"
    text = described.read_text()
    cut = json.loads(text)
    del cut["network"]
    described.write_text(json.dumps(cut))
    with pytest.raises(CheckpointError, match=r"model\.json: does not describe a model"):
        run(recipe, tmp_path / "run", resume=True)
    described.write_text(text)
    made, events = run(recipe, tmp_path / "run", resume=True)
    assert isinstance(events[-1], DoneEvent)
    model, old = Model.load(made, "cpu"), Model.load(start, "cpu")
    assert (model.config, model.info.inference.input_size) == (old.config, 32)
    assert json.loads(path.read_text())["network"]["width"] == 32  # it says so now


def test_a_state_from_before_rates_had_shares_goes_on(few, old):
    path = old / "state.json"
    state = json.loads(path.read_text())
    for group in state["optimiser"]["param_groups"]:
        del group["share"]
    path.write_text(json.dumps(state))
    _, events = run(recipe_for(few), old, resume=True)
    assert isinstance(events[-1], DoneEvent)


def test_an_old_run_without_a_state_begins_anew(few, old_once, old):
    for name in ("state.json", "state.safetensors", "model.json", "model.safetensors"):
        (old / name).unlink()
    _, events = run(recipe_for(few), old, resume=True)
    assert events[0].step == 0
    one, two = (load_file(f / "model.safetensors") for f in (old, old_once / "whole"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"step": "x"},
            r"state\.json: no state of a run: step: found 'x'; expected a whole number",
        ),
        ({"step": -1}, "step: found -1; expected 0 or more"),
        ({"step": 1}, r"tensors of step '4', state\.json of step 1"),
        ({"lr_factor": 0}, "lr_factor: found 0; expected more than 0"),
        ({"optimiser": []}, r"optimiser: found \[\]; expected a table"),
        ({"optimiser": {"scalars": {"x": 5}}}, "cannot be resumed"),
        ({"optimiser": {"scalars": {"1": {"x": "y"}}}}, "cannot be resumed"),
        ({"scaler": None}, "scaler: found nothing; expected a table"),
        ({"fingerprint": "x"}, "the annotations have changed since"),
    ],
)
def test_a_damaged_old_state_is_refused_by_key(few, old, change, said):
    path = old / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=said):
        run(recipe_for(few), old, resume=True)
    assert path.exists()
    assert not checkpoint_paths(old)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("network.pif.conv.bias", torch.zeros(3), r"'network\.pif\.conv\.bias' of the shape \[3\]"),
        ("network.more", torch.zeros(3), r"'network\.more' of the shape \[3\] is not of this run"),
        ("average.pif.conv.bias", torch.zeros(3), r"'average\.pif\.conv\.bias' is not of"),
        ("optimiser.0.exp_avg", torch.zeros(99), r"'optimiser\.exp_avg\..*' of the shape \[99\]"),
        ("optimiser.9999.exp_avg", torch.zeros(1), r"'optimiser\.9999\.exp_avg' is not of"),
        ("random.cpu", torch.zeros(7, dtype=torch.uint8), "cannot be resumed"),
        ("random.cpu", torch.zeros(7), "cannot be resumed"),
        ("evil", torch.zeros(1), "'evil' is not of this run"),
        ("network.pif.conv.bias", None, r"network\.pif\.conv\.bias is missing"),
    ],
)
def test_tensors_of_another_old_run_are_refused_by_name(few, old, name, tensor, said):
    path = old / "state.safetensors"
    tensors = {k: v for k, v in (load_file(path) | {name: tensor}).items() if v is not None}
    save_file(tensors, path, metadata={"step": "4"})
    with pytest.raises(CheckpointError, match=said):
        run(recipe_for(few), old, resume=True)

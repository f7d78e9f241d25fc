"""Runs that end early, in whatever way, and go on."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file

from drawn import draw_dataset, split_file, tiny_recipe, write_recipe
from napari_fashion.cli import main, status
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import read_model_file
from napari_fashion.engine.train import chain, checkpoints
from napari_fashion.engine.train import checkpoint as checkpoint_module
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.checkpoint import read_checkpoint, read_manifest, write_checkpoint
from napari_fashion.engine.train.divergence import DivergenceGuard, Finding
from napari_fashion.engine.train.events import DoneEvent, NoticeEvent, StoppedEvent
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import checkpoint_paths, training_in
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.engine.weights import read_weights
from napari_fashion.errors import CheckpointError, RecipeError

LONG_AGO = 1e-9
"""Minutes: a checkpoint after each step."""


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """COCO file of 9 small drawn garments; the validation images are in `others.json` beside it."""
    torch.set_num_threads(1)
    return split_file(draw_dataset(tmp_path_factory.mktemp("few") / "data", 12, size=(48, 48)), 9)[
        0
    ]


def recipe_for(data, **changes):
    """Return a recipe of 2 epochs of 3 steps."""
    parts = {
        "inference": {"input_size": 32},
        "data": {"canvas": 32, "validation": [{"file": str(data.with_name("others.json"))}]},
        "network": {"dropout": 0.2},
        "schedule": {"epochs": 2, "batch": 3},
    }
    for key, value in changes.items():
        parts[key] = {**parts.get(key, {}), **value} if isinstance(value, dict) else value
    return tiny_recipe(data, **parts)


def run(recipe, folder, **options):
    events = []
    path = train(Recipe.from_dict(recipe), folder, device="cpu", emit=events.append, **options)
    return path, events


def after(n):
    """Stop after n steps."""
    steps = iter(range(1, 1000))
    return lambda: next(steps) == n


def weights(run):
    return load_file(run / "model.safetensors")


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def notices(events):
    return [e.message for e in events if isinstance(e, NoticeEvent) and e.level == "warning"]


@pytest.fixture(scope="module")
def whole(few, tmp_path_factory):
    """Folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(recipe_for(few), folder)
    return folder


@pytest.fixture(scope="module")
def stopped_once(few, tmp_path_factory):
    """Folder of a run that was stopped after 4 of its 6 steps."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    _, events = run(recipe_for(few), folder, should_stop=after(4))
    assert isinstance(events[-1], StoppedEvent)
    return folder


@pytest.fixture
def stopped(stopped_once, tmp_path):
    return shutil.copytree(stopped_once, tmp_path / "run")


@pytest.mark.parametrize(
    ("stops", "changes"),
    [
        (1, {}),
        (3, {}),  # at the end of an epoch
        (4, {"optimiser": {"kind": "sgd", "lr": 1e-3, "backbone_lr": 0.5}}),
        (5, {"checkpoints": {"minutes": LONG_AGO, "keep_every": 1}}),
    ],
)
def test_a_stopped_run_goes_on_to_the_very_same_weights(few, whole, tmp_path, stops, changes):
    recipe = recipe_for(few, **changes)
    expected = weights(whole)
    if "optimiser" in changes:
        run(recipe, tmp_path / "whole")
        expected = weights(tmp_path / "whole")
    run(recipe, tmp_path / "run", should_stop=after(stops))
    _, events = run(recipe, tmp_path / "run", resume=True)
    assert events[0].step == stops
    assert isinstance(events[-1], DoneEvent)
    assert notices(events) == []
    assert same(weights(tmp_path / "run"), expected)


def test_a_checkpoint_within_an_epoch_changes_nothing_of_what_is_learned(few, whole, tmp_path):
    recipe = recipe_for(few, checkpoints={"minutes": LONG_AGO})
    run(recipe, tmp_path / "run")
    assert same(weights(tmp_path / "run"), weights(whole))
    one, two = (
        read_checkpoint(checkpoint_paths(folder)[0], lambda shapes: None)
        for folder in (tmp_path / "run", whole)
    )
    assert same(one.tensors, two.tensors)
    assert [p.name for p in checkpoint_paths(tmp_path / "run")][:2] == [
        "step-00000006.safetensors", "step-00000005.safetensors",
    ]  # fmt: skip
    assert [read_manifest(p).progress.step for p in checkpoint_paths(whole)] == [6, 3]
    assert read_manifest(checkpoint_paths(whole)[0]).progress.whole_epoch


def test_a_checkpoint_says_what_it_is_of(whole):
    manifest = read_manifest(checkpoint_paths(whole)[0])
    described = json.loads((whole / "model.json").read_text())
    assert manifest.validation.step == 6
    assert manifest.validation.metrics == described["metrics"]
    assert manifest.about.fingerprint == described["data"]["fingerprint"]
    assert len(manifest.about.recipe_digest) == len(manifest.about.schema_digest) == 64
    assert manifest.state["guard"]["count"] == 0
    assert len(manifest.state["guard"]["total"]["recent"]) == 6
    assert (manifest.good, manifest.optimiser) == (True, "AdamW")
    average = read_checkpoint(checkpoint_paths(whole)[0], lambda s: None).under("average.")
    assert same(average, weights(whole))


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("with_split", [False, True])
def test_before_its_first_checkpoint_a_run_begins_anew(few, whole, tmp_path, again, with_split):
    folder = tmp_path / "run"
    recipe = recipe_for(few)
    Trainer(Recipe.from_dict(recipe), folder, resume=False, device="cpu", emit=lambda e: None)
    assert not folder.exists()
    folder.mkdir()
    for name in ["recipe.json", *(["split.json", "events.jsonl"] if with_split else [])]:
        shutil.copy(whole / name, folder)
    _, events = run({**recipe, "name": "other"} if not again else recipe, folder, resume=not again)
    assert (events[0].step, events[0].run) == (0, str(folder))
    assert same(weights(folder), weights(whole))
    assert json.loads((folder / "model.json").read_text())["name"] == "tiny"  # of its own recipe


def test_what_never_began_cannot_be_gone_on_with(few, tmp_path):
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(RecipeError, match=r"recipe\.json: there is no such file"):
            run(recipe_for(few), folder, resume=True)
    assert not (tmp_path / "none").exists()


def test_a_model_that_does_not_fit_its_checkpoint_is_written_anew(few, whole, stopped, tmp_path):
    before = tmp_path / "before"
    run(recipe_for(few), before, should_stop=after(3))
    shutil.copy(before / "model.json", stopped)  # killed between the model's two files
    with pytest.raises(CheckpointError, match=rf"train --resume --run {stopped}"):
        Model.load(stopped, "cpu")
    found = {}

    def look():
        if not found:  # as it is read: a network that is built would draw from the run's generator
            file = read_model_file(stopped)
            file.check_digest(read_weights(file.weights).sha256)
            found["id"] = file.description.id
        return False

    expected = json.loads((before / "model.json").read_text())["id"]
    run(recipe_for(few), stopped, resume=True, should_stop=look)
    assert found["id"] != expected
    assert same(weights(stopped), weights(whole))
    # Killed between the last checkpoint and its model, or before any model was written.
    for names in (["model.json", "model.safetensors"], []):
        for name in ("model.json", "model.safetensors"):
            (stopped / name).unlink()
        for name in names:
            shutil.copy(before / name, stopped)
        if not names:
            with pytest.raises(CheckpointError, match=rf"no model .* --resume --run {stopped}"):
                Model.load(stopped, "cpu")
        run(recipe_for(few), stopped, resume=True)
        assert same(weights(stopped), weights(whole))
        assert Model.load(stopped, "cpu").id == Model.load(whole, "cpu").id


def test_after_bit_rot_the_checkpoint_before_is_used_and_it_is_said(few, whole, tmp_path):
    recipe = recipe_for(few)
    run(recipe, tmp_path / "run", should_stop=after(5))
    newest, before = checkpoint_paths(tmp_path / "run")
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 16
    newest.write_bytes(data)
    _, events = run(recipe, tmp_path / "run", resume=True)
    assert events[0].step == 3
    (notice,) = notices(events)
    assert "step-00000005.safetensors: is damaged" in notice
    assert notice.endswith("The checkpoint before it is used.")
    assert same(weights(tmp_path / "run"), weights(whole))
    assert before.exists()
    assert not newest.exists()


def test_a_run_about_something_else_is_refused_or_noticed(few, whole, stopped):
    recipe = stopped / "recipe.json"
    text = recipe.read_text()

    def with_changes(**changes):
        document = json.loads(text)
        for table, values in changes.items():
            document[table] |= values
        recipe.write_text(json.dumps(document))
        return run(recipe_for(few), stopped, resume=True)

    with pytest.raises(CheckpointError, match=r"step 4 in epoch 2, and an epoch has 1 steps"):
        with_changes(schedule={"batch": 9})
    with pytest.raises(CheckpointError, match=r"the optimiser is SGD, and was 'AdamW'"):
        with_changes(optimiser={"kind": "sgd"})
    with pytest.raises(CheckpointError, match=r"'average\.neck\..*' of the shape .* is not of"):
        with_changes(network={"width": 40})
    before = few.read_text()
    document = json.loads(before)
    document["annotations"][0]["keypoints"][12] += 1
    try:
        few.write_text(json.dumps(document))
        with pytest.raises(CheckpointError, match="the annotations have changed since"):
            with_changes()
    finally:
        few.write_text(before)
    _, events = with_changes(schedule={"epochs": 3})
    assert notices(events) == [
        "Changed since the checkpoint of step 4: recipe.json. The weights will not be those of an "
        "undisturbed run."
    ]
    assert json.loads((stopped / "model.json").read_text())["history"]["epochs"] == 3


def change_checkpoint(folder, tensors=None, **changes):
    """Write the newest checkpoint of a run again, with changes and a digest that fits."""
    path = checkpoint_paths(folder)[0]
    found = read_checkpoint(path, lambda shapes: None)
    changed = {k: v for k, v in (found.tensors | (tensors or {})).items() if v is not None}
    write_checkpoint(path, found.manifest.model_copy(update=changes), changed)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("network.pif.conv.bias", torch.zeros(3), r"'network\.pif\.conv\.bias' of the shape \[3\]"),
        ("average.pif.conv.bias", torch.zeros(3), r"'average\.pif\.conv\.bias' of the shape \[3\]"),
        ("network.more", torch.zeros(3), r"'network\.more' of the shape \[3\] is not of this run"),
        ("network.pif.conv.bias", None, r"network\.pif\.conv\.bias is missing"),
        ("average.pif.conv.bias", None, r"average\.pif\.conv\.bias is missing"),
        ("optimiser.exp_avg.pif.conv.bias", torch.zeros(99), r"'optimiser\.exp_avg\.pif.*\[99\]"),
        ("optimiser.exp_avg.pif.conv.bias", torch.tensor(0.0), r"'optimiser\.exp_avg\.pif.*\[\]"),
        ("optimiser.exp_avg.none", torch.zeros(1), r"'optimiser\.exp_avg\.none' of the shape"),
        ("optimiser.exp_avg", torch.zeros(1), r"'optimiser\.exp_avg' of the shape"),
        ("random.cpu", torch.zeros(7, dtype=torch.uint8), "cannot be resumed"),
        ("random.cpu", torch.zeros(7), "cannot be resumed"),
        ("random.cpu", None, r"random\.cpu is missing"),
        ("random.cpu", torch.zeros(2 << 20, dtype=torch.uint8), r"'random\.cpu' of the shape"),
        ("evil", torch.zeros(1), "'evil' of the shape"),
    ],
)
def test_tensors_of_another_run_are_refused_by_name(few, stopped, name, tensor, said):
    change_checkpoint(stopped, {name: tensor})
    with pytest.raises(CheckpointError, match=said):
        run(recipe_for(few), stopped, resume=True)


@pytest.mark.parametrize(
    "guard",
    [{"total": 5}, {"total": {"recent": ["x"]}}, {"parts": {"a": 1}}, {"since": -1}, {"count": -1},
     {"count": "x"}],
)  # fmt: skip
def test_a_part_whose_state_is_none_is_refused(few, stopped, guard):
    change_checkpoint(stopped, state={"guard": guard})
    with pytest.raises(CheckpointError, match="the saved state cannot be resumed"):
        run(recipe_for(few), stopped, resume=True)


class Counter:
    def __init__(self):
        self.n = 0

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


def test_parts_of_a_run_have_their_state_kept(few, tmp_path):
    def trainer(resume):
        made = Trainer(
            Recipe.from_dict(recipe_for(few)), tmp_path / "run",
            resume=False, device="cpu", emit=lambda e: None,
        )  # fmt: skip
        made.state.parts["counter"] = Counter()
        made.state.parts["counter"].n = 7
        return made

    first = trainer(False)
    first.run(after(2))
    shutil.move(tmp_path / "run" / "checkpoints", tmp_path / "kept")
    for name in ("model.json", "model.safetensors"):
        (tmp_path / "run" / name).unlink()
    second = trainer(True)
    second.state.parts["later"] = Counter()  # a part that the checkpoint does not know
    second.state.parts["counter"].n = second.state.parts["later"].n = 1
    shutil.move(tmp_path / "kept", tmp_path / "run" / "checkpoints")
    second.state.load()
    assert (second.state.parts["counter"].n, second.state.parts["later"].n) == (7, 1)


def test_the_policy_back_goes_to_the_last_good_epoch(few, tmp_path, monkeypatch):
    """Not to a checkpoint within an epoch: when those are written depends on the machine."""
    recipe = recipe_for(
        few,
        divergence={"policy": "back"},
        checkpoints={"minutes": LONG_AGO},
        schedule={"epochs": 3},
    )
    calls = []
    find = DivergenceGuard.find

    def diverge_once(self, losses, total):
        calls.append(total)
        return Finding("paf.vector", total) if len(calls) == 5 else find(self, losses, total)

    monkeypatch.setattr(DivergenceGuard, "find", diverge_once)
    trainer = Trainer(
        Recipe.from_dict(recipe), tmp_path / "run", resume=False, device="cpu", emit=lambda e: None
    )
    seen = []

    def look():
        if len(calls) == 5:
            state = {k: v.clone() for k, v in trainer.network.state_dict().items()}
            average = trainer.product.averaged.network.state_dict()
            seen.append((state, {k: v.clone() for k, v in average.items()}))
            seen.append((trainer.step, trainer.epoch, trainer.updater.lr_factor))
        return False

    with training_in(tmp_path / "run"):
        trainer.run(look)
    whole, _ = run(recipe_for(few, schedule={"epochs": 3}), tmp_path / "one", should_stop=after(3))
    good = read_checkpoint(checkpoint_paths(whole.parent)[0], lambda shapes: None)
    assert same(seen[0][0], good.under("network."))
    assert same(seen[0][1], good.under("average."))
    assert seen[1] == (5, 1, 0.1)  # the steps go on
    calls.clear()
    calls += [0.0] * 3  # the second step diverges: there is nothing to go back to
    with pytest.raises(CheckpointError, match="no saved state that was good"):
        run(recipe, tmp_path / "early")


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(few, whole, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    write = checkpoint_module.atomic_write
    written = []

    def full(path, data):
        written.append(path)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_module, "atomic_write", full)
        said = r"checkpoints: cannot be written \(No space left on device\); .* go on with --resume"
        with pytest.raises(CheckpointError, match=said):
            run(recipe_for(few), folder)
    assert [p.name for p in checkpoint_paths(folder)] == ["step-00000003.safetensors"]
    Model.load(folder, "cpu")
    run(recipe_for(few), folder, resume=True)
    assert same(weights(folder), weights(whole))


def test_the_best_stays_with_the_last_two(few, tmp_path, monkeypatch):
    errors = iter([0.3, 0.1, 0.2, 0.4])
    trainer = Trainer(
        Recipe.from_dict(recipe_for(few, schedule={"epochs": 4})),
        tmp_path / "run", resume=False, device="cpu", emit=lambda e: None,
    )  # fmt: skip
    monkeypatch.setattr(trainer.product, "validate", lambda: {"ne": next(errors)})
    trainer.run(lambda: False)
    assert [read_manifest(p).progress.epoch for p in checkpoint_paths(tmp_path / "run")] == [
        4,
        3,
        2,
    ]
    assert trainer.state.checkpoints.best() == checkpoint_paths(tmp_path / "run")[2]
    assert checkpoints.KEPT == 2


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGINT, status.INTERRUPTED), (signal.SIGTERM, status.TERMINATED)],
)
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_an_interrupted_training_has_its_own_status(
    few, tmp_path, monkeypatch, capsys, number, expected, steps
):
    """Before the first step at once, after it when the state is saved; the second time at once."""

    def training(recipe, run, *, should_stop, emit, **options):
        for _ in range(steps):
            assert not should_stop()
        os.kill(os.getpid(), number)
        assert should_stop()
        if steps == 2:
            os.kill(os.getpid(), number)
            raise AssertionError("it went on")
        return run / "model.json"

    monkeypatch.setattr(chain, "train", training)
    recipe = write_recipe(tmp_path / "r.toml", recipe_for(few))
    command = ["train", str(recipe), "--run", str(tmp_path / "run"), "--events", "jsonl"]
    assert main(command) == expected
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    if steps == 0:
        assert events[-1]["message"] == "Stopped before the first step; nothing was learned."
    else:
        assert events == []
    assert ("Go on: napari-fashion train --resume" in err) == (steps == 1)

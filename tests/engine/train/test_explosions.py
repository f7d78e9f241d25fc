"""Runs that explode, or are made to: the guard notices, and follows its policy."""

from __future__ import annotations

import math

import pytest
import torch

from drawn import tiny_recipe
from napari_fashion.engine.train.events import DivergenceEvent, DoneEvent, NoticeEvent, StepEvent
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.engine.train.update import Diverged
from napari_fashion.errors import CheckpointError

STOP = {"policy": "skip", "patience": 3}


class Run:
    """A run with its events, in a folder of its own."""

    def __init__(self, recipe, folder):
        self.events = []
        recipe = recipe if isinstance(recipe, Recipe) else Recipe.from_dict(recipe)
        self.trainer = Trainer(recipe, folder / "run", resume=False, device="cpu", emit=self.emit)
        self.at = {}

    def emit(self, event):
        self.events.append(event)
        if isinstance(event, StepEvent) and event.step in self.at:
            self.at.pop(event.step)()

    def go(self):
        self.trainer.run(lambda: False)
        return self

    def all(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def explode(recipe, folder, at=None):
    """Train until the guard stops the run; return it, what it said, and the diverging steps."""
    run = Run(recipe, folder)
    if at is not None:
        run.at[at[0]] = lambda: at[1](run.trainer)
    with pytest.raises(CheckpointError) as stopped:
        run.go()
    found = run.all(DivergenceEvent)
    names = {image.path.name for image in run.trainer.train_images}
    for event in found:
        assert len(event.images) == 8
        assert set(event.images) <= names
    assert f"inspect the images of step {found[0].step}: {', '.join(found[0].images)}." in str(
        stopped.value
    )
    return run, str(stopped.value), found


def test_sgd_at_a_rate_of_5_without_a_limit_of_the_norm(drawn, tmp_path):
    optimiser = {"kind": "sgd", "lr": 5.0, "clip_norm": 0.0, "clip_value": 10.0}
    recipe = tiny_recipe(drawn, optimiser=optimiser, schedule={"epochs": 10}, divergence=STOP)
    _, message, found = explode(recipe, tmp_path)
    assert found[0].step < 8
    assert "3 steps in a row diverged (divergence.patience)" in message
    assert "Lower optimiser.lr (now 5)" in message


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_a_rate_of_10000(drawn, tmp_path, kind):
    recipe = tiny_recipe(drawn, schedule={"epochs": 10, "warmup_epochs": 0.0}, divergence=STOP)
    recipe = Recipe.from_dict(recipe)  # which allows no such rate
    optimiser = recipe.optimiser.model_copy(update={"kind": kind, "lr": 1e4})
    _, _, found = explode(recipe.model_copy(update={"optimiser": optimiser}), tmp_path)
    assert found[0].step == 2


def test_a_rate_that_grows(drawn, tmp_path):
    recipe = tiny_recipe(
        drawn,
        optimiser={"lr": 5.0},
        schedule={"epochs": 40, "warmup_epochs": 20.0},
        divergence=STOP,
    )
    run, _, found = explode(recipe, tmp_path)
    losses = [event.loss for event in run.all(StepEvent) if event.loss is not None]
    assert 3 < found[0].step <= 80
    assert len(losses) >= found[0].step - 1


def test_a_jump_that_stays(drawn, tmp_path):
    """Weights that are wrong from one step to the next, at a rate that does not mend them."""

    def damage(trainer):
        with torch.no_grad():
            trainer.network.paf.conv.bias.add_(20)

    recipe = tiny_recipe(drawn, optimiser={"lr": 1e-5}, schedule={"epochs": 10}, divergence=STOP)
    run, _, found = explode(recipe, tmp_path, (20, damage))
    before = run.all(StepEvent)[19].loss
    assert 5 * before < found[0].loss < 1000 * before
    assert 21 <= found[0].step <= 28
    assert all(event.head.startswith("paf.") for event in found)


def test_ordinary_runs_are_left_alone(trained):
    _, events = trained
    assert not [event for event in events if isinstance(event, DivergenceEvent)]


def test_going_back_to_a_good_state_at_a_lower_rate(drawn, tmp_path):
    recipe = tiny_recipe(
        drawn,
        optimiser={"kind": "sgd", "lr": 1e-3, "clip_norm": 0.0},
        schedule={"epochs": 4, "warmup_epochs": 0.0, "kind": "decay"},
        divergence={"policy": "back"},
    )
    run = Run(recipe, tmp_path)

    def damage():
        path = run.trainer.state.checkpoints.last_good_epoch()
        assert path.name == "step-00000008.safetensors"
        with torch.no_grad():
            for parameter in run.trainer.network.parameters():
                parameter.mul_(30)

    run.at[10] = damage
    run.go()
    [found] = run.all(DivergenceEvent)
    assert (found.step, found.policy) == (11, "back")
    [notice] = run.all(NoticeEvent)
    assert notice.message == "Went back to the state of step 8, at 0.1 of the learning rate."
    steps = {event.step: event for event in run.all(StepEvent)}
    assert steps[11].loss is None
    assert steps[12].loss < 1.5 * steps[8].loss
    assert steps[12].lr == pytest.approx(0.1 * steps[11].lr)
    assert run.trainer.step == 16
    assert isinstance(run.events[-1], DoneEvent)


def test_without_a_good_state_going_back_stops(drawn, tmp_path):
    optimiser = {"kind": "sgd", "lr": 100.0, "clip_norm": 0.0}
    recipe = tiny_recipe(drawn, optimiser=optimiser, divergence={"policy": "back"})
    _, message, found = explode(recipe, tmp_path)
    assert len(found) == 1
    assert "there is no saved state that was good, to go back to" in message


def scaled(head, factor):
    """Return a function that multiplies a head's weights in a run."""

    def damage(run):
        with torch.no_grad():
            getattr(run.trainer.network, head).conv.weight.mul_(factor)

    return damage


def test_a_state_from_the_middle_of_a_rise_is_not_gone_back_to(drawn, tmp_path):
    """Of three states the first is good; the second is of a higher loss, the last is to come."""
    recipe = tiny_recipe(
        drawn, optimiser={"lr": 1e-6}, schedule={"epochs": 3}, divergence={"policy": "back"}
    )
    run = Run(recipe, tmp_path)
    run.at = {5: lambda: scaled("pif", 25.0)(run), 9: lambda: scaled("pif", 1e6)(run)}
    run.go()
    losses = {event.step: event.loss for event in run.all(StepEvent)}
    assert 1.3 * losses[4] < losses[8] < 4 * losses[4]  # not enough to diverge
    assert [event.step for event in run.all(DivergenceEvent)] == [10]
    assert run.all(NoticeEvent)[0].message.startswith("Went back to the state of step 4,")
    assert losses[11] < 1.3 * losses[4]


def test_a_state_that_diverges_at_once_is_not_gone_back_to_again(drawn, tmp_path):
    """Its weights are ruined by the last step before it, whose loss was a good one's."""
    recipe = tiny_recipe(
        drawn, optimiser={"lr": 1e-6}, schedule={"epochs": 3}, divergence={"policy": "back"}
    )
    run = Run(recipe, tmp_path)
    run.at = {4: lambda: scaled("pif", 1e6)(run)}
    with pytest.raises(CheckpointError, match="went back to diverges at once"):
        run.go()
    assert [event.step for event in run.all(DivergenceEvent)] == [5, 6]


# -- a step that is not taken ----------------------------------------------------------------


@pytest.fixture
def trainer(drawn, tmp_path):
    recipe = Recipe.from_dict(tiny_recipe(drawn, optimiser={"clip_norm": 0.0}))
    return Trainer(recipe, tmp_path / "run", resume=False, device="cpu", emit=lambda event: None)


def state_of(trainer):
    return {k: v.clone() for k, v in trainer.network.state_dict().items() if v.is_floating_point()}


def step(trainer):
    batches = next(trainer.batches.of_epoch(0, 0))
    trainer.updater.begin_epoch()
    return trainer.updater.step(batches, 0)


def test_running_statistics_are_as_before_a_step_that_is_not_taken(trainer):
    step(trainer)
    first = next(p for p in trainer.network.backbone.parameters() if p.ndim > 1)
    first.register_hook(lambda gradient: gradient)
    kept = first.detach().clone()
    before = state_of(trainer)
    with torch.no_grad():
        first.fill_(math.nan)
    with pytest.raises(Diverged, match="nan"):
        step(trainer)
    with torch.no_grad():
        first.copy_(kept)
    after = state_of(trainer)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    step(trainer)  # and the run can go on
    assert all(torch.isfinite(value).all() for value in state_of(trainer).values())


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("clip", [{"clip_norm": 0.0}, {"clip_value": 10.0}, {"clip_norm": 5.0}])
def test_a_gradient_that_is_not_finite_is_not_taken(drawn, tmp_path, clip, value):
    recipe = Recipe.from_dict(tiny_recipe(drawn, optimiser={"clip_norm": 0.0, **clip}))
    trainer = Trainer(recipe, tmp_path / "run", resume=False, device="cpu", emit=lambda event: None)
    before = state_of(trainer)
    handle = trainer.network.pif.conv.weight.register_hook(lambda g: torch.full_like(g, value))
    with pytest.raises(Diverged) as diverged:
        step(trainer)
    assert diverged.value.finding.head == "gradient norm"
    assert not math.isfinite(diverged.value.finding.value)
    after = state_of(trainer)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    handle.remove()
    step(trainer)
    assert not torch.equal(state_of(trainer)["pif.conv.weight"], before["pif.conv.weight"])


def test_a_scaler_lowers_its_scale_and_only_then_the_gradient_is_to_blame(trainer):
    """As on GPUs with float16: overflows come with a large scale, and steps are left out."""
    trainer.updater.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, enabled=True)
    before = state_of(trainer)["pif.conv.weight"]
    trainer.network.pif.conv.weight.register_hook(lambda g: torch.full_like(g, math.inf))
    scales = []
    for _ in range(3):
        step(trainer)
        scales.append(trainer.updater.scaler.get_scale())
    assert scales == [2.0, 1.0, 0.5]
    with pytest.raises(Diverged, match="gradient norm"):
        step(trainer)
    assert torch.equal(state_of(trainer)["pif.conv.weight"], before)


def test_a_scaler_goes_on_after_a_loss_that_is_not_finite(trainer):
    trainer.updater.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, enabled=True)
    weight = trainer.network.pif.conv.weight
    kept = weight.detach().clone()
    for _ in range(2):
        with torch.no_grad():
            weight.fill_(math.nan)
        with pytest.raises(Diverged, match="pif"):
            step(trainer)
        with torch.no_grad():
            weight.copy_(kept)
    step(trainer)
    assert not torch.equal(weight, kept)

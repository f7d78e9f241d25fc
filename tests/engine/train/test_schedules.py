"""Learning rates, early stopping and several batches in a step."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file

from drawn import tiny_recipe
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.batches import TrainBatches
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import DoneEvent, EpochEvent, NoticeEvent, StepEvent
from napari_fashion.engine.train.optim import learning_rate
from napari_fashion.engine.train.options import EarlyStoppingOptions, ScheduleOptions
from napari_fashion.engine.train.plateau import EarlyStopping, PlateauRate
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import finished
from napari_fashion.engine.train.setup import set_up
from napari_fashion.errors import RecipeError


def run(recipe, folder, **options):
    events = []
    path = train(Recipe.from_dict(recipe), folder, device="cpu", emit=events.append, **options)
    return path, events


def all_of(events, kind):
    return [event for event in events if isinstance(event, kind)]


# -- learning rates --------------------------------------------------------------------------


def test_a_line_falls_evenly_to_a_hundredth_after_the_warm_up():
    schedule = ScheduleOptions(epochs=10, warmup_epochs=1, kind="linear")
    rates = [learning_rate(s, 10, 100, schedule, 2.0) for s in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == 2.0
    falls = [a - b for a, b in pairwise(rates[10:])]
    assert falls == pytest.approx([2 * 0.99 / 90] * 90)
    assert rates[100] == pytest.approx(0.02)


@pytest.mark.parametrize("kind", ["cosine", "linear", "decay", "plateau"])
def test_every_kind_warms_up(kind):
    schedule = ScheduleOptions(epochs=10, warmup_epochs=2, kind=kind)
    rates = [learning_rate(s, 10, 100, schedule, 1.0) for s in range(20)]
    assert rates == pytest.approx([(s + 1) / 20 for s in range(20)])
    assert learning_rate(20, 10, 100, schedule, 1.0) == pytest.approx(1.0)


def plateau(**options):
    return PlateauRate(ScheduleOptions(kind="plateau", plateau=options))


def test_the_rate_falls_after_so_many_validations_without_a_better_one():
    rate = plateau(factor=0.5, patience=2, min_delta=0.01, least=0.2)
    errors = [0.5, 0.4, 0.395, 0.41, 0.38, 0.39, 0.375, None, math.nan, 0.1]
    falls = [rate.validated(error, epoch) for epoch, error in enumerate(errors, 1)]
    assert falls == [False] * 3 + [True] + [False] * 2 + [True] + [False] + [True] + [False]
    assert rate.factor == 0.2  # not below
    assert rate.best.error == 0.1
    for _ in range(10):
        assert not rate.validated(0.1, 11)  # there already
    assert rate.factor == 0.2


def test_no_other_kind_watches_validations():
    rate = PlateauRate(ScheduleOptions(plateau={"patience": 1}))
    assert not any(rate.validated(1.0, epoch) for epoch in range(10))
    assert rate.factor == 1.0


def test_a_run_on_a_plateau_goes_on_with_its_rate(drawn, tmp_path):
    recipe = tiny_recipe(
        drawn,
        optimiser={"lr": 1e-3},
        schedule={
            "epochs": 4,
            "warmup_epochs": 0.0,
            "kind": "plateau",
            # An error is never so much lower: every validation after the first is without success.
            "plateau": {"factor": 0.5, "patience": 1, "min_delta": 100.0},
        },
    )
    _, events = run(recipe, tmp_path / "whole")
    rates = {event.step: event.lr for event in all_of(events, StepEvent)}
    of_epochs = [rates[step] for step in (1, 5, 9, 13)]
    assert of_epochs == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])
    told = [event.message for event in all_of(events, NoticeEvent)]
    assert "the learning rate falls to 0.5 of its peak" in told[0]
    assert len(told) == 3
    steps = iter(range(100))
    run(recipe, tmp_path / "cut", should_stop=lambda: next(steps) == 9)
    _, events = run(recipe, tmp_path / "cut", resume=True)
    assert {e.step: e.lr for e in all_of(events, StepEvent)} == {s: rates[s] for s in range(11, 17)}
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


# -- early stopping --------------------------------------------------------------------------


def test_early_stopping_counts_validations_without_a_better_one():
    stopping = EarlyStopping(EarlyStoppingOptions(patience=3, min_delta=0.1))
    assert stopping.validated(0.5, 1)
    assert not stopping.validated(0.45, 2)
    assert stopping.validated(0.39, 3)
    for epoch, error in ((4, 0.35), (5, None)):
        assert not stopping.validated(error, epoch)
        assert not stopping.why
    stopping.validated(math.nan, 6)
    assert stopping.why == (
        "Early stopping: in 3 validations the normalised error did not fall by more than 0.1 below "
        "0.3900, that of epoch 3."
    )
    again = EarlyStopping(EarlyStoppingOptions(patience=3))
    again.load_state_dict(json.loads(json.dumps(stopping.state_dict())))
    assert again.why.endswith("did not fall below 0.3900, that of epoch 3.")
    never = EarlyStopping(None)
    assert not any(never.validated(0.5, epoch) for epoch in range(100))
    assert not never.why
    blind = EarlyStopping(EarlyStoppingOptions(patience=2))
    blind.validated(None, 1)
    blind.validated(None, 2)
    assert blind.why == "Early stopping: none of 2 validations has a normalised error."


def test_a_run_that_stops_early_saves_its_best_model(drawn, tmp_path):
    """The rate grows until it ruins the model: the best epoch is not the last."""
    recipe = tiny_recipe(
        drawn,
        optimiser={"lr": 0.3, "ema": 0.0},
        schedule={"epochs": 60, "warmup_epochs": 40.0},
        divergence={"factor": 1e9, "level": 1e9},
        early_stopping={"patience": 3},
    )
    path, events = run(recipe, tmp_path / "run")
    epochs = all_of(events, EpochEvent)
    errors = [event.val["ne"] for event in epochs]
    best = min(range(len(errors)), key=errors.__getitem__)
    assert len(epochs) == best + 1 + 3 < 60
    assert isinstance(events[-1], DoneEvent)
    assert events[-1].why.startswith("Early stopping: in 3 validations")
    assert finished(tmp_path / "run")
    assert f"is that of epoch {best + 1}" in all_of(events, NoticeEvent)[-1].message
    assert json.loads(path.read_text())["metrics"]["ne"] == errors[best]
    setup = set_up(Recipe.from_dict(recipe), tmp_path / "other", resume=False, device="cpu")
    model = Model.load(path, "cpu")
    found = evaluate_images(model, setup.split.validation, protocol="box", rounds=0).summary()
    assert found["ne"] == pytest.approx(errors[best])
    assert errors[-1] > errors[best]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schedule": {"kind": "plateau"}}, "schedule.kind is 'plateau', and no image is held out"),
        ({"early_stopping": {}}, "early_stopping is set, and no image is held out to validate by"),
    ],
)
def test_what_needs_validations_is_refused_without(drawn, tmp_path, change, said):
    recipe = tiny_recipe(drawn, data={"validation_share": 0.0}, **change)
    with pytest.raises(RecipeError, match=said):
        run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# -- several batches in a step ---------------------------------------------------------------


@pytest.mark.parametrize(("batch", "accumulate"), [(4, 2), (2, 4), (1, 8)])
def test_several_batches_in_a_step_are_one_batch_of_their_images(
    drawn, trained, tmp_path, batch, accumulate
):
    """Half of the images are shirts, whose landmarks are more than those of trousers."""
    folder, _ = trained

    def weights(name, size, n):
        recipe = tiny_recipe(
            drawn,
            start_from=str(folder / "model.json"),
            optimiser={"lr": 1e-3, "freeze_norms": True, "accumulate": n, "kind": "sgd"},
            schedule={"epochs": 1, "batch": size, "warmup_epochs": 0.0},
        )
        path, events = run(recipe, tmp_path / name)
        losses = {event.step: event.losses for event in all_of(events, StepEvent)}
        return load_file(path.with_suffix(".safetensors")), losses

    whole, expected = weights("whole", 8, 1)
    parts, losses = weights("parts", batch, accumulate)
    assert losses.keys() == expected.keys()
    for step, values in expected.items():
        assert losses[step] == pytest.approx(values, rel=1e-4, abs=1e-5)
    start = load_file(folder / "model.safetensors")
    moved = max(float((whole[k] - start[k]).abs().max()) for k in whole if k in start)
    apart = max(float((whole[k] - parts[k]).abs().max()) for k in whole)
    assert apart < 1e-3 * moved


def test_a_step_has_no_more_batches_than_there_are(drawn, tmp_path):
    def batches(images, batch, accumulate):
        recipe = Recipe.from_dict(
            tiny_recipe(drawn, optimiser={"accumulate": accumulate}, schedule={"batch": batch})
        )
        setup = set_up(recipe, tmp_path / "none", resume=False, device="cpu")
        made = TrainBatches(recipe, setup.split.train[:images], torch.device("cpu"))
        steps = list(made.of_epoch(0, 0))
        assert len(steps) == made.steps_per_epoch
        assert all(len(step) == made.per_step for step in steps)
        later = list(made.of_epoch(0, len(steps) - 1))
        assert [[b.index.tolist() for b in s] for s in later] == [
            [b.index.tolist() for b in steps[-1]]
        ]
        return len(steps), [len(b.pixels) for b in steps[0]]

    assert batches(32, 8, 1) == (4, [8])
    assert batches(32, 8, 2) == (2, [8, 8])
    assert batches(32, 8, 3) == (1, [8, 8, 8])
    assert batches(32, 8, 100) == (1, [8] * 4)
    assert batches(5, 8, 100) == (1, [5])

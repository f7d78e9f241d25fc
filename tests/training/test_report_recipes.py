"""The recipes of the report's experiments: what they say, that each trains, and its explosions."""

from __future__ import annotations

import csv
import json
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import DoneEvent, StepEvent
from napari_fashion.engine.train.overrides import Override, load_recipe

FOLDER = Path(__file__).parents[2] / "training" / "recipes" / "report"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.toml"))
PUBLISHED = files("napari_fashion.engine.evaluation.published")
ROWS = list(csv.DictReader(PUBLISHED.joinpath("explosions.csv").read_text().splitlines()))
PRETRAINED = "shufflenetv2k16 pretrained on wholebody for 600 epochs"


def overrides(*texts):
    return [Override.parse(text) for text in texts]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(list(row.values())[:6]))
def test_each_row_of_figures_21_to_27_is_a_recipe_with_its_backbone_and_rate(row):
    name, backbone = f"figure-{row['figure']}", row["backbone"]
    if backbone == PRETRAINED:
        name, backbone = f"{name}-pretrained", "shufflenetv2k16"
        assert Path(load_recipe(FOLDER / f"{name}.toml").start_from).name == "wholebody.toml"
    values = overrides(f"network.backbone={backbone}", f"optimiser.lr={row['lr']}")
    recipe = load_recipe(FOLDER / f"{name}.toml", values)
    assert recipe.name == name
    assert recipe.network.backbone == backbone
    assert recipe.optimiser.lr == float(row["lr"])
    assert Path(recipe.data.train[0].file).parent.name == row["data"]
    assert recipe.augment.rotation == float(row["rotation_degrees"])
    assert recipe.augment.box_view == (row["box_cut"] == "yes")
    assert (recipe.augment.box_crop, recipe.augment.box_tight) == (1, 1)
    optimiser, schedule = recipe.optimiser, recipe.schedule
    assert (optimiser.kind, optimiser.momentum, optimiser.nesterov) == ("sgd", 0.95, True)
    assert (optimiser.weight_decay, optimiser.clip_value) == (1e-5, 10)
    assert schedule.batch == 32
    if not name.endswith("pretrained"):
        assert (schedule.epochs, schedule.decay) == (200, [(130, 140)])


def test_the_tables_of_the_report():
    assert load_recipe(FOLDER / "table-6.toml").network.backbone == "shufflenetv2k30"
    assert load_recipe(FOLDER / "table-6.toml").schedule.epochs == 150
    for part, shares in (("upper", True), ("lower", True), ("full", False)):
        (source,) = load_recipe(FOLDER / f"tables-3-4-{part}.toml").data.train
        assert (source.body_types, source.shared_landmarks) == ([part], shares)
        (small,) = load_recipe(FOLDER / f"tables-3-4-{part}.toml", scale="small").data.train
        assert small == source.model_copy(update={"file": "photos:train"})
    recipe = load_recipe(FOLDER / "table-5-pretrained.toml")
    assert (recipe.optimiser.keep_start, recipe.optimiser.freeze_norms) == (0, False)
    assert (recipe.schedule.epochs, recipe.augment.rotation) == (100, 20)


@pytest.mark.parametrize("name", RECIPES)
def test_the_small_scale_needs_no_file(name):
    recipe = load_recipe(FOLDER / f"{name}.toml", scale="small")
    assert all(source.kind for source in (*recipe.data.train, *recipe.data.validation))
    assert recipe.schedule.epochs <= 12
    assert recipe.data.limit is not None


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_trains(name, tmp_path):
    """With a few procedural garments in place of its data, a step of every recipe of its chain."""

    def small(path):
        recipe = load_recipe(path, scale="small")
        sources = []
        for source in recipe.data.train:
            landmarks = next(
                (n for n in ("deepfashion2", "fashionai") if n in source.file), "garments"
            )
            file = f"samples:24:3:landmarks={landmarks}"
            sources.append(source.model_copy(update={"file": file}))
        return recipe.model_copy(
            update={
                "data": recipe.data.model_copy(update={"train": sources, "canvas": 96}),
                "inference": recipe.inference.model_copy(update={"input_size": 64}),
                "schedule": recipe.schedule.model_copy(update={"batch": 4, "max_steps": 1}),
            }
        )

    events = []
    recipe = small(FOLDER / f"{name}.toml")
    train(recipe, tmp_path / name, device="cpu", emit=events.append, read=small)
    steps = [event for event in events if isinstance(event, StepEvent)]
    assert len(steps) == 1 + Path(recipe.start_from or "").suffix.count(".toml")
    assert all(step.loss is not None for step in steps)
    assert isinstance(events[-1], DoneEvent)


def test_explosions_are_recorded_and_gone_on_with(load_script, tmp_path, monkeypatch, capsys):
    explosions = load_script("explosions")
    out = tmp_path / "rows.json"
    common = ["explosions.py", "--out", str(out), "--backbones", "resnet18", "--rotations", "0"]
    common += ["--cuts", "raw", "--seeds", "0", "--steps", "8", "--size", "32", "--batch", "2"]

    def run(*further):
        monkeypatch.setattr(sys, "argv", [*common, *further])
        explosions.main()
        return json.loads(out.read_text())

    calm = run("--rates", "1e-4", "--losses", "original")
    assert [(row["exploded"], row["steps"], row["loss"]) for row in calm] == [
        (False, 8, "original")
    ]
    both = run("--rates", "1e-4", "100", "--losses", "original")
    assert both[0] == calm[0]  # not made again
    assert both[1]["exploded"]
    assert both[1]["steps"] <= 8
    assert both[1]["blamed"]
    capsys.readouterr()
    run("--table")
    printed = capsys.readouterr().out
    assert "| lr 0.0001 | original" in printed
    assert f"**exploded** at {both[1]['steps']}" in printed


def test_experiments_are_recipes_that_are_there(load_script):
    experiments = load_script("experiments").EXPERIMENTS
    assert len({experiment.name for experiment in experiments}) == len(experiments)
    for experiment in experiments:
        for command, *arguments in experiment.commands(Path("runs")):
            if command == "train":
                recipe, scale, *rest = arguments
                sets = [rest[i + 1] for i, text in enumerate(rest) if text == "--set"]
                assert scale == "--scale"
                assert load_recipe(FOLDER / Path(recipe).name, overrides(*sets), scale="small")


def test_body_types_are_trained_apart_and_judged_as_a_set(load_script, tmp_path, monkeypatch):
    experiments = load_script("experiments")
    monkeypatch.chdir(FOLDER.parents[2])
    settings = (
        "data.train=[{file='samples:24:3', body_types=['PART']}]", "data.canvas=96",
        "inference.input_size=64", "schedule.batch=4", "schedule.max_steps=1",
    )  # fmt: skip
    one, two = (
        experiments.Combined(
            f"set-{by}", "tables-3-4", "a try", settings, "samples:6:9",
            ("--protocol", "published", "--body-type", by), "set.json",
        )
        for by in ("truth", "score")
    )  # fmt: skip
    first = experiments._row(one, tmp_path, "1")
    made = (tmp_path / "set.json").stat().st_mtime_ns
    second = experiments._row(two, tmp_path, "1")
    assert (tmp_path / "set.json").stat().st_mtime_ns == made
    assert first["train"].count("napari-fashion train") == 3
    assert first["train"].count("body_types=['") == 3
    assert first["n_garments"] == second["n_garments"] == 6
    assert first["average_error"] != second["average_error"]


def test_an_experiment_is_trained_and_judged_once(load_script, tmp_path, monkeypatch, capsys):
    experiments = load_script("experiments")
    settings = (
        "data.train=[{file = 'samples:24:3'}]", "data.canvas=96", "inference.input_size=64",
        "schedule.batch=4", "schedule.max_steps=1",
    )  # fmt: skip
    tiny = experiments.Experiment("tiny", "figure-26", "a try", settings, "samples:6:9")
    monkeypatch.setattr(experiments, "EXPERIMENTS", (tiny,))
    monkeypatch.chdir(FOLDER.parents[2])
    rows = tmp_path / "rows.json"

    def run(*further):
        arguments = ["--runs", str(tmp_path / "runs"), "--rows", str(rows), *further]
        monkeypatch.setattr(sys, "argv", ["experiments.py", *arguments])
        experiments.main()
        return json.loads(rows.read_text())

    found = run()
    assert found["tiny"]["train"].startswith(
        "napari-fashion train training/recipes/report/figure-26.toml --scale small --set"
    )
    assert found["tiny"]["evaluate"].endswith("--protocol published")
    assert found["tiny"]["n_garments"] == 6
    assert 0 < found["tiny"]["average_error"] < 1.5
    assert run() == found  # not trained again: the run's folder would be refused
    capsys.readouterr()
    run("--table")
    assert "| tiny | a try |" in capsys.readouterr().out

"""Values in place of a recipe's, from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drawn import tiny_recipe
from napari_fashion.cli import main
from napari_fashion.engine.train.overrides import Override, load_recipe, make_recipe
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import RecipeError

HEAD = '[[data.train]]\nfile = "a.json"\n'


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("optimiser.lr=1e-3", ("optimiser", "lr"), 1e-3),
        ("schedule.epochs = 20", ("schedule", "epochs"), 20),
        ("optimiser.freeze_norms=true", ("optimiser", "freeze_norms"), True),
        ("name=mine", ("name",), "mine"),
        ("name='mine'", ("name",), "mine"),
        ('name="a = b"', ("name",), "a = b"),
        ("start_from=runs/a=b/model.json", ("start_from",), "runs/a=b/model.json"),
        ("start_from=/my models/a.json", ("start_from",), "/my models/a.json"),
        ('loss.weights."pif.size"=2', ("loss", "weights", "pif.size"), 2),
        ('loss.weights."a=b"=2', ("loss", "weights", "a=b"), 2),
        ("inference.multi_scale=[320, 448]", ("inference", "multi_scale"), [320, 448]),
        ("teacher={model = 'bundled'}", ("teacher",), {"model": "bundled"}),
        ("schedule.sizes=[]", ("schedule", "sizes"), []),
        ("precision=float32 # not mixed", ("precision",), "float32 # not mixed"),
    ],
)
def test_a_key_is_dotted_and_a_value_is_toml_or_text(text, path, value):
    override = Override.parse(text)
    assert (override.path, override.value, override.text) == (path, value, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optimiser.lr", "expected KEY=VALUE, such as optimiser.lr=1e-3"),
        ("=1", "expected KEY=VALUE"),
        ("a..b=1", "expected KEY=VALUE"),
        ("a b=1", "expected KEY=VALUE"),
        ("[a]\nb=1", "expected KEY=VALUE"),
        ("# a=1", "expected KEY=VALUE"),
        ("a=[1, 2", "not valid TOML"),
        ("a='b", "not valid TOML"),
        ("a={b=1", "not valid TOML"),
        ("a=", "not valid TOML"),
        ("a=1\nb=2", "expected one value"),
    ],
)
def test_what_is_neither_is_refused(text, said):
    with pytest.raises(RecipeError, match=said):
        Override.parse(text)


def parsed(*texts):
    return [Override.parse(text) for text in texts]


def test_values_take_the_place_of_the_recipes(tmp_path, monkeypatch):
    file = tmp_path / "recipes" / "r.toml"
    file.parent.mkdir()
    file.write_text(HEAD + "[optimiser]\nlr = 1e-4\nema = 0.5\n[loss.weights]\n'pif.size' = 3.0\n")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    recipe = load_recipe(
        file,
        parsed(
            "optimiser.lr=1e-2", "optimiser.lr=1e-3", 'loss.weights."paf.size"=2',
            "early_stopping.patience=4", "start_from=b/model.json", "schedule.sizes=[[0, 64], [0.5, 320]]",
        ),
    )  # fmt: skip
    assert (recipe.optimiser.lr, recipe.optimiser.ema) == (1e-3, 0.5)
    assert recipe.loss.weights["paf.size"] == 2
    assert recipe.loss.weights["pif.size"] == 3
    assert recipe.early_stopping.patience == 4
    assert recipe.schedule.sizes == [(0, 64), (0.5, 320)]
    assert recipe.start_from == str(here / "b" / "model.json")  # of the working folder
    assert recipe.data.train[0].file == str(file.parent / "a.json")  # of the recipe's
    assert recipe.optimiser.model_fields_set == {"lr", "ema"}
    other = load_recipe(file, parsed("data.train=[{file = 'c.json'}, {file = 'photos:test'}]"))
    assert [source.file for source in other.data.train] == [str(here / "c.json"), "photos:test"]
    assert load_recipe(file) == Recipe.load(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optimizer.lr=1", "optimizer is not a known key; did you mean 'optimiser'?"),
        ("optimiser.lrr=1", "optimiser.lrr is not a known key; did you mean 'lr'?"),
        ("optimiser.lr=-1", "optimiser.lr: found -1; expected more than 0"),
        ("optimiser.lr=nan", "optimiser.lr: found 'nan'; expected a"),
        ("optimiser.lr=fast", "optimiser.lr: found 'fast'; expected a number"),
        ("explosions.policy=skip", "explosions: an old name; expected divergence"),
        ("loss.weights.x=1", "'x' is no loss"),
        ("data.train=mine.json", "data.train: found 'mine.json'; expected a list"),
        (
            "data.train.file=mine.json",
            "data.train is a list; expected a table. Set data.train whole",
        ),
        ("data.train.0.file=a", "data.train is a list; expected a table"),
        ("seed.x=1", "seed is 3; expected a table"),
    ],
)
def test_what_does_not_fit_is_told_as_of_a_recipe_file(tmp_path, text, said):
    file = tmp_path / "r.toml"
    file.write_text("seed = 3\n" + HEAD)
    with pytest.raises(RecipeError) as refused:
        load_recipe(file, parsed(text))
    assert said in str(refused.value)
    assert "--set" in str(refused.value)


def test_a_dictionary_form_is_not_changed():
    data = {"data": {"train": [{"file": "a.json"}]}, "optimiser": {"lr": 1e-3}}
    kept = json.loads(json.dumps(data))
    assert make_recipe(data, parsed("optimiser.lr=1", "schedule.batch=3")).optimiser.lr == 1
    assert data == kept


def test_overrides_need_no_torch():
    code = (
        "import sys; from napari_fashion.engine.train import overrides, plateau\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def write(recipe, path):
    """Write a recipe of tables and lists as TOML: JSON's values are TOML's."""
    lines = []
    for key, value in recipe.items():
        if isinstance(value, dict):
            inline = ", ".join(f'"{k}" = {_inline(v)}' for k, v in value.items())
            lines.append(f"{key} = {{{inline}}}")
        else:
            lines.append(f"{key} = {_inline(value)}")
    path.write_text("\n".join(lines))


def _inline(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{k}" = {_inline(v)}' for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


def test_the_command_trains_by_what_is_set_and_notes_it(drawn, tmp_path, capsys):
    file, folder = tmp_path / "r.toml", tmp_path / "run"
    write(tiny_recipe(drawn), file)
    command = ["train", str(file), "--run", str(folder), "--seed", "7"]
    status = main([*command, "--set", "schedule.max_steps=2", "--set", "optimiser.lr=0.001"])
    assert status == 0
    noted = json.loads((folder / "recipe.json").read_text())
    assert noted["schedule"]["max_steps"] == 2
    assert noted["optimiser"]["lr"] == 0.001
    assert noted["seed"] == 7
    capsys.readouterr()
    assert main(["train", "--resume", "--run", str(folder), "--set", "seed=1"]) == 1
    assert "--resume goes on with the run's own recipe; give no other" in capsys.readouterr().err
    assert main(["train", str(file), "--run", str(tmp_path / "x"), "--set", "optimiser.lrr=1"]) == 1
    assert "did you mean 'lr'?" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_paths_of_a_document_are_of_its_base_whatever_names_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"data": {"train": [{"file": "photos/a.json"}]}}
    for overrides in ([], parsed("schedule.batch=3")):
        here = make_recipe(data, overrides, base=Path(), where="photos/a.json")
        assert here.data.train[0].file == str(tmp_path / "photos" / "a.json")
        there = make_recipe(data, overrides, base=tmp_path / "other", where="x/y.json")
        assert there.data.train[0].file == str(tmp_path / "other" / "photos" / "a.json")

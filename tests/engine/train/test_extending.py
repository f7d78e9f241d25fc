"""Recipes that extend another, and scales of a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_fashion.cli import main
from napari_fashion.engine.train.extending import MAX_FILES, read_recipe_files
from napari_fashion.engine.train.overrides import Override, load_recipe
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import RecipeError

BASE = """
name = "base"
schema = "own.toml"
[[data.train]]
file = "a.json"
[schedule]
epochs = 100
batch = 32
[loss.weights]
"pif.size" = 0.5
[scale.small.schedule]
epochs = 4
[scale.small.data]
limit = 7
[scale.tiny.schedule]
epochs = 1
"""
CHILD = """
extends = "../base.toml"
name = "child"
pretrained = "weights.safetensors"
[schedule]
epochs = 50
[loss.weights]
"paf.size" = 0.25
[scale.small]
start_from = "start.toml"
[scale.small.schedule]
batch = 8
"""


@pytest.fixture
def child(tmp_path):
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "child.toml").write_text(CHILD)
    return tmp_path / "sub" / "child.toml"


def test_a_recipe_takes_what_it_leaves_open_from_the_one_that_it_extends(child, tmp_path):
    recipe = Recipe.load(child)
    assert (recipe.name, recipe.schedule.epochs, recipe.schedule.batch) == ("child", 50, 32)
    assert recipe.loss.weights["pif.size"] == 0.5
    assert recipe.loss.weights["paf.size"] == 0.25
    assert recipe.data.limit is None
    assert recipe.sets("schedule", "batch")  # by the file that it extends
    assert not recipe.sets("schedule", "kind")
    assert load_recipe(child) == recipe


def test_paths_are_of_the_file_that_has_them(child, tmp_path, monkeypatch):
    recipe = Recipe.load(child)
    assert recipe.data.train[0].file == str(tmp_path / "a.json")
    assert recipe.schema_name == str(tmp_path / "own.toml")
    assert recipe.pretrained == str(tmp_path / "sub" / "weights.safetensors")
    monkeypatch.chdir("/")
    changed = load_recipe(child, [Override.parse("data.train=[{file = 'b.json'}]")])
    assert changed.data.train[0].file == "/b.json"
    assert changed.schema_name == recipe.schema_name


def test_a_scale_counts_before_the_recipe_and_an_override_before_the_scale(child, tmp_path):
    text = (child.parent / "child.toml").read_text()
    child.write_text(text.replace('pretrained = "weights.safetensors"\n', ""))
    recipe = load_recipe(child, scale="small")
    assert (recipe.schedule.epochs, recipe.schedule.batch, recipe.data.limit) == (4, 8, 7)
    assert recipe.start_from == str(tmp_path / "sub" / "start.toml")
    assert recipe.data.train[0].file == str(tmp_path / "a.json")
    assert load_recipe(child, scale="tiny").schedule.epochs == 1
    changed = load_recipe(child, [Override.parse("schedule.epochs=9")], scale="small")
    assert (changed.schedule.epochs, changed.schedule.batch) == (9, 8)


def test_an_unknown_scale_is_refused_with_those_that_there_are(child, tmp_path):
    with pytest.raises(RecipeError, match="no scale 'large'; expected one of small, tiny"):
        load_recipe(child, scale="large")
    (tmp_path / "plain.toml").write_text('[[data.train]]\nfile = "a.json"\n')
    with pytest.raises(RecipeError, match=r"expected a recipe with a table \[scale\.small\]"):
        load_recipe(tmp_path / "plain.toml", scale="small")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends = 5\n", "extends is 5; expected the path of a recipe"),
        ('extends = ""\n', "extends is ''; expected the path of a recipe"),
        ('extends = "none.toml"\n', r"none\.toml"),
        ('extends = "r.toml"\n', r"extends leads back to it"),
        ('extends = "back.toml"\n', r"extends leads back to it \(back\.toml <- r\.toml\)"),
        ("scale = 3\n", "scale is 3; expected tables by name"),
        ("[scale]\nsmall = 3\n", "expected tables by name, such as"),
    ],
)
def test_files_that_make_no_recipe_are_refused(tmp_path, text, said):
    (tmp_path / "back.toml").write_text('extends = "r.toml"\n')
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError, match=said):
        Recipe.load(tmp_path / "r.toml")


def test_a_chain_has_an_end(tmp_path):
    for n in range(MAX_FILES + 1):
        (tmp_path / f"{n}.toml").write_text(f'extends = "{n + 1}.toml"\n')
    with pytest.raises(RecipeError, match="extends more than 15 recipes"):
        read_recipe_files(tmp_path / "0.toml")
    (tmp_path / f"{MAX_FILES}.toml").write_text('[[data.train]]\nfile = "a.json"\n')
    assert len(read_recipe_files(tmp_path / "1.toml")) == MAX_FILES


def test_a_value_that_is_wrong_at_a_scale_alone_is_refused_there(child):
    child.write_text(child.read_text() + "epochs = 0\n")
    assert Recipe.load(child).schedule.epochs == 50
    with pytest.raises(RecipeError, match=r"at scale small: .*schedule\.epochs: found 0"):
        load_recipe(child, scale="small")


def test_train_takes_the_scale_also_for_the_recipe_that_it_starts_from(drawn, tmp_path, capsys):
    base = Path(__file__).parents[3] / "training" / "recipes" / "miniature.toml"
    common = f"""
extends = "{base}"
[scale.small]
data.train = [{{file = "{drawn}"}}]
data.validation = []
data.limit = 5
schedule.epochs = 1
schedule.batch = 4
"""
    (tmp_path / "first.toml").write_text(common + "[schedule]\nepochs = 3\n")
    (tmp_path / "second.toml").write_text(common)
    text = (tmp_path / "second.toml").read_text()
    (tmp_path / "second.toml").write_text(text + 'start_from = "first.toml"\n')
    run = tmp_path / "runs" / "second"
    assert (
        main(["train", str(tmp_path / "second.toml"), "--scale", "small", "--run", str(run)]) == 0
    )
    for folder in (run, run.parent / "miniature"):
        description = (folder / "model.json").read_text()
        assert '"train_images": 5' in description

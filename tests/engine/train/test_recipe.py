from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import CocoError, RecipeError

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
HEAD = '[[data.train]]\nfile = "a.json"\n'


def refused(tmp_path, text):
    path = tmp_path / "r.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert "http" not in said
    assert len(said) < 1500
    return said.removeprefix(str(path))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_our_own_recipes_are_valid(path):
    assert Recipe.load(path).data.train


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_recipe_with_a_byte_order_mark_is_read(tmp_path, encoding):
    (tmp_path / "r.toml").write_text('name = "x"\n' + HEAD, encoding)
    assert Recipe.load(tmp_path / "r.toml").name == "x"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("epochs = 1000000000000000000000000000000", "schedule.epochs: found 1000"),
        ("epochs = 0", "schedule.epochs: found 0; expected 1 or more"),
        ("epochs = 'many'", "schedule.epochs: found 'many'; expected a whole number"),
        ("epochs = 1.5", "schedule.epochs: found 1.5; expected a whole number"),
        ("epoch = 5", "schedule.epoch is not a known key; did you mean 'epochs'?"),
        ("zzz = 5", "schedule.zzz is not a known key; expected one of epochs, batch"),
        ("batch = 1_000_000_000", "schedule.batch: found 1000000000; expected 65536 or less"),
        ("final_lr = nan", "found nan at schedule.final_lr; expected a finite number"),
        ("warmup_epochs = inf", "found inf at schedule.warmup_epochs"),
        ("warmup_epochs = 1e400", "found inf at schedule.warmup_epochs"),
        (
            "decay = [[-1, 3]]",
            "schedule.decay: found [-1.0, 3.0]; expected a first and a last epoch",
        ),
        ("decay = [[5, 3]]", "schedule.decay: found [5.0, 3.0]; expected a first and a last epoch"),
        ("decay = [5]", "schedule.decay[0]: found 5; expected a list"),
        ("steps = [5]", "schedule.steps: an old name; expected schedule.decay"),
        (
            "kind = 'sine'",
            "schedule.kind: found 'sine'; expected 'cosine', 'linear', 'decay' or 'plateau'",
        ),
        (
            "sizes = [[0, 1000000000]]",
            "schedule.sizes: expected sizes that are multiples of 32, up",
        ),
        ("epochs = 0x" + "f" * 5000, "schedule.epochs: found an integer of some 6,0"),
    ],
)
def test_a_schedule_out_of_range_is_refused_by_key(tmp_path, line, said):
    assert said in refused(tmp_path, f"[schedule]\n{line}\n{HEAD}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "data is missing; expected a value for it"),
        (b"\x93NUMPY", "byte 0 is not UTF-8"),
        (b"name = 'x'\nname = 'y'\n", "line 2, column 11: not valid TOML"),
        ("[data]\ntrain = []", "data.train: found []; expected 1 or more items"),
        ("[data]\ntrain = 5", "data.train: found 5; expected a list"),
        ("[data]\ncanvas = 1000000000\n" + HEAD, "data.canvas: found 1000000000; expected 4096 or less"),
        ("[data]\nworkers = 1000000\n" + HEAD, "data.workers: found 1000000; expected 256 or less"),
        ("[data]\ncache_gb = 1e300\n" + HEAD, "data.cache_gb: found 1e+300; expected 100000.0 or less"),
        ("[[data.train]]\nfile = 'a.json'\nempy = 'x'", "data.train[0].empy is not a known key; did you"),
        ("[[data.train]]\nfile = 5", "data.train[0].file: found 5; expected text"),
        (f"[[data.train]]\nfile = '{'x' * 10_000}'", "expected 4096 letters or fewer"),
        ("[inference]\ninputsize = 64\n" + HEAD, "did you mean 'input_size'?"),
        ("inference.input_size = 1000000000\n" + HEAD, "inference.input_size: found 1000000000"),
        ("seed = -1\n" + HEAD, "seed: found -1; expected 0 or more"),
        ("seed = 99999999999999999999\n" + HEAD, "seed: found 99999999999999999999; expected less"),
        ("name = '../x'\n" + HEAD, "name: found '../x'; expected text of the form"),
        ("[optimiser]\nlr = 1e9\n" + HEAD, "optimiser.lr: found 1000000000.0; expected 100.0 or less"),
        ("[loss.weights]\n'paf.vectr' = 1\n" + HEAD, "did you mean 'paf.vector'?"),
        ("[loss.weights]\n'paf.vector' = -1\n" + HEAD, "paf.vector is -1.0; expected 0 to 1000000"),
        ("[inference.decoder]\nseed_treshold = 1\n" + HEAD, "did you mean 'seed_threshold'?"),
        ("[inference.decoder]\nmin_landmarks = 1.5\n" + HEAD, "min_landmarks: found 1.5; expected a whole"),
        ("[inference.decoder]\ncells_per_landmark = 0\n" + HEAD, "cells_per_landmark: found 0; expected "),
        ("[augment]\nscale = [2, 1]\n" + HEAD, "augment.scale: found [2.0, 1.0]; expected a least and"),
        ("[augment]\nscale = [0, 1]\n" + HEAD, "expected a least and a greatest value of 0.01 to 100"),
        ("[network]\nwidth = 1000000000\n" + HEAD, "network.width: found 1000000000; expected 4096"),
        ("[network]\nblocks = 1000000000\n" + HEAD, "network.blocks: found 1000000000; expected 64"),
        ("inference.multi_scale = [64, 1000000]\n" + HEAD, "multi_scale[1]: found 1000000; expected 4096"),
        ("[inference.refinement]\ndetection_size = 1000000\n" + HEAD, "detection_size: found 1000000; ex"),
        ("working_size = 96\n" + HEAD, "working_size: an old name; expected inference.input_size"),
        ("mirror = true\n" + HEAD, "mirror: an old name; expected inference.flip_tta"),
        ("[refine]\nfind_size = 96\n" + HEAD, "refine: an old name; expected inference.refinement"),
        ("[explosions]\npolicy = 'skip'\n" + HEAD, "explosions: an old name; expected divergence"),
        ("[augment]\nbox_cut = 0.5\n" + HEAD, "augment.box_cut: an old name; expected augment.box_crop"),
        ("\n".join(f"k{i} = 1" for i in range(1000)) + "\n" + HEAD, "and 996 more"),
    ],
)  # fmt: skip
def test_a_recipe_that_makes_no_sense_is_refused_by_key(tmp_path, text, said):
    found = refused(tmp_path, text)
    assert said in found, found


def test_a_pipe_and_a_huge_file_are_refused(tmp_path):
    os.mkfifo(tmp_path / "r.toml")
    with pytest.raises(RecipeError, match="it is a pipe, not a regular file"):
        Recipe.load(tmp_path / "r.toml")
    with (tmp_path / "large.toml").open("wb") as stream:
        stream.truncate(10 << 30)
    with pytest.raises(RecipeError, match="at most 1,048,576 are read"):
        Recipe.load(tmp_path / "large.toml")
    with pytest.raises(RecipeError, match="expected the recipe of a training run"):
        Recipe.load_json(tmp_path / "r.json")


@pytest.mark.parametrize(
    "source", ["none.json", "samples:0", "samples:1000000000", "samples:9:-1", "samples:9:1:2"]
)
def test_a_source_that_is_not_there_is_named(tmp_path, source):
    from napari_fashion.datasets.opening import open_source

    (tmp_path / "r.toml").write_text(f'[[data.train]]\nfile = "{source}"\n')
    (only,) = Recipe.load(tmp_path / "r.toml").data.train
    with pytest.raises((RecipeError, CocoError), match=source):
        open_source(only)


def of_format_1(tmp_path, **changes):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"data": {"train": [{"file": "a.json"}]}, **changes}))
    return Recipe.load_json(path)


def test_a_recipe_of_format_1_keeps_the_meaning_that_it_had(tmp_path):
    recipe = of_format_1(tmp_path, pretrained=None, mirror=True, refine={"find_size": 64})
    assert recipe.backbone_weights is None  # null was random weights
    assert recipe.inference.flip_tta
    assert recipe.inference.crop_aspect == 1.0
    assert recipe.inference.refinement.margin == 0.25
    assert recipe.inference.refinement.detection_size == 64
    assert recipe.inference.decoder.pif_threshold == 0.3


def test_a_run_whose_options_are_gone_is_refused_unless_they_had_the_value_that_is_left(tmp_path):
    of_format_1(tmp_path, schedule={"final_lr": 0.01}, targets={"edge_width": 3.0})
    with pytest.raises(RecipeError, match=r"schedule\.final_lr is 0\.5; expected 0\.01"):
        of_format_1(tmp_path, schedule={"final_lr": 0.5})


def test_a_recipe_of_a_format_to_come_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="format 99; expected 2, or none"):
        of_format_1(tmp_path, format=99)

"""``napari-fashion train`` with a COCO file in place of a recipe, and its verdict."""

from __future__ import annotations

import json
import shutil

import pytest

from napari_fashion.cli import main, status
from napari_fashion.engine.train.events import CompareEvent
from napari_fashion.engine.train.options import FINE_TUNING
from napari_fashion.engine.train.recipe import Recipe


@pytest.fixture
def export(drawn, tmp_path):
    """A COCO file away from its images."""
    path = tmp_path / "my export.json"
    path.write_text(drawn.read_text())
    return path


def options(drawn, run, *more):
    images = ["--images", str(drawn.parent / "images")]
    return [*images, "--start-from", str(run[0]), "--device", "cpu", "--threads", "1", *more]


def test_a_coco_file_is_fine_tuned_on_as_retrain_does(
    export, drawn, run, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(export), *options(drawn, run, "--epochs", "1")]) == 0
    folder = tmp_path / "runs" / "my-export"
    recipe = Recipe.load_json(folder / "recipe.json")
    assert recipe.start_from == str(run[0].resolve())
    assert recipe.schedule.epochs == 1
    assert recipe.schedule.batch == 8
    assert recipe.optimiser.lr == FINE_TUNING["optimiser"]["lr"]
    assert recipe.optimiser.keep_start == FINE_TUNING["optimiser"]["keep_start"]
    assert (folder / "model.json").is_file()
    out = capsys.readouterr().out
    assert "before, ne 0." in out
    assert "after, ne 0." in out
    assert "Too few to tell" in out
    assert main(["train", str(export), *options(drawn, run, "--epochs", "1")]) == 1
    assert "Name another --run FOLDER" in capsys.readouterr().err


def test_a_files_sides_are_kept_from_run_to_run(export, drawn, run, tmp_path):
    split = export.with_name(f".{export.name}.fashion") / "split.json"
    sides = []
    for n in range(2):
        command = ["train", str(export), "--run", str(tmp_path / f"run{n}"), "--set", f"seed={n}"]
        assert main([*command, *options(drawn, run, "--epochs", "1")]) == 0
        sides.append(json.loads(split.read_text()))
    recipe = Recipe.load_json(tmp_path / "run1" / "recipe.json")
    assert recipe.data.split == str(split)
    assert sides[0]["validation"]
    assert sides[0] == sides[1]


def test_the_content_decides_where_the_name_does_not(export, drawn, run, tmp_path, toml, capsys):
    shutil.copy(export, tmp_path / "data.coco")
    (tmp_path / "recipe").write_text(
        toml({"name": "x", "optimiser": {"lr": -1}, "data": {"train": [{"file": str(drawn)}]}})
    )
    assert main(["train", str(tmp_path / "recipe"), "--run", str(tmp_path / "r")]) == 1
    assert "optimiser.lr" in capsys.readouterr().err
    command = ["train", str(tmp_path / "data.coco"), "--run", str(tmp_path / "s")]
    assert main([*command, *options(drawn, run, "--epochs", "1")]) == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--epochs", "3"], "--epochs is for training on a COCO file"),
        (["--start-from", "bundled"], "Set start_from in it instead"),
        (["--images", "pics"], "Set data.train.images in it instead"),
        (["--require-better"], "has no start_from"),
    ],
)
def test_options_that_a_recipe_has_no_use_for(drawn, tmp_path, toml, capsys, option, said):
    recipe = tmp_path / "r.toml"
    recipe.write_text(toml({"data": {"train": [{"file": str(drawn)}]}}))
    assert main(["train", str(recipe), "--run", str(tmp_path / "run"), *option]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_runs_own_are_kept_when_it_is_resumed(tmp_path, capsys):
    command = ["train", "--resume", "--run", str(tmp_path)]
    for option in (["--epochs", "3"], ["--start-from", "bundled"], ["--images", "x"]):
        assert main([*command, *option]) == 1
        assert "goes on with the run's own" in capsys.readouterr().err


def test_nothing_to_learn_from_is_refused(export, drawn, run, tmp_path, capsys):
    document = json.loads(export.read_text())
    for annotation in document["annotations"]:
        annotation["fashion"] = {"source": "model:x", "score": 0.9}
    export.write_text(json.dumps(document))
    command = ["train", str(export), "--run", str(tmp_path / "run"), *options(drawn, run)]
    assert main(command) == 1
    assert "0 images are annotated by a person or reviewed; expected at least 2" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verdict", ["better", "worse", "no difference", "too few", None])
def test_require_better_decides_the_status(
    export, drawn, run, tmp_path, capsys, monkeypatch, verdict
):
    text = f"The verdict, in words: {verdict}."

    def trained(recipe, folder, *, emit, **_):
        emit(CompareEvent(old={"ne": 0.1}, new={"ne": 0.2}, verdict=verdict, text=text, images=12))

    monkeypatch.setattr("napari_fashion.engine.train.chain.train", trained)
    command = ["train", str(export), "--run", str(tmp_path / "run"), *options(drawn, run)]
    is_better = verdict == "better"
    assert main([*command, "--require-better"]) == (status.DONE if is_better else status.NOT_BETTER)
    out, err = capsys.readouterr()
    assert text in out + err
    assert ("expected 'better'" in err) is not is_better
    assert main([*command, "--quiet"]) == status.DONE
    assert (text in capsys.readouterr().err) == (verdict == "worse")  # not to be missed

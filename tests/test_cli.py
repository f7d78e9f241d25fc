"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from engine.drawn import draw_dataset, tiny_recipe
from napari_fashion.cli import main
from napari_fashion.engine.model import Model


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_dataset(tmp_path_factory.mktemp("cli"), 24)


@pytest.fixture(scope="module")
def run(drawn, tmp_path_factory):
    """A run made by the command itself, with its events."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = tiny_recipe(drawn)
    path = folder / "tiny.toml"
    path.write_text(_toml(recipe))
    command = [sys.executable, "-m", "napari_fashion", "train", str(path), "--run", str(folder / "run"),
               "--device", "cpu", "--threads", "1", "--events", "jsonl"]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return folder / "run", [json.loads(line) for line in result.stdout.splitlines()], command


def _toml(recipe):
    data = dict(recipe)
    lines = [f"{k} = {json.dumps(v)}" for k, v in data.items() if not isinstance(v, dict)]
    for key, table in data.items():
        if not isinstance(table, dict):
            continue
        lists = {
            k: v for k, v in table.items() if isinstance(v, list) and v and isinstance(v[0], dict)
        }
        lines.append(f"[{key}]")
        lines += [f"{k} = {json.dumps(v)}" for k, v in table.items() if k not in lists]
        for name, rows in lists.items():
            for row in rows:
                lines.append(f"[[{key}.{name}]]")
                lines += [f"{k} = {json.dumps(v)}" for k, v in row.items()]
    return "\n".join(lines)


def test_train_speaks_json_lines_and_leaves_a_model(run):
    folder, events, _ = run
    assert [events[0]["event"], events[-1]["event"]] == ["start", "done"]
    assert Path(events[-1]["model"]).is_file()
    assert Model.load(folder, "cpu").info.name == "tiny"


def test_train_stops_on_sigterm_and_goes_on(run, drawn, tmp_path):
    recipe = tmp_path / "long.toml"
    recipe.write_text(_toml(tiny_recipe(drawn, schedule={"epochs": 500})))
    command = [*run[2]]
    command[4], command[6] = str(recipe), str(tmp_path / "run")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "step":
                process.send_signal(signal.SIGTERM)
                break
        rest = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert rest[-1]["event"] == "stopped"
    assert (tmp_path / "run" / "state.safetensors").is_file()


def test_train_refuses_a_bad_recipe_with_its_reason(tmp_path, capsys):
    (tmp_path / "bad.toml").write_text("[optimiser]\nlr = -1\n")
    assert main(["train", str(tmp_path / "bad.toml")]) == 1
    error = capsys.readouterr().err
    assert "optimiser.lr" in error
    assert "data" in error
    assert main(["train"]) == 1
    assert main(["train", "--resume"]) == 1


@pytest.mark.parametrize("kind", ["coco", "folder", "glob", "picture"])
def test_predict_takes_pictures_in_every_form(run, drawn, tmp_path, kind, capsys):
    images = drawn.parent / "images"
    given = {
        "coco": str(drawn),
        "folder": str(images),
        "glob": str(images / "00*.png"),
        "picture": str(images / "001.png"),
    }[kind]
    out, overlays = tmp_path / "out.json", tmp_path / "overlays"
    command = ["predict", given, "--model", str(run[0]), "--out", str(out), "--overlays", str(overlays),
               "--single", "--complete", "--device", "cpu"]  # fmt: skip
    assert main(command) == 0
    expected = {"coco": 24, "folder": 24, "glob": 9, "picture": 1}[kind]
    results = json.loads(out.read_text())
    assert len(results) == expected
    first = results[0]
    assert len(first["keypoints"]) == 24
    assert len(first["keypoint_scores"]) == 8
    assert first["source"].startswith("model:tiny-")
    assert 0 <= first["score"] <= 1
    truth = COCO(str(drawn if kind == "coco" else out.with_name("out.images.json")))
    assert len(truth.loadRes(str(out)).anns) == expected
    drawn_pictures = sorted(overlays.rglob("*.png"))
    assert len(drawn_pictures) == expected
    before = np.asarray(Image.open(images / drawn_pictures[0].name))
    after = np.asarray(Image.open(drawn_pictures[0]))
    assert before.shape == after.shape
    assert (before != after).any()
    assert main(command) == 1  # it exists now
    assert "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0


def test_predict_leaves_out_what_it_cannot_read_and_says_so(run, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    document["images"][0]["file_name"] = "gone.png"
    broken = drawn.with_name("broken.json")
    broken.write_text(json.dumps(document))
    out = tmp_path / "out.json"
    command = [
        "predict",
        str(broken),
        "--model",
        str(run[0]),
        "--out",
        str(out),
        "--single",
        "--complete",
    ]
    assert main(command) == 0
    assert len(json.loads(out.read_text())) == 23
    assert "gone.png" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "nothing"), "--model", str(run[0])]) == 1


def test_evaluate_prints_and_writes_figures(run, drawn, tmp_path, capsys):
    out = tmp_path / "figures.json"
    command = [
        "evaluate",
        str(drawn),
        "--model",
        str(run[0]),
        "--json",
        str(out),
        "--device",
        "cpu",
    ]
    assert main(command) == 0
    figures = json.loads(out.read_text())
    assert figures["model"].startswith("tiny-")
    assert figures["box"]["n_garments"] == 24
    assert 0 <= figures["box"]["average_error"] < 1
    assert figures["whole"]["recall"] is not None
    printed = capsys.readouterr().out
    assert "AVG NE" in printed
    assert "left_hem" in printed


def test_help_and_version(capsys):
    for arguments in (["--version"], ["train", "--help"], ["predict", "--help"]):
        with pytest.raises(SystemExit) as info:
            main(arguments)
        assert info.value.code == 0
    assert "recipe" in capsys.readouterr().out

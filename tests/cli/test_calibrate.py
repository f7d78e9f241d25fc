"""`calibrate`: the same weights with other thresholds, never over what it reads."""

from __future__ import annotations

import json

import pytest

from drawn import draw_dataset
from napari_fashion.cli import main, status
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.model import Model


@pytest.fixture(scope="session")
def half_labelled(tmp_path_factory):
    """Drawn garments, of which every second labelled landmark is said not to be there."""
    path = draw_dataset(tmp_path_factory.mktemp("half"), 40, seed=5)
    document = json.loads(path.read_text())
    n = 0
    for annotation in document["annotations"]:
        keypoints = annotation["keypoints"]
        for i in range(0, len(keypoints), 3):
            if keypoints[i + 2]:
                n += 1
                if n % 2:
                    keypoints[i : i + 3] = [0, 0, 0]
        annotation["num_keypoints"] = sum(v > 0 for v in keypoints[2::3])
    path.write_text(json.dumps(document))
    return path


def calibrate(model, data, out, *more):
    command = ["calibrate", str(model), str(data), "--out", str(out), "--device", "cpu", *more]
    return main([*command, "--threads", "1"])


def test_a_model_gets_thresholds_and_keeps_its_weights(trained, half_labelled, tmp_path, capsys):
    folder = trained[0]
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    out = tmp_path / "calibrated.json"
    assert calibrate(folder, half_labelled, out, "--unlabelled", "absent") == status.DONE
    told = capsys.readouterr().out
    assert "present: of " in told
    assert "visible: kept as it was" in told  # the model tells none
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before
    assert out.with_suffix(".safetensors").read_bytes() == before["model.safetensors"]
    old, new = Model.load(folder, "cpu"), Model.load(out, "cpu")
    options = new.inference.visibility
    assert old.inference.visibility == VisibilityOptions()
    assert options.present_scale < 0.5  # no score tells which half was taken away
    assert options.visible_threshold == 0.5
    assert new.id == old.id
    assert new.info.history["calibrated"]["data"] == str(half_labelled)
    changed = json.loads(out.read_text())
    plain = json.loads(before["model.json"])
    assert changed.keys() == plain.keys()
    same = set(plain) - {"inference", "history"}
    assert {key: changed[key] for key in same} == {key: plain[key] for key in same}


def test_an_exported_model_carries_the_options_and_is_calibrated_too(
    trained, half_labelled, tmp_path
):
    pytest.importorskip("onnx", reason="onnx is not installed (extra 'onnx')")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra 'onnx')")
    out, exported, again = (tmp_path / name for name in ("a.json", "a.onnx", "b.onnx"))
    absent = ("--unlabelled", "absent")
    assert calibrate(trained[0], half_labelled, out, *absent) == status.DONE
    moved = tmp_path / "moved"
    moved.mkdir()
    exported = moved / "a.onnx"
    assert main(["export-model", str(out), "--out", str(exported)]) == status.DONE
    expected = Model.load(out, "cpu").inference.visibility
    assert Model.load(exported).inference.visibility == expected
    assert calibrate(exported, half_labelled, again, *absent) == status.DONE
    assert again.read_bytes() == exported.read_bytes()
    found = Model.load(again).inference.visibility
    assert found.present_offset == pytest.approx(expected.present_offset, abs=1e-3)


def test_nothing_is_written_where_nothing_can_be_fitted(trained, half_labelled, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert calibrate(trained[0], half_labelled, out) == status.FAILED
    told = capsys.readouterr().err
    assert "nothing was calibrated, nothing was written" in told
    assert "present: kept as it was; found 0 there and 0 not there" in told
    assert list(tmp_path.iterdir()) == []


def test_inputs_and_existing_files_are_not_written_over(trained, half_labelled, tmp_path, capsys):
    model = trained[0] / "model.json"
    assert calibrate(trained[0], half_labelled, model, "--overwrite") == status.FAILED
    assert "inputs are never written over" in capsys.readouterr().err
    out = tmp_path / "out.json"
    out.with_suffix(".safetensors").write_bytes(b"mine")
    assert calibrate(trained[0], half_labelled, out) == status.FAILED
    assert "exists. Name another one, or --overwrite" in capsys.readouterr().err
    assert out.with_suffix(".safetensors").read_bytes() == b"mine"

"""An exported model predicts without torch, and what the model in torch predicts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from napari_fashion import cli
from napari_fashion.cli import status

PREDICT = """
import sys
from napari_fashion import cli
status = cli.main(sys.argv[1:])
loaded = [name for name in ("torch", "torchvision", "onnxscript", "napari") if name in sys.modules]
assert "onnxruntime" in sys.modules
assert not loaded, loaded
sys.exit(status)
"""


UNIT = {"keypoints": 0.01, "bbox": 0.01}
"""Places are written in hundredths of a pixel, all other numbers in 1e-4."""


def close(one, two, key=""):
    """Whether documents are equal, but for numbers that differ by 1e-4 before they are rounded."""
    if isinstance(one, dict):
        names = one.keys() - {"area"}  # the product of the box's sides
        return one.keys() == two.keys() and all(close(one[k], two[k], k or key) for k in names)
    if isinstance(one, list):
        return len(one) == len(two) and all(close(a, b, key) for a, b in zip(one, two, strict=True))
    if isinstance(one, float) or isinstance(two, float):
        return one == pytest.approx(two, abs=UNIT.get(key, 1e-4) * 1.001, rel=0)
    return one == two


def test_documents_that_differ_are_told_apart():
    one = {"keypoints": [1.0, 2.0, 2], "score": 0.5}
    assert close(one, {"keypoints": [1.01, 2.0, 2], "score": 0.5001})
    assert not close(one, {"keypoints": [1.02, 2.0, 2], "score": 0.5})
    assert not close(one, {"keypoints": [1.0, 2.0, 2], "score": 0.5002})
    assert not close(one, {"keypoints": [1.0, 2.0, 1], "score": 0.5})


def test_predictions_without_torch_are_those_with_it(trained, drawn, tmp_path, capsys):
    pytest.importorskip("onnx", reason="onnx is not installed (extra 'onnx')")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra 'onnx')")
    exported = tmp_path / "tiny.onnx"
    assert cli.main(["export-model", str(trained[0]), "--out", str(exported)]) == status.DONE
    assert "checked against torch" in capsys.readouterr().out
    common = [str(drawn.parent / "images"), "--refine", "--flip-tta"]
    arguments = ["predict", *common, "--model", str(trained[0]), "--out", str(tmp_path / "t.json")]
    assert cli.main(arguments) == status.DONE
    arguments = [
        "predict",
        *common,
        "--model",
        str(exported),
        "--runtime",
        "onnx",
        "--threads",
        "1",
    ]
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, *arguments, "--out", str(tmp_path / "o.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in "to")
    assert len(one) >= 20
    assert close(one, two)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bundled", "--out", "x.pt"], "expected a name that ends in .onnx"),
        (["bundled", "--out", "x.ONNX"], "expected a name that ends in .onnx, in small letters"),
        (["none", "--out", "x.onnx"], "no model there"),
    ],
)
def test_what_cannot_be_exported_is_told(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export-model", *arguments]) == status.FAILED
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_model_itself_is_never_written_over(trained, tmp_path, capsys):
    out = trained[0] / "model.onnx"
    arguments = ["export-model", str(trained[0]), "--out", str(out), "--overwrite"]
    assert cli.main(arguments) == status.FAILED
    assert "inputs are never" in capsys.readouterr().err


def test_a_model_in_torch_is_not_run_by_onnx(trained, drawn, tmp_path, capsys):
    arguments = ["predict", str(drawn), "--model", str(trained[0]), "--runtime", "onnx"]
    assert cli.main([*arguments, "--out", str(tmp_path / "o.json")]) == status.FAILED
    assert "napari-fashion export-model" in capsys.readouterr().err

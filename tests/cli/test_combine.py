"""Model sets on the command line: made, used, and refused where one model is needed."""

from __future__ import annotations

import json
import re

import pytest

from model_sets import OF_TYPE, SCHEMA, small_member
from napari_fashion.cli import main, status


@pytest.fixture(scope="module")
def members(run, tmp_path_factory):
    """A trained model for upper garments, and one with random weights and four landmarks for lower ones."""
    return run[0], small_member(tmp_path_factory.mktemp("members"), "lower", OF_TYPE["lower"])


@pytest.fixture
def combined(members, tmp_path, capsys):
    out = tmp_path / "sets" / "combined.json"
    given = [f"upper,full={members[0]}", f"lower={members[1]}"]
    assert main(["combine", *given, "--out", str(out)]) == status.DONE
    assert "2 models that predict garments" in capsys.readouterr().out
    return out


def test_a_set_names_models_relative_to_itself(combined, members):
    document = json.loads(combined.read_text())
    assert document["schema"] == "garments"
    for entry, source in zip(document["members"], members, strict=True):
        assert not entry["model"].startswith("/")
        assert (combined.parent / entry["model"]).samefile(source)


def test_a_set_is_calibrated_by_garments_of_all_members(members, drawn, tmp_path, capsys):
    given = [f"upper={members[0]}", f"lower={members[1]}", "--device", "cpu"]
    images = ["--images", str(drawn.parent / "images")]
    document = json.loads(drawn.read_text())
    more = [document, json.loads(json.dumps(document))]
    n = len(document["images"])
    for record in more[1]["images"]:
        record["id"] += n
    for record in more[1]["annotations"]:
        record["id"] += n
        record["image_id"] += n
    few, data, out = tmp_path / "few.json", tmp_path / "data.json", tmp_path / "set.json"
    few.write_text(json.dumps(document))
    for name in ("images", "annotations"):
        document[name] = more[0][name] + more[1][name]
    data.write_text(json.dumps(document))
    refused = ["combine", *given, *images, "--calibrate-on", str(few), "--out", str(out)]
    assert main(refused) == status.FAILED
    assert "found 12 upper, 12 lower garments that can be judged" in capsys.readouterr().err
    assert not out.exists()
    done = ["combine", *given, *images, "--calibrate-on", str(data), "--out", str(out)]
    assert main(done) == status.DONE
    assert "of 48 garments" in capsys.readouterr().out
    made = [m["calibration"] for m in json.loads(out.read_text())["members"]]
    assert all(c != {"scale": 1.0, "offset": 0.0} for c in made)
    assert main([*done[:-1], str(data)]) == status.FAILED
    assert "inputs are never written over" in capsys.readouterr().err


def test_a_set_predicts(combined, drawn, tmp_path, capsys):
    out = tmp_path / "results.json"
    images = str(drawn.parent / "images")
    given = ["predict", images, "--model", str(combined), "--device", "cpu", "--out", str(out)]
    assert main([*given, "--single-instance", "--force-complete"]) == status.DONE
    results = json.loads(out.read_text())
    assert len(results) == 24
    lower = {i for i, name in enumerate(SCHEMA.landmarks) if i in SCHEMA.landmarks_of("lower")}
    for record in results:
        placed = {i for i in range(8) if record["keypoints"][3 * i + 2]}
        assert placed == lower or len(placed) == 8
    assert "by combined-" in capsys.readouterr().out


@pytest.mark.parametrize("body_type", ["truth", "score"])
def test_a_set_is_evaluated(combined, drawn, tmp_path, capsys, body_type):
    out = tmp_path / "figures.json"
    given = ["--protocol", "published", "--fallback", "skeleton", "--body-type", body_type]
    command = [
        "evaluate",
        str(drawn),
        "--model",
        str(combined),
        "--device",
        "cpu",
        "--rounds",
        "20",
    ]
    report = ["--json", str(out), "--report", str(tmp_path / "report")]
    assert main([*command, *given, *report]) == status.DONE
    own = json.loads(out.read_text())["bbox-only-skeleton"]
    assert own["parts"].get("body_type") == ("truth" if body_type == "truth" else None)
    assert own["n_garments"] == 24
    told = "members by the true body type" in capsys.readouterr().out
    assert told == (body_type == "truth")


def test_the_truth_chooses_members_of_a_set_alone(run, drawn, capsys):
    given = ["evaluate", str(drawn), "--model", str(run[0]), "--body-type", "truth"]
    assert main(given) == status.FAILED
    assert "--body-type truth chooses a member of a model set" in capsys.readouterr().err


def test_checkpoints_are_of_one_run(combined, drawn, capsys):
    assert main(["evaluate", str(drawn), "--model", str(combined), "--per-epoch"]) == status.FAILED
    assert "--per-epoch needs the folder of a run" in capsys.readouterr().err


def test_teachers_may_be_sets(combined, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    for annotation in document["annotations"]:
        annotation |= {"keypoints": [0] * 24, "num_keypoints": 0}
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(document))
    out = tmp_path / "pseudo.json"
    given = [
        "pseudo-label",
        str(path),
        "--images",
        str(drawn.parent / "images"),
        "--model",
        str(combined),
    ]
    found = main([*given, "--device", "cpu", "--out", str(out), "--tolerance", "1000"])
    assert found == status.DONE, capsys.readouterr().err
    labelled = json.loads(out.read_text())["annotations"]
    types = {"Pants": "lower", "T-Shirt": "upper"}
    names = {c["id"]: c["name"] for c in document["categories"]}
    n = 0
    for annotation in labelled:
        placed = {i for i in range(8) if annotation["keypoints"][3 * i + 2]}
        assert placed <= set(SCHEMA.landmarks_of(types[names[annotation["category_id"]]]))
        n += bool(placed)
    assert n > 12  # of shirts and of trousers


@pytest.mark.parametrize(
    "command",
    [
        ["export-model", "SET", "--out", "new.onnx"],
        ["calibrate", "SET", "DATA", "--out", "new.json"],
        ["train", "DATA", "--start-from", "SET", "--run", "new"],
        ["combine", "upper=SET", "lower=LOWER", "--out", "new.json"],
    ],
)
def test_what_needs_one_model_refuses_a_set(
    combined, members, drawn, tmp_path, capsys, monkeypatch, command
):
    names = {"SET": str(combined), "DATA": str(drawn), "LOWER": members[1]}
    monkeypatch.chdir(tmp_path)
    given = [
        part.replace("SET", names["SET"])
        .replace("DATA", names["DATA"])
        .replace("LOWER", names["LOWER"])
        for part in command
    ]
    assert main(given) == status.FAILED
    said = capsys.readouterr().err
    assert "a set of models, which is to predict with; expected one model" in said
    assert "Name a member of the set" in said
    assert not list(tmp_path.glob("new*.json")) + list(tmp_path.glob("new*.onnx"))


def test_a_member_s_files_are_inputs(combined, members, drawn, capsys):
    weights = json.loads((members[0] / "model.json").read_text())
    given = ["predict", str(drawn.parent / "images"), "--model", str(combined), "--device", "cpu"]
    out = ["--out", str(members[0] / "model.json"), "--overwrite"]
    assert main([*given, *out]) == status.FAILED
    assert "inputs are never written over" in capsys.readouterr().err
    assert json.loads((members[0] / "model.json").read_text()) == weights


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["upper=UPPER"], "members: found .*; expected 2 or more"),
        (["upper=UPPER", "full=UPPER"], "is named twice; expected it once"),
        (["upper=UPPER", "upper=LOWER"], "body type 'upper' has the members"),
        (["upper=UPPER", "legs=LOWER"], "body type 'legs', which schema 'garments' lacks"),
        (["upper=UPPER", "full=LOWER"], "does not fit into the set: it lacks 4 landmarks"),
        (["upper=UPPER", "lower=none"], "none: no model there"),
    ],
)
def test_models_that_make_no_set_are_told(members, tmp_path, capsys, given, told):
    given = [a.replace("UPPER", str(members[0])).replace("LOWER", members[1]) for a in given]
    out = tmp_path / "set.json"
    assert main(["combine", *given, "--out", str(out)]) == status.FAILED
    assert re.search(told, capsys.readouterr().err)
    assert not out.exists()


def test_a_member_without_a_body_type_is_no_member(members, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["combine", str(members[0]), members[1], "--out", "set.json"])
    assert "expected BODY_TYPE=MODEL" in capsys.readouterr().err


def test_body_types_without_a_member_are_told(members, tmp_path, capsys):
    given = [f"upper={members[0]}", f"lower={members[1]}", "--out", str(tmp_path / "set.json")]
    assert main(["combine", *given]) == status.DONE
    assert "no member is for body type full" in capsys.readouterr().err

"""The evaluate command: its parts, sweeps, rows and report page."""

from __future__ import annotations

import csv
import json
from xml.etree import ElementTree

import pytest

from napari_fashion.cli import main, status
from napari_fashion.schema import Schema

HTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture
def command(run, drawn):
    return ["evaluate", str(drawn), "--model", str(run[0]), "--device", "cpu", "--rounds", "20"]


def test_a_report_is_a_page_with_its_figures_and_rows(command, tmp_path, capsys):
    folder = tmp_path / "report"
    given = ["--protocol", "both", "--margins", "0,0.25", "--report", str(folder)]
    assert main([*command, *given]) == status.DONE
    assert sorted(p.name for p in folder.iterdir()) == [
        "figures.json",
        "garments.csv",
        "index.html",
    ]
    assert f"the report is in {folder / 'index.html'}" in capsys.readouterr().out
    figures = json.loads((folder / "figures.json").read_text())
    assert figures["box"]["parts"]["cut"] == "hull"
    assert [p["at"] for p in figures["margins"]["box"]] == [0, 0.25]
    assert figures["margins"]["box"][0]["average_error"] == figures["box"]["average_error"]
    with (folder / "garments.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * figures["box"]["n_garments"]
    root = ElementTree.fromstring((folder / "index.html").read_text())
    text = "".join(root.itertext())
    assert f"{figures['box']['average_error']:.4f}" in text
    assert "NE by crop size (box)" in text
    assert "not comparable: the data set is not known" in text
    # Nothing is written over without leave, and never half of a report.
    before = (folder / "index.html").read_bytes()
    assert main([*command, "--report", str(folder)]) == status.FAILED
    assert "exists" in capsys.readouterr().err
    assert (folder / "index.html").read_bytes() == before


def test_a_combination_of_ones_own(command, tmp_path, capsys):
    out = tmp_path / "f.json"
    given = ["--cut", "bbox", "--choice", "nearest", "--fallback", "skeleton", "--margin", "0.1"]
    assert main([*command, *given, "--json", str(out)]) == status.DONE
    assert "Crops by the file's boxes with 10% around them" in capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert list(figures) == ["model", "data", "bbox-nearest-skeleton"]
    own = figures["bbox-nearest-skeleton"]
    assert own["parts"] == {
        "cut": "bbox", "margin": 0.1, "choice": "nearest", "fallback": "skeleton"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([], ["box", "whole"]),
        (["--fallback", "skeleton"], ["hull-only-skeleton", "none-matched-skeleton"]),
        (["--choice", "best"], ["none-best-corner"]),
        (["--cut", "bbox"], ["published"]),
        (["--protocol", "published", "--choice", "inside"], ["bbox-inside-corner"]),
        (["--protocol", "whole"], ["whole"]),
    ],
)
def test_which_protocols_the_arguments_name(given, names):
    import argparse

    from napari_fashion.cli import evaluate

    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    options = parser.parse_args(["a.json", "--margin", "0.5", *given])
    protocols = evaluate.protocols_of(options)
    assert [p.name for p in protocols] == names
    assert [p.margin for p in protocols] == [0.0 if p.whole else 0.5 for p in protocols]


def test_the_skeleton_can_be_that_of_other_data(command, drawn, capsys):
    given = ["--protocol", "box", "--fallback", "skeleton", "--confidence", "0.5"]
    assert main([*command, *given, "--skeleton-from", str(drawn)]) == status.DONE
    assert "AVG NE, scores below 0.5" in capsys.readouterr().out


def test_each_kept_checkpoint_is_evaluated(command, run, tmp_path, capsys):
    out = tmp_path / "f.json"
    given = ["--protocol", "box", "--per-epoch", "--rounds", "0", "--json", str(out)]
    assert main([*command, *given]) == status.DONE
    epochs = json.loads(out.read_text())["epochs"]["box"]
    assert epochs
    assert [p["at"] for p in epochs] == sorted(p["at"] for p in epochs)
    assert "epoch" in capsys.readouterr().out
    command[3] = "bundled"
    assert main([*command, *given[:-2]]) == status.FAILED
    assert "--per-epoch needs the folder of a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            ["--margin", "0.2", "--protocol", "whole"],
            "--margin is given, and whole images are shown, which have no margin",
        ),
        (
            ["--margins", "0,1", "--protocol", "whole"],
            "whole images are shown, which have no margin",
        ),
        (["--skeleton-from", "x.json"], "add --fallback skeleton"),
        (["--data-set", "deepfashion-c"], "add --report FOLDER"),
    ],
)
def test_an_option_without_effect_is_refused(command, given, words, capsys):
    assert main([*command, *given]) == status.FAILED
    assert words in capsys.readouterr().err


def test_a_converted_file_says_what_it_is(command, drawn, tmp_path):
    document = json.loads(drawn.read_text())
    document["info"] = {"fashion": {"converted": {"format": "deepfashion-c"}}}
    path = tmp_path / "test.json"
    path.write_text(json.dumps(document))
    command[1] = str(path)
    given = ["--images", str(drawn.parent / "images"), "--protocol", "published"]
    assert main([*command, *given, "--report", str(tmp_path / "r")]) == status.DONE
    root = ElementTree.fromstring((tmp_path / "r" / "index.html").read_text())
    (verdict,) = ("".join(p.itertext()) for p in root.iter(f"{HTML}p")
                  if "published: not comparable" in "".join(p.itertext()))  # fmt: skip
    assert verdict == "published: not comparable: 24 images were judged, and 40,000 by them."


def test_rows_go_to_a_file_of_a_known_kind(command, tmp_path, capsys):
    path = tmp_path / "rows.csv"
    assert main([*command, "--protocol", "box", "--rows", str(path)]) == status.DONE
    with path.open() as stream:
        (first, *others) = csv.DictReader(stream)
    assert first["protocol"] == "box"
    assert float(first["error"]) >= 0
    assert len(others) == 23
    with pytest.raises(SystemExit, match=str(status.USAGE)):
        main([*command, "--rows", str(tmp_path / "rows.xlsx")])
    assert "expected a name that ends in .csv or .parquet" in capsys.readouterr().err


def test_what_is_written_is_never_an_input(command, drawn, tmp_path, capsys):
    for option, name in (("--rows", "index.csv"), ("--report", "")):
        target = tmp_path / name
        if option == "--rows":
            target.symlink_to(drawn)
        else:
            (tmp_path / "index.html").symlink_to(drawn)
        before = drawn.read_bytes()
        assert main([*command, option, str(target), "--overwrite"]) == status.FAILED
        assert "inputs are never written over" in capsys.readouterr().err
        assert drawn.read_bytes() == before


def test_rows_can_be_joined_to_the_file(command, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    names = {"T-Shirt": "t shirt", "Pants": "Gown"}
    for category in document["categories"]:
        category["name"] = names.get(category["name"], category["name"])
    command[1] = str(tmp_path / "renamed.json")
    (tmp_path / "renamed.json").write_text(json.dumps(document))
    rows, figures = tmp_path / "rows.csv", tmp_path / "f.json"
    given = ["--images", str(drawn.parent / "images"), "--protocol", "published", "--rounds", "0"]
    given += ["--rows", str(rows), "--json", str(figures)]
    assert main([*command, *given]) == status.DONE
    err = capsys.readouterr().err
    assert "renamed.json: 't shirt' is the model's 'T-Shirt'" in err
    by_id = {a["id"]: a for a in document["annotations"]}
    category = {c["id"]: c for c in document["categories"]}
    with rows.open() as stream:
        found = list(csv.DictReader(stream))
    assert len(found) == len(by_id)
    for row in found:
        annotation = by_id[int(row["annotation_id"])]
        assert int(row["image_id"]) == annotation["image_id"]
        own = category[annotation["category_id"]]
        assert row["category"] == own["name"]
        sides = [float(row[f"box_{side}"]) for side in ("left", "top", "width", "height")]
        assert sides == pytest.approx(annotation["bbox"], abs=1e-3)
        points = annotation["keypoints"]
        for k, name in enumerate(own["keypoints"]):
            if points[3 * k + 2]:
                assert float(row[f"{name}.true_x"]) == pytest.approx(points[3 * k], abs=1e-3)
                assert float(row[f"{name}.true_y"]) == pytest.approx(points[3 * k + 1], abs=1e-3)
    model = {row["category"]: row["model_category"] for row in found}
    assert model["t shirt"] == "T-Shirt"
    assert model["Gown"] == ""
    confusion = json.loads(figures.read_text())["published"]["confusion"]
    assert sum(confusion["Gown"].values()) == sum(row["category"] == "Gown" for row in found)
    assert "other" not in confusion


def test_a_file_with_other_landmarks_is_refused_with_the_remedy(command, drawn, tmp_path, capsys):
    """294 names make no wall of text."""
    schema = Schema.load("deepfashion2")
    document = json.loads(drawn.read_text())
    document["annotations"] = []
    document["categories"] = [
        {"id": 1, "name": "thing", "keypoints": list(schema.landmarks), "skeleton": []}
    ]
    path = tmp_path / "many.json"
    path.write_text(json.dumps(document))
    command[1] = str(path)
    assert main([*command, "--images", str(drawn.parent / "images")]) == status.FAILED
    err = capsys.readouterr().err
    first = ", ".join(schema.landmarks[:8])
    assert f"many.json has 294 landmarks ({first} and 286 more); expected those of schema" in err
    assert "Name a model that finds the file's landmarks (evaluate: --model)" in err
    assert (
        main(["predict", str(path), *command[2:6], "--out", str(tmp_path / "r.json")])
        == status.FAILED
    )
    assert f"has 294 landmarks ({first} and 286 more); the model finds 8 landmarks" in (
        capsys.readouterr().err
    )

"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from drawn import tiny_recipe
from napari_fashion.cli import main, status
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.model import Model
from napari_fashion.images.transforms import write_png
from napari_fashion.schema import Schema


def test_train_speaks_json_lines_and_leaves_a_model(run):
    folder, events, _ = run
    assert [events[0]["event"], events[-1]["event"]] == ["start", "done"]
    assert Path(events[-1]["model"]).is_file()
    assert Model.load(folder, "cpu").info.name == "tiny"


def test_train_stops_on_sigterm_and_goes_on(run, drawn, toml, tmp_path):
    recipe = tmp_path / "long.toml"
    recipe.write_text(toml(tiny_recipe(drawn, schedule={"epochs": 500})))
    command = [*run[2]]
    command[4], command[6] = str(recipe), str(tmp_path / "run")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "step":
                process.send_signal(signal.SIGTERM)
                break
        rest = [json.loads(line) for line in process.stdout]
    assert process.returncode == status.TERMINATED
    assert rest[-1]["event"] == "stopped"
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*.safetensors"))) in (1, 2)


def test_train_refuses_a_bad_recipe_with_its_reason(tmp_path, capsys):
    (tmp_path / "bad.toml").write_text("[optimiser]\nlr = -1\n")
    assert main(["train", str(tmp_path / "bad.toml")]) == 1
    error = capsys.readouterr().err
    assert "optimiser.lr" in error
    assert "data" in error
    assert main(["train"]) == 1
    assert main(["train", "--resume"]) == 1


@pytest.mark.parametrize("kind", ["coco", "folder", "glob", "image"])
def test_predict_takes_images_in_every_form(run, drawn, tmp_path, kind, capsys):
    images = drawn.parent / "images"
    given = {
        "coco": str(drawn),
        "folder": str(images),
        "glob": str(images / "00*.png"),
        "image": str(images / "001.png"),
    }[kind]
    out, overlays = tmp_path / "out.json", tmp_path / "overlays"
    command = ["predict", given, "--model", str(run[0]), "--out", str(out), "--overlays", str(overlays),
               "--single-instance", "--force-complete", "--device", "cpu"]  # fmt: skip
    assert main(command) == 0
    expected = {"coco": 24, "folder": 24, "glob": 9, "image": 1}[kind]
    results = json.loads(out.read_text())
    assert len(results) == expected
    first = results[0]
    assert len(first["keypoints"]) == 24
    assert len(first["keypoint_scores"]) == 8
    assert first["source"].startswith("model:tiny-")
    assert 0 <= first["score"] <= 1
    truth = COCO(str(drawn if kind == "coco" else out.with_name("out.images.json")))
    assert len(truth.loadRes(str(out)).anns) == expected
    drawn_images = sorted(overlays.rglob("*.png"))
    assert len(drawn_images) == expected
    before = np.asarray(Image.open(images / drawn_images[0].stem))
    after = np.asarray(Image.open(drawn_images[0]))
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
        "--single-instance",
        "--force-complete",
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
    command[-3] = str(tmp_path / "wider.json")
    command += ["--protocol", "box", "--margin", "0.25", "--multi-scale", "96,64"]
    assert main(command) == 0
    wider = json.loads((tmp_path / "wider.json").read_text())
    assert "whole" not in wider
    assert wider["box"]["n_garments"] == 24
    assert wider["box"]["average_error"] != figures["box"]["average_error"]


def test_whole_images_can_be_looked_at_more_closely(tmp_path, capsys):
    (image,) = load_sources([Source(file="samples:1:70000")], Schema.load("garments"))
    write_png(tmp_path / "one.png", image.read())
    command = ["predict", str(tmp_path / "one.png"), "--device", "cpu", "--overwrite", "--out"]
    out = tmp_path / "out.json"
    places = {}
    for extra in ("", "--no-refine", "--refine"):
        assert main([*command, str(out), *([extra] if extra else [])]) == 0
        places[extra] = json.loads(out.read_text())
    assert places["--refine"] != places["--no-refine"]
    assert places[""] == places["--refine"]  # as the bundled model's recipe says
    assert main([*command, str(tmp_path / "no.json"), "--single-instance", "--refine"]) == 1
    assert "Leave one of them out" in capsys.readouterr().err
    assert not (tmp_path / "no.json").exists()
    figures = {}
    for extra in ("--no-refine", "--refine"):
        out = tmp_path / f"figures{extra}.json"
        main(["evaluate", "samples:2:70000", "--device", "cpu", "--json", str(out), extra])
        figures[extra] = json.loads(out.read_text())
    once, closer = figures.values()
    assert once["box"]["average_error"] == closer["box"]["average_error"]  # as close as can be
    assert once["whole"]["average_error"] != closer["whole"]["average_error"]


def test_help_and_version(capsys):
    for arguments in (["--version"], ["train", "--help"], ["predict", "--help"]):
        with pytest.raises(SystemExit) as info:
            main(arguments)
        assert info.value.code == 0
    assert "recipe" in capsys.readouterr().out


def test_overlays_stay_in_their_folder_and_never_replace_an_image(run, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    folder = tmp_path / "images"
    folder.mkdir()
    for image in document["images"][:3]:
        (folder / image["file_name"]).write_bytes(
            (drawn.parent / "images" / image["file_name"]).read_bytes()
        )
    Image.open(folder / "001.png").save(folder / "001.jpg")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    document["images"] = document["images"][:2]
    document["annotations"] = []
    document["images"][0]["file_name"] = str(folder / "001.png")
    document["images"][1]["file_name"] = "images/../images/002.png"
    (tmp_path / "absolute.json").write_text(json.dumps(document))
    model = ["--model", str(run[0]), "--single-instance", "--force-complete"]
    out, overlays = tmp_path / "o" / "r.json", tmp_path / "drawn"
    command = [
        "predict",
        str(tmp_path / "absolute.json"),
        "--out",
        str(out),
        "--overlays",
        str(overlays),
    ]
    assert main([*command, *model]) == 0
    assert len(list(overlays.rglob("*.png"))) == 2
    out = tmp_path / "o" / "s.json"
    command = ["predict", str(folder), "--out", str(out), "--overlays", str(folder)]
    assert main([*command, *model]) == 0
    for name, data in before.items():
        assert (folder / name).read_bytes() == data
    assert {p.name for p in folder.iterdir()} - set(before) == {f"{name}.png" for name in before}


def test_results_have_the_likeliest_category_or_are_left_out(run, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    document["categories"] = [
        c | {"id": i} for i, c in ((8, document["categories"][12]), (9, document["categories"][3]))
    ]
    document["annotations"] = []
    (drawn.parent / "two.json").write_text(json.dumps(document))
    out = tmp_path / "two.json"
    command = ["--model", str(run[0]), "--single-instance", "--force-complete", "--out"]
    assert main(["predict", str(drawn.parent / "two.json"), *command, str(out)]) == 0
    results = json.loads(out.read_text())
    for result in results:
        likeliest = next(iter(result["category_scores"]))
        assert result["category_id"] == {"T-Shirt": 8, "Dress": 9}[likeliest]
    left_out = f"garments of categories that the file lacks: {24 - len(results)}"
    assert left_out in capsys.readouterr().err


def test_a_file_that_only_lists_images_is_predicted_on(run, drawn, tmp_path):
    images = json.loads(drawn.read_text())["images"]
    (drawn.parent / "bare.json").write_text(json.dumps({"images": images}))
    out = tmp_path / "bare.json"
    command = [
        "predict",
        str(drawn.parent / "bare.json"),
        "--model",
        str(run[0]),
        "--out",
        str(out),
    ]
    assert main([*command, "--single-instance", "--force-complete"]) == 0
    assert len(json.loads(out.read_text())) == 24


def test_other_landmarks_and_unreadable_images_are_said(run, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    for category in document["categories"]:
        category["keypoints"] = ["left_eye", "right_eye"]
    document["annotations"] = []
    (tmp_path / "eyes.json").write_text(json.dumps(document))
    command = ["--model", str(run[0]), "--out", str(tmp_path / "out.json")]
    assert main(["predict", str(tmp_path / "eyes.json"), *command]) == 1
    assert "left_eye" in capsys.readouterr().err
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"nothing")
    assert main(["predict", str(folder / "broken.jpg"), *command]) == 1
    assert "broken.jpg" in capsys.readouterr().err
    (folder / "fine.png").write_bytes((drawn.parent / "images" / "001.png").read_bytes())
    assert main(["predict", str(folder), *command]) == 0
    assert "broken.jpg" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", str(folder), *command, "--batch", "0"])


@pytest.mark.parametrize("names", [["Kimono"], ["Kimono", "Toga"]])
def test_one_category_is_given_to_every_garment_and_of_several_none_is_guessed(
    run, drawn, tmp_path, capsys, names
):
    document = json.loads(drawn.read_text())
    first = document["categories"][0]
    document["categories"] = [first | {"id": i, "name": n} for i, n in enumerate(names, 5)]
    document["annotations"] = []
    (drawn.parent / "kimono.json").write_text(json.dumps(document))
    out = tmp_path / "kimono.json"
    command = ["--model", str(run[0]), "--single-instance", "--force-complete", "--out", str(out)]
    assert main(["predict", str(drawn.parent / "kimono.json"), *command]) == 0
    found = [r["category_id"] for r in json.loads(out.read_text())]
    assert found == ([5] * 24 if len(names) == 1 else [])
    said = "garments of categories that the file lacks: 24" in capsys.readouterr().err
    assert said == (len(names) > 1)


def test_pseudo_labels_can_be_trained_on(run, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    document["images"], document["annotations"] = (
        document[table][:8] for table in ("images", "annotations")
    )
    for annotation in document["annotations"]:
        annotation |= {"keypoints": [0] * 24, "num_keypoints": 0, "bbox": [0, 0, 96, 96]}
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps(document))
    before = bare.read_bytes()
    out = tmp_path / "elsewhere" / "pseudo.json"
    out.parent.mkdir()
    command = ["pseudo-label", str(bare), "--images", str(drawn.parent / "images"),
               "--model", str(run[0]), "--model", str(run[0]), "--out", str(out),
               "--tolerance", "100", "--device", "cpu"]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr().out
    told = re.search(r"(\d+) garments of 8 images got landmarks", said)
    assert told, said
    assert bare.read_bytes() == before
    source = Source(file=str(out), pseudo=True)
    images = load_sources([source], Schema.load("garments"))
    assert sum(bool((p.visibility > 0).any()) for p in images) == int(told[1]) > 0
    assert images[0].read().shape == (96, 96, 3)  # the file knows where its images are
    assert main(command) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0


# -- the journal, statistics, versions -----------------------------------------------------------


@pytest.fixture
def with_pending(tmp_path):
    """A COCO file with an edit that only its journal has."""
    from napari_fashion.editing import operations
    from napari_fashion.editing.opening import open_editor
    from small import SCHEMA, small_document

    path = tmp_path / "small.json"
    path.write_text(json.dumps(small_document()))
    editor = open_editor(path, schema=SCHEMA).editor
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    editor.let_go()
    return path


def test_a_command_says_that_a_journal_is_pending_and_applies_it_when_asked(with_pending, capsys):
    before = with_pending.read_bytes()
    assert main(["stats", str(with_pending), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["reviewed"] == 0
    assert "1 change since" in err
    assert "is not saved. They are in its journal; the file is used as it was saved." in err
    assert main(["stats", str(with_pending), "--json", "--with-journal"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["reviewed"] == 1
    assert "1 changes of its journal applied" in err
    assert with_pending.read_bytes() == before


def test_train_keeps_the_data_that_it_learned_from(with_pending, tmp_path, capsys):
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'name = "x"\n[[data.train]]\nfile = {json.dumps(str(with_pending))}\nimages = "nowhere"\n'
    )
    run = tmp_path / "run"
    main(["train", str(recipe), "--run", str(run), "--with-journal"])  # the images are not there
    written = json.loads((run / "data" / "1" / "small.json").read_text())
    assert written["images"][0]["fashion"] == {"reviewed": True}


def test_two_sources_of_one_name_keep_their_own_copies(with_pending, tmp_path):
    from napari_fashion.editing import operations
    from napari_fashion.editing.opening import open_editor
    from small import SCHEMA, small_document

    other = tmp_path / "b" / with_pending.name
    other.parent.mkdir()
    other.write_text(json.dumps(small_document()))
    editor = open_editor(other, schema=SCHEMA).editor
    editor.apply(operations.set_reviewed(editor.dataset, 2, True))
    editor.let_go()
    before = [path.read_bytes() for path in (with_pending, other)]
    sources = "".join(
        f'[[data.train]]\nfile = {json.dumps(str(path))}\nimages = "nowhere"\n'
        for path in (with_pending, other)
    )
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'name = "x"\n{sources}')
    main(["train", str(recipe), "--run", str(tmp_path / "run"), "--with-journal"])
    reviewed = [
        [
            image["id"]
            for image in json.loads((tmp_path / "run" / "data" / n / "small.json").read_text())[
                "images"
            ]
            if image.get("fashion", {}).get("reviewed")
        ]
        for n in ("1", "2")
    ]
    assert reviewed == [[1], [2]]
    assert [path.read_bytes() for path in (with_pending, other)] == before


def test_edits_that_were_put_aside_are_applied_to_a_copy(with_pending, tmp_path, capsys):
    from napari_fashion.editing.opening import open_editor
    from small import SCHEMA

    before = with_pending.read_bytes()
    opening = open_editor(with_pending, schema=SCHEMA)
    aside = opening.put_aside()
    opening.editor.let_go()
    out = tmp_path / "out.json"
    assert main(["apply", str(with_pending), str(aside), "--out", str(with_pending)]) == 1
    assert "the input itself" in capsys.readouterr().err
    assert main(["apply", str(with_pending), str(aside), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["images"][0]["fashion"] == {"reviewed": True}
    assert with_pending.read_bytes() == before
    (tmp_path / "nothing.jsonl").write_text("x\n")
    assert (
        main(
            [
                "apply",
                str(with_pending),
                str(tmp_path / "nothing.jsonl"),
                "--out",
                str(out) + ".json",
            ]
        )
        == 1
    )
    assert "has no edits that can be read" in capsys.readouterr().err


def test_statistics_for_people(with_pending, capsys):
    assert main(["stats", str(with_pending)]) == 0
    out = capsys.readouterr().out
    for words in ("images", "without garments", "by model", "Shirt", "left_collar"):
        assert words in out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_versions_of_a_pipe_says_that_it_is_no_file(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.json")
    for name, reason in (
        ("pipe.json", "is no regular file"),
        ("none.json", "there is no such file"),
    ):
        assert main(["versions", str(tmp_path / name)]) == 1
        assert f"{name}: {reason}; expected a COCO file." in capsys.readouterr().err


def test_versions_are_listed_and_restored(with_pending, capsys):
    from napari_fashion.editing.opening import open_editor
    from small import SCHEMA

    before = with_pending.read_bytes()
    assert main(["versions", str(with_pending)]) == 0
    assert "has no earlier versions" in capsys.readouterr().out
    opening = open_editor(with_pending, schema=SCHEMA)
    opening.restore()
    opening.editor.save()
    assert main(["versions", str(with_pending), "--restore", "1"]) == 1
    assert "is open elsewhere" in capsys.readouterr().err
    opening.editor.let_go()
    assert main(["versions", str(with_pending)]) == 0
    assert capsys.readouterr().out.startswith("1  ")
    assert main(["versions", str(with_pending), "--restore", "2"]) == 1
    assert "no version 2" in capsys.readouterr().err
    assert main(["versions", str(with_pending), "--restore", "1"]) == 0
    assert with_pending.read_bytes() == before

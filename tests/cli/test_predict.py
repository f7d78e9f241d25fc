"""`predict`: nothing that it found is lost, what it could not use is said, inputs stay as they are."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fashion.cli import main, status
from napari_fashion.coco import Dataset
from napari_fashion.engine.model import Model
from napari_fashion.images import batches as image_batches


@pytest.fixture
def options(run):
    """The tiny model on one garment an image."""
    return [
        "--model",
        str(run[0]),
        "--device",
        "cpu",
        "--single-instance",
        "--force-complete",
        "--batch",
        "4",
    ]


@pytest.fixture
def photos(drawn, tmp_path):
    """A folder of the drawn images alone."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in sorted((drawn.parent / "images").iterdir())[:12]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


# -- interrupted and gone on with ----------------------------------------------------------------


@pytest.fixture
def ends_after(monkeypatch):
    """Let the model be interrupted at a batch, as by Ctrl+C."""

    def after(batches: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        predict, calls = Model.predict, [0]

        def interrupted(self, *args, **kwargs):
            calls[0] += 1
            if calls[0] > batches:
                raise error
            return predict(self, *args, **kwargs)

        monkeypatch.setattr(Model, "predict", interrupted)

    return after


def test_ctrl_c_keeps_what_was_found_and_resume_gives_the_same_bytes(
    photos, tmp_path, options, ends_after, monkeypatch, capsys
) -> None:
    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    assert main(["predict", str(photos), "--out", str(whole), *options]) == status.DONE
    with monkeypatch.context():
        ends_after(2)
        assert main(["predict", str(photos), "--out", str(out), *options]) == status.INTERRUPTED
    monkeypatch.undo()
    err = capsys.readouterr().err
    assert "8 of 12 images are done and kept in" in err
    assert "--resume" in err
    partial = tmp_path / "out.json.partial"
    assert partial.is_file()
    assert not out.exists()
    assert main(["predict", str(photos), "--out", str(out), *options]) == status.FAILED
    assert "Go on with --resume, or begin again with --overwrite" in capsys.readouterr().err
    assert main(["predict", str(photos), "--out", str(out), *options, "--resume"]) == status.DONE
    assert out.read_bytes() == whole.read_bytes()
    assert not partial.exists()


def test_a_batch_ends_early_at_many_pixels(
    photos, tmp_path, options, ends_after, monkeypatch
) -> None:
    for name, data in contents(photos).items():
        if name in ("002.png", "003.png", "007.png"):
            image = Image.open(io.BytesIO(data))
            image.resize((image.width * 3, image.height * 3)).save(photos / name)
    (photos / "005.png").write_bytes(b"no image")
    width, height = Image.open(photos / "002.png").size
    monkeypatch.setattr(image_batches, "MAX_BATCH_PIXELS", width * height)
    batches: list[int] = []
    predict = Model.predict

    def counted(self, images, *given, **options):
        batches.append(len(images))
        return predict(self, images, *given, **options)

    monkeypatch.setattr(Model, "predict", counted)
    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    assert main(["predict", str(photos), "--out", str(whole), *options]) == status.DONE
    assert sum(batches) == len(json.loads(whole.read_text())) == 11
    assert len(batches) > 3
    uninterrupted = batches.copy()
    batches.clear()
    with monkeypatch.context():
        ends_after(2)
        assert main(["predict", str(photos), "--out", str(out), *options]) == status.INTERRUPTED
    monkeypatch.setattr(Model, "predict", counted)
    assert main(["predict", str(photos), "--out", str(out), *options, "--resume"]) == status.DONE
    assert batches == uninterrupted
    assert out.read_bytes() == whole.read_bytes()


def test_a_kill_keeps_what_was_found(drawn, tmp_path, options) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    data = (drawn.parent / "images" / "001.png").read_bytes()
    for i in range(400):
        (folder / f"{i:03d}.png").write_bytes(data)
    out, partial = tmp_path / "out.json", tmp_path / "out.json.partial"
    command = [sys.executable, "-m", "napari_fashion", "predict", str(folder), "--out", str(out)]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (
            partial.is_file() and partial.read_bytes().count(b"\n") > 3
        ):
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    kept = partial.read_bytes().count(b"\n") - 1
    assert 3 <= kept < 100
    whole = partial.read_bytes()
    partial.write_bytes(whole[: whole.rindex(b"\n") - 7])  # torn in the middle of a line
    result = subprocess.run([*command, *options, "--resume"], capture_output=True, check=False)
    assert result.returncode == status.DONE, result.stderr
    found = json.loads(out.read_text())
    assert [r["image_id"] for r in found] == list(range(1, 401))
    assert len({json.dumps(r["keypoints"]) for r in found}) == 1


def test_resume_goes_on_with_the_same_thing_only(
    photos, tmp_path, options, ends_after, monkeypatch, capsys
) -> None:
    out = tmp_path / "out.json"
    command = ["predict", str(photos), "--out", str(out), *options]
    with monkeypatch.context():
        ends_after(1)
        main(command)
    monkeypatch.undo()
    before = (tmp_path / "out.json.partial").read_bytes()
    capsys.readouterr()
    changed = {
        "force-complete": [a for a in command if a != "--force-complete"],
        "batch": [*command, "--batch", "3"],
    }
    for what, other in changed.items():
        assert main([*other, "--resume"]) == status.FAILED
        assert f"is of another prediction: {what} differs" in capsys.readouterr().err
    (photos / "new.png").write_bytes((photos / "001.png").read_bytes())
    assert main([*command, "--resume"]) == status.FAILED
    assert "images differs" in capsys.readouterr().err
    (photos / "new.png").unlink()
    assert (tmp_path / "out.json.partial").read_bytes() == before
    foreign = json.dumps(
        {"format": "somebody's", "version": 1, "of": json.loads(before.splitlines()[0])["of"]}
    )
    (tmp_path / "out.json.partial").write_text(foreign + "\n")
    for more in ("--resume", "--overwrite"):  # it may be somebody's
        assert main([*command, more]) == status.FAILED
        assert "is not what an interrupted prediction left" in capsys.readouterr().err
    (tmp_path / "out.json.partial").write_bytes(before)
    assert main([*command, "--overwrite"]) == status.DONE
    assert len(json.loads(out.read_text())) == 12


def test_resume_does_not_mix_two_folders_of_images(
    drawn, tmp_path, options, ends_after, monkeypatch, capsys
) -> None:
    one, other = drawn.parent / "images", tmp_path / "other"
    shutil.copytree(one, other)
    out = tmp_path / "out.json"
    command = ["predict", str(drawn), "--out", str(out), *options]
    with monkeypatch.context():
        ends_after(1)
        main([*command, "--images", str(one)])
    monkeypatch.undo()
    capsys.readouterr()
    assert main([*command, "--images", str(other), "--resume"]) == status.FAILED
    assert "is of another prediction: root differs" in capsys.readouterr().err
    assert main([*command, "--images", str(one), "--resume"]) == status.DONE


def test_resume_draws_what_is_missing(photos, tmp_path, options, ends_after, monkeypatch) -> None:
    out, overlays = tmp_path / "out.json", tmp_path / "drawn"
    command = ["predict", str(photos), "--out", str(out), "--overlays", str(overlays), *options]
    with monkeypatch.context():
        ends_after(2)
        assert main(command) == status.INTERRUPTED
    monkeypatch.undo()
    (overlays / "001.png.png").write_bytes(b"torn")  # killed while a batch was drawn
    assert len(list(overlays.iterdir())) == 8
    assert main([*command, "--resume"]) == status.DONE
    assert len(list(overlays.iterdir())) == 12


def test_a_damaged_line_of_what_was_found_is_predicted_again(
    photos, tmp_path, options, ends_after, monkeypatch
) -> None:
    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    assert main(["predict", str(photos), "--out", str(whole), *options]) == status.DONE
    command = ["predict", str(photos), "--out", str(out), *options]
    for damage in (lambda r: r.pop("score"), lambda r: r.update(keypoints="x")):
        with monkeypatch.context():
            ends_after(2)
            main(command)
        monkeypatch.undo()
        partial = tmp_path / "out.json.partial"
        lines = partial.read_text().splitlines(keepends=True)
        chunk = json.loads(lines[1])
        damage(chunk["found"][0][1][0])
        partial.write_text(lines[0] + json.dumps(chunk) + "\n" + lines[2])
        assert main([*command, "--resume"]) == status.DONE
        assert out.read_bytes() == whole.read_bytes()
        out.unlink()
        (tmp_path / "out.images.json").unlink()


def test_the_annotations_of_a_folder_are_named(photos, tmp_path, options, capsys) -> None:
    (photos / "annotations.json").write_text("{}")
    out = tmp_path / "out.json"
    assert main(["predict", str(photos), "--out", str(out), *options]) == status.DONE
    assert "annotations.json has annotations of this folder" in capsys.readouterr().err


def test_resume_without_anything_to_go_on_with_begins(photos, tmp_path, options) -> None:
    out = tmp_path / "out.json"
    assert main(["predict", str(photos), "--out", str(out), *options, "--resume"]) == status.DONE
    assert len(json.loads(out.read_text())) == 12


# -- a COCO file that the window opens -----------------------------------------------------------


def test_annotations_are_a_file_that_the_window_opens(
    photos, tmp_path, options, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "elsewhere" / "photos.json"
    assert main(["predict", "photos", "--annotations", str(out), *options]) == status.DONE
    assert not (tmp_path / "predictions.json").exists()
    assert f"napari-fashion open {out}" in capsys.readouterr().out
    dataset = Dataset.load(out)
    assert len(dataset.images) == len(dataset.garments) == 12
    garment = dataset.garments[0]
    assert garment.source.startswith("model:tiny-")
    assert garment.category_name in dataset.schema.category_names
    assert not garment.touched_by_human
    assert np.isfinite(garment.landmark_scores).all()
    for image in dataset.images:
        assert image.path.is_file()


def test_annotations_keep_what_people_did(drawn, tmp_path, options) -> None:
    out = tmp_path / "both.json"
    before = json.loads(drawn.read_text())
    results = tmp_path / "results.json"
    command = ["predict", str(drawn), "--annotations", str(out), "--out", str(results), *options]
    assert main(command) == status.DONE
    after = json.loads(out.read_text())
    assert after["annotations"][: len(before["annotations"])] == before["annotations"]
    assert after["categories"] == before["categories"]
    assert len(json.loads(results.read_text())) == 24


# -- what can be given ---------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\0"])
def test_a_list_on_standard_input(photos, tmp_path, options, monkeypatch, ends) -> None:
    names = [photos / "001.png", photos / "odd\nname.png"][: 2 if ends == b"\0" else 1]
    if len(names) == 2:
        names[1].write_bytes(names[0].read_bytes())
    data = ends.join(os.fsencode(name) for name in names) + ends
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    out = tmp_path / "out.json"
    assert main(["predict", "-", str(photos / "002.png"), "--out", str(out), *options]) == 0
    assert len(json.loads(out.read_text())) == len(names) + 1


def test_an_empty_list_is_refused(tmp_path, options, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n \n")))
    assert main(["predict", "-", "--out", str(tmp_path / "o.json"), *options]) == status.FAILED
    assert "standard input lists nothing" in capsys.readouterr().err


def test_a_coco_file_is_known_whatever_its_name(drawn, tmp_path, options) -> None:
    for name in ("CAPITALS.JSON", "without_suffix"):
        path = drawn.with_name(name)
        path.write_bytes(drawn.read_bytes())
        out = tmp_path / f"{name}.out.json"
        assert main(["predict", str(path), "--out", str(out), *options]) == status.DONE
        assert len(json.loads(out.read_text())) == 24
        path.unlink()


def test_several_coco_files_or_files_with_images_are_refused(
    drawn, tmp_path, options, capsys
) -> None:
    image = str(drawn.parent / "images" / "001.png")
    for other in (str(drawn), image):
        command = ["predict", str(drawn), other, "--out", str(tmp_path / "o.json"), *options]
        assert main(command) == status.FAILED
        assert "expected one COCO file, or images and folders" in capsys.readouterr().err
    command = [
        "predict",
        image,
        "--images",
        str(tmp_path),
        "--out",
        str(tmp_path / "o.json"),
        *options,
    ]
    assert main(command) == status.FAILED
    assert "--images names the folder of a COCO file's images" in capsys.readouterr().err


def test_a_data_set_by_name(tmp_path, options, monkeypatch, capsys) -> None:
    monkeypatch.setattr("napari_fashion.datasets.opening.cache_folder", lambda: tmp_path / "cache")
    out = tmp_path / "predictions.json"
    assert main(["predict", "samples:3:1", "--out", str(out), *options]) == status.DONE
    assert {result["image_id"] for result in json.loads(out.read_text())} == {1, 2, 3}
    assert sorted(contents(tmp_path)) == ["predictions.json"]  # the ids are the data set's own
    kept = tmp_path / "kept.json"
    assert main(["predict", "samples:3:1", "--annotations", str(kept), *options]) == status.DONE
    assert [image.path.is_file() for image in Dataset.load(kept).images] == [True] * 3
    capsys.readouterr()
    assert (
        main(["predict", "people:tset", "--out", str(tmp_path / "x.json"), *options]) != status.DONE
    )
    assert "no such split; expected people:train" in capsys.readouterr().err


def test_a_name_with_brackets_is_a_name(photos, tmp_path, options) -> None:
    (photos / "001.png").rename(photos / "[bold]1[red].png")
    out = tmp_path / "out.json"
    assert main(["predict", str(photos / "[bold]1[red].png"), "--out", str(out), *options]) == 0
    assert len(json.loads(out.read_text())) == 1


def test_the_smallest_images_are_predicted_and_drawn(tmp_path, options) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    for width, height in ((1, 1), (1, 50), (7, 3), (3000, 2)):
        Image.new("RGB", (width, height), "red").save(folder / f"{width}x{height}.png")
    out, drawn = tmp_path / "o.json", tmp_path / "drawn"
    command = ["predict", str(folder), "--out", str(out), "--overlays", str(drawn), *options]
    assert main(command) == status.DONE
    assert len(list(drawn.iterdir())) == 4


# -- inputs are never written over ---------------------------------------------------------------


def test_no_command_writes_over_its_input(run, drawn, tmp_path, options, capsys) -> None:
    folder = drawn.parent / "images"
    before, document = contents(folder), drawn.read_bytes()
    model = contents(run[0])
    x, photo = str(drawn), str(folder / "001.png")
    fine = str(tmp_path / "fine.json")
    commands = [
        ["evaluate", x, "--json", x, "--overwrite", *options[:4]],
        ["predict", x, "--out", x, "--overwrite", *options],
        ["predict", x, "--annotations", x, "--overwrite", *options],
        ["predict", photo, "--out", photo, "--overwrite", *options],
        ["predict", photo, "--out", str(tmp_path / "photo.jpg"), *options],
        ["predict", x, "--out", str(run[0] / "model.json"), *options],
        ["predict", x, "--out", str(run[0] / "model.json"), "--overwrite", *options],
        ["predict", x, "--out", fine, "--annotations", fine, *options],
        ["pseudo-label", x, "--out", x, "--overwrite", *options[:4]],
        ["apply", x, x, "--out", x, "--overwrite"],
    ]
    for command in commands:
        assert main(command) in (status.FAILED, status.USAGE), command
        err = capsys.readouterr().err
        assert any(w in err for w in ("never written over", "ends in .json", "exists", "same file"))
    assert contents(folder) == before
    assert drawn.read_bytes() == document
    assert contents(run[0]) == model
    assert list(tmp_path.iterdir()) == []


def test_overlays_are_never_drawn_over_a_photo(photos, tmp_path, options, capsys) -> None:
    (photos / "001.png").rename(photos / "001")  # no image by its name
    (photos / "001.png").write_bytes((photos / "001").read_bytes())
    (photos / "001.png.png").write_bytes((photos / "002.png").read_bytes())
    before = contents(photos)
    out = tmp_path / "o.json"
    for more in ([], ["--overwrite"]):
        command = [
            "predict",
            str(photos),
            "--out",
            str(out),
            "--overlays",
            str(photos),
            *options,
            *more,
        ]
        assert main(command) == status.FAILED
        assert "001.png.png" in capsys.readouterr().err
        assert contents(photos) == before
        assert not out.exists()


def test_overlays_of_two_images_of_one_name_are_two(drawn, tmp_path, options) -> None:
    document = json.loads(drawn.read_text())
    document["images"] = document["images"][:2]
    document["images"][1]["file_name"] = "../images/" + document["images"][0]["file_name"]
    document["annotations"] = []
    path = drawn.with_name("twice.json")
    path.write_text(json.dumps(document))
    folder = tmp_path / "drawn"
    command = [
        "predict",
        str(path),
        "--images",
        str(drawn.parent / "images"),
        "--overlays",
        str(folder),
    ]
    assert main([*command, "--out", str(tmp_path / "o.json"), *options]) == status.DONE
    assert len(list(folder.rglob("*.png"))) == 2
    path.unlink()


def test_an_output_that_links_to_an_image_of_the_input_is_refused(
    photos, drawn, tmp_path, options, capsys
) -> None:
    before = contents(photos)
    for name in ("out.json", "out.images.json"):
        link = tmp_path / name
        link.symlink_to(photos / "002.png")
        for command in (
            ["predict", str(photos), "--out", str(tmp_path / "out.json"), *options],
            ["predict", str(photos), "--annotations", str(link), *options],
        ):
            assert main([*command, "--overwrite"]) == status.FAILED
            assert "never written over" in capsys.readouterr().err
        link.unlink()
    link = tmp_path / "out.json"
    link.symlink_to(drawn.parent / "images" / "001.png")
    image = link.read_bytes()
    for command in (["pseudo-label", str(drawn), "--out", str(link), *options[:4]],):
        assert main([*command, "--overwrite"]) == status.FAILED
        assert "never written over" in capsys.readouterr().err
    assert link.read_bytes() == image
    assert contents(photos) == before


def test_the_list_of_images_of_results_is_an_input(photos, tmp_path, options, capsys) -> None:
    results = tmp_path / "p.json"
    assert main(["predict", str(photos), "--out", str(results), *options]) == status.DONE
    listing = tmp_path / "p.images.json"
    before = listing.read_bytes()
    capsys.readouterr()
    for command in (
        [
            "predict",
            str(results),
            "--out",
            str(tmp_path / "q.json"),
            "--annotations",
            str(listing),
            *options,
        ],
        ["evaluate", str(results), "--json", str(listing), *options[:4]],
        ["pseudo-label", str(results), "--out", str(listing), *options[:4]],
    ):
        assert main([*command, "--overwrite"]) == status.FAILED
        assert "never written over" in capsys.readouterr().err
    assert listing.read_bytes() == before


@pytest.mark.parametrize("name", ["split.json", "events.jsonl", "recipe.json"])
def test_training_writes_over_no_source_and_no_file_of_another_kind(
    drawn, toml, tmp_path, name, capsys
) -> None:
    from drawn import tiny_recipe

    folder = tmp_path / "work"
    folder.mkdir()
    source = folder / name
    source.write_bytes(drawn.read_bytes())
    recipe = tiny_recipe(source)
    recipe["data"]["train"][0]["images"] = str(drawn.parent / "images")
    (folder / "r.toml").write_text(toml(recipe))
    assert main(["train", str(folder / "r.toml"), "--run", str(folder), "--device", "cpu"]) == 1
    assert name in capsys.readouterr().err
    assert source.read_bytes() == drawn.read_bytes()


def test_training_begins_in_no_folder_that_has_a_model(run, capsys) -> None:
    folder, _, command = run
    before = contents(folder)
    assert main(command[3:]) == status.FAILED
    err = capsys.readouterr().err
    assert "holds model.json, a run or a model already" in err
    assert f"--resume --run {folder}" in err
    assert contents(folder) == before


# -- the end of a process ------------------------------------------------------------------------


def test_a_fault_of_the_program_is_a_sentence_with_a_log(
    photos, tmp_path, options, ends_after, capsys
) -> None:
    ends_after(1, ZeroDivisionError)
    command = ["predict", str(photos), "--out", str(tmp_path / "o.json"), *options]
    assert main(command) == status.INTERNAL
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "a fault of the program itself (ZeroDivisionError" in err
    log = Path(err.split("The details are in ")[1].split(";")[0])
    assert "ZeroDivisionError" in log.read_text()
    assert (tmp_path / "o.json.partial").is_file()


def test_out_of_memory_is_said(photos, tmp_path, options, ends_after, capsys) -> None:
    ends_after(0, MemoryError)
    command = ["predict", str(photos), "--out", str(tmp_path / "o.json"), *options]
    assert main(command) == status.FAILED
    assert "out of memory" in capsys.readouterr().err


def test_sigterm_is_as_ctrl_c(photos, tmp_path, options, monkeypatch, capsys) -> None:
    predict = Model.predict

    def terminated(self, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGTERM)
        return predict(self, *args, **kwargs)

    monkeypatch.setattr(Model, "predict", terminated)
    handler = signal.getsignal(signal.SIGTERM)
    command = ["predict", str(photos), "--out", str(tmp_path / "o.json"), *options]
    assert main(command) == status.TERMINATED
    assert "not done" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == handler


def test_a_reader_that_goes_away_ends_it_quietly(drawn) -> None:
    code = (
        "import os, sys\nr, w = os.pipe()\nos.close(r)\nos.dup2(w, 1)\n"
        "from napari_fashion.cli import main\n"
        f"sys.exit(main(['stats', {str(drawn)!r}]))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == status.BROKEN_PIPE
    assert result.stderr == b""


def test_letters_that_the_terminal_lacks_end_nothing(photos, tmp_path, options) -> None:
    out = tmp_path / "出力" / "o.json"
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "napari_fashion",
            "predict",
            str(photos),
            "--out",
            str(out),
            *options,
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        check=False,
    )
    assert result.returncode == status.DONE, result.stderr
    assert b"??" in result.stdout
    assert len(json.loads(out.read_text())) == 12


# -- categories ----------------------------------------------------------------------------------


@pytest.fixture
def other_categories(drawn):
    """A file with categories of its own; returns how to write one."""
    paths = []

    def write(*names: str) -> Path:
        document = json.loads(drawn.read_text())
        base = document["categories"][0]
        document["categories"] = [base | {"id": 70 + i, "name": n} for i, n in enumerate(names)]
        document["annotations"] = []
        paths.append(drawn.with_name(f"other-{len(names)}.json"))
        paths[-1].write_text(json.dumps(document))
        return paths[-1]

    yield write
    for path in paths:
        path.unlink(missing_ok=True)


def test_the_only_category_of_a_file_is_every_garments(other_categories, tmp_path, options) -> None:
    out = tmp_path / "o.json"
    assert main(["predict", str(other_categories("clothing")), "--out", str(out), *options]) == 0
    assert {r["category_id"] for r in json.loads(out.read_text())} == {70}
    assert len(json.loads(out.read_text())) == 24


def test_categories_that_a_file_lacks_are_left_out_mapped_or_added(
    other_categories, drawn, tmp_path, options, capsys
) -> None:
    out = tmp_path / "all.json"
    assert main(["predict", str(drawn), "--out", str(out), *options]) == status.DONE
    likeliest = [next(iter(r["category_scores"])) for r in json.loads(out.read_text())]
    often = max(set(likeliest), key=likeliest.count)
    path = other_categories("tops", *sorted(set(likeliest) - {often}), "Kimono")
    before = path.read_bytes()
    capsys.readouterr()

    out = tmp_path / "skip.json"
    assert main(["predict", str(path), "--out", str(out), *options]) == status.DONE
    skipped = json.loads(out.read_text())
    assert len(skipped) == len(likeliest) - likeliest.count(often)
    assert 70 not in {r["category_id"] for r in skipped}
    said = capsys.readouterr().err
    assert f"garments of categories that the file lacks: {24 - len(skipped)}" in said
    assert f".png: {often}" in said
    assert "--categories" in said

    (tmp_path / "map.toml").write_text(f'[categories]\n"{often}" = "tops"\n')
    out = tmp_path / "map.json"
    mapped = ["--categories", str(tmp_path / "map.toml")]
    assert main(["predict", str(path), "--out", str(out), *options, *mapped]) == status.DONE
    mapped_ids = [r["category_id"] for r in json.loads(out.read_text())]
    assert len(mapped_ids) == 24
    assert mapped_ids.count(70) == likeliest.count(often)

    out, both = tmp_path / "add.json", tmp_path / "both.json"
    added = ["--categories", "add", "--annotations", str(both)]
    assert main(["predict", str(path), "--out", str(out), *options, *added]) == status.DONE
    names = {c["id"]: c["name"] for c in json.loads(both.read_text())["categories"]}
    assert names[70] == "tops"
    assert [names[r["category_id"]] for r in json.loads(out.read_text())] == likeliest
    assert len(Dataset.load(out).garments) == 24  # with the list of images beside it
    assert path.read_bytes() == before


def test_add_takes_what_the_file_remembers_to_leave_out(
    other_categories, tmp_path, options
) -> None:
    from napari_fashion.coco.categories import CategoryAnswer
    from napari_fashion.editing.operations import remember_categories
    from napari_fashion.schema import Schema

    path = other_categories("tops", "Kimono")
    dataset = Dataset.load(path)
    edit = remember_categories(dataset, Schema.load("garments"), CategoryAnswer("skip"))
    edit.apply(dataset)
    dataset.save(path, overwrite=True)
    found = {}
    for answer in ("skip", "add"):
        out = tmp_path / f"{answer}.json"
        command = ["predict", str(path), "--out", str(out), *options, "--categories", answer]
        assert main(command) == status.DONE
        found[answer] = len(json.loads(out.read_text()))
    assert found == {"skip": 0, "add": 24}


def test_a_map_is_for_pseudo_labels_and_training_too(
    drawn, run, toml, tmp_path, options, capsys
) -> None:
    document = json.loads(drawn.read_text())
    for category in document["categories"]:
        category["name"] = f"shop {category['name']}"
    for annotation in document["annotations"]:
        annotation |= {"keypoints": [0] * 24, "num_keypoints": 0}
    path = drawn.with_name("shop.json")
    path.write_text(json.dumps(document))
    names = {c["name"].removeprefix("shop "): c["name"] for c in document["categories"]}
    (tmp_path / "map.toml").write_text(
        "[categories]\n" + "".join(f'"{a}" = "{b}"\n' for a, b in names.items())
    )
    mapped = ["--categories", str(tmp_path / "map.toml")]
    command = ["pseudo-label", str(path), *options[:4], "--tolerance", "100"]
    assert main([*command, "--out", str(tmp_path / "no.json")]) == status.FAILED
    assert "category that the model lacks: 24" in capsys.readouterr().err
    out = tmp_path / "yes.json"
    assert main([*command, "--out", str(out), *mapped]) == status.DONE
    assert len(Dataset.load(out).garments) == 24

    from drawn import tiny_recipe

    recipe = tiny_recipe(drawn)
    document = json.loads(drawn.read_text())
    for category in document["categories"]:
        category["name"] = f"shop {category['name']}"
    path.write_text(json.dumps(document))
    recipe["data"]["train"][0] = {"file": str(path)}
    recipe |= {"schema": "garments"}
    recipe["schedule"] = {**recipe["schedule"], "epochs": 1}
    (tmp_path / "r.toml").write_text(toml(recipe))
    for folder, more, lacks in (("plain", [], True), ("mapped", mapped, False)):
        command = [
            "train",
            str(tmp_path / "r.toml"),
            "--run",
            str(tmp_path / folder),
            "--device",
            "cpu",
        ]
        assert main([*command, *more]) == status.DONE
        assert ("categories that the model lacks" in capsys.readouterr().err) == lacks
    path.unlink()


def test_an_image_that_lies_on_its_side_is_of_another_size(
    drawn, tmp_path, options, capsys
) -> None:
    document = json.loads(drawn.read_text())
    folder = tmp_path / "images"
    folder.mkdir()
    for image in document["images"]:
        Image.new("RGB", (96, 64), "white").save(folder / image["file_name"])
        image |= {"width": 64, "height": 96}
    path = tmp_path / "turned.json"
    path.write_text(json.dumps(document))
    command = ["evaluate", str(path), "--images", str(folder), *options[:4]]
    assert main(command) == status.FAILED
    assert "images of another size than their record: 24" in capsys.readouterr().err


def test_options_that_would_do_nothing_are_refused(drawn, run, tmp_path, options, capsys) -> None:
    for command, said in (
        (["evaluate", str(drawn), "--categories", "add", *options[:4]], "cannot do"),
        (["pseudo-label", str(drawn), "--out", "x.json", "--categories", "add"], "cannot do"),
        (["train", "--resume", "--run", str(run[0]), "--allow-root", "x"], "own folders of images"),
        (["train", "--resume", "--run", str(run[0]), "--with-journal"], "own data"),
        (["open", str(tmp_path), "--images", "x"], "the input is a folder"),
    ):
        assert main(command) == status.FAILED
        assert said in capsys.readouterr().err


def test_where_no_image_can_be_read_nothing_is_judged(drawn, tmp_path, options, capsys) -> None:
    images = tmp_path / "images"
    shutil.copytree(drawn.parent / "images", images)
    for path in images.iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    figures = tmp_path / "figures.json"
    command = [
        "evaluate",
        str(drawn),
        "--images",
        str(images),
        *options[:4],
        "--json",
        str(figures),
    ]
    assert main(command) == status.FAILED
    err = capsys.readouterr().err
    assert "could be judged: none of them can be read" in err
    assert "24" in err
    assert not figures.exists()


def test_a_map_of_names_that_nobody_has_is_refused(
    other_categories, tmp_path, options, capsys
) -> None:
    path = other_categories("tops", "Pants")
    (tmp_path / "map.toml").write_text('[categories]\n"T-Shirtt" = "tops"\n')
    command = ["predict", str(path), "--out", str(tmp_path / "o.json"), *options]
    assert main([*command, "--categories", str(tmp_path / "map.toml")]) == status.FAILED
    assert "did you mean" in capsys.readouterr().err


def test_a_category_that_the_file_spells_otherwise_is_the_same(run, drawn, tmp_path, capsys):
    document = json.loads(drawn.read_text())
    names = {"T-Shirt": "t_shirt", "Pants": "PANTS"}
    for category in document["categories"]:
        category["name"] = names.get(category["name"], category["name"])
    path = tmp_path / "spelled.json"
    path.write_text(json.dumps(document))
    ids = []
    for file in (drawn, path):
        out = tmp_path / f"of-{file.name}"
        given = ["--images", str(drawn.parent / "images"), "--out", str(out), "--device", "cpu"]
        given += ["--single-instance", "--force-complete"]
        assert main(["predict", str(file), "--model", str(run[0]), *given]) == status.DONE
        ids.append(
            [(found["image_id"], found["category_id"]) for found in json.loads(out.read_text())]
        )
        told = capsys.readouterr().err
        assert ("spelled.json: 't_shirt' is the model's 'T-Shirt'" in told) == (file is path)
    assert ids[0]
    assert ids[1] == ids[0]

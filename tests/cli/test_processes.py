"""Commands that several processes share, as `torchrun` starts them: the results are those of one."""

from __future__ import annotations

import json
import os
import signal

import pytest

from drawn import tiny_recipe
from napari_fashion.cli import main, status
from napari_fashion.engine.train.runs import finished
from napari_fashion.engine.train.update import Updater
from several import __file__ as script
from several import done, torchrun


@pytest.fixture
def model(run):
    return ["--model", str(run[0]), "--device", "cpu", "--batch", "4"]


@pytest.fixture
def images(drawn):
    return str(drawn.parent / "images")


CROPS = ["--single-instance", "--force-complete"]


def test_predict_finds_the_same_to_the_byte(images, model, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    given = ["predict", images, *model, *CROPS]
    written = ["--out", "{}/r.json", "--annotations", "{}/a.json", "--overlays", "{}/drawn"]
    assert main([*given, *(w.format(one) for w in written)]) == status.DONE
    code, out, err = done(torchrun(2, *given, *(w.format(two) for w in written)))
    assert code == status.DONE, err
    assert out.count("24 garments in 24 images") == 1
    for name in ("r.json", "r.images.json"):
        assert (two / name).read_bytes() == (one / name).read_bytes()
    drawings = [sorted(p.name for p in (folder / "drawn").iterdir()) for folder in (one, two)]
    assert drawings[0] == drawings[1]
    annotated = [json.loads((folder / "a.json").read_text()) for folder in (one, two)]
    assert annotated[0]["annotations"] == annotated[1]["annotations"]
    assert {p.name for p in two.iterdir()} == {p.name for p in one.iterdir()}


@pytest.mark.parametrize("n", [1, 2])
def test_what_two_processes_left_is_gone_on_with_by_any_number(images, model, tmp_path, n):
    """Killed in the middle: one of them while it wrote a line."""
    whole, out = tmp_path / "whole.json", tmp_path / "out.json"
    given = ["predict", images, *model, *CROPS]
    assert main([*given, "--out", str(whole)]) == status.DONE
    kept = _kept(given, out)
    head, *lines = kept.splitlines(keepends=True)
    assert len(lines) == 6
    out.with_name("out.json.partial").write_bytes(head + lines[0] + lines[4])
    out.with_name("out.json.partial-1").write_bytes(head + lines[1] + lines[3][:-9])
    assert main([*given, "--out", str(out)]) == status.FAILED  # there is something
    command = [*given, "--out", str(out), "--resume"]
    code, err = (main(command), "") if n == 1 else done(torchrun(n, *command))[::2]
    assert code == status.DONE, err
    assert out.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("out.json.partial*"))


def _kept(given, out):
    """Return the file that an interrupted prediction leaves, with all of its lines."""
    from napari_fashion.cli.partial import Partial

    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Partial, "remove", lambda self: found.append(self.path.read_bytes()))
        main([*given, "--out", str(out)])
    out.unlink()
    out.with_name("out.images.json").unlink()
    out.with_name("out.json.partial").unlink()
    return found[0]


def test_evaluate_has_the_same_figures(drawn, model, tmp_path):
    data = tmp_path / "a.json"
    document = json.loads(drawn.read_text())
    document["images"][5]["file_name"] = document["images"][6]["file_name"]
    data.write_text(json.dumps(document))
    broken = drawn.parent / "images" / document["images"][0]["file_name"]
    pixels = broken.read_bytes()
    command = ["evaluate", str(data), "--images", str(broken.parent), *model]
    try:
        broken.write_bytes(pixels[: len(pixels) // 2])  # the header is whole
        written = ["--json", "{}.json", "--rows", "{}.csv", "--report", "{}"]
        one, two = ([w.format(tmp_path / n) for w in written] for n in "12")
        assert main([*command, *one]) == status.DONE
        code, out, err = done(torchrun(2, *command, *two))
    finally:
        broken.write_bytes(pixels)
    assert code == status.DONE, err
    assert out.count("AVG NE, visible") == 2  # of two protocols, by one process
    assert err.count("images that are missing or cannot be read") == 1
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in (1, 2))
    for protocol in ("box", "whole"):
        assert one[protocol].pop("seconds_per_image") > 0
        assert two[protocol].pop("seconds_per_image") > 0
    assert one == two
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert sorted(p.name for p in (tmp_path / "2").iterdir()) == [
        "figures.json", "garments.csv", "index.html"
    ]  # fmt: skip


def test_commands_that_run_in_one_process_are_refused(drawn):
    code, out, err = done(torchrun(2, "stats", str(drawn)))
    assert code != status.DONE
    assert not out
    assert err.count("torchrun started 2 processes; this command runs in one") == 1


def test_an_environment_that_torchrun_did_not_make_is_refused(drawn, model, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["evaluate", str(drawn), *model]) == status.FAILED
    assert "RANK='3', WORLD_SIZE='2', LOCAL_RANK=''" in capsys.readouterr().err


def test_the_error_of_one_process_ends_all_in_its_words(drawn, tmp_path, toml):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(toml(tiny_recipe(drawn)))
    arguments = ["train", str(recipe), "--run", str(tmp_path / "run"), "--device", "cpu"]
    given = json.dumps([[*arguments, "--events", "jsonl"]])
    # The first process hears of it from the second, and not from torchrun, which would end it.
    failing = torchrun(2, script, "fail_in_the_second", "none", given, monitor_interval=10)
    code, out, err = done(failing)
    assert code != status.DONE
    said = [line for line in err.splitlines() if line.startswith("napari-fashion train")]
    assert len(said) == 1, err
    assert said[0].startswith("napari-fashion train (rank 1): the disk of image ")
    last = json.loads(out.splitlines()[-1])
    assert last["event"] == "error"  # the window hears it from the first process
    assert last["message"].startswith("Another process failed: rank 1: the disk of image ")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no SIGUSR1")
def test_what_a_scheduler_sends_before_the_end_saves_too(drawn, tmp_path, toml, capsys):
    recipe, run = tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(toml(tiny_recipe(drawn)))
    with pytest.MonkeyPatch.context() as patch:
        step = Updater.step

        def signalled(self, batch, number):
            if number:  # there is something to save
                os.kill(os.getpid(), signal.SIGUSR1)
            return step(self, batch, number)

        patch.setattr(Updater, "step", signalled)
        given = ["train", str(recipe), "--run", str(run), "--device", "cpu", "--threads", "1"]
        assert main(given) == status.TERMINATED
    assert "what it learned is saved" in capsys.readouterr().err
    assert main(["train", "--resume", "--run", str(run), "--threads", "1"]) == status.DONE


def test_a_signal_saves_and_ends_all_and_another_number_goes_on(drawn, tmp_path, toml, capsys):
    recipe, run = tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(toml(tiny_recipe(drawn, schedule={"epochs": 12, "validate_every": 100})))
    given = ["--run", str(run), "--device", "cpu", "--events", "jsonl"]
    with torchrun(2, "train", str(recipe), *given) as process:
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "epoch":
                break
        process.send_signal(signal.SIGTERM)
        rest, err = process.communicate()
    assert process.returncode != status.DONE
    lines += [json.loads(line) for line in rest.splitlines()]
    assert [e["event"] for e in lines].count("start") == 1  # one process reports
    assert lines[-1]["event"] == "stopped", err
    assert "what it learned is saved" in err
    steps = [e["step"] for e in lines if e["event"] == "step"]
    assert steps == list(range(1, lines[-1]["step"] + 1))
    assert not finished(run)

    capsys.readouterr()
    assert main(["train", "--resume", *given]) == status.DONE
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["step"] == lines[-1]["step"]
    assert events[-1]["event"] == "done"
    assert finished(run)

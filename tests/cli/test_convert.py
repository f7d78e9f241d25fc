"""The command `convert`: what it prints, its options, its statuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from miniatures import FORMATS, lay_out
from napari_fashion.cli import main, status

OLD = FORMATS / "deepfashion-c-old" / "data"


def test_a_conversion_says_what_it_wrote(tmp_path, capsys):
    assert main(["convert", "deepfashion-c", str(OLD), "--out", str(tmp_path)]) == status.DONE
    out = capsys.readouterr().out.splitlines()
    assert out == [
        f"{tmp_path}/train.json: 16 images, 16 garments",
        f"{tmp_path}/val.json: 4 images, 4 garments",
        f"{tmp_path}/test.json: 4 images, 4 garments",
    ]
    assert (
        main(["convert", "deepfashion-c", str(OLD), "--out", str(tmp_path), "--overwrite", "-q"])
        == status.DONE
    )
    assert capsys.readouterr().out == ""


def test_options_reach_the_conversion(tmp_path, capsys):
    formats = lay_out(tmp_path / "formats")
    source = formats / "deepfashion-c" / "data"
    (source / "Img").rename(tmp_path / "pictures")
    command = ["convert", "deepfashion-c", str(source), "--out", str(tmp_path / "out"),
               "--annotations", "fine", "--visibility", "coarse", "--upper-last-pair", "waistline",
               "--images", str(tmp_path / "pictures"), "--image-files", "hardlink"]  # fmt: skip
    assert main(command) == status.DONE
    assert "Visibility is that of Anno_coarse" in capsys.readouterr().err
    document = json.loads((tmp_path / "out" / "train.json").read_text())
    ours = document["info"]["fashion"]
    assert ours["converted"] == {
        "format": "deepfashion-c",
        "annotations": "Anno_fine",
        "visibility": "coarse",
        "upper_last_pair": "waistline",
    }
    assert ours["image_root"] == "images"
    first = tmp_path / "out" / "images" / document["images"][0]["file_name"]
    assert first.samefile(tmp_path / "pictures" / document["images"][0]["file_name"])


def usage(command):
    """Return the status of a command line that is not understood."""
    with pytest.raises(SystemExit) as ended:
        main(command)
    return ended.value.code


def test_a_wrong_format_and_an_option_of_another_are_refused(tmp_path, capsys):
    assert (
        usage(["convert", "deepfashion2c", str(OLD), "--out", str(tmp_path / "out")])
        == status.USAGE
    )
    assert "expected one of coco, deepfashion-c" in capsys.readouterr().err
    for command, message in (
        (["deepfashion2", "--category", "gloves"], "expected one of short-sleeve-top"),
        (["coco", "--schema", "nosuch"], "No schema 'nosuch'"),
    ):
        options = [command[0], str(OLD), "--out", str(tmp_path / "out"), *command[1:]]
        assert usage(["convert", *options]) == status.USAGE
        assert message in capsys.readouterr().err
    command = ["convert", "deepfashion-c", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    assert main(command) == status.FAILED
    assert "none: there is no such file or folder; expected the folder" in capsys.readouterr().err
    command = [
        "convert",
        "deepfashion-c",
        str(OLD),
        "--out",
        str(tmp_path / "out"),
        "--landmarks",
        "category",
    ]
    assert main(command) == status.FAILED
    assert "--landmarks is for deepfashion2" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert (
        main(["convert", "deepfashion-c", str(OLD), "--out", str(tmp_path / "file")])
        == status.FAILED
    )
    assert "which is a file; expected a folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("end", "number", "expected"),
    [
        (os.killpg, signal.SIGINT, status.INTERRUPTED),  # to all processes, as a terminal does
        (os.kill, signal.SIGTERM, status.TERMINATED),
        (os.kill, signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_a_conversion_that_is_ended_leaves_no_document_and_no_process(
    tmp_path, end, number, expected
):
    source, out = tmp_path / "big", tmp_path / "out"
    big = [sys.executable, str(FORMATS / "big.py"), str(source), "--count", "60000", "--pictures"]
    subprocess.run([*big, "none"], check=True, capture_output=True)
    (source / "data" / "img").mkdir()
    command = [
        sys.executable,
        "-m",
        "napari_fashion",
        "convert",
        "deepfashion-c",
        str(source / "data"),
    ]
    command += ["--out", str(out), "--processes", "2"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=_takes_interrupts,
    ) as process:  # fmt: skip
        started = psutil.Process(process.pid)
        while len(started.children()) < 3:  # two that read sizes, and multiprocessing's own
            assert process.poll() is None
        end(process.pid, number)
        error = process.stderr.read()  # until the last process of the command has closed it
    assert process.returncode == expected
    assert number == signal.SIGKILL or "Traceback" not in error
    assert list(out.glob("*.json")) == []
    assert number == signal.SIGKILL or list(out.iterdir()) == []


def test_an_interrupt_while_the_command_line_is_read_is_a_sentence(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_fashion.cli.convert._formats", interrupted)
    assert main(["convert", "coco", "a.json", "--out", "out"]) == status.INTERRUPTED
    assert capsys.readouterr().err == "napari-fashion: interrupted; not done.\n"


def _takes_interrupts() -> None:
    """Let a process end on SIGINT: the background jobs of a shell, such as half of all tests, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)

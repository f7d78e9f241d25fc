"""`fetch`: what failed is said with `--quiet` too."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from napari_fashion.cli import fetch as cli_fetch
from napari_fashion.cli import main, status
from napari_fashion.datasets import people, photos
from napari_fashion.datasets.fetching import FetchReport


def test_quiet_tells_what_failed_and_what_was_kept(monkeypatch, capsys) -> None:
    report = photos.FetchReport(
        Path("here"), wanted=2, fetched=1, failed={"images/a1.jpg": "no answer"}
    )
    report.kept = [Path("here/train.json")]
    monkeypatch.setattr(photos, "fetch", lambda *args, **options: report)
    for options in ([], ["--quiet"]):
        assert main(["fetch", "--to", "here", *options]) == status.FAILED
        said = capsys.readouterr()
        assert said.out == (
            "" if options else "1 of 2 photos are in here (1 fetched, 0 were there).\n"
        )
        assert "Failed: images/a1.jpg: no answer\n" in said.err
        assert "Kept your own here/train.json.\n" in said.err


def test_which_photos_are_fetched(monkeypatch, tmp_path, capsys) -> None:
    fetched = []

    def fetch(name):
        def report(folder, **options):
            fetched.append((name, folder, options["source"], options["what"]))
            return FetchReport(folder)

        return report

    for name in cli_fetch.DATA:
        data = importlib.import_module(f"napari_fashion.datasets.{name}")
        monkeypatch.setattr(data, "fetch", fetch(name))
    assert main(["fetch", "--to", "here"]) == status.DONE
    assert main(["fetch", "people", "--all", "--source", "there"]) == status.DONE
    assert fetched == [
        ("photos", Path("here"), None, "labelled"),
        ("people", people.default_folder(), "there", "all"),
    ]
    with pytest.raises(SystemExit):
        main(["fetch", "peple"])
    assert "did you mean people?" in capsys.readouterr().err

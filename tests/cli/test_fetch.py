"""`fetch`: what failed is said with `--quiet` too."""

from __future__ import annotations

from pathlib import Path

from napari_fashion.cli import main, status
from napari_fashion.datasets import photos


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

"""Fetch the photos from their public repository, a mirror or a folder, and verify each."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

from napari_fashion.datasets.fetching import ExactPhoto, FetchReport, Progress, fetch_into
from napari_fashion.datasets.photos.locate import DATA, default_folder
from napari_fashion.documents import read_toml
from napari_fashion.errors import FetchError


def fetch(
    target: Path | str | None = None,
    *,
    source: Path | str | None = None,
    what: Literal["labelled", "all"] = "labelled",
    progress: Progress | None = None,
    connections: int = 8,
) -> FetchReport:
    """Fetch the photos into ``target/images`` and put the landmark files beside them (`fetch_into`).

    Parameters
    ----------
    target
        The folder; by default `default_folder`, where `locate` finds it.
    source
        A folder, or the address of a mirror (http, https, file), that holds ``images/<id>.jpg``;
        by default the public repository at the commit named in ``data/source.toml``.
        Photos without landmarks may lie in ``unlabelled/`` there.
    what
        ``labelled``: the 2,232 photos that have landmarks (some 60 MB); ``all``: also those
        without (4,238, some 116 MB).
    progress, connections
        See `fetch_into`.

    Returns
    -------
    FetchReport
        With the reason for each photo that did not come.

    Raises
    ------
    FetchError
        If the source is neither a folder nor an address, or the target cannot be written.
    """
    return fetch_into(
        default_folder() if target is None else Path(target),
        _wanted(what),
        read_toml(DATA / "source.toml", FetchError)["address"] if source is None else source,
        beside={
            name: (DATA / name).read_bytes() for name in ("train.json", "test.json", "split.csv")
        },
        progress=progress,
        connections=connections,
    )


def _wanted(what: Literal["labelled", "all"]) -> list[ExactPhoto]:
    """Return the photos asked for; each has its SHA-256."""
    with (DATA / "checksums.csv").open(newline="", encoding="utf-8") as stream:
        checksums = {row["path"]: row["sha256"] for row in csv.DictReader(stream)}
    with (DATA / "split.csv").open(newline="", encoding="utf-8") as stream:
        labelled = {
            f"images/{row['image']}.jpg"
            for row in csv.DictReader(stream)
            if row["split"] in ("train", "test")
        }
    return [
        ExactPhoto(path, (path, path.replace("images/", "unlabelled/", 1)), sha256)
        for path, sha256 in checksums.items()
        if what == "all" or path in labelled
    ]

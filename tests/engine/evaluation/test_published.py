from __future__ import annotations

from pathlib import Path

import pytest

from conftest import SHARED
from napari_fashion.engine.evaluation import published

OURS = {"cut": "bbox", "margin": 0.0, "choice": "only", "fallback": "corner"}


def why(**changes):
    given = {
        "data_set": "deepfashion-c", "partition": "test", "n_images": 40_000,
        "landmarks": published.LANDMARKS, "parts": OURS, "with_data_set": "deepfashion-c",
    }  # fmt: skip
    return published.why_not_comparable(**(given | changes))


def test_the_works_are_those_of_the_report_the_best_first() -> None:
    works = published.errors("deepfashion-c")
    assert len(works) == 14
    assert (works[0].work, works[0].average) == ("Wang et al. 2021", 0.0189)
    (own,) = (w for w in works if w.work == "PifPaf plugin (the report)")
    assert own.average == pytest.approx(sum(own.by_landmark.values()) / 8, abs=5e-5)
    assert [w.average for w in works] == sorted(w.average for w in works)
    assert len(published.errors("deepfashion-l")) == 2
    best = published.accuracies("deepfashion-c")[0]
    assert (best.work, best.top3, best.top5) == ("Zhang et al. 2020", 0.9199, 0.9644)
    assert published.accuracies("deepfashion-l") == []


def test_every_file_is_the_one_of_the_project() -> None:
    if not (SHARED / "published").is_dir():
        pytest.skip("the project's published figures are not here (shared/published)")
    files = sorted(Path(published.__file__).parent.glob("*.csv"))
    assert [f.name for f in files] == sorted(f.name for f in (SHARED / "published").glob("*.csv"))
    for file in files:
        assert file.read_text() == (SHARED / "published" / file.name).read_text()
        assert published.rows(file.name)


def test_the_same_is_comparable() -> None:
    assert why() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data_set": None}, "the data set is not known, and theirs is DeepFashion-C"),
        ({"data_set": "deepfashion-l"}, "the data set is deepfashion-l"),
        ({"partition": "val"}, "the partition is val, and theirs is test"),
        ({"n_images": 193}, "193 images were judged, and 40,000 by them"),
        ({"landmarks": ("a", "b")}, r"the model has 2 landmarks \(a, b\)"),
        ({"parts": OURS | {"cut": "hull"}}, "not cropped by the file's box"),
        ({"parts": OURS | {"margin": 0.1}}, "not cropped by the file's box"),
    ],
)
def test_what_differs_is_said(changes, words) -> None:
    (reason,) = why(**changes)
    assert __import__("re").search(words, reason)

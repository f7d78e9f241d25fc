"""The model that the package carries is whole, small, and as good as its card says."""

from __future__ import annotations

from importlib import resources

import pytest

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.schema import Schema


@pytest.fixture(scope="module")
def bundled():
    return Model.load("bundled", "cpu")


def test_it_is_small_and_tells_nothing_of_the_machine_that_made_it(bundled):
    folder = resources.files("napari_fashion").joinpath("models")
    files = [f for f in folder.iterdir() if f.name.startswith("bundled.")]
    assert {f.name for f in files} == {"bundled.json", "bundled.safetensors"}
    assert sum(len(f.read_bytes()) for f in files) < 10_000_000
    description = folder.joinpath("bundled.json").read_text("utf-8")
    assert '"/' not in description  # an absolute path
    assert bundled.id in description
    assert bundled.schema == Schema.load("garments")


def test_it_finds_procedural_garments(bundled):
    images = load_sources([Source(file="samples:12:70000")], bundled.schema)
    result = evaluate_images(bundled, images, rounds=0)
    assert result.report.average_error < 0.08


@pytest.mark.shared
def test_it_finds_landmarks_on_photos_of_senders_it_never_saw(bundled, photos_dir):
    images = load_sources([Source(file="photos:test")], bundled.schema)
    assert not {p.key for p in images} & set(bundled.info.data["split"]["train"])
    result = evaluate_images(bundled, images[::5], rounds=0)
    assert result.report.average_error < 0.08
    assert result.report.top5 > 0.8

"""Runs that start from a model of 8 landmarks and 15 categories, and learn what it lacks."""

from __future__ import annotations

import numpy as np
import pytest

from drawn import SCHEMA, tiny_recipe
from grown import as_deepfashion2, more_categories, more_landmarks
from napari_fashion.coco import Dataset
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import CompareEvent, StepEvent
from napari_fashion.engine.train.recipe import Recipe


def fine_tune(trained, source, folder, **changes):
    """Train from the small model by the shortest recipe; return the new model and the events."""
    recipe = {
        "start_from": str(trained[0]),
        "data": {"train": [source], "validation_share": 0.0},
        "schedule": {"validate_every": 1000},
    }
    for key, value in changes.items():
        recipe[key] = {**recipe.get(key, {}), **value}
    events = []
    path = train(Recipe.from_dict(recipe), folder, device="cpu", emit=events.append)
    return Model.load(path, "cpu"), events


def source_of(path, images):
    return {"file": str(path), "images": str(images)}


def errors_of(model, source):
    """Return the mean NE of each landmark by name, of those that garments show."""
    images = load_sources([Source(**source)], model.schema)
    report = evaluate_images(model, images, rounds=0).report
    return {k: v for k, v in report.error_by_landmark.items() if v is not None}, report


def losses_of(events, name):
    steps = [e.losses[name] for e in events if isinstance(e, StepEvent) and e.losses]
    return np.mean(steps[:3]), np.mean(steps[-3:])


@pytest.fixture
def few(drawn, tmp_path):
    """Some of the drawn garments; their images stay where they are."""
    path = tmp_path / "few.json"
    Dataset.load(drawn).subset(list(range(1, 25))).save(path)
    return path


def test_from_8_landmarks_to_24(few, drawn, trained, tmp_path):
    path = more_landmarks(few, tmp_path / "more.json")
    source = source_of(path, drawn.parent / "images")
    model, events = fine_tune(trained, source, tmp_path / "run")
    assert model.schema.n_landmarks == 24
    before, after = losses_of(events, "pif.confidence")
    assert after < 0.6 * before
    errors, report = errors_of(model, source)
    new = [errors[name] for name in errors if name not in SCHEMA.landmarks]
    assert len(new) == 16
    assert np.mean(new) < 0.08
    assert np.mean([errors[name] for name in SCHEMA.landmarks]) < 0.05  # still known
    assert report.top1 == 1.0


def test_from_15_categories_to_50(drawn, tmp_path):
    """The bundled model: its features tell colours, those of the small one know two outlines alone."""
    all_kinds = tmp_path / "35.json"
    Dataset.load(drawn).subset(list(range(1, 36))).save(all_kinds)
    (tmp_path / "images").symlink_to(drawn.parent / "images")
    path, names = more_categories(all_kinds, tmp_path / "dyed" / "dyed.json", 35)
    source = source_of(path, path.parent / "images")
    model, events = fine_tune(
        ("bundled",), source, tmp_path / "run", augment=tiny_recipe(drawn)["augment"],  # of one hue
        inference={"input_size": 96, "refinement": False}, optimiser={"new_rows_lr": 0.01},
    )  # fmt: skip
    assert model.schema.category_names == (*SCHEMA.category_names, *names)
    before, after = losses_of(events, "category")
    assert after < 0.7 * before
    _, report = errors_of(model, source)
    assert report.top1 > 0.5  # one of 50 at random: 0.02
    assert report.average_error < 0.08  # landmarks stay


def test_from_8_landmarks_to_294_of_13_categories(few, drawn, trained, tmp_path):
    path = as_deepfashion2(few, tmp_path / "df2.json")
    source = source_of(path, drawn.parent / "images")
    # Their names tell no left from right: a mirrored image would have wrong labels.
    augment = {**tiny_recipe(drawn)["augment"], "flip": 0.0}
    model, events = fine_tune(trained, source, tmp_path / "run", augment=augment)
    assert model.schema.n_landmarks == 294
    assert len(model.schema.categories) == 13
    before, after = losses_of(events, "pif.confidence")
    assert after < 0.6 * before
    errors, report = errors_of(model, source)
    assert len(errors) == 25 + 14
    assert np.mean(list(errors.values())) < 0.08
    assert report.top1 == 1.0
    (compare,) = (e for e in events if isinstance(e, CompareEvent))
    assert compare.verdict is None
    assert "shares no landmark" in compare.text

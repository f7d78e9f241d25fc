from __future__ import annotations

from pathlib import Path

import pytest
import torch

from drawn import SCHEMA, tiny_recipe
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import PROTOCOLS, evaluate_images
from napari_fashion.engine.evaluation.sweeps import over_epochs, over_margins
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import checkpoint_paths
from napari_fashion.errors import FashionError


@pytest.fixture(scope="module")
def images(drawn):
    return load_sources([Source(file=str(drawn))], SCHEMA)[:6]


@pytest.fixture(scope="module")
def kept(drawn, tmp_path_factory) -> Path:
    """A run of five epochs that keeps the checkpoint of each."""
    folder = tmp_path_factory.mktemp("runs") / "kept"
    changes = {"schedule": {"epochs": 5}, "checkpoints": {"keep_every": 1}}
    train(Recipe.from_dict(tiny_recipe(drawn, **changes)), folder, device="cpu")
    return folder


def test_each_margin_is_an_evaluation_with_it(trained, images) -> None:
    model = Model.load(trained[0], "cpu")
    margins = [0.0, 0.2, 0.5]
    points = list(over_margins(model, images, PROTOCOLS["box"], margins, rounds=10))
    assert [p.at for p in points] == margins
    for point in points:
        alone = evaluate_images(model, images, margin=point.at, rounds=10).report
        assert point.average_error == alone.average_error
        assert point.average_error_by_box == alone.average_error_by_box
        assert point.interval == alone.intervals["average_error"]
        assert point.interval_by_box == alone.intervals["average_error_by_box"]
    with pytest.raises(FashionError, match="whole images, which have no margin"):
        list(over_margins(model, images, PROTOCOLS["whole"], margins))


def test_each_epoch_is_its_checkpoints_average(kept, images) -> None:
    model = Model.load(kept, "cpu")
    points = list(over_epochs(model, kept, images, PROTOCOLS["box"], pytest.fail, rounds=0))
    assert [p.at for p in points] == [1, 2, 3, 4, 5]
    last = evaluate_images(model, images, rounds=0).report  # the run's model is its last average
    assert points[-1].average_error == pytest.approx(last.average_error)
    assert points[0].average_error != points[-1].average_error


def test_a_damaged_checkpoint_is_passed_over_and_said(kept, images) -> None:
    model = Model.load(kept, "cpu")
    path = checkpoint_paths(kept)[2]
    whole = path.read_bytes()
    said: list[str] = []
    try:
        path.write_bytes(whole[: len(whole) // 2])
        points = list(over_epochs(model, kept, images, PROTOCOLS["box"], said.append, rounds=0))
    finally:
        path.write_bytes(whole)
    assert [p.at for p in points] == [1, 2, 4, 5]
    assert len(said) == 1
    assert path.name in said[0]


def test_checkpoints_of_another_model_are_no_epochs(kept, images, tmp_path) -> None:
    model = Model.load(kept, "cpu")
    config = model.config.model_copy(update={"width": 16})
    other = Model.create(config, model.schema, model.info, torch.device("cpu"))
    said: list[str] = []
    with pytest.raises(FashionError, match=r"no checkpoint of this model.*keep_every"):
        list(over_epochs(other, kept, images, PROTOCOLS["box"], said.append))
    assert len(said) == 5
    assert "is not of this model" in said[0]
    with pytest.raises(FashionError, match="no checkpoint of this model"):
        list(over_epochs(model, tmp_path, images, PROTOCOLS["box"], said.append))

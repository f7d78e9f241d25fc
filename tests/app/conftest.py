"""The small data set with images beside it, and a window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from napari_fashion.coco import Dataset
from small import SCHEMA, small_dataset, small_document


@pytest.fixture
def dataset() -> Dataset:
    return small_dataset()


@pytest.fixture
def dataset_file(tmp_path: Path) -> Path:
    """The small data set as a file, with images beside it."""
    rng = np.random.default_rng(3)
    for i in (1, 2, 3):
        image = rng.integers(40, 200, (120, 120, 3), dtype=np.uint8)
        PilImage.fromarray(image).save(tmp_path / f"{i}.png")
    path = tmp_path / "small.json"
    path.write_text(json.dumps(small_document()))
    return path


@pytest.fixture(scope="session", autouse=True)
def cache_of_fields(tmp_path_factory):
    """Keep the fields of tests out of the person's cache."""
    from napari_fashion.app.jobs import fields

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fields, "cache_folder", lambda: folder)
        yield


def open_window():
    """Return a shown napari window with the annotator open."""
    import napari

    from napari_fashion.app.viewer.window import ANNOTATOR, window_of

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1440, 900)
    window = window_of(viewer)
    window.dock = window.show_dock(ANNOTATOR)
    return window


@pytest.fixture(scope="module")
def shared_window(qapp):
    """One window for the tests of a module: opening one takes seconds."""
    window = open_window()
    yield window
    window.may_discard = lambda: True
    window.viewer.close()


def clear_layers(viewer):
    """Remove all layers but our own, which take most of a second to make anew."""
    from napari_fashion.app.viewer.layer_styles import IMAGE, KEY, OVERLAYS

    ours = [layer for layer in viewer.layers if KEY in layer.metadata]
    if [layer.name for layer in ours] != [IMAGE, *OVERLAYS]:
        viewer.layers.clear()
        return
    for layer in [layer for layer in viewer.layers if layer not in ours]:
        viewer.layers.remove(layer)
    points = ours[-1]
    points.mode = "select"
    points.selected_data = set()
    viewer.layers.selection.active = points


@pytest.fixture
def app(shared_window, qtbot, monkeypatch):
    """The window as it is at first, and a person at it."""
    from napari_fashion.app.session import View
    from napari_fashion.app.widgets import files, filing

    from .driving import Person

    monkeypatch.setattr(files, "ask_unsaved", lambda *_, **__: "later")
    monkeypatch.setattr(filing, "ask_schema", lambda parent, folder, usual: usual)
    window, first = shared_window, View()
    for name in View.__dataclass_fields__:
        setattr(window.session.view, name, getattr(first, name))
    window.session.model, window.session.model_source = None, "bundled"
    clear_layers(window.viewer)
    window.person = Person(qtbot, window.viewer)
    window.person.see()
    yield window
    window.predicting.close()
    window.exporting.close()


@pytest.fixture(scope="session")
def small_model(tmp_path_factory) -> Path:
    """A real model with random weights, small enough to train in seconds."""
    import torch

    from napari_fashion.engine.inference.options import InferenceOptions
    from napari_fashion.engine.model import Model, ModelInfo
    from napari_fashion.engine.network.config import NetworkConfig

    torch.manual_seed(1)
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="plain", upsample=2)
    info = ModelInfo(
        inference=InferenceOptions(input_size=64, flip_tta=False, crop_aspect=1.0, refinement=None)
    )
    model = Model.create(config, SCHEMA, info, torch.device("cpu"))
    return model.save(tmp_path_factory.mktemp("model") / "model")

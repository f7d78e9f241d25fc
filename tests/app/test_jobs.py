from __future__ import annotations

import pytest

from napari_fashion.app.jobs.predict import Task, _predict
from napari_fashion.engine.layers import Layers
from napari_fashion.images import ImageFolder
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")


def test_an_image_that_may_not_be_read_is_this_image_s_failure(tmp_path):
    from PIL import Image

    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")

    class Looks:
        schema = SCHEMA
        layers = Layers.of(SCHEMA, {})

        def predict_with_fields(self, images):
            return [(image.shape, "prediction") for image in images]

    tasks = [Task(1, "../b.png", None), Task(2, "a.png", (8, 6)), Task(3, "", None)]
    first, second, third = _predict(Looks(), "", tasks, ImageFolder(tmp_path), print)
    assert "leads out of" in first.problem
    assert "file_name" in third.problem
    assert (second.fields, second.prediction, second.problem) == ((6, 8, 3), "prediction", "")


class Fails:
    """Predicts images; the first one that it is shown is too much for it."""

    schema = SCHEMA
    layers = Layers.of(SCHEMA, {})

    def __init__(self, error: Exception) -> None:
        self.error = error

    def predict_with_fields(self, images):
        error, self.error = self.error, None
        if error is not None:
            raise error
        return [("fields", "prediction")]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "a.png: out of memory."),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "a.png: out of memory."),
        (MemoryError(), "a.png: out of memory."),
        (ValueError("odd"), "a.png: a fault of the program (ValueError: odd). The details are in"),
        (RuntimeError("odd"), "a.png: a fault of the program (RuntimeError: odd)."),
    ],
)
def test_whatever_goes_wrong_with_an_image_is_this_image_s_failure(tmp_path, error, told):
    from PIL import Image

    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 6)).save(tmp_path / name)
    tasks = [Task(1, "a.png", (8, 6)), Task(2, "b.png", (8, 6))]
    first, second = _predict(Fails(error), "", tasks, ImageFolder(tmp_path), print)
    assert first.problem.startswith(told)
    assert (second.prediction, second.problem) == ("prediction", "")


def test_a_first_prediction_that_compiles_the_decoder_says_so(tmp_path):
    import numba
    from PIL import Image

    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")

    class Compiles:
        schema = SCHEMA
        layers = Layers.of(SCHEMA, {})

        def predict_with_fields(self, images):
            def loop(n):
                return n + 1

            loop.__module__ = (
                "napari_fashion.engine.decode.graph"  # one of the decoder's, not cached
            )
            return [(numba.njit(loop)(1), "prediction") for _ in images]

    said = []
    tasks = [Task(1, "a.png", (8, 6)), Task(2, "a.png", (8, 6))]
    first, _ = _predict(Compiles(), "", tasks, ImageFolder(tmp_path), said.append)
    assert first.fields == 2
    assert len(said) == 1
    assert said[0].startswith("Compiling the decoder")


def test_a_model_that_cannot_be_loaded_ends_the_run_with_a_problem(
    qtbot, dataset_file, monkeypatch
):
    from napari_fashion.app.jobs.predict import PredictJob
    from napari_fashion.app.session import Session
    from napari_fashion.engine.model import Model

    def load(*args, **options):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(Model, "of_file", load)
    session = Session()
    session.open(dataset_file)
    said: list[tuple[str, str]] = []
    session.message.connect(lambda level, text: said.append((level, text)))
    job = PredictJob(session)
    job.start(everything=True)
    qtbot.waitUntil(lambda: not job.running)
    ((level, text),) = said
    assert level == "error"
    assert "the model cannot be loaded: out of memory." in text
    session.close()

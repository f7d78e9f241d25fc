from __future__ import annotations

import argparse

import numpy as np
import pytest

from drawn import SCHEMA
from napari_fashion.cli import evaluate as command
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import (
    PROTOCOLS,
    BoxProtocol,
    evaluate_images,
    register_protocol,
)
from napari_fashion.engine.model import Model
from napari_fashion.errors import FashionError
from napari_fashion.images import batches
from napari_fashion.tally import Tally


@pytest.fixture
def model(trained) -> Model:
    return Model.load(trained[0], "cpu")


@pytest.fixture
def images(drawn):
    return load_sources([Source(file=str(drawn))], SCHEMA)[:7]


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_a_batch_is_bounded_by_pixels_and_nothing_else_changes(
    model, images, protocol, monkeypatch
) -> None:
    shown: list[int] = []
    predict = model.predict

    def counted(views, options, **more):
        shown.append(len(views))
        return predict(views, options, **more)

    monkeypatch.setattr(model, "predict", counted)
    at_once = evaluate_images(model, images, protocol=protocol, rounds=0)
    assert shown == [7]
    shown.clear()
    monkeypatch.setattr(batches, "MAX_BATCH_PIXELS", 2 * 96 * 96)
    advanced: list[int] = []
    bounded = evaluate_images(model, images, protocol=protocol, rounds=0, advance=advanced.append)
    assert shown == [2, 2, 2, 1]
    assert sum(advanced) == 7
    for a, b in zip(at_once.judged, bounded.judged, strict=True):
        assert a.key == b.key
        np.testing.assert_allclose(a.errors, b.errors, atol=1e-4)


def test_an_image_that_went_is_counted_once(model, images, tmp_path) -> None:
    from dataclasses import replace

    missing = replace(images[0], path=tmp_path / "gone.png")
    for protocol in PROTOCOLS:
        tally, advanced = Tally(), []
        found = evaluate_images(
            model,
            [missing, missing, *images[1:]],
            protocol=protocol,
            rounds=0,
            tally=tally,
            advance=advanced.append,
        )
        assert found.report.n_garments == 6
        assert list(tally.counts.values()) == [1]
        assert sum(advanced) == 7


def test_an_unknown_protocol_is_refused(images) -> None:
    with pytest.raises(FashionError, match=r"protocol 'hole'; did you mean 'whole'\?"):
        evaluate_images(None, images, protocol="hole")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'box' is registered twice"):
        register_protocol(BoxProtocol)


def test_the_command_offers_every_protocol() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    (choices,) = (a.choices for a in parser._actions if a.dest == "protocol")
    assert choices == [*PROTOCOLS, "both"]

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pytest

from drawn import SCHEMA
from napari_fashion.cli import evaluate as command
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.choices import CHOICES
from napari_fashion.engine.evaluation.cuts import CUTS
from napari_fashion.engine.evaluation.fallbacks import FALLBACKS
from napari_fashion.engine.evaluation.protocols import (
    ONE_GARMENT,
    PROTOCOLS,
    Protocol,
    evaluate_images,
)
from napari_fashion.engine.model import Model
from napari_fashion.errors import FashionError
from napari_fashion.images import batches
from napari_fashion.images.transforms import crop_to_box
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
        PROTOCOLS.register("box", PROTOCOLS["whole"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("hul", "only", "corner"), "No cut 'hul'.*did you mean 'hull'"),
        (("hull", "onli", "corner"), "No choice 'onli'.*did you mean 'only'"),
        (("hull", "only", "korner"), "No fallback 'korner'.*did you mean 'corner'"),
    ],
)
def test_an_unknown_part_is_refused(parts, message) -> None:
    with pytest.raises(FashionError, match=message):
        Protocol(*parts)


def test_the_command_offers_every_name() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    choices = {a.dest: tuple(a.choices) for a in parser._actions if a.choices}
    assert choices["protocol"] == (*PROTOCOLS, "both")
    assert choices["cut"] == tuple(CUTS)
    assert choices["choice"] == tuple(CHOICES)
    assert choices["fallback"] == tuple(FALLBACKS)


def test_a_combination_has_a_name_and_words() -> None:
    assert Protocol("hull", "only", "corner", 0.25).name == "box"
    own = Protocol("bbox", "nearest", "skeleton", 0.25)
    assert own.name == "bbox-nearest-skeleton"
    assert own.title == (
        "Crops by the file's boxes with 25% around them: the garment nearest to the truth, else an "
        "artificial skeleton (errors by the crop)"
    )
    assert not own.detects
    assert Protocol("none", "best", "corner").detects


@pytest.mark.parametrize("margin", [0.0, 0.3])
@pytest.mark.parametrize("choice", list(CHOICES))
@pytest.mark.parametrize("cut", list(CUTS))
def test_errors_are_those_of_predicting_each_garment_alone(model, images, cut, choice, margin):
    """Against a plain loop: cut, predict, choose, divide by what was seen."""
    protocol = Protocol(cut, choice, "skeleton", margin)
    found = evaluate_images(model, images, protocol=protocol, rounds=0)
    assert len(found.judged) == len(images)
    places = FALLBACKS["skeleton"].relative(SCHEMA, None)
    for image, judged in zip(images, found.judged, strict=True):
        pixels = image.read()
        corners = {"none": None, "bbox": image.box[0].reshape(2, 2),
                   "hull": image.xy[0][image.visibility[0] > 0]}[cut]  # fmt: skip
        shown, origin = pixels, (0, 0)
        if corners is not None:
            crop = crop_to_box(pixels, corners, margin)
            shown, origin = crop.image, crop.origin
        decoder = protocol.decoder_options(model.inference)
        assert decoder.single_instance == (choice == "only")
        options = model.inference.overridden(decoder=decoder)
        (prediction,) = model.predict([shown], options, crop=corners is not None)
        size = np.array(shown.shape[1::-1])
        guess = None
        moved = [replace(g, xy=g.xy + np.float32(origin)) for g in prediction.garments]
        (guess,) = CHOICES[choice].choose(image, [0], moved, SCHEMA)
        xy = np.array(origin) + places * (size - 1) if guess is None else guess.xy
        errors = np.linalg.norm((xy - image.xy[0]) / size, axis=1)
        seen = image.visibility[0] == 2
        np.testing.assert_allclose(judged.errors[seen], errors[seen], atol=2e-4)
        assert tuple(judged.region[2:]) == tuple(size)


def test_what_is_not_found_counts_by_the_fallback(model, images) -> None:
    """With thresholds that nothing reaches every garment has the fallback's error."""
    nothing = model.inference.decoder.model_copy(
        update={"seed_threshold": 1.0, "garment_threshold": 1.0}
    )
    errors = {}
    for fallback in FALLBACKS:
        protocol = Protocol("hull", "best", fallback)
        found = evaluate_images(model, images, protocol=protocol, decoder=nothing, rounds=0)
        assert found.report.not_found == len(images)
        assert found.report.confident_share == 0
        assert found.report.not_present is None  # nothing is detected
        assert found.report.top1 == 0
        errors[fallback] = found.report.average_error
    own = dict.fromkeys(SCHEMA.landmarks, (0.5, 0.5))
    protocol = Protocol("hull", "best", "skeleton")
    middle = evaluate_images(
        model, images, protocol=protocol, decoder=nothing, rounds=0, places=own
    ).report.average_error
    assert errors["skeleton"] < middle < errors["corner"]


def test_the_files_box_is_what_is_seen(model, images) -> None:
    """A file whose boxes are larger than its landmarks': another crop, another divisor."""
    larger = [replace(i, box=np.array([[0, 0, 95, 95]], np.float32)) for i in images]
    found = evaluate_images(model, larger, protocol="published", rounds=0)
    assert {tuple(j.region) for j in found.judged} == {(0, 0, 96, 96)}
    assert found.parts == {"cut": "bbox", "margin": 0.0, "choice": "only", "fallback": "corner"}
    own = evaluate_images(model, images, protocol="published", rounds=0)
    hull = evaluate_images(model, images, protocol="box", rounds=0)
    assert own.report.average_error == pytest.approx(hull.report.average_error)  # drawn: the same
    assert found.report.average_error != own.report.average_error


def test_a_garment_with_one_landmark_counts_where_no_hull_is_needed(model, images) -> None:
    visibility = np.zeros_like(images[0].visibility)
    visibility[0, 6] = 2
    one = replace(images[0], visibility=visibility)
    if images[0].visibility[0, 6] != 2:
        one = replace(one, xy=one.xy + np.float32(20))
    tally = Tally()
    for protocol in ("whole", "published"):
        found = evaluate_images(model, [one, *images[1:]], protocol=protocol, rounds=0)
        assert found.report.n_garments == 7
    hull = evaluate_images(model, [one, *images[1:]], protocol="box", rounds=0, tally=tally)
    assert hull.report.n_garments == 6
    assert tally.counts == {"garments with fewer than two labelled landmarks": 1}


def test_figures_by_body_type_and_number_of_garments(model, images) -> None:
    report = evaluate_images(model, images, protocol="whole", rounds=5).report
    assert set(report.by_body_type) == {"upper", "lower"}
    assert sum(group["garments"] for group in report.by_body_type.values()) == 7
    assert report.by_count["1 garment"]["ap"] == report.ap
    assert report.by_count["1 garment"]["garments"] == 7
    for name in ("ap", "precision", "recall", "by_body_type.upper.ap", "by_count.1 garment.ap50",
                 "images.one garment: found"):  # fmt: skip
        low, high = report.intervals[name]
        assert 0 <= low <= high <= 1
    assert ONE_GARMENT.single_instance

"""Scores of the members of a set, and their calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_sets import OF_TYPE, SCHEMA, small_set
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.member_scores import (
    LEAST,
    MemberScores,
    fit_members,
    member_scores,
)
from napari_fashion.engine.evaluation.protocols import ONE_GARMENT, evaluate_images
from napari_fashion.engine.model_set import load_model
from napari_fashion.engine.model_set_file import ScoreCalibration
from napari_fashion.errors import FashionError
from napari_fashion.tally import Tally

AS_THEY_ARE = [ScoreCalibration()] * 3


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return load_model(small_set(tmp_path_factory.mktemp("set")), "cpu")


@pytest.fixture(scope="module")
def images(drawn):
    return load_sources([Source(file=str(drawn))], SCHEMA)[:6]


def drawn_scores(counts: tuple[int, ...], seed: int = 0) -> MemberScores:
    """Members that see a little more in garments of their own types; the third sees more in all."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(3), counts)
    logits = rng.normal([-1.0, -1.0, 2.0], 0.4, (len(member), 3))
    logits[np.arange(len(member)), member] += 1.0
    names = tuple(list(OF_TYPE)[m] for m in member)
    return MemberScores(1 / (1 + np.exp(-logits)), member, names)


def test_the_scores_are_those_of_the_crops_that_are_judged(models, images):
    advanced: list[int] = []
    found = member_scores(models, images, batch=4, advance=advanced.append)
    assert found.scores.shape == (6, 3)
    assert sum(advanced) == 3 * 6
    assert found.body_types == tuple(
        SCHEMA.categories[image.category[0]].body_types[0] for image in images
    )
    for n, name in enumerate(OF_TYPE):
        alone = evaluate_images(models.only([name]), images, protocol="box", rounds=0)
        options = models.inference.overridden(decoder=ONE_GARMENT)
        assert len(alone.judged) == 6
        x, y, width, height = alone.judged[2].region
        crop = images[2].read()[y : y + height, x : x + width]
        (garment,) = models.only([name]).predict([crop], options, crop=True)[0].garments
        assert found.scores[2, n] == pytest.approx(garment.score, abs=1e-5)


def test_an_image_that_is_gone_is_counted_and_left_out(models, images, tmp_path):
    tally = Tally()
    gone = replace(images[0], path=tmp_path / "gone.png")
    found = member_scores(models, [gone, *images[1:]], tally=tally)
    assert found.scores.shape == (5, 3)
    assert len(found.member) == len(found.body_types) == 5
    assert tally.total


def test_a_member_that_sees_more_in_everything_is_set_right(models):
    train, test = drawn_scores((300, 60, 30)), drawn_scores((60, 60, 60), 1)
    fitted = fit_members(models, train)
    assert test.share_right(AS_THEY_ARE) < 0.4  # nearly all of the third
    assert test.share_right(fitted) > 0.7
    assert fitted[2].offset < -1


def test_members_count_alike_however_many_garments_they_have(models):
    few, many = (
        fit_members(models, drawn_scores(counts)) for counts in ((80,) * 3, (8000, 80, 80))
    )
    test = drawn_scores((200, 200, 200), 2)
    assert test.share_right(many) == pytest.approx(test.share_right(few), abs=0.05)


def test_too_few_garments_of_a_type_are_told(models):
    with pytest.raises(FashionError, match=rf"found 30 upper, {LEAST - 1} lower, 40 full garments"):
        fit_members(models, drawn_scores((30, LEAST - 1, 40)))


def test_the_share_is_the_mean_over_the_members():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.8, 0.3]])
    found = MemberScores(scores, np.array([0, 0, 0, 1]), ("upper",) * 3 + ("lower",))
    raw = [ScoreCalibration()] * 2
    assert found.right(raw).tolist() == [True, True, True, False]
    assert found.share_right(raw) == 0.5
    shifted = [ScoreCalibration(), ScoreCalibration(offset=3.0)]
    assert found.right(shifted).tolist() == [True, True, True, True]

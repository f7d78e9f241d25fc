from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from judged_garments import judged_garment
from napari_fashion.coco.categories import FOREIGN
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.comparison import (
    MIN_IMAGES,
    compare_judged,
    project_images,
    select_landmarks,
)
from napari_fashion.engine.evaluation.intervals import bootstrap_interval
from napari_fashion.engine.evaluation.landmark_metrics import average_error
from napari_fashion.schema import Category, Schema

K = 4


def judged(errors, keys=None):
    """Garments with (N, K) errors, all landmarks visible, one an image by default."""
    errors = np.asarray(errors, float)
    keys = keys or [f"{i}.png" for i in range(len(errors))]
    seen = np.full(errors.shape, 2)
    return [judged_garment(e, v, key=key) for key, e, v in zip(keys, errors, seen, strict=True)]


def before(n, seed=0):
    return np.random.default_rng(seed).uniform(0.01, 0.09, (n, K))


@pytest.mark.parametrize(
    ("shift", "verdict", "word"),
    [(-0.004, "better", "Better:"), (0.004, "worse", "Worse:"), (0.0, "no difference", "No difference")],
)  # fmt: skip
def test_verdicts(shift, verdict, word):
    old = before(30)
    noise = np.random.default_rng(1).normal(0, 0.002, old.shape)
    noise -= noise.mean(0)
    found = compare_judged(judged(old), judged(old + shift + noise), {})
    assert found.verdict == verdict
    assert found.text.startswith(word)
    assert f"{found.before:.4f} before" in found.text
    assert f"{found.after:.4f} after" in found.text
    low, high = found.interval
    assert low < shift < high
    assert f"{low:+.4f} to {high:+.4f}" in found.text
    assert ("includes 0" in found.text) == (verdict == "no difference")
    assert "30 held-out images" in found.text


def test_images_are_compared_with_themselves():
    """A small gain on every image is seen though images differ far more than that from each other."""
    old = before(20)
    old[::2] *= 10
    found = compare_judged(judged(old), judged(old - 0.001), {})
    assert found.interval == pytest.approx((-0.001, -0.001))
    assert found.verdict == "better"


def test_the_interval_is_that_of_the_difference_of_average_errors():
    old, new = before(15, 3), before(15, 4)
    found = compare_judged(judged(old), judged(new), {}, rounds=200, seed=7)
    every = np.ones((15, K), bool)

    def difference(rows):
        return average_error(new[rows], every[rows]) - average_error(old[rows], every[rows])

    expected = bootstrap_interval(difference, range(15), rounds=200, seed=7)
    assert found.interval == pytest.approx(expected)
    assert found.after - found.before == pytest.approx(difference(np.arange(15)))


@pytest.mark.parametrize("n", [1, MIN_IMAGES - 1])
def test_few_images_are_too_few_however_clear_they_are(n):
    old = before(n)
    found = compare_judged(judged(old), judged(old / 2), {})
    assert found.verdict == "too few"
    assert found.text.startswith("Too few to tell:")
    assert f"{n} held-out image" in found.text
    assert "expected 10 or more. Review about 20 more images, then train again." in found.text
    assert "better" not in found.text.lower()


def test_nothing_to_judge_by_is_too_few():
    found = compare_judged([], [], {})
    assert (found.verdict, found.images) == ("too few", 0)
    assert found.text.startswith("Too few to tell: 0 held-out images;")


def test_garments_of_one_image_are_one_image():
    old = before(20)
    keys = [f"{i // 4}.png" for i in range(20)]
    found = compare_judged(judged(old, keys), judged(old / 2, keys), {})
    assert (found.images, found.verdict) == (5, "too few")


def test_images_of_a_group_are_resampled_together_if_there_are_many_groups():
    """In 12 groups of 10 images half get better and half worse: alone images would look like many."""
    old = before(120)
    of_group = np.repeat(np.where(np.arange(12) % 2, 0.01, -0.008), 10)
    new = old + of_group[:, None]
    keys = [f"{i}.png" for i in range(120)]
    groups = {key: f"sender {i // 10}" for i, key in enumerate(keys)}
    together = compare_judged(judged(old, keys), judged(new, keys), groups).interval
    alone = compare_judged(judged(old, keys), judged(new, keys), {}).interval
    assert np.ptp(together) > 2 * np.ptp(alone)
    few = {key: f"sender {i // 60}" for i, key in enumerate(keys)}
    assert compare_judged(judged(old, keys), judged(new, keys), few).interval == alone


def test_other_garments_are_refused():
    with pytest.raises(ValueError, match="same garments"):
        compare_judged(judged(before(3)), judged(before(3), ["a", "b", "c"]), {})


def test_images_get_the_landmarks_and_categories_of_another_schema():
    schema = Schema.load("garments")
    other = replace(
        schema,
        landmarks=("left_hem", "new", "right_hem", "left_collar"),
        skeletons=(("own", ()),),
        default_skeleton="own",
        flips=(2, 1, 0, 3),
        sigmas=(0.1,) * 4,
        body_types=(("any", (0, 1, 2, 3)),),
        categories=(Category("Skirt", ("any",)), Category("Dress", ("any",))),
        colors=("#ffffff",) * 4,
    )
    dress, shirt = (schema.category_index(name) for name in ("Dress", "Shirt"))
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 90, (3, 8, 2)).astype(np.float32)
    image = AnnotatedImage(
        "a.png", "a", Path("a.png"), (96, 96), xy, np.full((3, 8), 2), np.ones((3, 8), bool),
        np.zeros((3, 4), np.float32), np.array([dress, shirt, -1]), np.zeros(3, bool),
    )  # fmt: skip
    shared = ["left_hem", "right_hem"]
    (projected,) = project_images([image], schema, other, shared)
    assert projected.category.tolist() == [1, FOREIGN, -1]
    assert projected.visibility.tolist() == [[2, 0, 2, 0]] * 3
    hems = [schema.landmarks.index(name) for name in shared]
    np.testing.assert_array_equal(projected.xy[:, [0, 2]], xy[:, hems])
    assert project_images([image], schema, other, ["left_hem"]) == []  # one is no box
    (same,) = project_images([image], schema, schema, shared)
    assert same.visibility.sum() == 3 * 2 * 2


def test_errors_of_some_landmarks_in_their_order():
    schema = Schema.load("garments")
    errors = np.arange(8.0)[None]
    (one,) = judged(errors)
    (selected,) = select_landmarks([one], schema, [schema.landmarks[5], schema.landmarks[2]])
    assert selected.errors.tolist() == selected.box_errors.tolist() == [5.0, 2.0]
    assert selected.side_errors.tolist() == [5.0, 2.0]
    assert selected.visibility.tolist() == [2, 2]
    assert len(selected.scores) == len(selected.truth) == len(selected.predicted) == 2

"""Landmarks of several garments whose categories are known: which finds are taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_fashion.coco import Dataset
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.engine.pseudo_label import pseudo_label
from napari_fashion.engine.pseudo_tags import assigned, read_tagged
from napari_fashion.schema import Schema
from small import small_document

SCHEMA = Schema.load("garments")
WIDTH, HEIGHT = 120, 160
SHIRT = np.array([(40, 20), (80, 20), (10, 90), (110, 90), (0, 0), (0, 0), (30, 80), (90, 80)])
TROUSERS = np.array([(0, 0)] * 4 + [(45, 82), (75, 82), (35, 150), (85, 150)])
CATEGORIES = [SCHEMA.category_index("Pants"), SCHEMA.category_index("Shirt")]


def garment(xy, **likely) -> PredictedGarment:
    scores = np.asarray(xy).any(-1) * np.float32(0.8)
    category = np.full(15, 0.02, np.float32)
    for name, probability in likely.items():
        category[SCHEMA.category_index(name)] = probability
    return PredictedGarment(np.asarray(xy, np.float32), scores, scores, category, 0.7)


def mirrored(found: PredictedGarment) -> PredictedGarment:
    """The same garment in the mirror image, as a model that reads it perfectly would find it."""
    flips = list(SCHEMA.flips)
    xy = np.where(found.found[:, None], (WIDTH - 1, 0) + found.xy * (-1, 1), 0)[flips]
    return replace(found, xy=xy.astype(np.float32), scores=found.scores[flips])


class Teacher:
    """Says what it was told of an image and of its mirror image."""

    schema = SCHEMA
    id = "t"

    def __init__(self, found, in_mirror) -> None:
        self.said = found, in_mirror

    def predict(self, images):
        assert (images[0][:, ::-1] == images[1]).all()
        return [Prediction(tuple(found), WIDTH, HEIGHT, "t") for found in self.said]


def read(found, in_mirror=None, tolerance=0.04, share=0.6):
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    in_mirror = [mirrored(g) for g in found] if in_mirror is None else in_mirror
    return read_tagged(Teacher(found, in_mirror), image, CATEGORIES, tolerance, share)


def test_each_tag_gets_its_garment():
    shirt, trousers = garment(SHIRT, Shirt=0.6), garment(TROUSERS, Pants=0.7)
    pants, top = read([shirt, trousers])
    assert (pants.garment, top.garment) == (trousers, shirt)
    assert pants.agreed.tolist() == trousers.found.tolist()
    assert top.agreed.tolist() == shirt.found.tolist()
    assert top.disagreement[top.agreed] == pytest.approx(0, abs=1e-6)
    assert np.isinf(top.disagreement[~top.agreed]).all()


def test_the_most_likely_assignment_of_all_counts():
    one, two = garment(SHIRT, Shirt=0.5, Pants=0.4), garment(TROUSERS, Shirt=0.45, Pants=0.02)
    assert assigned([one, two], CATEGORIES) == [0, 1]  # trousers first: 0.4 * 0.45 > 0.02 * 0.5
    assert assigned([one, garment(TROUSERS, Skirt=0.9)], CATEGORIES) is None


def test_an_image_is_taken_whole_or_not_at_all():
    shirt, trousers = garment(SHIRT, Shirt=0.6), garment(TROUSERS, Pants=0.7)
    assert "more or fewer garments" in read([shirt])
    assert "more or fewer garments" in read([shirt, trousers, shirt])
    assert "other categories" in read([shirt, garment(TROUSERS, Skirt=0.9)])
    assert "do not agree" in read([shirt, trousers], [mirrored(shirt)])


def test_landmarks_on_which_the_mirror_image_disagrees_are_left_out():
    shirt, trousers = garment(SHIRT, Shirt=0.6), garment(TROUSERS, Pants=0.7)
    moved = SHIRT.copy()
    moved[2] += (10, 0)  # of a box of 100 by 70
    turned = [mirrored(trousers), mirrored(garment(moved, Shirt=0.6))]
    _, top = read([shirt, trousers], turned)
    assert top.agreed.tolist() == [True, True, False, True, False, False, True, True]
    assert top.disagreement[2] == pytest.approx(0.1)
    _, top = read([shirt, trousers], turned, tolerance=0.11)
    assert top.agreed[2]
    assert "do not agree" in read([shirt, trousers], turned, share=0.9)


def test_all_garments_of_a_photo_get_their_landmarks(tmp_path):
    """In a data set that knows the categories alone; what the readings do not agree on stays unlabelled."""
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / "a.png")
    document = small_document()
    document["images"] = [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}]
    document["annotations"] = [
        {"id": 10 + i, "image_id": 1, "category_id": c + 1, "iscrowd": 0}
        for i, c in enumerate(CATEGORIES)
    ]
    dataset = Dataset.from_document(document, schema=SCHEMA, image_root=tmp_path)
    shirt, trousers = garment(SHIRT, Shirt=0.6), garment(TROUSERS, Pants=0.7)
    shirt = replace(shirt, present=shirt.scores, visible=np.where(np.arange(8) < 2, 0.9, 0.2))
    moved = np.where(np.arange(8)[:, None] == 2, SHIRT + np.array((10, 0)), SHIRT)
    teacher = Teacher([shirt, trousers], [mirrored(trousers), mirrored(garment(moved, Shirt=1))])
    result, counts = pseudo_label([teacher], dataset)
    assert counts == {"images": 1, "garments": 2, "landmarks": 9, "asked": 10}
    pants, top = result.garment(10), result.garment(11)
    assert pants.visibility.tolist() == [0] * 4 + [2] * 4
    assert top.visibility.tolist() == [2, 2, 0, 1, 0, 0, 1, 1]
    np.testing.assert_allclose(pants.xy[4:], TROUSERS[4:])
    assert top.bbox == (10.0, 20.0, 100.0, 70.0)
    assert not pants.touched_by_human

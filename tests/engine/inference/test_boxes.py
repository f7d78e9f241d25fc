"""A garment inside a box that a person drew: the crop's landmarks, in the frame of the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from model_sets import SCHEMA, small_member, small_set
from napari_fashion.engine.inference.boxes import MARGIN, predict_in_box
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_set import load_model
from napari_fashion.images.transforms import crop_to_box


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boxes")
    one = Model.load(small_member(folder, "one", SCHEMA), "cpu")
    return one, load_model(small_set(folder / "set"), "cpu")


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(4).integers(0, 255, (90, 120, 3), dtype=np.uint8)


def single(model):
    decoder = model.inference.decoder.model_copy(
        update={"single_instance": True, "landmark_threshold": 0.0, "pif_threshold": 0.0}
    )
    return model.inference.overridden(decoder=decoder)


@pytest.mark.parametrize("kind", [0, 1])
def test_it_is_the_crops_prediction_moved_to_the_image(models, image, kind):
    model = models[kind]
    options = single(model)
    found = predict_in_box(model, image, (100, 70, 30, 20), options)  # corners in any order
    assert (found.width, found.height, found.model_id) == (120, 90, model.id)
    margin = options.refinement.margin if options.refinement else MARGIN
    crop = crop_to_box(image, np.array([[30, 20], [100, 70]], np.float32), margin)
    ((want,),) = [p.garments for p in model.predict([crop.image], options, crop=True)]
    (garment,) = found.garments
    assert want.found.any()
    assert garment.xy[want.found] == pytest.approx(want.xy[want.found] + np.array(crop.origin))
    assert garment.scores == pytest.approx(want.scores)


def test_a_box_that_reaches_over_the_edge_is_cut(models, image):
    model = models[0]
    options = single(model)
    over = predict_in_box(model, image, (-50, -50, 60, 60), options)
    cut = predict_in_box(model, image, (0, 0, 60, 60), options)
    assert over.garments[0].xy == pytest.approx(cut.garments[0].xy)


@pytest.mark.parametrize("box", [(-20, 10, -5, 40), (130, 10, 150, 40), (10, 95, 40, 99)])
def test_a_box_beside_the_image_is_refused(models, image, box):
    with pytest.raises(ValueError, match="outside the image of 120 x 90"):
        predict_in_box(models[0], image, box)


def test_where_nothing_is_found_there_is_no_garment(models, image):
    decoder = models[0].inference.decoder.model_copy(update={"landmark_threshold": 1.0})
    options = models[0].inference.overridden(decoder=decoder)
    assert predict_in_box(models[0], image, (10, 10, 60, 60), options).garments == ()

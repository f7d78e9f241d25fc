"""Inference pads in the colour of its options, which a model keeps and training has too."""

from __future__ import annotations

import pytest

from drawn import draw_dataset, tiny_recipe
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.inference.options import InferenceOptions, RefinementOptions
from napari_fashion.engine.model import Model
from napari_fashion.engine.padding import GREY
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.step import LossComputer
from napari_fashion.errors import RecipeError
from napari_fashion.images import read_image

WHITE = (255, 255, 255)


class Recording:
    """A runtime that keeps what it is shown."""

    def __init__(self, runtime) -> None:
        self.runtime, self.network, self.shown = runtime, runtime.network, []

    def run(self, images):
        self.shown.append(images)
        return self.runtime.run(images)


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("padding", ["grey", [255, 255, 255], [250, 255, 245]], ids=str)
def test_every_pass_pads_in_the_colour(tmp_path, padding, crop):
    """Detection, redetection and refinement, with their flipped images."""
    image = read_image(draw_dataset(tmp_path, 2, size=(192, 192)).parent / "images" / "002.png")
    model = Model.load("bundled", "cpu")
    model.pipeline.runtime = recording = Recording(model.runtime)
    refinement = RefinementOptions(redetect_size=224)
    easily = DecoderOptions(
        pif_threshold=0.01, seed_threshold=0.01, landmark_threshold=0.01, garment_threshold=0.0
    )
    options = InferenceOptions(
        input_size=192, padding=padding, refinement=refinement, decoder=easily
    )
    (found,) = model.predict([image], options, crop=crop)
    assert len(found.garments) > 0
    assert len(recording.shown) >= (1 if crop else 2)
    colour = GREY if padding == "grey" else tuple(padding)
    for images in recording.shown:
        for edge in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
            assert (edge == colour).all()


def test_a_model_keeps_its_padding_and_one_that_goes_on_has_it_too(drawn, tmp_path, monkeypatch):
    seen = []
    prepare = LossComputer.prepare

    def watched(self, batch, done):
        prepared = prepare(self, batch, done)
        seen.append(prepared.inputs)
        return prepared

    monkeypatch.setattr(LossComputer, "prepare", watched)
    still = {
        "box_view": 0, "rotation": 0, "shift": 0, "scale": [0.5, 0.5], "stretch": [1, 1], "flip": 0,
        "brightness": 0, "contrast": 0, "saturation": 0,
    }  # fmt: skip
    base = tiny_recipe(drawn, augment=still, schedule={"epochs": 1, "batch": 8, "max_steps": 1})
    white = base | {"inference": base["inference"] | {"padding": list(WHITE)}}
    train(Recipe.from_dict(white), tmp_path / "white", device="cpu")
    assert (seen[0][:, :, 0] == 255).all()
    assert Model.load(tmp_path / "white", "cpu").inference.padding == WHITE

    going_on = {
        "start_from": str(tmp_path / "white"),
        "data": {"train": [{"file": str(drawn)}]},
        "augment": still | {"hue": 0, "grey": 0, "noise": 0, "erase": 0, "quarter_turn": 0},
        "schedule": {"epochs": 1, "max_steps": 1},
    }
    seen.clear()
    train(Recipe.from_dict(going_on), tmp_path / "again", device="cpu")
    assert (seen[0][:, :, 0] == 255).all()
    assert Model.load(tmp_path / "again", "cpu").inference.padding == WHITE

    seen.clear()
    drawn_colours = going_on | {"augment": going_on["augment"] | {"padding": "random"}}
    train(Recipe.from_dict(drawn_colours), tmp_path / "random", device="cpu")
    corners = seen[0][:, :, 0, 0]
    assert len(corners.unique(dim=0)) == len(corners)
    assert Model.load(tmp_path / "random", "cpu").inference.padding == WHITE


def test_a_recipes_padding_is_checked(drawn):
    with pytest.raises(RecipeError, match=r"inference\.padding: found 'random'; expected \"grey\""):
        Recipe.from_dict(tiny_recipe(drawn, inference={"padding": "random"}))
    with pytest.raises(RecipeError, match=r"augment\.padding: found \[1, 2\]; expected .*random"):
        Recipe.from_dict(tiny_recipe(drawn, augment={"padding": [1, 2]}))

"""Sources of some body types: what is learned, ignored, taken as background, and shared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from drawn import SCHEMA, draw_dataset, tiny_recipe
from napari_fashion.coco.categories import UNCLEAR
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.loader import CanvasDataset, Drawn
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.model import Model
from napari_fashion.engine.targets.encode import encode_targets
from napari_fashion.engine.targets.options import TargetOptions
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.run_schema import choose_schema
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

DRESS = [
    *(40, 10, 2, 56, 10, 2, 20, 40, 2, 76, 40, 1),
    *(38, 45, 2, 58, 45, 2, 30, 90, 2, 66, 90, 2),
]
IGNORED = "garments of other or unknown body types, which are ignored"


@pytest.fixture
def wardrobe(tmp_path) -> Path:
    """Image 1: trousers, 2: a shirt, 3: a dress, 4: a shirt and trousers."""
    path = draw_dataset(tmp_path, 4, seed=5)
    document = json.loads(path.read_text())
    trousers, _, third, fourth = document["annotations"]
    assert fourth["category_id"] == SCHEMA.category_index("T-Shirt") + 1
    third |= {
        "category_id": SCHEMA.category_index("Dress") + 1,
        "keypoints": DRESS,
        "bbox": [15, 5, 66, 90],
        "area": 5000,
    }
    document["annotations"].append({**trousers, "id": 5, "image_id": 4})
    path.write_text(json.dumps(document))
    return path


def read(path: Path, schema: Schema = SCHEMA, **options) -> tuple[dict, Tally]:
    tally = Tally()
    images = load_sources([Source(file=str(path), **options)], schema, tally)
    return {image.key[2]: image for image in images}, tally


def test_all_body_types_are_learned_from_by_default(wardrobe) -> None:
    images, tally = read(wardrobe)
    assert sorted(images) == ["1", "2", "3", "4"]
    assert not tally
    assert all(image.shared is None for image in images.values())


def test_garments_of_other_body_types_give_no_loss_where_they_are(wardrobe) -> None:
    images, tally = read(wardrobe, body_types=["upper"])
    assert sorted(images) == ["2", "4"]
    assert tally.counts == {
        IGNORED: 3,
        "images without a garment of the body types to learn from": 2,
    }
    both = images["4"]
    assert both.category.tolist() == [SCHEMA.category_index("T-Shirt"), UNCLEAR]
    assert not both.crowd.any()
    assert (both.visibility[1] == 0).all()
    assert both.annotation_ids == (4, 5)
    assert both.judgeable == [0]


@pytest.mark.parametrize("unlabelled", ["absent", "unknown"])
def test_what_is_ignored_hides_nothing_of_what_is_learned(wardrobe, unlabelled) -> None:
    """The shirt lies on the trousers: its landmarks count, and nothing else does there."""
    images, _ = read(wardrobe, body_types=["upper"], unlabelled=unlabelled)
    alone, both = images["2"], images["4"]
    dataset = CanvasDataset([alone, both], 96, 0)
    batch = dataset.collate([dataset[Drawn(1, 0, 0)]]).garments
    batch.content[:] = torch.tensor([[0, 0], [96, 0], [96, 96], [0, 96]]) - 0.5
    targets = encode_targets(batch, SCHEMA, TargetOptions(), (12, 12), 8)
    collar, waist = (targets.pif.weight[0, k] for k in (0, 4))
    x0, y0, x1, y1 = ((both.box[1] + 0.5) / 8 - 0.5).tolist()
    inside = (slice(int(np.ceil(y0)), int(y1)), slice(int(np.ceil(x0)), int(x1)))
    assert (waist[inside] == 0).all()
    assert waist[0, 0] == 1  # away from both
    positive = targets.pif.confidence[0, 0] == 1
    assert positive.sum() == 16
    assert (collar[positive] == 1).all()
    assert set(targets.pif.cells[:, 1].tolist()) == set(SCHEMA.landmarks_of("upper"))


def test_other_body_types_can_be_background(wardrobe) -> None:
    images, tally = read(wardrobe, body_types=["upper"], others="negative")
    assert sorted(images) == ["1", "2", "3", "4"]
    assert [len(images[i].category) for i in "1234"] == [0, 1, 0, 1]
    assert images["4"].annotation_ids == (4,)
    assert images["4"].category_names == ("T-Shirt",)
    assert tally.counts == {"garments of other body types, which are taken as background": 3}


@pytest.mark.parametrize(
    ("body_type", "kept", "box"),
    [("upper", [0, 1, 2, 3, 6, 7], [20, 10, 76, 90]), ("lower", [4, 5, 6, 7], [30, 45, 66, 90])],
)
def test_a_full_garment_shares_the_landmarks_of_a_smaller_body_type(
    wardrobe, body_type, kept, box
) -> None:
    images, tally = read(wardrobe, body_types=[body_type], shared_landmarks=True)
    dress = images["3"]
    seen = np.array(DRESS).reshape(8, 3)
    others = [k for k in range(8) if k not in kept]
    np.testing.assert_array_equal(dress.xy[0, kept], seen[kept, :2])
    np.testing.assert_array_equal(dress.visibility[0, kept], seen[kept, 2])
    assert not dress.visibility[0, others].any()
    assert not dress.xy[0, others].any()
    assert np.flatnonzero(dress.member[0]).tolist() == kept
    assert dress.box[0].tolist() == box
    assert dress.category.tolist() == [UNCLEAR]
    assert dress.area[0] == (box[2] - box[0]) * (box[3] - box[1])  # not the whole dress's 5000
    assert not dress.can_be_judged
    assert dress.why_not_judged(0) == "garments of other body types, which only share landmarks"
    own = {"upper": "2", "lower": "1"}[body_type]
    assert images[own].can_be_judged
    assert (
        tally.counts["garments of other body types, which share landmarks but have no category"]
        == 1
    )
    assert tally.counts[IGNORED] == 2


def test_a_full_model_gets_nothing_from_smaller_body_types(wardrobe) -> None:
    images, _ = read(wardrobe, body_types=["full"], shared_landmarks=True)
    assert sorted(images) == ["3"]
    assert images["3"].category.tolist() == [SCHEMA.category_index("Dress")]
    assert images["3"].shared is None


def test_one_shared_landmark_is_too_few(wardrobe) -> None:
    document = json.loads(wardrobe.read_text())
    keypoints = document["annotations"][2]["keypoints"]
    for k in (4, 5, 6):
        keypoints[3 * k : 3 * k + 3] = [0, 0, 0]
    document["annotations"][2]["body_type"] = "full"
    wardrobe.write_text(json.dumps(document))
    images, _ = read(wardrobe, body_types=["lower"], shared_landmarks=True)
    assert "3" not in images


def test_a_garment_of_unknown_body_type_is_never_background(wardrobe) -> None:
    document = json.loads(wardrobe.read_text())
    document["annotations"][1]["category_id"] = 99
    wardrobe.write_text(json.dumps(document))
    images, tally = read(wardrobe, body_types=["lower"], others="negative")
    assert tally.counts[IGNORED] == 1
    assert "2" not in images
    document["annotations"][1]["body_type"] = "lower"  # the record may say it
    wardrobe.write_text(json.dumps(document))
    images, tally = read(wardrobe, body_types=["lower"], others="negative")
    assert (images["2"].visibility[0] > 0).sum() == 6


def test_body_types_that_cannot_be_are_refused(wardrobe) -> None:
    with pytest.raises(RecipeError, match=r"body_types has 'uper'.*expected some of upper, lower"):
        read(wardrobe, body_types=["uper"])
    for options, words in (
        ({"shared_landmarks": True}, "body_types is nothing; expected one body type"),
        ({"shared_landmarks": True, "body_types": ["upper", "lower"]}, "expected one body type"),
        ({"others": "negative"}, "expected body_types beside it"),
        ({"body_types": []}, "body_types"),
    ):
        with pytest.raises(ValidationError, match=words):
            Source(file="a.json", **options)


def test_categories_of_other_body_types_are_not_added_to_a_start(wardrobe) -> None:
    start = Schema.load("garments")
    start = start.with_categories(c for c in start.categories if c.name == "Pants")
    source = Source(file=str(wardrobe))
    assert choose_schema(None, [source], start).category_names == ("Pants", "Dress", "T-Shirt")
    of_upper = source.model_copy(update={"body_types": ["upper"], "shared_landmarks": True})
    assert choose_schema(None, [of_upper], start).category_names == ("Pants", "T-Shirt")


def test_a_model_of_one_body_type_is_trained(tmp_path) -> None:
    path = draw_dataset(tmp_path, 12, seed=1)
    source = {"file": str(path), "body_types": ["lower"], "shared_landmarks": True}
    recipe = Recipe.from_dict(
        tiny_recipe(path, data={"train": [source]}, schedule={"epochs": 1, "batch": 4})
    )
    train(recipe, tmp_path / "run", device="cpu")
    info = Model.load(tmp_path / "run", "cpu").info
    assert info.data["train_images"] + info.data["validation_images"] == 6
    assert info.recipe["data"]["train"][0]["body_types"] == ["lower"]

"""Nothing of a source is passed over in silence, and nothing odd becomes a bad training step."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drawn import SCHEMA, draw_dataset
from napari_fashion.coco.categories import FOREIGN, UNCLEAR, CategoryAnswer
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.loader import CanvasDataset, Drawn
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.category_metrics import category_ranks, top
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.targets.encode import encode_targets
from napari_fashion.engine.targets.options import TargetOptions
from napari_fashion.errors import FashionError, ImageError, RecipeError
from napari_fashion.tally import Tally


@pytest.fixture
def six(tmp_path) -> Path:
    """Six drawn images with one garment each."""
    return draw_dataset(tmp_path, 6, seed=5)


def changed(path: Path, annotation=None, image=None, **document) -> Path:
    """The first annotation and image with other values."""
    data = json.loads(path.read_text())
    data["annotations"][0] |= annotation or {}
    data["images"][0] |= image or {}
    path.write_text(json.dumps(data | document))
    return path


def read(path: Path, **options) -> tuple[list, Tally]:
    tally = Tally()
    return load_sources([Source(file=str(path), **options)], SCHEMA, tally), tally


def test_a_sound_source_leaves_nothing_out(six) -> None:
    images, tally = read(six)
    assert len(images) == 6
    assert not tally


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({"keypoints": [40, 20] * 8}, "keypoints of 16 numbers"),
        ({"keypoints": ["4", "2", "2"] * 8}, "keypoints of '4' among the numbers"),
        ({"keypoints": {"x": 1}}, "keypoints of {'x': 1}"),
    ],
)
def test_keypoints_of_another_form_are_a_region_to_ignore(six, annotation, words) -> None:
    kind = "garments whose keypoints have another form"
    images, tally = read(changed(six, annotation))
    assert len(images) == 5
    assert words in tally.examples[kind][0]
    assert "001.png: annotation 1" in tally.examples[kind][0]
    assert tally.counts["images without a garment to learn from or to judge by"] == 1
    data = json.loads(six.read_text())
    data["annotations"].append(data["annotations"][1] | {"id": 99, "image_id": 1})
    six.write_text(json.dumps(data))
    images, _ = read(six)
    (both,) = (p for p in images if p.key == "001.png")
    x, y, w, h = data["annotations"][0]["bbox"]
    assert both.crowd.tolist() == [False, True]
    np.testing.assert_allclose(both.box[1], [x, y, x + w, y + h], rtol=1e-5)
    images, _ = read(changed(six, {"bbox": [math.nan] * 4}))  # nobody knows where it is
    (both,) = (p for p in images if p.key == "001.png")
    assert both.box[1].tolist() == [0, 0, 96, 96]


def test_landmarks_far_outside_are_not_labelled(six) -> None:
    flat = json.loads(six.read_text())["annotations"][0]["keypoints"]
    odd = list(flat)
    odd[12:15] = [1e308, -1e300, 2]
    images, tally = read(changed(six, {"keypoints": odd}))
    assert tally.counts == {"landmarks far outside their image": 1}
    assert "in 96 x 96 pixels" in str(tally)
    garment = images[0]
    assert garment.visibility[0, 4] == 0
    assert np.isfinite(garment.xy).all()
    assert (garment.visibility[0] > 0).sum() == 3
    everywhere = [v + 1000 if i % 3 < 2 and flat[i // 3 * 3 + 2] else v for i, v in enumerate(flat)]
    images, tally = read(changed(six, {"keypoints": everywhere}))
    assert tally.counts["landmarks far outside their image"] == 4
    assert not (images[0].visibility > 0).any()


@pytest.mark.parametrize(
    "box",
    [
        [math.nan] * 4,
        [1e308, 1e308, 1e308, 1e308],
        [10, 10, -20, 30],
        [10, 10, 0, 30],
        [-(10**400), 1, 2, 3],
        "10 20 30 40",
        [1, 2],
        {"x": 1},
    ],
    ids=repr,
)
def test_a_box_that_is_none_makes_place_for_the_landmarks_own(six, box) -> None:
    good, _ = read(six)
    images, tally = read(changed(six, {"bbox": box}))
    kind = "boxes that cannot be used, in place of which the landmarks' own counts"
    assert tally.counts == {kind: 1}
    np.testing.assert_allclose(images[0].box, good[0].box, rtol=1e-5)
    dataset = CanvasDataset(images, 96, 0)
    batch = dataset.collate([dataset[Drawn(0, 0, 0)]])
    assert torch.isfinite(batch.garments.box).all()
    targets = encode_targets(batch.garments, SCHEMA, TargetOptions(), (12, 12), 8)
    ends = [*targets.pif.points, *targets.paf.points]
    tensors = [targets.pif.confidence, targets.paf.confidence, *(t for end in ends for t in end)]
    assert all(torch.isfinite(values.float()).all() for values in tensors)


def test_images_that_are_not_there_or_other_than_said(six) -> None:
    folder = six.parent / "images"
    (folder / "002.png").unlink()
    (folder / "003.png").write_bytes(b"nothing")
    Image.new("RGB", (40, 50)).save(folder / "004.png")
    path = changed(six, image={"file_name": None})
    images, tally = read(path)
    assert [p.key for p in images] == ["005.png", "006.png"]
    assert tally.counts == {
        "images that are missing or cannot be read": 3,
        "images of another size than their record": 1,
    }
    assert "004.png has 40 x 50 pixels, the file says 96 x 96" in str(tally)
    assert "image 1 has no file_name" in str(tally)


def test_a_size_that_is_not_known_is_the_images(six) -> None:
    images, tally = read(changed(six, image={"width": None, "height": "tall"}))
    assert images[0].size == (96, 96)
    assert not tally


def test_what_has_no_image_no_landmark_or_is_a_crowd_is_counted(six) -> None:
    data = json.loads(six.read_text())
    data["annotations"][0]["image_id"] = 77
    data["annotations"][1] |= {"keypoints": [0] * 24, "num_keypoints": 0}
    data["annotations"][2]["iscrowd"] = 1
    data["annotations"][3]["fashion"] = {"source": "model:x"}
    six.write_text(json.dumps(data))
    images, tally = read(six)
    assert len(images) == 4
    assert tally.counts == {
        "annotations of no image": 1,
        "predicted garments that nobody has reviewed": 1,
        "images without a garment to learn from or to judge by": 2,
        "garments without landmarks, of which only the category counts": 1,
        "crowds, which are regions to ignore": 1,
    }
    assert "annotation 1 has the image_id 77" in str(tally)


def test_nothing_left_says_why(six) -> None:
    data = json.loads(six.read_text())
    for annotation in data["annotations"]:
        annotation["keypoints"] = annotation["keypoints"][:16]
    six.write_text(json.dumps(data))
    with pytest.raises(RecipeError, match=r"nothing to learn from.*keypoints have another form: 6"):
        read(six)


def test_a_detection_file_says_that_it_has_no_landmarks(six) -> None:
    data = json.loads(six.read_text())
    for category in data["categories"]:
        del category["keypoints"]
    for annotation in data["annotations"]:
        del annotation["keypoints"]
    six.write_text(json.dumps(data))
    images, tally = read(six)
    assert tally.counts == {"garments without landmarks, of which only the category counts": 6}
    with pytest.raises(FashionError, match="fewer than two labelled landmarks: 6"):
        evaluate_images(None, images, tally=tally)


def test_categories_that_the_model_lacks_are_wrong_and_said(six) -> None:
    data = json.loads(six.read_text())
    for category in data["categories"]:
        category["name"] = {"T-Shirt": "Tee", "Pants": "Slacks"}.get(
            category["name"], category["name"]
        )
    data["annotations"][0]["category_id"] = 99
    six.write_text(json.dumps(data))
    images, tally = read(six)
    assert [int(p.category[0]) for p in images] == [UNCLEAR, *[FOREIGN] * 5]
    (kind,) = tally.counts
    assert kind.startswith("garments of categories that the model lacks")
    assert "002.png: Tee" in str(tally)
    answer = CategoryAnswer("ask", {"T-Shirt": "Tee"})
    again = load_sources([Source(file=str(six))], SCHEMA, answer=answer)
    shirt = SCHEMA.category_index("T-Shirt")
    assert [int(p.category[0]) for p in again] == [UNCLEAR, *[shirt, FOREIGN] * 2, shirt]
    table = six.with_name("map.toml")
    table.write_text('[categories]\n"T-Shirt" = ["Tee", "Slacks"]\n')
    both = load_sources([Source(file=str(six), categories=str(table))], SCHEMA)
    assert [int(p.category[0]) for p in both] == [UNCLEAR, *[shirt] * 5]
    ranks = category_ranks(np.eye(3), [0, UNCLEAR, FOREIGN])
    assert len(ranks) == 2
    assert top(ranks, 5) == top(ranks, 1) == 0.5


def test_an_image_that_goes_after_the_start_does_not_end_the_run(six) -> None:
    images, _ = read(six)
    (six.parent / "images" / "002.png").unlink()
    dataset = CanvasDataset(images, 96, 1)
    dataset.preload()
    assert dataset[Drawn(1, 0, 0)][-1].image == 2  # the next one
    assert ["002.png" in reason for reason in dataset.broken.values()] == [True]
    for image in images:
        image.path.unlink(missing_ok=True)
    gone = CanvasDataset(images, 96, 0)
    with pytest.raises(ImageError):
        gone[Drawn(0, 0, 0)]
    with pytest.raises(ImageError):
        gone[Drawn(0, 0, 0)]


def test_hidden_landmarks_alone_cannot_be_judged(six) -> None:
    data = json.loads(six.read_text())
    for annotation in data["annotations"]:
        annotation["keypoints"] = [
            min(v, 1) if i % 3 == 2 else v for i, v in enumerate(annotation["keypoints"])
        ]
    six.write_text(json.dumps(data))
    images, tally = read(six)
    for protocol in ("box", "whole"):
        with pytest.raises(FashionError, match=r"No landmark.*without a visible landmark.*: 6"):
            evaluate_images(None, images, protocol=protocol, tally=tally)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(123.5, 123.5), (0, 0.0), (None, None), ("7", None), (-1, None), (True, None), (1e30, None)],
)
def test_the_area_is_the_files_own_else_that_of_the_box(six, given, expected) -> None:
    images, _ = read(changed(six, annotation={"area": given}))
    x0, y0, x1, y1 = images[0].box[0].astype(float)
    assert images[0].area[0] == pytest.approx(
        (x1 - x0) * (y1 - y0) if expected is None else expected
    )
    others = [float(i.area[0]) for i in images[1:]]
    data = json.loads(six.read_text())
    assert others == pytest.approx([a["area"] for a in data["annotations"][1:]])


@pytest.mark.parametrize(
    ("unlabelled", "absent"), [("absent", True), ("unknown", False), (None, False)]
)
def test_a_landmark_without_a_label_is_there_or_not_as_the_source_says(
    six, unlabelled, absent
) -> None:
    """What is absent is learned as background; what is unknown gives no loss in the garment's box."""
    document = json.loads(six.read_text())
    landmark = next(i for i, v in enumerate(document["annotations"][0]["keypoints"][2::3]) if v)
    document["annotations"][0]["keypoints"][3 * landmark : 3 * landmark + 3] = [0, 0, 0]
    six.write_text(json.dumps(document))
    images = load_sources([Source(file=str(six), unlabelled=unlabelled)], SCHEMA)
    assert images[0].absent is absent
    dataset = CanvasDataset(images, 96, 0)
    garments = dataset.collate([dataset[Drawn(0, 0, 0)]]).garments
    assert bool(garments.member[0, 0, landmark]) is not absent
    content = torch.tensor([[0, 0], [96, 0], [96, 96], [0, 96]]) - 0.5
    garments = replace(garments, content=content[None].float())
    weight = encode_targets(garments, SCHEMA, TargetOptions(), (12, 12), 8).pif.weight[0, landmark]
    assert bool((weight == 0).any()) is not absent

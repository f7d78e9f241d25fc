from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from drawn import SCHEMA, draw_dataset
from napari_fashion.cli import pseudo_label as command
from napari_fashion.coco import Dataset
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.split import split_images
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.model import Model
from napari_fashion.engine.pseudo_label import AgreementOptions, pseudo_label, read_garment
from napari_fashion.errors import CheckpointError, RecipeError
from napari_fashion.images import read_image
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally


@pytest.fixture(scope="module")
def model(trained):
    return Model.load(trained[0], "cpu")


@pytest.fixture
def unlabelled(tmp_path):
    """A drawn data set whose landmarks are taken away, and the truth."""
    path = draw_dataset(tmp_path, 8, seed=77)
    document = json.loads(path.read_text())
    truth = {a["id"]: np.reshape(a["keypoints"], (-1, 3)) for a in document["annotations"]}
    for annotation, image in zip(document["annotations"], document["images"], strict=True):
        annotation |= {"keypoints": [0] * 24, "num_keypoints": 0}
        annotation["bbox"] = [0, 0, image["width"], image["height"]]
    path.write_text(json.dumps(document))
    return Dataset.load(path), truth


def test_landmarks_come_where_they_are_and_say_who_placed_them(model, unlabelled, tmp_path):
    dataset, truth = unlabelled
    result, counts = pseudo_label([model], dataset, AgreementOptions(tolerance=0.1))
    assert counts["images"] == 8
    assert counts["garments"] >= 6
    found = asked = 0
    for image in result.images:
        (garment,) = result.garments_of(image.id)
        there = truth[garment.id][:, 2] > 0
        asked += int(there.sum())
        assert not (garment.visibility[~there] > 0).any()  # of its body type only
        assert garment.category == dataset.garments_of(image.id)[0].category
        seen = garment.visibility > 0
        if seen.any():
            assert garment.source == f"model:{model.id}"
            error = np.linalg.norm(garment.xy[seen] - truth[garment.id][seen, :2], axis=1)
            assert error.mean() < 6
        found += int(seen.sum())
    assert found == counts["landmarks"] <= counts["asked"] == asked
    result.save(tmp_path / "pseudo.json")
    assert not (dataset.garments_of(1)[0].visibility > 0).any()  # the input is left as it was


def test_what_does_not_agree_is_not_told(model, unlabelled):
    dataset, _ = unlabelled
    result, counts = pseudo_label([model], dataset, AgreementOptions(tolerance=0.0))
    assert counts["garments"] == counts["landmarks"] == 0
    assert result.to_document()["annotations"] == dataset.to_document()["annotations"]


def test_the_options_are_bounded_and_the_commands_are_theirs() -> None:
    for wrong in ({"tolerance": -1}, {"share": 2}, {"place": "last"}, {"margin": math.nan}):
        with pytest.raises(ValidationError):
            AgreementOptions(**wrong)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = parser.parse_args(["a.json", "--out", "b.json"])
    ours = AgreementOptions()
    assert (given.tolerance, given.place) == (ours.tolerance, ours.place)


def test_agreement_is_measured_by_the_box(model, unlabelled):
    dataset, _ = unlabelled
    from napari_fashion.images import read_image

    image = read_image(dataset.images[0].path)
    category = SCHEMA.category_index("Pants")
    loose = read_garment([model], image, category, AgreementOptions(tolerance=1e9, share=0))
    size = np.array([image.shape[1], image.shape[0]])
    inside = ((loose.xy >= -0.5) & (loose.xy <= size - 0.5)).all(1)
    assert (loose.agreed == (loose.member & inside)).all()
    assert set(np.flatnonzero(loose.member)) == {4, 5, 6, 7}
    limit = float(np.sort(loose.disagreement[loose.member])[-2])
    tighter = read_garment([model], image, category, AgreementOptions(tolerance=limit))
    assert tighter.agreed.sum() == 3
    twice = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    larger = read_garment([model], twice, category, AgreementOptions(tolerance=1e9))
    ours = loose.member  # shares of the box, not pixels
    assert np.allclose(larger.disagreement[ours], loose.disagreement[ours], atol=0.03)
    none = read_garment([model], image, category, AgreementOptions(tolerance=limit, share=0.9))
    assert not none.agreed.any()


def test_images_with_landmarks_or_without_category_are_left_alone(model, drawn):
    dataset = Dataset.load(drawn)
    result, counts = pseudo_label([model], dataset)
    assert counts == {"images": 0, "garments": 0, "landmarks": 0, "asked": 0}
    assert result.to_document()["annotations"] == dataset.to_document()["annotations"]


def test_pseudo_landmarks_are_learned_from_only_where_the_recipe_says_so(
    model, unlabelled, tmp_path
):
    dataset, _ = unlabelled
    result, counts = pseudo_label([model], dataset, AgreementOptions(tolerance=0.1))
    path = tmp_path / "pseudo.json"
    result.save(path)
    source = Source(file=str(path), images=str(dataset.image_root), pseudo=True)
    images = load_sources([source], SCHEMA)
    assert sum(int((p.visibility > 0).sum()) for p in images) == counts["landmarks"]
    validation = split_images(images, 0.5, 0).validation
    assert not validation  # no model is judged by another's word
    with pytest.raises(RecipeError, match="nothing to learn from"):
        load_sources([source.model_copy(update={"pseudo": False})], SCHEMA)


def test_reviewed_and_unreadable_images_keep_what_they_have(model, unlabelled):
    dataset, _ = unlabelled
    dataset.set_value("images", 1, ["fashion"], {"reviewed": True})
    (dataset.image_root / "002.png").write_bytes(b"no image")
    tally = Tally()
    options = AgreementOptions(tolerance=0.5)
    result, counts = pseudo_label([model], dataset, options, tally=tally)
    assert counts["images"] == 6
    assert tally.counts["images that a person has reviewed"] == 1
    (unreadable,) = tally.examples["images that are missing or cannot be read"]
    assert "002.png" in unreadable
    for image_id in (1, 2):
        (garment,) = dataset.garments_of(image_id)
        assert result.text("annotations", garment.id) == dataset.text("annotations", garment.id)


def test_another_schema_is_refused(model, tmp_path):
    other = Dataset.from_document(
        {
            "images": [],
            "annotations": [],
            "categories": [{"id": 1, "name": "x", "keypoints": ["a"]}],
        },
        image_root=tmp_path,
    )
    assert other.schema.landmarks != Schema.load("garments").landmarks
    with pytest.raises(CheckpointError, match=r"finds \d+ landmarks"):
        pseudo_label([model], other)


def test_the_first_model_can_place_what_the_others_only_confirm(model, trained, unlabelled):
    from napari_fashion.images import read_image

    other = Model.load(trained[0], "cpu")
    with torch.no_grad():
        other.network.pif.conv.bias.add_(0.5)  # votes beside
    image = read_image(unlabelled[0].images[0].path)
    category = SCHEMA.category_index("Pants")
    options = AgreementOptions(tolerance=1e9)
    alone = read_garment([model], image, category, options)
    mean = read_garment([model, other], image, category, options)
    first = read_garment(
        [model, other], image, category, options.model_copy(update={"place": "first"})
    )
    ours = alone.member
    assert not np.allclose(mean.xy[ours], alone.xy[ours], atol=1e-3)
    assert np.abs(first.xy - alone.xy)[ours].mean() < np.abs(mean.xy - alone.xy)[ours].mean()
    assert (first.disagreement[first.member] > 0).all()


def test_only_the_second_look_is_at_a_cut_image(trained, unlabelled, monkeypatch):
    dataset, _ = unlabelled
    model = Model.load(trained[0], "cpu")
    model.info.inference = model.info.inference.model_copy(update={"crop_aspect": 0.0})
    shapes = []
    fields = model.pipeline.fields

    def watched(images, sizes, *, flip, padding, aspect):
        found = fields(images, sizes, flip=flip, padding=padding, aspect=aspect)
        shapes.append((aspect, found[0].grid))
        return found

    monkeypatch.setattr(model.pipeline, "fields", watched)
    from napari_fashion.images import read_image

    image = read_image(dataset.images[0].path)[8:]
    read_garment([model], image, SCHEMA.category_index("Dress"))
    assert [aspect for aspect, _ in shapes] == [1.0, 0.0]
    assert shapes[0][1][0] != shapes[0][1][1]
    assert shapes[1][1][0] == shapes[1][1][1]


def test_what_is_passed_over_is_counted_by_reason(model, unlabelled):
    dataset, _ = unlabelled
    document = dataset.to_document()
    garments = {a["image_id"]: a for a in document["annotations"]}
    document["annotations"].append(garments[1] | {"id": 90})
    document["annotations"].remove(garments[2])
    garments[3]["category_id"] = 99
    garments[4]["keypoints"] = [1, 2] * 8
    garments[5]["keypoints"] = [9, 9, 2, *[0] * 21]
    garments[6]["fashion"] = "ours"
    document["images"][6]["file_name"] = None
    document["categories"][0]["name"] = "Toga"
    garments[8]["category_id"] = document["categories"][0]["id"]
    odd = Dataset.from_document(document, image_root=dataset.image_root)
    tally = Tally()
    result, counts = pseudo_label([model], odd, tally=tally)
    assert counts == {"images": 1, "garments": 0, "landmarks": 0, "asked": 0}
    assert sorted(tally.counts.values()) == [1] * 8
    for words in (
        "more or fewer garments were found than the tags name",
        "no garment",
        "category is not recorded",
        "keypoints of another form",
        "landmarks already",
        "another tool",
        "without a file_name",
        "category that the model lacks",
    ):
        assert any(words in kind for kind in tally.counts), words
    assert result.to_document()["annotations"] == odd.to_document()["annotations"]


def test_a_detection_file_gets_landmarks_and_their_names(model, unlabelled):
    dataset, _ = unlabelled
    document = dataset.to_document()
    for category in document["categories"]:
        del category["keypoints"], category["skeleton"]
    for annotation in document["annotations"]:
        del annotation["keypoints"], annotation["num_keypoints"]
    boxes = Dataset.from_document(document, fallback=SCHEMA, image_root=dataset.image_root)
    result, counts = pseudo_label([model], boxes, AgreementOptions(tolerance=0.1))
    assert counts["garments"] >= 6
    again = Dataset.from_document(result.to_document())  # says itself what its landmarks are
    assert again.schema.landmarks == SCHEMA.landmarks
    assert sum(int((g.visibility > 0).sum()) for g in again.garments) == counts["landmarks"]
    assert dataset.schema.landmarks == SCHEMA.landmarks


class Telling:
    """A model that tells, beside what it finds, presence and visibility."""

    def __init__(self, model, visible, present=1.0, threshold=0.5):
        self._model, self._told = model, (visible, present)
        options = VisibilityOptions(present_threshold=0.3, visible_threshold=threshold)
        self.schema, self.id = model.schema, model.id
        self.inference = model.inference.model_copy(update={"visibility": options})

    def only(self, body_types):
        return self

    def predict(self, images, options, *, crop):
        visible, present = (np.broadcast_to(np.float32(v), (8,)) for v in self._told)
        found = self._model.predict(images, options, crop=crop)
        least = self.inference.visibility.visible_threshold
        return [
            replace(p, garments=tuple(
                replace(g, visible=visible, present=present, visible_threshold=least)
                for g in p.garments
            ))
            for p in found
        ]  # fmt: skip


def test_pseudo_labels_say_what_the_teachers_say_is_hidden(model, unlabelled):
    dataset, _ = unlabelled
    visible = np.linspace(0, 1, 8)
    result, counts = pseudo_label(
        [Telling(model, visible)], dataset, AgreementOptions(tolerance=0.1)
    )
    assert counts["landmarks"] > 20
    for garment in result.garments:
        seen = garment.visibility > 0
        expected = np.where(visible >= 0.5, 2, 1)
        np.testing.assert_array_equal(garment.visibility[seen], expected[seen])
        if seen.any():
            np.testing.assert_allclose(garment.landmark_visible, visible, atol=1e-4)


def test_most_teachers_decide_and_what_is_not_there_gets_no_label(model, unlabelled):
    dataset, _ = unlabelled
    image = read_image(dataset.images[0].path)
    category = dataset.garments_of(1)[0].category
    options = AgreementOptions(tolerance=1e9, share=0)

    def read(*teachers):
        return read_garment(teachers, image, category, options)

    hidden, seen = Telling(model, 0.4), Telling(model, 0.4, threshold=0.3)
    for teachers, expected in (
        ((hidden, seen, seen), 2), ((hidden, hidden, seen), 1), ((hidden, seen), 1), ((seen, hidden), 2),
        ((model,), 2), ((model, hidden), 1),
    ):  # fmt: skip
        found = read(*teachers)
        assert set(found.visibility[found.agreed]) == {expected}
    present = np.where(np.arange(8) < 4, 0.2, 0.9)
    found = read(model, Telling(model, 0.9, present))
    assert found.agreed.any()
    assert not found.agreed[:4].any()

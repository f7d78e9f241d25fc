"""A run that starts from a model: its defaults, its split, what it says, and how it is judged."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from drawn import SCHEMA, draw_dataset, tiny_recipe
from grown import more_landmarks
from napari_fashion.coco import Dataset
from napari_fashion.datasets.source import Source
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.model import Model
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import CompareEvent, NoticeEvent, StartEvent, StepEvent
from napari_fashion.engine.train.fine_tuning import (
    FineTuning,
    batch_for,
    epochs_for,
    name_for,
    require_images,
)
from napari_fashion.engine.train.options import FINE_TUNING, fine_tuning_defaults
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.setup import set_up
from napari_fashion.errors import FashionError


def shortest(trained, path, **changes):
    """The recipe of two lines, and what a test sets beside them."""
    source = {"file": str(path), "images": str(changes.pop("images", path.parent / "images"))}
    recipe = {"start_from": str(trained[0]), "data": {"train": [source]}}
    for key, value in changes.items():
        recipe[key] = {**recipe.get(key, {}), **value} if isinstance(value, dict) else value
    return recipe


def run(recipe, folder, **options):
    events = []
    path = train(Recipe.from_dict(recipe), folder, device="cpu", emit=events.append, **options)
    return path, events


def prepared(recipe, tmp_path):
    return set_up(Recipe.from_dict(recipe), tmp_path / "run", resume=False, device="cpu")


def messages(events):
    return [event.message for event in events if isinstance(event, NoticeEvent)]


# -- defaults --------------------------------------------------------------------------------------


def test_what_a_recipe_that_starts_from_a_model_leaves_open_is_fine_tunings():
    own = {
        "start_from": "bundled",
        "data": {"train": [{"file": "a.json"}]},
        "optimiser": {"lr": 1e-3, "kind": "sgd"},
        "schedule": {"epochs": 4},
    }
    recipe = Recipe.from_dict(own).going_on_from(NetworkConfig(), {}, InferenceOptions())
    for table, values in FINE_TUNING.items():
        for key, value in values.items():
            expected = own.get(table, {}).get(key, value)
            assert getattr(getattr(recipe, table), key) == expected, (table, key)
    assert (recipe.optimiser.lr, recipe.optimiser.kind) == (1e-3, "sgd")
    assert recipe.schedule.warmup_epochs == pytest.approx(0.4)
    # From scratch, nothing of it.
    del own["start_from"]
    alone = Recipe.from_dict(own)
    assert not alone.optimiser.freeze_norms
    assert alone.data.balance == 0.5


def test_what_is_new_changes_the_defaults():
    usual = fine_tuning_defaults(False, 0.0)
    assert usual == FINE_TUNING
    some, most = fine_tuning_defaults(True, 0.3), fine_tuning_defaults(True, 0.9)
    assert some["schedule"]["epochs"] > usual["schedule"]["epochs"]
    assert some["optimiser"] == usual["optimiser"]
    assert most["optimiser"]["lr"] > some["optimiser"]["lr"]  # backbone and neck have to follow
    assert most["optimiser"]["keep_start"] == 0
    assert most["optimiser"]["weight_decay"] == usual["optimiser"]["weight_decay"]


@pytest.mark.parametrize(("images", "batch"), [(1, 2), (5, 2), (6, 3), (12, 6), (16, 8), (1000, 8)])
def test_the_batch_follows_from_the_images(images, batch):
    assert batch_for(images) == batch


@pytest.mark.parametrize(
    ("images", "batch", "epochs"),
    [(1, 2, 30), (12, 6, 30), (24, 8, 20), (48, 8, 10), (1000, 8, 10)],
)
def test_few_images_are_passed_over_more_often(images, batch, epochs):
    assert epochs_for(images, batch, 10) == epochs


def test_a_run_picks_its_batch_unless_the_recipe_does(drawn, trained, tmp_path):
    few = tmp_path / "few.json"
    Dataset.load(drawn).subset(list(range(1, 13))).save(few)
    recipe = shortest(trained, few, images=drawn.parent / "images", data={"validation_share": 0.0})
    setup = prepared(recipe, tmp_path)
    assert setup.recipe.schedule.batch == 6
    assert (setup.recipe.schedule.epochs, setup.recipe.schedule.warmup_epochs) == (30, 1.0)
    assert setup.averaged.info.recipe["schedule"]["batch"] == 6
    assert setup.recipe.optimiser.freeze_norms
    recipe["schedule"] = {"batch": 5, "epochs": 3}
    own = prepared(recipe, tmp_path).recipe.schedule
    assert (own.batch, own.epochs, own.warmup_epochs) == (5, 3, pytest.approx(0.3))


def test_a_document_has_only_what_is_set():
    assert FineTuning().document("a.json") == {
        "name": "retrained", "start_from": "bundled", "data": {"train": [{"file": "a.json"}]},
    }  # fmt: skip
    full = FineTuning("runs/x", "mine", 3, 1e-4, 0.1).document(
        "a.json", images="pics", allow_roots=["more"]
    )
    recipe = Recipe.from_dict(full)
    assert (recipe.start_from, recipe.name, recipe.schedule.epochs) == ("runs/x", "mine", 3)
    assert (recipe.optimiser.lr, recipe.data.validation_share) == (1e-4, 0.1)
    assert recipe.data.train == [Source(file="a.json", images="pics", allow_roots=["more"])]


@pytest.mark.parametrize(
    ("file", "name"), [("a/my export.json", "my-export"), ("ü.json", "retrained"), ("x.y.json", "x.y")]
)  # fmt: skip
def test_the_name_of_a_run_is_its_files(tmp_path, file, name):
    assert name_for(tmp_path / file) == name
    Recipe.from_dict({"name": name, "data": {"train": [{"file": "a.json"}]}})


def test_too_few_images_are_refused(drawn, tmp_path):
    document = json.loads(drawn.read_text())
    for annotation in document["annotations"][1:]:
        annotation["fashion"] = {"source": "model:x", "score": 0.9}
    path = tmp_path / "one.json"
    path.write_text(json.dumps(document))
    source = Source(file=str(path), images=str(drawn.parent / "images"))
    with pytest.raises(
        FashionError, match="1 image is annotated by a person or reviewed; expected at least 2"
    ):
        require_images(source)
    document["images"][5]["fashion"] = {"reviewed": True}
    path.write_text(json.dumps(document))
    require_images(source)


# -- notices ---------------------------------------------------------------------------------------


def test_new_and_dropped_fields_are_named_before_the_run_starts(drawn, trained, tmp_path):
    path = more_landmarks(drawn, tmp_path / "more.json", 12)
    document = json.loads(path.read_text())
    for category in document["categories"]:
        if category["name"] == "Pants":
            category["name"] = "Kilt"
        category["keypoints"][0] = "collar_left"  # another name is another landmark
    path.write_text(json.dumps(document))
    recipe = shortest(
        trained, path, images=drawn.parent / "images", schedule={"max_steps": 1},
        data={"validation_share": 0.0},
    )  # fmt: skip
    _, events = run(recipe, tmp_path / "run")
    first_step = next(i for i, e in enumerate(events) if isinstance(e, StepEvent))
    said = messages(events[:first_step])
    assert isinstance(events[0], StartEvent)
    assert said == messages(events)
    new = next(m for m in said if "landmarks that tiny-" in m and m.startswith("New:"))
    assert "5 landmarks" in new
    assert "collar_left (24 garments)" in new
    assert "hem_centre (48 garments)" in new
    assert any("1 category that tiny-" in m and "Kilt (24 garments)" in m for m in said)
    assert any(m.startswith("Dropped: 1 landmark of tiny-") and "left_collar" in m for m in said)
    assert any(m.startswith("Dropped: 1 category of") and "Pants" in m for m in said)
    assert any("edges between landmarks" in m for m in said)
    levels = {e.level for e in events if isinstance(e, NoticeEvent) and "Dropped" in e.message}
    assert levels == {"warning"}


def test_what_hardly_any_garment_shows_is_a_warning(drawn, trained, tmp_path):
    document = json.loads(drawn.read_text())
    document["categories"].append(
        {"id": 99, "name": "Kilt", "keypoints": list(SCHEMA.landmarks), "skeleton": []}
    )
    for annotation in document["annotations"][:2]:
        annotation["category_id"] = 99
    path = tmp_path / "two.json"
    path.write_text(json.dumps(document))
    recipe = shortest(trained, path, images=drawn.parent / "images", data={"validation_share": 0.0})
    (notice,) = prepared(recipe, tmp_path).notices
    assert notice.level == "warning"
    assert "1 category that fewer than 5 garments show" in notice.message
    assert "Kilt (2)" in notice.message


def test_the_same_fields_need_no_word(drawn, trained, tmp_path):
    (notice,) = prepared(shortest(trained, drawn), tmp_path).notices
    assert "has learned from them" in notice.message  # of the split; nothing of the fields


# -- who is judged by what -------------------------------------------------------------------------


def test_named_validation_images_that_the_start_has_learned_from_are_not_used(
    drawn, trained, tmp_path
):
    split = Model.load(trained[0], "cpu").info.data["split"]
    more = draw_dataset(tmp_path / "more", 8, seed=5)
    for pixels in (tmp_path / "more" / "images").iterdir():
        pixels.rename(pixels.with_name(f"new{pixels.name}"))
    document = json.loads(more.read_text())
    for image in document["images"]:
        image["file_name"] = "new" + image["file_name"]
    more.write_text(json.dumps(document))
    recipe = shortest(trained, more, data={"validation": [{"file": str(drawn)}]})
    setup = prepared(recipe, tmp_path)
    assert {p.key for p in setup.split.validation} == set(split["validation"])
    (notice,) = setup.notices
    assert notice.message.startswith(f"{len(split['train'])} of 48 images that a model could be")
    assert notice.message.endswith(f"Held out to judge by: {len(split['validation'])}.")
    assert notice.level == "info"


def test_what_the_start_learned_from_stays_known(drawn, trained, tmp_path):
    """A model that was retrained on other images has learned from those of its start as well."""
    before = Model.load(trained[0], "cpu").info.data["split"]
    more = draw_dataset(tmp_path / "more", 8, seed=5)
    document = json.loads(more.read_text())
    for image in document["images"]:
        pixels = tmp_path / "more" / "images" / image["file_name"]
        pixels.rename(pixels.with_name("new" + pixels.name))
        image["file_name"] = "new" + image["file_name"]
    more.write_text(json.dumps(document))
    path, _ = run(shortest(trained, more, schedule={"max_steps": 1}), tmp_path / "again")
    split = Model.load(path, "cpu").info.data["split"]
    assert set(before["train"]) < set(split["train"])
    assert set(before["validation"]) < set(split["validation"])
    assert not set(split["train"]) & set(split["validation"])
    own = json.loads((tmp_path / "again" / "split.json").read_text())
    assert set(own["train"]) == set(split["train"]) - set(before["train"])
    assert set(own["validation"]) == set(split["validation"]) - set(before["validation"])
    third = shortest((path.parent, []), drawn)
    setup = prepared(third, tmp_path)
    assert {p.key for p in setup.split.validation} <= set(before["validation"])


def test_a_run_says_how_it_compares(drawn, trained, tmp_path):
    recipe = shortest(trained, drawn, schedule={"max_steps": 1}, optimiser={"lr": 1e-9})
    _, events = run(recipe, tmp_path / "run")
    (compare,) = (e for e in events if isinstance(e, CompareEvent))
    held_out = Model.load(trained[0], "cpu").info.data["split"]["validation"]
    assert compare.images == len(held_out)
    assert compare.verdict == ("no difference" if len(held_out) >= 10 else "too few")
    assert f"{len(held_out)} held-out images" in compare.text
    assert compare.old["ne"] == pytest.approx(compare.new["ne"], abs=1e-4)


def test_a_ruined_model_is_called_worse(drawn, trained, tmp_path):
    images = {"validation": [{"file": str(drawn)}]}
    more = draw_dataset(tmp_path / "more", 4, seed=5)
    document = json.loads(more.read_text())
    for image in document["images"]:
        pixels = tmp_path / "more" / "images" / image["file_name"]
        pixels.rename(pixels.with_name("new" + pixels.name))
        image["file_name"] = "new" + image["file_name"]
    for annotation in document["annotations"]:  # every landmark is wrong
        points = annotation["keypoints"]
        points[0::3] = [x if not x else 95 - x for x in points[0::3]]
    more.write_text(json.dumps(document))
    start = tmp_path / "start"
    start.mkdir()
    for file in trained[0].glob("model.*"):
        (start / file.name).write_bytes(file.read_bytes())
    described = json.loads((start / "model.json").read_text())
    described["data"]["split"] = {"train": [], "validation": []}
    (start / "model.json").write_text(json.dumps(described))
    recipe = shortest(
        (start, []), more, data=images, schedule={"epochs": 15, "validate_every": 15},
        optimiser={"lr": 1e-2, "keep_start": 0.0}, augment={"flip": 0.0},
    )  # fmt: skip
    _, events = run(recipe, tmp_path / "run")
    (compare,) = (e for e in events if isinstance(e, CompareEvent))
    assert compare.verdict == "worse"
    assert compare.text.startswith("Worse: the normalised error (NE) on 48 held-out images")
    assert "better" not in compare.text.lower()


def test_models_of_other_landmarks_are_compared_by_those_that_they_share(drawn, trained, tmp_path):
    path = more_landmarks(drawn, tmp_path / "more.json", 12)
    recipe = shortest(
        trained, path, images=drawn.parent / "images", schedule={"max_steps": 1},
        optimiser={"lr": 1e-9, "new_rows_lr": 1e-9},
    )  # fmt: skip
    _, events = run(recipe, tmp_path / "run")
    (compare,) = (e for e in events if isinstance(e, CompareEvent))
    # Its rows are the start's: what is new, and random, is not judged.
    assert compare.old["ne"] == pytest.approx(compare.new["ne"], rel=0.05)
    assert compare.new["ne"] < 0.05
    assert compare.images > 0


# -- resuming --------------------------------------------------------------------------------------


def test_a_stopped_run_with_new_fields_and_a_teacher_goes_on_to_the_same_weights(
    drawn, trained, tmp_path
):
    path = more_landmarks(drawn, tmp_path / "more.json", 12)
    document = json.loads(path.read_text())
    for category in document["categories"]:
        if category["name"] == "Pants":
            category["name"] = "Kilt"  # the teacher does not know it
    path.write_text(json.dumps(document))
    recipe = shortest(
        trained, path, images=drawn.parent / "images", schedule={"epochs": 2, "batch": 8},
        optimiser={"keep_start": 0.4}, teacher={"category": 0.5},
    )  # fmt: skip
    run(recipe, tmp_path / "whole")
    steps = iter(range(100))
    run(recipe, tmp_path / "cut", should_stop=lambda: next(steps) == 4)
    made, events = run(recipe, tmp_path / "cut", resume=True)
    assert events[0].step == 5
    one, two = (load_file(tmp_path / f / "model.safetensors") for f in ("whole", "cut"))
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], atol=1e-5, rtol=1e-5)
    assert Model.load(made, "cpu").schema.n_landmarks == 12


def test_a_model_without_a_start_is_not_compared(drawn, tmp_path):
    _, events = run(tiny_recipe(drawn, schedule={"max_steps": 1}), tmp_path / "run")
    assert not [e for e in events if isinstance(e, CompareEvent)]

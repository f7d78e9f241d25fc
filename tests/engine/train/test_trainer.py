from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from drawn import SCHEMA, draw_dataset, tiny_recipe
from napari_fashion.coco import Dataset, export
from napari_fashion.datasets import photos
from napari_fashion.datasets.source import Source
from napari_fashion.engine.augment.batch import augment_batch
from napari_fashion.engine.data.loader import draw_epoch
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sampling import category_rates, sampling_rates
from napari_fashion.engine.data.split import split_images
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.losses.options import LossOptions
from napari_fashion.engine.losses.total import compute_losses
from napari_fashion.engine.model import Model
from napari_fashion.engine.network.network import NetworkConfig
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import (
    CompareEvent,
    DivergenceEvent,
    DoneEvent,
    EpochEvent,
    NoticeEvent,
    StepEvent,
    StoppedEvent,
)
from napari_fashion.engine.train.optim import learning_rate
from napari_fashion.engine.train.options import ScheduleOptions
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import checkpoint_paths, finished
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.errors import CheckpointError, ImageError, RecipeError
from napari_fashion.tally import Tally


def run(recipe, folder, **options):
    events = []
    path = train(Recipe.from_dict(recipe), folder, device="cpu", emit=events.append, **options)
    return path, events


def test_it_learns(trained):
    _folder, events = trained
    epochs = [e for e in events if isinstance(e, EpochEvent)]
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    first, last = next(e.val for e in epochs if e.val), epochs[-1].val
    assert last["ne"] < 0.1 < first["ne"]
    assert last["top1"] == 1.0


def test_events_say_what_happens(trained):
    folder, events = trained
    kinds = [e.kind for e in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    assert {"step", "epoch"} <= set(kinds)
    assert events[0].train_images + events[0].val_images == 48
    step = next(e for e in events if isinstance(e, StepEvent))
    assert set(step.losses) == {
        "pif.confidence", "pif.vector", "pif.size", "paf.confidence", "paf.vector", "paf.size", "category",
    }  # fmt: skip
    logged = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [e["event"] for e in logged] == kinds
    info = json.loads((folder / "model.json").read_text())
    assert info["data"]["split"].keys() == {"train", "validation"}
    assert info["metrics"]["ne"] == events[-2].val["ne"]
    assert info["history"]["epochs"] == 90


def test_a_stopped_run_goes_on_to_the_very_same_weights(drawn, tmp_path):
    recipe = tiny_recipe(drawn, schedule={"epochs": 3}, network={"dropout": 0.2})
    run(recipe, tmp_path / "whole")
    steps = iter(range(100))
    _, events = run(recipe, tmp_path / "cut", should_stop=lambda: next(steps) == 5)
    assert isinstance(events[-1], StoppedEvent)
    _, events = run(recipe, tmp_path / "cut", resume=True)
    assert events[0].step == 6
    assert isinstance(events[-1], DoneEvent)
    for one, two in (
        [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut")],
        [load_file(checkpoint_paths(tmp_path / name)[0]) for name in ("whole", "cut")],
    ):
        assert one.keys() == two.keys()
        assert [key for key in one if not torch.equal(one[key], two[key])] == []
    splits = [json.loads((tmp_path / r / "split.json").read_text()) for r in ("whole", "cut")]
    assert splits[0] == splits[1]


def test_a_run_is_not_overwritten_and_a_missing_one_not_resumed(drawn, trained, tmp_path):
    folder, _ = trained
    with pytest.raises(CheckpointError, match=r"holds model\.json, a run or a model already"):
        run(tiny_recipe(drawn), folder)
    with pytest.raises(RecipeError, match=r"recipe\.json"):
        run(tiny_recipe(drawn), tmp_path / "none", resume=True)


def test_starting_from_a_model_compares_old_with_new_on_its_own_split(drawn, trained, tmp_path):
    folder, _ = trained
    old = Model.load(folder, "cpu")
    more = draw_dataset(tmp_path / "more", 8, seed=5)
    for pixels in (tmp_path / "more" / "images").iterdir():
        pixels.rename(pixels.with_name(f"new{pixels.name}"))
    document = json.loads(more.read_text())
    for image in document["images"]:
        image["file_name"] = "new" + image["file_name"]
    more.write_text(json.dumps(document))
    recipe = tiny_recipe(
        drawn,
        start_from=str(folder),
        data={"train": [{"file": str(drawn)}, {"file": str(more)}]},
        optimiser={"lr": 3e-4},
    )
    del recipe["loss"]
    path, events = run(recipe, tmp_path / "again")
    used = Recipe.load_json(tmp_path / "again" / "recipe.json")
    assert used.loss.focal_gamma == 1.0 != LossOptions().focal_gamma  # the old model's
    assert used.optimiser.lr == 3e-4  # the new recipe's
    compare = next(e for e in events if isinstance(e, CompareEvent))
    assert compare.old.keys() == compare.new.keys()
    split = json.loads((tmp_path / "again" / "split.json").read_text())
    before = old.info.data["split"]
    assert set(before["validation"]) <= set(split["validation"])
    assert set(before["train"]) <= set(split["train"])
    new = Model.load(path, "cpu")
    assert new.id != old.id
    assert new.info.history["started_from"] == old.id


def test_divergence_is_noticed_and_the_policy_followed(drawn, tmp_path):
    recipe = tiny_recipe(drawn, divergence={"policy": "skip", "patience": 3})
    events = []
    trainer = Trainer(
        Recipe.from_dict(recipe), tmp_path / "run", resume=False, device="cpu", emit=events.append
    )
    with torch.no_grad():
        trainer.network.paf.conv.weight.fill_(float("nan"))
    with pytest.raises(
        CheckpointError, match=r"diverged at step 3 \(loss, most of all paf"
    ) as stopped:
        trainer.run(lambda: False)
    divergence = [e for e in events if isinstance(e, DivergenceEvent)]
    assert len(divergence) == 3
    assert divergence[0].head.startswith("paf")
    assert divergence[0].loss == "nan"
    assert [event.step for event in divergence] == [1, 2, 3]
    names = [set(event.images) for event in divergence]
    assert [len(n) for n in names] == [8, 8, 8]
    assert len(set.union(*names)) == 24  # an epoch's order
    assert f"of step 1: {divergence[0].images[0]}" in str(stopped.value)


def test_learning_rates():
    schedule = ScheduleOptions(epochs=10, warmup_epochs=1)
    assert learning_rate(0, 10, 100, schedule, 1.0) == pytest.approx(0.1)
    assert learning_rate(9, 10, 100, schedule, 1.0) == pytest.approx(1.0)
    assert learning_rate(100, 10, 100, schedule, 1.0) == pytest.approx(0.01)
    steps = ScheduleOptions(epochs=10, warmup_epochs=0, kind="decay", decay=[(3, 3), (6, 6)])
    assert [learning_rate(s, 10, 100, steps, 1.0) for s in (0, 29, 30, 60)] == pytest.approx(
        [1, 1, 0.1, 0.01]
    )
    falling = ScheduleOptions(epochs=10, warmup_epochs=0, kind="decay", decay=[(4, 6)])
    assert [learning_rate(s, 10, 100, falling, 1.0) for s in (40, 50, 60, 99)] == pytest.approx(
        [1, 0.1**0.5, 0.1, 0.1]
    )
    constant = ScheduleOptions(epochs=1, warmup_epochs=0, kind="decay")
    assert learning_rate(50, 10, 100, constant, 0.3) == 0.3


def in_groups(images, size):
    return [replace(p, group=f"group {i // size}") for i, p in enumerate(images)]


def keys(images):
    return {p.key for p in images}


def test_images_grow_as_the_run_goes_on(drawn, tmp_path, monkeypatch):
    recipe = Recipe.from_dict(
        tiny_recipe(
            drawn,
            schedule={"epochs": 2, "max_steps": 8, "sizes": [[0, 32], [0.25, 64], [0.5, 96]]},
        )
    )
    trainer = Trainer(recipe, tmp_path / "run", resume=False, device="cpu", emit=lambda e: None)
    seen = []
    forward = trainer.network.forward
    monkeypatch.setattr(
        trainer.network, "forward", lambda x: (seen.append(tuple(x.shape[-2:])), forward(x))[1]
    )
    trainer.run(lambda: False)
    assert seen == [(32, 32)] * 2 + [(64, 64)] * 2 + [(96, 96)] * 4


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([[0.0, 96], [0.5, 64]], "ends with 64; expected inference.input_size, which is 96"),
        ([[0.2, 96]], "the first of them 0"),
        ([[0.0, 64], [0.0, 96]], "rising shares"),
        ([[0.0, 50], [0.5, 96]], "multiples of 32"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(drawn, sizes, said):
    with pytest.raises(RecipeError, match=said):
        Recipe.from_dict(tiny_recipe(drawn, schedule={"sizes": sizes}))


def test_what_grows_must_end_at_the_size_that_the_model_will_have(drawn, trained, tmp_path):
    recipe = tiny_recipe(
        drawn, start_from=str(trained[0]), schedule={"sizes": [[0, 32], [0.5, 64]]}
    )
    del recipe["inference"]  # the old model's
    with pytest.raises(RecipeError, match="ends with 64; expected 96, the input size of"):
        run(recipe, tmp_path / "run")
    recipe["inference"] = {"input_size": 128}
    with pytest.raises(RecipeError, match="ends with 64; expected 128, the input size"):
        run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_goes_on_can_have_another_size_and_other_regularisers(drawn, trained, tmp_path):
    recipe = tiny_recipe(
        drawn,
        start_from=str(trained[0]),
        inference={"input_size": 64},
        network={"dropout": 0.4},
        schedule={"epochs": 2, "sizes": [[0, 32], [0.5, 64]]},
    )
    steps = iter(range(100))
    run(recipe, tmp_path / "run", should_stop=lambda: next(steps) == 3)
    path, _ = run(recipe, tmp_path / "run", resume=True)
    model, old = Model.load(path, "cpu"), Model.load(trained[0], "cpu")
    assert (model.info.inference.input_size, old.info.inference.input_size) == (64, 96)
    assert model.config == old.config.model_copy(update={"dropout": 0.4})
    plain = {"start_from": str(trained[0]), "data": {"train": [{"file": str(drawn)}]}}
    kept = Recipe.from_dict(plain).going_on_from(old.config, old.info.recipe, old.info.inference)
    assert (kept.network, kept.inference) == (old.config, old.info.inference)


def test_a_run_can_give_its_heads_layers_and_visibility(drawn, trained, tmp_path):
    """They start as the fields that there were, learn, and are used, saved and gone on from."""
    old = Model.load(trained[0], "cpu")
    layers = {"outer": ["Outwear", "Blazer"], "lower": ["Pants", "Shorts", "Skirt"]}
    recipe = tiny_recipe(
        drawn,
        start_from=str(trained[0]),
        network={"visibility": True, "layers": layers},
        schedule={"epochs": 6},
        optimiser={"lr": 5e-4},
    )
    path, events = run(recipe, tmp_path / "layers")
    model = Model.load(path, "cpu")
    assert model.config == old.config.model_copy(update={"visibility": True, "layers": layers})
    assert model.schema == old.schema
    steps = [e for e in events if isinstance(e, StepEvent)]
    assert steps[-1].losses["pif.visible"] < steps[0].losses["pif.visible"]
    compare = next(e for e in events if isinstance(e, CompareEvent))
    assert compare.new["ne"] < compare.old["ne"] + 0.02
    image = load_sources([Source(file=str(drawn))], model.schema)[0]
    (garment, *_) = model.predict([image.read()])[0].garments
    assert garment.xy.shape == (8, 2)
    assert garment.visible.shape == (8,)
    assert (garment.visible[garment.found] > 0.5).all()  # all of them are, in these images
    assert model.layers.of_category[garment.category_index] == garment.layer
    plain = tiny_recipe(drawn, start_from=str(path), schedule={"epochs": 1})
    again, _ = run(plain, tmp_path / "again")
    assert Model.load(again, "cpu").config == model.config


def test_another_shape_of_the_network_is_refused(drawn, trained, tmp_path):
    for network, said in (
        ({"width": 64}, "network.width is 64; expected 32, as the model has it"),
        ({"drop_path": 0.1}, "network.drop_path is 0.1; expected 0 with backbone 'shufflenet"),
    ):
        with pytest.raises(RecipeError, match=said):
            run(tiny_recipe(drawn, start_from=str(trained[0]), network=network), tmp_path / "run")
    with pytest.raises(RecipeError, match=r"network\.drop_path is 0.1; expected 0 with backbone"):
        Recipe.from_dict(tiny_recipe(drawn, network={"drop_path": 0.1}))
    assert not (tmp_path / "run").exists()


def test_a_run_ends_on_milder_images(drawn, tmp_path, monkeypatch):
    seen = []

    def augment(batch, side, options, *rest):
        seen.append(options)
        return augment_batch(batch, side, options, *rest)

    monkeypatch.setattr("napari_fashion.engine.train.step.augment_batch", augment)
    recipe = tiny_recipe(drawn, schedule={"epochs": 2, "max_steps": 8, "mild": 0.75})
    run(recipe, tmp_path / "run")
    strong = Recipe.from_dict(recipe).augment
    assert seen == [strong] * 6 + [strong.milder()] * 2
    assert strong.milder().rotation == strong.rotation / 2


def test_a_stopped_run_with_every_new_option_goes_on_to_the_same_weights(drawn, tmp_path):
    recipe = tiny_recipe(
        drawn,
        schedule={"epochs": 3, "sizes": [[0, 64], [0.5, 96]]},
        optimiser={"backbone_lr": 0.5, "freeze_norms": True},
        augment={"quarter_turn": 0.5},
    )
    run(recipe, tmp_path / "whole")
    steps = iter(range(100))
    run(recipe, tmp_path / "cut", should_stop=lambda: next(steps) == 5)
    path, _ = run(recipe, tmp_path / "cut", resume=True)
    one, two = (load_file(tmp_path / f / "model.safetensors") for f in ("whole", "cut"))
    assert path.parent.name == "cut"
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_the_mirror_is_inherited_unless_the_recipe_says_otherwise(drawn):
    old, network = InferenceOptions(flip_tta=True), NetworkConfig()
    plain = {"start_from": "bundled", "data": {"train": [{"file": str(drawn)}]}}
    for own, expected in (({}, True), ({"flip_tta": False}, False)):
        recipe = Recipe.from_dict({**plain, "inference": own})
        assert recipe.going_on_from(network, {}, old).inference.flip_tta is expected


def test_all_that_is_held_out_stays_so(drawn, tmp_path):
    """Also what no model can be judged by: else it would be trained on once one goes on."""
    document = json.loads(drawn.read_text())
    for annotation in document["annotations"][:20]:
        annotation |= {"keypoints": [0] * 24, "num_keypoints": 0}
    path = drawn.with_name("some.json")
    path.write_text(json.dumps(document))
    images = load_sources([Source(file=str(path))], SCHEMA)
    blind = next(p.key for p in images if not p.can_be_judged)
    kept = tmp_path / "split.json"
    kept.write_text(json.dumps({"train": ["not in the data"], "validation": [blind]}))
    recipe = tiny_recipe(path, schedule={"max_steps": 1}, data={"split": str(kept)})
    recipe["data"]["train"] = [{"file": str(path)}]
    run(recipe, tmp_path / "run")
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert len(split["train"]) + len(split["validation"]) == 48
    assert blind in split["validation"]
    again = split_images(images, 0.05, 3, split)
    assert keys(again.train) == set(split["train"])
    now = json.loads(kept.read_text())
    assert now == {**split, "train": sorted(["not in the data", *split["train"]])}


def test_a_data_sets_split_is_kept_by_every_training(drawn, tmp_path):
    few = json.loads(drawn.read_text())
    few["images"] = few["images"][:16]
    path = drawn.with_name("few.json")
    path.write_text(json.dumps(few))
    (tmp_path / "recipes").mkdir()
    splits = []
    for i, (data, seed) in enumerate([(path, 0), (drawn, 7), (path, 9)]):
        recipe = tiny_recipe(data, schedule={"max_steps": 1}, seed=seed, data={"split": "s.json"})
        recipe["data"]["train"] = [{"file": str(data)}]
        made = Recipe.from_dict(recipe, base=tmp_path / "recipes")
        train(made, tmp_path / f"run {i}", device="cpu")
        splits.append(json.loads((tmp_path / f"run {i}" / "split.json").read_text()))
    first, grown, again = splits
    assert again == first
    for side in ("train", "validation"):
        assert set(first[side]) < set(grown[side])
    assert json.loads((tmp_path / "recipes" / "s.json").read_text()) == grown


def test_another_file_as_the_split_ends_the_run_before_it_begins(drawn, tmp_path):
    before = drawn.read_bytes()
    recipe = tiny_recipe(drawn, data={"train": [{"file": str(drawn)}], "split": str(drawn)})
    with pytest.raises(RecipeError, match=r"annotations\.json: found .*expected a split of a data"):
        run(recipe, tmp_path / "run")
    assert drawn.read_bytes() == before
    assert not (tmp_path / "run").exists()
    with pytest.raises(RecipeError, match="split and validation are both given"):
        Recipe.from_dict(
            tiny_recipe(drawn, data={"validation": [{"file": str(drawn)}], "split": "a.json"})
        )


def test_a_run_says_how_many_images_its_start_leaves_to_judge_by(drawn, trained, tmp_path):
    start = Model.load(trained[0], "cpu").info.data["split"]
    recipe = tiny_recipe(drawn, start_from=str(trained[0]), schedule={"max_steps": 1})
    path, events = run(recipe, tmp_path / "run")
    (notice,) = [e for e in events if isinstance(e, NoticeEvent)]
    learned, left = len(start["train"]), len(start["validation"])
    assert notice.message.startswith(f"{learned} of 48 images that a model could be judged by")
    assert notice.message.endswith(f"Held out to judge by: {left}.")
    assert not [e for e in trained[1] if isinstance(e, NoticeEvent)]
    kinds = [e.kind for e in events]
    assert kinds.index("notice") < kinds.index("step")
    assert Model.load(path, "cpu").info.data["split"] == start


def test_landmarks_without_sides_are_never_mirrored(drawn, tmp_path, monkeypatch):
    document = json.loads(drawn.read_text())
    for category in document["categories"]:
        category["keypoints"] = [f"point {letter}" for letter in "abcdefgh"]
    path = drawn.with_name("points.json")
    path.write_text(json.dumps(document))
    seen = []

    def augment(batch, side, options, *rest):
        seen.append(options.flip)
        return augment_batch(batch, side, options, *rest)

    monkeypatch.setattr("napari_fashion.engine.train.step.augment_batch", augment)
    recipe = tiny_recipe(
        path, schema="from-data", schedule={"max_steps": 4, "mild": 0.5}, augment={"flip": 1.0}
    )
    made, events = run(recipe, tmp_path / "run")
    assert seen == [0.0] * 4
    (notice,) = [e for e in events if isinstance(e, NoticeEvent)]
    assert notice.level == "warning"
    assert "Mirroring is off" in notice.message
    assert "no landmark has a side in its name ('point a', 'point b')" in notice.message
    assert "flip_pairs" in notice.message
    model = Model.load(made, "cpu")
    assert not model.schema.mirrors
    assert json.loads(made.read_text())["schema"]["mirrors"] is False
    for category in document["categories"]:
        category["flip_pairs"] = [[f"point {a}", f"point {b}"] for a, b in ("ab", "cd", "ef", "gh")]
    path.write_text(json.dumps(document))
    seen.clear()
    _, events = run(recipe, tmp_path / "given")
    assert seen == [1.0] * 4
    assert not [e for e in events if isinstance(e, NoticeEvent)]


def test_an_image_follows_its_group(drawn):
    images = load_sources([Source(file=str(drawn))], SCHEMA)
    grouped = [replace(p, group=f"sender {i % 4}") for i, p in enumerate(images)]
    first = {"train": [grouped[0].key], "validation": [grouped[1].key]}
    split = split_images(grouped, 0.0001, 0, first)
    assert {p.key for p in grouped if p.group == "sender 0"} <= keys(split.train)
    assert {p.key for p in grouped if p.group == "sender 1"} == keys(split.validation)


def test_frozen_norms_keep_what_the_old_model_knew(drawn, trained, tmp_path):
    old = load_file(trained[0] / "model.safetensors")
    for freeze in (True, False):
        path, _ = run(
            tiny_recipe(
                drawn,
                start_from=str(trained[0]),
                optimiser={"freeze_norms": freeze},
                schedule={"max_steps": 3},
            ),
            tmp_path / str(freeze),
        )
        new = load_file(path.with_suffix(".safetensors"))
        statistics = [k for k in old if "running_" in k]
        assert statistics
        assert all(torch.equal(old[k], new[k]) for k in statistics) == freeze
        assert any(not torch.equal(old[k], new[k]) for k in old if k.endswith("weight"))


def test_the_split_is_stable_and_by_group(drawn):
    images = in_groups(load_sources([Source(file=str(drawn))], SCHEMA), 2)
    split = split_images(images, 0.25, 0)
    assert len(split.train) + len(split.validation) == 48
    assert len(split.validation) == 12
    assert not {p.group for p in split.train} & {p.group for p in split.validation}
    fewer = split_images(images[:30], 0.25, 0, split.sides)
    assert keys(fewer.validation) == keys(split.validation) & keys(images[:30])
    repeated = split_images(images * 3, 0.25, 0)
    assert len(repeated.train) == 3 * len(split.train)
    assert keys(repeated.validation) == keys(split.validation)
    assert len(repeated.validation) == len(split.validation)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_neither_side_is_left_empty_where_there_are_two_groups(drawn, share):
    images = load_sources([Source(file=str(drawn))], SCHEMA)
    for start in range(0, 40, 4):
        split = split_images(images[start : start + 2], share, 0)
        assert (len(split.train), len(split.validation)) == (1, 1)
    split = split_images(images[:1], share, 0)
    assert (len(split.train), len(split.validation)) == (1, 0)


def test_validation_images_have_a_garment_to_judge(drawn):
    images = load_sources([Source(file=str(drawn))], SCHEMA)
    hidden = [replace(p, visibility=np.minimum(p.visibility, 1)) for p in images]
    mixed = images[:24] + hidden[24:]
    split = split_images(mixed, 0.5, 0)
    assert keys(split.validation) <= keys(images[:24])
    assert (len(split.validation), len(split.train)) == (12, 36)


def test_images_of_the_same_name_in_several_folders_are_several(drawn, tmp_path):
    document = json.loads(drawn.read_text())
    for image in document["images"]:
        folder = tmp_path / f"c{image['id']}"
        folder.mkdir()
        pixels = drawn.parent / "images" / image["file_name"]
        (folder / "img.png").write_bytes(pixels.read_bytes())
        image["file_name"] = f"c{image['id']}/img.png"
    (tmp_path / "all.json").write_text(json.dumps(document))
    images = load_sources([Source(file=str(tmp_path / "all.json"))], SCHEMA)
    assert len(keys(images)) == 48
    split = split_images(images, 0.25, 0)
    assert split.train
    assert split.validation


def test_what_only_a_model_said_is_no_truth_and_no_background_either(drawn, tmp_path):
    dataset = Dataset.load(drawn)
    for garment in list(dataset.garments)[:10]:
        dataset.set_value(
            "annotations", garment.id, ["fashion"], {"source": "model:x", "score": 0.9}
        )
    dataset.set_value("images", 1, ["fashion"], {"reviewed": True})
    theirs = dataset.store.record("annotations", 2) | {"id": 99, "image_id": 30}
    dataset.insert_record("annotations", theirs)
    path = tmp_path / "mixed.json"
    dataset.save(path)
    source = Source(file=str(path), images=str(drawn.parent / "images"))
    images = load_sources([source], SCHEMA)
    assert len(images) == 48 - 9
    assert "001.png" in keys(images)
    assert "002.png" not in keys(images)
    (both,) = (p for p in images if p.key == "030.png")
    assert both.crowd.tolist() == [False, True]
    x, y, w, h = theirs["bbox"]
    np.testing.assert_allclose(both.box[1], [x, y, x + w, y + h], rtol=1e-5)
    # The same after an export, which leaves the garment out but remembers where it is.
    exported = tmp_path / "exported.json"
    export(Dataset.load(path, image_root=drawn.parent / "images"), exported)
    assert 99 not in {a["id"] for a in json.loads(exported.read_text())["annotations"]}
    again = load_sources([Source(file=str(exported))], SCHEMA)
    (both,) = (p for p in again if p.key == "030.png")
    assert both.crowd.tolist() == [False, True]
    np.testing.assert_allclose(both.box[1], [x, y, x + w, y + h], rtol=1e-5)


def test_an_image_of_another_size_is_left_out_and_counted(drawn, tmp_path):
    whole = load_sources([Source(file=str(drawn))], SCHEMA)
    with pytest.raises(ImageError, match="96 x 96 pixels, but its annotation file says 48 x 96"):
        replace(whole[0], size=(48, 96)).read()
    document = json.loads(drawn.read_text())
    document["images"][0]["width"] = 48
    path = drawn.with_name("wrong.json")
    path.write_text(json.dumps(document))
    tally = Tally()
    images = load_sources([Source(file=str(path))], SCHEMA, tally)
    assert keys(images) == keys(whole) - {whole[0].key}
    assert tally.counts == {"images of another size than their record": 1}
    assert "001.png has 96 x 96 pixels, the file says 48 x 96" in str(tally)


@pytest.mark.shared
def test_photos_without_landmarks_are_found_where_fetch_puts_them(
    photos_dir, tmp_path, monkeypatch
):
    for name in sorted((photos_dir / "unlabelled").iterdir())[:80]:
        (tmp_path / "images").mkdir(exist_ok=True)
        shutil.copy(name, tmp_path / "images")  # a link would lead out of the folder
    monkeypatch.setenv("NAPARI_FASHION_PHOTOS", str(tmp_path))
    labelled = load_sources([Source(file="photos:unlabelled")], SCHEMA)
    none = load_sources([Source(file="photos:no_garment", empty="negative")], SCHEMA)
    assert len(labelled) + len(none) == 80
    assert all(p.category[0] >= 0 and not p.visibility.any() for p in labelled)
    assert all(len(p.category) == 0 for p in none)
    labelled[0].read()
    pseudo = load_sources([Source(file="photos:pseudo", pseudo=True)], SCHEMA)
    assert [p.key for p in pseudo] == [p.key for p in labelled]
    assert [p.category.tolist() for p in pseudo] == [p.category.tolist() for p in labelled]
    placed = [p for p in pseudo if p.visibility.any()]
    assert len(placed) > 0.8 * len(pseudo)
    for image in placed:
        seen = image.xy[0][image.visibility[0] > 0]
        assert (seen > -20).all()
        assert (seen < np.array(image.size) + 20).all()
    assert not split_images(pseudo, 0.99, 0).validation  # never to judge by
    untold = load_sources([Source(file="photos:pseudo")], SCHEMA)  # the flag was forgotten
    assert not any(p.visibility.any() for p in untold)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimiser": {"lr": -1}}, r"optimiser\.lr"),
        ({"network": {"backbone": "vgg"}}, r"network\.backbone"),
        ({"nonsense": 1}, "nonsense"),
        ({"data": {"train": []}}, r"data\.train"),
        ({"inference": {"input_size": 100}}, "input_size"),
        ({"inference": {"decoder": {"seed_treshold": 0.3}}}, "seed_treshold"),
        ({"inference": {"decoder": {"seed_threshold": 3}}}, "seed_threshold"),
    ],
)
def test_a_bad_recipe_is_refused_by_name(drawn, change, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict(tiny_recipe(drawn, **change))


def test_recipes_survive_toml_and_json(drawn, tmp_path):
    (tmp_path / "r.toml").write_text(
        'name = "x"\nschema = "garments"\n[[data.train]]\nfile = "data/a.json"\n'
        f'[[data.train]]\nfile = "{drawn}"\n'
        '[[data.train]]\nfile = "photos:train"\n'
    )
    recipe = Recipe.load(tmp_path / "r.toml")
    assert [s.file for s in recipe.data.train] == [
        str(tmp_path / "data/a.json"),
        str(drawn),
        "photos:train",
    ]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    with pytest.raises(RecipeError, match="no such file; expected a training recipe"):
        Recipe.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("= 3")
    with pytest.raises(RecipeError, match="not valid TOML"):
        Recipe.load(tmp_path / "bad.toml")


def test_nothing_to_learn_from_is_said(drawn, tmp_path):
    document = json.loads(drawn.read_text())
    document["annotations"] = []
    (drawn.parent / "empty.json").write_text(json.dumps(document))
    with pytest.raises(RecipeError, match="nothing to learn from"):
        run(tiny_recipe(drawn.parent / "empty.json"), tmp_path / "run")


def test_sgd_and_the_reports_losses_train_too(drawn, tmp_path):
    recipe = tiny_recipe(
        drawn,
        optimiser={"kind": "sgd", "lr": 1e-3, "clip_value": 10.0},
        loss={"confidence": "smooth_l1", "vector": "smooth_l1"},
        network={"neck": "plain", "upsample": 2, "category_pool": "max"},
    )
    _, events = run(recipe, tmp_path / "run")
    assert math.isfinite(events[-2].loss)


def test_rare_categories_are_drawn_more_often(drawn):
    images = load_sources([Source(file=str(drawn))], SCHEMA)
    rare = images[0].category[0]
    images = [p for i, p in enumerate(images) if i % 3 == 0 or p.category[0] != rare]
    kinds = np.array([p.category[0] for p in images])
    count = np.bincount(kinds)
    assert len(set(count[count > 0])) > 1
    alike = sampling_rates(images, 0.0)
    assert (alike == 1).all()
    rates = sampling_rates(images, 1.0)
    assert rates.mean() == pytest.approx(1)
    shares = [rates[kinds == c].sum() for c in np.unique(kinds)]
    assert shares == pytest.approx([len(images) / len(shares)] * len(shares))
    half = sampling_rates(images, 0.5)
    for c in np.unique(kinds):
        assert half[kinds == c] == pytest.approx(
            half[kinds == kinds[0]][0] * (count[c] / count[kinds[0]]) ** -0.5
        )
    nothing = replace(images[0], category=np.full(1, -1))
    assert sampling_rates([*images, nothing], 1.0)[-1] == 1


def test_the_step_gets_the_rates_and_the_shape_of_cuts(drawn, tmp_path, monkeypatch):
    seen = {}

    def losses(heads, targets, options, pool, rates, teacher, *rest, **more):
        seen["rates"], seen["teacher"] = rates, teacher
        return compute_losses(heads, targets, options, pool, rates, teacher, *rest, **more)

    def augment(*args):
        seen["aspect"] = args[5]
        return augment_batch(*args)

    monkeypatch.setattr("napari_fashion.engine.train.step.compute_losses", losses)
    monkeypatch.setattr("napari_fashion.engine.train.step.augment_batch", augment)
    recipe = Recipe.from_dict(
        tiny_recipe(
            drawn,
            inference={"crop_aspect": 0.4},
            loss={"category_prior": 1.0},
            schedule={"epochs": 1, "max_steps": 1},
        )
    )
    trainer = Trainer(recipe, tmp_path / "run", resume=False, device="cpu", emit=lambda e: None)
    trainer.run(lambda: False)
    expected = category_rates(
        trainer.train_images,
        trainer.batches.rates,
        len(trainer.schema.categories),
        unseen_is_rare=False,
    )
    assert seen["rates"].numpy() == pytest.approx(expected)
    assert seen["aspect"] == 0.4
    assert seen["teacher"] is None


def test_category_rates_are_what_is_drawn(drawn):
    images = load_sources([Source(file=str(drawn))], SCHEMA)
    kinds = np.concatenate([p.category for p in images])
    count = np.bincount(kinds, minlength=15)
    total = count.sum() + 15
    plain = category_rates(images, np.ones(len(images)), 15)
    assert plain == pytest.approx((count + 1) / total)
    assert (plain > 0).all()
    without_start = category_rates(images, np.ones(len(images)), 15, unseen_is_rare=False)
    assert (without_start[count == 0] == without_start.max()).all()
    assert without_start[count > 0] / without_start.max() == pytest.approx(
        (count + 1)[count > 0] / (count + 1).max()
    )
    first = images[0]
    rates = np.ones(len(images))
    rates[0] = 3.0
    more = category_rates(images, rates, 15)
    assert more[first.category[0]] > plain[first.category[0]]
    unknown = replace(first, category=np.full(len(first.category), -1))
    crowd = replace(first, crowd=np.ones(len(first.category), np.bool_))
    for nothing in (unknown, crowd):
        assert category_rates([nothing], np.ones(1), 15) == pytest.approx(np.full(15, 1 / 15))


def test_an_epoch_draws_by_rate():
    rates = np.array([2.5, 0.5, 1.0, 0.0, 1.0])
    seen = np.zeros((400, 5))
    for seed in range(400):
        order = draw_epoch(rates, torch.Generator().manual_seed(seed))
        assert len(order) == 5
        seen[seed] = np.bincount(order, minlength=5)
    assert (np.abs(seen - rates) < 1).all()
    assert seen.mean(0) == pytest.approx(rates, abs=0.1)
    plain = draw_epoch(np.ones(7), torch.Generator().manual_seed(3))
    assert torch.equal(plain, torch.randperm(7, generator=torch.Generator().manual_seed(3)))


def test_what_is_saved_keeps_a_share_of_the_start(drawn, trained, tmp_path):
    recipe = tiny_recipe(
        drawn, start_from=str(trained[0]), schedule={"epochs": 3}, optimiser={"keep_start": 0.0}
    )
    kept = {**recipe, "optimiser": {**recipe["optimiser"], "keep_start": 0.4}}
    run(recipe, tmp_path / "plain")
    _, events = run(kept, tmp_path / "kept")
    start = load_file(trained[0] / "model.safetensors")
    plain, half = (load_file(tmp_path / f / "model.safetensors") for f in ("plain", "kept"))
    moved = False
    for name, value in half.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.lerp(plain[name], start[name], 0.4))
            moved |= not torch.equal(plain[name], start[name])
    assert moved
    compared = events[-2].new
    judged = evaluate_images(
        Model.load(tmp_path / "kept", "cpu"),
        Trainer(
            Recipe.from_dict(kept), tmp_path / "kept", resume=True, device="cpu", emit=events.append
        ).val_images,
        rounds=0,
    )
    assert compared["ne"] == pytest.approx(judged.report.average_error)

    steps = iter(range(100))
    run(kept, tmp_path / "cut", should_stop=lambda: next(steps) == 5)
    run(kept, tmp_path / "cut", resume=True)
    again = load_file(tmp_path / "cut" / "model.safetensors")
    assert [name for name, value in half.items() if not torch.equal(again[name], value)] == []


def test_keeping_a_share_needs_something_to_keep(drawn):
    with pytest.raises(RecipeError, match=r"keep_start is 0.4; expected 0 without start_from"):
        Recipe.from_dict(tiny_recipe(drawn, optimiser={"keep_start": 0.4}))


def test_a_teacher_keeps_categories_as_they_were(drawn, trained, tmp_path):
    """Labels that contradict the start are learned from labels alone, not from the start as teacher."""
    document = json.loads(drawn.read_text())
    kinds = sorted({a["category_id"] for a in document["annotations"]})
    following = dict(zip(kinds, [*kinds[1:], kinds[0]], strict=True))
    for annotation in document["annotations"]:
        annotation["category_id"] = following[annotation["category_id"]]
    wrong = drawn.with_name("wrong.json")
    wrong.write_text(json.dumps(document))
    start = Model.load(trained[0], "cpu")
    images = [p for p in load_sources([Source(file=str(drawn))], SCHEMA) if p.can_be_judged]
    right = {}
    for name, teacher in (("labels", None), ("start", {"category": 1.0})):
        recipe = tiny_recipe(
            wrong,
            start_from=str(trained[0]),
            schedule={"epochs": 24, "validate_every": 24},
            optimiser={"keep_start": 0.0, "backbone_lr": 1.0},  # the start is kept by nothing else
            **({"teacher": teacher} if teacher else {}),
        )
        run(recipe, tmp_path / name)
        model = Model.load(tmp_path / name, "cpu")
        right[name] = evaluate_images(model, images, rounds=0).report.top1
    assert evaluate_images(start, images, rounds=0).report.top1 > 0.9
    assert right["start"] > 0.9
    assert right["labels"] < 0.5


def test_a_run_with_a_teacher_goes_on_to_the_very_same_weights(drawn, trained, tmp_path):
    teacher = {"model": str(trained[0]), "category": 0.6}
    recipe = tiny_recipe(drawn, schedule={"epochs": 2}, teacher=teacher)
    run(recipe, tmp_path / "whole")
    run({**recipe, "teacher": None}, tmp_path / "alone")
    steps = iter(range(100))
    run(recipe, tmp_path / "cut", should_stop=lambda: next(steps) == 4)
    run(recipe, tmp_path / "cut", resume=True)
    whole, crop, alone = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut", "alone")
    )
    for key, value in whole.items():
        torch.testing.assert_close(crop[key], value)
    assert any(not torch.equal(alone[key], value) for key, value in whole.items())


def test_a_teacher_that_cannot_teach_is_refused(drawn, tmp_path):
    with pytest.raises(RecipeError, match=r"teacher\.model is 'start'; expected a model's path"):
        Recipe.from_dict(tiny_recipe(drawn, teacher={"category": 0.5}))
    other = draw_dataset(tmp_path / "other", 8, seed=3)
    document = json.loads(other.read_text())
    for category in document["categories"]:
        category["name"] = "My " + category["name"]
    other.write_text(json.dumps(document))
    run(tiny_recipe(other, schema="from-data", schedule={"epochs": 1}), tmp_path / "teacher")
    recipe = tiny_recipe(drawn, teacher={"model": str(tmp_path / "teacher")})
    with pytest.raises(RecipeError, match="it has none of the run's 15 categories by name"):
        run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_teachers_path_is_taken_from_the_recipes_folder(drawn, tmp_path):
    def teacher(name):
        recipe = tiny_recipe(drawn, start_from="bundled", teacher={"model": name})
        return Recipe.from_dict(recipe, base=tmp_path).teacher.model

    assert teacher("runs/large") == str(tmp_path / "runs" / "large")
    assert teacher("start") == "start"
    assert teacher("bundled") == "bundled"


def test_named_validation_images_keep_their_senders_out_of_training(drawn, tmp_path, monkeypatch):
    dataset = Dataset.load(drawn)
    stems = [Path(image.file_name).stem for image in dataset.images]
    monkeypatch.setattr(
        photos, "senders", lambda: {s: f"sender {i % 6}" for i, s in enumerate(stems)}
    )
    named = drawn.with_name("named.json")
    dataset.subset([image.id for image in dataset.images[:2]]).save(named)
    recipe = tiny_recipe(drawn)
    recipe["data"] |= {"validation": [{"file": str(named)}]}
    trainer = Trainer(
        Recipe.from_dict(recipe), tmp_path / "run", resume=False, device="cpu", emit=lambda e: None
    )
    assert len(trainer.val_images) == 2
    assert {p.group for p in trainer.train_images} == {f"sender {i}" for i in (2, 3, 4, 5)}
    assert len(trainer.train_images) == 32


def _toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{k}" = {_toml(v)}' for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value)


def test_what_a_recipe_starts_from_is_made_first(drawn, tmp_path):
    first = tiny_recipe(drawn, name="first", schedule={"epochs": 2})
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "first.toml").write_text(
        "".join(f"{key} = {_toml(value)}\n" for key, value in first.items())
    )
    recipe = Recipe.from_dict(
        tiny_recipe(drawn, name="second", start_from="first.toml", schedule={"epochs": 1}),
        base=tmp_path / "recipes",
    )
    runs = tmp_path / "runs"
    steps = iter(range(100))
    events = []
    train(
        recipe, runs / "second", device="cpu", emit=events.append,
        should_stop=lambda: next(steps) == 4,
    )  # fmt: skip
    assert isinstance(events[-1], StoppedEvent)
    assert not finished(runs / "first")
    assert not (runs / "second").exists()
    with (runs / "first" / "events.jsonl").open("a") as log:
        log.write('{"event": "do')  # as a machine leaves it that loses its power
    assert not finished(runs / "first")

    path = train(recipe, runs / "second", device="cpu")
    assert path == runs / "second" / "model.json"
    assert finished(runs / "first")
    made = json.loads((runs / "first" / "model.json").read_text())
    assert made["history"]["epochs"] == 2
    assert json.loads(path.read_text())["history"]["started_from"] == made["id"]
    # The first is not made again, and a stopped second goes on without its recipe.
    steps = iter(range(100))
    train(recipe, runs / "third", device="cpu", should_stop=lambda: next(steps) == 2)
    (tmp_path / "recipes" / "first.toml").unlink()
    train(recipe, runs / "third", resume=True, device="cpu")
    assert json.loads((runs / "first" / "model.json").read_text()) == made
    assert finished(runs / "third")
    shutil.rmtree(runs / "first")
    with pytest.raises(CheckpointError, match=r"holds model\.json, a run or a model already"):
        train(recipe, runs / "third", device="cpu")
    assert not (runs / "first").exists()  # nothing is trained in vain


def test_three_recipes_in_a_row(drawn, tmp_path):
    def write(name, **changes):
        recipe = tiny_recipe(drawn, name=name, schedule={"epochs": 1}, **changes)
        lines = [f"{key} = {_toml(value)}\n" for key, value in recipe.items()]
        (tmp_path / f"{name}.toml").write_text("".join(lines))
        return Recipe.load(tmp_path / f"{name}.toml")

    write("first")
    write("second", start_from="first.toml")
    third = write("third", start_from="second.toml")
    runs = tmp_path / "runs"

    def started(name):
        return json.loads((runs / name / "model.json").read_text())["history"]["started_from"]

    def made(name):
        return json.loads((runs / name / "model.json").read_text())["id"]

    steps = iter(range(100))

    def after_the_first():
        return next(steps) > 0 and finished(runs / "first")

    train(third, runs / "third", device="cpu", should_stop=after_the_first)
    assert finished(runs / "first")
    assert (runs / "second").exists()
    assert not finished(runs / "second")
    assert not (runs / "third").exists()
    train(third, runs / "third", device="cpu")
    assert [started(n) for n in ("first", "second", "third")] == [
        None, made("first"), made("second"),
    ]  # fmt: skip
    # What is finished needs none of those that it started from.
    shutil.rmtree(runs / "first")
    train(third, runs / "again", device="cpu")
    assert not (runs / "first").exists()
    assert started("again") == made("second")
    shutil.rmtree(runs)
    for folder in ("second", "first"):
        with pytest.raises(RecipeError, match="Give the run another folder"):
            train(third, runs / folder, device="cpu")
    write("first", start_from="third.toml")  # round and round
    with pytest.raises(RecipeError, match="cannot start from each other"):
        train(third, runs / "last", device="cpu")
    assert not runs.exists()


def test_a_log_that_ends_anyhow_is_no_finished_run(tmp_path):
    (tmp_path / "model.json").write_text("{}")
    log = tmp_path / "events.jsonl"
    end = b'{"event": "done", "model": "model.json", "seconds": 1.5}\n'
    for text, done in (
        (b"", False),
        (end, True),
        (b'{"event": "step"}\n' * 100_000 + end, True),
        (end + b"[", False),
        (b'{"event": "done"}\n', False),
        (b"5\n", False),
        (b"[" * 100_000, False),
        (b"\xff", False),
        (b'{"event": {}}', False),
    ):
        log.write_bytes(text)
        assert finished(tmp_path) == done

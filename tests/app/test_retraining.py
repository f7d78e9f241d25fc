from __future__ import annotations

import json
import tomllib

import pytest

from napari_fashion.app.jobs.retraining import (
    RetrainOptions,
    corrected_images,
    new_run_folder,
    prepare,
)
from napari_fashion.coco import Dataset
from napari_fashion.datasets.opening import open_source
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.predictions import take_prediction
from napari_fashion.engine.train.options import FINE_TUNING
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import FashionError
from small import SCHEMA, SHIRT_XY, predicted, prediction


@pytest.fixture
def editor(dataset_file) -> Editor:
    return Editor(Dataset.load(dataset_file))


def test_the_recipe_is_one_that_training_reads(editor, tmp_path) -> None:
    editor.apply(operations.set_reviewed(editor.dataset, 2, True))
    options = RetrainOptions(epochs=3, lr=1e-4, start_from="bundled", validation_share=0.3)
    recipe = Recipe.load(prepare(editor, options, tmp_path / 'odd "name" ü'))
    assert recipe.schedule.epochs == 3
    assert recipe.optimiser.lr == 1e-4
    assert recipe.start_from == "bundled"
    assert recipe.schema_name is None  # the start's, with what is new in the data
    assert recipe.data.validation_share == 0.3
    assert not recipe.sets("optimiser", "keep_start")  # as every run that starts from a model
    data = Dataset.load(recipe.data.train[0].file)
    assert len(data.images) == 3
    assert data.images[0].path.is_file()


def test_what_stays_as_it_is_in_the_form_is_left_to_the_engine(editor, tmp_path) -> None:
    editor.apply(operations.set_reviewed(editor.dataset, 2, True))
    path = prepare(editor, RetrainOptions(), tmp_path)
    own = tomllib.loads(path.read_text("utf-8"))
    assert set(own) == {"name", "start_from", "data"}
    assert set(own["data"]) == {"train"}
    shown = RetrainOptions()
    assert FINE_TUNING["optimiser"]["lr"] == shown.lr
    assert shown.epochs is None
    assert FINE_TUNING["data"]["validation_share"] == shown.validation_share


def test_images_of_folders_that_a_person_allowed_are_trained_on(dataset_file, tmp_path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "1.png").rename(other / "1.png")
    document = json.loads(dataset_file.read_text())
    document["images"][0]["file_name"] = "../other/1.png"
    for name in ("2.png", "3.png", "small.json"):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "set" / name)
    path = tmp_path / "set" / "small.json"
    path.write_text(json.dumps(document))
    editor = Editor(Dataset.load(path))
    editor.dataset.allow_root(other)
    editor.apply(operations.set_reviewed(editor.dataset, 2, True))
    (source,) = Recipe.load(prepare(editor, RetrainOptions(), tmp_path / "run")).data.train
    assert open_source(source).images[0].path.is_file()


def test_predictions_that_nobody_looked_at_are_left_out(editor, tmp_path) -> None:
    taken = take_prediction(editor.dataset, 3, prediction(predicted(SHIRT_XY, "Shirt")), SCHEMA)
    editor.apply(taken.edit)
    with pytest.raises(FashionError, match="at least 2"):
        prepare(editor, RetrainOptions(), tmp_path / "one")
    editor.apply(operations.set_reviewed(editor.dataset, 3, True))
    prepare(editor, RetrainOptions(), tmp_path / "two")
    written = json.loads((tmp_path / "two" / "data.json").read_text())
    assert [a["image_id"] for a in written["annotations"]] == [1, 3]


def test_corrected_images_are_those_a_person_touched(editor, tmp_path) -> None:
    assert corrected_images(editor) == []
    editor.apply(operations.move_landmarks(editor.dataset, 11, {0: (3, 3)}))
    editor.apply(operations.move_landmarks(editor.dataset, 12, {6: (3, 3)}))
    taken = take_prediction(editor.dataset, 3, prediction(predicted(SHIRT_XY, "Shirt")), SCHEMA)
    editor.apply(taken.edit)
    assert corrected_images(editor) == [1, 2]
    prepare(editor, RetrainOptions(what="corrected"), tmp_path / "run")
    written = json.loads((tmp_path / "run" / "data.json").read_text())
    assert [i["id"] for i in written["images"]] == [1, 2]


def test_run_folders_are_new_ones(tmp_path) -> None:
    first = new_run_folder(tmp_path)
    first.mkdir()
    assert new_run_folder(tmp_path) != first

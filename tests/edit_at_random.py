"""One random thing that a person or a script does to a data set; for tests and the torture."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.edits import Edit, insert_record, remove_record, set_values
from napari_fashion.editing.predictions import take_prediction
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.errors import FashionError


def random_step(editor: Editor, rng: random.Random) -> str:
    """Do one thing; what is refused is refused. Return what it was."""
    kinds = [
        "move", "place", "visibility", "swap", "add", "delete", "category", "reviewed", "go", "undo",
        "redo", "predict", "value", "drop image", "add image",
    ]  # fmt: skip
    kind = rng.choice(kinds)
    try:
        _step(editor, rng, kind)
    except FashionError:
        return f"{kind} refused"
    return kind


def _step(editor: Editor, rng: random.Random, kind: str) -> None:
    dataset, image_id = editor.dataset, editor.image_id
    schema = dataset.schema
    k = rng.randrange(schema.n_landmarks)
    xy = (rng.choice([rng.uniform(-5, 900), rng.randint(0, 640)]), rng.uniform(0, 480))
    garments = editor.garments
    garment = rng.choice(garments).id if garments else None
    category = rng.randrange(len(schema.categories))
    match kind:
        case "go":
            editor.go_to(rng.randrange(editor.n_images))
        case "undo":
            editor.undo()
        case "redo":
            editor.redo()
        case "add":
            editor.apply(operations.add_garment(dataset, image_id, category)[0])
        case "reviewed":
            editor.apply(operations.set_reviewed(dataset, image_id, rng.random() < 0.5))
        case "predict":
            found = [_garment(rng, schema) for _ in range(rng.randint(0, 2))]
            guess = Prediction(tuple(found), 640, 480, "m")
            editor.apply(take_prediction(dataset, image_id, guess, schema).edit)
        case "drop image" if editor.n_images > 1 and rng.random() < 0.3:
            changes = [remove_record(dataset, "annotations", g.id) for g in garments]
            other = next(key for key in editor.image_ids if key != image_id)
            gone = remove_record(dataset, "images", image_id)
            editor.go_to_image(other)
            editor.apply(Edit("Drop image", image_id, (*changes, gone)))
        case "add image" if rng.random() < 0.3:
            key = dataset.next_id("images")
            record = {"id": key, "file_name": f"{key}.png", "width": 9, "height": 9}
            editor.apply(Edit("Add image", key, (insert_record(dataset, "images", record),)))
        case "value":
            value: Any = rng.choice([None, 1.5, "x", [1, {"a": "é"}], {"b": []}, {}])
            table, key = ("images", image_id) if garment is None else ("annotations", garment)
            name = rng.choice(["x-extra", "area", "new", "é", "bbox"])
            changes = tuple(set_values(dataset, table, key, {name: value}))
            editor.apply(Edit("Set value", image_id, changes) if changes else None)
        case _ if garment is None:
            pass
        case "move":
            editor.apply(operations.move_landmarks(dataset, garment, {k: xy}), nudge=True)
        case "place":
            editor.apply(operations.place_landmark(dataset, garment, k, xy))
        case "visibility":
            editor.apply(operations.set_visibility(dataset, garment, [k], rng.randrange(3)))
        case "swap":
            editor.apply(operations.swap_left_right(dataset, garment))
        case "delete":
            editor.apply(operations.delete_garment(dataset, garment))
        case "category":
            editor.apply(operations.set_category(dataset, garment, category))


def _garment(rng: random.Random, schema: Any) -> PredictedGarment:
    n = schema.n_landmarks
    xy = np.array([(rng.uniform(0, 640), rng.uniform(0, 480)) for _ in range(n)], np.float32)
    p = np.array([rng.random() for _ in schema.categories], np.float32)
    scores = np.array([rng.choice([0, rng.random()]) for _ in range(n)], np.float32)
    return PredictedGarment(xy, scores, np.ones(n, np.float32), p / p.sum(), rng.random())

"""A garment that gets another category keeps its landmarks where the new one has some at their places."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.schema import Schema

SCHEMA = Schema.load("deepfashion2")
SHORT, LONG, SKIRT = (
    SCHEMA.category_index(n) for n in ("short sleeve top", "long sleeve top", "skirt")
)


@pytest.fixture(params=["all 294", "their own"])
def dataset(request, tmp_path):
    """A short sleeve top whose landmark i lies at (i, 2 i), found by a model."""
    own = [list(SCHEMA.landmarks_of_category(c)) for c in range(13)]
    whole = request.param == "all 294"
    names = [[SCHEMA.landmarks[i] for i in (range(294) if whole else ids)] for ids in own]
    k = len(names[SHORT])
    xyv = np.zeros((k, 3))
    xyv[:25] = [(i, 2 * i, 2) for i in range(1, 26)]
    scores = [0.0] * 294
    scores[:25] = [i / 100 for i in range(25)]
    document = {
        "info": {"fashion": {"schema": "deepfashion2"}},
        "images": [{"id": 1, "file_name": "a.png", "width": 99, "height": 99}],
        "annotations": [
            {
                "id": 1, "image_id": 1, "category_id": SHORT + 1, "bbox": [1, 2, 24, 48],
                "area": 1152, "iscrowd": 0, "num_keypoints": 25, "keypoints": xyv.ravel().tolist(),
                "fashion": {"source": "model:m", "score": 0.9, "keypoint_scores": scores},
            }
        ],
        "categories": [
            {"id": c + 1, "name": SCHEMA.category_names[c], "keypoints": names[c], "skeleton": []}
            for c in range(13)
        ],
    }  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    return Dataset.load(path)


def test_landmarks_go_to_the_same_places(dataset):
    before = dataset.garment(1)
    at = {SCHEMA.places[i]: before.xy[i].tolist() for i in range(25)}
    edit = operations.set_category(dataset, 1, LONG)
    edit.apply(dataset)
    garment = dataset.garment(1)
    assert garment.category_name == "long sleeve top"
    own = SCHEMA.landmarks_of_category(LONG)
    shared = [i for i in own if SCHEMA.places[i] in at]
    assert len(shared) > 10  # neckline, sides and hem; sleeves are others
    seen = np.flatnonzero(garment.visibility).tolist()
    assert [i for i in seen if i in own] == shared
    for i in shared:
        assert garment.xy[i].tolist() == at[SCHEMA.places[i]]
    first = dataset.store.record("annotations", 1)["fashion"]["keypoint_scores"]
    assert first[shared[3]] == SCHEMA.places[:25].index(SCHEMA.places[shared[3]]) / 100


def test_it_can_be_undone(dataset):
    text = dataset.text("annotations", 1, ())
    edit = operations.set_category(dataset, 1, LONG)
    edit.apply(dataset)
    assert dataset.text("annotations", 1, ()) != text
    edit.inverse().apply(dataset)
    assert json.loads(dataset.text("annotations", 1, ())) == json.loads(text)


def test_a_category_without_common_places_takes_none(dataset):
    operations.set_category(dataset, 1, SKIRT).apply(dataset)
    garment = dataset.garment(1)
    own = SCHEMA.landmarks_of_category(SKIRT)
    known = set(SCHEMA.places[:25])
    assert [i for i in own if garment.visibility[i]] == [
        i for i in own if SCHEMA.places[i] in known
    ]

"""A small data set, predictions and fields made by hand, for the tests of editing and the app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_fashion.coco import Dataset
from napari_fashion.coco.records import category_record
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.opening import open_editor
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
SHIRT_XY = [(40, 20), (80, 20), (10, 90), (110, 90), (0, 0), (0, 0), (30, 110), (90, 110)]
TROUSERS_XY = [(0, 0), (0, 0), (0, 0), (0, 0), (45, 12), (75, 12), (35, 115), (85, 115)]


def category_id(name: str) -> int:
    return SCHEMA.category_names.index(name) + 1


def annotation(
    annotation_id: int, image_id: int, xy: list[tuple[float, float]], category: str, **more: Any
) -> dict[str, Any]:
    flat: list[float] = []
    for x, y in xy:
        flat += [x, y, 2 if x or y else 0]
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id(category),
        "iscrowd": 0,
        "keypoints": flat,
        "num_keypoints": sum(v > 0 for v in flat[2::3]),
        "bbox": [5, 5, 110, 110],
        "area": 9000.5,
        "kept": {"by": "us"},
        **more,
    }


def small_document(categories: list[str] | None = None) -> dict[str, Any]:
    """Three images of 120 x 120; a person's shirt, a model's trousers, and nothing."""
    names = SCHEMA.category_names if categories is None else tuple(categories)
    return {
        "info": {"description": "small", "x": [1, 2.50]},
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": 120, "height": 120} for i in (1, 2, 3)
        ],
        "annotations": [
            annotation(11, 1, SHIRT_XY, "Shirt"),
            annotation(
                12,
                2,
                TROUSERS_XY,
                "Pants",
                bbox=[35.0, 12.0, 50.0, 103.0],
                area=5150.0,
                fashion={
                    "source": "model:old",
                    "score": 0.8,
                    "keypoint_scores": [0, 0, 0, 0, 0.9, 0.4, 0.8, 0.7],
                    "category_scores": {"Pants": 0.7, "Shorts": 0.2},
                },
            ),
        ],
        "categories": [
            category_record(SCHEMA, i, i + 1)
            for i, name in enumerate(SCHEMA.category_names)
            if name in names
        ],
    }


def opened(path: Path) -> Editor:
    """Open a file as a window does where nobody has to be asked."""
    opening = open_editor(path, schema=SCHEMA)
    opening.settle()
    return opening.editor


def small_dataset(**changes: Any) -> Dataset:
    return Dataset.from_document(small_document(**changes), schema=SCHEMA)


def predicted(
    xy: list[tuple[float, float]], category: str, score: float = 0.9, shift: float = 0.0
) -> PredictedGarment:
    places = np.array(xy, np.float32)
    found = places.any(axis=1)
    probabilities = np.full(len(SCHEMA.categories), 0.01, np.float32)
    probabilities[SCHEMA.category_index(category)] = 1 - 0.01 * (len(probabilities) - 1)
    return PredictedGarment(
        xy=places + shift * found[:, None].astype(np.float32),
        scores=np.where(found, score, 0).astype(np.float32),
        spread=np.ones(len(xy), np.float32),
        category=probabilities,
        score=score,
    )


def prediction(*garments: PredictedGarment, model_id: str = "new") -> Prediction:
    return Prediction(garments, 120, 120, model_id)


def fields_of(
    xy: list[tuple[float, float]], size: tuple[int, int], stride: float, offset: float
) -> Fields:
    """Fields of one garment on an image of (width, height), the peaks at the nearest cells."""
    k, edges = SCHEMA.n_landmarks, SCHEMA.edges
    w, h = (int(np.ceil(s / stride)) for s in size)
    cells = (np.array(xy, np.float64) - offset) / stride
    grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)))  # (2, H, W)

    def confidence(at: np.ndarray) -> np.ndarray:
        return np.exp(-((grid - at[:, None, None]) ** 2).sum(axis=0) / 2)

    def everywhere(at: np.ndarray) -> np.ndarray:
        return np.broadcast_to(at[:, None, None], (2, h, w))

    return Fields(
        pif_confidence=np.stack([confidence(c) for c in cells]),
        pif_xy=np.stack([everywhere(c) for c in cells]),
        pif_spread=np.ones((k, h, w)),
        pif_size=np.ones((k, h, w)),
        paf_confidence=np.stack([confidence((cells[a] + cells[b]) / 2) for a, b in edges]),
        paf_xy1=np.stack([everywhere(cells[a]) for a, _ in edges]),
        paf_xy2=np.stack([everywhere(cells[b]) for _, b in edges]),
        paf_spread1=np.ones((len(edges), h, w)),
        paf_spread2=np.ones((len(edges), h, w)),
        category=np.zeros((len(SCHEMA.categories), h, w)),
        edges=edges,
        scale=(stride, stride),
        offset=(offset, offset),
    )


class FakeModel:
    """Stands where a model stands: the garments are where it was told they are."""

    def __init__(self, garments: Any = ((SHIRT_XY, "Shirt"),), model_id: str = "fake-1") -> None:
        self.schema = SCHEMA
        self.layers = Layers.of(SCHEMA, {})
        self.inference = InferenceOptions()
        self.id = model_id
        self.garments = garments
        self.seen = 0

    def predict_with_fields(self, images: list[np.ndarray]) -> list[tuple[Fields, Prediction]]:
        self.seen += len(images)
        found = tuple(predicted(xy, category) for xy, category in self.garments)
        sizes = [p.shape[1::-1] for p in images]
        return [
            (fields_of(self.garments[0][0], s, 8, 3.5), Prediction(found, *s, self.id))
            for s in sizes
        ]

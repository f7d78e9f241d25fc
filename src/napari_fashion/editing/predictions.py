"""A model's garments as an edit that never overwrites what a person did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_fashion.coco import Dataset, Garment, provenance
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.coco.records import (
    TOP_CATEGORIES,
    annotation_record,
    category_record,
    top_categories,
)
from napari_fashion.coco.spans import RecordId
from napari_fashion.coco.values import renewed_values, says_the_same
from napari_fashion.editing.edits import Change, Edit, insert_record, remove_record, set_values
from napari_fashion.engine.metrics import Landmarks, same_garment
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema

PREDICT = "Predict"
"""Label of the edits that are a model's, not a person's."""


@dataclass(frozen=True)
class MergeResult:
    """What became of a prediction.

    Attributes
    ----------
    edit
        None where nothing changes.
    added
        Garments that came from the model, new or in place of an earlier model's.
    updated
        Garments that a person had corrected in part: the other landmarks were renewed.
    kept
        Predictions left out because a person made that garment.
    rejected
        Predictions left out because a person deleted that garment before.
    reviewed
        The picture is reviewed, so that nothing was taken.
    """

    edit: Edit | None
    added: int = 0
    updated: int = 0
    kept: int = 0
    rejected: int = 0
    reviewed: bool = False

    def __str__(self) -> str:
        if self.reviewed:
            return "Reviewed picture: your annotations were left as they are."
        parts = [f"{self.added} garment{'' if self.added == 1 else 's'} found"]
        if self.updated:
            parts.append(f"{self.updated} renewed around your corrections")
        if self.kept:
            parts.append(f"{self.kept} of yours kept")
        if self.rejected:
            parts.append(f"{self.rejected} that you had deleted left out")
        return ", ".join(parts) + "."


def take_prediction(
    dataset: Dataset, image_id: RecordId, prediction: Prediction, schema: Schema
) -> MergeResult:
    """Return what a prediction changes on a picture.

    Garments that came from a model alone make place for the new ones. A garment that a person
    made stays, and a prediction of the same garment is left out. Of a model's garment that a
    person corrected in part, landmarks and category set by the person stay and the rest is
    renewed. A reviewed picture stays as it is.

    Parameters
    ----------
    schema
        The model's, whose landmarks must be the data set's.

    Raises
    ------
    FashionError
        If the model has other landmarks than the data set.
    """
    if schema.landmarks != dataset.schema.landmarks:
        raise FashionError(
            f"The model's landmarks ({schema.n_landmarks}, {schema.name!r}) are not the data "
            f"set's ({dataset.schema.n_landmarks}, {dataset.schema.name!r}). Load a model that "
            "was trained on this schema."
        )
    if dataset.image(image_id).reviewed:
        return MergeResult(None, reviewed=True)

    garments = dataset.garments_of(image_id)
    by_person = [_placed(g.xy, g.visibility) for g in garments if g.source == HUMAN]
    corrected = [g for g in garments if g.source != HUMAN and g.touched_by_human]
    of_model = [g for g in garments if g.source != HUMAN and not g.touched_by_human]
    deleted = [_placed(gone.xy, gone.visibility) for gone in dataset.image(image_id).rejected]

    source = f"model:{prediction.model_id}"
    categories = _Categories(dataset)
    renewed: list[Change] = []
    fresh: list[dict[str, Any]] = []
    updated = kept = rejected = 0
    for predicted in prediction.garments:
        found = _placed(predicted.xy, predicted.scores)
        if any(same_garment(theirs, found, dataset.schema.sigmas) for theirs in by_person):
            kept += 1
            continue
        if any(same_garment(gone, found, dataset.schema.sigmas) for gone in deleted):
            rejected += 1
            continue
        scores = _category_scores(predicted, schema, dataset.schema)
        category_id = categories.id_of(next(iter(scores), dataset.schema.category_names[0]))
        twin = _twin(corrected, found, dataset.schema)
        if twin is not None:
            corrected.remove(twin)
            renewed += _renew(dataset, twin, predicted, scores, category_id, source)
            updated += 1
        else:
            fresh.append(
                annotation_record(
                    dataset.next_id("annotations") + len(fresh),
                    image_id,
                    category_id,
                    xy=predicted.xy,
                    visibility=np.where(predicted.scores > 0, 2, 0),
                    order=dataset.landmark_order(category_id),
                    fashion=provenance.of_model(
                        source, predicted.score, predicted.scores.tolist(), scores
                    ),
                )
            )

    replaced: list[Change] = []
    if len(of_model) != len(fresh) or not all(
        says_the_same(dataset, g.id, record) for g, record in zip(of_model, fresh, strict=True)
    ):
        replaced += [remove_record(dataset, "annotations", g.id) for g in of_model]
        replaced += [insert_record(dataset, "annotations", record) for record in fresh]
    changes = renewed + replaced
    if changes:
        changes = categories.missing + changes
    edit = Edit(PREDICT, image_id, tuple(changes)) if changes else None
    return MergeResult(edit, len(fresh), updated, kept, rejected)


class _Categories:
    """Ids of the file's categories, with new ones for those that it lacks."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._ids: dict[str, RecordId] = {}
        self.missing: list[Change] = []

    def id_of(self, name: str) -> RecordId:
        if name not in self._ids:
            index = self._dataset.schema.category_index(name)
            known = self._dataset.category_id(index)
            if known is None:
                n = len(self.missing)
                known = self._dataset.next_id("categories") + n
                record = category_record(self._dataset.schema, index, known)
                self.missing.append(insert_record(self._dataset, "categories", record))
            self._ids[name] = known
        return self._ids[name]


def _renew(
    dataset: Dataset,
    garment: Garment,
    predicted: PredictedGarment,
    scores: dict[str, float],
    category_id: RecordId,
    source: str,
) -> list[Change]:
    """Renew what the model said about a garment, and leave what a person said."""
    places = {
        i: (float(x), float(y), 2) if score > 0 else (0.0, 0.0, 0)
        for i, ((x, y), score) in enumerate(zip(predicted.xy, predicted.scores, strict=True))
        if garment.landmark_sources[i] != HUMAN
    }
    theirs = garment.category_source != HUMAN and scores
    values = renewed_values(
        dataset,
        garment.id,
        places,
        fashion=provenance.of_model(source, predicted.score, predicted.scores.tolist(), scores),
        category_id=category_id if theirs else None,
    )
    return set_values(dataset, "annotations", garment.id, values)


def _category_scores(
    predicted: PredictedGarment, schema: Schema, target: Schema
) -> dict[str, float]:
    """Return the probabilities of the likeliest categories that both schemas have, best first."""
    if not predicted.category.size:
        return {}
    ranked = top_categories(schema, predicted.category, n=len(schema.categories))
    known = [(name, p) for name, p in ranked.items() if name in target.category_names]
    return dict(known[:TOP_CATEGORIES])


def _twin(corrected: list[Garment], found: Landmarks, schema: Schema) -> Garment | None:
    for garment in corrected:
        if same_garment(_placed(garment.xy, garment.visibility), found, schema.sigmas):
            return garment
    return None


def _placed(xy: Any, present: Any) -> Landmarks:
    return np.asarray(xy, np.float64), np.asarray(present) > 0

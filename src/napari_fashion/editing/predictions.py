"""A model's garments as an edit that never overwrites what a person did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_fashion.coco import Dataset, Garment, provenance
from napari_fashion.coco.categories import CategoryAnswer, CategoryRule
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.coco.records import predicted_record, top_categories
from napari_fashion.coco.values import matches_record, renewed_values
from napari_fashion.editing.edits import Change, Edit, insert_record, remove_record, set_values
from napari_fashion.engine.evaluation.matching import Landmarks, same_garment
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema

PREDICT = "Predict"
"""Label of the edits that are a model's, not a person's."""
ADD = "Add a garment"
"""Label of the edit with a garment that a person asked a model for."""


@dataclass(frozen=True)
class MergeResult:
    """What became of a prediction.

    Attributes
    ----------
    edit
        None if nothing changes.
    added
        Garments that came from the model, new or in place of an earlier model's.
    updated
        Garments that a person had corrected in part: the other landmarks were renewed.
    kept
        Predictions left out because a person made that garment.
    rejected
        Predictions left out because a person deleted that garment before.
    left_out
        The categories of predictions that were left out since the file has none for them, one per garment.
    reviewed
        The image is reviewed, so that nothing was taken.
    """

    edit: Edit | None
    added: int = 0
    updated: int = 0
    kept: int = 0
    rejected: int = 0
    left_out: tuple[str, ...] = ()
    reviewed: bool = False

    def __str__(self) -> str:
        if self.reviewed:
            return "Reviewed image: your annotations were left as they are."
        parts = [f"{self.added} garment{'' if self.added == 1 else 's'} found"]
        if self.updated:
            parts.append(f"{self.updated} renewed around your corrections")
        if self.kept:
            parts.append(f"{self.kept} of yours kept")
        if self.rejected:
            parts.append(f"{self.rejected} that you had deleted left out")
        if self.left_out:
            names = ", ".join(dict.fromkeys(self.left_out))
            parts.append(
                f"{len(self.left_out)} left out, since the file has no category for {names}"
            )
        return ", ".join(parts) + "."


def take_prediction(
    dataset: Dataset,
    image_id: RecordId,
    prediction: Prediction,
    schema: Schema,
    answer: CategoryAnswer | None = None,
) -> MergeResult:
    """Return what a prediction changes on an image.

    Garments that came from a model alone make place for the new ones. A garment that a person
    made stays, and a prediction of the same garment is left out. Of a model's garment that a
    person corrected in part, landmarks and category set by the person stay and the rest is
    renewed. A reviewed image stays as it is.

    A garment gets the file's category for the model's most probable one (`CategoryRule`); if the file
    has none, the garment is left out.

    Parameters
    ----------
    schema
        The model's, whose landmarks must be the data set's.
    answer
        What becomes of the model's categories that the file lacks; by default the answer that the file
        remembers.

    Raises
    ------
    FashionError
        If the model has other landmarks than the data set.
    """
    _require_landmarks(dataset, schema)
    if dataset.image(image_id).reviewed:
        return MergeResult(None, reviewed=True)

    taking = _Taking(dataset, image_id, prediction, schema, answer)
    for predicted in prediction.garments:
        taking.take(predicted)
    return taking.result()


def add_prediction(
    dataset: Dataset,
    image_id: RecordId,
    prediction: Prediction,
    schema: Schema,
    answer: CategoryAnswer | None = None,
) -> MergeResult:
    """Return the edit that adds the garments of a prediction; those that the image has stay as they are.

    For a garment that a person asked for (`engine.inference.boxes`): it is added even if a person deleted
    one there before, and to a reviewed image. Parameters and errors are those of `take_prediction`.
    """
    _require_landmarks(dataset, schema)
    taking = _Taking(dataset, image_id, prediction, schema, answer)
    for predicted in prediction.garments:
        taking.add(predicted)
    return taking.result(ADD, replaces=False)


def _require_landmarks(dataset: Dataset, schema: Schema) -> None:
    if schema.landmarks != dataset.schema.landmarks:
        raise FashionError(
            f"The model's landmarks ({schema.n_landmarks}, {schema.name!r}) are not the data "
            f"set's ({dataset.schema.n_landmarks}, {dataset.schema.name!r}). Load a model that "
            "was trained on this schema."
        )


class _Taking:
    """One prediction of one image: each garment is sorted, and then an edit is made of all."""

    def __init__(
        self,
        dataset: Dataset,
        image_id: RecordId,
        prediction: Prediction,
        schema: Schema,
        answer: CategoryAnswer | None,
    ) -> None:
        self._dataset = dataset
        self._image_id = image_id
        self._schema = schema
        self._source = f"{provenance.MODEL}{prediction.model_id}"
        self._rule = CategoryRule.of(dataset, schema, answer)
        garments = dataset.garments_of(image_id)
        self._by_person = [_placed(g.xy, g.visibility) for g in garments if g.source == HUMAN]
        self._corrected = [g for g in garments if g.source != HUMAN and g.touched_by_human]
        self._of_model = [g for g in garments if g.source != HUMAN and not g.touched_by_human]
        self._deleted = [_placed(r.xy, r.visibility) for r in dataset.image(image_id).rejected]
        self._used_categories: set[RecordId] = set()
        self._renewed: list[Change] = []
        self._fresh: list[dict[str, Any]] = []
        self._left_out: list[str] = []
        self._updated = self._kept = self._rejected = 0

    def take(self, predicted: PredictedGarment) -> None:
        """Sort a garment: kept, rejected, renewed, left out or new."""
        found = _placed(predicted.xy, predicted.scores)
        sigmas = self._dataset.schema.sigmas
        if any(same_garment(theirs, found, sigmas) for theirs in self._by_person):
            self._kept += 1
            return
        if any(same_garment(gone, found, sigmas) for gone in self._deleted):
            self._rejected += 1
            return
        scores, category_id = self._category_of(predicted)
        twin = _twin(self._corrected, found, self._dataset.schema)
        if twin is not None:
            self._corrected.remove(twin)
            self._renewed += _renew(
                self._dataset, twin, predicted, scores, category_id, self._source
            )
            self._used_categories.add(category_id)
            self._updated += 1
        else:
            self.add(predicted)

    def add(self, predicted: PredictedGarment) -> None:
        """Take a garment as a new one; it is left out if the file has no category for it."""
        scores, category_id = self._category_of(predicted)
        if category_id is None:
            self._left_out.append(next(iter(scores), "garments without a category"))
        else:
            self._used_categories.add(category_id)
            self._fresh.append(self._new_record(predicted, category_id, scores))

    def _category_of(self, predicted: PredictedGarment) -> tuple[dict[str, float], RecordId | None]:
        likeliest = int(predicted.category.argmax()) if predicted.category.size else -1
        return top_categories(self._schema, predicted.category), self._rule.id_of(likeliest)

    def _new_record(
        self, predicted: PredictedGarment, category_id: RecordId, scores: dict[str, float]
    ) -> dict[str, Any]:
        return predicted_record(
            self._dataset.next_id("annotations") + len(self._fresh),
            self._image_id,
            category_id,
            xy=predicted.xy,
            scores=predicted.scores,
            visibility=predicted.visibility,
            present=predicted.present,
            visible=predicted.visible,
            score=predicted.score,
            category_scores=scores,
            source=self._source,
            order=self._dataset.landmark_order(category_id),
        )

    def result(self, label: str = PREDICT, *, replaces: bool = True) -> MergeResult:
        """Return what becomes of the garments that were taken.

        Parameters
        ----------
        label
            Of the edit.
        replaces
            Whether the model's earlier garments make place.
        """
        dataset = self._dataset
        changes = self._renewed + (self._replaced() if replaces else self._inserted())
        if changes and any(record["id"] in self._used_categories for record in self._rule.new):
            added: list[Change] = [insert_record(dataset, "categories", r) for r in self._rule.new]
            changes = added + changes
        edit = Edit(label, self._image_id, tuple(changes)) if changes else None
        return MergeResult(
            edit,
            added=len(self._fresh),
            updated=self._updated,
            kept=self._kept,
            rejected=self._rejected,
            left_out=tuple(self._left_out),
        )

    def _replaced(self) -> list[Change]:
        """Return the changes that put the new garments in place of the model's earlier ones."""
        dataset = self._dataset
        if len(self._of_model) == len(self._fresh) and all(
            matches_record(dataset, g.id, record)
            for g, record in zip(self._of_model, self._fresh, strict=True)
        ):
            return []
        removed: list[Change] = [
            remove_record(dataset, "annotations", g.id) for g in self._of_model
        ]
        return removed + self._inserted()

    def _inserted(self) -> list[Change]:
        return [insert_record(self._dataset, "annotations", record) for record in self._fresh]


def _renew(
    dataset: Dataset,
    garment: Garment,
    predicted: PredictedGarment,
    scores: dict[str, float],
    category_id: RecordId | None,
    source: str,
) -> list[Change]:
    """Renew the values of a garment that are the model's, and keep those of a person."""
    places = {
        i: (float(x), float(y), int(v)) if v else (0.0, 0.0, 0)
        for i, ((x, y), v) in enumerate(zip(predicted.xy, predicted.visibility, strict=True))
        if garment.landmark_sources[i] != HUMAN
    }
    theirs = garment.category_source != HUMAN
    values = renewed_values(
        dataset,
        garment.id,
        places,
        fashion=provenance.of_model(
            source,
            predicted.score,
            predicted.scores.tolist(),
            scores,
            present=predicted.present,
            visible=predicted.visible,
        ),
        category_id=category_id if theirs else None,
    )
    return set_values(dataset, "annotations", garment.id, values)


def _twin(corrected: list[Garment], found: Landmarks, schema: Schema) -> Garment | None:
    for garment in corrected:
        if same_garment(_placed(garment.xy, garment.visibility), found, schema.sigmas):
            return garment
    return None


def _placed(xy: Any, present: Any) -> Landmarks:
    return np.asarray(xy, np.float64), np.asarray(present) > 0

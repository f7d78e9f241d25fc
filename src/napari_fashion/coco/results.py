"""COCO results: what a model found, as the list that every COCO tool reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_fashion.coco import provenance
from napari_fashion.coco.categories import CategoryRule
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.jsontext import Layout, dump_object
from napari_fashion.coco.keypoints import parse_keypoints
from napari_fashion.coco.records import predicted_record, result_record, top_categories
from napari_fashion.coco.writing import write_file

if TYPE_CHECKING:
    from napari_fashion.engine.prediction import Prediction
    from napari_fashion.schema import Schema


def result_records(
    dataset: Dataset, image_id: RecordId, prediction: Prediction, rule: CategoryRule
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the COCO results of one image.

    A garment gets the file's category for the model's most probable one; if the file has none, the
    garment is left out.

    Parameters
    ----------
    rule
        Which of the file's categories each of the model's becomes.

    Returns
    -------
    records
        One a garment (`records.result_record`).
    left_out
        The categories of the garments that were left out, one per garment.
    """
    records: list[dict[str, Any]] = []
    left_out: list[str] = []
    for garment in prediction.garments:
        likeliest = int(garment.category.argmax()) if garment.category.size else -1
        category_id = rule.id_of(likeliest)
        top = top_categories(rule.schema, garment.category)
        if category_id is None:
            left_out.append(next(iter(top), "garments without a category"))
            continue
        annotation = predicted_record(
            0,
            image_id,
            category_id,
            xy=garment.xy,
            scores=garment.scores,
            visibility=garment.visibility,
            present=garment.present,
            visible=garment.visible,
            score=garment.score,
            category_scores=top,
            source=f"{provenance.MODEL}{prediction.model_id}",
            order=dataset.landmark_order(category_id),
        )
        records.append(result_record(annotation))
    return records, left_out


def prediction_of_results(
    records: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    schema: Schema,
    size: tuple[int, int],
    model_id: str,
    visible_threshold: float = 0.5,
) -> Prediction:
    """Return the prediction that `result_records` made results of, as far as they contain it.

    Places are rounded as they were written, and only the highest probabilities are known.

    Parameters
    ----------
    records
        Results of one image.
    schema
        The model's.
    size
        Width and height of the image, pixels.
    visible_threshold
        The model's (`VisibilityOptions`).
    """
    from napari_fashion.engine.prediction import PredictedGarment, Prediction

    index = {name: i for i, name in enumerate(schema.category_names)}
    garments = []
    for record in records:
        order = dataset.landmark_order(record["category_id"])
        places = parse_keypoints(record["keypoints"], schema.n_landmarks, order)
        scores = np.asarray(record["keypoint_scores"], np.float32)
        present = _numbers(record, provenance.PRESENT)
        visible = _numbers(record, provenance.VISIBLE)
        if visible is not None:  # rounded numbers must not change what was told
            least = np.float32(visible_threshold)
            below = np.nextafter(least, np.float32(-1))
            visible = np.where(places.visibility == 2, np.maximum(visible, least), visible)
            visible = np.where(places.visibility == 1, np.minimum(visible, below), visible)
        category = np.zeros(len(index), np.float32)
        for name, probability in record["category_scores"].items():
            category[index[name]] = probability
        garments.append(
            PredictedGarment(
                xy=places.xy.astype(np.float32),
                scores=np.where(places.visibility > 0, scores, np.float32(0)),
                spread=np.zeros_like(scores),
                category=category,
                score=float(record["score"]),
                present=present,
                visible=visible,
                visible_threshold=float(np.float32(visible_threshold)),
            )
        )
    return Prediction(tuple(garments), *size, model_id)


def _numbers(record: Mapping[str, Any], name: str) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """Return (K,) numbers of a result; None if it has none of that name."""
    return np.asarray(record[name], np.float32) if name in record else None


def write_results(
    results: Iterable[Mapping[str, Any]], path: Path | str, *, overwrite: bool = False
) -> None:
    """Write a COCO results file; an existing one only with `overwrite`.

    Raises
    ------
    CocoError
        If the file exists and `overwrite` is not given, or it cannot be written.
    """
    line = Layout(separator=", ", colon=": ", comma=", ")
    rows = ",\n".join(dump_object(dict(result), line) for result in results)
    text = f"[\n{rows}\n]\n" if rows else "[]\n"
    write_file([text.encode()], Path(path), overwrite=overwrite)

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
    """
    from napari_fashion.engine.prediction import PredictedGarment, Prediction

    index = {name: i for i, name in enumerate(schema.category_names)}
    garments = []
    for record in records:
        order = dataset.landmark_order(record["category_id"])
        places = parse_keypoints(record["keypoints"], schema.n_landmarks, order)
        scores = np.asarray(record["keypoint_scores"], np.float32)
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
            )
        )
    return Prediction(tuple(garments), *size, model_id)


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

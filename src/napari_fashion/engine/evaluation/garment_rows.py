"""One row a garment that was judged, as CSV or Parquet, for one's own analysis."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.judged import Judged
from napari_fashion.engine.evaluation.visibility import Presence
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema

Value = str | int | float | bool | None
_IDS = ("image_id", "annotation_id")


def garment_rows(evaluations: Sequence[Evaluation], schema: Schema) -> list[dict[str, Value]]:
    """Return a row for every garment and protocol.

    Parameters
    ----------
    evaluations
        Of one model on the same images.
    schema
        The model's.

    Returns
    -------
    Rows with the same keys in the same order: the protocol, the image and the garment with their ids in
    the file (text, unless all are whole numbers), what was shown, in whole pixels, the file's box, the
    category by the file's name and the model's, the mean normalised error over visible landmarks, the
    similarity (OKS) of the prediction, and of each landmark its visibility and place in the truth, its
    error, its score, its predicted place, the probabilities that it is there and visible if the model
    tells them, and its predicted visibility, 0 if it is not detected (`visibility.Presence`). Errors and
    true places are those of labelled landmarks.
    """
    rows: list[dict[str, Value]] = []
    for one in evaluations:
        told = Presence(one.judged, schema, one.report.confidence).visibility
        for judged, seen in zip(one.judged, told.tolist(), strict=True):
            rows.append(_row(one.protocol, judged, schema, seen))
    for name in _IDS:
        values = [row[name] for row in rows if row[name] is not None]
        if not all(type(value) is int and abs(value) < 2**63 for value in values):
            for row in rows:
                row[name] = None if row[name] is None else str(row[name])
    return rows


def _row(protocol: str, j: Judged, schema: Schema, predicted: Sequence[int]) -> dict[str, Value]:
    visible = j.visibility == 2
    names = schema.category_names
    likeliest = int(np.argmax(j.probabilities)) if j.found and len(names) else -1
    row: dict[str, Value] = {
        "protocol": protocol,
        "file_name": j.key,
        "image_id": j.image_id,
        "annotation_id": j.annotation_id,
        "garment": j.index,
        "garments_in_image": j.garments,
        "left": j.region.left,
        "top": j.region.top,
        "width": j.region.width,
        "height": j.region.height,
        "box_left": float(j.box[0]),
        "box_top": float(j.box[1]),
        "box_width": float(j.box[2] - j.box[0]),
        "box_height": float(j.box[3] - j.box[1]),
        "found": j.found,
        "body_type": j.body_type or None,
        "category": j.category_name or None,
        "model_category": names[j.category] if j.category >= 0 else None,
        "predicted_category": names[likeliest] if likeliest >= 0 else None,
        "probability": float(j.probabilities[likeliest]) if likeliest >= 0 else None,
        "oks": float(j.oks),
        "visible_landmarks": int(visible.sum()),
        "error": float(j.errors[visible].mean()) if visible.any() else None,
        "error_by_box": float(j.box_errors[visible].mean()) if visible.any() else None,
    }
    for k, name in enumerate(schema.landmarks):
        labelled = j.visibility[k] > 0
        row[f"{name}.visibility"] = int(j.visibility[k])
        row[f"{name}.true_x"] = float(j.truth[k, 0]) if labelled else None
        row[f"{name}.true_y"] = float(j.truth[k, 1]) if labelled else None
        row[f"{name}.error"] = float(j.errors[k]) if labelled else None
        row[f"{name}.score"] = float(j.scores[k])
        row[f"{name}.x"] = float(j.predicted[k, 0])
        row[f"{name}.y"] = float(j.predicted[k, 1])
        row[f"{name}.present"] = None if j.present is None else float(j.present[k])
        row[f"{name}.visible"] = None if j.visible is None else float(j.visible[k])
        row[f"{name}.predicted_visibility"] = int(predicted[k])
    return row


def as_csv(rows: Sequence[dict[str, Value]]) -> bytes:
    """Return rows as CSV in UTF-8; what is not known is an empty cell."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def require_parquet() -> None:
    """Raise FashionError if the library that writes Parquet is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise FashionError(
            "Parquet is written by pyarrow, which is not installed. Install it (pip install "
            "'napari-fashion[parquet]'), or name a file that ends in .csv."
        ) from error


def as_parquet(rows: Sequence[dict[str, Value]]) -> bytes:
    """Return rows as Parquet; what is not known is null.

    Raises
    ------
    FashionError
        If pyarrow is not installed.
    """
    require_parquet()
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), buffer)
    return buffer.getvalue()

"""How unsure a model is of an image: the number of corrections that it expects itself.

Of each landmark that it placed, the probability that it is not there by its score, and that it is visible
where the model says hidden or the other way round; of each landmark that it left out, the probability that
it is there; of the category, the probability that it is another one. What a person placed or chose adds
nothing. `training/uncertainty.py` compares it with the corrections that the truth asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from napari_fashion.coco import jsontext, provenance
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.keypoints import parse_keypoints
from napari_fashion.coco.statistics import Columns, Once
from napari_fashion.coco.views import Garment

Array = npt.NDArray[Any]

_BLOCK = 8_000


def expected_corrections(garments: Iterable[Garment]) -> float:
    """Return the number of corrections that a model expects on an image; 0 without a garment of a model."""
    return float(sum(_of(garment) for garment in garments))


def _of(garment: Garment) -> float:
    of_model = np.array([source != provenance.HUMAN for source in garment.landmark_sources])
    probability = 1.0
    if garment.category_source != provenance.HUMAN and garment.category_scores:
        probability = garment.category_scores.get(garment.category_name, 0.0)
    return float(
        _expected(
            garment.visibility,
            of_model,
            garment.landmark_scores,
            garment.landmark_present,
            garment.landmark_visible,
            np.asarray(probability),
        )
    )


def _expected(
    visibility: Array,
    of_model: Array,
    scores: Array,
    present: Array,
    visible: Array,
    category: Array,
) -> Array:
    """Return expected corrections (...,) of garments by their landmarks (..., K); nan is not told."""
    placed, told = (visibility > 0) & of_model, ~np.isnan(scores)
    wrong = np.where(placed & told, 1 - np.nan_to_num(scores), 0).sum(axis=-1)
    left_out = np.where((visibility == 0) & of_model, np.nan_to_num(present), 0).sum(axis=-1)
    seen = np.nan_to_num(visible)
    state = np.where(placed, np.minimum(seen, 1 - seen), 0).sum(axis=-1)
    return np.asarray(wrong + left_out + state + 1 - category)


class _Row(msgspec.Struct, gc=False):
    category_id: Any = None
    keypoints: Any = None
    fashion: msgspec.Raw = msgspec.Raw(b"")


def expected_corrections_of_all(dataset: Dataset, found: Columns) -> npt.NDArray[np.float64]:
    """Return the expected corrections of each annotation, (M,); nan where no model has a say in it.

    Parameters
    ----------
    found
        The columns of the same data set as it is now.
    """
    expected = np.full(len(found.annotation_ids), np.nan)
    block: list[_Told] = []
    order_of = Once(dataset.landmark_order)
    for i, (category_id, keypoints, fashion) in enumerate(_rows(dataset)):
        if provenance.MODEL.encode() in fashion and not found.crowd[i]:
            record = {provenance.KEY: jsontext.loads(fashion)}
            read = parse_keypoints(keypoints, dataset.schema.n_landmarks, order_of(category_id))
            block.append(_Told(i, read.visibility, record))
        if len(block) == _BLOCK:
            _take(dataset, found, block, expected)
            block.clear()
    _take(dataset, found, block, expected)
    return expected


@dataclass(frozen=True)
class _Told:
    """An annotation of which a model has told something: its row, visibilities and provenance."""

    row: int
    visibility: Array
    record: dict[str, Any]


def _rows(dataset: Dataset) -> Iterator[tuple[Any, Any, bytes]]:
    """Yield category id, keypoints and what stands under our key, of each annotation."""
    try:
        for row in dataset.store.bulk("annotations", _Row):
            yield row.category_id, row.keypoints, bytes(row.fashion)
    except msgspec.MsgspecError:
        for key in dataset.store.ids("annotations"):
            ours = dataset.text("annotations", key, (provenance.KEY,))
            record = dataset.store.record("annotations", key)
            fashion = b"" if ours is None else ours.encode()
            yield record.get("category_id"), record.get("keypoints"), fashion


def _take(
    dataset: Dataset, found: Columns, block: list[_Told], expected: npt.NDArray[np.float64]
) -> None:
    """Put in the numbers of some annotations."""
    if not block:
        return
    k, names = dataset.schema.n_landmarks, dataset.schema.category_names
    numbers = {name: np.full((len(block), k), np.nan) for name in provenance.NUMBERS}
    visibility, of_model = np.zeros((len(block), k), np.int64), np.ones((len(block), k), np.bool_)
    probability = np.ones(len(block))
    for j, told in enumerate(block):
        category = int(found.category[told.row])
        visibility[j] = told.visibility
        for name, array in numbers.items():
            array[j] = provenance.landmark_numbers(told.record, name, k)
        of_model[j] = [s != provenance.HUMAN for s in provenance.landmark_sources(told.record, k)]
        by_name = provenance.category_scores(told.record)
        if by_name and provenance.category_source(told.record) != provenance.HUMAN:
            probability[j] = by_name.get(names[category], 0.0) if category >= 0 else 0.0
    scores, present, visible = (numbers[name] for name in provenance.NUMBERS)
    expected[[told.row for told in block]] = _expected(
        visibility, of_model, scores, present, visible, probability
    )

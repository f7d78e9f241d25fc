from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.evaluation.average_precision import average_precision


def coco(xy: np.ndarray, **more) -> dict:
    keypoints = np.concatenate([xy, np.full((len(xy), 1), 2)], axis=1).ravel().tolist()
    return {"image_id": 1, "category_id": 1, "keypoints": keypoints, **more}


def document(*garments: np.ndarray) -> dict:
    return {
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "Top"}, {"id": 2, "name": "Dress"}],
        "annotations": [coco(xy, id=i + 1) for i, xy in enumerate(garments)],
    }


def test_average_precision_knows_perfect_half_and_nothing(capsys) -> None:
    first = np.array([[10.0, 10], [30, 10], [20, 40]])
    truth = document(first, first + 50)
    sigmas = (0.08,) * 3
    perfect = [coco(first, score=0.9), coco(first + 50, score=0.8)]
    assert average_precision(truth, perfect, sigmas) == pytest.approx(
        {"ap": 1, "ap50": 1, "ap75": 1, "ar": 1}
    )
    half = average_precision(truth, perfect[:1], sigmas)
    assert half["ar"] == pytest.approx(0.5)
    assert half["ap"] == pytest.approx(51 / 101)  # recall 0 to 0.5 of COCO's 101 points
    other_category = [{**r, "category_id": 2} for r in perfect]
    assert average_precision(truth, other_category, sigmas)["ap"] == pytest.approx(1)
    assert average_precision(truth, [], sigmas)["ap"] == 0
    assert average_precision(document(), perfect, sigmas)["ap"] is None
    assert capsys.readouterr().out == ""
    assert "area" not in truth["annotations"][0]  # the caller's document is as it was


def test_average_precision_uses_the_given_sigmas() -> None:
    first = np.array([[10.0, 10], [30, 10], [20, 40]])
    near = [coco(first + 3, score=0.9)]
    strict = average_precision(document(first), near, (0.02,) * 3)
    kind = average_precision(document(first), near, (0.5,) * 3)
    assert strict["ap"] == 0
    assert kind["ap"] == pytest.approx(1)

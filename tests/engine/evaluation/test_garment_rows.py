from __future__ import annotations

import csv
import importlib.util
import io
from dataclasses import replace

import numpy as np
import pytest

from judged_garments import SCHEMA, random_garments
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.garment_rows import as_csv, as_parquet, garment_rows
from napari_fashion.engine.evaluation.report import build_report
from napari_fashion.errors import FashionError


@pytest.fixture
def made():
    judged = [
        replace(j, image_id=7, annotation_id=100 + i, category_name="Kilt", truth=j.truth + 2.5)
        for i, j in enumerate(random_garments(0, 12))
    ]
    report = build_report(judged, SCHEMA, rounds=0)
    one = Evaluation("box", "Box", {}, report, judged, None)
    return judged, garment_rows([one, one], SCHEMA)


def test_rows_say_what_was_judged(made) -> None:
    judged, rows = made
    assert len(rows) == 24
    for j, row in zip(judged, rows, strict=False):
        seen = j.visibility == 2
        assert row["error"] == (pytest.approx(j.errors[seen].mean()) if seen.any() else None)
        assert row["found"] == j.found
        assert row["file_name"] == j.key
        names = SCHEMA.category_names
        assert row["model_category"] == (names[j.category] if j.category >= 0 else None)
        assert row["category"] == "Kilt"
        assert (row["image_id"], row["annotation_id"]) == (7, j.annotation_id)
        box = [row[f"box_{side}"] for side in ("left", "top", "width", "height")]
        assert box == [10, 20, 50.5, 70]
        for k, name in enumerate(SCHEMA.landmarks):
            assert (row[f"{name}.error"] is None) == (j.visibility[k] == 0)
            assert row[f"{name}.score"] == j.scores[k]
            place = (row[f"{name}.true_x"], row[f"{name}.true_y"])
            assert place == (tuple(j.truth[k]) if j.visibility[k] else (None, None))


@pytest.mark.parametrize("other", ["x7", 2.5, 2**70])
def test_ids_that_are_not_all_whole_numbers_are_text(other) -> None:
    judged = random_garments(1, 2)
    judged = [replace(judged[0], annotation_id=3), replace(judged[1], annotation_id=other)]
    one = Evaluation("box", "Box", {}, build_report(judged, SCHEMA, rounds=0), judged, None)
    rows = garment_rows([one], SCHEMA)
    assert [r["annotation_id"] for r in rows] == ["3", str(other)]
    assert [r["image_id"] for r in rows] == [None, None]


def test_csv_reads_back(made) -> None:
    _, rows = made
    read = list(csv.DictReader(io.StringIO(as_csv(rows).decode())))
    assert list(read[0]) == list(rows[0])
    for text, row in zip(read, rows, strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert float(text[name]) == value
            else:
                assert text[name] == ("" if value is None else str(value))
    assert as_csv([]) == b"\n"


def test_parquet_reads_back(made) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    _, rows = made
    table = parquet.read_table(io.BytesIO(as_parquet(rows)))
    assert table.to_pylist() == rows
    assert not any(
        isinstance(v, float) and np.isnan(v) for r in table.to_pylist() for v in r.values()
    )


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_without_pyarrow_parquet_is_refused_with_the_remedy(made) -> None:
    with pytest.raises(FashionError, match=r"pip install 'napari-fashion\[parquet\]'"):
        as_parquet(made[1])

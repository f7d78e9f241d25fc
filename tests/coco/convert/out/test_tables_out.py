from __future__ import annotations

import csv

import pytest

from exported import DRESS, SCHEMA, SHIRT, SIZES, TROUSERS, document, export, write
from napari_fashion.coco.convert.out import tables_out
from napari_fashion.errors import CocoError


def read_csv(path):
    """Return the rows with the types of the columns; what is missing is None."""
    read = {
        "string": str,
        "int64": int,
        "double": float,
        "bool": {"true": True, "false": False}.get,
    }
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {
                key: read[tables_out.COLUMNS[key]](text) if text else None
                for key, text in row.items()
            }
            for row in csv.DictReader(stream)
        ]


def expected(image, garment, category, marks, members, **more):
    name = list(SIZES)[image - 1]
    record = {r["id"]: r for r in document()["annotations"]}[garment]
    for i in members:
        x, y, v = marks[i]
        yield {
            "image": name, "image_id": str(image), "width": SIZES[name][0], "height": SIZES[name][1],
            "reviewed": image == 1, "annotation_id": str(garment), "category": category,
            **dict(zip(("box_x", "box_y", "box_width", "box_height"), record["bbox"], strict=True)),
            "area": record["area"], "body_type": None,
            "landmark": SCHEMA.landmarks[i], "x": x if v else None, "y": y if v else None, "visibility": v,
            "source": "human", "score": None, "present": None, "visible": None,
            "garment_source": "human", "garment_score": None, **more,
        }  # fmt: skip


@pytest.fixture
def source(tmp_path):
    content = document()
    content["images"][0]["fashion"] = {"reviewed": True}
    return write(tmp_path / "in", content)


def can(category):
    return SCHEMA.landmarks_of_category(SCHEMA.category_index(category))


def all_rows():
    """The landmarks that a category can have, and others that are labelled."""
    rows = [
        *expected(1, 11, "Shirt", SHIRT, can("Shirt")),
        *expected(1, 12, "T-Shirt", SHIRT, can("T-Shirt")),
        *expected(2, 14, "Pants", TROUSERS, (4, 5, 6, 7)),
        *expected(3, 15, "Dress", DRESS, range(8)),
    ]
    of_model = [row for row in rows if row["annotation_id"] == "14"]
    for row, score in zip(of_model, (0.5, 0.25, 1.0, 0.0), strict=True):
        row |= {
            "source": "model:m",
            "score": score,
            "garment_source": "model:m",
            "garment_score": 0.75,
        }
    return rows


def test_csv_has_a_row_for_each_landmark(source, tmp_path):
    result = export(source, tmp_path / "out", "csv", include_predictions=True)
    assert read_csv(tmp_path / "out/landmarks.csv") == all_rows()
    counts = result.tally.counts
    assert (counts[tables_out.CROWDS], counts[tables_out.EMPTY]) == (1, 1)
    assert counts[tables_out.NOT_HELD] == 2  # an outline, a pattern
    assert (result.images, result.garments) == (4, 4)


def test_parquet_has_the_same_rows(source, tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    monkeypatch.setattr(tables_out, "GROUP_ROWS", 7)  # several groups
    result = export(source, tmp_path / "out", "parquet", include_predictions=True)
    table = pq.read_table(tmp_path / "out/landmarks.parquet")
    assert table.to_pylist() == all_rows()
    assert [str(t) for t in table.schema.types] == list(tables_out.COLUMNS.values())
    assert pq.ParquetFile(tmp_path / "out/landmarks.parquet").num_row_groups == 4
    assert (
        result.tally.counts
        == export(source, tmp_path / "csv", "csv", include_predictions=True).tally.counts
    )


def test_without_pyarrow_parquet_says_what_to_install(source, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(CocoError, match=r"pip install 'napari-fashion\[parquet\]'"):
        export(source, tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()


def test_body_type_and_a_source_of_another_word_are_in_the_table(tmp_path):
    content = document()
    sources = ["human", *[None] * 7]
    content["annotations"][0] |= {
        "body_type": "upper", "fashion": {"source": "tool:x", "keypoint_sources": sources}
    }  # fmt: skip
    result = export(write(tmp_path / "in", content), tmp_path / "out", "csv")
    found = [r for r in read_csv(tmp_path / "out/landmarks.csv") if r["annotation_id"] == "11"]
    assert {(r["body_type"], r["area"], r["garment_source"]) for r in found} == {
        ("upper", 8000.5, "tool:x")
    }
    assert [r["source"] for r in found] == ["human", *["tool:x"] * (len(found) - 1)]
    assert "body_type" not in str(result.tally)


def test_odd_text_survives_csv(tmp_path):
    content = document()
    content["categories"][0]["name"] = 'a, "b"\nc'
    content["annotations"][0]["category_id"] = 1
    export(write(tmp_path / "in", content), tmp_path / "out", "csv")
    assert read_csv(tmp_path / "out/landmarks.csv")[0]["category"] == 'a, "b"\nc'

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from napari_fashion.datasets.procedural import demo_dataset, render, write_dataset
from napari_fashion.schema import Schema

SMALL = (90, 120)


def test_the_coco_file_loads_and_says_what_was_rendered(tmp_path):
    path = write_dataset(tmp_path, 8, seed=40, size=SMALL, scenes=0.0, empty=0.0, file_format="png")
    coco = COCO(str(path))
    schema = Schema.load("garments")
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(schema.category_names)
    assert len(coco.getImgIds()) == len(coco.getAnnIds()) == 8
    for i, image in enumerate(coco.loadImgs(coco.getImgIds())):
        sample = render(40 + i, size=SMALL)
        pixels = np.asarray(Image.open(tmp_path / image["file_name"]))
        np.testing.assert_array_equal(pixels, sample.image)
        assert (image["width"], image["height"]) == SMALL
        (record,) = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        (garment,) = sample.garments
        points = np.array(record["keypoints"]).reshape(-1, 3)
        np.testing.assert_allclose(points[:, :2], garment.xy, atol=0.006)
        np.testing.assert_array_equal(points[:, 2], garment.visibility)
        labelled = points[points[:, 2] > 0, :2]
        x, y, w, h = record["bbox"]
        np.testing.assert_allclose([x, y], labelled.min(axis=0), atol=0.011)
        np.testing.assert_allclose([x + w, y + h], labelled.max(axis=0), atol=0.011)
        assert record["area"] == pytest.approx(w * h, abs=0.011)
        assert record["num_keypoints"] == len(labelled)
        assert record["body_type"] == garment.body_type
        assert "fashion" not in record


def test_a_second_run_writes_the_same_bytes(tmp_path):
    first = write_dataset(tmp_path / "a", 3, size=SMALL)
    second = write_dataset(tmp_path / "b", 3, size=SMALL)
    assert first.read_bytes() == second.read_bytes()


def test_an_unknown_file_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="'bmp'"):
        write_dataset(tmp_path / "new", 1, file_format="bmp")
    assert not (tmp_path / "new").exists()


def test_the_demo_has_one_two_and_no_garments_and_most_categories(tmp_path):
    document = json.loads(demo_dataset(tmp_path, size=SMALL).read_text())
    assert len(document["images"]) == 12
    counts = [
        sum(a["image_id"] == image["id"] for a in document["annotations"])
        for image in document["images"]
    ]
    assert sorted(counts) == [0] + [1] * 10 + [2]
    assert len({a["category_id"] for a in document["annotations"]}) >= 10
    assert all((tmp_path / image["file_name"]).is_file() for image in document["images"])

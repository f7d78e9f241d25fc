from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exported import SCHEMA, SIZES, document, export, write
from napari_fashion.coco.convert.out import yolo_out
from napari_fashion.coco.convert.out.yolo_out import yaml_text

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")


def read_yolo(folder: Path, part: str):
    """Read labels as the format is described: pixels of (name, category, box, landmarks)."""
    data = yaml.safe_load((folder / "data.yaml").read_text("utf-8"))
    k, dims = data["kpt_shape"]
    images = folder / data[part]
    for image in sorted(p for p in images.rglob("*") if p.is_file()):
        name = image.relative_to(images).as_posix()
        label = Path(str(image).replace("/images/", "/labels/")).with_suffix(".txt")
        size = np.array(SIZES.get(name, SIZES["a.jpg"]))
        for line in label.read_text().splitlines():
            numbers = [float(text) for text in line.split()]
            assert len(numbers) == 5 + k * dims
            assert all(0 <= value <= 1 for value in numbers[1:5])
            middle, extent = np.array(numbers[1:3]) * size, np.array(numbers[3:5]) * size
            marks = np.array(numbers[5:]).reshape(k, dims)
            assert ((marks[:, :2] >= 0) & (marks[:, :2] <= 1)).all()
            marks[:, :2] *= size
            yield name, data["names"][int(numbers[0])], [*(middle - extent / 2), *extent], marks


def test_labels_have_the_places_of_the_source(tmp_path):
    source = write(tmp_path / "in")
    result = export(source, tmp_path / "out", "yolo", include_predictions=True)
    found = list(read_yolo(tmp_path / "out", "train"))
    truth = {r["id"]: r for r in document()["annotations"]}
    assert [(name, category) for name, category, _, _ in found] == [
        ("a-2.jpg", "Dress"), ("a.png", "Shirt"), ("a.png", "T-Shirt"), ("sub/b b.png", "Pants")
    ]  # fmt: skip
    for (_, _, box, marks), key in zip(found[1:], (11, 12, 14), strict=True):
        assert np.allclose(box, truth[key]["bbox"], atol=1e-5)
        assert np.allclose(marks.ravel(), truth[key]["keypoints"], atol=1e-5)
    _, _, box, marks = found[0]  # it reaches beyond the image, which the format cannot say
    assert np.allclose(box, [0, 5, 50, 45], atol=1e-5)
    expected = np.reshape(truth[15]["keypoints"], (8, 3)).astype(float)
    expected[2] = 0
    assert np.allclose(marks, expected, atol=1e-5)
    counts = result.tally.counts
    assert (counts[yolo_out.CROWDS], counts[yolo_out.CUT], counts[yolo_out.OUTSIDE]) == (1, 1, 1)
    assert counts[yolo_out.NOT_HELD] == 3  # an outline, a score, a pattern
    assert (result.images, result.garments) == (4, 4)
    assert (tmp_path / "out/labels/train/empty.txt").read_text() == ""


def test_the_yaml_file_has_shape_mirrors_and_parts(tmp_path):
    source = write(tmp_path / "in")
    export({"train": source, "val": source}, tmp_path / "out", "yolo")
    data = yaml.safe_load((tmp_path / "out/data.yaml").read_text("utf-8"))
    assert data["path"] == str(tmp_path / "out")
    assert (data["train"], data["val"]) == ("images/train", "images/val")
    assert data["kpt_shape"] == [8, 3]
    assert data["flip_idx"] == [1, 0, 3, 2, 5, 4, 7, 6] == list(SCHEMA.flips)
    assert list(data["names"].values()) == list(SCHEMA.category_names)
    assert data["kpt_names"][0] == list(SCHEMA.landmarks)
    assert len(list(read_yolo(tmp_path / "out", "val"))) == 3


def test_without_known_mirrors_there_is_no_flip_idx(tmp_path):
    content = document()
    for category in content["categories"]:
        category["keypoints"] = [f"mark_{i}" for i in "pqrstuvw"]
    export(write(tmp_path / "in", content), tmp_path / "out", "yolo")
    text = (tmp_path / "out/data.yaml").read_text("utf-8")
    assert "flip_idx" not in yaml.safe_load(text)
    assert "# No flip_idx: do not mirror images in training" in text


def test_left_images_are_named_where_they_lie(tmp_path):
    source = write(tmp_path / "in")
    export(source, tmp_path / "out", "yolo", images="leave")
    data = yaml.safe_load((tmp_path / "out/data.yaml").read_text("utf-8"))
    assert data["train"] == str(source.parent)
    assert (tmp_path / "out/labels/train/sub/b b.txt").is_file()
    assert not (tmp_path / "out/images").exists()


@pytest.mark.parametrize(
    "text", ["a: b", '"', "yes", "\u2028\x85\x7f", "é\U0001f457", "\\n", "{a}", "- x"]
)
def test_any_text_comes_back_from_yaml(text):
    assert yaml.safe_load(f"names: {yaml_text(text)}") == {"names": text}

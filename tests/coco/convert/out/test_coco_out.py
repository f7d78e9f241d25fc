from __future__ import annotations

import json

import pytest
from pycocotools.coco import COCO

from exported import DRESS, SCHEMA, SIZES, annotation, document, export, write
from napari_fashion.coco import Dataset, find_problems
from napari_fashion.coco.convert.out import plain_coco

OWN = {"id", "image_id", "category_id", "iscrowd", "bbox", "area", "num_keypoints", "keypoints",
       "segmentation"}  # fmt: skip


def test_pycocotools_and_we_read_the_same_as_in_the_source(tmp_path):
    source = write(tmp_path / "in")
    export(source, tmp_path / "out", "coco", include_predictions=True)
    file = tmp_path / "out" / "annotations.json"
    truth, coco = document(), COCO(str(file))
    assert coco.getImgIds() == [1, 2, 3, 4]
    assert [(i["file_name"], i["width"], i["height"]) for i in coco.loadImgs([1, 2, 3, 4])] == [
        (name, *size) for name, size in SIZES.items()
    ]
    found = coco.loadAnns(coco.getAnnIds())
    for one, other in zip(found, truth["annotations"], strict=True):
        assert one == {key: value for key, value in other.items() if key in OWN}
    assert coco.annToMask(coco.anns[11])[6:86, 5:105].all()
    for one, other in zip(coco.loadCats(coco.getCatIds()), truth["categories"], strict=True):
        assert one == other

    again = Dataset.load(file)
    before = Dataset.load(source)
    assert again.schema == before.schema
    assert not find_problems(again)
    for one, other in zip(again.garments, before.garments, strict=True):
        assert (one.xy == other.xy).all()
        assert (one.visibility == other.visibility).all()
        assert (one.bbox, one.category_name, one.is_crowd) == (
            other.bbox, other.category_name, other.is_crowd
        )  # fmt: skip


def test_extras_are_kept_or_counted(tmp_path):
    content = document()
    content["x-top"] = [1]
    content["images"][0]["fashion"] = {"ignore": [[1, 2, 3, 4]]}
    source = write(tmp_path / "in", content)
    plain = export(source, tmp_path / "plain", "coco", include_predictions=True)
    counts = plain.tally.counts
    assert counts[plain_coco.OTHER_KEYS.format(table="annotations")] == 2  # a source, a pattern
    assert plain.tally.examples[plain_coco.OTHER_KEYS.format(table="annotations")] == [
        "fashion.keypoint_scores, fashion.score, fashion.source", "pattern"
    ]  # fmt: skip
    assert counts[plain_coco.OTHER_TOP] == 1
    assert counts[plain_coco.TO_IGNORE] == 1
    kept = export(source, tmp_path / "kept", "coco", extras=True, include_predictions=True)
    assert not kept.tally
    again = json.loads((tmp_path / "kept" / "annotations.json").read_text())
    assert again["annotations"] == content["annotations"]
    assert again["images"] == content["images"]
    assert again["x-top"] == [1]


def test_regions_of_guesses_that_are_left_out_are_noted_with_extras(tmp_path):
    content = document()
    content["annotations"][0]["fashion"] = {"source": "model:m", "score": 0.5}
    source = write(tmp_path / "in", content)
    export(source, tmp_path / "out", "coco", extras=True)
    image = json.loads((tmp_path / "out" / "annotations.json").read_text())["images"][0]
    assert image["fashion"] == {"ignore": [[5.0, 6.0, 100.0, 80.5]]}
    result = export(source, tmp_path / "plain", "coco")
    assert result.tally.counts[plain_coco.TO_IGNORE] == 1


def test_odd_records_are_mended_and_counted(tmp_path):
    content = document()
    content["images"][0]["id"] = "one"
    del content["images"][0]["width"]
    content["annotations"] = [
        annotation(1, "one", DRESS, "Dress", segmentation=[[1, 2]], area=None),
        {"id": "2", "image_id": "one", "category_id": 1, "keypoints": [1, 2, 2]},
        annotation(3, 3, [(7, 8, 0), *DRESS[1:]], "Dress", num_keypoints=99),
        annotation(4, 3, DRESS, "Dress", category_id=99),
        annotation(5, 77, DRESS, "Dress"),
    ]
    result = export(write(tmp_path / "in", content), tmp_path / "out", "coco")
    counts = result.tally.counts
    assert counts["ids of images that are no whole numbers, numbered anew"] == 1
    assert counts["ids of annotations that are no whole numbers, numbered anew"] == 1
    assert counts[plain_coco.NO_SEGMENTATION] == 1
    assert counts[plain_coco.NO_CATEGORY] == 1
    assert counts["annotations of no image, left out"] == 1
    assert counts[plain_coco.MENDED] == 1
    coco = COCO(str(tmp_path / "out" / "annotations.json"))
    (image,) = (i for i in coco.imgs.values() if i["file_name"] == "a.png")
    assert type(image["id"]) is int
    assert image["width"] == 120
    assert coco.anns[1] == {**annotation(1, image["id"], DRESS, "Dress"), "area": 8050.0}
    (made,) = (a for a in coco.anns.values() if a["num_keypoints"] == 1)
    assert made["keypoints"] == [1, 2, 2, *[0] * 21]
    assert made["bbox"] == [1, 2, 0, 0]
    assert coco.anns[3]["keypoints"][:3] == [0, 0, 0]
    assert coco.anns[3]["num_keypoints"] == 7


def test_several_files_are_several_documents(tmp_path):
    source = write(tmp_path / "in")
    export({"train": source, "val": source}, tmp_path / "out", "coco")
    assert (tmp_path / "out/train.json").read_bytes() == (tmp_path / "out/val.json").read_bytes()


@pytest.mark.parametrize("name", ["mmpose", "openpifpaf"])
def test_for_training_elsewhere_all_have_all_landmarks_in_one_order(tmp_path, name):
    """Each category has a list of its own, backwards."""
    content = document()
    backwards = list(reversed(SCHEMA.landmarks))
    content["info"]["fashion"] = {"schema": "garments"}
    for category in content["categories"]:
        category["keypoints"] = backwards
        category["skeleton"] = []
    for record in content["annotations"]:
        flat = record["keypoints"]
        record["keypoints"] = [v for i in range(21, -1, -3) for v in flat[i : i + 3]]
    export(write(tmp_path / "in", content), tmp_path / "out", name, include_predictions=True)
    coco = COCO(str(tmp_path / "out/annotations/train.json"))
    for category in coco.cats.values():
        assert category["keypoints"] == list(SCHEMA.landmarks)
        assert category["skeleton"] == [[a + 1, b + 1] for a, b in SCHEMA.edges]
    for record in document()["annotations"]:
        assert coco.anns[record["id"]]["keypoints"] == record["keypoints"]
        expected = 1 if name == "openpifpaf" else record["category_id"]
        assert coco.anns[record["id"]]["category_id"] == expected
    assert len(coco.cats) == (1 if name == "openpifpaf" else len(SCHEMA.categories))

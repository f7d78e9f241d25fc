from __future__ import annotations

import json

import pytest
from pycocotools.coco import COCO

from napari_fashion.coco import Dataset, export, provenance
from napari_fashion.coco.export import trainable_images
from napari_fashion.coco.records import annotation_record
from napari_fashion.coco.values import reviewed_values
from napari_fashion.errors import CocoError

MODEL = "model:abc"


def predict(dataset: Dataset, image_id) -> int:
    """Add a predicted garment, as the app does."""
    record = annotation_record(
        dataset.next_id("annotations"),
        image_id,
        4,
        xy=[[i, 2 * i] for i in range(8)],
        visibility=[2] * 8,
        fashion=provenance.of_model(MODEL, 0.5, [0.5] * 8, {"Dress": 0.9}),
    )
    dataset.insert_record("annotations", record)
    return record["id"]


def review(dataset: Dataset, image_id) -> None:
    for key, value in reviewed_values(dataset, image_id, True).items():
        dataset.set_value("images", image_id, (key,), value)


@pytest.fixture
def edited(coco_file) -> Dataset:
    """A guess on each image; the first image is reviewed, the second's guess corrected."""
    (coco_file.parent / "a.jpg").touch()
    dataset = Dataset.load(coco_file)
    for image_id in (30, 10, 20):
        predict(dataset, image_id)
    review(dataset, 30)
    ours = provenance.with_human(dataset.store.record("annotations", 9), 8, [2])
    dataset.set_value("annotations", 9, ("fashion",), ours)
    return dataset


def ids(dataset: Dataset) -> tuple[list, list]:
    return [i.id for i in dataset.images], [g.id for g in dataset.garments]


def test_guesses_that_nobody_has_seen_are_left_out(edited, tmp_path):
    report = export(edited, tmp_path / "out.json")
    assert ids(Dataset.load(tmp_path / "out.json")) == ([30, 10, 20], [5, 7, 6, 8, 9])
    assert (report.images, report.annotations, report.predictions_left_out) == (3, 5, 1)
    assert "Wrote 5 garments in 3 images" in str(report)
    assert "Left out 1 predicted garments" in str(report)


def test_guesses_come_along_when_asked(edited, tmp_path):
    report = export(edited, tmp_path / "out.json", include_predictions=True)
    assert ids(Dataset.load(tmp_path / "out.json")) == ([30, 10, 20], [5, 7, 6, 8, 9, 10])
    assert report.predictions_left_out == 0
    assert "Left out" not in str(report)


def test_only_reviewed(edited, tmp_path):
    export(edited, tmp_path / "out.json", only_reviewed=True)
    assert ids(Dataset.load(tmp_path / "out.json")) == ([30], [5, 6, 8])


def test_everything_else_is_as_it_was(edited, tmp_path, exact):
    export(edited, tmp_path / "out.json", include_predictions=True)
    again = Dataset.load(tmp_path / "out.json").to_document()
    assert again["info"].pop("fashion") == {"image_root": "in", "schema": "garments"}
    assert exact(json.dumps(again)) == exact(json.dumps(edited.to_document()))


def test_the_images_are_found_from_another_folder(edited, tmp_path):
    path = tmp_path / "else" / "where" / "out.json"
    export(edited, path)
    noted = json.loads(path.read_text("utf-8"))["info"]["fashion"]["image_root"]
    assert noted == "../../in"
    again = Dataset.load(path)
    assert again.image(30).path.resolve() == edited.image(30).path.resolve()
    assert again.image(30).file_name == "a.jpg"


def test_a_second_export_notes_the_images_anew(edited, tmp_path):
    export(edited, tmp_path / "one" / "out.json")
    export(Dataset.load(tmp_path / "one" / "out.json"), tmp_path / "out.json")
    again = Dataset.load(tmp_path / "out.json")
    assert again.image(30).path.resolve() == edited.image(30).path.resolve()


def test_an_info_that_is_no_object_is_left_alone(doc, tmp_path):
    doc["info"] = "by hand"
    export(Dataset.from_document(doc), tmp_path / "out.json")
    assert Dataset.load(tmp_path / "out.json").to_document()["info"] == "by hand"


def test_annotations_without_an_image_stay_in_a_full_export(doc, tmp_path):
    doc["annotations"][1]["image_id"] = 99
    export(Dataset.from_document(doc), tmp_path / "all.json")
    export(Dataset.from_document(doc), tmp_path / "reviewed.json", only_reviewed=True)
    assert ids(Dataset.load(tmp_path / "all.json"))[1] == [5, 7, 6]
    assert ids(Dataset.load(tmp_path / "reviewed.json"))[1] == []


def test_never_over_a_file_unless_told(edited):
    old = edited.path.read_bytes()
    with pytest.raises(CocoError, match="is the file that the data set was read from"):
        export(edited, edited.path)
    assert edited.path.read_bytes() == old
    export(edited, edited.path, overwrite=True)
    assert ids(Dataset.load(edited.path))[1] == [5, 7, 6, 8, 9]


def test_pycocotools_reads_it(edited, tmp_path, capsys):
    export(edited, tmp_path / "out.json")
    coco = COCO(str(tmp_path / "out.json"))
    assert sorted(coco.getImgIds()) == [10, 20, 30]
    assert [a["id"] for a in coco.loadAnns(coco.getAnnIds(imgIds=[30]))] == [5, 6, 8]
    assert [a["id"] for a in coco.loadAnns(coco.getAnnIds(iscrowd=True))] == [6]


def test_trainable_images_are_reviewed_or_annotated(edited, tmp_path):
    export(edited, tmp_path / "out.json")
    out = Dataset.load(tmp_path / "out.json")
    for garment in out.garments_of(10):
        out.remove_record("annotations", garment.id)
    assert [i.id for i in trainable_images(out)] == [30, 20]
    review(out, 10)
    assert [i.id for i in trainable_images(out)] == [30, 10, 20]


def test_an_image_with_guesses_alone_is_not_trainable(edited):
    for garment in edited.garments_of(20):
        if garment.touched_by_human:
            edited.remove_record("annotations", garment.id)
    assert len(edited.garments_of(20)) == 1
    assert [i.id for i in trainable_images(edited)] == [30, 10]

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_fashion.coco import Dataset, find_problems
from napari_fashion.coco.problems import missing_images
from napari_fashion.errors import CocoError, EditError
from napari_fashion.schema import Schema

GARMENTS = Schema.load("garments")


def image(path: Path, width: int = 8, height: int = 6, orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(path, exif=exif)
    return path


# -- looking up --------------------------------------------------------------------------------


def test_looks_up_images_and_garments(dataset):
    assert [i.id for i in dataset.images] == [30, 10, 20]
    assert [g.id for g in dataset.garments] == [5, 7, 6]
    assert dataset.image(10).file_name == "sub/b.jpg"
    assert dataset.image(10) == dataset.images[1]
    assert dataset.text("images", 10, ("x",)) == '{"y": []}'
    assert [g.id for g in dataset.garments_of(30)] == [5, 6]
    assert [g.id for g in dataset.image(20).garments] == [7]
    assert dataset.garments_of(10) == dataset.garments_of("nobody") == []
    assert dataset.garment(7).image_id == 20
    assert dataset.garments[2].id == 6
    assert (len(dataset.images), len(dataset.garments)) == (3, 3)
    assert dataset.has("images", 30)
    assert not dataset.has("images", 31)


def test_a_view_says_what_the_record_does(dataset):
    image, garment = dataset.image(30), dataset.garment(5)
    assert (image.width, image.height, image.reviewed) == (100, 200, False)
    assert garment.category == GARMENTS.category_index("T-Shirt")
    assert garment.category_name == "T-Shirt"
    assert garment.xy.shape == (8, 2)
    assert garment.xy[[0, 1, 6, 7]].tolist() == [[10, 20], [40, 20], [15.5, 70], [35, 60]]
    assert garment.visibility.tolist() == [2, 2, 0, 0, 0, 0, 1, 2]
    assert garment.bbox == (10, 20, 30, 50)
    assert (garment.source, garment.score, garment.is_crowd) == ("human", None, False)
    assert garment.landmark_sources == ("human",) * 8
    assert np.isnan(garment.landmark_scores).all()
    assert garment.touched_by_human
    dataset.set_value("annotations", 5, ("keypoints", 0), 11.5)
    assert garment.xy[0, 0] == 11.5
    assert garment == dataset.garment(5)
    assert garment != dataset.garment(7)
    assert len({image, dataset.image(30), dataset.image(10)}) == 2


def test_unknown_ids_are_named(coco_file):
    dataset = Dataset.load(coco_file)
    with pytest.raises(CocoError, match=r"garments\.json, images: no record with the id 99"):
        dataset.image(99)
    with pytest.raises(CocoError, match=r"annotations: no record with the id \[1\]"):
        dataset.garment([1])


def test_categories_go_by_name_whatever_their_ids_and_order(dataset):
    assert dataset.schema == GARMENTS
    assert dataset.category_index(9) == GARMENTS.category_index("T-Shirt")
    assert dataset.category_index(4) == GARMENTS.category_index("Dress")
    assert dataset.category_index(1) == -1
    assert dataset.category_id(GARMENTS.category_index("Dress")) == 4
    assert dataset.category_id(GARMENTS.category_index("Skirt")) is None


def test_a_category_that_the_schema_lacks_has_no_index(doc):
    doc["categories"].append({"id": 2, "name": "Toga"})
    doc["annotations"][1]["category_id"] = 2
    dataset = Dataset.from_document(doc, schema=GARMENTS)
    assert dataset.garment(7).category == -1
    assert dataset.garment(7).category_name == "Toga"


def test_ids_may_be_text(doc):
    doc["images"][0]["id"] = "first"
    doc["annotations"][0]["image_id"] = "first"
    doc["annotations"][0]["id"] = "g-1"
    dataset = Dataset.from_document(doc)
    assert [g.id for g in dataset.garments_of("first")] == ["g-1"]


# -- loading -----------------------------------------------------------------------------------


def test_load_and_save_to_the_byte(coco_file, tmp_path):
    dataset = Dataset.load(coco_file)
    dataset.save(coco_file.with_name("out.json"))
    assert coco_file.with_name("out.json").read_bytes() == coco_file.read_bytes()
    assert dataset.path == coco_file


def test_in_another_folder_it_notes_where_the_images_are_and_nothing_else(coco_file, tmp_path):
    dataset = Dataset.load(coco_file)
    dataset.save(tmp_path / "out.json")
    old, text = coco_file.read_text("utf-8"), (tmp_path / "out.json").read_text("utf-8")
    assert json.loads(text)["info"]["fashion"] == {"image_root": "in", "schema": "garments"}
    note = ', "fashion": {"image_root": "in", "schema": "garments"}'
    assert text.replace(note, "", 1) == old
    assert Dataset.load(tmp_path / "out.json").schema == dataset.schema


extras = st.dictionaries(
    st.text().filter(lambda key: key not in ("id", "image_id", "category_id")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(data=st.data(), n=st.integers(0, 4), tail=st.sampled_from(["images", "annotations"]))
def test_any_document_survives_an_edit_and_its_undoing(tmp_path_factory, data, n, tail):
    """Whatever fields the records have, also in place of the known ones."""
    names = ["file_name", "width", "keypoints", "bbox", "fashion", "area", "segmentation"]
    odd = st.dictionaries(st.sampled_from(names), extras.map(lambda e: next(iter(e.values()), 0)))

    def records(**ids):
        return [{"id": i, **data.draw(extras), **data.draw(odd), **ids} for i in range(1, n + 1)]

    document = {
        **data.draw(extras.map(lambda e: {f"x{key}": value for key, value in e.items()})),
        "categories": [{"id": 3, "name": "Dress", **data.draw(extras)}],
        "annotations": records(image_id=1, category_id=3),
        "images": records(),
    }
    document["categories"][0]["keypoints"] = list(GARMENTS.landmarks)
    folder = tmp_path_factory.getbasetemp()
    text = json.dumps(document)
    (folder / "in.json").write_text(text, "utf-8")
    dataset = Dataset.load(folder / "in.json", schema=GARMENTS)
    for garment in dataset.garments:
        assert garment.xy.shape == (8, 2)
        assert set(garment.visibility) <= {0, 1, 2}
        assert np.isfinite(garment.xy).all()
        assert garment.source
    assert all(str(problem) for problem in find_problems(dataset))
    if n:
        before = dataset.text(tail, 1, ("new key",))
        dataset.set_value(tail, 1, ("new key",), {"v": 1.0})
        dataset.set_text(tail, 1, ("new key",), before)
        record = dataset.remove_record(tail, n)
        assert dataset.insert_text(tail, record) == n
    dataset.save(folder / "out.json", overwrite=True)
    assert (folder / "out.json").read_text("utf-8") == text


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (lambda d: d.pop("images"), "", r"has no 'images' \(its keys are \['info'"),
        (lambda d: d.update(images={}), "images", "found an object; expected a list"),
        (lambda d: d.update(annotations=None), "annotations", "found null; expected a list"),
        (lambda d: d["images"].append(3), r"images\[3\]", "found int; expected an object"),
        (lambda d: d["images"][1].pop("id"), r"images\[1\]\.id", "found nothing; expected an id"),
        (
            lambda d: d["annotations"][1].update(id=5),
            r"annotations\[1\]\.id",
            r"the id 5 is taken by annotations\[0\]",
        ),
        (
            lambda d: d["categories"][1].update(id=9),
            r"categories\[1\]\.id",
            r"the id 9 is taken by categories\[0\]",
        ),
        (
            lambda d: d["annotations"][2].update(image_id=[1]),
            r"annotations\[2\]\.image_id",
            r"found \[1\]; expected the id of an image",
        ),
        (
            lambda d: d["annotations"][2].update(category_id={}),
            r"annotations\[2\]\.category_id",
            "expected the id of a category",
        ),
        (
            lambda d: d["categories"][0].update(keypoints="all"),
            r"categories\[0\]\.keypoints",
            "expected a list of the landmarks' names",
        ),
        (
            lambda d: [c.pop("keypoints") for c in d["categories"]],
            "categories",
            "No category of the document has 'keypoints'",
        ),
        (
            lambda d: [(c.update(keypoints=["a", "b"]), c.pop("name")) for c in d["categories"]],
            r"categories\[0\].name",
            "there is none; expected the name of a category that has landmarks",
        ),
    ],
)
def test_what_cannot_be_worked_with_is_an_error_with_its_place(
    coco_file, doc, change, place, message
):
    change(doc)
    coco_file.write_text(json.dumps(doc), "utf-8")
    with pytest.raises(CocoError, match=rf"garments\.json(, {place})?: .*{message}") as caught:
        Dataset.load(coco_file)
    assert caught.value.path == coco_file


def test_a_results_file_is_recognised(coco_file):
    coco_file.write_text('[{"image_id": 1}]')
    with pytest.raises(CocoError, match=r"found a list.*results files"):
        Dataset.load(coco_file)
    coco_file.write_text('"text"')
    with pytest.raises(CocoError, match="found text; expected a COCO document"):
        Dataset.load(coco_file)


def test_a_file_with_other_landmarks_than_the_schema_is_refused(coco_file, doc):
    for category in doc["categories"]:
        category["keypoints"] = ["left_ear", "right_ear"]
    coco_file.write_text(json.dumps(doc), "utf-8")
    assert Dataset.load(coco_file).schema.landmarks == ("left_ear", "right_ear")
    with pytest.raises(CocoError, match=r"categories\[0\]\.keypoints: found.*left_ear.*'garments'"):
        Dataset.load(coco_file, schema=GARMENTS)


def test_no_annotations_is_no_error(doc, tmp_path):
    del doc["annotations"]
    (tmp_path / "in.json").write_text(json.dumps(doc), "utf-8")
    dataset = Dataset.load(tmp_path / "in.json")
    assert dataset.garments_of(30) == []
    dataset.insert_record("annotations", {"id": 1, "image_id": 30})
    assert [g.id for g in dataset.garments_of(30)] == [1]
    assert dataset.to_document() == {**doc, "annotations": [{"id": 1, "image_id": 30}]}
    dataset.remove_record("annotations", 1)
    assert b"".join(dataset.chunks()).decode() == json.dumps(doc)


@pytest.mark.parametrize("skeleton", [7, None, "none"])
def test_a_skeleton_that_is_no_list_is_read_as_none(coco_file, doc, skeleton):
    for category in doc["categories"]:
        category.update(keypoints=["a", "b"], skeleton=skeleton)
    coco_file.write_text(json.dumps(doc), "utf-8")
    dataset = Dataset.load(coco_file)
    assert (dataset.schema.landmarks, dataset.schema.edges) == (("a", "b"), ())
    places = [p.place for p in find_problems(dataset) if "skeleton" in p.place]
    assert places == ["categories[0].skeleton", "categories[1].skeleton"]


def test_categories_with_landmarks_of_their_own_share_one_schema(coco_file, doc):
    doc["categories"][0]["keypoints"] = ["neck", "hem"]
    doc["categories"][1].update(keypoints=["hem", "waist"], skeleton=[[1, 2]])
    doc["annotations"][0] |= {"keypoints": [1, 2, 2, 3, 4, 1], "num_keypoints": 2}
    doc["annotations"][1]["keypoints"] = [5, 6, 2, 7, 8, 1]
    coco_file.write_text(json.dumps(doc), "utf-8")
    dataset = Dataset.load(coco_file)
    assert dataset.schema.landmarks == ("neck", "hem", "waist")
    assert dataset.schema.edges == ((1, 2),)
    assert dataset.garment(5).xy.tolist() == [[1, 2], [3, 4], [0, 0]]
    assert dataset.garment(5).visibility.tolist() == [2, 1, 0]
    assert dataset.garment(7).xy.tolist() == [[0, 0], [5, 6], [7, 8]]
    assert dataset.garment(7).visibility.tolist() == [0, 2, 1]
    assert not find_problems(dataset)


def test_landmarks_are_read_anew_when_their_category_changes(dataset):
    before = dataset.garment(5).xy.tolist()
    names = list(GARMENTS.landmarks)
    names[:2] = names[1::-1]
    dataset.set_value("categories", 9, ("keypoints",), names)
    assert dataset.garment(5).xy.tolist() == [before[1], before[0], *before[2:]]


# -- where the images lie --------------------------------------------------------------------


@pytest.mark.parametrize("place", [".", "images", "garments", "..", "../images", "../garments"])
def test_finds_the_images_in_the_usual_places(coco_file, place):
    if place == "..":  # only above a folder of annotations
        coco_file = (
            coco_file.parent.rename(coco_file.parent.with_name("annotations")) / coco_file.name
        )
    root = coco_file.parent / place
    image(root / "a.jpg")
    dataset = Dataset.load(coco_file)
    assert dataset.image_root.resolve() == root.resolve()
    assert dataset.image(30).path.is_file()


def test_a_root_that_is_given_or_noted_wins(coco_file, doc, tmp_path):
    image(coco_file.parent / "a.jpg")
    doc["info"]["fashion"] = {"image_root": "../elsewhere"}
    coco_file.write_text(json.dumps(doc), "utf-8")
    assert Dataset.load(coco_file).image_root == coco_file.parent / "../elsewhere"
    assert Dataset.load(coco_file, image_root=tmp_path).image_root == tmp_path


@pytest.mark.skipif(os.sep != "/", reason="backslashes are separators here")
def test_names_with_backslashes_are_found(coco_file, doc):
    image(coco_file.parent / "sub" / "b.jpg")
    doc["images"][1]["file_name"] = "sub\\b.jpg"
    assert Dataset.from_document(doc, image_root=coco_file.parent).image(10).path.is_file()


def test_missing_images_are_listed_when_asked(coco_file):
    image(coco_file.parent / "a.jpg")
    missing = missing_images(Dataset.load(coco_file))
    assert [problem.place for problem in missing] == ["images[1].file_name", "images[2].file_name"]
    assert "sub/b.jpg" in str(missing[0]).replace("\\", "/")


def test_the_size_comes_from_the_image_where_the_record_has_none(coco_file, doc):
    image(coco_file.parent / "a.jpg", 8, 6, orientation=6)
    del doc["images"][0]["width"]
    dataset = Dataset.from_document(doc, image_root=coco_file.parent)
    assert (dataset.image(30).width, dataset.image(30).height) == (6, 8)
    assert dataset.text("images", 30, ("width",)) is None


# -- from a folder -----------------------------------------------------------------------------


def test_from_folder(tmp_path):
    for orientation, name in enumerate(["e.jpg", "b.JPEG", "sub/c.png", "d.webp"], 5):
        image(tmp_path / name, orientation=orientation)
    image(tmp_path / "a.bmp", 5, 4)
    image(tmp_path / ".hidden" / "x.jpg")
    image(tmp_path / ".y.jpg")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "broken.jpg").write_bytes(b"no pixels either")
    dataset = Dataset.from_folder(tmp_path, schema=GARMENTS)
    assert [(i.id, i.file_name, i.width, i.height) for i in dataset.images] == [
        (1, "a.bmp", 5, 4),
        (2, "b.JPEG", 6, 8),
        (3, "d.webp", 6, 8),
        (4, "e.jpg", 6, 8),
        (5, "sub/c.png", 6, 8),
    ]
    assert all(image.path.is_file() for image in dataset.images)
    assert dataset.path is None
    assert list(dataset.garments) == []
    categories = dataset.to_document()["categories"]
    assert [dataset.category_index(c["id"]) for c in categories] == list(range(15))
    assert dataset.to_document()["info"]["fashion"] == {"schema": "garments"}
    assert [p.path.name for p in find_problems(dataset)] == ["broken.jpg"]


def test_a_data_set_of_a_folder_finds_its_images_again(tmp_path):
    image(tmp_path / "images" / "a.jpg")
    dataset = Dataset.from_folder(tmp_path / "images", schema=GARMENTS)
    dataset.save(tmp_path / "out" / "set.json")
    again = Dataset.load(tmp_path / "out" / "set.json")
    assert again.images[0].path.resolve() == (tmp_path / "images" / "a.jpg").resolve()
    assert again.schema == GARMENTS
    assert again.to_document()["info"]["fashion"] == {
        "schema": "garments",
        "image_root": "../images",
    }
    assert "image_root" not in dataset.to_document()["info"]["fashion"]


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(CocoError, match="nowhere: no such folder"):
        Dataset.from_folder(tmp_path / "nowhere", schema=GARMENTS)
    (tmp_path / "broken.jpg").write_bytes(b"")
    with pytest.raises(CocoError, match=r"no image found \(1 cannot be read: .*broken.jpg"):
        Dataset.from_folder(tmp_path, schema=GARMENTS)


# -- saving ------------------------------------------------------------------------------------


def test_never_over_a_file_unless_told(coco_file, tmp_path, monkeypatch):
    dataset = Dataset.load(coco_file)
    dataset.set_value("images", 30, ("width",), 1)
    old = coco_file.read_bytes()
    with pytest.raises(CocoError, match="is the file that the data set was read from; nothing was"):
        dataset.save(coco_file)
    monkeypatch.chdir(coco_file.parent)
    with pytest.raises(CocoError, match="read from"):
        dataset.save("garments.json")
    (tmp_path / "other.json").write_text("other")
    with pytest.raises(CocoError, match=r"other\.json: exists already; nothing was written"):
        dataset.save(tmp_path / "other.json")
    with pytest.raises(CocoError, match="is a folder"):
        dataset.save(tmp_path, overwrite=True)
    assert coco_file.read_bytes() == old
    assert (tmp_path / "other.json").read_text() == "other"
    dataset.save(coco_file, overwrite=True)
    assert Dataset.load(coco_file).image(30).width == 1


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_crash_while_saving_leaves_the_old_file(coco_file, monkeypatch, broken):
    dataset = Dataset.load(coco_file)
    dataset.set_value("images", 30, ("width",), 1)
    old = coco_file.read_bytes()

    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(CocoError, match=r"No space left on device.*unchanged"):
        dataset.save(coco_file, overwrite=True)
    assert coco_file.read_bytes() == old
    assert [p.name for p in coco_file.parent.iterdir()] == ["garments.json"]


def test_a_value_nested_too_deeply_is_refused_before_anything_is_written(coco_file):
    dataset = Dataset.load(coco_file)
    deep = "[" * 100_000 + "]" * 100_000
    old = coco_file.read_bytes()
    with pytest.raises(EditError, match="nested too deeply"):
        dataset.set_text("images", 30, ("deep",), deep)
    assert dataset.text("images", 30, ("deep",)) is None
    dataset.save(coco_file, overwrite=True)
    assert coco_file.read_bytes() == old


def test_a_value_in_memory_that_is_nested_too_deeply_is_refused(dataset, doc):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    before = dataset.to_document()
    with pytest.raises(EditError, match="nested too deeply"):
        dataset.set_value("images", 30, ("deep",), deep)
    assert dataset.to_document() == before
    with pytest.raises(CocoError, match="a document that is no JSON"):
        Dataset.from_document({**doc, "deep": deep})
    while deep:  # the interpreter takes nested lists apart by recursion
        deep = deep.pop()


def test_what_is_nested_deeply_in_a_file_is_copied_with_it(coco_file, doc):
    """A document is not taken apart to be written: what nobody edits may be as deep as it likes."""
    deep = "[" * 500 + "]" * 500
    coco_file.write_text(json.dumps({**doc, "deep": 0})[:-2] + deep + "}", "utf-8")
    old = coco_file.read_bytes()
    dataset = Dataset.load(coco_file)
    dataset.set_value("images", 30, ("width",), 1)
    dataset.set_value("images", 30, ("width",), 100)
    dataset.save(coco_file, overwrite=True)
    assert coco_file.read_bytes() == old


# -- parts -------------------------------------------------------------------------------------


def test_subset_keeps_order_fields_and_everything_else(dataset, doc):
    part = dataset.subset([20, 30])
    assert part.to_document()["images"] == [doc["images"][0], doc["images"][2]]
    assert part.to_document()["annotations"] == doc["annotations"]
    assert list(part.to_document()) == list(doc)
    for key in ("info", "x-top", "categories"):
        assert part.to_document()[key] == doc[key]
    assert part.schema == dataset.schema
    assert [g.id for g in dataset.subset([20]).garments] == [7]


def test_subset_shares_no_record(dataset):
    part = dataset.subset([30])
    part.set_value("annotations", 5, ("keypoints", 0), 99)
    part.set_value("images", 30, ("width",), 99)
    assert dataset.garment(5).xy[0, 0] == 10
    assert dataset.image(30).width == 100


def test_subset_of_unknown_images_is_an_error(dataset):
    with pytest.raises(CocoError, match="images: no record with the id 31"):
        dataset.subset([30, 31])


# -- large -------------------------------------------------------------------------------------


def large_dataset(doc, n: int) -> Dataset:
    doc["images"] = [
        {"id": i, "file_name": f"{i}.jpg", "width": 90, "height": 90} for i in range(n)
    ]
    template = doc["annotations"][0]
    doc["annotations"] = [template | {"id": i, "image_id": i} for i in range(n)]
    dataset = Dataset.from_document(doc)
    assert not find_problems(dataset)
    return dataset


def calls_of(function, *arguments) -> int:
    """Return how many functions a function calls, those written in C too."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return calls


def remove_and_put_back(dataset: Dataset, n: int) -> None:
    gone = [dataset.remove_record("annotations", i) for i in range(0, n, 2)]
    for text in reversed(gone):
        dataset.insert_text("annotations", text)
    assert len(dataset.garments) == n
    assert [g.id for g in dataset.garments] == list(range(n))


def insert_on_every_image(dataset: Dataset, n: int) -> None:
    for i in range(n):
        record_id = dataset.next_id("annotations")
        dataset.insert_record("annotations", {"id": record_id, "image_id": i})
    assert [g.id for g in dataset.garments] == list(range(2 * n))


def insert_on_one_image(dataset: Dataset, n: int) -> None:
    for _ in range(n):
        record_id = dataset.next_id("annotations")
        dataset.insert_record("annotations", {"id": record_id, "image_id": 1})
    assert [g.id for g in dataset.garments_of(1)] == [1, *range(n, 2 * n)]


def set_on_every_image(dataset: Dataset, n: int) -> None:
    for i in range(n):
        dataset.set_value("images", i, ("width",), 8)
    assert {image.width for image in dataset.images} == {8}


EDITS = [
    remove_and_put_back,
    insert_on_every_image,
    insert_on_one_image,
    set_on_every_image,
]


@pytest.mark.parametrize("edits", EDITS)
def test_many_edits_of_many_images_take_no_quadratic_time(doc, edits):
    """Twice as many make twice the calls; a walk over the table for each would make four times."""
    n = 200
    few = calls_of(edits, large_dataset(doc, n), n)
    assert calls_of(edits, large_dataset(doc, 2 * n), 2 * n) < 2.2 * few


class Scanned(bytes):
    """Bytes that count how often they are gone through as a whole."""

    scans = 0

    def find(self, *arguments):
        self.scans += 1
        return super().find(*arguments)

    def isascii(self):
        self.scans += 1
        return super().isascii()


@pytest.mark.parametrize("edits", EDITS)
def test_an_edit_does_not_go_through_the_whole_file(doc, edits):
    dataset = large_dataset(doc, 50)
    dataset.store.data = Scanned(dataset.store.data)
    edits(dataset, 50)
    assert dataset.store.data.scans <= 2  # once to see how the file is written


# -- the real files ----------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("name", ["train", "test"])
def test_the_photos_landmark_files(photos_dir, tmp_path, name):
    dataset = Dataset.load(photos_dir / f"{name}.json")
    assert not find_problems(dataset)
    assert missing_images(dataset) == []
    assert dataset.schema == GARMENTS
    text = (photos_dir / f"{name}.json").read_bytes()
    assert b"".join(dataset.chunks()) == text
    (tmp_path / "in.json").write_bytes(text)
    Dataset.load(tmp_path / "in.json").save(tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == text


def test_named_files_of_several_folders_become_one_data_set(tmp_path):
    for name in ("a/1.png", "a/b/2.png", "c.png"):
        image(tmp_path / name)
    files = [tmp_path / "a/b/2.png", tmp_path / "c.png", tmp_path / "a/b/2.png"]
    dataset = Dataset.from_files(files, schema=Schema.load("garments"))
    assert [i.file_name for i in dataset.images] == ["a/b/2.png", "c.png"]
    assert dataset.image_root == tmp_path
    assert [i.path for i in dataset.images] == files[:2]
    with pytest.raises(CocoError, match="no image"):
        Dataset.from_files([tmp_path / "none.png"], schema=Schema.load("garments"))

"""The street photos' landmark files, splits and tags, as the package has them."""

from __future__ import annotations

import csv
import json
import re
import tomllib
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fashion.coco import Dataset, find_problems
from napari_fashion.coco.categories import CategoryRule, read_category_map
from napari_fashion.datasets import people
from napari_fashion.datasets.opening import image_identity, open_source
from napari_fashion.datasets.people.locate import DATA
from napari_fashion.datasets.people.splits import tagged_photos
from napari_fashion.datasets.people.tags import tags
from napari_fashion.datasets.source import Source
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with two photos of each kind, of one colour."""
    for path in (
        "images/0001.jpg",
        "images/0002.jpg",
        "unlabelled/1005.jpg",
        "unlabelled/1006.jpg",
    ):
        file = tmp_path / "people" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 48), "grey").save(file)
    monkeypatch.setenv("NAPARI_FASHION_PEOPLE", str(tmp_path / "people"))
    return tmp_path / "people"


def names(data: Dataset) -> set[str]:
    return {image.file_name for image in data.images}


@pytest.mark.parametrize(
    ("split", "images", "garments", "crowds"),
    [
        ("train", 658, 1406, 115),
        ("validation", 94, 197, 18),
        ("train+validation", 752, 1603, 133),
        ("test", 120, 260, 14),
    ],
)
@pytest.mark.parametrize("kind", ["", ":tags", ":deepfashion", ":garments"])
def test_the_splits(folder, split, images, garments, crowds, kind):
    data = open_source(Source(file=f"people:{split}{kind}"))
    assert len(data.images) == images
    found = [garment.is_crowd for garment in data.garments]
    assert (found.count(False), found.count(True)) == (garments, crowds)
    assert not find_problems(data)
    assert data.schema == people.schema_of(kind[1:] or "garments")
    assert data.schema.landmarks == Schema.load("garments").landmarks
    assert data.images[0].path.parent == folder / "images"


def test_splits_share_no_photo(folder):
    train, validation, both, test = (
        names(open_source(Source(file=f"people:{split}")))
        for split in ("train", "validation", "train+validation", "test")
    )
    assert not train & validation
    assert train | validation == both
    assert not both & test
    assert all(zlib.crc32(name.encode()) % 8 == 0 for name in validation)
    tagged = {name for name, _ in tagged_photos()}
    assert len(tagged) == 1085
    assert not tagged & (both | test)


def test_a_photo_is_one_image_in_whichever_split_it_is():
    keys = {
        image_identity(Source(file=f"people:{split}"), "0001.jpg")
        for split in ("train", "train+validation", "train:tags")
    }
    assert keys == {("people/0001.jpg", "people/0001.jpg")}
    tagged = image_identity(Source(file="people:tagged"), "unlabelled/1005.jpg")
    assert tagged == ("people/1005.jpg", "people/1005.jpg")


def test_tagged_photos_have_their_categories_and_no_place(folder):
    data = open_source(Source(file="people:tagged"))
    assert names(data) == {"unlabelled/1005.jpg", "unlabelled/1006.jpg"}
    first = [
        (g.category_name, g.bbox, bool((g.visibility > 0).any())) for g in data.images[0].garments
    ]
    assert first == [("Blouse", (0, 0, 30, 48), False), ("Skirt", (0, 0, 30, 48), False)]
    tags = open_source(Source(file="people:tagged:tags"))
    assert [g.category_name for g in tags.images[1].garments] == ["dress"]


def test_what_zero_means_is_said_of_every_split():
    assert set(people.UNLABELLED) == set(people.SPLITS)
    assert people.UNLABELLED["train"] == people.UNLABELLED["test"] == "absent"
    assert people.UNLABELLED["tagged"] == "unknown"


@pytest.mark.parametrize(
    "name", ["people:tset", "people:test:tag", "people:test:tags:x", "people:"]
)
def test_another_split_is_refused(folder, name):
    with pytest.raises(
        RecipeError, match="no such split; expected people:train, people:validation"
    ):
        open_source(Source(file=name))


def test_photos_that_are_missing_are_to_be_fetched(folder, tmp_path, monkeypatch):
    for file in (folder / "unlabelled").iterdir():
        file.unlink()
    with pytest.raises(
        RecipeError, match=r"none of the photos of people:tagged.*fetch people --all"
    ):
        open_source(Source(file="people:tagged"))
    monkeypatch.setenv("NAPARI_FASHION_PEOPLE", str(tmp_path / "nowhere"))
    with pytest.raises(
        RecipeError, match=r"not here\. Get them with `napari-fashion fetch people`"
    ):
        open_source(Source(file="people:test"))
    named = open_source(Source(file="people:test", images=str(folder)))
    assert named.images[0].path.parent == folder / "images"


# -- the package's files -----------------------------------------------------------------------


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_landmark_files_open_by_themselves(part):
    data = Dataset.load(people.landmarks(part))
    assert not find_problems(data)
    assert data.schema == people.schema_of("tags")
    types = {tag.name: tag.body_types for tag in tags()}
    for garment in data.garments:
        if not garment.is_crowd:
            assert garment.body_type in types[garment.category_name]
            members = data.schema.landmarks_of(garment.body_type)
            assert set(np.flatnonzero(garment.visibility > 0)) <= set(members)


def test_the_table_has_categories_that_the_schemas_have():
    assert people.kinds() == ("garments", "deepfashion", "tags")
    for tag in tags():
        for name, category in tag.categories.items():
            assert category in Schema.load(name).category_names
    document = json.loads((DATA / "train.json").read_text())
    counts = dict.fromkeys(range(1, 24), 0)
    for annotation in document["annotations"]:
        counts[annotation["category_id"]] += not annotation["iscrowd"]
    assert [tag.n_train for tag in tags()] == list(counts.values())


@pytest.mark.parametrize("name", ["garments", "deepfashion"])
def test_the_map_of_the_tags_is_what_the_source_does(folder, tmp_path, name):
    """A map written to a file, used on the tags, and the source itself agree on every garment."""
    (tmp_path / "map.toml").write_text(people.map_text(name))
    answer = read_category_map(tmp_path / "map.toml")
    schema = Schema.load(name)
    by_tag = open_source(Source(file="people:test:tags"))
    mapped = open_source(Source(file=f"people:test:{name}"))
    rule = CategoryRule.of(by_tag, schema, answer)
    for one, other in zip(by_tag.garments, mapped.garments, strict=True):
        assert schema.category_names[rule.index_of(one.category_id)] == other.category_name
    if name == "garments":
        outwear = rule.id_of(schema.category_index("Outwear"))
        assert by_tag.category_name(outwear) == "coat"  # the most frequent one


def test_every_photo_is_known_with_its_size():
    with (DATA / "photos.csv").open(newline="", encoding="utf-8") as stream:
        rows = {r["path"]: (int(r["width"]), int(r["height"])) for r in csv.DictReader(stream)}
    expected = {f"unlabelled/{name}": 512 for name, _ in tagged_photos()}
    for part in ("train", "test"):
        for image in Dataset.load(people.landmarks(part)).images:
            path = f"images/{image.file_name}"
            assert rows[path] == image.known_size
            expected[path] = 576
    assert {path: max(size) for path, size in rows.items()} == expected


def test_the_source_is_pinned():
    source = tomllib.loads((DATA / "source.toml").read_text("utf-8"))
    assert re.fullmatch("[0-9a-f]{40}", source["commit"])
    assert source["address"].endswith("/" + source["commit"])
    assert source["address"].startswith("https://")


def test_no_photo_is_in_the_package():
    assert {file.suffix for file in DATA.iterdir()} == {".json", ".csv", ".toml", ".md"}


@pytest.mark.shared
@pytest.mark.parametrize("name", ["train.json", "test.json", "tags.csv"])
def test_the_packages_files_are_those_that_were_read(people_dir, name):
    original = people_dir / name
    if name.endswith(".csv"):
        assert (DATA / name).read_bytes() == original.read_bytes()
        return
    ours, theirs = json.loads((DATA / name).read_text()), json.loads(original.read_text())
    for table in ("images", "annotations", "categories"):
        assert ours[table] == theirs[table]

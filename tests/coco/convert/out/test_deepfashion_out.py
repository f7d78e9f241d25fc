from __future__ import annotations

from pathlib import Path

import pytest

from exported import document, export, write
from napari_fashion.coco import Dataset, find_problems
from napari_fashion.coco.convert import ConvertOptions, Faults, convert
from napari_fashion.coco.convert.out import deepfashion_out, export_data, format_of, placing
from napari_fashion.errors import CocoError
from napari_fashion.schema import Category, Schema

SHARED = Path(__file__).resolve().parents[5] / "shared" / "formats"
LISTS = ("Anno/list_landmarks.txt", "Anno/list_bbox.txt", "Anno/list_category_img.txt",
         "Eval/list_eval_partition.txt")  # fmt: skip


def rows(path: Path) -> dict[str, list[str]]:
    """Read a list: the count, the header, and the columns of each name."""
    lines = path.read_text("utf-8").splitlines()
    assert int(lines[0]) == len(lines) - 2
    found = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert len(found) == len(lines) - 2
    return found


def test_lists_of_a_small_set(tmp_path):
    result = export(
        {"train": write(tmp_path / "in")}, tmp_path / "out", "deepfashion", include_predictions=True
    )
    marks, boxes, labels, parts = (rows(tmp_path / "out" / name) for name in LISTS)
    assert {name: " ".join(columns) for name, columns in marks.items()} == {
        "img/a.png": "1 0 040 020 0 080 020 1 010 090 0 110 090 0 030 095 0 090 095",
        "img/sub/b_b.png": "2 0 045 012 0 056 012 0 035 070 2 000 000",
        "img/a.jpg": "3 0 010 005 0 030 005 2 000 000 1 045 020 0 012 025 0 028 025 0 008 049 "
        "0 031 050",
    }
    assert boxes["img/a.png"] == ["005", "006", "105", "086"]
    names = (tmp_path / "out/Anno/list_category_cloth.txt").read_text().split()[3:]
    categories = [names[2 * int(n) - 2] for (n,) in labels.values()]
    assert categories == ["Shirt", "Pants", "Dress"]
    assert set(map(tuple, parts.values())) == {("train",)}
    for name in marks:
        assert (tmp_path / "out" / name).is_file()
    counts = result.tally.counts
    assert counts[deepfashion_out.FURTHER] == counts[deepfashion_out.CROWDS] == 1
    assert counts[deepfashion_out.EMPTY] == counts[deepfashion_out.OUTSIDE] == 1
    assert counts[deepfashion_out.ROUNDED] == 3
    assert counts[placing.RENAMED] == 1  # b b.png; below img/ a name is as it was
    assert (result.images, result.garments) == (3, 3)


def test_the_lists_are_read_back_whole(tmp_path):
    content = document()
    for category in content["categories"]:
        category["name"] = f"my {category['name']}"
    source = write(tmp_path / "in", content)
    exported = export({"train": source}, tmp_path / "out", "deepfashion", include_predictions=True)
    faults = Faults()
    (written,) = convert("deepfashion-c", tmp_path / "out", tmp_path / "back", faults=faults)
    assert (written.images, written.garments) == (exported.images, exported.garments) == (3, 3)
    assert list(faults.tally.counts) == ["garments kept as they are: the box leaves the image"]
    names = {garment.category_name for garment in Dataset.load(written.path).garments}
    assert names == {"my_Shirt", "my_Pants", "my_Dress"}


def test_the_type_of_a_garment_with_several_follows_its_landmarks(tmp_path):
    content = document()
    outwear = next(c["id"] for c in content["categories"] if c["name"] == "Outwear")
    content["annotations"][0]["category_id"] = content["annotations"][4]["category_id"] = outwear
    export(write(tmp_path / "in", content), tmp_path / "out", "deepfashion")
    marks = rows(tmp_path / "out" / LISTS[0])
    assert (marks["img/a.png"][0], marks["img/a.jpg"][0]) == ("1", "3")


def test_a_category_has_the_type_that_most_of_its_garments_have(tmp_path):
    content = document()
    skirt = {c["name"]: c["id"] for c in content["categories"]}["Skirt"]
    dress = content["annotations"][4]
    dress["category_id"] = content["annotations"][3]["category_id"] = skirt
    del content["annotations"][3]["fashion"]
    content["images"].append({"id": 9, "file_name": "more.png", "width": 60, "height": 80})
    content["annotations"].append({**content["annotations"][3], "id": 90, "image_id": 9})
    source = write(tmp_path / "in", content)
    (source.parent / "more.png").write_bytes((source.parent / "sub/b b.png").read_bytes())
    everything = Schema.load("garments")
    everything = everything.with_categories(
        [Category(c.name, ("upper", "lower", "full")) for c in everything.categories]
    )
    dataset = Dataset.load(source, schema=everything)
    export_data({"train": dataset}, tmp_path / "out", format_of("deepfashion"))
    listed = (tmp_path / "out/Anno/list_category_cloth.txt").read_text().split()[3:]
    found = dict(zip(listed[::2], listed[1::2], strict=True))
    assert (found["Skirt"], found["Shirt"]) == ("2", "1")


def test_categories_beside_the_fifty_are_read_back(tmp_path):
    source = write(tmp_path / "in")
    export(source, tmp_path / "out", "deepfashion")
    faults = Faults()
    (found,) = convert(
        "deepfashion-c",
        tmp_path / "out",
        tmp_path / "back",
        ConvertOptions(processes=0),
        faults=faults,
    )
    back, before = Dataset.load(found.path), Dataset.load(source)
    assert found.garments == 2
    assert {g.category_name for g in back.garments} == {"Shirt", "Dress"}
    assert set(before.schema.category_names) <= set(back.schema.category_names)
    assert {c.name: c.body_types for c in back.schema.categories}["Shirt"] == ("upper",)
    assert faults.tally.counts == {"garments kept as they are: the box leaves the image": 1}
    assert any("Shirt (upper)" in note and "DeepFashion lack" in note for note in faults.notes)
    assert not find_problems(back)


def test_other_landmarks_are_refused(tmp_path):
    content = document()
    for category in content["categories"]:
        category["keypoints"] = [f"mark {i}" for i in range(8)]
    with pytest.raises(CocoError, match="these eight: left_collar"):
        export(write(tmp_path / "in", content), tmp_path / "out", "deepfashion")


def test_names_that_the_lists_cannot_tell_apart_are_refused(tmp_path):
    content = document()
    content["categories"][0]["name"] = "long dress"
    content["categories"][1]["name"] = "long_dress"
    with pytest.raises(CocoError, match="long_dress"):
        export(write(tmp_path / "in", content), tmp_path / "out", "deepfashion")


def test_an_image_in_two_parts_is_written_once(tmp_path):
    source = write(tmp_path / "in")
    result = export({"train": source, "val": source}, tmp_path / "out", "deepfashion")
    assert result.tally.counts[deepfashion_out.TWICE] == 2
    assert set(map(tuple, rows(tmp_path / "out" / LISTS[3]).values())) == {("train",)}


@pytest.mark.parametrize("name", ["deepfashion-c-old", "deepfashion-l"])
def test_the_lists_are_those_that_the_documents_came_from(tmp_path, name):
    """A data set in the real layout, its COCO documents, and back: the same lists."""
    if not (SHARED / name).is_dir():
        pytest.skip("the miniature data sets of the project are not here (../shared/formats)")
    base = SHARED / name
    root = base / "data" / "Img" if (base / "data" / "Img").is_dir() else base / "data"
    datasets = {
        part: Dataset.load(base / "expected" / f"{part}.json", image_root=root)
        for part in ("train", "val", "test")
    }
    export_data(datasets, tmp_path / "out", format_of("deepfashion"))
    for file in LISTS:
        original = base / "data" / file
        if not original.is_file() or (name == "deepfashion-l" and "category" in file):
            continue
        before, after = rows(original), rows(tmp_path / "out" / file)
        if "landmarks" in file:  # a cut-off landmark has no place, whatever the original gives it
            for marks in before.values():
                for i in range(len(marks) % 3, len(marks), 3):
                    if marks[i] == "2":
                        marks[i : i + 3] = ["2", "000", "000"]
        assert after == before
    if name == "deepfashion-c-old":
        file = "Anno/list_category_cloth.txt"
        assert (tmp_path / "out" / file).read_text() == (base / "data" / file).read_text()

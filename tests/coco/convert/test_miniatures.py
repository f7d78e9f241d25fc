"""The miniature data sets, converted, equal the documents that somebody else wrote."""

from __future__ import annotations

import json
import shutil

import pytest

from miniatures import die, differences
from napari_fashion.coco import Dataset
from napari_fashion.coco.convert import ConvertOptions, Faults, convert, sizes
from napari_fashion.errors import ConvertError
from napari_fashion.schema import Schema

PARTITIONS = {"train": "train", "val": "val", "test": "test"}
CASES = {
    "deepfashion-c, old": ("deepfashion-c", "deepfashion-c-old", "", {}, PARTITIONS),
    "deepfashion-c": ("deepfashion-c", "deepfashion-c", "coarse", {}, PARTITIONS),
    "deepfashion-c, fine": (
        "deepfashion-c", "deepfashion-c", "fine", {"annotations": "fine"}, PARTITIONS,
    ),
    "deepfashion-c, fine with visibility": (
        "deepfashion-c", "deepfashion-c", "fine-with-visibility",
        {"annotations": "fine", "visibility": "coarse"}, PARTITIONS,
    ),
    "deepfashion-l": ("deepfashion-l", "deepfashion-l", "", {}, PARTITIONS),
    "deepfashion2": (
        "deepfashion2", "deepfashion2", "", {}, {"train": "train", "validation": "validation"},
    ),
    "deepfashion2, own landmarks": (
        "deepfashion2", "deepfashion2", "", {"landmarks": "category"},
        {"train": "train", "validation": "validation"},
    ),
    "fashionai": ("fashionai", "fashionai", "", {}, {"train": "train", "warm-up": "warm_up_train"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_document_equals_the_expected_one(formats, tmp_path, case):
    name, folder, within, options, documents = CASES[case]
    faults = Faults()
    source = formats / folder / "data"
    written = convert(name, source, tmp_path, ConvertOptions(**options), faults=faults)
    assert {w.path.stem for w in written} == set(documents.values())
    assert list(faults.tally.lines()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"{d}.json" for d in documents.values()
    )
    for expected, ours in documents.items():
        path = formats / folder / "expected" / within / f"{expected}.json"
        assert differences(path, tmp_path / f"{ours}.json") == []


@pytest.mark.parametrize("case", CASES)
def test_our_own_reader_finds_schema_images_and_nothing_odd(formats, tmp_path, case):
    name, folder, _, options, documents = CASES[case]
    written = convert(name, formats / folder / "data", tmp_path, ConvertOptions(**options))
    for document in written:
        dataset = Dataset.load(document.path)
        assert dataset.schema_problem == ""
        assert len(dataset.images) == document.images
        assert len(dataset.garments) == document.garments
        assert all(image.path.is_file() for image in dataset.images)
        assert all(garment.category >= 0 for garment in dataset.garments)
        assert not any(garment.keypoints.problem for garment in dataset.garments)
    assert len(written) == len(documents)


@pytest.mark.parametrize(
    ("case", "schema"),
    [
        ("deepfashion-c", "deepfashion"),
        ("deepfashion2", "deepfashion2"),
        ("deepfashion2, own landmarks", "deepfashion2"),
        ("fashionai", "fashionai"),
    ],
)
def test_the_schema_is_named_in_the_file(formats, tmp_path, case, schema):
    name, folder, _, options, _ = CASES[case]
    convert(name, formats / folder / "data", tmp_path, ConvertOptions(**options))
    document = json.loads((tmp_path / "train.json").read_text())
    assert document["info"]["fashion"]["schema"] == schema
    assert Dataset.load(tmp_path / "train.json").schema == Schema.load(schema)


def test_own_landmarks_are_those_of_all_landmarks(formats, tmp_path):
    source = formats / "deepfashion2" / "data"
    convert("deepfashion2", source, tmp_path / "all")
    convert("deepfashion2", source, tmp_path / "own", ConvertOptions(landmarks="category"))
    whole, own = (Dataset.load(tmp_path / n / "train.json") for n in ("all", "own"))
    assert {len(r.keypoints.xy) for r in own.garments} == {294}
    for a, b in zip(whole.garments, own.garments, strict=True):
        assert a.xy.tolist() == b.xy.tolist()
        assert a.visibility.tolist() == b.visibility.tolist()
    counts = {
        len(g["keypoints"])
        for g in json.loads((tmp_path / "own/train.json").read_text())["annotations"]
    }
    assert min(counts) < 3 * 294
    assert len(counts) > 1


@pytest.mark.parametrize("given", ["short sleeve top", "short-sleeve-top", "Short_Sleeve_Top"])
def test_one_category_can_be_converted_with_its_own_schema(formats, tmp_path, given):
    source = formats / "deepfashion2" / "data"
    convert("deepfashion2", source, tmp_path / "all")
    convert("deepfashion2", source, tmp_path / "one", ConvertOptions(category=given))
    whole, one = (Dataset.load(tmp_path / n / "train.json") for n in ("all", "one"))
    assert one.schema == Schema.load("deepfashion2-short-sleeve-top")
    tops = [g for g in whole.garments if g.category_name == "short sleeve top"]
    assert len(tops) == len(one.garments) > 0
    assert len(one.images) == len({g.image_id for g in tops})
    for a, b in zip(tops, one.garments, strict=True):
        assert a.xy[:25].tolist() == b.xy.tolist()
        assert a.visibility[:25].tolist() == b.visibility.tolist()
        assert a.bbox == b.bbox


def test_an_unknown_category_is_refused(formats, tmp_path):
    with pytest.raises(
        ConvertError, match=r"--category is 'hat'; expected one of short-sleeve-top, "
    ):
        convert(
            "deepfashion2",
            formats / "deepfashion2" / "data",
            tmp_path,
            ConvertOptions(category="hat"),
        )


def test_the_last_pair_of_an_upper_garment_can_be_its_waistline(formats, tmp_path):
    source = formats / "deepfashion-c-old" / "data"
    convert("deepfashion-c", source, tmp_path / "hem")
    convert(
        "deepfashion-c", source, tmp_path / "waist", ConvertOptions(upper_last_pair="waistline")
    )
    hem, waist = (Dataset.load(tmp_path / n / "train.json") for n in ("hem", "waist"))
    assert waist.schema.landmarks_of("upper") == (0, 1, 2, 3, 4, 5)
    assert waist.schema.landmarks == hem.schema.landmarks
    seen = 0
    for a, b in zip(hem.garments, waist.garments, strict=True):
        assert a.body_type == b.body_type
        if a.body_type == "upper":
            assert a.visibility[[4, 5]].tolist() == [0, 0] == b.visibility[[6, 7]].tolist()
            assert a.xy[[6, 7]].tolist() == b.xy[[4, 5]].tolist()
            seen += int(a.visibility[[6, 7]].sum())
        else:
            assert a.xy.tolist() == b.xy.tolist()
    assert seen > 4


def test_a_clothes_type_is_the_body_type_also_against_the_category(formats, tmp_path):
    convert("deepfashion-c", formats / "deepfashion-c" / "data", tmp_path)
    dataset = Dataset.load(tmp_path / "train.json")
    for garment in dataset.garments:
        record = dataset.store.record("annotations", garment.id)
        expected = {1: "upper", 2: "lower", 3: "full"}[record["fashion"]["clothes_type"]]
        assert garment.body_type == expected


def test_joints_of_deepfashion_l_are_kept_as_they_are(formats, tmp_path):
    source = formats / "deepfashion-l" / "data"
    convert("deepfashion-l", source, tmp_path)
    records = json.loads((tmp_path / "train.json").read_text())
    line = (source / "Anno" / "list_joints.txt").read_text().splitlines()[2].split()
    image = next(i for i in records["images"] if i["file_name"] == line[0])
    found = next(a for a in records["annotations"] if a["image_id"] == image["id"])
    assert found["fashion"]["joints"] == [int(word) for word in line[3:]]


def test_several_processes_find_the_same(formats, tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "BATCH", 3)
    source = tmp_path / "data"
    shutil.copytree(formats / "deepfashion2" / "data", source)
    (source / "train" / "image" / "000004.jpg").write_bytes(b"no image")
    told = []
    for n in (0, 2):
        faults = Faults()
        options = ConvertOptions(processes=n)
        convert("deepfashion2", source, tmp_path / str(n), options, faults=faults)
        told.append(list(faults.tally.lines()))
    for name in ("train.json", "validation.json"):
        one, other = ((tmp_path / n / name).read_bytes() for n in ("0", "2"))
        assert one == other
    assert told[0] == told[1]
    assert "000004.jpg" in told[0][0]


def test_partitions_in_one_folder_are_read_in_batches_together(formats, tmp_path, monkeypatch):
    jobs = []
    whole = sizes._sizes
    monkeypatch.setattr(sizes, "_sizes", lambda job: jobs.append(len(job[1])) or whole(job))
    convert("deepfashion-c", formats / "deepfashion-c-old" / "data", tmp_path)
    assert jobs == [24]


def test_a_process_that_dies_is_told(formats, tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "BATCH", 3)
    monkeypatch.setattr(sizes, "_sizes", die)
    with pytest.raises(ConvertError, match=r"has died.*fewer --processes"):
        convert(
            "deepfashion2", formats / "deepfashion2" / "data", tmp_path, ConvertOptions(processes=1)
        )
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_unpacks_into_its_own_name_is_found(formats, tmp_path):
    source = tmp_path / "source"
    (source / "train").mkdir(parents=True)
    (source / "train" / "train").symlink_to(formats / "deepfashion2" / "data" / "train")
    written = convert("deepfashion2", source, tmp_path / "out")
    assert [(w.path.name, w.images) for w in written] == [("train.json", 10)]


def test_the_options_of_another_format_are_refused(formats, tmp_path):
    for options, message in (
        (
            ConvertOptions(landmarks="category"),
            "--landmarks is for deepfashion2; deepfashion-c has no",
        ),
        (ConvertOptions(visibility="coarse"), "--visibility coarse is for --annotations fine"),
    ):
        with pytest.raises(ConvertError, match=message):
            convert("deepfashion-c", formats / "deepfashion-c" / "data", tmp_path, options)
    with pytest.raises(ConvertError, match=r"did you mean deepfashion2.*expected one of"):
        convert("deepfashion-2", formats, tmp_path)


def test_categories_that_the_fifty_lack_are_converted_with_their_type(formats, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(formats / "deepfashion-c-old" / "data", source)
    cloth, labels = (source / "Anno" / f"list_category_{name}.txt" for name in ("cloth", "img"))
    names = cloth.read_text().splitlines()
    cloth.write_text("\n".join(["52", *names[1:], "jumper 1", "odd", ""]))
    lines = labels.read_text().splitlines()
    first, second = lines[2].split()[0], lines[3].split()[0]
    labels.write_text("\n".join([*lines[:2], f"{first} 51", f"{second} 52", *lines[4:], ""]))
    faults = Faults()
    convert("deepfashion-c", source, tmp_path / "out", faults=faults)
    found = {}
    for part in ("train", "val", "test"):
        dataset = Dataset.load(tmp_path / "out" / f"{part}.json")
        assert dataset.schema.category_names[50:] == ("jumper",)
        assert dataset.schema.landmarks == Schema.load("deepfashion").landmarks
        names_of = {image.id: image.file_name for image in dataset.images}
        found |= {names_of[g.image_id]: g.category_name for g in dataset.garments}
    assert found[first] == "jumper"
    assert second not in found
    assert any("has jumper (upper), which the 50 categories" in note for note in faults.notes)
    told = "\n".join(faults.tally.lines())
    assert (
        "found 'odd'; expected a category of the schema deepfashion, or one with its type" in told
    )
    assert "found the label 52 of a category that is left out; expected a label" in told


def test_a_data_set_of_another_format_is_named(formats, tmp_path):
    data = {name: formats / name / "data" for name in ("deepfashion-c-old", "deepfashion-l")}
    with pytest.raises(ConvertError, match="deepfashion-l converts it"):
        convert("deepfashion-c", data["deepfashion-l"], tmp_path / "a")
    with pytest.raises(ConvertError, match="are of DeepFashion-C: deepfashion-c converts it"):
        convert("deepfashion-l", formats / "deepfashion-c" / "data", tmp_path / "b")
    faults = Faults()
    convert("deepfashion-l", data["deepfashion-c-old"], tmp_path / "c", faults=faults)
    assert any("deepfashion-c converts them" in note for note in faults.notes)
    faults = Faults()
    convert("deepfashion-l", data["deepfashion-l"], tmp_path / "d", faults=faults)
    assert not faults.notes


def test_a_part_of_deepfashion2_in_place_of_the_whole_is_told(formats, tmp_path):
    part = formats / "deepfashion2" / "data" / "train"
    with pytest.raises(ConvertError, match=r"found 'annos', 'image'; expected .* it is in, .*data"):
        convert("deepfashion2", part, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConvertError, match="found nothing in it; expected"):
        convert("deepfashion2", tmp_path / "empty", tmp_path / "out")

"""`init schema` writes a commented schema that means what the file means."""

from __future__ import annotations

import json
import re

import pytest

from napari_fashion.cli import main, status
from napari_fashion.coco import Dataset
from napari_fashion.schema import BUNDLED, Schema
from napari_fashion.schema.commented import commented_toml

OWN = [
    {
        "id": 1,
        "name": 'Glove "x"',
        "keypoints": ["left_tip", "right_tip", "cuff"],
        "skeleton": [[1, 3], [2, 3]],
    },
    {"id": 2, "name": "Söckchen", "keypoints": ["cuff", "toe"], "skeleton": [[1, 2]]},
]


def coco(path, categories):
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": categories}))
    return path


def test_a_schema_of_a_file_loads_again_and_has_all_of_it(tmp_path, capsys):
    data, out = coco(tmp_path / "theirs.json", OWN), tmp_path / "my.toml"
    assert main(["init", "schema", str(data), "--out", str(out)]) == status.DONE
    schema = Schema.load(out)
    assert schema.name == "my"
    assert schema.landmarks == ("left_tip", "right_tip", "cuff", "toe")
    assert schema.flips == (1, 0, 2, 3)
    assert schema.edges == ((0, 2), (1, 2), (2, 3))
    assert [(c.name, c.body_types) for c in schema.categories] == [
        ('Glove "x"', ('Glove "x"',)),
        ("Söckchen", ("Söckchen",)),
    ]
    assert "4 landmarks, 3 edges, 2 body types, 2 categories" in capsys.readouterr().out
    assert Dataset.load(data, schema=schema).schema == schema
    assert len(re.findall(r"^# ", out.read_text(), re.MULTILINE)) >= 8


def test_flips_that_are_not_known_are_told_in_the_file_too(tmp_path, capsys):
    data = coco(
        tmp_path / "theirs.json", [{"id": 1, "name": "Hat", "keypoints": ["rim_1", "rim_2"]}]
    )
    out = tmp_path / "my.toml"
    assert main(["init", "schema", str(data), "--out", str(out), "--name", "hats"]) == status.DONE
    schema = Schema.load(out)
    assert (schema.name, schema.mirrors) == ("hats", False)
    assert "Images are not flipped" in capsys.readouterr().err
    text = out.read_text()
    assert "mirrors = false" in text
    mended = text.replace("mirrors = false\n", "").replace(
        "flip_pairs = []", 'flip_pairs = [["rim_1", "rim_2"]]'
    )
    out.write_text(mended)
    assert (Schema.load(out).flips, Schema.load(out).mirrors) == ((1, 0), True)


@pytest.mark.parametrize("name", [*BUNDLED, "deepfashion2-skirt"])
def test_every_bundled_schema_is_written_and_read_as_it_is(tmp_path, name):
    schema = Schema.load(name)
    path = tmp_path / "again.toml"
    path.write_text(commented_toml(schema, "x"), "utf-8")
    assert Schema.load(path) == schema


def test_the_comments_are_cut_to_a_line_and_hold_no_other(tmp_path):
    text = commented_toml(Schema.load("garments"), "a\nname = 1")
    assert text.splitlines()[0].startswith("# A landmark schema, begun from a name = 1.")


def test_refuses_an_existing_file_another_suffix_and_a_file_without_landmarks(tmp_path, capsys):
    data = coco(tmp_path / "theirs.json", OWN)
    (tmp_path / "my.toml").write_text("mine")
    assert main(["init", "schema", str(data), "--out", str(tmp_path / "my.toml")]) == status.FAILED
    assert (tmp_path / "my.toml").read_text() == "mine"
    assert main(["init", "schema", str(data), "--out", str(tmp_path / "my.json")]) == status.FAILED
    assert "ends in .toml" in capsys.readouterr().err
    bare = coco(tmp_path / "bare.json", [{"id": 1, "name": "Hat"}])
    assert main(["init", "schema", str(bare), "--out", str(tmp_path / "new.toml")]) == status.FAILED
    assert "keypoints" in capsys.readouterr().err
    odd = coco(tmp_path / "odd.json", [{"id": 1, "name": "Hat\n", "keypoints": ["a", "b"]}])
    assert main(["init", "schema", str(odd), "--out", str(tmp_path / "new.toml")]) == status.FAILED
    assert not (tmp_path / "new.toml").exists()

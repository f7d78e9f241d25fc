"""The files that OpenPifPaf and MMPose need beside the COCO documents."""

from __future__ import annotations

import ast
import runpy

import numpy as np
import pytest

from exported import SCHEMA, document, export, write
from napari_fashion.coco.convert.out.shared_schema import module_name


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "in")


def test_mmpose_metainfo_is_the_schema(source, tmp_path):
    export(source, tmp_path / "out", "mmpose")
    info = runpy.run_path(str(tmp_path / "out/garments.py"))["dataset_info"]
    assert info["dataset_name"] == "garments"
    keypoints = info["keypoint_info"]
    assert [keypoints[i]["name"] for i in range(8)] == list(SCHEMA.landmarks)
    assert [keypoints[i]["id"] for i in range(8)] == list(range(8))
    for i, j in enumerate(SCHEMA.flips):
        assert keypoints[i]["swap"] == SCHEMA.landmarks[j]
        assert keypoints[i]["color"] == [int(SCHEMA.colors[i][at : at + 2], 16) for at in (1, 3, 5)]
    links = [info["skeleton_info"][i]["link"] for i in range(len(SCHEMA.edges))]
    assert links == [(SCHEMA.landmarks[a], SCHEMA.landmarks[b]) for a, b in SCHEMA.edges]
    assert info["joint_weights"] == [1.0] * 8
    assert info["sigmas"] == list(SCHEMA.sigmas)
    assert "garments.py" in (tmp_path / "out/README.md").read_text()


def test_openpifpaf_constants_are_the_schema(source, tmp_path):
    export({"train": source, "test": source}, tmp_path / "out", "openpifpaf")
    module = tmp_path / "out/openpifpaf_garments"
    found = runpy.run_path(str(module / "constants.py"))
    assert found["KEYPOINTS"] == list(SCHEMA.landmarks)
    assert found["SKELETON"] == [(a + 1, b + 1) for a, b in SCHEMA.edges]
    assert found["SIGMAS"] == list(SCHEMA.sigmas)
    assert found["MIRRORS"] == {
        SCHEMA.landmarks[i]: SCHEMA.landmarks[j] for i, j in enumerate(SCHEMA.flips)
    }
    assert np.shape(found["POSE"]) == (8, 3)
    assert (found["VALIDATION"], found["EVALUATION"]) == ("train", "test")
    for part in ("train", "test"):
        assert (tmp_path / "out" / found["ANNOTATIONS"][part]).is_file()
        assert (tmp_path / "out" / found["IMAGES"][part] / "a.png").is_file()
    for file in ("__init__.py", "datamodule.py"):
        tree = ast.parse((module / file).read_text())
        names = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
        used = {node.attr for node in names if getattr(node.value, "id", "") == "c"}
        assert used <= found.keys()


def test_names_of_a_hostile_file_are_no_code(tmp_path):
    content = document()
    evil = "x'); raise SystemExit('run') #\n\"\\"
    for category in content["categories"]:
        category["keypoints"] = [evil, *SCHEMA.landmarks[1:]]
    source = write(tmp_path / "in", content)
    export(source, tmp_path / "pose", "mmpose")
    export(source, tmp_path / "pifpaf", "openpifpaf")
    info = runpy.run_path(str(tmp_path / "pose/data_set.py"))["dataset_info"]
    assert info["keypoint_info"][0]["name"] == evil
    found = runpy.run_path(str(tmp_path / "pifpaf/openpifpaf_data_set/constants.py"))
    assert found["KEYPOINTS"][0] == evil


def test_a_module_can_have_the_name():
    for name in ("", "Ünï", "2 tops", "class", "a/../b"):
        assert f"openpifpaf_{module_name(name)}".isidentifier()

from __future__ import annotations

import json

import pytest
import torch

from drawn import SCHEMA
from napari_fashion.engine.inference.options import InferenceOptions, RefinementOptions
from napari_fashion.engine.model import Model, ModelInfo
from napari_fashion.engine.model_file import read_model_file
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.errors import CheckpointError


@pytest.fixture
def saved(tmp_path):
    """Path of a model's description, and its document."""
    torch.manual_seed(0)
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="sum", width=8, blocks=0, upsample=1)
    info = ModelInfo(
        name="tiny",
        inference=InferenceOptions(input_size=64, refinement=RefinementOptions(redetect_size=96)),
        data={"train_images": 3},
    )
    path = Model.create(config, SCHEMA, info, torch.device("cpu")).save(tmp_path / "m")
    return path, json.loads(path.read_text())


def test_the_description_has_the_options_whole_and_the_layout_of_the_heads(saved):
    path, document = saved
    assert document["version"] == 2
    assert document["inference"] == read_model_file(path).description.inference.model_dump(
        mode="json"
    )
    assert document["heads"][1]["channels"][:3] == ["confidence", "x1", "y1"]
    file = read_model_file(path)
    assert file.description.info.data == {"train_images": 3}
    assert file.weights == path.with_suffix(".safetensors")


def test_format_1_is_read(saved):
    path, document = saved
    old = {k: v for k, v in document.items() if k not in ("inference", "heads", "weights")}
    old |= {
        "version": 1,
        "working_size": 96,
        "data": {"train_pictures": 3},
        "recipe": {
            "mirror": True,
            "cut_aspect": 0.5,
            "look_sizes": [96, 64],
            "refine": {"margin": 0.1, "find_size": 64, "find_again": 128},
            "decoder": {"paf_threshold": 0.2},
        },
    }
    path.write_text(json.dumps(old))
    model = Model.load(path, "cpu")
    assert model.info.data == {"train_images": 3}
    inference = model.inference
    assert (inference.input_size, inference.sizes, inference.flip_tta) == (96, (96, 64), True)
    assert inference.crop_aspect == 0.5
    assert inference.refinement == RefinementOptions(
        margin=0.1, detection_size=64, redetect_size=128
    )
    assert inference.decoder.paf_threshold == 0.2
    assert inference.decoder.pif_threshold == 0.3  # the default of that time
    assert model.id == document["id"]


def test_a_network_of_format_1_has_the_defaults_of_its_time(saved):
    path, document = saved
    del document["network"]["category_pool"]
    old = {k: v for k, v in document.items() if k not in ("inference", "heads", "weights")}
    path.write_text(json.dumps(old | {"version": 1, "working_size": 96}))
    assert read_model_file(path).description.network.category_pool == "max"


def test_weights_without_their_description_are_told(saved):
    path, _ = saved
    path.unlink()
    with pytest.raises(CheckpointError, match=r"no m\.json beside it; expected the description"):
        read_model_file(path.with_suffix(".safetensors"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": []}, "heads: found 0 heads; expected 3"),
        ({"heads": [{"name": "pif"}]}, "heads: found .'name': 'pif'"),
        ({"weights": "pickle"}, "weights: found 'pickle'; expected 'safetensors' or 'onnx'"),
        ({"recipe": []}, "recipe: found .*; expected a table"),
        ({"network": {"backbone": "resnet"}}, "network.backbone: found 'resnet'; did you mean"),
        ({"version": True}, "format version True"),
    ],
)
def test_what_does_not_describe_a_model_is_told(saved, change, said):
    path, document = saved
    path.write_text(json.dumps(document | change))
    with pytest.raises(CheckpointError, match=said):
        read_model_file(path)


def test_fields_that_would_fill_the_memory_are_refused_before_the_network_is_built(saved):
    path, document = saved
    large = SCHEMA.to_dict()
    names = [f"c{i}" for i in range(9000)]
    large["categories"] = [{"name": n, "body_types": ["upper"]} for n in names]
    inference = document["inference"] | {"input_size": 4096}
    path.write_text(json.dumps(document | {"schema": large, "inference": inference}))
    with pytest.raises(
        CheckpointError, match=r"9,\d\d\d channels at 4,096 pixels and stride 8 are"
    ):
        read_model_file(path)


def test_the_file_that_was_named_is_the_one_that_is_described(saved):
    path, _ = saved
    path.with_suffix(".onnx").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"describes m\.safetensors"):
        read_model_file(path.with_suffix(".onnx"))

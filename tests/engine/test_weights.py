"""Model files from anywhere: refused in a sentence before they cost memory."""

from __future__ import annotations

import hashlib
import json
import os
import resource

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from napari_fashion.engine.model import Model, ModelInfo
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.weights import MAX_HEADER, read_weights
from napari_fashion.errors import CheckpointError
from napari_fashion.schema import Schema

SCHEMA = Schema.from_coco([{"name": "cat", "keypoints": ["a", "b"], "skeleton": [[1, 2]]}])
CONFIG = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="sum", width=8, blocks=0, upsample=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.manual_seed(0)
    model = Model.create(CONFIG, SCHEMA, ModelInfo(), torch.device("cpu"))
    return model.save(tmp_path_factory.mktemp("model") / "m")


@pytest.fixture
def files(made, tmp_path):
    """Return the paths of a model of its own: description and weights."""
    for suffix in (".json", ".safetensors"):
        (tmp_path / f"m{suffix}").write_bytes(made.with_suffix(suffix).read_bytes())
    return tmp_path / "m.json", tmp_path / "m.safetensors"


def refused(path):
    """Return the sentence with which a model is refused: without much memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError) as caught:
        Model.load(path, "cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB
    text = str(caught.value)
    assert str(path.parent) in text
    assert "\n" not in text
    assert len(text) < 1000
    return text


def test_a_model_is_read_through_links_and_keeps_its_id(files, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    for path in files:
        path.rename(there / path.name)
        path.symlink_to(there / path.name)
    model = Model.load(files[0], "cpu")
    assert model.id == json.loads(files[0].read_text())["id"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"network": CONFIG.model_dump() | {"width": 10**9}},
            "network.width: found 1000000000; ex",
        ),
        ({"network": CONFIG.model_dump() | {"width": 4096}}, "not of the network that m.json desc"),
        ({"network": CONFIG.model_dump() | {"blocks": 64}}, "not of the network that m.json descr"),
        ({"network": CONFIG.model_dump() | {"channels": 3}}, "network.channels is not a known key"),
        ({"network": 5}, "network: found 5; expected a table"),
        ({"schema": 5}, "schema: found 5; expected a table"),
        ({"schema": {}}, "landmarks: it is missing"),
        (
            {"inference": {"input_size": 10**9}},
            "inference.input_size: found 1000000000; expected 4096",
        ),
        ({"inference": {"input_size": "x"}}, "inference.input_size: found 'x'; expected a whole"),
        ({"name": None}, "name: found nothing; expected text"),
        ({"weights_sha256": "0" * 64}, "other weights than m.json was saved with"),
        ({"weights_sha256": 3}, "weights_sha256: found 3; expected text"),
        ({"recipe": []}, "recipe: found []; expected a table"),
        (
            {"inference": {"multi_scale": [10**9]}},
            "inference.multi_scale[0]: found 1000000000; expected 40",
        ),
        ({"inference": {"multi_scale": 64}}, "inference.multi_scale: found 64; expected a list"),
        ({"inference": {"multi_scale": [64] * 1000}}, "expected 16 items or fewer"),
        (
            {"inference": {"refinement": {"detection_size": 1}}},
            "inference.refinement.detection_size: found 1; expected 32 or more",
        ),
        (
            {"inference": {"refinement": {"mrgin": 1}}},
            "inference.refinement.mrgin is not a known key; did you mean 'marg",
        ),
        ({"inference": {"refinement": 5}}, "inference.refinement: found 5; expected a table"),
        (
            {"inference": {"decoder": {"pif_threshold": 7}}},
            "decoder.pif_threshold: found 7; expected 1.0 or less",
        ),
        (
            {"inference": {"decoder": {"pif_treshold": 7}}},
            "inference.decoder.pif_treshold is not a known key; did you mean 'pif_threshold'",
        ),
        ({"inference": {"decoder": {"pif_threshold": "x"}}}, "found 'x'; expected a number"),
        ({"inference": {"crop_aspect": -1}}, "crop_aspect: found -1; expected 0.0 or more"),
        (
            {"inference": {"flip_tta": "perhaps"}},
            "flip_tta: found 'perhaps'; expected true or false",
        ),
        ({"version": 10**300}, "format version an integer of some"),
        ({"version": True}, "format version True"),
        ({"format": []}, "not a napari-fashion model"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused_by_key(files, change, said):
    path, _ = files
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    text = refused(path)
    assert said in text, text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty; expected the model's description"),
        (b"[]", "not a napari-fashion model"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "found nan at a; expected a finite number"),
        (b'{"a": ' + b"1" * 5000 + b"}", "an integer of 5,000 digits"),
        (b'{"a": 1, "a": 2}', "the key 'a' comes twice"),
        (b"\xff\xfe\x00", "is not UTF-16-LE"),
    ],
)
def test_a_description_that_is_no_json_is_refused(files, text, said):
    files[0].write_bytes(text)
    assert said in refused(files[0])


def header_of(data: bytes) -> tuple[dict, bytes]:
    n = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def with_header(header: object, rest: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def first(header: dict, **changes) -> dict:
    name = next(iter(header))
    return header | {name: header[name] | changes}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h, d: b"", "found 0 bytes without a header"),
        (lambda h, d: b"\x80\x04}q\x00." * 99, "found pickled data without a header"),
        (lambda h, d: b"PK\x03\x04" * 99, "found pickled data without a header"),
        (lambda h, d: (2**63).to_bytes(8, "little") + d, "without a header"),
        (lambda h, d: with_header(h, d[:-1]), "bytes, and the file has"),
        (lambda h, d: with_header(h, d + b"\0"), "bytes, and the file has"),
        (lambda h, d: with_header([], d), "its header begins with"),
        (lambda h, d: with_header(b'{"a":' * 50_000, d), "its header: nested too deeply"),
        (lambda h, d: with_header(b'{"a"', d), "its header, line 1, column"),
        (lambda h, d: with_header(h | {"__metadata__": {"a": 1}}, d), "its header's texts are"),
        (lambda h, d: with_header(h | {"x": 5}, d), "'x' has numbers of the kind nothing"),
        (lambda h, d: with_header(first(h, dtype="F1024"), d), "numbers of the kind 'F1024'"),
        (lambda h, d: with_header(first(h, dtype=["F32"]), d), "numbers of the kind ['F32']"),
        (lambda h, d: with_header(first(h, shape=[-1]), d), "has the shape [-1]"),
        (lambda h, d: with_header(first(h, shape=[10**12]), d), "of the shape [1000000000000], lies"),
        (lambda h, d: with_header(first(h, shape=None), d), "has the shape nothing"),
        (lambda h, d: with_header(first(h, shape=[1] * 100), d), "has the shape"),
        (lambda h, d: with_header(first(h, data_offsets=[4, 0]), d), "lies at [4, 0]"),
        (lambda h, d: with_header(first(h, data_offsets=[0]), d), "lies at [0]"),
        (
            lambda h, d: with_header(h | {"x": h[next(iter(h))]}, d),
            "its tensors overlap or leave gaps",
        ),
        (
            lambda h, d: with_header(
                {"x": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}} | h, d
            ),
            "('x' has the shape [0]; expected none)",
        ),
    ],
)  # fmt: skip
def test_weights_that_contradict_themselves_are_refused(files, change, said):
    path, weights = files
    weights.write_bytes(change(*header_of(weights.read_bytes())))
    text = refused(path)
    assert str(weights) in text
    assert said in text, text


def test_a_header_without_end_and_a_huge_file_cost_nothing(files):
    path, weights = files
    with weights.open("wb") as stream:
        stream.write((MAX_HEADER + 1).to_bytes(8, "little"))
        stream.truncate(20 << 30)
    assert "its header has 16,777,217 bytes, and at most 16,777,216 are read" in refused(path)
    entry = {"dtype": "F32", "shape": [1 << 30, 4], "data_offsets": [0, 1 << 34]}
    with weights.open("wb") as stream:
        stream.write(with_header({"x": entry}, b""))
        stream.truncate(stream.tell() + (1 << 34))
    assert "not of the network" in refused(path)


def test_what_is_no_file_is_refused(files, tmp_path):
    path, weights = files
    weights.unlink()
    assert "cannot be read (No such file or directory)" in refused(path)
    os.mkfifo(weights)
    assert "it is a pipe, not a regular file" in refused(path)
    weights.unlink()
    weights.symlink_to(weights)
    assert "cannot be read" in refused(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(files, number):
    path, weights = files
    state = load_file(weights)
    state["pif.conv.bias"][0] = number
    data = save(state)
    weights.write_bytes(data)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"weights_sha256": hashlib.sha256(data).hexdigest()}))
    assert "'pif.conv.bias' holds numbers that are not finite" in refused(path)


def test_texts_and_kinds_of_numbers_are_kept(tmp_path):
    tensors = {
        "a": torch.tensor([[1.5, -2]], dtype=torch.bfloat16),
        "b": torch.tensor([True, False]),
        "c": torch.arange(3),
        "d": torch.zeros(0, 3),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"step": "3"})
    read = read_weights(tmp_path / "x.safetensors")
    assert read.metadata == {"step": "3"}
    for name, tensor in tensors.items():
        assert torch.equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == tensor.dtype

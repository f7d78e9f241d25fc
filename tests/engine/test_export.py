from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from drawn import SCHEMA
from napari_fashion.engine import export
from napari_fashion.engine.model import Model, ModelInfo
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.errors import CheckpointError
from napari_fashion.images import read_image

onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra 'onnx')")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra 'onnx')")


@pytest.fixture(scope="module")
def trained_model(trained):
    return Model.load(trained[0], "cpu")


@pytest.fixture(scope="module", autouse=True)
def _by_trace():
    """Export as without onnxscript, in seconds; `tests/cli/test_export_model.py` has the other way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export.importlib.util, "find_spec", lambda name: None)
        yield


@pytest.fixture(scope="module")
def exported(_by_trace, trained_model, tmp_path_factory):
    """Path of a small model, exported."""
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    assert export.export_model(trained_model, path) == path.with_suffix(".json")
    return path


def test_it_predicts_what_the_model_in_torch_does(trained_model, exported):
    model = Model.load(exported)
    assert model.id == trained_model.id
    assert model.inference == trained_model.inference
    random = np.random.default_rng(0)
    images = [
        random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((96, 96), (300, 120), (9, 200))
    ]
    options = model.inference.overridden(flip_tta=True, sizes=[96, 64])
    for one, two in zip(
        model.fields_batch(images, options),
        trained_model.fields_batch(images, options),
        strict=True,
    ):
        assert one.grid == two.grid
        np.testing.assert_allclose(one.pif_confidence, two.pif_confidence, atol=1e-4)
        # Positions are averaged weighted by confidence: rounding moves those that have hardly any.
        for name, confidence in (("pif_xy", one.pif_confidence), ("paf_xy2", one.paf_confidence)):
            difference = getattr(one, name) - getattr(two, name)
            assert np.abs(difference).max() < 1e-2
            assert np.abs(difference * np.clip(10 * confidence, 0, 1)[:, None]).max() < 2e-4
        np.testing.assert_allclose(one.category, two.category, rtol=1e-4, atol=1e-4)


def test_garments_are_where_the_model_in_torch_finds_them(trained_model, exported, drawn):
    images = [read_image(drawn.parent / "images" / f"{i:03d}.png") for i in range(1, 13)]
    options = trained_model.inference.overridden(refine=True, flip_tta=True)
    both = (model.predict(images, options) for model in (Model.load(exported), trained_model))
    found = 0
    for one, two in zip(*both, strict=True):
        assert len(one.garments) == len(two.garments)
        for g, h in zip(one.garments, two.garments, strict=True):
            found += 1
            np.testing.assert_allclose(g.xy, h.xy, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(g.scores, h.scores, atol=1e-4)
            np.testing.assert_allclose(g.category, h.category, atol=1e-4)
    assert found >= 9


def test_an_exported_model_says_what_it_is_for(exported, trained):
    for source in (exported, exported.with_suffix(".json"), exported.with_suffix("")):
        assert Model.load(source, "cpu", "onnx").runtime.device == "cpu"
    with pytest.raises(CheckpointError, match="its runtime is onnx; got torch"):
        Model.load(exported, runtime="torch")
    with pytest.raises(CheckpointError, match=r"its runtime is torch; got onnx. Export it"):
        Model.load(trained[0], runtime="onnx")
    with pytest.raises(CheckpointError, match="runs on the CPU; got device cuda"):
        Model.load(exported, "cuda")
    with pytest.raises(CheckpointError, match="no network to train or to save"):
        Model.load(exported).save(exported.with_name("again"))


def test_metadata_and_inputs_are_those_of_the_network(exported, trained_model):
    proto = onnx.load(exported)
    texts = {p.key: p.value for p in proto.metadata_props}
    assert texts["napari_fashion_model"] == trained_model.id
    assert texts["landmarks"].split("\n") == list(SCHEMA.landmarks)
    (images,) = proto.graph.input
    sizes = [d.dim_param or d.dim_value for d in images.type.tensor_type.shape.dim]
    assert [isinstance(size, str) for size in sizes] == [True, True, True, False]
    document = json.loads(exported.with_suffix(".json").read_text())
    assert document["weights_sha256"] == hashlib.sha256(exported.read_bytes()).hexdigest()


def changed(exported, folder, change):
    """The exported model with its graph changed, and a description that fits."""
    proto = onnx.load(exported)
    change(proto)
    data = proto.SerializeToString()
    return written(exported, folder, data)


def written(exported, folder, data):
    path = folder / "x.onnx"
    path.write_bytes(data)
    document = json.loads(exported.with_suffix(".json").read_text())
    document["weights_sha256"] = hashlib.sha256(data).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(document))
    return path


def _outside(proto):
    tensor = next(t for t in proto.graph.initializer if len(t.raw_data) > 100)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/hostname"


def _other_inputs(proto):
    proto.graph.input[0].name = "pixels"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_outside, "lies in another file"),
        (_other_inputs, "x.onnx: it "),
    ],
)
def test_a_changed_graph_is_refused(exported, tmp_path, change, said):
    with pytest.raises(CheckpointError, match=said):
        Model.load(changed(exported, tmp_path, change))


def test_a_network_for_another_schema_is_refused(exported, tmp_path):
    path = written(exported, tmp_path, exported.read_bytes())
    document = json.loads(path.with_suffix(".json").read_text())
    document["schema"]["categories"] = document["schema"]["categories"][:7]
    path.with_suffix(".json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"category .* not .*7"):
        Model.load(path).fields(np.zeros((64, 64, 3), np.uint8))


def test_a_network_of_another_stride_is_refused(exported, tmp_path):
    path = written(exported, tmp_path, exported.read_bytes())
    document = json.loads(path.with_suffix(".json").read_text())
    document["network"]["upsample"] *= 2
    path.with_suffix(".json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"pif has the shape .* not"):
        Model.load(path).fields(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_an_exported_model_has_a_name(exported, tmp_path, name):
    path = written(exported, tmp_path, exported.read_bytes())
    document = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(document | {"id": name}))
    with pytest.raises(CheckpointError, match=r"id: found .*; expected the model's"):
        Model.load(path)


@pytest.mark.parametrize("data", [b"", b"\x08\x07\x12", b"\x80\x04pickle", bytes(1000)])
def test_what_is_no_network_is_refused(exported, tmp_path, data):
    with pytest.raises(CheckpointError, match="expected a network exported by napari-fashion"):
        Model.load(written(exported, tmp_path, data))


def test_files_of_two_models_are_refused(exported, tmp_path):
    path = written(exported, tmp_path, exported.read_bytes())
    path.write_bytes(exported.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match=r"other weights than x.json was saved with"):
        Model.load(path)


def test_an_export_that_computes_other_fields_is_not_written(trained_model, tmp_path, monkeypatch):
    activate = export.activate

    def off(heads, **options):
        fields = activate(heads, **options)
        return fields._replace(paf=fields.paf + 0.01)

    monkeypatch.setattr(export, "activate", off)
    with pytest.raises(
        CheckpointError, match=r"nothing was written. The exported network's paf is"
    ):
        export.export_model(trained_model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "heads",
    [
        {},
        {"visibility": True, "layers": {"outer": ["Outwear"], "lower": ["Pants"]}},
        {"bounded_spread": False, "category_region": "image"},
    ],
)
def test_other_networks_are_exported_as_well(heads, tmp_path):
    torch.manual_seed(0)
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="plain", upsample=2, **heads)
    model = Model.create(config, SCHEMA, ModelInfo(), torch.device("cpu"))
    export.export_model(model, tmp_path / "x.onnx")
    loaded = Model.load(tmp_path / "x.onnx")
    assert loaded.id == model.id
    assert loaded.config == config
    image = np.random.default_rng(0).integers(0, 256, (64, 90, 3), np.uint8)
    fields = loaded.fields(image)
    assert fields.n_landmarks == len(model.layers.landmark_of)
    assert (fields.pif_visible is not None) == config.visibility
    if config.visibility:
        theirs = model.fields(image).pif_visible
        np.testing.assert_allclose(fields.pif_visible, theirs, atol=1e-3)

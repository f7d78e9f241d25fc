from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from drawn import tiny_recipe
from napari_fashion.engine.network.backbones import backbone_names, find_backbone
from napari_fashion.engine.network.backbones.backbone import build_backbone
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.network.vision import import_library
from napari_fashion.engine.train.optim import make_optimiser
from napari_fashion.engine.train.options import OptimiserOptions
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.errors import CheckpointError

LITE = {"backbone": "efficientnet_lite0"}


def test_efficientnet_lite_has_the_published_shape():
    backbone = build_backbone("efficientnet_lite0", keep_stride_16=False).eval()
    features = backbone(torch.zeros(1, 3, 64, 96))
    assert [tuple(f.shape[1:]) for f in features] == [(40, 8, 12), (112, 4, 6), (320, 2, 3)]
    assert backbone.channels == (40, 112, 320)
    # 4,652,008 of the classifier (Liu and Tan 2020) without its 1280 channels and 1000 classes.
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(p.numel() for p in backbone.parameters()) == 4_652_008 - head


def test_its_weights_expect_pixels_from_minus_one_to_one():
    backbone = build_backbone("efficientnet_lite0", keep_stride_16=False)
    mean, std = (
        255 * torch.tensor(values)
        for values in (backbone.normalisation.mean, backbone.normalisation.std)
    )
    assert torch.allclose((torch.full((3,), 127.0) - mean) / std, torch.zeros(3), atol=1e-5)
    assert torch.allclose((torch.full((3,), 255.0) - mean) / std, torch.ones(3), atol=1e-5)


def test_a_run_starts_from_pretrained_weights(drawn, tmp_path):
    torch.manual_seed(5)
    other = build_backbone("efficientnet_lite0", keep_stride_16=False)
    state = {k: v.half() if v.is_floating_point() else v for k, v in other.state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    recipe = Recipe.from_dict(
        tiny_recipe(drawn, network=LITE, pretrained="weights.safetensors"), base=tmp_path
    )
    trainer = Trainer(recipe, tmp_path / "run", resume=False, device="cpu", emit=lambda e: None)
    for network in (trainer.network, trainer.product.averaged.network):
        for name, value in network.backbone.state_dict().items():
            assert torch.equal(value, state[name].float() if value.is_floating_point() else value)


def test_weights_of_another_backbone_are_refused(drawn, tmp_path):
    save_file(
        build_backbone("shufflenet_v2_x0_5", keep_stride_16=False).state_dict(),
        tmp_path / "w.safetensors",
    )
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    for name, said in (
        ("w", "not of the network that"),
        ("broken", "without a header"),
    ):
        recipe = Recipe.from_dict(
            tiny_recipe(drawn, network=LITE, pretrained=f"{name}.safetensors"), base=tmp_path
        )
        with pytest.raises(CheckpointError, match=said):
            Trainer(recipe, tmp_path / "run", resume=False, device="cpu", emit=lambda e: None)
    assert not (tmp_path / "run").exists()


def test_the_backbone_learns_at_its_share_of_the_rate(drawn, tmp_path):
    recipe = Recipe.from_dict(
        tiny_recipe(drawn, optimiser={"lr": 1e-3, "backbone_lr": 0.25}, schedule={"max_steps": 2})
    )
    trainer = Trainer(recipe, tmp_path / "run", resume=False, device="cpu", emit=lambda e: None)
    backbone = {id(p) for p in trainer.network.backbone.parameters()}
    trainer.run(lambda: False)
    rates: dict[bool, set[float]] = {True: set(), False: set()}
    for group in trainer.updater.optimiser.param_groups:
        inside = {id(p) in backbone for p in group["params"]}
        assert len(inside) == 1
        rates[inside.pop()].add(round(group["lr"], 12))
    steps = [json.loads(line) for line in (tmp_path / "run/events.jsonl").open()]
    told = next(e["lr"] for e in reversed(steps) if e["event"] == "step")
    assert rates[False] == {round(told, 12)}
    assert rates[True] == {round(0.25 * told, 12)}
    decayed = {g["weight_decay"] > 0 for g in trainer.updater.optimiser.param_groups}
    assert decayed == {True, False}


def test_one_rate_for_all_needs_no_more_groups(drawn):
    network = build_backbone("shufflenet_v2_x0_5", keep_stride_16=False)
    holder = torch.nn.Module()
    holder.backbone = network
    groups = make_optimiser(holder, OptimiserOptions()).param_groups
    assert len(groups) == 2
    assert sum(len(g["params"]) for g in groups) == len(list(network.parameters()))


@pytest.mark.parametrize(
    ("name", "backbone", "with_heads"),
    [("shufflenetv2k16", 8_805_396, 8.96e6), ("shufflenetv2k30", 28_034_816, 28.3e6)],
)
def test_shufflenet_k_has_the_published_size(name, backbone, with_heads):
    """The numbers are OpenPifPaf 0.13.11's; its heads of 8 keypoints and 9 edges have 112 channels."""
    with torch.device("meta"):
        made = build_backbone(name, keep_stride_16=True)
        heads = nn.Conv2d(made.channels[-1], 8 * 5 + 9 * 8, 1)
    n_backbone, n_heads = (sum(p.numel() for p in m.parameters()) for m in (made, heads))
    assert n_backbone == backbone
    assert n_backbone + n_heads == pytest.approx(with_heads, rel=2e-3)


@pytest.mark.parametrize("name", backbone_names())
def test_features_have_the_strides_and_channels_that_it_says(name):
    for keep in (False, True):
        backbone = build_backbone(name, keep_stride_16=keep).eval()
        with torch.no_grad():
            features = backbone(torch.zeros(1, 3, 64, 96))
        shapes = [(c, 64 // s, 96 // s) for c, s in zip(*sizes_of(backbone), strict=True)]
        assert [tuple(f.shape[1:]) for f in features] == shapes
        assert backbone.strides[:2] == (8, 16)
        assert backbone.strides[2:] in ((), (16 if keep else 32,))


def sizes_of(backbone):
    return backbone.channels, backbone.strides


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5"])
def test_torchvisions_own_weights_load(name, tmp_path):
    torch.manual_seed(3)
    net = getattr(import_library("torchvision").models, name)(weights=None).eval()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "w.safetensors")
    backbone = build_backbone(name, keep_stride_16=False).eval()
    backbone.load_pretrained(tmp_path / "w.safetensors")
    layers = (
        ("layer2", "layer3", "layer4") if name == "resnet18" else ("stage2", "stage3", "stage4")
    )
    expected = []
    for layer in layers:
        getattr(net, layer).register_forward_hook(lambda m, i, out: expected.append(out))
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        net(x)
        for one, two in zip(backbone(x), expected, strict=True):
            torch.testing.assert_close(one, two)
    lacking = {k: v for k, v in state.items() if k != "conv1.weight" and k != "conv1.0.weight"}
    save_file(lacking, tmp_path / "lacking.safetensors")
    with pytest.raises(CheckpointError, match=r"has the shape none; expected \[\d+, 3, "):
        backbone.load_pretrained(tmp_path / "lacking.safetensors")


def test_the_package_carries_weights_of_one_backbone(tmp_path):
    backbone = build_backbone("efficientnet_lite0", keep_stride_16=False)
    backbone.load_pretrained("imagenet")
    packaged = load_file(find_backbone("efficientnet_lite0").weights_path())
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, packaged[name].to(value.dtype))
    with pytest.raises(
        CheckpointError, match="no weights of backbone 'resnet18'; expected one of eff"
    ):
        build_backbone("resnet18", keep_stride_16=False).load_pretrained("imagenet")


def test_unknown_names_are_told_with_the_closest_ones():
    with pytest.raises(ValueError, match="did you mean 'resnet50'"):
        NetworkConfig(backbone="resnet5")
    with pytest.raises(ValueError, match="did you mean 'torchvision:NAME'"):
        NetworkConfig(backbone="torchvisio:NAME")
    with pytest.raises(CheckpointError, match="did you mean torchvision:regnet_y_400mf"):
        build_backbone("torchvision:regnet_y_40mf", keep_stride_16=False)
    with pytest.raises(CheckpointError, match="no features of strides 8, 16 and 32"):
        build_backbone("torchvision:squeezenet1_1", keep_stride_16=False)
    with pytest.raises(CheckpointError, match="cannot keep stride 16; expected neck = 'sum'"):
        build_backbone("torchvision:densenet121", keep_stride_16=True)
    with pytest.raises(CheckpointError, match="644,812,894 parameters"):
        build_backbone("torchvision:regnet_y_128gf", keep_stride_16=False)


@pytest.mark.parametrize("neck", ["plain", "sum"])
@pytest.mark.parametrize("name", ["torchvision:regnet_y_400mf", "timm:mobilenetv3_small_050"])
def test_classifiers_of_libraries_are_backbones(name, neck, tmp_path):
    library, _, network = name.partition(":")
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    torch.manual_seed(0)
    config = NetworkConfig(backbone=name, neck=neck, upsample=1, width=16, blocks=0)
    made = Network(config, 8, 11, 15).eval()
    with torch.no_grad():
        heads = made(torch.zeros(1, 3, 64, 96))
    assert heads.pif.shape[-2:] == (64 // config.stride, 96 // config.stride)
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in Network(config, 8, 11, 15).state_dict().items()}
    assert shapes == {k: v.shape for k, v in made.state_dict().items()}
    if library == "torchvision":
        published = module.models.get_model(network, weights=None)
    else:
        published = module.create_model(network, pretrained=False)
    save_file(published.state_dict(), tmp_path / "w.safetensors")
    made.backbone.load_pretrained(tmp_path / "w.safetensors")
    own = made.backbone.state_dict()
    loaded = {k: v for k, v in published.state_dict().items() if f"body.{k}" in own}
    assert len(loaded) > 0.9 * len(own)
    assert all(torch.equal(own[f"body.{k}"], v) for k, v in loaded.items())


def test_a_library_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    import_library.cache_clear()
    with pytest.raises(CheckpointError, match=r"needs timm.*pip install 'napari-fashion\[timm\]'"):
        build_backbone("timm:resnet18", keep_stride_16=False)

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from drawn import tiny_recipe
from napari_fashion.engine.network.backbones.backbone import build_backbone
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
    for group in trainer.optimiser.param_groups:
        inside = {id(p) in backbone for p in group["params"]}
        assert len(inside) == 1
        rates[inside.pop()].add(round(group["lr"], 12))
    steps = [json.loads(line) for line in (tmp_path / "run/events.jsonl").open()]
    told = next(e["lr"] for e in reversed(steps) if e["event"] == "step")
    assert rates[False] == {round(told, 12)}
    assert rates[True] == {round(0.25 * told, 12)}
    decayed = {g["weight_decay"] > 0 for g in trainer.optimiser.param_groups}
    assert decayed == {True, False}


def test_one_rate_for_all_needs_no_more_groups(drawn):
    network = build_backbone("shufflenet_v2_x0_5", keep_stride_16=False)
    holder = torch.nn.Module()
    holder.backbone = network
    groups = make_optimiser(holder, OptimiserOptions()).param_groups
    assert len(groups) == 2
    assert sum(len(g["params"]) for g in groups) == len(list(network.parameters()))

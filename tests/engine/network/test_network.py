from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_fashion.engine.network.activation import LOG_SPREAD_BOUND, log_spread_of
from napari_fashion.engine.network.backbones.efficientnet_lite import InvertedBottleneck
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.network.folding import fold_norms
from napari_fashion.engine.network.fork import fork
from napari_fashion.engine.network.network import Network


@pytest.mark.parametrize(
    "backbone",
    ["shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenetv2k16", "resnet18", "resnet50"],
)
@pytest.mark.parametrize(("neck", "upsample"), [("plain", 1), ("plain", 2), ("sum", 1), ("sum", 2)])
def test_fields_have_the_shape_that_the_stride_says(backbone, neck, upsample):
    config = NetworkConfig(backbone=backbone, neck=neck, upsample=upsample, width=32)
    network = Network(config, 8, 11, 15).eval()
    with torch.inference_mode():
        heads = network(torch.zeros(2, 3, 64, 96))
    h, w = 64 // config.stride, 96 // config.stride
    assert heads.pif.shape == (2, 8, 5, h, w)
    assert heads.paf.shape == (2, 11, 9, h, w)
    assert heads.category.shape == (2, 15, h, w)
    assert config.stride == {"plain": 16, "sum": 8}[neck] // upsample


@pytest.mark.parametrize("neck", ["plain", "sum"])
def test_a_moved_image_moves_the_fields_by_whole_cells(neck):
    """Cells lie where the geometry says: a shift of the input is a shift of the output."""
    torch.manual_seed(0)
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck=neck, upsample=1, width=32)
    network = Network(config, 2, 1, 2).eval()
    image = torch.zeros(1, 3, 384, 384)
    image[..., 160:224, 160:224] = 255 * torch.rand(1, 3, 64, 64)
    step = config.multiple
    with torch.inference_mode():
        one = network(image).pif
        two = network(torch.roll(image, (step, 2 * step), (-2, -1))).pif
    cells = step // config.stride
    moved = torch.roll(one, (cells, 2 * cells), (-2, -1))
    middle = slice(16, 32) if config.stride == 8 else slice(8, 16)
    torch.testing.assert_close(
        moved[..., middle, middle], two[..., middle, middle], atol=2e-3, rtol=0
    )


def test_no_edges_and_no_categories():
    heads = Network(
        NetworkConfig(backbone="shufflenet_v2_x0_5", neck="plain", upsample=2), 3, 0, 0
    ).eval()(torch.zeros(1, 3, 32, 32))
    assert heads.paf.shape[1] == 0
    assert heads.category.shape[1] == 0


@pytest.mark.parametrize(("beta", "factor"), [(0.0, 1.0), (0.5, 3**-0.5), (1.0, 1 / 3)])
def test_fork_leaves_the_forward_pass_and_weighs_the_gradient(beta, factor):
    x = torch.randn(4, requires_grad=True)
    y = fork(x, 3, beta)
    torch.testing.assert_close(y, x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.full((4,), factor))


def test_fork_reaches_the_backbone_but_not_the_heads():
    def gradients(beta):
        torch.manual_seed(0)
        network = Network(
            NetworkConfig(
                backbone="shufflenet_v2_x0_5", neck="plain", upsample=2, fork_beta=beta, dropout=0
            ),
            2,
            1,
            2,
        )
        heads = network(255 * torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
        (
            heads.pif.square().mean() + heads.paf.square().mean() + heads.category.square().mean()
        ).backward()
        return network.backbone.stem[0][0].weight.grad, network.pif.conv.weight.grad

    summed, weighed = gradients(0.0), gradients(1.0)
    torch.testing.assert_close(weighed[0], summed[0] / 3, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(weighed[1], summed[1])


def test_skipped_blocks_only_while_training_and_later_ones_more_often():
    torch.manual_seed(0)
    config = NetworkConfig(
        backbone="efficientnet_lite0", neck="sum", width=16, upsample=2, drop_path=0.2
    )
    network = Network(config, 8, 11, 15)
    blocks = [m for m in network.modules() if isinstance(m, InvertedBottleneck)]
    drops = [b.drop for b in blocks if b.residual]
    assert len(drops) > 5
    assert 0 < drops[0] < drops[-1] < 0.2
    assert drops == sorted(set(drops))
    plain = Network(config.model_copy(update={"drop_path": 0.0}), 8, 11, 15)
    plain.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, 64, 64) * 255
    with torch.inference_mode():
        for one, two in zip(network.eval()(images), plain.eval()(images), strict=True):
            torch.testing.assert_close(one, two)
    block = next(b for b in blocks if b.residual)
    block.drop = 0.5
    x = torch.rand(64, block.body[0].in_channels, 8, 8)
    with torch.no_grad():
        change = (block.train()(x) - x).abs().amax((1, 2, 3))
    assert 16 < int((change == 0).sum()) < 48  # those images skipped it
    whole = (block.eval()(x) - x).detach().abs().amax((1, 2, 3))
    assert (whole > 0).all()


def test_log_spread_is_bounded_and_true_near_zero():
    raw = torch.tensor([-1e4, -0.1, 0.0, 0.1, 1e4])
    out = log_spread_of(raw, bounded=True)
    assert out.abs().max() <= LOG_SPREAD_BOUND
    torch.testing.assert_close(out[1:4], raw[1:4], atol=1e-3, rtol=0)
    assert torch.equal(log_spread_of(raw, bounded=False), raw)


@pytest.mark.parametrize(
    "backbone",
    ["shufflenet_v2_x0_5", "shufflenetv2k16", "resnet18", "resnet50", "efficientnet_lite0"],
)
@pytest.mark.parametrize("neck", ["plain", "sum"])
def test_folded_norms_change_nothing_but_rounding(backbone, neck):
    torch.manual_seed(0)
    network = Network(NetworkConfig(backbone=backbone, neck=neck, width=32, upsample=2), 8, 11, 15)
    for module in network.modules():  # statistics as training leaves them, not 0 and 1
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    folded = fold_norms(network.eval())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    with torch.inference_mode():
        image = 255 * torch.rand(1, 3, 64, 96)
        for one, two in zip(network(image), folded(image), strict=True):
            torch.testing.assert_close(one, two, atol=2e-3, rtol=2e-3)

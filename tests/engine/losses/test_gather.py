"""Reading a head's output, against plain slices and their gradients."""

from __future__ import annotations

import pytest
import torch

from napari_fashion.engine.losses.gather import gather


@pytest.mark.parametrize("channels_last", [False, True])
def test_values_and_gradients_are_those_of_slices(channels_last):
    torch.manual_seed(0)
    flat = torch.randn(2, 3 * 5, 4, 6)
    if channels_last:
        flat = flat.contiguous(memory_format=torch.channels_last)
    cells = torch.nonzero(torch.rand(2, 3, 4, 6) < 0.3)
    image, channel, y, x = cells.unbind(1)
    gradients = []
    for plain in (True, False):
        leaf = flat.clone().requires_grad_()
        raw = leaf.view(2, 3, 5, 4, 6)
        if plain:
            confidence, values = raw[:, :, 2], raw[image, channel, :, y, x].t()
        else:
            confidence, values = gather(raw, cells, 2)
            assert torch.equal(confidence, raw[:, :, 2])
            assert torch.equal(values, raw[image, channel, :, y, x].t())
        (confidence.square().sum() + values.sin().sum()).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_half_precision_is_read_as_float32():
    leaf = torch.randn(1, 2, 5, 3, 3, dtype=torch.bfloat16, requires_grad=True)
    confidence, values = gather(leaf, torch.tensor([[0, 1, 2, 0]]), 0)
    assert confidence.dtype == values.dtype == torch.float32
    (confidence.sum() + values.sum()).backward()
    expected = torch.zeros(1, 2, 5, 3, 3)
    expected[:, :, 0] = 1
    expected[0, 1, :, 2, 0] += 1
    assert torch.equal(leaf.grad.float(), expected)

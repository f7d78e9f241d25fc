from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_fashion.engine.network.transfer import Origin
from napari_fashion.engine.train.ema import mix_states, unmix_states
from napari_fashion.engine.train.new_rows import NewRowRates

NEW = torch.tensor([False, True, False])


def steps(kind, lr, factor=None, n=5):
    """Weights of a convolution after some steps; with `factor`, of its second row only."""
    torch.manual_seed(0)
    head = nn.Conv2d(4, 3, 1)
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    optimiser = kind(head.parameters(), lr=lr, weight_decay=0.1, **options)
    if factor is not None:
        NewRowRates(head, {"weight": NEW, "bias": NEW}, factor).attach(optimiser)
    grads = torch.Generator().manual_seed(1)
    for _ in range(n):
        for parameter in head.parameters():
            # Gradients that do not depend on the weights: rates alone make the difference.
            parameter.grad = torch.randn(parameter.shape, generator=grads)
        optimiser.step()
    return {k: v.detach() for k, v in head.named_parameters()}


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_new_rows_learn_as_if_at_a_rate_of_their_own(kind):
    scaled, slow, fast = steps(kind, 1e-3, 20.0), steps(kind, 1e-3), steps(kind, 2e-2)
    for name, value in scaled.items():
        torch.testing.assert_close(value[~NEW], slow[name][~NEW], rtol=0, atol=0)
        torch.testing.assert_close(value[NEW], fast[name][NEW])
        assert not torch.equal(value[NEW], slow[name][NEW])


def test_without_new_rows_nothing_changes():
    torch.manual_seed(0)
    head = nn.Conv2d(4, 3, 1)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1)
    before = copy.deepcopy(optimiser.__dict__.get("_optimizer_step_post_hooks"))
    NewRowRates(head, {}, 20.0).attach(optimiser)
    assert optimiser.__dict__.get("_optimizer_step_post_hooks") == before


def test_new_rows_keep_nothing_of_the_start():
    state = {"head.weight": torch.ones(3, 2), "head.bias": torch.ones(3), "n": torch.tensor(7)}
    start = {k: torch.zeros_like(v) for k, v in state.items()}
    origin = Origin(start, {"head.weight": NEW})
    mixed = mix_states(state, origin, 0.25)
    assert mixed["head.weight"].tolist() == [[0.75, 0.75], [1.0, 1.0], [0.75, 0.75]]
    assert mixed["head.bias"].tolist() == [0.75] * 3  # it has no new rows
    assert mixed["n"] == 7
    back = unmix_states(mixed, origin, 0.25)
    for name, value in state.items():
        torch.testing.assert_close(back[name], value)

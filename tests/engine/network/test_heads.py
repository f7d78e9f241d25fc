from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_fashion.engine.network.activation import (
    activate,
    activate_in_place,
    log_spread_of,
)
from napari_fashion.engine.network.heads import CATEGORY, PAF, PIF, HeadSpec, Point, heads_of
from napari_fashion.engine.network.network import Heads


def test_channels_are_found_by_name():
    values = np.arange(2 * 9 * 3 * 4).reshape(2, 9, 3, 4)
    end1, end2 = PAF.points
    np.testing.assert_array_equal(PAF.channel(values, "confidence"), values[:, 0])
    np.testing.assert_array_equal(PAF.position(values, end1), values[:, 1:3])
    np.testing.assert_array_equal(PAF.position(values, end2), values[:, 3:5])
    np.testing.assert_array_equal(PAF.channel(values, end2.log_spread), values[:, 6])
    assert PAF.channel(values, end1.size).base is values.base  # a view
    assert (len(PIF), len(PAF), len(CATEGORY)) == (5, 9, 1)
    with pytest.raises(ValueError, match="not in"):
        PIF.index("depth")


def test_an_edge_from_its_other_end_swaps_the_ends_channels():
    assert [PAF.channels[i] for i in PAF.reversed_order] == [
        "confidence", "x2", "y2", "x1", "y1", "log_spread2", "log_spread1", "size2", "size1",
    ]  # fmt: skip
    assert PIF.reversed_order == list(range(5))
    twice = [PAF.reversed_order[i] for i in PAF.reversed_order]
    assert twice == list(range(9))


def test_runs_cover_all_channels_in_order():
    for spec in {*heads_of(visibility=False), *heads_of(visibility=True)}:
        places = [i for _, run in spec.runs for i in range(run.start, run.stop)]
        assert places == list(range(len(spec)))
        for kind, run in spec.runs:
            assert {spec.kind(name) for name in spec.channels[run]} == {kind}


def test_a_layout_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="head 'bad'"):
        HeadSpec("bad", "landmarks", ("y", "x", "b", "s"), (Point("x", "y", "b", "s"),))
    with pytest.raises(ValueError, match="head 'bad'"):
        HeadSpec("bad", "landmarks", ("x", "y"), (Point("x", "y", "b", "s"),))


@pytest.mark.parametrize("bounded", [True, False])
def test_activation_follows_the_names(bounded):
    """Against plain arithmetic, channel by channel."""
    torch.manual_seed(0)
    pif, paf = torch.randn(2, 3, 5, 4, 6), torch.randn(2, 2, 9, 4, 6)
    category = torch.randn(2, 7, 4, 6)
    fields = activate(Heads(pif, paf, category), bounded_spread=bounded)
    x, y = torch.arange(6.0), torch.arange(4.0)[:, None]
    for spec, raw, found in ((PIF, pif, fields.pif), (PAF, paf, fields.paf)):
        for i, name in enumerate(spec.channels):
            value = raw[:, :, i]
            expected = {
                "c": lambda v: 1 / (1 + torch.exp(-v)),
                "x": lambda v: v + x,
                "y": lambda v: v + y,
                "l": lambda v: torch.exp(log_spread_of(v, bounded=bounded)),
                "s": lambda v: torch.log1p(torch.exp(v)),
            }[name[0]](value)
            torch.testing.assert_close(found[:, :, i], expected)
    assert torch.equal(fields.category, category)


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_activation_in_place_is_the_same_but_for_rounding(layout, bounded):
    torch.manual_seed(0)
    raw = 5 * torch.randn(2, 6 * 9, 8, 12)
    paf = raw.contiguous(memory_format=layout).view(2, 6, 9, 8, 12)
    pif = raw[:, :30].contiguous(memory_format=layout).view(2, 6, 5, 8, 12)
    heads = Heads(pif, paf, torch.randn(2, 3, 8, 12))
    expected = activate(heads, bounded_spread=bounded)
    found = activate_in_place(heads, bounded_spread=bounded)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


def test_spreads_without_a_bound_are_what_was_learned_and_finite():
    """A log spread of 6 is 6, which a bound would make 3.6; one of 1e4 stays a number."""
    pif = torch.zeros(1, 1, 5, 1, 3)
    pif[0, 0, 3, 0] = torch.tensor([6.0, 1e4, -1e4])
    raw = Heads(pif, torch.zeros(1, 0, 9, 1, 3), torch.zeros(1, 0, 1, 3))
    found = activate(raw, bounded_spread=False).pif[0, 0, 3, 0]
    assert float(found[0]) == pytest.approx(math.exp(6), rel=1e-5)
    assert found.isfinite().all()
    assert (found > 0).all()
    assert float(activate(raw).pif[0, 0, 3, 0, 0]) == pytest.approx(math.exp(4 * math.tanh(1.5)))

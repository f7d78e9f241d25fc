from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.data.loader import draw_epoch
from napari_fashion.engine.data.sampling import systematic_sample


def slow_sample(rates: list[float], start: float) -> list[int]:
    """Walk along the rates laid end to end; pick whatever lies under start, start + 1, ..."""
    scale = len(rates) / sum(rates)
    drawn, end, point = [], 0.0, start
    for i, rate in enumerate(rates):
        end += rate * scale
        while point < end and len(drawn) < len(rates):
            drawn.append(i)
            point += 1
    return drawn + [len(rates) - 1] * (len(rates) - len(drawn))


@given(
    st.lists(st.integers(1, 64), min_size=1, max_size=20),
    st.integers(0, 2**16 - 1),
)
def test_systematic_samples_are_those_of_a_walk(numbers, start) -> None:
    rates = np.array(numbers) / np.mean(numbers)
    # The starts lie between the sixteenths of which the ends are multiples only up to rounding.
    at = (start + 0.37) / 2**16
    ends = np.cumsum(rates) * len(rates) / rates.sum()
    if np.abs((ends - at) % 1).min() < 1e-9:
        return
    assert systematic_sample(rates, at).tolist() == slow_sample(rates.tolist(), at)
    count = np.bincount(systematic_sample(rates, at), minlength=len(rates))
    assert (np.abs(count - rates) < 1 + 1e-9).all()


def test_an_epoch_has_as_many_images_and_equal_rates_draw_each_once() -> None:
    generator = torch.Generator().manual_seed(3)
    assert sorted(draw_epoch(np.ones(50), generator).tolist()) == list(range(50))
    rates = np.array([0.5, 1.5, 1.0, 1.0] * 5)
    total = np.zeros(20)
    for _ in range(400):
        drawn = draw_epoch(rates, generator)
        assert len(drawn) == 20
        total += np.bincount(drawn.numpy(), minlength=20)
    np.testing.assert_allclose(total / 400, rates, atol=0.08)

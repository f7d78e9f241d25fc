from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.images.batches import batches_by_pixels


@given(
    st.lists(st.integers(0, 50), max_size=30), st.integers(1, 6), st.integers(1, 120)
)  # pixels of the items
def test_batches_hold_everything_in_order_and_are_bounded(sizes, count, limit) -> None:
    batches = list(batches_by_pixels(sizes, count, lambda size: size, limit))
    assert [size for batch in batches for size in batch] == sizes
    for i, batch in enumerate(batches):
        assert 1 <= len(batch) <= count
        assert sum(batch[:-1]) < limit  # only its last item may exceed the limit
        if i + 1 < len(batches):
            assert len(batch) == count or sum(batch) >= limit


def test_no_more_than_one_batch_is_taken_ahead() -> None:
    taken = []

    def items():
        for i in range(10):
            taken.append(i)
            yield i

    batches = batches_by_pixels(items(), 3, lambda i: 1)
    assert next(batches) == taken == [0, 1, 2]
    assert next(batches) == [3, 4, 5]
    assert taken == [0, 1, 2, 3, 4, 5]

"""Counting what is left out."""

from napari_fashion.tally import EXAMPLES, Tally, counted


def test_a_tally_counts_by_kind_and_keeps_the_first_few() -> None:
    tally = Tally()
    assert not tally
    for i in range(1000):
        tally.add("odd sizes", f"image {i}")
    tally.add("crowds", n=4)
    assert tally.counts == {"odd sizes": 1000, "crowds": 4}
    assert tally.total == 1004
    assert tally.examples["odd sizes"] == [f"image {i}" for i in range(EXAMPLES)]
    assert list(tally.lines()) == [
        "odd sizes: 1,000",
        "  image 0",
        "  image 1",
        "  image 2",
        "  ... and 997 more",
        "crowds: 4",
    ]
    assert str(tally) == "odd sizes: 1,000 (image 0); crowds: 4"


def test_a_single_thing_is_told_on_its_line() -> None:
    tally = Tally()
    tally.add("images left out", "a.png: no such image.")
    assert list(tally.lines()) == ["images left out: a.png: no such image."]


def test_tallies_add_up_and_stay_bounded() -> None:
    one, two = Tally(), Tally()
    one.add("a", "first")
    for i in range(9):
        two.add("a", f"x{i}")
        two.add("b", f"y{i}")
    one.update(two)
    assert one.counts == {"a": 10, "b": 9}
    assert one.examples["a"] == ["first", "x0", "x1"]
    assert len(one.examples["b"]) == EXAMPLES


def test_one_is_no_plural():
    assert (counted(0, "image"), counted(1, "image"), counted(1200, "image")) == (
        "0 images", "1 image", "1,200 images",
    )  # fmt: skip

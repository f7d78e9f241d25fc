"""Images decoded ahead: read once, within a limit, and silent until they are shown."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from napari_fashion.app.jobs import decoding
from napari_fashion.app.jobs.decoding import Decoding, Wanted
from napari_fashion.errors import ImageError


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read, in turn."""
    names, read = [], decoding.read_reduced

    def reading(path, within, *, size):
        names.append(path.name)
        return read(path, within, size=size)

    monkeypatch.setattr(decoding, "read_reduced", reading)
    return names


@pytest.fixture
def images(tmp_path):
    """Five images of 300 bytes, each of one grey."""
    wanted = []
    for i in range(5):
        path = tmp_path / f"{i}.png"
        Image.fromarray(np.full((10, 10, 3), i, np.uint8)).save(path)
        wanted.append(Wanted(path, (10, 10), (100, 100)))
    return wanted


def test_what_was_decoded_ahead_is_not_read_again(images, reads) -> None:
    decoder = Decoding()
    decoder.ahead(images[1:3])
    decoder.fetch(images[3]).result(10)  # it comes after them
    assert reads == ["1.png", "2.png", "3.png"]
    assert [decoder.get(images[i]).rgb.max() for i in (1, 2, 3)] == [1, 2, 3]
    assert len(reads) == 3
    decoder.close()


def test_the_oldest_go_where_the_bytes_are_too_many(images, reads) -> None:
    decoder = Decoding(limit=700)
    for i in (0, 1, 0, 2):
        decoder.get(images[i])
    assert decoder.look(images[1]) is None
    assert decoder.look(images[0]) is not None
    decoder.get(images[0])
    assert reads == ["0.png", "1.png", "2.png"]
    decoder.close()


def test_a_file_that_changed_is_read_again(images) -> None:
    decoder = Decoding()
    decoder.get(images[0])
    Image.fromarray(np.full((10, 10, 3), 77, np.uint8)).save(images[0].path)
    os.utime(images[0].path, ns=(1, 1))
    assert decoder.get(images[0]).rgb.max() == 77
    decoder.close()


def test_a_broken_neighbour_says_so_when_it_is_shown_and_not_before(images) -> None:
    decoder = Decoding()
    images[1].path.write_bytes(b"nothing")
    images[2].path.unlink()
    decoder.ahead(images[1:4])
    assert decoder.fetch(images[3]).result(10).rgb.max() == 3
    for broken in images[1:3]:
        with pytest.raises(ImageError, match=broken.path.name):
            decoder.get(broken)
    Image.fromarray(np.full((10, 10, 3), 5, np.uint8)).save(images[2].path)
    assert decoder.get(images[2]).rgb.max() == 5  # it was put there meanwhile
    decoder.close()


def test_after_closing_nothing_is_begun(images, reads) -> None:
    decoder = Decoding()
    decoder.close()
    decoder.ahead(images)
    assert decoder.fetch(images[0]) is None
    assert reads == []

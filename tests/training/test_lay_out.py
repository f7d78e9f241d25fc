"""Photos laid out together (training/lay_out.py) are images whose garments lie where they show."""

from __future__ import annotations

import numpy as np
import pytest

from drawn import SCHEMA
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.images.transforms import crop_to_box, resize


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("lay_out")


def test_every_garment_shows_where_its_landmarks_are(script, drawn, tmp_path):
    photos = load_sources([Source(file=str(drawn))], SCHEMA)[:7]
    path = script.lay_out(photos, 3, tmp_path / "several", SCHEMA)
    images = load_sources([Source(file=str(path))], SCHEMA)
    assert [len(p.category) for p in images] == [3, 3, 1]
    left = list(photos)
    for image in images:
        pixels = image.read()
        for i in range(len(image.category)):
            seen = image.visibility[i] > 0
            crop = crop_to_box(pixels, image.xy[i][seen])

            def far(photo, crop=crop):
                was = crop_to_box(photo.read(), photo.xy[0][photo.visibility[0] > 0]).image
                same = resize(was, (crop.image.shape[1], crop.image.shape[0])).astype(float)
                return np.abs(same - crop.image).mean()

            own = min(left, key=far)
            assert far(own) < 0.5 * min(far(p) for p in photos if p is not own)
            assert own.category[0] == image.category[i]
            assert (own.visibility[0] == image.visibility[i]).all()
            left.remove(own)
    assert not left


def test_the_same_seed_lays_out_the_same(script, drawn, tmp_path):
    photos = load_sources([Source(file=str(drawn))], SCHEMA)[:6]
    one, same, other = (
        script.lay_out(photos, 2, tmp_path / name, SCHEMA, seed).read_bytes()
        for name, seed in (("a", 0), ("b", 0), ("c", 5))
    )
    assert one == same != other


def test_it_runs_from_the_command_line(script, drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["lay_out.py", str(drawn), "--out", str(tmp_path / "out")])
    script.main()
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "annotations.json")
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 12

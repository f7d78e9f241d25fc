"""Fields on the disk: the same picture, within a limit, whatever happens to the files."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from napari_fashion.engine.field_cache import FieldCache, _encoded, key_of
from small import SHIRT_XY, fields_of

FIELDS = fields_of(SHIRT_XY, (120, 120), 8, 3.5)
KEYS = [key_of(str(i), model="a") for i in range(5)]


def test_fields_come_back_as_they_were(tmp_path) -> None:
    rng = np.random.default_rng(1)
    xy = FIELDS.pif_xy + rng.normal(0, 1, FIELDS.pif_xy.shape).astype(np.float32)
    visible = rng.normal(0, 5, FIELDS.pif_confidence.shape).astype(np.float32)
    fields = replace(FIELDS, pif_xy=xy, pif_visible=visible, member="upper", scale=(1.2, 3.4))
    cache = FieldCache(tmp_path / "fields")
    assert cache.read(KEYS[0]) is None
    cache.write(KEYS[0], fields)
    back = cache.read(KEYS[0])
    assert (back.edges, back.scale, back.offset) == (fields.edges, (1.2, 3.4), fields.offset)
    assert back.member == "upper"
    np.testing.assert_allclose(back.pif_confidence, fields.pif_confidence, atol=0.0005)
    y, x = np.mgrid[: fields.grid[0], : fields.grid[1]]
    near = abs(fields.pif_xy - np.stack([x, y])) < 4
    assert near.mean() > 0.3
    assert abs(back.pif_xy - fields.pif_xy)[near].max() < 0.002
    np.testing.assert_allclose(back.pif_visible, visible, rtol=0.001)


def test_images_models_and_forms_have_their_own(tmp_path) -> None:
    keys = {key_of(image, model=model) for image in "xy" for model in ("a", "b")}
    assert len(keys) == 4


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "text", "huge"])
def test_a_damaged_file_is_ignored_and_written_anew(tmp_path, damage) -> None:
    cache = FieldCache(tmp_path)
    cache.write(KEYS[0], FIELDS)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    if damage == "changed":
        data[middle] ^= 0xFF
    path.write_bytes(
        {
            "cut": data[:middle],
            "changed": data,
            "empty": b"",
            "text": b"no archive",
            "huge": data.replace(b"'shape': (", b"'shape': (9"),
        }[damage]
    )
    assert cache.read(KEYS[0]) is None
    cache.write(KEYS[0], FIELDS)
    np.testing.assert_array_equal(cache.read(KEYS[0]).edges, FIELDS.edges)


def test_what_was_not_used_for_longest_goes(tmp_path) -> None:
    size = len(_encoded(FIELDS))
    cache = FieldCache(tmp_path, limit=3 * size + size // 2)
    for i in range(3):
        cache.write(KEYS[i], FIELDS)
        os.utime(tmp_path / f"{KEYS[i]}.npz", (i, i))
    cache.read(KEYS[0])  # used just now
    cache.write(KEYS[3], FIELDS)
    assert [cache.read(key) is not None for key in KEYS] == [True, False, True, True, False]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= cache.limit
    FieldCache(tmp_path, limit=size // 2).write(KEYS[4], FIELDS)  # too large by itself
    assert not (tmp_path / f"{KEYS[4]}.npz").exists()


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FieldCache(tmp_path / "file")
    cache.write(KEYS[0], FIELDS)
    assert cache.read(KEYS[0]) is None


def test_a_program_that_is_killed_while_it_writes_leaves_nothing_half(tmp_path) -> None:
    script = """
import sys; sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_field_cache import FIELDS, KEYS
from napari_fashion.engine.field_cache import FieldCache
print("ready", flush=True)
while True:
    FieldCache(Path(sys.argv[1])).write(KEYS[0], FIELDS)
"""
    paths = [str(tmp_path), os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__))]
    process = subprocess.Popen([sys.executable, "-c", script, *paths], stdout=subprocess.PIPE)
    process.stdout.readline()
    cache = FieldCache(tmp_path)
    while not (tmp_path / f"{KEYS[0]}.npz").exists():
        assert process.poll() is None
    for _ in range(20):
        assert cache.read(KEYS[0]) is not None
    process.kill()
    process.wait()
    process.stdout.close()
    assert cache.read(KEYS[0]) is not None
    cache.write(KEYS[1], FIELDS)
    assert cache.read(KEYS[1]) is not None

"""Compiling for the first time: announced, kept if that is possible, and never a second time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import napari_fashion
from napari_fashion.engine.decode import (
    DecoderOptions,
    candidates,
    complete,
    confidence,
    decode_fields,
    graph,
    greedy,
    prepare,
    single,
)
from napari_fashion.schema import Schema
from synthetic_fields import SHAPE, Scene

GARMENTS = Schema.load("garments")
MODULES = (confidence, graph, greedy, complete, candidates, single)
MAP = """
import logging
logging.basicConfig(format="LOG %(levelname)s %(message)s", level=logging.INFO)
import numpy as np
from napari_fashion.engine.decode import announce_compiling, confidence_map
from napari_fashion.engine.fields import Fields
one, two = np.ones((1, 3, 3)), np.ones((1, 2, 3, 3))
none = dict.fromkeys(("paf_confidence", "paf_spread1", "paf_spread2", "category"), one[:0])
fields = Fields(pif_confidence=one, pif_xy=two, pif_spread=one, pif_size=one, paf_xy1=two[:0],
                paf_xy2=two[:0], edges=(), **none)
with announce_compiling(lambda text: print("SAID", text)):
    print("MAP", confidence_map(fields).max())
"""


@pytest.fixture
def package(tmp_path) -> Path:
    """A folder with a copy of the package."""
    source = Path(napari_fashion.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.json", "app")
    shutil.copytree(source, tmp_path / "lib" / "napari_fashion", ignore=ignored)
    return tmp_path / "lib"


def run(package: Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", MAP],
        env={**os.environ, "PYTHONPATH": str(package), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "MAP 0.9" in result.stdout
    return result.stdout + result.stderr


def test_it_is_announced_before_and_only_if_something_is_compiled(package, tmp_path) -> None:
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first = run(package, **cache)
    assert first.count("SAID Compiling the decoder (once per installation") == 1
    assert first.count("LOG INFO Compiling the decoder") == 1
    assert "Compiling" not in run(package, **cache)
    # Compiled functions hold those of other files, which numba does not look at.
    with (package / "napari_fashion/engine/decode/arguments.py").open("a") as file:
        file.write("# another version\n")
    assert run(package, **cache).count("SAID Compiling the decoder") == 1


def test_it_works_where_nothing_can_be_written(package) -> None:
    (package / "napari_fashion/engine/decode/__pycache__").write_text("in the way")
    nowhere = "/dev/null/nowhere"
    said = run(package, HOME=nowhere, XDG_CACHE_HOME=nowhere, PYTHONDONTWRITEBYTECODE="1")
    assert said.count("LOG WARNING The compiled decoder cannot be kept") == 1
    assert "NUMBA_CACHE_DIR" in said
    assert "SAID Compiling the decoder" in said


def signatures() -> dict[str, int]:
    return {
        f"{module.__name__}.{name}": len(function.signatures)
        for module in MODULES
        for name, function in vars(module).items()
        if hasattr(function, "signatures")
    }


def test_what_is_prepared_is_not_compiled_again() -> None:
    modes = ({}, {"force_complete": True}, {"single_instance": True})
    for mode in modes:
        prepare(DecoderOptions(**mode))
    before = signatures()
    scene = Scene(41, 41, background=0.05)
    scene.garment(SHAPE * [16, 24] + [10.3, 8.6])
    scene.garment(SHAPE * [9, 9] + [2, 2], (0, 1, 2))
    fields = scene.fields()
    for name in ("pif_confidence", "paf_xy1"):
        getattr(fields, name).flags.writeable = False
    for mode in (*modes, {"single_instance": True, "force_complete": True}):
        options = DecoderOptions(**mode, min_landmarks=1, garment_threshold=0, seed_threshold=1)
        for threshold in (0, 1):
            changed = options.model_copy(update={"pif_threshold": threshold})
            decode_fields(fields, GARMENTS, changed)
            decode_fields(fields, GARMENTS, changed.model_copy(update={"seed_threshold": 0.2}))
        decode_fields(Scene(9, 7, k=2, edges=()).fields(), None, options)
    assert signatures() == before
    # float32 and float64 positions give other roundings; all else is compiled once.
    twice = {name for name, n in before.items() if n > 1 and not name.endswith(".settle")}
    assert twice == set()

"""The rooms that run without a window import none of what makes one."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORBIDDEN = (
    "napari",
    "qtpy",
    "PyQt5",
    "PyQt6",
    "PySide6",
    "magicgui",
    "superqt",
    "napari_fashion.app",
)


@pytest.mark.parametrize(
    ("module", "beside"),
    [
        ("napari_fashion.schema", ("torch", "numba")),
        ("napari_fashion.coco", ("torch", "numba", "napari_fashion.engine")),
        ("napari_fashion.coco", ("napari_fashion.editing",)),
        ("napari_fashion.editing.opening", ("torch", "numba")),
        ("napari_fashion.editing.predictions", ("torch", "numba")),
        ("napari_fashion.datasets.photos", ("torch", "numba", "napari_fashion.engine")),
        ("napari_fashion.datasets.procedural", ("torch", "numba", "napari_fashion.engine")),
        ("napari_fashion.datasets.opening", ("torch", "numba", "scipy", "napari_fashion.engine")),
        ("napari_fashion.engine.data.reading", ("torch", "numba")),
        ("napari_fashion.engine.data.sampling", ("torch", "numba")),
        ("napari_fashion.engine.data.split", ("torch", "numba")),
        ("napari_fashion.engine.evaluation.matching", ("torch", "numba")),
        ("napari_fashion.engine.evaluation.report", ("torch", "numba")),
        ("napari_fashion.engine.train.trainer", ()),
        ("napari_fashion.cli", ("torch", "numba")),
    ],
)
def test_a_room_imports_only_what_it_may(module, beside):
    code = (
        f"import sys, {module}\n"
        f"bad = [m for m in {FORBIDDEN + beside} if m in sys.modules]\n"
        "print(bad); sys.exit(bool(bad))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr

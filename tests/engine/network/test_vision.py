from __future__ import annotations

import subprocess
import sys

import pytest

WINDOW = """
import sys, threading
{before}
import napari
from qtpy.QtWidgets import QApplication

viewer = napari.Viewer(show=True)
for _ in range(20):
    QApplication.processEvents()
def work():
    {work}
    from napari_fashion.engine.model import Model
    Model.load("bundled", "cpu")
{call}
import torch
assert torch.nn.Conv2d(3, 3, 3)(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 6, 6)
assert "triton" not in sys.modules
for _ in range(20):
    QApplication.processEvents()
viewer.close()
print("alive")
"""
THREAD = "thread = threading.Thread(target=work); thread.start(); thread.join()"


@pytest.mark.window
@pytest.mark.parametrize(
    ("before", "work", "call"),
    [
        ("", "pass", "work()"),
        ("", "pass", THREAD),
        # What needs no torch was there before the window.
        (
            "import napari_fashion.images.transforms",
            "import napari_fashion.engine.losses.total",
            "work()",
        ),
        ("import torch", "import napari_fashion.engine.train.trainer", "work()"),
        (
            "",
            "from napari_fashion.engine.network.vision import import_library as f; f('torchvision')",
            "work()",
        ),
    ],
    ids=["script", "thread", "images first", "torch first", "backbones"],
)
def test_a_model_is_loaded_in_a_process_that_draws(before, work, call) -> None:
    code = WINDOW.format(before=before, work=work, call=call)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "alive" in done.stdout


def test_without_a_window_triton_is_found_as_ever() -> None:
    code = (
        "import sys, importlib.util\n"
        "from napari_fashion.engine.network.vision import import_library\n"
        "import_library('torchvision')\n"
        "known = importlib.util.find_spec('triton') is not None\n"
        "assert 'PyQt5' not in sys.modules\n"
        "assert ('triton' in sys.modules) == known, sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import threading
import napari
from qtpy.QtWidgets import QApplication
from napari_fashion.app.torch_import import import_torch

viewer = napari.Viewer(show=True)
for _ in range(20):
    QApplication.processEvents()
thread = threading.Thread(target=import_torch)
thread.start()
thread.join()
import torch
from napari_fashion.engine.model import Model
assert torch.nn.Conv2d(3, 3, 3)(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 6, 6)
for _ in range(20):
    QApplication.processEvents()
viewer.close()
print("alive")
"""


@pytest.mark.window
def test_torch_comes_into_a_process_that_draws() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "alive" in done.stdout

"""torchvision, imported so that it does no harm to a process that draws with OpenGL.

Triton's library and Mesa's software and AMD drivers each bring an LLVM of their own; loading
triton after a window has begun to draw ends the process with a segmentation fault (torch 2.14,
triton 3.8, Mesa with LLVM). torchvision looks for triton when it is imported, and runs without it.
Nothing in a window compiles kernels, so where a window may be, triton is not found. Elsewhere, as in
training, which has its own process, nothing is changed.

Everything of the engine that builds a network gets torchvision from here. torch alone does not look for
triton.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_WINDOWS = ("PyQt5", "PyQt6", "PySide2", "PySide6", "OpenGL", "vispy", "glfw", "pyglet", "tkinter")


def _import_torchvision() -> ModuleType:
    found = sys.modules
    safe = "triton" in found or "torchvision" in found
    if safe or not any(name in found for name in _WINDOWS):
        return importlib.import_module("torchvision")
    found["triton"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        module = importlib.import_module("torchvision")
        importlib.import_module("torch.utils._triton").has_triton_package()  # remembers the answer
    finally:
        del found["triton"]
    return module


torchvision = _import_torchvision()
"""The module; nothing of the engine imports it in another way."""

"""torchvision and timm, imported so that they do no harm to a process that draws with OpenGL.

Triton's library and Mesa's software and AMD drivers each bring an LLVM of their own; loading
triton after a window has begun to draw ends the process with a segmentation fault (torch 2.14,
triton 3.8, Mesa with LLVM). torchvision looks for triton when it is imported, and runs without it;
timm imports torchvision. Nothing in a window compiles kernels, so where a window may be, triton is not
found. Elsewhere, as in training, which has its own process, nothing is changed.

Everything of the engine that builds a network gets these libraries from here. torch alone does not look
for triton.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType

_WINDOWS = ("PyQt5", "PyQt6", "PySide2", "PySide6", "OpenGL", "vispy", "glfw", "pyglet", "tkinter")


def may_load_triton() -> bool:
    """Whether triton is loaded already, or this process has nothing that draws."""
    return "triton" in sys.modules or not any(window in sys.modules for window in _WINDOWS)


@cache
def import_library(name: str) -> ModuleType:
    """Import ``torchvision`` or ``timm``; nothing of the engine imports them in another way.

    Raises
    ------
    ImportError
        If the library is not installed.
    """
    loaded = sys.modules
    if name in loaded or may_load_triton():
        return importlib.import_module(name)
    loaded["triton"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        module = importlib.import_module(name)
        importlib.import_module("torch.utils._triton").has_triton_package()  # remembers the answer
    finally:
        del loaded["triton"]
    return module

"""Importing torch into a process that draws with OpenGL.

Triton's library and Mesa's software and AMD drivers each bring an LLVM of their own; loading
triton after the window has begun to draw ends the process with a segmentation fault (torch 2.14,
triton 3.8, Mesa with LLVM). torchvision looks for triton when it is imported, and runs without it.
Nothing in the window compiles kernels, so there it is not found. Training has its own process and
is not affected.
"""

from __future__ import annotations

import importlib
import sys


def import_torch() -> None:
    """Import torch and torchvision without triton, unless it is there already."""
    if "triton" in sys.modules or "torchvision" in sys.modules:
        importlib.import_module("torchvision")
        return
    sys.modules["triton"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        importlib.import_module("torchvision")
        importlib.import_module("torch.utils._triton").has_triton_package()  # remembers the answer
    finally:
        del sys.modules["triton"]

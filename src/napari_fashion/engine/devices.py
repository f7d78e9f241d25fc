"""The devices that torch finds, by name; importing this imports no torch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from napari_fashion.documents import shown
from napari_fashion.engine.distributed import processes
from napari_fashion.errors import CheckpointError

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)


def devices() -> list[str]:
    """Return the names of the devices that torch finds on this machine, the CPU first."""
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        found += ["xpu", *(f"xpu:{i}" for i in range(torch.xpu.device_count()))]
    return found


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; ``"auto"`` is the GPU if there is one.

    With several processes, ``"auto"`` and ``"cuda"`` are a GPU of its own for each.

    Raises
    ------
    CheckpointError
        If the device asked for is not here; the message lists those that are.
    ProcessError
        If several processes would use one GPU.
    """
    import torch

    name = processes().own_device(name, torch.cuda.device_count())
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    here = devices()
    if name not in here:
        raise CheckpointError(
            f"Device {shown(name, 30)} is not on this machine; expected auto, or one of those that "
            f"are: {', '.join(here)}."
        )
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointError(
            f"Device {name!r} cannot be used here ({str(error).splitlines()[0][:200]}); expected "
            f"auto, or one of: {', '.join(here)}."
        ) from error
    _log.info("device %s", device)
    return device

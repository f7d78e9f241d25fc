"""Several processes that run one command, as `torchrun` starts them.

Each process runs the same code on its share of the work; what is decided together is reduced over
all of them. A process that was not started by `torchrun` is a group of one, for which nothing here
imports torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from napari_fashion.documents import shown
from napari_fashion.errors import ProcessError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")

TIMEOUT = timedelta(minutes=30)
"""Longest wait for another process: decoding and saving differ between processes, by minutes."""

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class Launch:
    """How `torchrun` started this process.

    Attributes
    ----------
    rank, size
        Number of this process, from 0, and how many there are.
    local_rank, local_size
        The same, of the processes on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Launch:
        """Read the variables that `torchrun` sets; one process where there are none.

        Raises
        ------
        ProcessError
            If there are some, but not all, or they contradict each other.
        """
        if "WORLD_SIZE" not in environment or "RANK" not in environment:
            return cls()
        found = {name: environment.get(name, "") for name in _VARIABLES}
        values = [
            int(text) if text.isdecimal() and len(text) < 9 else -1 for text in found.values()
        ]
        launch = cls(*values)
        if not (0 <= launch.rank < launch.size and 0 <= launch.local_rank < launch.local_size):
            told = ", ".join(f"{name}={shown(text, 20)}" for name, text in found.items())
            raise ProcessError(
                f"The environment has {told}; expected the numbers of a process that torchrun started. "
                "Start the processes by torchrun, or unset RANK and WORLD_SIZE."
            )
        return launch


class Processes:
    """The processes of one command, as seen from one of them.

    Every method except `share` has to be called by all processes, in the same order.

    Parameters
    ----------
    launch
        Which process this is.

    Attributes
    ----------
    rank, size
        Number of this process, from 0, and how many there are.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.rank, self.size = launch.rank, launch.size

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and reports."""
        return self.rank == 0

    def share(self, n: int) -> range:
        """Return which of `n` consecutive things are this process's: a contiguous part."""
        return range(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.sum_numbers([0.0])

    def sum_numbers(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes, of as many numbers in each."""
        return self._reduce_numbers(values, "SUM")

    def largest(self, value: int) -> int:
        """Return the largest of all processes' whole numbers; of truth values, whether any is true."""
        return int(self._reduce_numbers([value], "MAX")[0])

    def _reduce_numbers(self, values: Sequence[float], how: str) -> list[float]:
        if self.size == 1:
            return [float(value) for value in values]
        import torch
        from torch import distributed

        numbers = torch.tensor(list(values), dtype=torch.float64)
        with _together():
            distributed.all_reduce(numbers, getattr(distributed.ReduceOp, how))
        return [float(value) for value in numbers.tolist()]

    def gather(self, value: T) -> list[T]:
        """Return every process's value, in the order of their numbers."""
        if self.size == 1:
            return [value]
        from torch import distributed

        values: list[Any] = [None] * self.size
        with _together():
            distributed.all_gather_object(values, value)
        return values

    def from_first(self, make: Callable[[], T]) -> T:
        """Call a function in the first process only; return its result in all of them."""
        if self.size == 1:
            return make()
        from torch import distributed

        values: list[Any] = [make() if self.first else None]
        with _together():
            distributed.broadcast_object_list(values, 0)
        return values[0]  # type: ignore[no-any-return]

    # -- tensors ---------------------------------------------------------------------------

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over all processes.

        A parameter without a gradient in some processes has 0 there; without one in all of them it
        has none.
        """
        if self.size == 1:
            return
        import torch

        learned = [p for p in parameters if p.requires_grad]
        there = torch.tensor([float(p.grad is not None) for p in learned], device=learned[0].device)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in learned]
        sums = self._sum([*parts, there])
        with_gradient = sums.pop().tolist()
        for parameter, total, count in zip(learned, sums, with_gradient, strict=True):
            if parameter.grad is not None:
                parameter.grad.copy_(total)
            elif count:
                parameter.grad = total.clone()

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of floating point by their means over all processes."""
        if self.size == 1 or not tensors:
            return
        for tensor, total in zip(tensors, self._sum(tensors), strict=True):
            tensor.copy_(total / self.size)

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of the first process."""
        if self.size == 1:
            return
        from torch import distributed

        for tensor in tensors:
            with _together():
                distributed.broadcast(tensor, 0)

    def _sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the sums over all processes, by one reduction."""
        import torch
        from torch import distributed

        flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
        with _together():
            distributed.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    # -- devices ---------------------------------------------------------------------------

    def own_device(self, name: str, gpus: int) -> str:
        """Return which of the machine's `gpus` this process has where `name` leaves it open.

        Raises
        ------
        ProcessError
            If there are fewer GPUs than processes, or all of them are given the same one.
        """
        if self.size == 1 or name == "cpu" or not gpus:
            return name
        local = self.launch.local_size
        if name not in ("auto", "cuda"):
            if local == 1:
                return name
            raise ProcessError(
                f"Device {shown(name, 30)} is one, and {local} processes on this machine would use it; "
                "expected auto, cuda or cpu."
            )
        if local > gpus:
            raise ProcessError(
                f"{local} processes on this machine, which has {gpus} GPUs; expected at most one process "
                "for each. Give torchrun a smaller --nproc-per-node, or use --device cpu."
            )
        return f"cuda:{self.launch.local_rank}"


@contextmanager
def _together() -> Iterator[None]:
    """Turn what torch raises when another process is gone into a sentence."""
    try:
        yield
    except RuntimeError as error:
        if (told := _first_failure()) is not None:
            raise ProcessError(f"Another process failed: {told}") from error
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ProcessError(
            f"Another process ended, or does not answer ({reason}). It was killed, or its machine "
            "cannot be reached; torchrun reports its status."
        ) from error


_current = Processes(Launch())
_store: Any = None


def processes() -> Processes:
    """Return the processes of this command; a group of one outside `joined`."""
    return _current


def is_first_to_fail(text: str) -> bool:
    """Report to the other processes that this one fails; return whether none did before.

    Parameters
    ----------
    text
        Why, in a sentence; the others are told if this process is the first.
    """
    if _store is None:  # not joined yet
        return True
    try:
        first = int(_store.add("failed", 1)) == 1
        if first:
            _store.set("failure", text)
    except RuntimeError:  # the process that keeps the count is gone
        return False
    return first


def _first_failure() -> str | None:
    """Return why the first process failed, if one did and told so."""
    try:
        if _store is not None and _store.check(["failure"]):
            return str(_store.get("failure").decode())
    except RuntimeError:
        pass
    return None


@contextmanager
def joined(launch: Launch, *, gpu: bool) -> Iterator[Processes]:
    """Join the other processes for as long as the context lasts.

    Parameters
    ----------
    launch
        Which process this is.
    gpu
        Whether tensors on GPUs are to be reduced as well (NCCL); those on the CPU always are (gloo).

    Raises
    ------
    ProcessError
        If the others cannot be reached.
    """
    global _current, _store
    if launch.size == 1:
        yield _current
        return
    import torch
    from torch import distributed

    if not distributed.is_available():
        raise ProcessError("This torch cannot join processes; expected one with torch.distributed.")
    nccl = gpu and torch.cuda.is_available() and distributed.is_nccl_available()
    if nccl and launch.local_rank < torch.cuda.device_count():
        torch.cuda.set_device(launch.local_rank)  # else all would take memory of the first
    with _together():
        store, _, _ = next(distributed.rendezvous("env://", timeout=TIMEOUT))
        _store = distributed.PrefixStore("napari_fashion", store)
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if nccl else "gloo",
            store=distributed.PrefixStore("group", _store),
            rank=launch.rank,
            world_size=launch.size,
            timeout=TIMEOUT,
        )
    _current = Processes(launch)
    try:
        yield _current
        distributed.destroy_process_group()  # not after an error: others may be in a reduction
    finally:
        _current = Processes(Launch())


def convert_norms(network: nn.Module, device: torch.device) -> None:
    """Let a network's batch norms see the images of all processes, where that is possible.

    On GPUs they become `SyncBatchNorm`, with the same parameters and buffers. On the CPU every
    process normalises by its own images, and the running statistics are averaged
    (`norm_statistics`).
    """
    if _current.size == 1 or device.type != "cuda":
        return
    from torch import nn

    nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]


def norm_statistics(network: nn.Module) -> list[Tensor]:
    """Return the running means and variances of the batch norms that learn from batches."""
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm

    return [
        statistic
        for module in network.modules()
        if isinstance(module, _BatchNorm)
        and not isinstance(module, nn.SyncBatchNorm)
        and module.training
        for statistic in (module.running_mean, module.running_var)
        if statistic is not None
    ]

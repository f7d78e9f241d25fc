"""Real processes that `torchrun` starts, for tests of what several of them do together.

Run as a script, by `torchrun`, it calls one of the functions below in every process, and writes what
the first one returns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
SRC = TESTS.parent / "src"
Tensors = dict[str, Any]


def torchrun(
    n: int, *command: str, monitor_interval: float = 0.1, **more: Any
) -> subprocess.Popen[str]:
    """Start `n` processes of a command of ours, such as ``train``, or of a script.

    Every `monitor_interval` seconds torchrun looks whether one failed, and ends the others then.
    """
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    program += ["--monitor-interval", str(monitor_interval), "--nproc-per-node"]
    ours = () if command[0].endswith(".py") else ("-m",)
    name = () if ours == () else ("napari_fashion",)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{SRC}{os.pathsep}{TESTS}"}
    return subprocess.Popen(
        [*program, str(n), *ours, "--", *name, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **more,
    )


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for processes; return their launcher's status, standard output and standard error."""
    with process:
        out, err = process.communicate()
    return process.returncode, out, err


def in_processes(n: int, function: Callable[..., Tensors], folder: Path, *given: Any) -> Tensors:
    """Return what a function of this module returns, called in `n` processes (1: in this one)."""
    from safetensors.torch import load_file

    if n == 1:
        return function(*given)
    path = folder / f"{function.__name__}.safetensors"
    process = torchrun(n, str(Path(__file__)), function.__name__, str(path), json.dumps(given))
    status, _, err = done(process)
    assert status == 0, err
    return load_file(path)


# -- what they do ----------------------------------------------------------------------------


def gradients_of_a_batch(recipe: dict[str, Any], run: str) -> Tensors:
    """Return the gradients and the loss of the first batch, and how its images were augmented."""
    import torch

    from napari_fashion.engine.distributed import processes
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.engine.train.trainer import Trainer

    trainer = Trainer(
        Recipe.from_dict(recipe), Path(run), resume=False, device="cpu", emit=lambda e: None
    )
    trainer.updater.begin_epoch()
    compute = trainer.updater._compute_losses
    [batch] = next(trainer.batches.of_epoch(0, 0))
    prepared = compute.prepare(batch, 0.0)
    losses = compute.losses(prepared, compute.normalisers([prepared]))
    torch.stack(list(losses.values())).sum().backward()
    processes().sum_gradients(trainer.network.parameters())
    loss = processes().sum_numbers([float(value) for value in losses.values()])
    inputs = processes().gather(prepared.inputs.contiguous())
    named = trainer.network.named_parameters()
    return {
        **{name: p.grad for name, p in named if p.grad is not None},
        "loss": torch.tensor(loss),
        "inputs": torch.cat(inputs),
        "parts": torch.tensor([len(part) for part in inputs]),
    }


def train_a_run(recipe: dict[str, Any], run: str) -> Tensors:
    """Train; return how far the weights of the processes are apart in the end."""
    import torch

    from napari_fashion.engine.distributed import processes
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.engine.train.trainer import Trainer

    events: list[Any] = []
    trainer = Trainer(
        Recipe.from_dict(recipe), Path(run), resume=False, device="cpu", emit=events.append
    )
    trainer.run(lambda: False)
    heard = processes().gather(len(events))
    assert heard[0] > 0
    assert not any(heard[1:])
    state = torch.cat([v.flatten().float() for v in trainer.network.state_dict().values()])
    apart = max(float((other - state).abs().max()) for other in processes().gather(state))
    return {"apart": torch.tensor(apart)}


def reduce_things() -> Tensors:
    """Call every method of `Processes`, and check what it returns."""
    import torch
    from torch import nn

    from napari_fashion.engine.distributed import processes

    here = processes()
    rank, size = here.rank, here.size
    assert here.sum_numbers([1.0, float(rank)]) == [size, sum(range(size))]
    assert here.largest(rank) == size - 1
    assert here.gather(f"rank {rank}") == [f"rank {i}" for i in range(size)]
    assert here.from_first(lambda: rank + 5) == 5
    parameters = [nn.Parameter(torch.ones(2, 3)) for _ in range(4)]
    frozen = nn.Parameter(torch.ones(1), requires_grad=False)
    parameters[0].grad = torch.full((2, 3), float(rank + 1))
    if rank == 0:
        parameters[1].grad = torch.full((2, 3), 7.0)
    parameters[2].grad = torch.full((2, 3), float("inf") if rank else 1.0)
    here.sum_gradients([*parameters, frozen])
    assert parameters[0].grad.unique().tolist() == [sum(range(1, size + 1))]
    assert parameters[1].grad.unique().tolist() == [7.0]  # in all of them
    assert torch.isinf(parameters[2].grad).all()  # found by all alike
    assert parameters[3].grad is None
    own = torch.full((3,), float(rank))
    here.average([own])
    assert own.unique().tolist() == [(size - 1) / 2]
    whole = torch.tensor([rank])
    here.copy_from_first([whole])
    assert whole.tolist() == [0]
    return {"size": torch.tensor(size)}


def fail_in_the_second(arguments: Sequence[str]) -> Tensors:
    """Run a command whose second process cannot decode images."""
    from napari_fashion.cli import main
    from napari_fashion.engine.data.loader import CanvasDataset
    from napari_fashion.errors import FashionError

    def broken(self: CanvasDataset, index: int) -> None:
        raise FashionError(f"the disk of image {index} is gone.")

    if os.environ["RANK"] == "1":
        CanvasDataset._small = broken  # type: ignore[method-assign,assignment]
    sys.exit(main(arguments))


def _as_a_script() -> None:
    from safetensors.torch import save_file

    from napari_fashion.engine.distributed import Launch, joined

    name, path, given = sys.argv[1:]
    function = globals()[name]
    if function is fail_in_the_second:  # it joins by itself
        function(*json.loads(given))
    with joined(Launch.of_environment(), gpu=False) as together:
        found = function(*json.loads(given))
        if together.first:
            save_file({k: v.detach().contiguous() for k, v in found.items()}, path)


if __name__ == "__main__":
    _as_a_script()

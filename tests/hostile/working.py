"""Processes that try inputs out, so that none can take the machine or the tests with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hostile import using
from hostile.catalogue import ENTRIES, all_entries


def serve(connection: Connection, folder: str, model: str) -> None:
    """Try out the inputs whose names come in, until None comes."""
    import torch

    torch.set_num_threads(1)
    os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
    os.environ["OMP_NUM_THREADS"] = "1"
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    all_entries()
    from napari_fashion.engine.model import Model

    load = Model.load
    shared = load(model, "cpu")

    def share(
        source: str = "bundled", device: str = "auto", runtime: str = "auto", **options: Any
    ) -> Model:
        own = str(source) == model and device in ("auto", "cpu") and runtime == "auto"
        return shared if own else load(source, device, runtime, **options)

    Model.load = share  # type: ignore[method-assign]
    import napari_fashion.app.viewer.overlay_data  # noqa: F401

    with open("/proc/self/statm") as stream:
        size = int(stream.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + using.ROOM, size + using.ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (name := connection.recv()) is not None:
        place = Path(folder) / f"{list(ENTRIES).index(name):03d}" / "in"
        try:
            shutil.rmtree(place.parent, ignore_errors=True)
            place.mkdir(parents=True)
            use = ENTRIES[name].make(place)
            connection.send(using.try_out(use, place, Path(model)))
        except BaseException:
            connection.send([traceback.format_exc()[-3000:]])
        finally:
            shutil.rmtree(place.parent, ignore_errors=True)


class Worker:
    """A process that tries inputs out; a new one where one came to an end."""

    def __init__(self, folder: Path, model: Path) -> None:
        self._folder, self._model = folder, model
        folder.mkdir(parents=True, exist_ok=True)
        self._process: multiprocessing.process.BaseProcess | None = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, str(self._folder), str(self._model))
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def try_out(self, name: str) -> list[str]:
        """Try an input out; return what is wrong."""
        if self._process is None:
            self._start()
        try:
            self._connection.send(name)
            if self._connection.poll(2 * using.SECONDS):
                found: list[str] = self._connection.recv()
                return found
            wrong = "a hang"
        except (EOFError, OSError):
            wrong = "the process ended"
        self.end(kill=True)
        return [wrong]

    def end(self, *, kill: bool = False) -> None:
        """Let the process end."""
        if self._process is None:
            return
        with contextlib.suppress(OSError):
            self._connection.send(None)
        if kill:
            self._process.kill()
        self._process.join(10)
        self._process = None


def tiny_model(folder: Path) -> Path:
    """Write a model that knows nothing; return its path."""
    import torch

    from napari_fashion.engine.inference.options import InferenceOptions
    from napari_fashion.engine.model import Model, ModelInfo
    from napari_fashion.engine.network.config import NetworkConfig
    from napari_fashion.schema import Schema

    torch.manual_seed(0)
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="sum", width=8, blocks=0, upsample=1)
    info = ModelInfo(
        name="tiny",
        inference=InferenceOptions(input_size=64, flip_tta=False, crop_aspect=1.0, refinement=None),
    )
    made = Model.create(config, Schema.load("garments"), info, torch.device("cpu"))
    return made.save(folder / "m")


if (
    __name__ == "__main__"
):  # one or more by hand: PYTHONPATH=src:tests python -m hostile.working NAME ...
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        names = [e.name for e in all_entries() if any(a in e.name for a in sys.argv[1:])]
        one = Worker(Path(temporary) / "w", tiny_model(Path(temporary)))
        for name in names:
            for line in one.try_out(name) or ["right"]:
                print(f"{name}: {line}")
        one.end()

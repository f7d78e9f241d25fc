"""Training that is killed at every file-system call, at random moments, and on a full disk.

A run of a tiny network on drawn garments, with a checkpoint after every step, is made once undisturbed.
Then it is made again by forked processes of `napari-fashion train`, one at a time: each is killed at a
file-system call (a write is torn) or at a random moment, or has no room on its disk from a call on. After
each the folder must hold nothing damaged; then the run goes on as a person would let it go on, is perhaps
killed again, and must come to the very same weights. Run
``python tests/torture/training_kills.py --kills all --full-disk all --moments 200``.
"""

from __future__ import annotations

import argparse
import builtins
import errno
import io
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

MOST_KILLS = 4
"""Number of times that one run is killed at most."""


class Faults:
    """Counts the calls of this process that change files under a folder, and disturbs one of them.

    Parameters
    ----------
    folder
        Other files are left alone.
    at
        Number of the call, 0-based; None for none.
    full
        From that call on nothing can be made or written, instead of the process being killed at it.
    torn
        Share of the bytes that a write which is disturbed has written before.
    """

    def __init__(
        self, folder: Path, at: int | None = None, *, full: bool = False, torn: float = 0.5
    ):
        self.folder, self.at, self.full, self.torn = str(folder.resolve()), at, full, torn
        self.calls: list[str] = []

    def call(self, what: str, path: object, *, needs_room: bool) -> None:
        """Count a call, and disturb it if it is its turn."""
        if self._is_due(what, path, needs_room):
            self._disturb()

    def write(self, raw: _Raw, data: Any, do: Callable[[Any], Any]) -> Any:
        """Write through `do`, in part if it is the turn of this call."""
        if self._is_due("write", raw.name, needs_room=True):
            view = memoryview(data).cast("B")
            do(view[: int(len(view) * self.torn)])
            self._disturb()
        return do(data)

    def _is_due(self, what: str, path: object, needs_room: bool) -> bool:
        if not (isinstance(path, int) or os.path.abspath(str(path)).startswith(self.folder)):
            return False
        number = len(self.calls)
        self.calls.append(what)
        if self.at is None:
            return False
        return number >= self.at and needs_room if self.full else number == self.at

    def _disturb(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # until it arrives

    def install(self) -> None:
        """Take the place of the system's calls in this process, for good."""
        makes_room = {"unlink", "remove", "rmdir", "replace", "rename"}
        for name in ("unlink", "remove", "rmdir", "replace", "rename", "mkdir", "link", "fsync"):
            setattr(os, name, self._counted(name, getattr(os, name), name not in makes_room))
        plain_open = os.open

        def counted_open(path: Any, flags: int, *rest: Any, **options: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR):
                self.call("open", path, needs_room=bool(flags & os.O_CREAT))
            return plain_open(path, flags, *rest, **options)

        os.open = counted_open
        plain = io.open

        def counted_file(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if not set(mode) & set("wxa+") or isinstance(file, int):
                return plain(file, mode, *rest, **options)
            if options.get("opener") is None:
                self.call("open", file, needs_room=True)
            kind = mode.replace("b", "").replace("t", "")
            raw = _Raw(self, file, kind, opener=options.get("opener"))
            buffered: Any = (io.BufferedRandom if "+" in kind else io.BufferedWriter)(raw, 1 << 20)
            if "b" in mode:
                return buffered
            return io.TextIOWrapper(buffered, encoding=options.get("encoding") or "utf-8")

        builtins.open = io.open = counted_file  # type: ignore[assignment]

    def _counted(
        self, name: str, plain: Callable[..., Any], needs_room: bool
    ) -> Callable[..., Any]:
        def counted(path: Any, *rest: Any, **options: Any) -> Any:
            self.call(name, path, needs_room=needs_room)
            return plain(path, *rest, **options)

        return counted


class _Raw(io.FileIO):
    """A file whose writes are counted."""

    def __init__(self, faults: Faults, file: Any, mode: str, opener: Any) -> None:
        super().__init__(file, mode, opener=opener)
        self._faults = faults

    def write(self, data: Any, /) -> Any:
        return self._faults.write(self, data, super().write)

    def truncate(self, size: int | None = None, /) -> int:
        self._faults.call("truncate", self.name, needs_room=False)
        return super().truncate(size)


class Scenario:
    """A recipe, and what its undisturbed run made."""

    def __init__(self, folder: Path) -> None:
        from drawn import draw_dataset, split_file, tiny_recipe, write_recipe

        self.folder = folder
        data, held_out = split_file(draw_dataset(folder / "data", 12, size=(48, 48)), 8)
        recipe = tiny_recipe(
            data,
            inference={
                "input_size": 32,
                "flip_tta": False,
                "crop_aspect": 1.0,
                "refinement": False,
            },
            data={"validation": [{"file": str(held_out)}], "canvas": 32},
            network={"dropout": 0.2},
            schedule={"epochs": 2, "batch": 4},
            checkpoints={"minutes": 1e-9, "keep_every": 1},
        )
        self.recipe = write_recipe(folder / "recipe.toml", recipe)
        warm_up = folder / "warm-up"
        status = self.main(["train", str(self.recipe), "--run", str(warm_up)])  # imports, compiles
        assert status == 0, self.errors.read_text()
        shutil.rmtree(warm_up)
        self.run = folder / "undisturbed"
        began = time.monotonic()
        calls = self.attempt(self.run, Faults(self.run))
        self.seconds = time.monotonic() - began
        assert calls is not None, self.errors.read_text()
        self.calls = calls
        self.run.rename(folder / "reference")
        self.reference = result_of(folder / "reference")
        # Files in which paths are kept are compared too: every disturbed run lies in the same place.

    @property
    def errors(self) -> Path:
        """What the latest process printed on standard error."""
        return self.folder / "stderr.txt"

    def main(self, arguments: list[str]) -> int:
        """Run the command line in this process; return the exit status."""
        from napari_fashion.cli import main

        saved = [os.dup(1), os.dup(2)]
        null = os.open(os.devnull, os.O_WRONLY)
        errors = os.open(self.errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(null, 1)
        os.dup2(errors, 2)
        try:
            return main([*arguments, "--device", "cpu", "--threads", "1", "--events", "jsonl"])
        finally:
            for number, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            os.close(null)
            os.close(errors)

    def arguments(self, run: Path, rng: random.Random | None = None) -> list[str]:
        """Return what a person would type to begin a run, or to go on with it."""
        resumable = (run / "recipe.json").exists()
        if any((run / "checkpoints").glob("step-*.safetensors")):
            again = False
        else:  # both do the same
            again = not resumable or rng is None or rng.random() < 0.5
        return ["train", *([str(self.recipe)] if again else ["--resume"]), "--run", str(run)]

    def attempt(
        self,
        run: Path,
        faults: Faults,
        rng: random.Random | None = None,
        *,
        kill_after: float | None = None,
        expected: int = 0,
    ) -> list[str] | None:
        """Begin a run or go on with it in a process of its own.

        Returns
        -------
        The calls that it made; None if it was killed.
        """
        arguments = self.arguments(run, rng)
        calls = self.folder / "calls.json"
        sys.stdout.flush()
        process = os.fork()
        if process == 0:
            status = 99
            try:
                plain = builtins.open
                faults.install()
                status = self.main(arguments)
                with plain(calls, "w") as stream:
                    json.dump(faults.calls, stream)
            finally:
                os._exit(status)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, os.WTERMSIG(status)
            return None
        found = os.WEXITSTATUS(status)
        assert found == expected, (
            f"{arguments} ended with {found}: {self.errors.read_text()[-2000:]}"
        )
        made: list[str] = json.loads(calls.read_text())
        return made

    def finish(self, run: Path, rng: random.Random) -> None:
        """Go on with a run until it is done, killed again at times; compare what it made."""
        for _ in range(rng.choice([0, 0, 1, MOST_KILLS - 1])):
            faults = Faults(run, rng.randrange(len(self.calls)), torn=rng.random())
            if self.attempt(run, faults, rng) is not None:
                break
            check_folder(run)
        else:
            self.attempt(run, Faults(run), rng)
        assert result_of(run) == self.reference
        shutil.rmtree(run)

    def kill_at(self, number: int, rng: random.Random) -> str:
        """Kill a run at a call, and let it go on."""
        killed = self.attempt(self.run, Faults(self.run, number, torn=rng.random()), rng)
        assert killed is None, f"there was no call {number}"
        check_folder(self.run)
        self.finish(self.run, rng)
        return self.calls[number]

    def kill_after(self, seconds: float, rng: random.Random) -> str:
        """Kill a run at a moment, and let it go on."""
        if self.attempt(self.run, Faults(self.run), rng, kill_after=seconds) is not None:
            shutil.rmtree(self.run)
            return "after its end"
        found = stage_of(self.run)
        check_folder(self.run)
        self.finish(self.run, rng)
        return found

    def fill_at(self, number: int, rng: random.Random) -> str:
        """Let a disk be full from a call on, then make room and let the run go on."""
        before = Faults(self.run, number, full=True, torn=rng.random())
        self.attempt(self.run, before, rng, expected=1)
        said = self.errors.read_text()
        assert "No space left on device" in said, said
        assert "Traceback" not in said, said
        check_folder(self.run, leftovers=False)
        self.finish(self.run, rng)
        return self.calls[number]

    def numbers_that_need_room(self) -> list[int]:
        """Return the calls at or after which a full disk is noticed: up to the last write."""
        needs = ("mkdir", "open", "write")
        last = max(i for i, call in enumerate(self.calls) if call == "write")
        return [i for i, call in enumerate(self.calls[: last + 1]) if call in needs]


def stage_of(run: Path) -> str:
    """Say how far a run had come."""
    n = len(list((run / "checkpoints").glob("step-*.safetensors")))
    if n:
        return "with checkpoints"
    return "before the first checkpoint" if (run / "recipe.json").exists() else "before it began"


def check_folder(run: Path, *, leftovers: bool = True) -> None:
    """Check that nothing in the folder of an ended run is damaged."""
    from napari_fashion.engine.model_file import read_model_file
    from napari_fashion.engine.train.checkpoint import read_checkpoint
    from napari_fashion.engine.train.runs import is_running, read_run_json
    from napari_fashion.engine.weights import read_weights
    from napari_fashion.errors import CheckpointError

    assert not is_running(run)
    for path in (run / "checkpoints").glob("step-*"):
        read_checkpoint(path, lambda shapes: None)
    for name in ("recipe.json", "split.json", "model.json"):
        if (run / name).exists():
            read_run_json(run / name)
    if (run / "model.safetensors").exists():
        said = ""
        try:
            file = read_model_file(run)
            file.check_digest(read_weights(file.weights).sha256)
        except CheckpointError as error:
            said = str(error)
        assert not said or "--resume" in said, said
    if not leftovers:
        assert not list(run.rglob(".fashion-*"))


def result_of(run: Path) -> dict[str, Any]:
    """Return what a finished run made, as far as it does not tell when and how fast."""
    from napari_fashion.engine.train.checkpoint import read_checkpoint
    from napari_fashion.engine.train.events import DoneEvent, parse_event
    from napari_fashion.engine.train.runs import checkpoint_paths

    model = json.loads((run / "model.json").read_text())
    for key in ("seconds", "finished"):
        del model["history"][key]
    newest = read_checkpoint(checkpoint_paths(run)[0], lambda shapes: None)
    manifest = newest.manifest.model_dump(mode="json")
    del manifest["progress"]["seconds"]
    events = [parse_event(line) for line in (run / "events.jsonl").read_bytes().splitlines()]
    assert isinstance(events[-1], DoneEvent), events[-1]
    assert not list(run.rglob(".fashion-*")), list(run.rglob("*"))
    return {
        "weights": (run / "model.safetensors").read_bytes(),
        "model": model,
        "split": (run / "split.json").read_text(),
        "manifest": manifest,
        "tensors": {name: value.numpy().tobytes() for name, value in newest.tensors.items()},
        "files": sorted(str(path.relative_to(run)) for path in run.rglob("*")),
    }


def spread(numbers: list[int], count: int, rng: random.Random) -> list[int]:
    """Return `count` of the numbers, one at random of each of as many parts."""
    count = min(count, len(numbers))
    edges = [len(numbers) * i // max(count, 1) for i in range(count + 1)]
    return [rng.choice(numbers[a:b]) for a, b in itertools.pairwise(edges)]


def main() -> int:
    parser = argparse.ArgumentParser()
    count = lambda text: 1 << 30 if text == "all" else int(text)  # noqa: E731
    parser.add_argument("--kills", type=count, default=12, help="at calls: a number, or all")
    parser.add_argument(
        "--full-disk", type=count, default=6, help="from calls on: a number, or all"
    )
    parser.add_argument("--moments", type=int, default=4, help="number of kills at random moments")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="fashion-training-"))
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    scenario = Scenario(folder)
    print(
        f"{len(scenario.calls)} calls in an undisturbed run of {scenario.seconds:.1f} s", flush=True
    )
    rng = random.Random(options.seed)
    kills, full = spread(list(range(len(scenario.calls))), options.kills, rng), Counter[str]()
    plan: list[tuple[str, Callable[[], str]]] = []
    for n in kills:
        plan.append((f"killed at call {n}", lambda n=n: scenario.kill_at(n, random.Random(n))))
    for n in spread(scenario.numbers_that_need_room(), options.full_disk, rng):
        plan.append((f"disk full from call {n}", lambda n=n: scenario.fill_at(n, random.Random(n))))
    for i in range(options.moments):
        own = random.Random(1_000_003 * (options.seed + 1) + i)
        after = own.uniform(0, scenario.seconds)
        plan.append(
            (f"killed after {after:.2f} s", lambda a=after, o=own: scenario.kill_after(a, o))
        )
    for i, (name, disturb) in enumerate(plan):
        if i and i % 50 == 0:
            print(f"  {i} of {len(plan)}", flush=True)
        try:
            full[
                f"{name.split(' at ')[0].split(' from ')[0].split(' after ')[0]}: {disturb()}"
            ] += 1
        except AssertionError:
            print(f"{name}; the folder is {scenario.run}", flush=True)
            raise
    print(f"{len(plan)} disturbed runs came to the weights of the undisturbed one:")
    for how, number in sorted(full.items()):
        print(f"  {number:4d} {how}")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

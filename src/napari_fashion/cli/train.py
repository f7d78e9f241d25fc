"""Train a model as a recipe says.

The run's folder gets the model, checkpoints and the log. Ctrl+C saves and stops (again, or before
the first step: at once); --resume --run FOLDER goes on, and so it does after a kill.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fashion.cli import Terminated, inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import CheckpointError, FashionError

if TYPE_CHECKING:
    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.train.events import TrainEvent
    from napari_fashion.engine.train.recipe import Recipe

EXAMPLES = (
    "napari-fashion train recipe.toml --run runs/mine",
    "napari-fashion train --resume --run runs/mine --device cuda",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "recipe", type=parsing.path, nargs="?", help="TOML file (not with --resume)"
    )
    parser.add_argument(
        "--run", type=parsing.path, dest="folder", metavar="FOLDER",
        help="folder of the run (default: runs/NAME)",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run")
    parsing.add_threads(parser)
    parser.add_argument(
        "--seed", type=parsing.whole(0, 2**32 - 1, "a seed"), metavar="N",
        help="of all random choices (default: the recipe's)",
    )  # fmt: skip
    parser.add_argument(
        "--categories", type=parsing.path, metavar="MAP.toml",
        help="a map (TOML, [categories] with \"the model's\" = \"the file's\") of all sources' "
        "categories that the model lacks (default: as each source says)",
    )  # fmt: skip
    parsing.add_limits(parser)
    parsing.add_journal(parser)
    parser.add_argument(
        "--events", choices=["bar", "jsonl"], default="bar",
        help="a progress bar, or one JSON object a line on standard output",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Train; return the exit status."""
    recipe, folder = _recipe(options)
    inputs.set_threads(options.threads)
    inputs.set_limits(options.max_pixels)

    from napari_fashion.engine.train.chain import train
    from napari_fashion.engine.train.events import ErrorEvent, StepEvent
    from napari_fashion.schema import Schema

    if not options.resume:
        named = recipe.schema_name != "from-data"
        schema = Schema.load(recipe.schema_name) if named else None
        inputs.tell_problems_of([*recipe.data.train, *recipe.data.validation], schema)
    stop = _StopOnSignal()
    show = _JsonLines() if options.events == "jsonl" else _TrainingBar()

    def emit(event: TrainEvent) -> None:
        stop.has_begun |= isinstance(event, StepEvent)
        show(event)

    try:
        with stop:
            train(
                recipe,
                folder,
                resume=options.resume,
                device=options.device,
                emit=emit,
                should_stop=stop.after_step,
            )
    except Exception as error:
        show(ErrorEvent(message=f"{error}" or type(error).__name__))
        raise
    except KeyboardInterrupt:
        if not stop.has_begun:
            show(ErrorEvent(message="Stopped before the first step; nothing was learned."))
        raise
    finally:
        show.close()
    if stop.asked is None:
        return status.DONE
    terminal.warn(
        f"Stopped; what it learned is saved. Go on: napari-fashion train --resume --run {folder}"
    )
    return status.TERMINATED if stop.asked == signal.SIGTERM else status.INTERRUPTED


def _recipe(options: argparse.Namespace) -> tuple[Recipe, Path]:
    """Return the recipe and the run's folder, with what the options change."""
    from napari_fashion.coco import Dataset
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.engine.train.runs import (
        RUN_FILES,
        has_state,
        refuse_if_running,
        refuse_to_overwrite,
    )

    if options.resume:
        if options.folder is None:
            raise FashionError("--resume needs --run FOLDER, the run to go on with.")
        for given, what in (
            (options.recipe, "recipe"),
            (options.seed, "seed"),
            (options.allow_root or None, "folders of images"),
            (options.with_journal or None, "data"),
            (options.categories, "categories"),
        ):
            if given is not None:
                raise FashionError(f"--resume goes on with the run's own {what}; give no other.")
        return Recipe.load_json(options.folder / "recipe.json"), options.folder
    if options.recipe is None:
        raise FashionError("Give a recipe (a TOML file), or --resume --run FOLDER.")
    recipe = Recipe.load(options.recipe)
    folder = options.folder or Path("runs") / recipe.name
    outputs = Outputs([options.recipe], overwrite=True)
    for source in (*recipe.data.train, *recipe.data.validation):
        outputs.reads([source.file])
    for name in RUN_FILES:
        outputs.check(folder / name, "a file of the run")
    try:
        refuse_if_running(folder)
        refuse_to_overwrite(folder)
    except CheckpointError as error:
        go_on = f", or go on with that one: --resume --run {folder}" if has_state(folder) else ""
        raise FashionError(f"{error} Name another --run FOLDER{go_on}.") from error
    changes: dict[str, Any] = {} if options.seed is None else {"seed": options.seed}
    numbers = count(1)
    sources: dict[str, list[Source]] = {}
    for name in ("train", "validation"):
        sources[name] = []
        for source in getattr(recipe.data, name):
            copies = next(
                place for n in numbers if not os.path.lexists(place := folder / "data" / str(n))
            )
            file = inputs.use_journal(source.file, options.with_journal, copies)
            images = source.images
            if file != source.file and images is None:
                folder_of_copy = Dataset.load(file).image_folder
                if folder_of_copy.trusted:  # for when the run is gone on with
                    images = str(folder_of_copy.root.resolve())
            update: dict[str, Any] = {
                "file": file,
                "images": images,
                "allow_roots": [*source.allow_roots, *map(str, options.allow_root)],
            }
            if options.categories is not None:
                update["categories"] = str(options.categories)
            sources[name].append(source.model_copy(update=update))
    changes["data"] = recipe.data.model_copy(update=sources)
    return recipe.model_copy(update=changes), folder


class _StopOnSignal:
    """Turns the first SIGINT or SIGTERM after the first step into a wish to stop.

    A second one, and one before the first step, ends the process: there is nothing new to save.

    Attributes
    ----------
    asked
        The signal that came first; None if none came.
    has_begun
        Whether a step is done.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self.has_begun = False

    def after_step(self) -> bool:
        """Note that a step is done; return whether to stop."""
        self.has_begun = True
        return self.asked is not None

    def __enter__(self) -> _StopOnSignal:
        self._old = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.asked is not None or not self.has_begun:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        self.asked = number


class _JsonLines:
    """Events as JSON lines on standard output."""

    def __call__(self, event: TrainEvent) -> None:
        terminal.give_json(event.to_dict(), indent=None)

    def close(self) -> None:
        """Do nothing: every line is out already."""


class _TrainingBar:
    """Events as a progress bar and a line per epoch."""

    def __init__(self) -> None:
        self._context: Any = None
        self._bar: Any = None

    def __call__(self, event: TrainEvent) -> None:
        from napari_fashion.engine.train import events

        match event:
            case events.StartEvent():
                terminal.notify(
                    f"{event.train_images} images to train on, {event.val_images} to judge by; "
                    f"{event.epochs} epochs on {event.device}; {event.run}"
                )
                self.close()
                self._context = terminal.progress("training", event.steps)
                self._bar = self._context.__enter__()
                self._bar.update(event.step)
            case events.StepEvent():
                text = "step skipped"
                if event.loss is not None:
                    text = f"loss {event.loss:.3f}, {event.images_per_second:.0f}/s"
                self._bar.update(event.step, text=text)
            case events.EpochEvent():
                loss = "" if event.loss is None else f"loss {event.loss:.3f}"
                terminal.notify(f"epoch {event.epoch}: {loss}{_figures(event.val)}")
            case events.LeftOutEvent():
                first = f" ({event.first[0]})" if event.first else ""
                terminal.warn(f"{event.what}: {event.count:,}{first}")
            case events.NoticeEvent():
                (terminal.warn if event.level == "warning" else terminal.notify)(event.message)
            case events.DivergenceEvent():
                terminal.warn(f"divergence at step {event.step} in {event.head}: {event.loss}")
            case events.CompareEvent():
                terminal.notify(f"before:{_figures(event.old)}\nafter: {_figures(event.new)}")
            case events.DoneEvent() | events.StoppedEvent():
                self.close()
                terminal.notify(f"{event.kind}: {event.model}")

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._context is not None:
            self._context.__exit__(None, None, None)
            self._context = None


def _figures(metrics: Mapping[str, float | None] | None) -> str:
    if not metrics:
        return ""
    return ", ".join([""] + [f"{k} {v:.4f}" for k, v in metrics.items() if isinstance(v, float)])

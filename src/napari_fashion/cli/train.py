"""Train a model as a recipe says, or fine-tune one on a COCO file.

A COCO file in place of a recipe is what the annotator's Retrain does. The run's folder gets the
model, checkpoints and the log. Ctrl+C saves and stops (again, or before the first step: at once);
--resume --run FOLDER goes on, and so it does after a kill. Under torchrun several processes share
the work (training/README.md).
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fashion.cli import Terminated, inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.documents import listed
from napari_fashion.errors import CheckpointError, FashionError

if TYPE_CHECKING:
    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.train.events import TrainEvent
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.schema import Schema

EXAMPLES = (
    "napari-fashion train recipe.toml --run runs/mine",
    "napari-fashion train export.json --run runs/mine --start-from bundled --epochs 20",
    "napari-fashion train recipe.toml --set optimiser.lr=1e-3 --set schedule.epochs=20",
    "napari-fashion train --resume --run runs/mine --device cuda",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "recipe", type=parsing.path, nargs="?",
        help="recipe (TOML), or a COCO file to fine-tune on (not with --resume)",
    )  # fmt: skip
    parser.add_argument(
        "--run", type=parsing.path, dest="folder", metavar="FOLDER",
        help="folder of the run (default: runs/NAME)",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run")
    parser.add_argument(
        "--start-from", type=parsing.name, metavar="MODEL",
        help=f"with a COCO file: {parsing.MODELS}, a run folder or a model file (default: bundled)",
    )  # fmt: skip
    parser.add_argument(
        "--epochs", type=parsing.positive, metavar="N",
        help="with a COCO file: passes over its images (default: as fine-tuning has it)",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=parsing.path, metavar="FOLDER",
        help="with a COCO file: folder of its images (default: the one that it notes, or beside it)",
    )  # fmt: skip
    parser.add_argument(
        "--require-better", action="store_true",
        help=f"end with status {status.NOT_BETTER} if the new model is not shown to be better than the one "
        "that it starts from",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE",
        help="a value in place of the recipe's, such as optimiser.lr=1e-3; as often as needed. The key is "
        "dotted, the value TOML or text; paths are taken from the working folder",
    )  # fmt: skip
    parser.add_argument(
        "--scale", type=parsing.name, metavar="NAME",
        help="a scale of the recipe, such as small: the values of its table [scale.NAME] take the place of "
        "its own, also in recipes that it starts from",
    )  # fmt: skip
    parser.add_argument(
        "--tensorboard", action="store_true",
        help="write files for TensorBoard into the run's folder (--set tensorboard.on=true)",
    )  # fmt: skip
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
    from napari_fashion.engine.distributed import processes

    together = processes()
    recipe, folder = together.from_first(lambda: _recipe(options))
    inputs.set_threads(options.threads)
    inputs.set_limits(options.max_pixels)

    from napari_fashion.engine.train.chain import train
    from napari_fashion.engine.train.events import CompareEvent, ErrorEvent, StepEvent
    from napari_fashion.engine.train.overrides import load_recipe

    if not options.resume:
        sources = [*recipe.data.train, *recipe.data.validation]
        inputs.tell_problems_of(sources, _named_schema(recipe))
    stop = _StopOnSignal()
    show = _JsonLines() if options.events == "jsonl" else _TrainingBar()
    verdict: str | None = None

    def emit(event: TrainEvent) -> None:
        nonlocal verdict
        stop.has_begun |= isinstance(event, StepEvent)
        if isinstance(event, CompareEvent):
            verdict = event.verdict
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
                read=partial(load_recipe, scale=options.scale),
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
    asked = together.largest(stop.asked or 0)
    if not asked:
        return _judge(options, together.from_first(lambda: verdict))
    terminal.warn(
        f"Stopped; what it learned is saved. Go on: napari-fashion train --resume --run {folder}"
    )
    return status.INTERRUPTED if asked == signal.SIGINT else status.TERMINATED


def _judge(options: argparse.Namespace, verdict: str | None) -> int:
    """Return the status of a run that came to its end."""
    if not options.require_better or verdict == "better":
        return status.DONE
    terminal.warn(
        f"--require-better: the verdict is {verdict or 'none'!r}; expected 'better'. The new model is "
        "saved all the same."
    )
    return status.NOT_BETTER


def _named_schema(recipe: Recipe) -> Schema | None:
    """Return the schema that a recipe names; None if the data or a model decide it."""
    from napari_fashion.engine.train.run_schema import FROM_DATA
    from napari_fashion.schema import Schema

    name = recipe.schema_name
    return None if name in (None, FROM_DATA) else Schema.load(name).file_schema


_ONLY_DATA = {
    "start_from": ("--start-from", "start_from"),
    "epochs": ("--epochs", "schedule.epochs"),
    "images": ("--images", "data.train.images"),
}
"""Options of training on a COCO file, and the keys of a recipe that they stand for."""


def _read_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe that was given, or the one of fine-tuning on the COCO file that was given."""
    from napari_fashion.editing.workfiles import WorkFiles
    from napari_fashion.engine.train.fine_tuning import FineTuning, name_for
    from napari_fashion.engine.train.overrides import Override, load_recipe, make_recipe
    from napari_fashion.files import is_file

    overrides = [Override.parse(text) for text in options.overrides]
    if options.tensorboard:
        overrides.append(Override.parse("tensorboard.on=true"))
    if not _is_data(options.recipe):
        for name, (option, key) in _ONLY_DATA.items():
            if getattr(options, name) is not None:
                raise FashionError(
                    f"{option} is for training on a COCO file; {options.recipe} is a recipe. Set {key} in "
                    "it instead."
                )
        return load_recipe(options.recipe, overrides, scale=options.scale)
    if options.scale is not None:
        raise FashionError(
            f"--scale is for a recipe (TOML) that has scales; {options.recipe} is data. Leave it out."
        )
    # What is not there gets no folder; it is reported later.
    split = WorkFiles(options.recipe).split_file() if is_file(options.recipe) else None
    fine_tuning = FineTuning(
        start_from=options.start_from or "bundled",
        name=name_for(options.recipe),
        epochs=options.epochs,
        split=None if split is None else str(split),
    )
    images = None if options.images is None else str(options.images)
    document = fine_tuning.document(str(options.recipe), images=images)
    return make_recipe(document, overrides, base=Path(), where=str(options.recipe))


def _is_data(file: Path) -> bool:
    """Whether a file is a COCO file (JSON) and no recipe (TOML): by its name, else by its content."""
    from napari_fashion.datasets.source import Source
    from napari_fashion.files import is_file, open_regular

    suffix = file.suffix.lower()
    if suffix in (".toml", ".json"):
        return suffix == ".json"
    if not is_file(file):
        return bool(Source(file=str(file)).kind)
    with open_regular(file) as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"{")


def _recipe(options: argparse.Namespace) -> tuple[Recipe, Path]:
    """Return the recipe and the run's folder, with what the options change."""
    from napari_fashion.engine.train.fine_tuning import require_images
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.engine.train.runs import (
        RUN_FILES,
        has_state,
        refuse_if_running,
        refuse_to_overwrite,
    )

    if options.resume:
        _refuse_beside_resume(options)
        return Recipe.load_json(options.folder / "recipe.json"), options.folder
    if options.recipe is None:
        raise FashionError(
            "Give a recipe (a TOML file) or a COCO file to fine-tune on, or --resume --run FOLDER."
        )
    recipe = _read_recipe(options)
    if options.require_better and recipe.start_from is None:
        raise FashionError(
            f"--require-better compares a model with the one that it starts from; {options.recipe} has no "
            "start_from. Leave the option out, or set start_from."
        )
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
    sources = _sources(recipe, folder, options)
    changes["data"] = recipe.data.model_copy(update=sources)
    if _is_data(options.recipe):
        require_images(sources["train"][0])
    return recipe.model_copy(update=changes), folder


def _refuse_beside_resume(options: argparse.Namespace) -> None:
    """Raise FashionError if a run is to be resumed that is not named, or with what it has itself."""
    if options.folder is None:
        raise FashionError("--resume needs --run FOLDER, the run to go on with.")
    for given, what in (
        (options.recipe, "recipe"),
        (options.seed, "seed"),
        (options.overrides or None, "recipe"),
        (options.tensorboard or None, "recipe"),
        (options.allow_root or None, "folders of images"),
        (options.with_journal or None, "data"),
        (options.categories, "categories"),
        (options.scale, "scale"),
        (options.start_from, "start"),
        (options.epochs, "number of epochs"),
        (options.images, "folder of images"),
    ):
        if given is not None:
            raise FashionError(f"--resume goes on with the run's own {what}; give no other.")


def _sources(recipe: Recipe, folder: Path, options: argparse.Namespace) -> dict[str, list[Source]]:
    """Return the recipe's sources with what the options change; copies are kept in the run's folder."""
    from napari_fashion.coco import Dataset

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
    return sources


class _StopOnSignal:
    """Turns the first SIGINT, SIGTERM or SIGUSR1 after the first step into a wish to stop.

    A second one, and one before the first step, ends the process: there is nothing new to save.
    Schedulers of clusters send SIGTERM or SIGUSR1 some time before a job's end.

    Attributes
    ----------
    asked
        The signal that came first; None if none came.
    has_begun
        Whether a step is done.
    """

    SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")

    def __init__(self) -> None:
        self.asked: int | None = None
        self.has_begun = False

    def after_step(self) -> bool:
        """Note that a step is done; return whether to stop."""
        self.has_begun = True
        return self.asked is not None

    def __enter__(self) -> _StopOnSignal:
        known = [getattr(signal, name) for name in self.SIGNALS if hasattr(signal, name)]
        self._old = {number: signal.signal(number, self._handle) for number in known}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.asked is not None or not self.has_begun:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
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
                images = f" (images: {listed(event.images, 4)})" if event.images else ""
                terminal.warn(
                    f"divergence at step {event.step} in {event.head}: {event.loss}{images}"
                )
            case events.CompareEvent():
                if event.old and event.new:
                    terminal.notify(f"before{_figures(event.old)}\nafter{_figures(event.new)}")
                tell = terminal.warn if event.verdict == "worse" else terminal.notify
                tell(event.text)
            case events.DoneEvent() | events.StoppedEvent():
                self.close()
                if isinstance(event, events.DoneEvent) and event.why:
                    terminal.notify(event.why)
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

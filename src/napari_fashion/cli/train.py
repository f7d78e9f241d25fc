"""Train a model as a recipe says, or fine-tune one on a COCO file.

A COCO file in place of a recipe is what the annotator's Retrain does. The run's folder gets the
model, its state after each epoch and its log. Ctrl+C saves and stops
(again: at once); --resume --run FOLDER goes on.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import CheckpointError, FashionError

if TYPE_CHECKING:
    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.train.events import TrainEvent
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.schema import Schema

EXAMPLES = (
    "napari-fashion train recipe.toml --run runs/mine",
    "napari-fashion train export.json --run runs/mine --start-from bundled --epochs 20",
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
        help="with a COCO file: 'bundled', a run folder or a model file (default: bundled)",
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
    from napari_fashion.engine.train.events import CompareEvent, ErrorEvent

    if not options.resume:
        sources = [*recipe.data.train, *recipe.data.validation]
        inputs.tell_problems_of(sources, _named_schema(recipe))
    stop = _StopOnSignal()
    show = _JsonLines() if options.events == "jsonl" else _TrainingBar()
    verdict: str | None = None

    def emit(event: TrainEvent) -> None:
        nonlocal verdict
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
                should_stop=lambda: stop.asked is not None,
            )
    except Exception as error:
        show(ErrorEvent(message=f"{error}" or type(error).__name__))
        raise
    finally:
        show.close()
    if stop.asked is None:
        return _judge(options, verdict)
    terminal.warn(
        f"Stopped; what it learned is saved. Go on: napari-fashion train --resume --run {folder}"
    )
    return status.TERMINATED if stop.asked == signal.SIGTERM else status.INTERRUPTED


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
    """Return the schema that a recipe names, or has by default; None if the data or a model decide it."""
    from napari_fashion.engine.train.run_schema import DEFAULT, FROM_DATA
    from napari_fashion.schema import Schema

    name = recipe.schema_name
    if name is None and recipe.start_from is None:
        name = DEFAULT
    return None if name in (None, FROM_DATA) else Schema.load(name)


_ONLY_DATA = {
    "start_from": ("--start-from", "start_from"),
    "epochs": ("--epochs", "schedule.epochs"),
    "images": ("--images", "data.train.images"),
}
"""Options of training on a COCO file, and the keys of a recipe that they stand for."""


def _read_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe that was given, or the one of fine-tuning on the COCO file that was given."""
    from napari_fashion.engine.train.fine_tuning import FineTuning, name_for
    from napari_fashion.engine.train.recipe import Recipe

    if not _is_data(options.recipe):
        for name, (option, key) in _ONLY_DATA.items():
            if getattr(options, name) is not None:
                raise FashionError(
                    f"{option} is for training on a COCO file; {options.recipe} is a recipe. Set {key} in "
                    "it instead."
                )
        return Recipe.load(options.recipe)
    fine_tuning = FineTuning(
        start_from=options.start_from or "bundled",
        name=name_for(options.recipe),
        epochs=options.epochs,
    )
    images = None if options.images is None else str(options.images)
    document = fine_tuning.document(str(options.recipe), images=images)
    return Recipe.from_dict(document, base=Path(), where=str(options.recipe))


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
    from napari_fashion.engine.train.runs import RUN_FILES, refuse_to_overwrite

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
    try:
        refuse_to_overwrite(folder)
    except CheckpointError as error:
        raise FashionError(
            f"{error} Name another --run FOLDER, or go on with that one: --resume --run {folder}."
        ) from error
    outputs = Outputs([options.recipe], overwrite=True)
    for source in (*recipe.data.train, *recipe.data.validation):
        outputs.reads([source.file])
    for name in RUN_FILES:
        outputs.check(folder / name, "a file of the run")
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
        (options.allow_root or None, "folders of images"),
        (options.with_journal or None, "data"),
        (options.categories, "categories"),
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
    """Turns the first SIGINT or SIGTERM into a wish to stop; a second one ends the process."""

    def __init__(self) -> None:
        self.asked: int | None = None

    def __enter__(self) -> _StopOnSignal:
        self._old = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.asked is not None:
            raise KeyboardInterrupt
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
                if event.old and event.new:
                    terminal.notify(f"before{_figures(event.old)}\nafter{_figures(event.new)}")
                tell = terminal.warn if event.verdict == "worse" else terminal.notify
                tell(event.text)
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

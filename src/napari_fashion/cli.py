"""The command line, `napari-fashion COMMAND`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fashion import __version__
from napari_fashion.errors import FashionError
from napari_fashion.tally import Tally

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_fashion.coco import Dataset
    from napari_fashion.engine.model import Model
    from napari_fashion.engine.pictures import Picture
    from napari_fashion.engine.prediction import Prediction


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for a failure, 2 for wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
        return status
    except (FashionError, OSError) as error:
        print(f"napari-fashion {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-fashion", description="Garment landmarks: predict, evaluate, train, annotate."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a model as a recipe says")
    train.add_argument("recipe", type=Path, nargs="?", help="TOML file (not with --resume)")
    train.add_argument(
        "--run", type=Path, dest="folder", help="folder of the run (default: runs/NAME)"
    )
    train.add_argument("--resume", action="store_true", help="go on with the run in --run")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    train.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    _journal_option(train)
    train.add_argument(
        "--events", choices=["bar", "jsonl"], default="bar",
        help="a progress bar, or one JSON object a line on standard output",
    )  # fmt: skip
    train.set_defaults(run=_train)

    predict = commands.add_parser("predict", help="find the garments in pictures")
    predict.add_argument(
        "input", nargs="+",
        help="pictures, folders, globs, or one COCO file",
    )  # fmt: skip
    predict.add_argument("--out", type=Path, default=Path("predictions.json"), help="COCO results")
    predict.add_argument("--images", type=Path, help="folder of a COCO file's pictures")
    predict.add_argument("--overlays", type=Path, metavar="FOLDER", help="also draw them, as PNG")
    predict.add_argument(
        "--single", action="store_true", help="the pictures are cut to one garment each"
    )
    predict.add_argument(
        "--complete", action="store_true", help="give every landmark a position, however unsure"
    )
    predict.add_argument("--overwrite", action="store_true", help="replace an existing --out")
    _journal_option(predict)
    _model_options(predict)
    predict.set_defaults(run=_predict)

    evaluate = commands.add_parser("evaluate", help="judge a model on annotated pictures")
    evaluate.add_argument("data", help="COCO file, photos:test, or samples:COUNT:SEED")
    evaluate.add_argument("--images", type=Path, help="folder of the pictures")
    evaluate.add_argument(
        "--protocol", choices=["box", "whole", "both"], default="both",
        help="pictures cut by the garment's box, whole pictures, or both",
    )  # fmt: skip
    evaluate.add_argument(
        "--margin", type=float, default=0.0,
        help="how much around the box a cut picture shows, as a share of the box (default 0)",
    )  # fmt: skip
    evaluate.add_argument("--json", type=Path, help="also write all figures to this file")
    _journal_option(evaluate)
    _model_options(evaluate)
    evaluate.set_defaults(run=_evaluate)

    pseudo = commands.add_parser(
        "pseudo-label", help="place landmarks where only categories are known, if readings agree"
    )
    pseudo.add_argument("input", help="a COCO file, or photos:unlabelled")
    pseudo.add_argument("--model", action="append", help="may be given several times")
    pseudo.add_argument("--images", type=Path, help="folder of the pictures")
    pseudo.add_argument("--out", type=Path, required=True, help="COCO file to write")
    pseudo.add_argument("--overwrite", action="store_true", help="replace the file")
    pseudo.add_argument("--tolerance", type=float, help="of a landmark's readings (default 0.04)")
    pseudo.add_argument(
        "--place",
        choices=("mean", "first"),
        default="mean",
        help="agreed landmarks at the models' mean, or where the first model sees them",
    )
    pseudo.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    _journal_option(pseudo)
    pseudo.set_defaults(run=_pseudo_label)

    stats = commands.add_parser("stats", help="count images, garments, categories and landmarks")
    stats.add_argument("data", type=Path, help="COCO file")
    stats.add_argument("--json", action="store_true", help="as JSON on standard output")
    _journal_option(stats)
    stats.set_defaults(run=_stats)

    apply = commands.add_parser(
        "apply", help="apply edits that were put aside (edits-*.jsonl) to a COCO file"
    )
    apply.add_argument("data", type=Path, help="COCO file")
    apply.add_argument("edits", type=Path, help="a journal, or one that was put aside")
    apply.add_argument("--out", type=Path, required=True, help="COCO file to write")
    apply.add_argument("--overwrite", action="store_true", help="replace an existing --out")
    apply.set_defaults(run=_apply)

    versions = commands.add_parser(
        "versions", help="list the earlier saved versions of a COCO file, or restore one"
    )
    versions.add_argument("data", type=Path, help="COCO file that the annotator saved")
    versions.add_argument(
        "--restore", type=_positive, metavar="N",
        help="make version N the file's content; what it has now becomes a version",
    )  # fmt: skip
    versions.set_defaults(run=_versions)

    fetch = commands.add_parser("fetch", help="get the public CC0 photos (resumable)")
    fetch.add_argument("--to", type=Path, help="folder (default: the user's data folder)")
    fetch.add_argument("--source", help="a local folder or a mirror's address instead")
    fetch.add_argument("--all", action="store_true", help="also those without landmarks")
    fetch.set_defaults(run=_fetch)

    demo = commands.add_parser("demo", help="open the app on sample pictures")
    demo.add_argument("--samples", action="store_true", help="procedural garments only")
    demo.add_argument("--headless", action="store_true", help="do the main job, save pictures, end")
    demo.add_argument("--out", type=Path, default=Path("demo-output"), help="folder for the result")
    demo.add_argument("--images", type=Path, help="also copy the screenshots to this folder")
    demo.add_argument("--epochs", type=_positive, help="of the retraining, when headless")
    demo.set_defaults(run=_demo)
    return parser


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="bundled", help="'bundled', a run folder or a model file"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    parser.add_argument("--batch", type=_positive, default=16, help="pictures at a time")
    parser.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="average with the mirrored picture, in both looks where there are two (--refine); by "
        "default as the model's recipe says",
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        help="longer sides at which pictures are seen, such as 224,160; by default as the model's "
        "recipe says",
    )
    parser.add_argument(
        "--refine",
        action=argparse.BooleanOptionalAction,
        help="look closer at each garment found in a whole picture; by default as the model's "
        "recipe says",
    )


def _journal_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with-journal", action="store_true",
        help="apply the annotator's changes that are in a COCO file's journal and not saved yet; by "
        "default the file is used as it was saved",
    )  # fmt: skip


def _use_journal(file: str, with_journal: bool, folder: Path) -> str:
    """Return the file to read: the one given, or one in `folder` that has its journal's changes.

    Says so where there are any.
    """
    from napari_fashion.editing.opening import pending_of, write_with_journal

    path = Path(file)
    pending = pending_of(path) if path.is_file() else None
    if pending is None:
        return file
    if with_journal:
        print(f"{file}: {len(pending.entries)} changes of its journal applied.", file=sys.stderr)
        return str(write_with_journal(path, pending, folder))
    print(
        f"{file}: {pending} They are in its journal; the file is used as it was saved. "
        "--with-journal applies them.",
        file=sys.stderr,
    )
    return file


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def _sizes(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


# -- train ---------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    import torch

    from napari_fashion.engine.recipe import Recipe
    from napari_fashion.engine.train import train

    if options.threads:
        torch.set_num_threads(options.threads)
    if options.resume:
        if options.folder is None:
            raise FashionError("--resume needs --run FOLDER, the run to go on with.")
        if options.recipe is not None:
            raise FashionError("--resume goes on with the run's own recipe; give no other.")
        recipe = Recipe.load_json(options.folder / "recipe.json")
    elif options.recipe is None:
        raise FashionError("Give a recipe (a TOML file), or --resume --run FOLDER.")
    else:
        recipe = Recipe.load(options.recipe)
    folder = options.folder or Path("runs") / recipe.name
    if not options.resume:  # a run that goes on has its data already
        sources = {
            name: [
                source.model_copy(
                    update={
                        "file": _use_journal(source.file, options.with_journal, folder / "data")
                    }
                )
                for source in getattr(recipe.data, name)
            ]
            for name in ("train", "validation")
        }
        data = recipe.data.model_copy(update=sources)
        recipe = recipe.model_copy(update={"data": data})
    stop = _StopOnSignal()
    show = _JsonLines() if options.events == "jsonl" else _TrainingBar()
    try:
        with stop:
            train(
                recipe,
                folder,
                resume=options.resume,
                device=options.device,
                emit=show,
                should_stop=lambda: stop.asked,
            )
    except Exception as error:
        show({"event": "error", "message": f"{error}" or type(error).__name__})
        raise
    finally:
        show.close()
    return 0


class _StopOnSignal:
    """Turns the first SIGINT or SIGTERM into a wish to stop; a second one ends the process."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> _StopOnSignal:
        self._old = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class _JsonLines:
    """Events as JSON lines on standard output."""

    def __call__(self, event: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Do nothing: every line is out already."""


class _TrainingBar:
    """Events as a progress bar and a line an epoch."""

    def __init__(self) -> None:
        self._progress = _progress()
        self._task: Any = None

    def __call__(self, event: dict[str, Any]) -> None:
        out = self._progress.console.print
        kind = event["event"]
        if kind == "start":
            out(
                f"{event['train_pictures']} pictures to train on, {event['val_pictures']} to judge "
                f"by; {event['epochs']} epochs on {event['device']}; {event['run']}"
            )
            self._progress.start()
            self._task = self._progress.add_task(
                "training", total=event["steps"], completed=event["step"]
            )
        elif kind == "step":
            self._progress.update(
                self._task,
                completed=event["step"],
                description=f"loss {event['loss']:.3f}, {event['pictures_per_second']:.0f}/s"
                if event["loss"] is not None
                else "step skipped",
            )
        elif kind == "epoch":
            loss = "" if event["loss"] is None else f"loss {event['loss']:.3f}"
            out(f"epoch {event['epoch']}: {loss}{_figures(event.get('val'))}")
        elif kind == "left_out":
            out(f"left out: {event['what']}: {event['count']:,}", *event["first"][:1], markup=False)
        elif kind == "explosion":
            out(f"explosion at step {event['step']} in {event['head']}: {event['loss']}")
        elif kind == "compare":
            out(f"before:{_figures(event['old'])}\nafter: {_figures(event['new'])}")
        elif kind in ("done", "stopped"):
            self._progress.stop()
            out(f"{kind}: {event['model']}")

    def close(self) -> None:
        """Take the bar off the screen."""
        self._progress.stop()


def _figures(metrics: dict[str, Any] | None) -> str:
    if not metrics:
        return ""
    return ", ".join([""] + [f"{k} {v:.4f}" for k, v in metrics.items() if isinstance(v, float)])


# -- pseudo-label --------------------------------------------------------------------------------


def _pseudo_label(options: argparse.Namespace) -> int:
    from napari_fashion.engine.data import dataset_of
    from napari_fashion.engine.model import Model
    from napari_fashion.engine.recipe import Source
    from napari_fashion.engine.selftrain import AgreementOptions, pseudo_label

    if options.out.exists() and not options.overwrite:
        raise FashionError(f"{options.out} exists. Give another --out, or --overwrite.")
    images = None if options.images is None else str(options.images)
    with tempfile.TemporaryDirectory() as folder:
        file = _use_journal(options.input, options.with_journal, Path(folder))
        models = [Model.load(name, options.device) for name in options.model or ["bundled"]]
        dataset = dataset_of(Source(file=file, images=images), models[0].schema)
    agreement = AgreementOptions(place=options.place)
    if options.tolerance is not None:
        agreement = replace(agreement, tolerance=options.tolerance)
    if options.out.exists() and dataset.path is not None and options.out.samefile(dataset.path):
        raise FashionError(f"{options.out} is the input itself; give another --out.")
    tally = Tally()
    with _progress() as progress:
        task = progress.add_task("reading", total=len(dataset.images))
        result, counts = pseudo_label(
            models, dataset, agreement, lambda n: progress.update(task, advance=n), tally
        )
    result.save(options.out, overwrite=options.overwrite)
    print(
        f"{options.out}: {counts['garments']} garments of {counts['pictures']} pictures got "
        f"landmarks; {counts['landmarks']} of {counts['asked']} landmarks agreed"
    )
    for line in tally.lines():
        print(f"left out: {line}", file=sys.stderr)
    return 0 if counts["garments"] else 1


# -- predict -------------------------------------------------------------------------------------


def _predict(options: argparse.Namespace) -> int:
    from napari_fashion.coco.categories import CategoryRule
    from napari_fashion.coco.results import result_records, write_results
    from napari_fashion.engine.model import Model
    from napari_fashion.engine.overlays import draw_prediction
    from napari_fashion.engine.pictures import write_png

    if options.single and options.refine:
        raise FashionError(
            "--refine looks closer at garments in whole pictures; --single says that the pictures are "
            "cut to one already. Leave one of them out."
        )
    model = Model.load(options.model, options.device)
    with tempfile.TemporaryDirectory() as folder:
        inputs = options.input
        if len(inputs) == 1:
            inputs = [_use_journal(inputs[0], options.with_journal, Path(folder))]
        dataset, given = _open_input(inputs, options.images, model)
    if dataset.schema.landmarks != model.schema.landmarks:
        raise FashionError(
            f"{options.input[0]} has the landmarks {', '.join(dataset.schema.landmarks)}; the model "
            f"finds {', '.join(model.schema.landmarks)}. Use a model of that schema."
        )
    listing = options.out.with_name(options.out.stem + ".images.json")
    for path in (options.out, *([] if given else [listing])):
        if path.exists() and not options.overwrite:
            raise FashionError(f"{path} exists. Give another --out, or --overwrite.")
    decoder = replace(model.decoder_options, single=options.single, complete=options.complete)
    rule = CategoryRule.of(dataset, model.schema)
    left_out = Tally()
    results: list[dict[str, Any]] = []
    failures = [reason for _, reason in dataset.left_out]
    pictures = 0
    for image, picture, prediction in predict_dataset(
        model,
        dataset,
        batch=options.batch,
        decoder=decoder,
        flip=options.flip,
        sizes=options.sizes,
        refine=options.refine,
        failures=failures,
    ):
        pictures += 1
        found, unplaced = result_records(dataset, image.id, prediction, rule)
        for name in unplaced:
            left_out.add("garments of categories that the file lacks", f"{image.file_name}: {name}")
        results += found
        if options.overlays is not None:
            target = _overlay_path(options.overlays, image.file_name)
            if target.exists() and target.samefile(image.path):
                raise FashionError(
                    f"{target} is the picture itself; give another --overlays folder."
                )
            write_png(target, draw_prediction(picture, prediction, model.schema))
    write_results(results, options.out, overwrite=options.overwrite)
    if not given:
        # Results name pictures by id: without a COCO file of the user's, say what the ids are.
        dataset.save(listing, overwrite=options.overwrite)
        print(f"{listing}: the pictures that the ids name")
    print(f"{options.out}: {len(results)} garments in {pictures} pictures, by {model.id}")
    for failure in [*failures, *left_out.lines()]:
        print(f"left out: {failure}", file=sys.stderr)
    return 1 if failures and not pictures else 0


def _overlay_path(folder: Path, file_name: str) -> Path:
    """Return where a picture's overlay goes: below the folder, whatever the file name is."""
    parts = [p for p in Path(file_name).parts if p not in ("..", "/") and not p.endswith(":\\")]
    return folder.joinpath(*parts[:-1], f"{parts[-1]}.png")


def _open_input(inputs: list[str], images: Path | None, model: Model) -> tuple[Dataset, bool]:
    """Return the data set that the inputs name, and whether it is the user's own COCO file."""
    import glob

    from napari_fashion.coco import Dataset
    from napari_fashion.images import image_files

    if len(inputs) == 1 and inputs[0].endswith(".json"):
        return Dataset.load(inputs[0], fallback=model.schema, image_root=images), True
    if len(inputs) == 1 and Path(inputs[0]).is_dir():
        return Dataset.from_folder(inputs[0], schema=model.schema), False
    files: list[Path] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            files += [path / name for name in image_files(path)]
        elif path.is_file():
            files.append(path)
        else:
            found = sorted(Path(p) for p in glob.glob(text, recursive=True) if Path(p).is_file())
            if not found:
                raise FashionError(
                    f"{text}: no such picture, folder or COCO file, and nothing matches it as a glob."
                )
            files += found
    return Dataset.from_files(files, schema=model.schema), False


def predict_dataset(
    model: Model,
    dataset: Dataset,
    *,
    batch: int,
    decoder: Any,
    flip: bool | None = None,
    sizes: list[int] | None = None,
    refine: bool | None = None,
    failures: list[str],
) -> Iterator[tuple[Any, Picture, Prediction]]:
    """Yield (image, picture, prediction) with a progress bar; unreadable pictures go to `failures`."""
    from napari_fashion.errors import PictureError
    from napari_fashion.images import read_image

    images = dataset.images
    with _progress() as progress:
        task = progress.add_task("predicting", total=len(images))
        for start in range(0, len(images), batch):
            chunk: list[tuple[Any, Picture]] = []
            for image in images[start : start + batch]:
                try:
                    size = (image.width, image.height)
                    chunk.append((image, read_image(image.path, size=size, exact=True)))
                except (PictureError, FashionError) as error:
                    failures.append(str(error))
            predictions = model.predict(
                [p for _, p in chunk], options=decoder, flip=flip, sizes=sizes, refine=refine
            )
            for (image, picture), prediction in zip(chunk, predictions, strict=True):
                yield image, picture, prediction
            progress.update(task, advance=min(batch, len(images) - start))


# -- evaluate ------------------------------------------------------------------------------------


def _evaluate(options: argparse.Namespace) -> int:
    from napari_fashion.engine.data import load_sources
    from napari_fashion.engine.evaluate import evaluate_pictures
    from napari_fashion.engine.model import Model
    from napari_fashion.engine.recipe import Source
    from napari_fashion.files import atomic_write

    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    model = Model.load(options.model, options.device)
    with tempfile.TemporaryDirectory() as folder:
        file = _use_journal(options.data, options.with_journal, Path(folder))
        source = Source(file=file, images=str(options.images) if options.images else None)
        tally = Tally()
        pictures = load_sources([source], model.schema, tally)
    protocols = ["box", "whole"] if options.protocol == "both" else [options.protocol]
    figures: dict[str, Any] = {"model": model.id, "data": options.data}
    for protocol in protocols:
        with _progress() as progress:
            task = progress.add_task(f"evaluating ({protocol})", total=len(pictures))
            report = evaluate_pictures(
                model,
                pictures,
                protocol=protocol,  # type: ignore[arg-type]
                flip=options.flip,
                sizes=options.sizes,
                refine=options.refine,
                margin=options.margin,
                batch=options.batch,
                tally=tally,
                advance=lambda n, task=task, progress=progress: progress.update(task, advance=n),  # type: ignore[misc]
            )
        report.print()
        figures[protocol] = report.to_dict()
    if options.json is not None:
        atomic_write(options.json, json.dumps(figures, indent=1).encode() + b"\n")
    for line in tally.lines():
        print(f"left out: {line}", file=sys.stderr)
    return 0


# -- data ----------------------------------------------------------------------------------------


def _stats(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from napari_fashion.coco import Dataset, statistics
    from napari_fashion.schema import Schema

    with tempfile.TemporaryDirectory() as folder:
        file = _use_journal(str(options.data), options.with_journal, Path(folder))
        found = statistics(Dataset.load(file, fallback=Schema.load("garments")))
    if options.json:
        print(json.dumps(found.to_dict(), indent=1, ensure_ascii=False))
        return 0
    counts = Table("", "count", title=str(options.data))
    for name in (
        "images",
        "reviewed",
        "without_garments",
        "garments",
        "by_human",
        "by_model",
        "crowds",
    ):
        counts.add_row(name.replace("_", " "), f"{getattr(found, name):,}")
    categories = Table("category", "garments")
    for name, count in sorted(found.categories.items(), key=lambda item: -item[1]):
        categories.add_row(name, f"{count:,}")
    landmarks = Table("landmark", "visible", "hidden", "not labelled")
    for name, seen in found.landmarks.items():
        landmarks.add_row(name, *(f"{count:,}" for count in seen))
    for table in (counts, categories, landmarks):
        Console().print(table)
    return 0


def _apply(options: argparse.Namespace) -> int:
    from napari_fashion.coco import Dataset
    from napari_fashion.editing.journal import read_journal
    from napari_fashion.editing.opening import with_journal
    from napari_fashion.schema import Schema

    if options.out.exists() and options.out.resolve() == options.data.resolve():
        raise FashionError(f"{options.out} is the input itself; give another --out.")
    dataset = Dataset.load(options.data, fallback=Schema.load("garments"))
    pending = read_journal(options.edits, None)
    if pending is None or not pending.entries:
        raise FashionError(
            f"{options.edits} has no edits that can be read. {pending.damage if pending else ''}".strip()
        )
    with_journal(dataset, pending).save(options.out, overwrite=options.overwrite)
    print(
        f"{options.out}: {len(pending.entries)} edits of {options.edits} applied. {pending.damage}".strip()
    )
    return 0


def _versions(options: argparse.Namespace) -> int:
    from napari_fashion.editing.opening import pending_of
    from napari_fashion.editing.workfiles import WorkFiles

    work = WorkFiles(options.data)
    versions = work.versions()
    if options.restore is None:
        for i, version in enumerate(versions, 1):
            print(f"{i}  {version.saved:%Y-%m-%d %H:%M:%S}  {version.size:,} bytes")
        if not versions:
            print(f"{options.data} has no earlier versions: the annotator keeps one at each save.")
        return 0
    if options.restore > len(versions):
        raise FashionError(
            f"There is no version {options.restore} of {options.data}; expected one of 1 to "
            f"{len(versions)}, as `napari-fashion versions {options.data}` lists them."
        )
    pending = pending_of(options.data)
    if pending is not None:
        raise FashionError(
            f"{options.data}: {pending} Open it in the annotator and save them or put them aside first."
        )
    holder = work.lock()
    if holder is not None:
        raise FashionError(f"{options.data} is open elsewhere ({holder}); close it there first.")
    try:
        version = versions[options.restore - 1]
        work.restore(version)
    finally:
        work.release()
    print(f"{options.data} is as it was saved on {version.saved:%Y-%m-%d %H:%M:%S}.")
    return 0


# -- fetch and demo ------------------------------------------------------------------------------


def _fetch(options: argparse.Namespace) -> int:
    from napari_fashion import photos

    folder = options.to or photos.default_folder()
    with _progress() as progress:
        task = progress.add_task("fetching photos", total=None)

        def advance(done: int, total: int, path: str) -> None:
            progress.update(task, completed=done, total=total)

        report = photos.fetch(
            folder,
            source=options.source,
            what="all" if options.all else "labelled",
            progress=advance,
        )
    print(report)
    return 0 if not report.failed else 1


def _demo(options: argparse.Namespace) -> int:
    try:
        from napari_fashion.app import demo
    except ImportError as error:
        raise FashionError(
            f"The app needs napari and Qt ({error}). Install them: pip install 'napari-fashion[app]'."
        ) from error
    return demo.run(
        headless=options.headless,
        output=options.out,
        samples_only=options.samples,
        copy_images_to=options.images,
        epochs=options.epochs,
    )


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


if __name__ == "__main__":
    sys.exit(main())

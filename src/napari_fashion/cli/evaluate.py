"""Judge a model on annotated images.

Prints the errors of landmarks (NE, PDL, PCK), category top-n, precision, recall and OKS AP, with
intervals. A protocol is what the model is shown (--cut), which garment it finds is compared
(--choice), and where landmarks count that it does not find (--fallback). A category of the file
that the model lacks counts as wrong. Under torchrun several processes share the images, with the
same figures.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

if TYPE_CHECKING:
    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.data.sample import AnnotatedImage
    from napari_fashion.engine.evaluation.evaluation import Evaluation
    from napari_fashion.engine.evaluation.fallbacks import Places
    from napari_fashion.engine.evaluation.protocols import Protocol
    from napari_fashion.engine.evaluation.sweeps import Point
    from napari_fashion.engine.garment_model import GarmentModel
    from napari_fashion.tally import Tally

EXAMPLES = (
    "napari-fashion evaluate annotations.json --images photos/",
    "napari-fashion evaluate annotations.json --model combined.json --body-type truth",
    "napari-fashion evaluate photos:test --model runs/mine --protocol published --report report/",
)

CUTS = ("none", "bbox", "hull")
CHOICES = ("nearest", "best", "inside", "only", "matched")
FALLBACKS = ("corner", "skeleton")
PROTOCOLS = ("box", "whole", "published")
BODY_TYPES = ("score", "truth")
"""Names of the registries (`engine.evaluation`), so that help needs no torch; a test compares them."""

DATA_SETS = ("deepfashion-c", "deepfashion-l")
PAGE, FIGURES, ROWS = "index.html", "figures.json", "garments.csv"
"""What a report's folder holds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "data",
        type=parsing.name,
        help="COCO file, photos:test, people:test, samples:COUNT:SEED or layouts:COUNT:SEED",
    )
    _add_protocol(parser)
    _add_sweeps(parser)
    _add_outputs(parser)
    parsing.add_overwrite(parser)
    parsing.add_images(parser)
    parsing.add_categories(parser, add=False)
    parsing.add_journal(parser)
    parsing.add_model(parser)


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol", choices=[*PROTOCOLS, "both"], default="both",
        help="box: crops by the box of the landmarks; whole: whole images, garments matched; published: "
        "crops by the file's box; both: box and whole",
    )  # fmt: skip
    parser.add_argument(
        "--cut", choices=CUTS,
        help="instead of the protocol's: what the model is shown, the whole image, the file's box, or the "
        "box of the labelled landmarks",
    )  # fmt: skip
    parser.add_argument(
        "--margin", default=0.0, metavar="SHARE",
        type=parsing.number(0, 10, "a share of the box"),
        help="margin around the box of a crop, as a share of the box",
    )  # fmt: skip
    parser.add_argument(
        "--choice", choices=CHOICES,
        help="instead of the protocol's: the garment nearest to the truth, the best score, the best inside "
        "the file's box, the only one, or matched one to one",
    )  # fmt: skip
    parser.add_argument(
        "--fallback", choices=FALLBACKS,
        help="instead of the protocol's: where landmarks count that are not found",
    )  # fmt: skip
    parser.add_argument(
        "--skeleton-from", type=parsing.name, metavar="DATA",
        help="data whose mean places of landmarks are the artificial skeleton, such as what the model "
        "learned from (default: fixed places of DeepFashion's landmarks)",
    )  # fmt: skip
    parser.add_argument(
        "--body-type", choices=BODY_TYPES, default="score",
        help="of a model set, what a garment is compared with: the find with the best score of all "
        "members, or that of the member for the garment's true body type (default: score)",
    )  # fmt: skip
    parser.add_argument(
        "--confidence", metavar="SCORE", type=parsing.number(0, 1, "a score"),
        help="score from which a landmark is confident and counts as detected (default: the decoder's "
        "landmark_threshold)",
    )  # fmt: skip


def _add_sweeps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--margins", type=_margins, metavar="SHARE,SHARE", default=[],
        help="also evaluate crops with each of these margins: the error against the crop's size",
    )  # fmt: skip
    parser.add_argument(
        "--per-epoch", action="store_true",
        help="also evaluate each checkpoint that the run of --model has kept",
    )  # fmt: skip


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report", type=parsing.path, metavar="FOLDER",
        help="also write a page with all figures, curves and the worst images to this folder",
    )  # fmt: skip
    parser.add_argument(
        "--data-set", choices=DATA_SETS, metavar="NAME",
        help=f"what the data are, to compare with published figures: {' or '.join(DATA_SETS)}, the test "
        "partition (default: as a converted file says)",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=_rows, metavar="FILE",
        help="also write a row a garment to this file, CSV or Parquet by its name",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=parsing.path, metavar="FILE", help="also write all figures to this file"
    )
    parser.add_argument(
        "--seed", type=parsing.whole(0, 2**32 - 1, "a seed"), default=0, metavar="N",
        help="of the intervals' random draws",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=parsing.whole(0, 100_000, "a number of draws"), default=1000, metavar="N",
        help="number of the intervals' random draws; 0 for no intervals",
    )  # fmt: skip


def _margins(text: str) -> list[float]:
    """Read margins that are separated by commas."""
    read = parsing.number(0, 10, "a share of the box")
    parts = text.split(",")
    if len(parts) > 50:
        raise argparse.ArgumentTypeError(f"found {len(parts)} margins; expected at most 50.")
    return [read(part.strip()) for part in parts]


def _rows(text: str) -> Path:
    """Read the name of a file of rows; its ending is its format."""
    path = parsing.path(text)
    if path.suffix.lower() not in ROW_FORMATS:
        raise argparse.ArgumentTypeError(
            f"found {text[:60]!r}; expected a name that ends in {' or '.join(ROW_FORMATS)}."
        )
    return path


def run(options: argparse.Namespace) -> int:
    """Evaluate; return the exit status."""
    inputs.refuse_add(options.categories)
    answer = inputs.category_answer(options.categories)
    files = [options.data, options.categories]
    outputs = Outputs([*files, *filter(None, [options.skeleton_from])], overwrite=options.overwrite)
    outputs.reads_models([options.model])
    targets = _claim(outputs, options)
    inputs.set_threads(options.threads)
    inputs.set_limits(options.max_pixels)

    from napari_fashion.engine.data.reading import load_sources
    from napari_fashion.engine.model_set import load_model
    from napari_fashion.tally import Tally

    protocols = protocols_of(options)
    _refuse_without_effect(options, protocols)
    model = load_model(options.model, options.device)
    if options.body_type == "truth" and not model.member_names:
        raise FashionError(
            f"--body-type truth chooses a member of a model set, and --model {options.model} is one model; "
            "leave it out, or name a set (napari-fashion combine makes one)."
        )
    left_out = Tally()
    with inputs.with_journal(options.data, options.with_journal) as file:
        source = _source(file, options)
        inputs.tell_problems_of([source], model.schema.file_schema)
        try:
            images = load_sources([source], model.schema, left_out, answer=answer)
        finally:
            terminal.tell(left_out)
    outputs.reads(image.path for image in images)
    for target in targets:
        outputs.check(target.path, target.option)
    work = _Work(model, images, options, left_out)
    work.judge(protocols)
    _write(outputs, targets, work)
    return status.DONE


@dataclass(frozen=True)
class _Target:
    """A file that will be written: for which option, and what makes its bytes."""

    path: Path
    option: str
    make: Callable[[_Work], bytes]


def _refuse_without_effect(options: argparse.Namespace, protocols: list[Protocol]) -> None:
    """Raise FashionError if an option asks for something that the others rule out."""
    if options.per_epoch and not Path(options.model).is_dir():
        raise FashionError(
            f"--per-epoch needs the folder of a run, and --model is {options.model}; expected a folder "
            "with checkpoints/."
        )
    given = "--margins" if options.margins else "--margin" if options.margin else None
    if given and all(p.whole for p in protocols):
        raise FashionError(
            f"{given} is given, and whole images are shown, which have no margin; expected a protocol "
            "that crops (--cut bbox or hull)."
        )
    if options.skeleton_from is not None and all(p.fallback != "skeleton" for p in protocols):
        raise FashionError(
            "--skeleton-from is given, and the artificial skeleton is not used; add --fallback skeleton."
        )
    if options.data_set is not None and options.report is None:
        raise FashionError(
            "--data-set says what to compare with on the report page; add --report FOLDER."
        )


def _claim(outputs: Outputs, options: argparse.Namespace) -> list[_Target]:
    """Check everything that will be written, before the work begins."""
    targets: list[_Target] = []
    if options.json is not None:
        targets.append(_Target(outputs.file(options.json, "--json"), "--json", _as_json))
    if options.rows is not None:
        suffix = options.rows.suffix.lower()
        if suffix == ".parquet":
            from napari_fashion.engine.evaluation.garment_rows import require_parquet

            require_parquet()
        path = outputs.file(options.rows, "--rows", suffix)
        targets.append(_Target(path, "--rows", ROW_FORMATS[suffix]))
    if options.report is not None:
        for name, make in REPORT.items():
            path = outputs.file(options.report / name, "--report", Path(name).suffix)
            targets.append(_Target(path, "--report", make))
    return targets


def protocols_of(options: argparse.Namespace) -> list[Protocol]:
    """Return the protocols that the arguments name.

    With ``both`` and a cut or a choice of one's own it is one: like ``box`` if images are cropped, else
    like ``whole``.
    """
    from dataclasses import replace

    from napari_fashion.engine.evaluation.protocols import protocol_of

    names = ["box", "whole"] if options.protocol == "both" else [options.protocol]
    if options.protocol == "both" and (options.cut or options.choice):
        names = ["whole" if options.cut in (None, "none") else "box"]
    parts = {name: getattr(options, name) for name in ("cut", "choice", "fallback")}
    given = {name: value for name, value in parts.items() if value is not None}
    found = [replace(protocol_of(name), **given) for name in names]
    return [p if p.whole else replace(p, margin=options.margin) for p in found]


@dataclass
class _Work:
    """What is evaluated, and what came of it."""

    model: GarmentModel
    images: list[AnnotatedImage]
    options: argparse.Namespace
    left_out: Tally
    evaluations: list[Evaluation] = field(default_factory=list)
    margins: dict[str, list[Point]] = field(default_factory=dict)
    epochs: dict[str, list[Point]] = field(default_factory=dict)

    def judge(self, protocols: list[Protocol]) -> None:
        """Evaluate by all protocols, and print their tables."""
        from napari_fashion.engine.evaluation.protocols import evaluate_images
        from napari_fashion.tally import Tally

        told: Tally | None = None
        for protocol in protocols:
            passed_over = Tally()
            places = self._places(protocol)
            with _counting(f"evaluating ({protocol.name})", len(self.images)) as advance:
                found = evaluate_images(
                    self.model,
                    self.images,
                    protocol=protocol,
                    tally=passed_over,
                    advance=advance,
                    **self._how(places),
                )
            self.evaluations.append(found)
            terminal.give(terminal.table(found.rows(), found.title))
            if told is None or told.counts != passed_over.counts:
                terminal.tell(passed_over)
            told = passed_over
            self._sweep(protocol, places)
        if told is not None:
            self.left_out.update(told)

    def _how(self, places: Places | None) -> dict[str, Any]:
        options = self.options
        inference = self.model.inference.overridden(
            flip_tta=options.flip_tta, sizes=options.multi_scale, refine=options.refine
        )
        return {
            "inference": inference,
            "places": places,
            "confidence": options.confidence,
            "body_type": options.body_type,
            "batch": options.batch,
            "rounds": options.rounds,
            "seed": options.seed,
        }

    def _places(self, protocol: Protocol) -> Places | None:
        """Return the places of the artificial skeleton, if the caller names where they are from."""
        from napari_fashion.datasets.source import Source
        from napari_fashion.engine.data.reading import load_sources
        from napari_fashion.engine.evaluation.fallbacks import mean_places

        if self.options.skeleton_from is None or protocol.fallback != "skeleton":
            return None
        images = load_sources([Source(file=self.options.skeleton_from)], self.model.schema)
        return mean_places(images, self.model.schema, protocol.cut, protocol.margin)

    def _sweep(self, protocol: Protocol, places: Places | None) -> None:
        """Evaluate at other margins and epochs."""
        from napari_fashion.engine.evaluation.sweeps import over_epochs, over_margins
        from napari_fashion.engine.model import Model
        from napari_fashion.tally import Tally

        sweeps: list[tuple[str, int | None, dict[str, list[Point]], Callable[..., Any]]] = []
        if self.options.margins and not protocol.whole:
            margins = sorted(set(self.options.margins))

            def of_margins(**how: Any) -> Iterator[Point]:
                return over_margins(self.model, self.images, protocol, margins, **how)

            sweeps.append(("margin", len(margins), self.margins, of_margins))
        if self.options.per_epoch:
            run = Path(self.options.model)

            def of_epochs(**how: Any) -> Iterator[Point]:
                model = Model.load(run, self.options.device)
                return over_epochs(model, run, self.images, protocol, terminal.warn, **how)

            sweeps.append(("epoch", None, self.epochs, of_epochs))
        for name, n, kept, points in sweeps:
            total = None if n is None else n * len(self.images)
            with _counting(f"evaluating each {name} ({protocol.name})", total) as advance:
                how = self._how(places) | {"tally": Tally(), "advance": advance}
                kept[protocol.name] = list(points(**how))
            terminal.give(terminal.table(_rows_of(name, kept[protocol.name])))

    def figures(self) -> dict[str, Any]:
        """Return all figures as data."""
        found: dict[str, Any] = {"model": self.model.id, "data": self.options.data}
        found |= {e.protocol: e.to_dict() for e in self.evaluations}
        for name, points in (("margins", self.margins), ("epochs", self.epochs)):
            if points:
                found[name] = {
                    protocol: [vars(point) for point in own] for protocol, own in points.items()
                }
        return found

    def _data_set(self) -> tuple[str | None, str | None]:
        """Return which data set and partition is judged: as was said, else as the file and its name say."""
        from napari_fashion.datasets.opening import open_source

        if self.options.data_set is not None:
            return self.options.data_set, "test"
        if not inputs.is_coco(self.options.data):
            return None, None
        file = open_source(_source(self.options.data, self.options), self.model.schema.file_schema)
        name = Path(self.options.data).stem
        return file.converted_from or None, name if name in ("train", "val", "test") else None

    def page(self) -> str:
        """Return the report page."""
        from napari_fashion.engine.evaluation.page import About, render

        data_set, partition = self._data_set()
        about = About(
            model=self.model.id,
            data=self.options.data,
            date=datetime.date.today().isoformat(),
            data_set=data_set,
            partition=partition,
            left_out=[f"{kind}: {n:,}" for kind, n in self.left_out.counts.items()],
        )
        return render(
            self.evaluations,
            self.images,
            self.model.schema,
            about,
            margins=self.margins,
            epochs=self.epochs,
        )


@contextmanager
def _counting(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show progress, and say if functions are compiled; give what counts the images."""
    from napari_fashion.engine.decode import announce_compiling

    with announce_compiling(terminal.notify), terminal.progress(text, total) as shown:
        yield shown.advance


def _rows_of(name: str, points: list[Point]) -> list[tuple[str, str, str]]:
    """Return a sweep as the rows of a table."""

    def text(value: float | None) -> str:
        return "" if value is None else f"{value:.4f}"

    head = (name, "AVG NE", "AVG NE, by the garment's box")
    return [
        head,
        *((f"{p.at:g}", text(p.average_error), text(p.average_error_by_box)) for p in points),
    ]


def _write(outputs: Outputs, targets: list[_Target], work: _Work) -> None:
    """Write what was asked for; of several processes the first one does."""
    from napari_fashion.engine.distributed import processes

    if not processes().first:
        return
    for target in targets:
        outputs.write(target.path, target.make(work), target.option)
        if target.path.name == PAGE:
            terminal.notify(f"the report is in {target.path}")


def _as_json(work: _Work) -> bytes:
    return json.dumps(work.figures(), indent=1).encode() + b"\n"


def _as_csv(work: _Work) -> bytes:
    from napari_fashion.engine.evaluation.garment_rows import as_csv, garment_rows

    return as_csv(garment_rows(work.evaluations, work.model.schema))


def _as_parquet(work: _Work) -> bytes:
    from napari_fashion.engine.evaluation.garment_rows import as_parquet, garment_rows

    return as_parquet(garment_rows(work.evaluations, work.model.schema))


def _as_page(work: _Work) -> bytes:
    return work.page().encode()


ROW_FORMATS: dict[str, Callable[[_Work], bytes]] = {".csv": _as_csv, ".parquet": _as_parquet}
"""What makes the rows of garments, by the file's suffix."""
REPORT: dict[str, Callable[[_Work], bytes]] = {PAGE: _as_page, FIGURES: _as_json, ROWS: _as_csv}
"""What makes the files of a report's folder."""


def _source(file: str, options: argparse.Namespace) -> Source:
    """Return the source that the arguments name."""
    from napari_fashion.datasets.source import Source

    return Source(
        file=file,
        images=str(options.images) if options.images else None,
        allow_roots=[str(root) for root in options.allow_root],
    )

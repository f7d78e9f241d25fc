"""Fit a model's thresholds of what is there and what is visible.

Predicts annotated images that the model did not learn from, and writes the model with thresholds and
calibrated probabilities: of landmarks to be there, and to be visible rather than hidden. Its weights
stay.
"""

from __future__ import annotations

import argparse

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

EXAMPLES = (
    "napari-fashion calibrate runs/mine held-out.json --unlabelled absent --out mine.json",
    "napari-fashion calibrate mine.onnx held-out.json --out calibrated.onnx",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model", type=parsing.name, help=f"{parsing.MODELS}, a run folder or a model file"
    )
    parser.add_argument(
        "data",
        type=parsing.name,
        help="COCO file, or a data set by name, such as people:validation",
    )
    parser.add_argument(
        "--out", type=parsing.path, required=True, metavar="MODEL",
        help="model to write: its weights and, beside them, its description (JSON)",
    )  # fmt: skip
    parser.add_argument(
        "--unlabelled", choices=("unknown", "absent"),
        help="landmarks without a label (visibility 0): they may be there, or who labelled says that they "
        "are not; only then presence can be calibrated (default: what the data set says; unknown of a "
        "file)",
    )  # fmt: skip
    parsing.add_overwrite(parser)
    parsing.add_images(parser)
    parsing.add_categories(parser, add=False)
    parsing.add_journal(parser)
    parsing.add_threads(parser)
    parser.add_argument(
        "--batch", type=parsing.whole(1, parsing.MOST_IMAGES_AT_ONCE, "a number of images"), default=16,
        metavar="N", help="images at a time",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Calibrate; return the exit status."""
    inputs.refuse_add(options.categories)
    answer = inputs.category_answer(options.categories)
    outputs = Outputs([options.data, options.categories], overwrite=options.overwrite)
    outputs.reads_models([options.model])

    from napari_fashion.engine.evaluation.calibrated import files_of, write_calibrated

    target, weights = files_of(options.model, options.out)
    outputs.file(target, "--out")
    outputs.file(weights, "the model's weights", suffix=weights.suffix)
    inputs.set_limits(options.max_pixels)

    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.data.reading import load_sources
    from napari_fashion.engine.decode import announce_compiling
    from napari_fashion.engine.evaluation.calibration import calibrate
    from napari_fashion.engine.model import Model
    from napari_fashion.tally import Tally

    model = Model.load(options.model, options.device, threads=options.threads)
    left_out = Tally()
    with inputs.with_journal(options.data, options.with_journal) as file:
        source = Source(
            file=file,
            images=None if options.images is None else str(options.images),
            allow_roots=[str(root) for root in options.allow_root],
            unlabelled=options.unlabelled,
        )
        inputs.tell_problems_of([source], model.schema.file_schema)
        images = load_sources([source], model.schema, left_out, answer=answer)
    outputs.reads(image.path for image in images)
    with (
        announce_compiling(terminal.notify),
        terminal.progress("calibrating", len(images)) as shown,
    ):
        found = calibrate(model, images, batch=options.batch, advance=shown.advance, tally=left_out)
    terminal.tell(left_out)
    if not found.changed:
        raise FashionError(f"nothing was calibrated, nothing was written. {' '.join(found.notes)}")
    for note in found.notes:
        terminal.notify(note)
    for path, option in ((target, "--out"), (weights, "the model's weights")):
        outputs.check(path, option)
    write_calibrated(
        options.model, options.out, found.options, model.id,
        data=options.data, notes=list(found.notes),
    )  # fmt: skip
    terminal.notify(f"{target} and {weights}: {model.id}, calibrated")
    return status.DONE

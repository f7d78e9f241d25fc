"""Place landmarks in images whose category is known, if several readings agree.

Reads images whose garments have a category and no landmark; writes a copy of the COCO file in which
the landmarks that the models agree on are filled in. An image with several garments is read by the
first model, and taken if it finds just these garments, in the mirror image as well.
"""

from __future__ import annotations

import argparse

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

EXAMPLES = (
    "napari-fashion pseudo-label boxes.json --images photos/ --out more.json",
    "napari-fashion pseudo-label photos:unlabelled --model runs/a --model runs/b --out pseudo.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "input", type=parsing.name, help="COCO file, photos:unlabelled or people:tagged"
    )
    parser.add_argument(
        "--out", type=parsing.path, required=True, metavar="FILE", help="COCO file to write"
    )
    parser.add_argument(
        "--model", action="append",
        help=f"{parsing.MODELS}, a run folder, a model file or a model set; may be given several times "
        "(default: bundled)",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", type=parsing.number(0, 1000, "a share of the box"), metavar="SHARE",
        default=0.04,
        help="largest distance of a landmark's readings from its position, as a share of the box",
    )  # fmt: skip
    parser.add_argument(
        "--place",
        choices=("mean", "first"),
        default="mean",
        help="agreed landmarks at the models' mean, or where the first model sees them",
    )
    parsing.add_overwrite(parser)
    parsing.add_images(parser)
    parsing.add_categories(parser, add=False)
    parsing.add_journal(parser)
    parsing.add_threads(parser)


def run(options: argparse.Namespace) -> int:
    """Pseudo-label; return the exit status."""
    names = options.model or ["bundled"]
    inputs.refuse_add(options.categories)
    answer = inputs.category_answer(options.categories)
    outputs = Outputs([options.input, options.categories], overwrite=options.overwrite)
    outputs.reads_models(names)
    outputs.file(options.out, "--out")
    inputs.set_threads(options.threads)
    inputs.set_limits(options.max_pixels)

    from napari_fashion.datasets.opening import open_source
    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.decode import announce_compiling
    from napari_fashion.engine.model_set import load_model
    from napari_fashion.engine.pseudo_label import AgreementOptions, pseudo_label
    from napari_fashion.tally import Tally

    models = [load_model(name, options.device) for name in names]
    with inputs.with_journal(options.input, options.with_journal) as file:
        source = Source(
            file=file,
            images=None if options.images is None else str(options.images),
            allow_roots=[str(root) for root in options.allow_root],
        )
        dataset = open_source(source, models[0].schema)
    if dataset.path is not None:
        outputs.reads([dataset.path])
    outputs.reads_images(dataset)
    inputs.tell_problems(dataset)
    agreement = AgreementOptions(
        place=options.place,
        tolerance=options.tolerance,
    )
    left_out = Tally()
    with (
        announce_compiling(terminal.notify),
        terminal.progress("reading", len(dataset.images)) as shown,
    ):
        result, counts = pseudo_label(
            models, dataset, agreement, shown.advance, left_out, answer=answer
        )
    terminal.tell(left_out)
    if not counts["garments"]:
        raise FashionError(
            f"no garment of the {len(dataset.images):,} images got landmarks ({counts['images']:,} were "
            "read); nothing was written. Expected images whose garments have a category and no landmark, "
            "on which the readings agree."
        )
    outputs.check(options.out, "--out")
    result.save(options.out, overwrite=options.overwrite)
    terminal.notify(
        f"{options.out}: {counts['garments']:,} garments of {counts['images']:,} images got landmarks; "
        f"{counts['landmarks']:,} of {counts['asked']:,} landmarks agreed"
    )
    return status.DONE

"""Judge a model on annotated images.

Prints the errors of landmarks (NE, PDL), category top-n, precision, recall and OKS AP, with
intervals. A category of the file that the model lacks counts as wrong. Under torchrun several
processes share the images, with the same figures.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs

if TYPE_CHECKING:
    from napari_fashion.datasets.source import Source

EXAMPLES = (
    "napari-fashion evaluate annotations.json --images photos/",
    "napari-fashion evaluate photos:test --model runs/mine --protocol box --json figures.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "data", type=parsing.name, help="COCO file, photos:test, or samples:COUNT:SEED"
    )
    parser.add_argument(
        "--protocol", choices=["box", "whole", "both"], default="both",
        help="crops by the garment's box, whole images, or both",
    )  # fmt: skip
    parser.add_argument(
        "--margin", default=0.0, metavar="SHARE",
        type=parsing.number(0, 10, "a share of the box"),
        help="margin around the box of a crop, as a share of the box",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=parsing.path, metavar="FILE", help="also write all figures to this file"
    )
    parser.add_argument(
        "--seed", type=parsing.whole(0, 2**32 - 1, "a seed"), default=0, metavar="N",
        help="of the intervals' random draws",
    )  # fmt: skip
    parsing.add_overwrite(parser)
    parsing.add_images(parser)
    parsing.add_categories(parser, add=False)
    parsing.add_journal(parser)
    parsing.add_model(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate; return the exit status."""
    inputs.refuse_add(options.categories)
    answer = inputs.category_answer(options.categories)
    outputs = Outputs([options.data, options.categories], overwrite=options.overwrite)
    outputs.reads_models([options.model])
    if options.json is not None:
        outputs.file(options.json, "--json")
    inputs.set_threads(options.threads)
    inputs.set_limits(options.max_pixels)

    from napari_fashion.engine.data.reading import load_sources
    from napari_fashion.engine.decode import announce_compiling
    from napari_fashion.engine.distributed import processes
    from napari_fashion.engine.evaluation.protocols import PROTOCOLS, evaluate_images
    from napari_fashion.engine.model import Model
    from napari_fashion.tally import Tally

    model = Model.load(options.model, options.device)
    left_out = Tally()
    with inputs.with_journal(options.data, options.with_journal) as file:
        source = _source(file, options)
        inputs.tell_problems_of([source], model.schema.file_schema)
        try:
            images = load_sources([source], model.schema, left_out, answer=answer)
        finally:
            terminal.tell(left_out)
    if options.json is not None:
        outputs.reads(image.path for image in images)
        outputs.check(options.json, "--json")
    protocols = list(PROTOCOLS) if options.protocol == "both" else [options.protocol]
    figures: dict[str, Any] = {"model": model.id, "data": options.data}
    inference = model.inference.overridden(
        flip_tta=options.flip_tta, sizes=options.multi_scale, refine=options.refine
    )
    told: Tally | None = None
    for protocol in protocols:
        passed_over = Tally()
        with (
            announce_compiling(terminal.notify),
            terminal.progress(f"evaluating ({protocol})", len(images)) as shown,
        ):
            report = evaluate_images(
                model,
                images,
                protocol=protocol,
                inference=inference,
                margin=options.margin,
                batch=options.batch,
                seed=options.seed,
                tally=passed_over,
                advance=shown.advance,
            )
        terminal.give(terminal.table(report.rows(), report.title))
        if told is None or told.counts != passed_over.counts:
            terminal.tell(passed_over)
        told = passed_over
        figures[protocol] = report.to_dict()
    if options.json is not None and processes().first:
        outputs.write(options.json, json.dumps(figures, indent=1).encode() + b"\n", "--json")
    return status.DONE


def _source(file: str, options: argparse.Namespace) -> Source:
    """Return the source that the arguments name."""
    from napari_fashion.datasets.source import Source

    return Source(
        file=file,
        images=str(options.images) if options.images else None,
        allow_roots=[str(root) for root in options.allow_root],
    )

"""Combine models of several body types into a model set.

Writes a small file that names the models and the body types of each. Where a model is expected to
predict with (predict, evaluate, pseudo-label, the annotator), the file stands for all of them: every
member predicts, and of garments at one place the one with the best score counts. Scores of models
that learned from different garments are not comparable: calibrate them on annotated data that no
member learned from.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

if TYPE_CHECKING:
    from napari_fashion.engine.model_set_file import ModelSetFile

EXAMPLES = (
    "napari-fashion combine upper=runs/upper lower=runs/lower full=runs/full --calibrate-on val.json "
    "--out combined.json",
    "napari-fashion combine upper,full=runs/tops lower=runs/legs --schema deepfashion --out combined.json",
)

EXPECTED = "expected BODY_TYPE=MODEL or BODY_TYPE,BODY_TYPE=MODEL, such as upper=runs/upper"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "members", nargs="+", type=_member, metavar="BODY_TYPE=MODEL",
        help=f"a model and the body types that it is for, separated by commas: {parsing.MODELS}, a run "
        "folder or a model file",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=parsing.path, required=True, metavar="FILE.json",
        help="file to write; it names the models by their paths relative to it",
    )  # fmt: skip
    parser.add_argument(
        "--calibrate-on", type=parsing.name, metavar="DATA",
        help="COCO file or data set by name, with garments of all body types: calibrate the members' "
        "scores on it (default: scores count as they are)",
    )  # fmt: skip
    parsing.add_images(parser)
    parsing.add_threads(parser)
    parsing.add_schema(parser, "what the set finds: ", "that of the member with all landmarks")
    parsing.add_overwrite(parser)


def _member(text: str) -> tuple[str, list[str]]:
    """Read a member: its source and its body types."""
    types, equals, source = text.partition("=")
    names = [name.strip() for name in types.split(",")]
    if not (equals and source and all(names)):
        raise argparse.ArgumentTypeError(f"found {text[:60]!r}; {EXPECTED}.")
    return parsing.name(source), names


def run(options: argparse.Namespace) -> int:
    """Combine; return the exit status."""
    sources = [source for source, _ in options.members]
    if twice := next((s for n, s in enumerate(sources) if s in sources[:n]), None):
        raise FashionError(
            f"the model {terminal.plain(twice)} is named twice; expected it once, with all of its body "
            "types (upper,full=MODEL)."
        )
    read = [] if options.calibrate_on is None else [options.calibrate_on]
    outputs = Outputs(read, overwrite=options.overwrite)
    outputs.reads_models(sources)
    outputs.file(options.out, "--out")

    from napari_fashion.engine.model_set_file import combine, common_schema, model_set_bytes
    from napari_fashion.schema import Schema

    given = options.schema
    schema = common_schema(sources) if given is None else Schema.load(given)
    made = combine(options.out, options.out.stem[:100], schema, dict(options.members))
    if options.calibrate_on is not None:
        made = _calibrated(made, options, outputs)
    outputs.write(options.out, model_set_bytes(made), "--out")
    covered = {name for _, names in options.members for name in names}
    if lacking := [name for name in schema.body_type_names if name not in covered]:
        terminal.warn(
            f"no member is for body type {' or '.join(lacking)}: such garments are taken for others."
        )
    terminal.notify(f"{options.out}: {len(sources)} models that predict {schema.name}")
    return status.DONE


def _calibrated(made: ModelSetFile, options: argparse.Namespace, outputs: Outputs) -> ModelSetFile:
    """Return a set with the calibration of its members' scores."""
    inputs.set_limits(options.max_pixels)

    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.data.reading import load_sources
    from napari_fashion.engine.decode import announce_compiling
    from napari_fashion.engine.evaluation.member_scores import fit_members, member_scores
    from napari_fashion.engine.model_set import ModelSet
    from napari_fashion.tally import Tally

    models = ModelSet.of_file(made, options.device, threads=options.threads)
    source = Source(
        file=options.calibrate_on,
        images=None if options.images is None else str(options.images),
        allow_roots=[str(root) for root in options.allow_root],
    )
    left_out = Tally()
    inputs.tell_problems_of([source], models.schema.file_schema)
    images = load_sources([source], models.schema, left_out)
    outputs.reads(image.path for image in images)
    total = len(images) * len(models.members)
    with announce_compiling(terminal.notify), terminal.progress("calibrating", total) as shown:
        found = member_scores(models, images, advance=shown.advance, tally=left_out)
    terminal.tell(left_out)
    fitted = fit_members(models, found)
    before = found.share_right([member.calibration for member in made.members])
    terminal.notify(
        f"of {len(found.member):,} garments {before:.1%} had the best score by the member for their body "
        f"type, {found.share_right(fitted):.1%} have it now (mean over the members, on the same data)"
    )
    members = zip(made.members, fitted, strict=True)
    return replace(made, members=tuple(replace(m, calibration=c) for m, c in members))

"""Combine models of several body types into a model set.

Writes a small file that names the models and the body types of each. Where a model is expected to
predict with (predict, evaluate, pseudo-label, the annotator), the file stands for all of them: every
member predicts, and of garments at one place the one with the best score counts.
"""

from __future__ import annotations

import argparse

from napari_fashion.cli import parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

EXAMPLES = (
    "napari-fashion combine upper=runs/upper lower=runs/lower full=runs/full --out combined.json",
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
    outputs = Outputs([], overwrite=options.overwrite)
    outputs.reads_models(sources)
    outputs.file(options.out, "--out")

    from napari_fashion.engine.model_set_file import common_schema, model_set_bytes
    from napari_fashion.schema import Schema

    given = options.schema
    schema = common_schema(sources) if given is None else Schema.load(given)
    data = model_set_bytes(options.out, options.out.stem[:100], schema, dict(options.members))
    outputs.write(options.out, data, "--out")
    covered = {name for _, names in options.members for name in names}
    if lacking := [name for name in schema.body_type_names if name not in covered]:
        terminal.warn(
            f"no member is for body type {' or '.join(lacking)}: such garments are taken for others."
        )
    terminal.notify(f"{options.out}: {len(sources)} models that predict {schema.name}")
    return status.DONE

"""Convert a fashion data set to COCO keypoint files, one for each of its parts.

Images are left where they are, and the files note the folder; or they are linked or copied into
OUT/images. What cannot be used is left out and reported by file, line, what was found and what was
expected. Boxes and landmarks outside their image are reported and kept.
"""

from __future__ import annotations

import argparse
import os

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.tally import counted

EXAMPLES = (
    "napari-fashion convert deepfashion-c downloads/DeepFashion-C --out deepfashion",
    "napari-fashion convert deepfashion2 downloads/DeepFashion2 --out deepfashion2 --image-files hardlink",
)
MOST_PROCESSES = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "format", metavar="FORMAT", choices=parsing.LazyChoices(_formats),
        help="deepfashion-c, deepfashion-l, deepfashion2, fashionai or coco (any COCO-like file)",
    )  # fmt: skip
    parser.add_argument("source", type=parsing.path, help="folder of the data set; a COCO file")
    parser.add_argument(
        "--out", type=parsing.path, required=True, metavar="DIR",
        help="folder of the COCO files; train.json, val.json and so on are written",
    )  # fmt: skip
    parser.add_argument(
        "--image-files", choices=("leave", "hardlink", "symlink", "copy"), default="leave",
        help="leave the images where they are, or put them into OUT/images",
    )  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true", help="write nothing, and fail, if anything is wrong"
    )
    _add_choices(parser)
    parser.add_argument(
        "--processes", type=parsing.whole(0, MOST_PROCESSES, "a number of processes"), metavar="N",
        help="processes that read the sizes of images; 0: none beside this one (default: as many as there "
        "are cores)",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=parsing.path, metavar="FOLDER",
        help="folder of the images, if it is not the data set's: the one that has img (DeepFashion), train "
        "and validation (DeepFashion2) or Images (FashionAI); of a COCO file, what names are relative to",
    )  # fmt: skip
    parsing.add_overwrite(parser)
    parsing.add_limits(parser)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    """Add the options that only some formats take."""
    parser.add_argument(
        "--annotations", choices=("auto", "old", "coarse", "fine"), default="auto",
        help="deepfashion-c: the lists of Anno, Anno_coarse or Anno_fine; auto: Anno_coarse, else Anno",
    )  # fmt: skip
    parser.add_argument(
        "--visibility", choices=("visible", "coarse"), default="visible",
        help="deepfashion-c, Anno_fine, which has no visibility: all visible, or as in Anno_coarse",
    )  # fmt: skip
    parser.add_argument(
        "--upper-last-pair", choices=("hem", "waistline"), default="hem",
        help="deepfashion-c and -l: what the last pair of an upper garment is; waistline, as the report "
        "has it",
    )  # fmt: skip
    parser.add_argument(
        "--landmarks", choices=("all", "category"), default="all",
        help="deepfashion2: all 294 landmarks in each annotation, or those of its category",
    )  # fmt: skip
    parser.add_argument(
        "--category", type=_category, metavar="NAME",
        help="deepfashion2: only the garments of a category, with its own schema (deepfashion2-skirt), and "
        "the images that show one",
    )  # fmt: skip
    parser.add_argument(
        "--schema", type=parsing.schema, metavar="NAME|FILE.toml",
        help="coco: what the landmarks mean, if the file does not name them",
    )  # fmt: skip


def _formats() -> list[str]:
    from napari_fashion.coco.convert import FORMATS

    return list(FORMATS)


def _category(text: str) -> str:
    """Read the name of a category of DeepFashion2."""
    from napari_fashion.coco.convert.deepfashion2 import category_index
    from napari_fashion.errors import ConvertError
    from napari_fashion.schema import Schema

    try:
        category_index(Schema.load("deepfashion2"), text)
    except ConvertError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def run(options: argparse.Namespace) -> int:
    """Convert; return the exit status."""
    from napari_fashion.coco.convert import ConvertOptions, Faults, convert

    inputs.set_limits(options.max_pixels)
    outputs = Outputs([options.source], overwrite=options.overwrite)
    if options.source.is_dir():  # a folder of COCO files
        outputs.reads(options.source.glob("*.json"))
    outputs.folder(options.out, "--out")
    processes = os.cpu_count() or 1 if options.processes is None else options.processes
    choices = ConvertOptions(
        annotations=options.annotations,
        visibility=options.visibility,
        upper_last_pair=options.upper_last_pair,
        landmarks=options.landmarks,
        category=options.category,
        schema=options.schema,
        image_root=options.images,
        image_files=options.image_files,
        allow_roots=tuple(options.allow_root),
        processes=min(processes, MOST_PROCESSES),
    )
    faults = Faults()
    try:
        with terminal.progress("converting") as progress:
            written = convert(
                options.format,
                options.source,
                options.out,
                choices,
                faults=faults,
                strict=options.strict,
                overwrite=options.overwrite,
                watch=lambda text, done, total: progress.update(done, total, text),
                claim=lambda path: outputs.file(path, "--out"),
            )
    finally:
        terminal.tell(faults.tally)
        for note in faults.notes:
            terminal.warn(note)
    for document in written:
        terminal.notify(
            f"{document.path}: {counted(document.images, 'image')}, "
            f"{counted(document.garments, 'garment')}"
        )
    return status.DONE

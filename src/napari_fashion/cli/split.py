"""Split a COCO file into train, val and test by group.

A group's part follows from its name and the seed alone: the split stays when images are added. Records
are copied as they are.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

if TYPE_CHECKING:
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.splitting import GroupOf
    from napari_fashion.tally import Tally

EXAMPLES = (
    "napari-fashion split annotations.json --val 0.1 --test 0.1 --out parts/",
    "napari-fashion split annotations.json --val 0.2 --group folder --out parts/",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    share = parsing.number(0, 0.99, "a share of the images")
    parser.add_argument("data", type=parsing.path, metavar="FILE", help="COCO file")
    parser.add_argument(
        "--out", required=True, type=parsing.path, metavar="FOLDER",
        help="folder to write train.json, val.json and test.json into",
    )  # fmt: skip
    parser.add_argument(
        "--val",
        type=share,
        default=0.0,
        metavar="X",
        help="share of the validation images, 0 to 0.99",
    )
    parser.add_argument(
        "--test", type=share, default=0.0, metavar="X", help="share of the test images, 0 to 0.99"
    )
    parser.add_argument(
        "--group", type=parsing.name, default="image", metavar="image|folder|key:NAME|name:REGEX",
        help="what stays together: an image alone (of the CC0 photos: its sender's), the images of a "
        "folder, those with the same value of a key of the image, or of a garment, such as key:pair_id, or "
        "those in whose file names a regular expression finds the same (default: image)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=parsing.whole(0, 2**32, "a seed"), default=0, metavar="N",
        help="of the order of the groups",
    )  # fmt: skip
    parsing.add_images(parser)
    parsing.add_journal(parser)
    parsing.add_overwrite(parser)


def run(options: argparse.Namespace) -> int:
    """Split; return the exit status."""
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.splitting import REST, split_by_group
    from napari_fashion.coco.writing import write_file
    from napari_fashion.schema import Schema
    from napari_fashion.tally import Tally

    shares = {name: x for name in ("val", "test") if (x := getattr(options, name))}
    if not shares:
        raise FashionError("neither --val nor --test is above 0; expected a share to split off.")
    inputs.set_limits(options.max_pixels)
    outputs = Outputs([options.data], overwrite=options.overwrite)
    targets = {
        name: outputs.file(options.out / f"{name}.json", "--out") for name in (REST, *shares)
    }
    tally = Tally()
    with inputs.with_journal(str(options.data), options.with_journal) as file:
        dataset = Dataset.load(
            file,
            fallback=Schema.load("garments"),
            image_root=options.images,
            allow_roots=options.allow_root,
        )
        inputs.tell_no_images(dataset, options.data)
        parts = split_by_group(
            dataset, shares, _group_of(options.group, dataset, tally), options.seed
        )
        terminal.tell(tally)
        rows = []
        for name, image_ids in parts.items():
            garments = {g.id for key in image_ids for g in dataset.garments_of(key)}
            if name == REST:  # with what belongs to no image
                known = {*dataset.images.ids}
                garments |= {g.id for g in dataset.garments if g.image_id not in known}
            outputs.check(targets[name], "--out")
            chunks = dataset.chunks(targets[name], images=set(image_ids), annotations=garments)
            write_file(chunks, targets[name], overwrite=options.overwrite)
            share = len(image_ids) / max(len(dataset.images), 1)
            rows.append((name, f"{len(image_ids):,}", f"{len(garments):,}", f"{share:.1%}"))
            if not image_ids:
                terminal.warn(
                    f"{targets[name]} has no image: the groups are too few for its share."
                )
    terminal.notify(terminal.table([("part", "images", "garments", "share"), *rows]))
    return status.DONE


def _group_of(text: str, dataset: Dataset, tally: Tally) -> GroupOf:
    """Return what groups images as ``--group`` says.

    Raises
    ------
    FashionError
        If it is none of the ways, or a key that no image has.
    """
    from napari_fashion.coco.splitting import by_folder, by_key, by_pattern
    from napari_fashion.datasets.opening import image_identity
    from napari_fashion.datasets.source import Source

    kind, _, argument = text.partition(":")
    if text == "image":
        source = Source(file="annotations.json")
        return lambda image: image_identity(source, image.file_name)[1]
    if text == "folder":
        return by_folder
    if kind == "key" and argument:
        return by_key(dataset, argument, tally)
    if kind == "name" and argument:
        return by_pattern(argument)
    raise FashionError(
        f"--group is {text[:60]!r}; expected image, folder, key:NAME or name:REGEX, such as key:pair_id."
    )

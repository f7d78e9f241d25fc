"""What the decoder makes of fields without any error, where landmarks of several garments fall together.

    python training/perfect_fields.py
    python training/perfect_fields.py --data people:train+validation

Fields are the targets of training themselves (`engine.targets`), of known garments: what the best network
there could be would say. What is not found in them the fields cannot say, or the decoder does not read.
Prints, for two upper garments that differ by a shift, for procedural layouts and for COCO files, how many
garments are found and where landmarks go (`engine.evaluation.association`). Of a landmark that its garment
lacks:

- no cell: no PIF cell points to it, since the same landmark of a neighbour is nearer to all of them;
- taken: it was placed, and suppression gave its place to a better garment;
- dropped: it was placed in a garment that is not returned, or in one of another;
- not joined: nothing placed it.

Needs no model. Category: garments found whose category is the likeliest in a category field that says of
every cell which garments' boxes it lies in.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from nearness import joined_by_nearness
from numpy.typing import NDArray

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.batch import GarmentBatch
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.decode import DecoderOptions, DecodeTrace, decode_fields
from napari_fashion.engine.decode.trace import Placed, Seed, Step, Taken
from napari_fashion.engine.evaluation.association import Association, associate
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.pipeline import Pipeline
from napari_fashion.engine.inference.runtime import Runtime
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.prediction import Prediction
from napari_fashion.engine.targets.encode import FieldTargets, encode_targets
from napari_fashion.engine.targets.layers import in_layers
from napari_fashion.engine.targets.options import TargetOptions
from napari_fashion.schema import Schema

STRIDE = 8
SPREAD = 0.3
"""Laplace scale of all places, cells: sure, as a trained network is of what it sees well."""
SIDES = (256, 512)
"""Longer sides of the image in the network's input: those of a usual detection and redetection."""
REASONS = ("no cell", "taken", "dropped", "not joined")
SHIFTS = (0.25, 0.5, 1, 1.5, 2, 3, 4, 6)
_SURE = 10.0  # logit of a category where its garment is


LAYERS = {"lower": ["Pants", "Shorts", "Skirt"], "outer": ["Blazer", "Outwear"]}
"""Layers of clothing that are compared with one layer of all (`NetworkConfig.layers`)."""
VARIANTS: dict[str, tuple[bool, dict[str, list[str]]]] = {
    "PAF": (True, {}),
    "PAF, in layers": (True, LAYERS),
    "nearness": (False, {}),
}
"""Whether landmarks are joined by the PAF, and in which layers."""


def perfect_fields(image: AnnotatedImage, layers: Layers, side: int) -> Fields:
    """Return the targets of an image's garments as fields.

    Parameters
    ----------
    image
        The truth; pixels are not read.
    layers
        Which landmarks have fields of their own.
    side
        Longer side in the network's input, pixels; a cell is `STRIDE` of them wide.
    """
    factor = side / max(image.size)
    width, height = (max(round(s * factor), STRIDE) for s in image.size)
    shape = -(-height // STRIDE), -(-width // STRIDE)
    schema = layers.field_schema
    garments = in_layers(_batch(image, factor, (width, height)), layers)
    targets = encode_targets(garments, schema, TargetOptions(), shape, STRIDE)
    k, e, (h, w) = schema.n_landmarks, len(schema.edges), shape
    category = np.zeros((len(schema.categories), h, w), np.float32)
    for g, c in enumerate(image.category.tolist()):
        if c >= 0:
            category[c][targets.garment_cells[0, g].numpy()] = _SURE
    pif_xy, pif_size = _dense(targets.pif, 0, k)
    xy1, _ = _dense(targets.paf, 0, e)
    xy2, _ = _dense(targets.paf, 1, e)
    spread = np.full((e, h, w), SPREAD, np.float32)
    return Fields(
        pif_confidence=targets.pif.confidence[0].numpy(),
        pif_xy=pif_xy,
        pif_spread=np.full((k, h, w), SPREAD, np.float32),
        pif_size=np.maximum(pif_size, 2 * SPREAD),
        paf_confidence=targets.paf.confidence[0].numpy(),
        paf_xy1=xy1,
        paf_xy2=xy2,
        paf_spread1=spread,
        paf_spread2=spread,
        category=category,
        edges=schema.edges,
        scale=(STRIDE / factor, STRIDE / factor),
        offset=((STRIDE / 2) / factor - 0.5, (STRIDE / 2) / factor - 0.5),
    )


def _batch(image: AnnotatedImage, factor: float, size: tuple[int, int]) -> GarmentBatch:
    """Return the garments of one image in the network's input."""

    def scaled(places: NDArray[np.float32]) -> torch.Tensor:
        return torch.as_tensor((places + 0.5) * factor - 0.5)[None].float()

    w, h = (float(s) - 0.5 for s in size)
    sides = image.box[:, 2:] - image.box[:, :2]
    return GarmentBatch(
        scaled(image.xy),
        torch.as_tensor(image.visibility)[None],
        torch.as_tensor(image.member)[None],
        scaled(image.box),
        torch.as_tensor(np.maximum(sides.prod(1), 1) * factor**2)[None].float(),
        torch.as_tensor(image.category)[None],
        torch.as_tensor(image.crowd)[None],
        torch.ones(1, len(image.xy), dtype=torch.bool),
        torch.tensor([[[-0.5, -0.5], [w, -0.5], [w, h], [-0.5, h]]]),
    )


def _dense(field: FieldTargets, end: int, n: int) -> tuple[NDArray[np.float32], ...]:
    """Return places (n, 2, H, W), in cells, and sizes (n, H, W) to which a field's cells point."""
    _, _, h, w = field.confidence.shape
    xy = np.zeros((n, 2, h, w), np.float32)
    size = np.ones((n, h, w), np.float32)
    _, channel, row, column = field.cells.numpy().T
    vector = field.points[end].vector.numpy()
    xy[channel, 0, row, column] = column + vector[:, 0]
    xy[channel, 1, row, column] = row + vector[:, 1]
    size[channel, row, column] = field.points[end].size.numpy()
    return xy, size


def decoded(
    image: AnnotatedImage, fields: Fields, layers: Layers, names: dict[str, list[str]]
) -> tuple[Prediction, Association, Counter[str]]:
    """Decode fields; return what was found, what became of the garments, and why landmarks lack.

    `names` are those of the layers, as a network's options have them.
    """
    config = NetworkConfig(layers=names)
    # Decoding runs no network.
    pipeline = Pipeline(cast(Runtime, None), layers.schema, config, lambda: "perfect fields")
    options = DecoderOptions()
    prediction = pipeline.find(fields, image.size, options)
    association = associate(image, prediction, layers.schema)
    steps: list[tuple[int, Step]] = []
    for n, layer in enumerate(layers.layers):
        trace = DecodeTrace()
        part = layers.part_of(fields, n)
        decode_fields(part, None, options, landmark_sets=layer.sets, trace=trace)
        steps += [(n, step) for step in trace.steps]
    return prediction, association, _reasons(image, fields, layers, association, steps)


def _reasons(
    image: AnnotatedImage,
    fields: Fields,
    layers: Layers,
    found: Association,
    steps: Sequence[tuple[int, Step]],
) -> Counter[str]:
    """Count why labelled landmarks are not their garment's, by `REASONS`."""
    placed = [(n, step) for n, step in steps if isinstance(step, Seed | Placed)]
    taken = {(n, s.garment, s.landmark) for n, s in steps if isinstance(s, Taken)}
    counts: Counter[str] = Counter()
    for place, g in enumerate(found.garments.tolist()):
        cells = fields.to_cells(image.xy[g])
        n = layers.of_category[image.category[g]] if image.category[g] >= 0 else 0
        layer = layers.layers[n]
        for own, k in enumerate(layer.landmarks):
            if not found.labelled[place, k] or found.own[place, k]:
                continue
            field = layer.first + own
            points = fields.pif_xy[field][:, fields.pif_confidence[field] > 0]
            if not (np.linalg.norm(points.T - cells[k], axis=1) < 0.05).any():
                counts["no cell"] += 1
                continue
            here = [
                s for m, s in placed
                if (m, s.landmark) == (n, own) and np.hypot(*(cells[k] - s.xy)) < 0.75
            ]  # fmt: skip
            if any((n, s.garment, own) in taken for s in here):
                counts["taken"] += 1
            else:
                counts["dropped" if here else "not joined"] += 1
    return counts


def pair(schema: Schema, shift: float, side: int = 256) -> AnnotatedImage:
    """Return the truth of two upper garments, one `shift` cells below and right of the other."""
    upper = list(schema.landmarks_of("upper"))
    shape = np.array(
        [[0.35, 0], [0.65, 0], [0, 0.4], [1, 0.4], [0.3, 0.5], [0.7, 0.5], [0.2, 1], [0.8, 1]]
    )
    one = shape * (120, 140) + (60, 50)
    xy = np.stack([one, one + shift * STRIDE / np.sqrt(2)]).astype(np.float32)
    there = np.isin(np.arange(schema.n_landmarks), upper)
    xy[:, ~there] = 0
    box = np.array([[*g[there].min(0), *g[there].max(0)] for g in xy], np.float32)
    categories = [schema.category_index(name) for name in ("T-Shirt", "Blazer")]
    return AnnotatedImage(
        "pair", "pair", Path("pair.png"), (side, side), xy, np.stack([2 * there] * 2).astype(int),
        np.stack([there] * 2), box, np.array(categories), np.zeros(2, np.bool_),
    )  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=40, help="images of each layout")
    parser.add_argument("--seed", type=int, default=70000)
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        help="a COCO file or another source, such as people:train; may be repeated",
    )
    parser.add_argument("--no-layouts", action="store_true", help="without procedural garments")
    parser.add_argument("--images", help="folder of the images of --data")
    parser.add_argument("--categories", help="map of the categories of --data (TOML)")
    options = parser.parse_args()
    schema = Schema.load("garments")
    print("| two upper garments, cells apart | found | lacking, of 12 |\n|---|---|---|")
    for shift in SHIFTS:
        image = pair(schema, shift)
        one = Layers.of(schema, {})
        _, association, reasons = decoded(image, perfect_fields(image, one, 256), one, {})
        lacking = ", ".join(f"{n} {why}" for why, n in reasons.items()) or "none"
        print(f"| {shift:g} | {association.found.sum()} | {lacking} |")
    print(
        "\n| set | images / garments | side | joined by | found | assigned | placed | false | "
        + " | ".join(REASONS)
        + " | category |\n"
        + "|---" * (9 + len(REASONS))
        + "|"
    )
    for title, images in _sets(options, schema):
        for side in SIDES:
            for variant in VARIANTS:
                print(_line(title, images, schema, side, variant), flush=True)


def _sets(
    options: argparse.Namespace, schema: Schema
) -> Iterator[tuple[str, list[AnnotatedImage]]]:
    start = f"layouts:{options.count}:{options.seed}:cut_off=0,"
    names = {f"laid, {n}": f"{start}worn=0,overlap=0.1,garments={n}" for n in (2, 6)}
    names |= {
        f"laid, 3, overlap {share}": f"{start}worn=0,garments=3,overlap={share}"
        for share in (0.4, 0.8)
    }
    names |= {f"worn, {n}": f"{start}worn=1,garments={n}" for n in (2, 3, 6)}
    for title, name in names.items() if not options.no_layouts else ():
        yield title, load_sources([Source(file=name)], schema)
    for file in options.data:
        source = Source(file=file, images=options.images, categories=options.categories)
        yield Path(file).stem, load_sources([source], schema)


def _line(
    title: str, images: Sequence[AnnotatedImage], schema: Schema, side: int, variant: str
) -> str:
    """Return a row of the table."""
    paf, names = VARIANTS[variant]
    layers = Layers.of(schema, names)
    totals: Counter[str] = Counter()
    for image in images:
        fields = perfect_fields(image, layers, side)
        if not paf:
            fields = joined_by_nearness(fields)
        prediction, a, reasons = decoded(image, fields, layers, names)
        totals += reasons
        for name, n in (
            ("garments", len(a.garments)), ("found", a.found.sum()), ("own", a.own.sum()),
            ("astray", a.astray.sum()), ("labelled", a.labelled.sum()), ("false", a.false),
        ):  # fmt: skip
            totals[name] += int(n)
        right, known = _categories(image, prediction, a, schema)
        totals["right"] += right
        totals["known"] += known

    def share(part: str, *whole: str) -> str:
        n = sum(totals[name] for name in whole)
        return f"{100 * totals[part] / n:.1f} %" if n else ""

    cells = [
        title,
        f"{len(images)} / {totals['garments']}",
        str(side),
        variant,
        share("found", "garments"),
        share("own", "own", "astray"),
        share("own", "labelled"),
        f"{totals['false'] / max(len(images), 1):.2f}",
        *(share(why, "labelled") for why in REASONS),
        share("right", "known"),
    ]
    return "| " + " | ".join(cells) + " |"


def _categories(
    image: AnnotatedImage, prediction: Prediction, found: Association, schema: Schema
) -> tuple[int, int]:
    """Return how many garments that were found have the right category, and how many have one."""
    right = known = 0
    for place, g in enumerate(found.garments.tolist()):
        if not found.found[place] or image.category[g] < 0:
            continue
        alone = replace(image, crowd=np.arange(len(image.crowd)) != g)
        one = [
            p for p in prediction.garments
            if associate(alone, replace(prediction, garments=(p,)), schema).found.any()
        ]  # fmt: skip
        known += 1
        right += bool(one) and one[0].category_index == image.category[g]
    return right, known


if __name__ == "__main__":
    main()

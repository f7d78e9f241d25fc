"""Show whose garment counts in a model set, and whether scores of its members are comparable.

For crops of annotated garments, prints which member has the best score by the garment's true body type,
and the mean score that each member gives. If scores were not comparable, one member would be chosen for
garments of the others' types.

    python training/combined.py combined.json samples:150:77
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.cuts import CUTS, show
from napari_fashion.engine.evaluation.judged import body_type_of
from napari_fashion.engine.evaluation.protocols import ONE_GARMENT
from napari_fashion.engine.model_set import ModelSet
from napari_fashion.engine.model_set_file import ModelSetFile, read_models
from napari_fashion.errors import FashionError

Scores = dict[str, list[list[float]]]
"""By true body type, of each garment the score that each member gives."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a model set (napari-fashion combine)")
    parser.add_argument("data", help="COCO file, or a data set by name")
    parser.add_argument("--json", help="also write the scores to this file")
    options = parser.parse_args()
    file = read_models(options.model)
    if not isinstance(file, ModelSetFile):
        raise FashionError(f"{options.model} is one model; expected a model set.")
    models = ModelSet.of_file(file, "cpu")
    images = load_sources([Source(file=options.data)], models.schema)
    scores = member_scores(models, images)
    for line in table(models, scores):
        print(line)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as stream:
            json.dump({"members": models.member_names, "scores": scores}, stream, indent=1)


def member_scores(models: ModelSet, images: Sequence[AnnotatedImage]) -> Scores:
    """Return the scores of crops by the box of the labelled landmarks, with every landmark placed."""
    inference = models.inference.overridden(decoder=ONE_GARMENT)
    scores: Scores = defaultdict(list)
    for image in images:
        pixels = image.read()
        for i in range(len(image.category)):
            if image.why_not_judged(i, CUTS["hull"].least):
                continue
            crop, _ = show(CUTS["hull"], pixels, image, i, 0.0)
            found = [
                models.only(member.body_types).predict([crop], inference, crop=True)
                for member in models.members
            ]
            own = [float(predictions[0].garments[0].score) for predictions in found]
            scores[body_type_of(image, i, models.schema)].append(own)
    return dict(scores)


def table(models: ModelSet, scores: Scores) -> list[str]:
    """Return the tables as Markdown."""
    names = models.member_names
    lines = [
        "| body type | garments | "
        + " | ".join(f"{name}: best score" for name in names)
        + " | "
        + " | ".join(f"{name}: mean score" for name in names)
        + " | member of the type |",
        "|---" * (3 + 2 * len(names)) + "|",
    ]
    right_of_all = total = 0
    for body_type in (*models.schema.body_type_names, ""):
        if body_type not in scores:
            continue
        values = np.array(scores[body_type])
        best = values.argmax(1)
        own = [n for n, member in enumerate(models.members) if body_type in member.body_types]
        right = int(np.isin(best, own).sum())
        right_of_all, total = right_of_all + right, total + len(values)
        cells = [str(int((best == n).sum())) for n in range(len(names))]
        cells += [f"{mean:.3f}" for mean in values.mean(0)]
        label = body_type or "not known"
        share = f"{right / len(values):.1%}"
        lines.append(f"| {label} | {len(values)} | {' | '.join(cells)} | {share} |")
    lines.append(f"\nMember of the type chosen: {right_of_all} of {total}.")
    return lines


if __name__ == "__main__":
    main()

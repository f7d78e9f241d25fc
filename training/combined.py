"""Show whose garment counts in a model set, and whether scores of its members are comparable.

For crops of annotated garments, prints the mean score that each member gives by the garment's true body
type, and whose score is the best: as they are, and as the set calibrates them.

    python training/combined.py combined.json samples:150:77
"""

from __future__ import annotations

import argparse

import numpy as np

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.member_scores import MemberScores, member_scores
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.inference import choosing
from napari_fashion.engine.model_set import ModelSet
from napari_fashion.engine.model_set_file import ModelSetFile, ScoreCalibration, read_models
from napari_fashion.errors import FashionError


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a model set (napari-fashion combine)")
    parser.add_argument("data", help="COCO file, or a data set by name")
    parser.add_argument(
        "--same-cloth", type=float, nargs="+", default=[], metavar="SIMILARITY",
        help="also evaluate whole images with each of these values of choosing.SAME_CLOTH",
    )  # fmt: skip
    options = parser.parse_args()
    file = read_models(options.model)
    if not isinstance(file, ModelSetFile):
        raise FashionError(f"{options.model} is one model; expected a model set.")
    models = ModelSet.of_file(file, "cpu")
    images = load_sources([Source(file=options.data)], models.schema)
    print("\n".join(table(models, member_scores(models, images))))
    for similarity in options.same_cloth:
        choosing.SAME_CLOTH = similarity
        report = evaluate_images(models, images, protocol="whole", rounds=0).report
        print(
            f"same cloth from {similarity}: {report.precision:.1%} right, {report.recall:.1%} found"
        )


def table(models: ModelSet, found: MemberScores) -> list[str]:
    """Return the table as Markdown, and the shares of garments whose member has the best score."""
    names = models.member_names
    lines = [
        f"| body type | garments | {' | '.join(f'mean score, {name}' for name in names)} | "
        f"{' | '.join(f'best score, {name}' for name in names)} |",
        "|---" * (2 + 2 * len(names)) + "|",
    ]
    best = found.scores.argmax(1)
    types = np.array(found.body_types)
    for body_type in dict.fromkeys(found.body_types):
        own = types == body_type
        cells = [body_type, str(own.sum())]
        cells += [f"{mean:.3f}" for mean in found.scores[own].mean(0)]
        cells += [str(int((best[own] == m).sum())) for m in range(len(names))]
        lines.append(f"| {' | '.join(cells)} |")
    calibrations = [member.calibration for member in models.members]
    for what, used in (
        ("scores as they are", [ScoreCalibration()] * len(names)),
        ("scores as the set calibrates them", calibrations),
    ):
        lines.append(
            f"{what}: the member of the type has the best score for {found.right(used).mean():.1%} of the "
            f"garments, {found.share_right(used):.1%} as the mean over the members"
        )
    return lines


if __name__ == "__main__":
    main()

"""What retraining on one unseen sender's corrected photos brings there, and costs elsewhere.

    python training/adaptation.py photos:test "sender 352" --count 25 --run runs/adapted

Takes `count` of the sender's photos with their landmarks as the corrected ones, retrains the model on
all of them (rate, epochs, batch, frozen norms and share of the old weights as the app's Retrain dock
sets them), and evaluates the old and the new model on the sender's other photos and on those of the
other senders. With photos:train only the images that the model did not learn from are used.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from napari_fashion.app.retraining import KEEP_START, RetrainOptions
from napari_fashion.datasets import photos
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.options import FINE_TUNING
from napari_fashion.engine.train.recipe import Recipe


def main() -> None:
    """Retrain and compare; print a table and keep the figures in the run's folder."""
    parser = _parser()
    options = parser.parse_args()

    old = Model.load(options.model, "cpu")
    learned = set(old.info.data["split"]["train"])
    images = [
        p for p in load_sources([Source(file=options.source)], old.schema) if p.key not in learned
    ]
    own = sorted((p for p in images if p.group == options.sender), key=lambda p: p.key)
    if len(own) <= options.count:
        parser.error(
            f"{options.sender} has {len(own)} photos that the model did not learn from; expected more "
            f"than --count, which is {options.count}."
        )
    if options.run.exists():
        parser.error(f"{options.run} exists; give another --run.")
    corrected, others = own[: options.count], own[options.count :]
    rest = [p for p in images if p.group != options.sender]

    recipe = _recipe(options, corrected)
    new = Model.load(train(recipe, options.run, device="cpu"), "cpu")
    figures = {
        where: {name: _figures(model, judged) for name, model in (("before", old), ("after", new))}
        for where, judged in (("the sender's other photos", others), ("other senders", rest))
    }
    counts = {"corrected": len(corrected), "others": len(others), "rest": len(rest)}
    text = json.dumps(
        {"model": old.id, "sender": options.sender, **counts, "figures": figures}, indent=1
    )
    (options.run / "adaptation.json").write_text(text + "\n", "utf-8")
    print(f"{old.id}, {options.sender}: {counts}")
    for where, both in figures.items():
        for name, before in both["before"].items():
            after = both["after"][name]
            print(
                f"{where}, {name}: {before:.4f} -> {after:.4f} ({100 * (after / before - 1):+.1f} %)"
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="photos:test or photos:train")
    parser.add_argument("sender", help="such as 'sender 352'")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--count", type=int, default=50, help="of corrected photos")
    parser.add_argument("--epochs", type=int, default=RetrainOptions.epochs)
    parser.add_argument("--lr", type=float, default=RetrainOptions.lr)
    parser.add_argument("--keep", type=float, default=KEEP_START, help="of the old model's weights")
    parser.add_argument(
        "--teach", type=float, default=0.0, help="share of the old model in the category targets"
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of the new run")
    return parser


def _recipe(options: argparse.Namespace, corrected: list[AnnotatedImage]) -> Recipe:
    return Recipe.from_dict(
        {
            "name": "adapted",
            "start_from": options.model,
            "data": {
                "train": [{"file": str(_write(corrected, options)), "images": str(_images())}],
                "validation_share": 0.0,
                **FINE_TUNING["data"],
            },
            "network": FINE_TUNING["network"],
            "optimiser": {
                "lr": options.lr,
                "keep_start": options.keep,
                **FINE_TUNING["optimiser"],
            },
            "teacher": {"model": "start", "category": options.teach},
            "schedule": {
                **FINE_TUNING["schedule"],
                "epochs": options.epochs,
                "batch": RetrainOptions.batch,
                "warmup_epochs": min(1.0, options.epochs / 10),
            },
        }
    )


def _images() -> Path:
    folder = photos.locate()
    if folder is None:
        raise SystemExit("The photos are not here: napari-fashion fetch.")
    return folder / "images"


def _write(images: list[AnnotatedImage], options: argparse.Namespace) -> Path:
    keys = {p.key for p in images}
    dataset = open_source(Source(file=options.source))
    subset = dataset.subset([i.id for i in dataset.images if Path(i.file_name).name in keys])
    options.run.mkdir(parents=True)
    path: Path = options.run / "corrected.json"
    subset.save(path)
    return path.resolve()


def _figures(model: Model, images: list[AnnotatedImage]) -> dict[str, float]:
    box = evaluate_images(model, images, protocol="box", rounds=0)
    whole = evaluate_images(model, images, protocol="whole", rounds=0)
    return {
        "box-crop NE": box.report.average_error or 0.0,
        "box-crop median": box.report.median_error or 0.0,
        "box-crop top-1": box.report.top1 or 0.0,
        "whole NE": whole.report.average_error or 0.0,
    }


if __name__ == "__main__":
    main()

"""What retraining on a few photos of one unseen sender brings there, and costs elsewhere.

    python training/adaptation.py photos:test "sender 352" --count 25 --run runs/adapted
    python training/adaptation.py photos:test "sender 352" "sender 126" --count 12 --run runs/few

Of each sender takes `count` photos with their landmarks as the corrected ones, fine-tunes the model on
all of them as the app's Retrain dock and ``napari-fashion train export.json`` do, and evaluates the old
and the new model on the sender's other photos and on those of the other senders. With photos:train only
the images that the model did not learn from are used. `--set` changes the recipe.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

from napari_fashion.datasets import photos
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.fine_tuning import FineTuning
from napari_fashion.engine.train.recipe import Recipe


def main() -> None:
    """Retrain and compare, sender by sender; print a table and keep the figures in the runs' folders."""
    parser = _parser()
    options = parser.parse_args()
    old = Model.load(options.model, "cpu")
    learned = set(old.info.data["split"]["train"])
    images = [
        p for p in load_sources([Source(file=options.source)], old.schema) if p.key not in learned
    ]
    for sender in options.senders:
        n = sum(p.group == sender for p in images)
        if n <= options.count:
            parser.error(
                f"{sender} has {n} photos that the model did not learn from; expected more than --count, "
                f"which is {options.count}."
            )
    if options.run.exists():
        parser.error(f"{options.run} exists; give another --run.")
    for sender in options.senders:
        _adapt(old, sender, images, options.run / sender.replace(" ", "-"), options)


def _adapt(
    old: Model, sender: str, images: list[AnnotatedImage], run: Path, options: argparse.Namespace
) -> None:
    """Retrain on some photos of a sender; judge on its others, and on those of the other senders."""
    own = sorted((p for p in images if p.group == sender), key=lambda p: p.key)
    corrected, others = own[: options.count], own[options.count :]
    rest = [p for p in images if p.group != sender]
    recipe = _recipe(options, corrected, run)
    new = Model.load(train(recipe, run / "run", device="cpu"), "cpu")
    figures = {
        where: {name: _figures(model, judged) for name, model in (("before", old), ("after", new))}
        for where, judged in (("the sender's other photos", others), ("other senders", rest))
    }
    counts = {"corrected": len(corrected), "others": len(others), "rest": len(rest)}
    text = json.dumps({"model": old.id, "sender": sender, **counts, "figures": figures}, indent=1)
    (run / "adaptation.json").write_text(text + "\n", "utf-8")
    print(f"{old.id}, {sender}: {counts}", flush=True)
    for where, both in figures.items():
        for name, before in both["before"].items():
            after = both["after"][name]
            change = f" ({100 * (after / before - 1):+.1f} %)" if before else ""
            print(f"{where}, {name}: {before:.4f} -> {after:.4f}{change}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="photos:test or photos:train")
    parser.add_argument("senders", nargs="+", help="such as 'sender 352'")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--count", type=int, default=50, help="of corrected photos")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TOML", help="such as 'optimiser.lr = 1e-4'"
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of the new runs")
    return parser


def _recipe(options: argparse.Namespace, corrected: list[AnnotatedImage], run: Path) -> Recipe:
    """Return the recipe of fine-tuning; every corrected photo is learned from."""
    fine_tuning = FineTuning(start_from=options.model, name="adapted", validation_share=0.0)
    file = str(_write(corrected, options.source, run))
    document = fine_tuning.document(file, images=str(_images()))
    for table, values in tomllib.loads("\n".join(options.set)).items():
        document[table] = {**document.get(table, {}), **_as_table(table, values)}
    return Recipe.from_dict(document)


def _as_table(name: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise SystemExit(f"--set {name} = ...: expected a key of a table, such as optimiser.lr.")
    return values


def _images() -> Path:
    folder = photos.locate()
    if folder is None:
        raise SystemExit("The photos are not here: napari-fashion fetch.")
    return folder / "images"


def _write(images: list[AnnotatedImage], source: str, run: Path) -> Path:
    keys = {p.key for p in images}
    dataset = open_source(Source(file=source))
    subset = dataset.subset([i.id for i in dataset.images if Path(i.file_name).name in keys])
    run.mkdir(parents=True)
    path = run / "corrected.json"
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

"""How well a run learns landmarks and categories that its start lacks.

    python training/transfer.py renamed --photos 60 --run runs/renamed
    python training/transfer.py own --photos 60 --run runs/own

Takes photos of photos:train and gives their fields other names, so that the bundled model lacks them:

- ``renamed``: sleeves and waistlines (4 of 8 landmarks) and every third category are called otherwise;
- ``own``: every category has landmarks of its own, as in DeepFashion2, so that all of them are new.

Fine-tunes by the shortest recipe, and judges the new model on photos:test with the same names, beside the
bundled model by the names that it knows: what it could learn at best from few photos.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

from napari_fashion.datasets import photos
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.evaluation.report import Report
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.schema import Schema

NEW = "new "
"""Put before the name of what is new."""


def main() -> None:
    """Rename, fine-tune, judge; print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["renamed", "own"])
    parser.add_argument("--photos", type=int, default=60, help="of photos:train to learn from")
    parser.add_argument("--epochs", type=int, help="(default: as fine-tuning has it)")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    options = parser.parse_args()
    options.run.mkdir(parents=True)
    start = Model.load("bundled", "cpu")
    rename = _renamed if options.kind == "renamed" else _own
    files = {
        split: _write(rename, split, options.run / f"{split}.json", count)
        for split, count in (("train", options.photos), ("test", None))
    }
    recipe: dict[str, Any] = {
        "start_from": "bundled",
        "data": {"train": [files["train"]], "validation_share": 0.0},
    }
    if options.epochs is not None:
        recipe["schedule"] = {"epochs": options.epochs}
    path = train(Recipe.from_dict(recipe), options.run / "run", device="cpu")
    new = Model.load(path, "cpu")
    test = load_sources([Source.model_validate(files["test"])], new.schema)
    after = evaluate_images(new, test, rounds=0).report
    known = load_sources([Source(file="photos:test")], start.schema)
    before = evaluate_images(start, known, rounds=0).report
    print(f"{start.id} by its own names: {_line(before, '')}")
    print(f"after {options.photos} photos, all landmarks: {_line(after, '')}")
    print(f"after {options.photos} photos, new landmarks: {_line(after, NEW)}")


def _line(report: Report, prefix: str) -> str:
    """Return the mean NE of the landmarks whose names have a prefix, and the top-1 of all garments."""
    errors = [
        e for n, e in report.error_by_landmark.items() if n.startswith(prefix) and e is not None
    ]
    mean = sum(errors) / len(errors) if errors else float("nan")
    return f"NE {mean:.4f} of {len(errors)} landmarks, top-1 {100 * (report.top1 or 0):.1f} %"


def _renamed(document: dict[str, Any], schema: Schema) -> None:
    """Rename sleeves, waistlines and every third category."""
    landmarks = [
        NEW + name if "sleeve" in name or "waistline" in name else name for name in schema.landmarks
    ]
    for i, category in enumerate(document["categories"]):
        category["keypoints"] = landmarks
        if i % 3 == 0:
            category["name"] = NEW + category["name"]


def _own(document: dict[str, Any], schema: Schema) -> None:
    """Give each category the landmarks that its garments can have as its own."""
    members = {c.name: schema.landmarks_of_category(i) for i, c in enumerate(schema.categories)}
    name_of = {}
    for category in document["categories"]:
        places = members[category["name"]]
        name_of[category["id"]] = category["name"]
        place = {landmark: n for n, landmark in enumerate(places)}
        category["keypoints"] = [
            f"{NEW}{category['name']} {schema.landmarks[landmark]}" for landmark in places
        ]
        category["skeleton"] = [
            [place[a] + 1, place[b] + 1] for a, b in schema.edges if a in place and b in place
        ]
    for annotation in document["annotations"]:
        flat = annotation["keypoints"]
        places = members[name_of[annotation["category_id"]]]
        annotation["keypoints"] = [v for p in places for v in flat[3 * p : 3 * p + 3]]


def _write(rename: Any, split: str, path: Path, count: int | None) -> dict[str, Any]:
    """Write renamed photos; return them as a source."""
    dataset = open_source(Source(file=f"photos:{split}"))
    chosen = [image.id for image in dataset.images if image.garments]
    if count is not None:
        chosen = sorted(random.Random(0).sample(chosen, count), key=str)
    dataset.subset(chosen).save(path)
    document = json.loads(path.read_text("utf-8"))
    document.get("info", {}).pop("fashion", None)  # the schema that it was
    schema = Schema.load("garments")
    rename(document, schema)
    path.write_text(json.dumps(document), "utf-8")
    folder = photos.locate()
    if folder is None:
        raise SystemExit("The photos are not here: napari-fashion fetch.")
    return {"file": str(path.resolve()), "images": str(folder / "images")}


if __name__ == "__main__":
    main()

"""Put the landmark files of the street photos, their tags and how to know the photos into the package.

    python training/pack_people.py FOLDER

FOLDER has train.json, test.json, tags.csv and categories.csv, and the photos as the landmarks were read
off them (images/, unlabelled/). Writes train.json, test.json, tags.csv, categories.csv and photos.csv to
datasets/people/data in the package. No photo is written.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from napari_fashion.coco import provenance
from napari_fashion.coco.records import category_records
from napari_fashion.datasets.people.fetch import look
from napari_fashion.datasets.people.locate import DATA
from napari_fashion.datasets.people.splits import IMAGES, TAGGED
from napari_fashion.datasets.people.tags import TAGS, schema_of
from napari_fashion.files import atomic_write
from napari_fashion.images import read_image

INFO = {"version": "1.0", "year": 2026, "contributor": "napari-fashion", "license": "CC0-1.0"}
PARTS = ("train", "test")


def main() -> None:
    """Read the folder, write the package's files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    found = {part: json.loads((folder / f"{part}.json").read_text("utf-8")) for part in PARTS}
    write_table(folder, found)
    schema = schema_of(TAGS)
    for part, document in found.items():
        description = f"Landmarks of garments on people, {part} split"
        note = {provenance.KEY: {"schema": schema.to_note()}}
        document["info"] = {"description": description, **INFO, **note}
        document["categories"] = category_records(schema)
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        atomic_write(DATA / f"{part}.json", text.encode() + b"\n")
    atomic_write(DATA / "tags.csv", (folder / "tags.csv").read_bytes())
    write_photos(folder)


def write_table(folder: Path, found: dict[str, Any]) -> None:
    """Write the tags' categories, with the body types that garments of each tag are."""
    types: dict[str, Counter[str]] = defaultdict(Counter)
    n_train: Counter[str] = Counter()
    for part, document in found.items():
        names = {category["id"]: category["name"] for category in document["categories"]}
        for annotation in document["annotations"]:
            if not annotation["iscrowd"]:
                tag = names[annotation["category_id"]]
                types[tag][annotation["body_type"]] += 1
                n_train[tag] += part == "train"
    rows: list[Sequence[object]] = [("tag", "body_types", "n_train", "garments", "deepfashion")]
    with (folder / "categories.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            tag, usual = row["tag"], row["usual_body_type"]
            others = [name for name, _ in types[tag].most_common() if name != usual]
            body_types = " ".join([usual, *others])
            categories = row["garments_category"], row["deepfashion_category"]
            rows.append((tag, body_types, n_train[tag], *categories))
    write_rows(DATA / "categories.csv", rows)


def write_photos(folder: Path) -> None:
    """Write by what each photo is known."""
    rows: list[Sequence[object]] = [("path", "width", "height", "sha256", "look")]
    for room in (IMAGES, TAGGED):
        for file in sorted((folder / room).glob("*.jpg")):
            image = read_image(file)
            height, width = image.shape[:2]
            seen = base64.b64encode(look(image).tobytes()).decode()
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.append((f"{room}/{file.name}", width, height, sha256, seen))
    write_rows(DATA / "photos.csv", rows)


def write_rows(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a table."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    atomic_write(path, text.getvalue().encode())


if __name__ == "__main__":
    main()

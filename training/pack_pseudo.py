"""Make the package's `photos:pseudo` of what `napari-fashion pseudo-label photos:unlabelled` wrote.

    python training/pack_pseudo.py RESULT.json

Keeps the photos whose landmarks were placed, names without folders, a tenth of a pixel, and which
models said so; writes datasets/photos/data/pseudo.json in the package.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from napari_fashion.datasets.photos.locate import DATA
from napari_fashion.files import atomic_write

TARGET = DATA / "pseudo.json"
KEPT = ("id", "image_id", "category_id", "iscrowd", "bbox", "area", "num_keypoints", "keypoints")


def main() -> None:
    """Read the result, write the package's file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    options = parser.parse_args()
    result = json.loads(options.result.read_text("utf-8"))
    header = json.loads(TARGET.read_text("utf-8"))
    annotations = [a for a in result["annotations"] if any(a["keypoints"][2::3])]
    placed = {a["image_id"] for a in annotations}
    document = {
        "info": header["info"],
        "licenses": header["licenses"],
        "categories": result["categories"],
        "images": [
            {**image, "file_name": Path(image["file_name"]).name}
            for image in result["images"]
            if image["id"] in placed
        ],
        "annotations": [
            {
                **{key: a[key] for key in KEPT},
                "keypoints": [
                    round(v, 1) if i % 3 < 2 else v for i, v in enumerate(a["keypoints"])
                ],
                "fashion": {"source": a["fashion"]["source"]},
            }
            for a in annotations
        ],
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    atomic_write(TARGET, text.encode() + b"\n")
    landmarks = sum(a["num_keypoints"] for a in annotations)
    print(f"{TARGET}: {len(annotations)} photos, {landmarks} landmarks")


if __name__ == "__main__":
    main()

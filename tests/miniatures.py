"""The miniature data sets of `tests/data/formats`, with pictures, and the tools that judge a conversion."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path

from PIL import Image

FORMATS = Path(__file__).parent / "data" / "formats"
DRAWN = {
    "deepfashion-c": ("Img", ["coarse/train.json", "coarse/val.json", "coarse/test.json"]),
    "deepfashion-l": ("Img", ["train.json", "val.json", "test.json"]),
    "fashionai": (None, ["train.json", "warm-up.json"]),
}
"""Folder of images below ``data``, and the expected documents that give their sizes."""
PARTS = {
    "train.json": "fashionAI_key_points_train_20180227",
    "warm-up.json": "warm_up_train_20180222",
}


def _tool(name):
    spec = importlib.util.spec_from_file_location(f"formats_{name}", FORMATS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


compare = _tool("compare")
faults = _tool("faults")


def lay_out(folder: Path) -> Path:
    """Copy the data sets into a folder and draw the pictures that are not carried; return it."""
    shutil.copytree(FORMATS, folder)
    for name, (within, documents) in DRAWN.items():
        for document in documents:
            expected = json.loads((FORMATS / name / "expected" / document).read_text())
            root = folder / name / "data" / (within or f"{PARTS[Path(document).name]}/train")
            for image in expected["images"]:
                path = root / image["file_name"]
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (image["width"], image["height"]), 128).save(path)
    return folder


def differences(expected: Path, actual: Path, excepted=()) -> list[str]:
    """Return what `compare.py --all` says."""
    documents = (compare.load(expected), compare.load(actual))
    return list(compare.differences(*documents, everything=True, excepted=excepted))


def die(job) -> None:
    """End the process at once, as the system does when memory runs out."""
    os._exit(1)

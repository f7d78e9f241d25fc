"""A small data set of drawn garments, for tests that train: no renderer, no photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
CATEGORIES = ("T-Shirt", "Pants")


def draw_dataset(folder: Path, count: int, seed: int = 0, size: tuple[int, int] = (96, 96)) -> Path:
    """Write `count` images of flat shirts and trousers with their landmarks; return the file."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for i in range(1, count + 1):
        category = CATEGORIES[i % 2]
        w, h = size
        image = Image.new("RGB", size, tuple(rng.integers(150, 230, 3).tolist()))
        draw = ImageDraw.Draw(image)
        cx, cy = w / 2 + rng.uniform(-6, 6), h / 2 + rng.uniform(-6, 6)
        s = rng.uniform(0.7, 1.0) * min(size) / 96
        color = tuple(rng.integers(20, 110, 3).tolist())
        if category == "T-Shirt":
            points = {
                0: (-10, -30),
                1: (10, -30),
                2: (-36, -8),
                3: (36, -8),
                6: (-20, 32),
                7: (20, 32),
            }
            outline = [0, 1, 3, (20, -10), 7, 6, (-20, -10), 2]
        else:
            points = {4: (-18, -34), 5: (18, -34), 6: (-26, 34), 7: (26, 34)}
            outline = [4, 5, 7, (8, 34), (0, -8), (-8, 34), 6]
        middle = np.array([cx, cy])
        corners = [middle + s * np.array(points[p] if isinstance(p, int) else p) for p in outline]
        draw.polygon([tuple(c) for c in corners], fill=color)
        name = f"{i:03d}.png"
        image.save(folder / "images" / name)
        keypoints = np.zeros((8, 3))
        for k, p in points.items():
            keypoints[k] = [*(middle + s * np.array(p)), 2]
        placed = keypoints[keypoints[:, 2] > 0, :2]
        (x0, y0), (x1, y1) = placed.min(0), placed.max(0)
        images.append({"id": i, "file_name": name, "width": w, "height": h})
        annotations.append(
            {
                "id": i,
                "image_id": i,
                "category_id": SCHEMA.category_index(category) + 1,
                "iscrowd": 0,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "num_keypoints": len(placed),
                "keypoints": keypoints.ravel().tolist(),
            }
        )
    categories = [
        {"id": i + 1, "name": name, "keypoints": list(SCHEMA.landmarks), "skeleton": []}
        for i, name in enumerate(SCHEMA.category_names)
    ]
    path = folder / "annotations.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return path


def split_file(path: Path, count: int) -> tuple[Path, Path]:
    """Write the first `count` images of a drawn data set to one file, and the others to another."""
    document = json.loads(path.read_text())
    made = []
    for name, images in (
        ("first", document["images"][:count]),
        ("others", document["images"][count:]),
    ):
        ids = {image["id"] for image in images}
        annotations = [a for a in document["annotations"] if a["image_id"] in ids]
        made.append(path.with_name(f"{name}.json"))
        made[-1].write_text(json.dumps(document | {"images": images, "annotations": annotations}))
    return made[0], made[1]


def as_toml(value: object) -> str:
    """Return a recipe's dictionary form as TOML; within it a value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{k}" = {as_toml(v)}' for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(v) for v in value) + "]"
    return json.dumps(value)


def write_recipe(path: Path, recipe: dict[str, object]) -> Path:
    """Write a recipe's dictionary form as a TOML file; return its path."""
    path.write_text("".join(f"{key} = {as_toml(value)}\n" for key, value in recipe.items()))
    return path


def tiny_recipe(path: Path, **changes: object) -> dict[str, object]:
    """Return a recipe that trains a very small network on a drawn data set in seconds."""
    recipe: dict[str, object] = {
        "name": "tiny",
        "pretrained": "none",
        "inference": {
            "input_size": 96, "flip_tta": False, "crop_aspect": 1.0, "refinement": False,
        },
        "network": {
            "backbone": "shufflenet_v2_x0_5", "neck": "sum", "width": 32, "blocks": 1,
            "upsample": 1, "category_pool": "mean", "dropout": 0.0,
        },
        "data": {
            "train": [{"file": str(path)}], "validation_share": 0.25, "canvas": 96, "balance": 0.0,
        },
        "augment": {
            "box_view": 0.25, "box_tight": 0.3, "box_crop": 0.6, "box_part": 0, "erase": 0,
            "rotation": 5, "quarter_turn": 0, "scale": [0.9, 1.1],
            "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0, "grey": 0, "noise": 0,
        },
        "loss": {
            "focal_gamma": 1.0, "label_smoothing": 0.0, "category_prior": 0.0,
            "weights": dict.fromkeys(
                ["pif.size", "paf.confidence", "paf.vector", "paf.size"], 1.0
            ),
        },
        "optimiser": {"lr": 3e-3, "weight_decay": 0.01, "ema": 0.9},
        "schedule": {"epochs": 2, "batch": 8, "warmup_epochs": 0.5, "sizes": [], "mild": 1.0},
    }  # fmt: skip
    for key, value in changes.items():
        if isinstance(value, dict):
            recipe[key] = {**recipe.get(key, {}), **value}  # type: ignore[dict-item]
        else:
            recipe[key] = value
    return recipe

"""Record the losses of ordinary trainings, on which the divergence guard must stay silent.

    PYTHONPATH=src:tests python tests/engine/train/record_loss_curves.py [NAME ...]

writes ``loss_curves.npz``: of each training the names of its losses and their values, step by step,
rounded to three digits. Recordings that are not named are kept. The guard is out of reach meanwhile.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from drawn import draw_dataset, tiny_recipe
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.trainer import Trainer

CURVES = Path(__file__).with_name("loss_curves.npz")
ROOT = Path(__file__).resolve().parents[3]
NO_GUARD = {"factor": 1e9}
REPORT = {
    "loss": {
        "confidence": "smooth_l1", "vector": "smooth_l1", "label_smoothing": 0.0,
        "category_prior": 0.0,
    },
    "optimiser": {
        "kind": "sgd", "lr": 1e-3, "momentum": 0.95, "weight_decay": 1e-5, "clip_value": 10.0,
        "clip_norm": 0.0, "ema": 0.0,
    },
}  # fmt: skip
HARD = {
    "inference": {"input_size": 128, "flip_tta": False},
    "network": {
        "backbone": "shufflenet_v2_x0_5", "neck": "sum", "width": 32, "blocks": 1, "upsample": 1,
    },
    "pretrained": "none",
    "data": {"train": [{"file": "samples:60:3"}], "validation_share": 0.0, "canvas": 128},
    "augment": {"mosaic": 0.3, "quarter_turn": 0.2},
}  # fmt: skip


def recipes(folder: Path) -> dict[str, dict[str, object]]:
    """Return the dictionary form of every recipe; files they need are made in `folder`."""
    drawn = draw_dataset(folder / "drawn", 48)
    more = draw_dataset(folder / "more", 12, seed=5)
    first = folder / "first"
    train(Recipe.from_dict(tiny_recipe(drawn, schedule={"epochs": 60})), first, device="cpu")
    hours = {"epochs": 100_000, "max_steps": 300}
    return {
        "from scratch": tiny_recipe(drawn, schedule={"epochs": 80}),
        "larger images at 40 %, milder augmentation at 70 %": tiny_recipe(
            drawn,
            schedule={"epochs": 80, "sizes": [[0.0, 64], [0.4, 96]], "mild": 0.7},
            augment={"rotation": 40, "brightness": 0.6, "contrast": 0.5, "noise": 20, "erase": 0.5},
        ),
        "hard images, batches of 2": {**HARD, "schedule": {**hours, "batch": 2}},
        "hard images, batches of 1": {**HARD, "schedule": {**hours, "batch": 1}},
        "no warm-up and a high rate": tiny_recipe(
            drawn, optimiser={"lr": 1e-2}, schedule={"epochs": 80, "warmup_epochs": 0.0}
        ),
        "smooth L1": tiny_recipe(
            drawn,
            loss={"confidence": "smooth_l1", "vector": "smooth_l1"},
            schedule={"epochs": 60},
        ),
        "the report's losses and SGD": tiny_recipe(
            drawn,
            **REPORT,
            schedule={"epochs": 60, "kind": "decay", "decay": [[30, 40]], "warmup_epochs": 0.0},
        ),
        "heavy weights": tiny_recipe(
            drawn,
            loss={"weights": {"pif.vector": 100.0, "paf.size": 50.0}},
            schedule={"epochs": 40},
        ),
        "fine-tuning": tiny_recipe(
            more,
            start_from=str(first / "model.json"),
            optimiser={"lr": 3e-4, "freeze_norms": True},
            schedule={"epochs": 100, "batch": 2},
            data={"validation_share": 0.0},
        ),
        "fine-tuning on one image": {
            **HARD,
            "network": {},
            "start_from": "bundled",
            "data": {"train": [{"file": "samples:2:9"}], "validation_share": 0.0},
            "inference": {"input_size": 128},
            "optimiser": {"lr": 1e-4, "freeze_norms": True},
            "schedule": {"epochs": 80, "batch": 1, "warmup_epochs": 2.0},
        },
        "fine-tuning the bundled model": {
            "start_from": "bundled",
            "data": {"train": [{"file": "samples:16:4"}], "validation_share": 0.0},
            "inference": {"input_size": 160},
            "optimiser": {"lr": 5e-4, "freeze_norms": True},
            "schedule": {"epochs": 100_000, "max_steps": 150, "batch": 2},
        },
        "photos from ImageNet": {
            "data": {"train": [{"file": "photos:train"}], "validation_share": 0.0, "canvas": 160},
            "inference": {"input_size": 160},
            "schedule": {"epochs": 100_000, "max_steps": 250, "batch": 4},
        },
    }  # fmt: skip


def record(recipe: Recipe, folder: Path) -> tuple[list[str], np.ndarray]:
    """Train; return the names of the losses, and (steps, names) float32 of their values."""
    trainer = Trainer(recipe, folder, resume=False, device="cpu", emit=lambda event: None)
    update = trainer.updater.step
    curve: list[dict[str, float]] = []

    def step(*given: object) -> dict[str, float]:
        curve.append(update(*given))  # type: ignore[arg-type]
        return curve[-1]

    trainer.updater.step = step  # type: ignore[method-assign]
    trainer.run(lambda: False)
    values = np.array([list(parts.values()) for parts in curve])
    digits = 2 - np.floor(np.log10(np.maximum(np.abs(values), 1e-9)))
    scale = 10.0**digits
    return list(curve[0]), (np.round(values * scale) / scale).astype(np.float32)


def main() -> None:
    torch.set_num_threads(1)
    kept = dict(np.load(CURVES)) if CURVES.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, (name, recipe) in enumerate(recipes(folder).items()):
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            names, values = record(
                Recipe.from_dict({**recipe, "divergence": NO_GUARD}), folder / str(number)
            )
            kept |= {f"{name}.names": np.array(names), f"{name}.values": values}
            np.savez_compressed(CURVES, **kept)
            total = values.sum(axis=1)
            print(f"{name}: {len(total)} steps, {total[0]:.3g} to {total[-8:].mean():.3g}")


if __name__ == "__main__":
    main()

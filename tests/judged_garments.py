"""Garments of the truth with what was predicted for them, made by hand or at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_fashion.engine.evaluation.judged import Judged, Region
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")


def judged_garment(errors: Any, visibility: Any, **changes: Any) -> Judged:
    """Return a garment with (K,) errors and visibilities; the rest as given, or plain."""
    e = np.asarray(errors, float)
    made: dict[str, Any] = {
        "key": "a.png", "errors": e, "box_errors": e, "side_errors": e,
        "visibility": np.asarray(visibility), "scores": np.ones(len(e)), "category": 0,
        "probabilities": np.ones(1), "found": True, "body_type": "", "index": 0, "garments": 1,
        "truth": np.zeros((len(e), 2)), "predicted": np.zeros((len(e), 2)),
        "region": Region(0, 0, 100, 100), "box": np.array([10.0, 20.0, 60.5, 90.0]),
    }  # fmt: skip
    return Judged(**(made | changes))


def random_garments(seed: int, n: int, schema: Schema = SCHEMA) -> list[Judged]:
    """Return `n` garments of about half as many images, some not found, some without a category."""
    rng = np.random.default_rng(seed)
    k, c = schema.n_landmarks, len(schema.categories)
    made = []
    for i in range(n):
        found = bool(rng.random() < 0.9)
        made.append(
            judged_garment(
                rng.uniform(0, 0.3, k),
                rng.integers(0, 3, k),
                key=f"{rng.integers(n // 2 + 1)}.png",
                box_errors=rng.uniform(0, 0.3, k),
                side_errors=rng.uniform(0, 0.3, k),
                scores=rng.random(k) if found else np.zeros(k),
                category=int(rng.integers(-2, c)),
                probabilities=rng.dirichlet(np.ones(c)) if found else np.zeros(c),
                found=found,
                body_type=str(rng.choice(["", *schema.body_type_names])),
                index=i,
            )
        )
    return made

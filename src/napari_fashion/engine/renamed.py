"""The one table of what recipe keys were called before: format 1 of recipes, run folders and models.

A recipe that a person wrote (TOML) with an old key is refused with the new name. What the program
wrote itself, ``recipe.json`` of a run folder and ``model.json``, is translated.
"""

from __future__ import annotations

import copy
from typing import Any

FORMAT = 2
"""Format of recipes and models since the keys have these names."""

RECIPE_KEYS = {
    "working_size": "inference.input_size",
    "mirror": "inference.flip_tta",
    "look_sizes": "inference.multi_scale",
    "cut_aspect": "inference.crop_aspect",
    "decoder": "inference.decoder",
    "decoder.single": "inference.decoder.single_instance",
    "decoder.complete": "inference.decoder.force_complete",
    "refine": "inference.refinement",
    "refine.find_size": "inference.refinement.detection_size",
    "refine.find_again": "inference.refinement.redetect_size",
    "explosions": "divergence",
    "augment.box_cut": "augment.box_crop",
    "schedule.steps": "schedule.decay",
}
"""New path of each old path; a path that is not here keeps its name."""

DATA_KEYS = {"train_pictures": "train_images", "validation_pictures": "validation_images"}
"""The same for the block ``data`` of ``model.json``."""

REMOVED = {"targets.edge_width": 3.0, "targets.margin": 0.1, "schedule.final_lr": 0.01}
"""Paths of options that are gone, with the value that is left: the default, as all our recipes had it."""

DEFAULTS_1: dict[str, Any] = {
    "inference": {
        "input_size": 192,
        "flip_tta": False,
        "multi_scale": [],
        "crop_aspect": 1.0,
        "refinement": None,
        "decoder": {"pif_threshold": 0.3, "paf_threshold": 0.3, "garment_threshold": 0.2},
    },
    "network": {
        "backbone": "shufflenet_v2_x1_0",
        "neck": "plain",
        "upsample": 2,
        "category_pool": "max",
        "dropout": 0.1,
    },
    "data": {"balance": 0.0},
    "augment": {
        "quarter_turn": 0.0,
        "scale": [0.6, 1.1],
        "box_view": 0.5,
        "box_tight": 0.3,
        "box_crop": 0.6,
        "box_part": 0.0,
        "erase": 0.0,
        "hue": 15.0,
        "grey": 0.05,
    },
    "targets": {"foreign": "ignore"},
    "loss": {
        "focal_gamma": 1.0,
        "label_smoothing": 0.0,
        "category_prior": 0.0,
        "weights": {
            "paf.confidence": 1.0,
            "paf.vector": 1.0,
            "paf.size": 1.0,
            "pif.size": 1.0,
        },
    },
    "optimiser": {"weight_decay": 0.01, "ema": 0.998},
    "schedule": {"sizes": [], "mild": 1.0},
}
"""Defaults of format 1 that differ from today's, by new names: they fill what an old file lacks."""


def translate_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the dictionary form of a recipe of format 1 in today's names.

    Parameters
    ----------
    recipe
        As ``recipe.json`` or ``model.json`` of format 1 have it; it is not changed. Values that have
        another form than expected are passed on, for validation to refuse.
    """
    new: dict[str, Any] = copy.deepcopy(DEFAULTS_1)
    for key, value in recipe.items():
        _translate((key,), value, new)
    if isinstance(schedule := new.get("schedule"), dict):
        _translate_schedule(schedule)
    if new.get("pretrained") is None and new.get("start_from") is None:
        new["pretrained"] = "none"  # random weights had no name
    refinement = new["inference"].get("refinement") if isinstance(new["inference"], dict) else None
    if isinstance(refinement, dict):
        refinement.setdefault("margin", 0.25)
    return without_removed(new)


def without_removed(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the dictionary form of a recipe without the options that are `REMOVED`."""
    kept: dict[str, Any] = {}
    for table, options in recipe.items():
        if isinstance(options, dict):
            options = {k: v for k, v in options.items() if f"{table}.{k}" not in REMOVED}
        kept[table] = options
    return kept


def _translate_schedule(schedule: dict[str, Any]) -> None:
    """Express the kinds ``"steps"`` (epochs of a sudden decay) and ``"constant"`` by ranges."""
    if schedule.get("kind") == "constant":
        schedule |= {"kind": "decay", "decay": []}
    if schedule.get("kind") == "steps":
        schedule["kind"] = "decay"
    if isinstance(epochs := schedule.get("decay"), list):
        schedule["decay"] = [[epoch, epoch] for epoch in epochs]


def translate_model(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document ``model.json`` of format 1 in the form of format 2.

    Parameters
    ----------
    document
        As it was read; it is not changed. Values of another form than expected are passed on, for
        validation to refuse.
    """
    new = {key: value for key, value in document.items() if key != "working_size"}
    recipe, data = document.get("recipe"), document.get("data")
    if isinstance(recipe, dict):
        new["recipe"] = translate_recipe(recipe)
        new["inference"] = copy.deepcopy(new["recipe"]["inference"])
        if isinstance(new["inference"], dict) and "working_size" in document:
            new["inference"]["input_size"] = document["working_size"]
    if isinstance(network := document.get("network"), dict):
        new["network"] = DEFAULTS_1["network"] | network
    if isinstance(data, dict):
        new["data"] = {DATA_KEYS.get(key, key): value for key, value in data.items()}
    return new


def _translate(path: tuple[str, ...], value: Any, new: dict[str, Any]) -> None:
    old = ".".join(path)
    if path == ("loss", "weights") and isinstance(value, dict):  # its keys have dots
        _put(new, old, DEFAULTS_1["loss"]["weights"] | value)
        return
    inner = any(name.startswith(f"{old}.") for name in RECIPE_KEYS)
    if (inner or _has_defaults(path)) and isinstance(value, dict):
        _put(new, RECIPE_KEYS.get(old, old), {}, keep=True)
        for key, item in value.items():
            _translate((*path, key), item, new)
        return
    target = RECIPE_KEYS.get(old)
    if target is None:  # inside a table that was renamed as a whole
        parent = ".".join(path[:-1])
        target = ".".join(filter(None, (RECIPE_KEYS.get(parent, parent), path[-1])))
    _put(new, target, value)


def _has_defaults(path: tuple[str, ...]) -> bool:
    """Whether `DEFAULTS_1` has options of a table, which fill what the table lacks."""
    inside: Any = DEFAULTS_1
    for key in path:
        inside = inside.get(key) if isinstance(inside, dict) else None
    return isinstance(inside, dict)


def _put(new: dict[str, Any], path: str, value: Any, *, keep: bool = False) -> None:
    *tables, key = path.split(".")
    for table in tables:
        inside = new.setdefault(table, {})
        if not isinstance(inside, dict):
            return
        new = inside
    if not (keep and isinstance(new.get(key), dict)):
        new[key] = value

"""A run's folder in the form of versions without checkpoints, for tests of what reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import save_file

from napari_fashion.engine.model import Model
from napari_fashion.engine.train.checkpoint import read_checkpoint
from napari_fashion.engine.train.runs import checkpoint_paths


def make_old(run: Path) -> Path:
    """Give a run's folder the old form, as the old code wrote it; return ``state.json``."""
    checkpoint = read_checkpoint(checkpoint_paths(run)[0], lambda shapes: None)
    manifest, tensors = checkpoint.manifest, checkpoint.tensors
    recipe = json.loads((run / "recipe.json").read_text())
    moved = recipe["optimiser"]["backbone_lr"] != 1
    groups: dict[tuple[bool, bool], list[str]] = {}
    for name, _ in Model.load(run, "cpu").network.named_parameters():
        key = (moved and name.startswith("backbone."), tensors[f"network.{name}"].ndim <= 1)
        groups.setdefault(key, []).append(name)
    position = {name: i for i, name in enumerate(n for key in sorted(groups) for n in groups[key])}
    old = {
        name: value for name, value in tensors.items() if name.startswith(("network.", "random."))
    }
    for name, value in checkpoint.under("optimiser.").items():
        key, parameter = name.split(".", 1)
        old[f"optimiser.{position[parameter]}.{key}"] = value
    step = manifest.progress.step
    save_file(old, run / "state.safetensors", metadata={"step": str(step)})
    state = {
        "epoch": manifest.progress.epoch,
        "step": step,
        "seconds": manifest.progress.seconds,
        "lr_factor": manifest.progress.lr_factor,
        "recent": manifest.state["guard"]["total"]["recent"],
        "fingerprint": manifest.about.fingerprint,
        "optimiser": {"param_groups": [{"lr": 1.0, "share": 1.0, "params": [0]}], "scalars": {}},
        "scaler": {},
    }
    path = run / "state.json"
    path.write_text(json.dumps(state))
    shutil.rmtree(run / "checkpoints")
    return path

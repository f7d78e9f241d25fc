"""Put a trained model into the package, its weights in half precision.

python training/bundle.py runs/bundled --machine "2 cores of an Intel Xeon"
python training/bundle.py runs/people --name people

How the model is used (`inference`: thresholds, flip TTA, sizes, refinement) is taken from the recipe as it
is now: it is chosen on validation photos once the model is trained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_fashion.engine.model import Model
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.packaged import DEFAULT_MODEL, PACKAGED_MODELS, packaged_path

FOLDER = Path(__file__).resolve().parent


def _without_folders(value: Any) -> Any:
    """Return a recipe in which absolute paths are only names."""
    if isinstance(value, dict):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_folders(item) for item in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value


def main() -> None:
    """Save the run's model, without the paths of the machine that trained it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run's folder")
    parser.add_argument("--name", choices=PACKAGED_MODELS, default=DEFAULT_MODEL)
    parser.add_argument("--recipe", type=Path, help="default: the one of that name in recipes/")
    parser.add_argument("--machine", help="what trained it, in words")
    options = parser.parse_args()
    model = Model.load(options.run, "cpu")
    model.info.recipe = _without_folders(model.info.recipe)
    chosen = Recipe.load(options.recipe or FOLDER / "recipes" / f"{options.name}.toml")
    model.info.name = options.name
    if chosen.start_from is not None:
        chosen = chosen.going_on_from(model.config, model.info.recipe, model.info.inference)
    model.info.inference = chosen.inference
    if model.info.history["started_from"]:
        # The run may have started from what was the package's model until now.
        model.info.recipe["start_from"] = model.info.history["started_from"]
    if options.machine:
        model.info.history["machine"] = options.machine
    path = model.save(packaged_path(options.name), half=True)
    print(f"{path}: {Model.load(options.name, 'cpu').id}")


if __name__ == "__main__":
    main()

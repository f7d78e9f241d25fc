"""Put a trained model into the package, its weights in half precision.

python training/bundle.py runs/bundled --machine "2 cores of an AMD EPYC"
"""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_fashion.engine.model import Model

TARGET = Path(__file__).resolve().parents[1] / "src" / "napari_fashion" / "models" / "bundled"


def main() -> None:
    """Save the run's model, without the paths of the machine that trained it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run's folder")
    parser.add_argument("--machine", help="what trained it, in words")
    options = parser.parse_args()
    model = Model.load(options.run, "cpu")
    if model.info.recipe.get("pretrained"):
        model.info.recipe["pretrained"] = Path(model.info.recipe["pretrained"]).name
    if options.machine:
        model.info.history["machine"] = options.machine
    path = model.save(TARGET, half=True)
    print(f"{path}: {Model.load('bundled', 'cpu').id}")


if __name__ == "__main__":
    main()

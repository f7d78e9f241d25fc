"""The models that the package carries, by name. No torch here."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

DEFAULT_MODEL = "bundled"
"""What predicts, and what a fine-tuning starts from, unless another model is named."""

PACKAGED_MODELS = {
    DEFAULT_MODEL: "garments laid flat; learned from CC0 photos alone",
    "people": "garments laid flat or worn, several in a photo",
}
"""Names of the models, and what each is for (training/model-card.md)."""


def packaged_path(name: str) -> Path:
    """Return the path of a packaged model's files, without their endings."""
    return Path(str(resources.files("napari_fashion"))) / "models" / name

"""A folder for OpenPifPaf: COCO documents with one category, images, and the plugin that it needs."""

from __future__ import annotations

import math
from importlib import resources
from typing import Final

from napari_fashion.coco.convert.out.placing import Placer
from napari_fashion.coco.convert.out.plain_coco import PlainCoco
from napari_fashion.coco.convert.out.shared_schema import (
    check_same_landmarks,
    module_name,
    tell_other_landmarks,
)
from napari_fashion.coco.convert.writers import Work, register_writer
from napari_fashion.schema import Schema

SINGLE: Final = "garment"
NO_CATEGORIES = "garments whose category OpenPifPaf's landmark heads cannot hold: all are 'garment'"
_TEMPLATES: Final = "napari_fashion.coco.convert.out"


@register_writer(
    "openpifpaf", title="OpenPifPaf plugin", images="hardlink", check=check_same_landmarks
)
def write_openpifpaf(work: Work) -> None:
    """Write ``annotations/PART.json``, ``images/``, the module ``openpifpaf_NAME`` and a README.

    A body type or category has no heads of its own in OpenPifPaf: there is one category, whose landmarks
    and edges are the schema's.
    """
    tell_other_landmarks(work)
    schema = work.parts[0].dataset.schema
    name = module_name(schema.name)
    placer = Placer(work, "images")
    folders: dict[str, str] = {}
    for part in work.parts:
        before = work.n_garments
        document = PlainCoco(work, part, placer, uniform=True, single=SINGLE)
        document.write(f"annotations/{part.name}.json", "images")
        work.tally.add(NO_CATEGORIES, n=work.n_garments - before)
        left = work.options.images == "leave"
        folders[part.name] = str(part.dataset.image_root.resolve()) if left else "images"
    module = work.folder / f"openpifpaf_{name}"
    module.mkdir()
    (module / "constants.py").write_text(_constants(schema, name, folders), "utf-8")
    for file in ("init", "datamodule"):
        text = (
            resources.files(_TEMPLATES)
            .joinpath(f"templates/openpifpaf_{file}.txt")
            .read_text("utf-8")
        )
        (module / ("__init__.py" if file == "init" else f"{file}.py")).write_text(text, "utf-8")
    (work.folder / "README.md").write_text(_readme(name), "utf-8")


def _constants(schema: Schema, name: str, folders: dict[str, str]) -> str:
    """Return the module that tells the landmarks; names are written as ASCII literals."""
    k = schema.n_landmarks
    pose = [
        (
            round(2 * math.sin(2 * math.pi * i / k), 3),
            round(2 * math.cos(2 * math.pi * i / k), 3),
            2.0,
        )
        for i in range(k)
    ]
    mirrors = {
        schema.landmarks[i]: schema.landmarks[j]
        for i, j in enumerate(schema.flips)
        if schema.mirrors and i != j
    }
    annotations = {part: f"annotations/{part}.json" for part in folders}
    validation = "val" if "val" in folders else "train"
    values = {
        "NAME": name,
        "OPTION": name.replace("_", "-"),
        "KEYPOINTS": list(schema.landmarks),
        "SKELETON": [(a + 1, b + 1) for a, b in schema.edges],
        "SIGMAS": list(schema.sigmas),
        "MIRRORS": mirrors,
        "POSE": pose,
        "IMAGES": folders,
        "ANNOTATIONS": annotations,
        "VALIDATION": validation,
        "EVALUATION": "test" if "test" in folders else validation,
    }
    comment = "# Landmarks, edges (from 1) and sigmas of the schema; POSE is for drawings only.\n"
    return comment + "".join(f"{key} = {value!a}\n" for key, value in values.items())


def _readme(name: str) -> str:
    option = name.replace("_", "-")
    return f"""# A data set for OpenPifPaf

Exported by napari-fashion. `openpifpaf_{name}` is the plugin; OpenPifPaf finds it if this folder is on
the path of Python. The module name begins with `openpifpaf_` for that reason.

```sh
cd THIS_FOLDER
PYTHONPATH=. python3 -m openpifpaf.train --dataset={name} --basenet=shufflenetv2k16 \\
  --{option}-square-edge=385 --epochs=150 --output=model.pkl
PYTHONPATH=. python3 -m openpifpaf.eval --dataset={name} --checkpoint=model.pkl.epoch150
```

All garments are of one category, since OpenPifPaf's landmark heads have one.
"""

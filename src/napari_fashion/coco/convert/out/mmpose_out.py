"""A folder for MMPose: COCO documents, images, and the metainfo file of the landmarks."""

from __future__ import annotations

from typing import Any

from napari_fashion.coco.convert.out.placing import Placer
from napari_fashion.coco.convert.out.plain_coco import PlainCoco
from napari_fashion.coco.convert.out.shared_schema import (
    check_same_landmarks,
    module_name,
    tell_other_landmarks,
)
from napari_fashion.coco.convert.writers import Work, register_writer
from napari_fashion.schema import Schema


@register_writer("mmpose", title="MMPose folder", images="hardlink", check=check_same_landmarks)
def write_mmpose(work: Work) -> None:
    """Write ``annotations/PART.json``, ``images/``, ``NAME.py`` (the metainfo) and a README.

    Every category gets all landmarks of the schema in its order: MMPose's data sets have one list.
    """
    tell_other_landmarks(work)
    schema = work.parts[0].dataset.schema
    name = module_name(schema.name)
    placer = Placer(work, "images")
    folders: dict[str, str] = {}
    for part in work.parts:
        PlainCoco(work, part, placer, uniform=True).write(f"annotations/{part.name}.json", "images")
        left = work.options.images == "leave"
        folders[part.name] = str(part.dataset.image_root.resolve()) if left else "images/"
    (work.folder / f"{name}.py").write_text(_metainfo(schema, name), "utf-8")
    (work.folder / "README.md").write_text(_readme(name, schema.n_landmarks, folders), "utf-8")


def metainfo(schema: Schema, name: str) -> dict[str, Any]:
    """Return MMPose's ``dataset_info`` of a schema.

    Landmarks and edges have their colours (red, green, blue); ``swap`` is the mirror partner, empty for
    a landmark that stays or if the partners are not known.
    """
    colors = [
        [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        for color in schema.colors or ["#00ff00"] * schema.n_landmarks
    ]
    names = schema.landmarks
    keypoints = {
        i: {
            "name": landmark,
            "id": i,
            "color": colors[i],
            "type": "",
            "swap": names[j] if schema.mirrors and j != i else "",
        }
        for i, (landmark, j) in enumerate(zip(names, schema.flips, strict=True))
    }
    skeleton = {
        i: {"link": (names[a], names[b]), "id": i, "color": colors[a]}
        for i, (a, b) in enumerate(schema.edges)
    }
    return {
        "dataset_name": name,
        "paper_info": {},
        "keypoint_info": keypoints,
        "skeleton_info": skeleton,
        "joint_weights": [1.0] * schema.n_landmarks,
        "sigmas": list(schema.sigmas),
    }


def _metainfo(schema: Schema, name: str) -> str:
    """Return the config file; names are written as ASCII literals."""
    info = metainfo(schema, name)
    lines = ["# Made by napari-fashion export-data --to mmpose.", "dataset_info = dict("]
    for key, value in info.items():
        if isinstance(value, dict) and value:
            lines.append(f"    {key}={{")
            lines += [f"        {i}: {item!a}," for i, item in value.items()]
            lines.append("    },")
        else:
            lines.append(f"    {key}={value!a},")
    return "\n".join([*lines, ")", ""])


def _readme(name: str, k: int, folders: dict[str, str]) -> str:
    blocks = []
    for part, folder in folders.items():
        blocks.append(
            f"""{part}_dataset = dict(
    type="CocoDataset",
    data_root="THIS_FOLDER",
    data_mode="topdown",
    ann_file="annotations/{part}.json",
    data_prefix=dict(img={folder!a}),
    metainfo=dict(from_file="THIS_FOLDER/{name}.py"),
    pipeline=[...],
)"""
        )
    code = "\n".join(blocks)
    return f"""# A data set for MMPose

Exported by napari-fashion: COCO documents, images, and `{name}.py`, the metainfo of its {k} landmarks.
In a config of MMPose 1.x:

```python
{code}
```
"""

"""What the files of one export have to share: their landmarks; and the categories of all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_fashion.coco.convert.writers import Work
from napari_fashion.coco.dataset import Dataset
from napari_fashion.documents import counted
from napari_fashion.errors import CocoError


def check_same_landmarks(datasets: Sequence[Dataset]) -> None:
    """Check that all files have the same landmarks.

    Raises
    ------
    CocoError
        If one has others.
    """
    first = datasets[0]
    for other in datasets[1:]:
        if other.schema.landmarks != first.schema.landmarks:
            raise CocoError(
                f"has {counted(other.schema.landmarks, 'landmarks')}; expected those of {first.path}, "
                f"{counted(first.schema.landmarks, 'landmarks')}.",
                path=other.path,
                remedy="Export them one by one, or give the --schema that both have.",
            )


def tell_other_landmarks(work: Work) -> None:
    """Count the landmarks of categories that the schema lacks: they cannot be written by its order."""
    for part in work.parts:
        known = set(part.dataset.schema.landmarks)
        for key in part.dataset.store.ids("categories"):
            listed = part.dataset.store.record("categories", key).get("keypoints")
            names = map(str, listed) if isinstance(listed, list) else ()
            for name in names:
                if name not in known:
                    where = f"{name} of {part.dataset.category_name(key)}"
                    work.tally.add("landmarks that the schema lacks, left out", where)


def category_names(datasets: Sequence[Dataset]) -> list[str]:
    """Return the names of all categories of some files, each once, in their order."""
    names = (
        dataset.category_name(key)
        for dataset in datasets
        for key in dataset.store.ids("categories")
    )
    return list(dict.fromkeys(names))


def module_name(name: str) -> str:
    """Return a schema's name as a module and an option can have it.

    >>> module_name("DeepFashion 2-tops")
    'deepfashion_2_tops'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "garments"

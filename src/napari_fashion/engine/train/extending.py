"""Files of recipes: ``extends = "other.toml"`` for what differs from another, ``[scale.small]`` for trials.

This module imports no torch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from napari_fashion.documents import listed, read_toml, shown
from napari_fashion.errors import RecipeError

EXTENDS = "extends"
"""Key of a recipe's file: the file whose values it takes unless it sets them itself."""
SCALE = "scale"
"""Table of a recipe's file: by name, values that take the place of its own when that scale is asked for."""
MAX_FILES = 16
"""Most files of a recipe; a chain that is longer is taken for a mistake."""

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class RecipeFile:
    """One file of a recipe.

    Attributes
    ----------
    path
        Of the file.
    data
        What it sets, without `EXTENDS` and `SCALE`.
    scales
        What it sets at a scale, by the scale's name.
    """

    path: Path
    data: dict[str, Any]
    scales: dict[str, dict[str, Any]] = field(default_factory=dict)

    def leaves(self) -> Iterator[KeyPath]:
        """Yield the paths of the values that it sets; a list is one value."""
        yield from _leaves(self.data)


def read_recipe_files(path: Path | str, scale: str | None = None) -> list[RecipeFile]:
    """Read a recipe's file after those that it extends; the most general one first.

    Parameters
    ----------
    path
        Of the file.
    scale
        Name of a scale of the recipe: what the files set at it follows them, and counts in place of what
        they set themselves. None for the recipe as it is.

    Raises
    ------
    RecipeError
        If a file is missing or not TOML, names no file to extend, files extend each other, or none of
        them has the scale.
    """
    files = _chain(Path(path))
    if scale is None:
        return files
    scaled = [RecipeFile(f.path, f.scales[scale]) for f in files if scale in f.scales]
    if not scaled:
        known = sorted({name for file in files for name in file.scales})
        raise RecipeError(
            f"{path}: it has no scale {shown(scale)}; expected "
            + (f"one of {listed(known)}." if known else f"a recipe with a table [{SCALE}.{scale}].")
        )
    return files + scaled


def _chain(path: Path) -> list[RecipeFile]:
    files: list[RecipeFile] = []
    seen: set[Path] = set()
    here: Path | None = path
    while here is not None:
        data = dict(read_toml(here, RecipeError, expected="a training recipe (TOML)"))
        resolved = here.resolve()
        if resolved in seen:
            chain = " <- ".join(file.path.name for file in files)
            raise RecipeError(
                f"{here}: {EXTENDS} leads back to it ({chain}); expected a recipe that does not."
            )
        if len(seen) == MAX_FILES:
            raise RecipeError(f"{path}: extends more than {MAX_FILES - 1} recipes; expected fewer.")
        seen.add(resolved)
        further = data.pop(EXTENDS, None)
        if further is not None and (not isinstance(further, str) or not further.strip()):
            raise RecipeError(
                f"{here}: {EXTENDS} is {shown(further)}; expected the path of a recipe (TOML), relative "
                "to this one."
            )
        files.insert(0, RecipeFile(here, data, _scales(data.pop(SCALE, {}), here)))
        here = None if further is None else here.parent / further
    return files


def _scales(value: Any, where: Path) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        raise RecipeError(
            f"{where}: {SCALE} is {shown(value)}; expected tables by name, such as "
            f"[{SCALE}.small.schedule]."
        )
    return value


def merged(files: Sequence[RecipeFile]) -> dict[str, Any]:
    """Return the values of all files; of each key the last one's. Tables are merged, lists are not."""
    whole: dict[str, Any] = {}
    for file in files:
        _put(whole, copy.deepcopy(file.data))
    return whole


def taking(options: Any, other: Any, path: Sequence[str]) -> Any:
    """Return options with the value at a path taken from others of the same form."""
    if not path or not isinstance(options, BaseModel) or not isinstance(other, BaseModel):
        return other
    fields = type(options).model_fields
    name = next(n for n, field in fields.items() if path[0] in (n, field.alias))
    value = taking(getattr(options, name), getattr(other, name), path[1:])
    return options.model_copy(update={name: value})


def _put(into: dict[str, Any], data: dict[str, Any]) -> None:
    for key, value in data.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            _put(old, value)
        else:
            into[key] = value


def _leaves(data: dict[str, Any], path: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)

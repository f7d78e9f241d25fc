"""Values that take the place of a recipe's: ``--set optimiser.lr=1e-3``.

This module imports no torch.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.documents import parse_toml, shown
from napari_fashion.engine.train.extending import (
    RecipeFile,
    merged,
    read_recipe_files,
    taking,
)
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import RecipeError

EXAMPLE = "KEY=VALUE, such as optimiser.lr=1e-3"
_BARE = re.compile(r"[^\"'\[\]{},#=\s][^\"\n\r]*")
"""Text that may stand without quotes."""


@dataclass(frozen=True)
class Override:
    """A value for a key of a recipe.

    Attributes
    ----------
    path
        The tables' names and the key.
    value
        As TOML gives it.
    text
        What it was read from.
    """

    path: tuple[str, ...]
    value: Any
    text: str

    @classmethod
    def parse(cls, text: str) -> Override:
        """Read ``KEY=VALUE``; the key is dotted and the value is TOML, or text without quotes.

        >>> Override.parse("schedule.sizes=[[0.0, 64]]").value, Override.parse("name=mine").value
        ([[0.0, 64]], 'mine')

        Raises
        ------
        RecipeError
            If it is neither.
        """
        for match in re.finditer("=", text):
            path = _path(text[: match.start()])
            if path is not None:
                return cls(path, _value(text[match.end() :].strip(), text), text)
        raise RecipeError(f"--set {shown(text)}: expected {EXAMPLE}.")

    def put_into(self, data: dict[str, Any]) -> None:
        """Set the value in a recipe's dictionary form; tables that are missing are made.

        Raises
        ------
        RecipeError
            If something on the way to the key is no table.
        """
        *tables, key = self.path
        inside = data
        for i, name in enumerate(tables):
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                where = ".".join(self.path[: i + 1])
                kind = "a list" if isinstance(inside, list) else shown(inside)
                raise RecipeError(
                    f"--set {shown(self.text)}: {where} is {kind}; expected a table. Set {where} whole."
                )
        inside[key] = self.value


def with_overrides(data: dict[str, Any], overrides: Iterable[Override]) -> dict[str, Any]:
    """Return a recipe's dictionary form with other values, the last one of each key."""
    data = copy.deepcopy(data)
    for override in overrides:
        override.put_into(data)
    return data


def make_recipe(
    data: dict[str, Any],
    overrides: Sequence[Override],
    *,
    base: Path | None = None,
    where: str = "recipe",
) -> Recipe:
    """Check a recipe's dictionary form with other values put in.

    Parameters
    ----------
    data
        The dictionary form.
    overrides
        Values that take the place of its own. Relative paths in them are taken from the working
        folder.
    base
        Folder of the relative paths in `data`; the working folder by default.
    where
        Names it in errors.

    Raises
    ------
    RecipeError
        If a value is unknown or out of range, as in `Recipe.from_dict`.
    """
    return _assemble([RecipeFile((base or Path()) / "recipe.toml", data)], overrides, where)


def load_recipe(
    path: Path | str, overrides: Sequence[Override] = (), *, scale: str | None = None
) -> Recipe:
    """Read a recipe from a TOML file, with other values put in; see `Recipe.load` and `make_recipe`.

    `scale` names a scale of the recipe (`read_recipe_files`); overrides take the place of its values too.
    """
    where = str(path) if scale is None else f"{path} at scale {scale}"
    return _assemble(read_recipe_files(path, scale), overrides, where)


def _assemble(files: Sequence[RecipeFile], overrides: Sequence[Override], where: str) -> Recipe:
    if not overrides:
        return Recipe.from_files(files, where=where)
    where = f"{where} with {' '.join(f'--set {override.text}' for override in overrides)}"
    data = with_overrides(merged(files), overrides)
    recipe = Recipe.from_files(files, where=where, data=data)
    here = Recipe.from_dict(data, base=Path.cwd(), where=where)
    for override in overrides:
        recipe = taking(recipe, here, override.path)
    return recipe


def _path(text: str) -> tuple[str, ...] | None:
    """Return the parts of a dotted TOML key; None if it is none."""
    if "\n" in text or "\r" in text or "#" in text:
        return None
    try:
        inside: Any = parse_toml(f"{text}=0", "--set", RecipeError)
    except RecipeError:
        return None
    parts = []
    while isinstance(inside, dict) and len(inside) == 1:
        [(name, inside)] = inside.items()
        parts.append(name)
    return tuple(parts) if parts and inside == 0 else None


def _value(text: str, whole: str) -> Any:
    try:
        read = parse_toml(f"value = {text}", f"--set {shown(whole)}", RecipeError)
    except RecipeError:
        if _BARE.fullmatch(text):
            return text
        raise
    if read.keys() != {"value"}:
        raise RecipeError(f"--set {shown(whole)}: expected one value, {EXAMPLE}.")
    return read["value"]

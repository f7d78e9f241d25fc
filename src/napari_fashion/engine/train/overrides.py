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

from pydantic import BaseModel

from napari_fashion.documents import parse_toml, read_toml, shown
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
        Folder of the relative paths in `data`; None to leave them.
    where
        Names it in errors.

    Raises
    ------
    RecipeError
        If a value is unknown or out of range, as in `Recipe.from_dict`.
    """
    if not overrides:
        return Recipe.from_dict(data, base=base, where=where)
    where = f"{where} with {' '.join(f'--set {override.text}' for override in overrides)}"
    changed = with_overrides(data, overrides)
    recipe = Recipe.from_dict(changed, base=base, where=where)
    here = Recipe.from_dict(changed, base=Path.cwd(), where=where)
    for override in overrides:
        recipe = _taking(recipe, here, override.path)
    return recipe


def load_recipe(path: Path | str, overrides: Sequence[Override] = ()) -> Recipe:
    """Read a recipe from a TOML file, with other values put in; see `Recipe.load` and `make_recipe`."""
    path = Path(path)
    data = read_toml(path, RecipeError, expected="a training recipe (TOML)")
    return make_recipe(data, overrides, base=path.parent, where=str(path))


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


def _taking(options: Any, other: Any, path: Sequence[str]) -> Any:
    """Return options with the value at a path taken from others of the same form."""
    if not path or not isinstance(options, BaseModel) or not isinstance(other, BaseModel):
        return other
    fields = type(options).model_fields
    name = next(n for n, field in fields.items() if path[0] in (n, field.alias))
    value = _taking(getattr(options, name), getattr(other, name), path[1:])
    return options.model_copy(update={name: value})

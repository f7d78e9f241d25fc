"""The base of every group of options (pydantic), and what is wrong with one, in sentences."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from napari_fashion.documents import did_you_mean, shown, shown_path

MAX_LETTERS = 4096
"""Largest number of letters of a text, such as a path."""
MAX_ERRORS = 4
"""Largest number of wrong values that are named; the others are counted."""


_EXPECTED = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "{min_length} or more items",
    "too_long": "{max_length} items or fewer",
    "string_too_long": "{max_length} letters or fewer",
    "string_pattern_mismatch": "text of the form {pattern}",
    "finite_number": "a finite number",
    "int_from_float": "a whole number",
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a table"),
    "string_type": "text",
}


class Options(BaseModel):
    """A group of options: keys that it does not have are refused, and so are numbers not finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=MAX_LETTERS
    )
    renamed: ClassVar[Mapping[str, str]] = {}
    """New path of keys that had another name before, for the error that refuses them."""
    removed: ClassVar[Collection[str]] = ()
    """Paths of keys that were there before, for the error that refuses them."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `true` where a number is expected: pydantic takes it as 1."""
        name = info.field_name or ""
        if isinstance(value, bool) and cls.model_fields[name].annotation in (int, float):
            raise ValueError("expected a number")
        return value


def told(error: ValidationError, kind: type[BaseModel]) -> str:
    """Return what is wrong, as the rest of a sentence for each value; the first few of them.

    Parameters
    ----------
    error
        Of validating `kind`.
    kind
        The options that were validated; its keys are suggested for unknown ones.
    """
    errors = error.errors(include_url=False, include_context=True)
    parts = [_one(e, kind) for e in errors[:MAX_ERRORS]]
    if len(errors) > MAX_ERRORS:
        parts.append(f"and {len(errors) - MAX_ERRORS:,} more")
    return "; ".join(parts)


def _one(error: ErrorDetails, kind: type[BaseModel]) -> str:
    where = _path(error["loc"])
    found = f"found {shown(error['input'])}"
    context: Mapping[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            if (
                new := getattr(kind, "renamed", {}).get(".".join(map(str, error["loc"])))
            ) is not None:
                return f"{where}: an old name; expected {new}"
            if ".".join(map(str, error["loc"])) in getattr(kind, "removed", ()):
                return f"{where} is no option any more; leave it out"
            known = _keys(kind, error["loc"][:-1])
            return f"{where} is not a known key; {did_you_mean(error['loc'][-1], known)}"
        case "missing":
            return f"{where} is missing; expected a value for it"
        case "value_error":
            text = str(context.get("error", error["msg"])).rstrip(".")
            return f"{where}: {text}" if where else text
        case "literal_error":
            return f"{where}: {found}; expected {context['expected']}"
        case _:
            said = _EXPECTED.get(error["type"])
            if said is None:
                said = re.sub(r"^\w+ should (be |have )?", "", error["msg"])[:200]
            return f"{where or 'the document'}: {found}; expected {said.format_map(context)}"


def _path(loc: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return shown_path(text.removeprefix(".")[:120])


def _keys(kind: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the options at a place inside others."""
    inside: type[BaseModel] | None = kind
    for part in loc:
        if isinstance(part, int) or inside is None:
            continue
        field = next(
            (f for name, f in inside.model_fields.items() if part in (name, f.alias)), None
        )
        inside = None if field is None else _options_in(field.annotation)
    if inside is None:
        return []
    return [field.alias or name for name, field in inside.model_fields.items()]


def _options_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (
        typing.Union,
        types.UnionType,
        list,
        typing.Annotated,
    ):
        for inner in typing.get_args(annotation):
            if (found := _options_in(inner)) is not None:
                return found
    return None

"""The file of a model set: which models predict together, each for which body types. No torch here.

Members are named by paths relative to the file, so that a folder with all of them can be moved, or as
packaged models. What they are is read from their own files (`model_file`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from napari_fashion.documents import counted, did_you_mean, ended, listed, shown, shown_path
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.model_file import (
    SET_FORMAT,
    ModelFile,
    described_model,
    read_document,
    read_model_file,
)
from napari_fashion.engine.subschemas import SubSchema
from napari_fashion.errors import CheckpointError, SchemaError
from napari_fashion.options import Options, told
from napari_fashion.packaged import PACKAGED_MODELS
from napari_fashion.schema import Schema

VERSION = 1
MAX_MEMBERS = 32

ALIKE = ("flip_tta", "multi_scale", "refinement", "decoder")
"""Options of inference that all members have in common: a command can set them for all."""
ALIKE_VISIBILITY = ("present_threshold", "visible_threshold")


class ScoreCalibration(Options):
    """From the score of a member's garments to how probably they are of its body types.

    Scores of models that learned from different garments are not comparable (training/README.md). The
    calibration is Platt's (1999): ``sigmoid(scale * logit(score) + offset)``.
    """

    scale: float = Field(default=1.0, ge=0, le=100)
    offset: float = Field(default=0.0, ge=-100, le=100)


class MemberEntry(Options):
    """A member as the file names it.

    Attributes
    ----------
    model
        Path relative to the file, or the name of a packaged model.
    body_types
        Of the set's schema: those whose garments it is for.
    calibration
        Of its scores.
    """

    model: str = Field(min_length=1)
    body_types: list[str] = Field(min_length=1, max_length=1000)
    calibration: ScoreCalibration = ScoreCalibration()


class SetDescription(Options):
    """What stands in the file; keys that are not known are passed over.

    Attributes
    ----------
    name
        Of the set; its id begins with it.
    schema_
        Of what it predicts (`Schema.to_note`); written ``schema``.
    members
        Two or more.
    """

    model_config = ConfigDict(extra="ignore", str_max_length=None)

    name: str = Field(min_length=1, max_length=100)
    schema_: str | dict[str, Any] = Field(alias="schema")
    members: list[MemberEntry] = Field(min_length=2, max_length=MAX_MEMBERS)


@dataclass(frozen=True)
class MemberFile:
    """A member of a set, with its description.

    Attributes
    ----------
    name
        As the set's file names it.
    body_types
        What it is for.
    calibration
        Of its scores.
    file
        Its description.
    matched
        Its schema within the set's.
    """

    name: str
    body_types: tuple[str, ...]
    calibration: ScoreCalibration
    file: ModelFile
    matched: SubSchema


@dataclass(frozen=True)
class ModelSetFile:
    """A model set's file that was read, with the descriptions of its members.

    Attributes
    ----------
    path
        Of the file.
    name, schema, members
        What it says.
    """

    path: Path
    name: str
    schema: Schema
    members: tuple[MemberFile, ...]


def read_models(source: Path | str) -> ModelFile | ModelSetFile:
    """Read the description of a model, or of a set with those of its members.

    Parameters
    ----------
    source
        As for `read_model_file`, or the path of a model set's ``.json``.

    Raises
    ------
    CheckpointError
        If there is none, it does not describe a model or a set, or a member does not fit into the set.
    """
    path, document = read_document(source)
    if not (isinstance(document, dict) and document.get("format") == SET_FORMAT):
        return described_model(source, path, document)
    return _described_set(path, document)


def member_sources(source: Path | str) -> list[str]:
    """Return the sources of a set's members; of one model none.

    Raises
    ------
    CheckpointError
        If there is no model at `source`, or its document does not describe a set.
    """
    path, document = read_document(source)
    if not (isinstance(document, dict) and document.get("format") == SET_FORMAT):
        return []
    return [_source_of(entry.model, path) for entry in _parse(path, document).members]


def common_schema(sources: Sequence[str]) -> Schema:
    """Return the schema among those of some models that has the landmarks and categories of all.

    Raises
    ------
    CheckpointError
        If a model cannot be read, or none of the schemas has all.
    """
    schemas = [read_model_file(source).schema for source in sources]
    for schema in schemas:
        if all(
            set(other.landmarks) <= set(schema.landmarks)
            and set(other.category_names) <= set(schema.category_names)
            for other in schemas
        ):
            return schema
    found = [counted(schema.landmarks, "landmarks", 3) for schema in schemas]
    raise CheckpointError(
        f"None of the models finds what all others find: they have {listed(found)}. Name the schema of "
        "the set (--schema), which has the landmarks and categories of all of them."
    )


def combine(
    path: Path, name: str, schema: Schema, members: Mapping[str, Sequence[str]]
) -> ModelSetFile:
    """Return the set of some models as its file at `path` is to describe it.

    Parameters
    ----------
    path
        Where the file will be: members are named relative to it.
    name, schema
        Of the set.
    members
        Body types by the source of each model (`read_model_file`).

    Raises
    ------
    CheckpointError
        If a member cannot be read, does not fit into the set, or has no path relative to the file.
    """
    entries = [
        {"model": _relative(source, path), "body_types": list(types)}
        for source, types in members.items()
    ]
    return _described_set(path, _document(name, schema, entries))


def model_set_bytes(file: ModelSetFile) -> bytes:
    """Return what is to be written to the file of a set."""
    entries = [
        {
            "model": member.name,
            "body_types": list(member.body_types),
            "calibration": member.calibration.model_dump(),
        }
        for member in file.members
    ]
    document = _document(file.name, file.schema, entries)
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _document(name: str, schema: Schema, members: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": SET_FORMAT,
        "version": VERSION,
        "name": name,
        "schema": schema.to_note(),
        "members": members,
    }


def _relative(source: str, path: Path) -> str:
    """Return how a set's file at `path` names a model."""
    if source in PACKAGED_MODELS:
        return source
    try:
        folder, name = os.path.split(os.path.abspath(source))
        relative = os.path.relpath(
            os.path.join(os.path.realpath(folder), name), os.path.realpath(path.parent)
        )
    except ValueError as error:  # on another drive
        raise CheckpointError(
            f"{shown_path(source)}: there is no path from {shown_path(path.parent)} to it; expected models "
            "on the drive of the set's file. Write the set there."
        ) from error
    written = Path(relative).as_posix()
    return f"./{written}" if written in PACKAGED_MODELS else written


def _source_of(name: str, path: Path) -> str:
    """Return the source of a member that the set's file at `path` names.

    Raises
    ------
    CheckpointError
        If it is no relative path.
    """
    if name in PACKAGED_MODELS:
        return name
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or "\0" in name:
        raise CheckpointError(
            f"{path}: names the member {shown(name)}; expected a path relative to the file, or "
            f"{' or '.join(map(repr, PACKAGED_MODELS))}. Write the set with napari-fashion combine."
        )
    # In real folders .. is the folder above, whatever is there already.
    return os.path.normpath(os.path.join(os.path.realpath(path.parent), name))


def _parse(path: Path, document: dict[str, Any]) -> SetDescription:
    if (found := document.get("version")) != VERSION or isinstance(found, bool):
        raise CheckpointError(
            f"{path}: format version {shown(found)} of a model set; expected {VERSION}, which this "
            "napari-fashion reads. Use the version that wrote it."
        )
    try:
        return SetDescription.model_validate(document)
    except ValidationError as error:
        raise CheckpointError(
            f"{path}: does not describe a model set: {ended(told(error, SetDescription))}"
        ) from error


def _described_set(path: Path, document: dict[str, Any]) -> ModelSetFile:
    described = _parse(path, document)
    try:
        schema = Schema.from_note(described.schema_)
    except SchemaError as error:
        raise CheckpointError(f"{path}: does not describe a model set: {error}") from error
    _check_body_types(path, described, schema)
    members = tuple(_member(path, entry, schema) for entry in described.members)
    _check_alike(path, [(m.name, m.file.description.inference) for m in members])
    return ModelSetFile(path, described.name, schema, members)


def _check_body_types(path: Path, described: SetDescription, schema: Schema) -> None:
    """Refuse body types that the schema lacks, or that two members are for."""
    taken: dict[str, str] = {}
    for entry in described.members:
        for name in entry.body_types:
            if name not in schema.body_type_names:
                raise CheckpointError(
                    f"{path}: the member {shown(entry.model)} is for body type {shown(name)}, which schema "
                    f"{shown(schema.name)} lacks; "
                    f"{ended(did_you_mean(name, schema.body_type_names))}"
                )
            if name in taken:
                raise CheckpointError(
                    f"{path}: body type {shown(name)} has the members {shown(taken[name])} and "
                    f"{shown(entry.model)}; expected one for each body type."
                )
            taken[name] = entry.model


def _member(path: Path, entry: MemberEntry, schema: Schema) -> MemberFile:
    try:
        file = read_model_file(_source_of(entry.model, path))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: a member cannot be read. {error}") from error
    try:
        matched = SubSchema.of(schema, file.schema, entry.body_types)
    except SchemaError as error:
        raise CheckpointError(
            f"{path}: the member {shown(entry.model)} does not fit into the set: {ended(str(error))} "
            "Name a schema that has what all members find, or other models."
        ) from error
    return MemberFile(entry.model, tuple(entry.body_types), entry.calibration, file, matched)


def _check_alike(path: Path, members: Sequence[tuple[str, InferenceOptions]]) -> None:
    """Refuse members that are used in different ways."""
    (first, options), *others = members
    for name, own in others:
        differing = [key for key in ALIKE if getattr(own, key) != getattr(options, key)]
        differing += [
            f"visibility.{key}"
            for key in ALIKE_VISIBILITY
            if getattr(own.visibility, key) != getattr(options.visibility, key)
        ]
        if differing:
            raise CheckpointError(
                f"{path}: the members {shown(first)} and {shown(name)} are used differently "
                f"({', '.join(differing)}); expected the same options of [inference] in all but "
                "input_size, crop_aspect, padding and the calibration of visibility. Train them alike."
            )

"""A model's files: the description in JSON beside its weights. No torch here.

The description is validated whole, and what the network and its fields would take in memory is estimated,
before any of it is taken. Format 1 is translated (`renamed`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from napari_fashion.documents import ended, listed, read_json, shown, shown_path
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.network.heads import heads_of
from napari_fashion.engine.renamed import FORMAT as VERSION
from napari_fashion.engine.renamed import translate_model
from napari_fashion.engine.train.runs import has_state
from napari_fashion.errors import CheckpointError, SchemaError
from napari_fashion.files import atomic_write
from napari_fashion.options import Options, told
from napari_fashion.packaged import PACKAGED_MODELS, packaged_path
from napari_fashion.schema import Schema

FORMAT = "napari-fashion model"
SET_FORMAT = "napari-fashion model set"
"""Of a document that names several models (`model_set_file`)."""

WeightsKind = Literal["safetensors", "onnx"]

MAX_FIELD_BYTES = 1 << 30
"""The fields of one image take at most 1 GiB, at the greatest size that a model's own options ask for."""

TOGETHER = "Keep the two files of one model together."

_PICKLES = (".pt", ".pth", ".pkl", ".ckpt", ".bin")


@dataclass
class ModelInfo:
    """What is known of a model beside its network and schema.

    Attributes
    ----------
    name
        Of the recipe.
    inference
        How it is used, unless other options are given.
    recipe
        The recipe's dictionary form.
    data
        Fingerprint and counts of the training data, and the split by image key.
    metrics
        On the validation split.
    history
        Where it started from, when and on what machine it was trained, for how long.
    """

    name: str = "model"
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)


INFO_KEYS = ("name", "recipe", "data", "metrics", "history")
"""Keys of `ModelInfo` that stand in the document as they are."""


class Description(Options):
    """What stands in a model's JSON file, as far as it is relied on; see `ModelInfo`.

    Attributes
    ----------
    weights
        Form of the file beside it.
    weights_sha256
        Of that file.
    id
        Of the model that was written; what is loaded from safetensors gets an id of its own weights.
    schema_
        `Schema.to_dict`; written ``schema``.
    network, inference
        See there.
    heads
        The layout of the network's output (`HeadSpec.to_dict`): that of `heads.heads_of`. It may be
        missing.
    """

    model_config = ConfigDict(extra="ignore", str_max_length=None)

    weights: WeightsKind = "safetensors"
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    id: str = Field(default="", max_length=200)
    schema_: dict[str, Any] = Field(alias="schema")
    network: NetworkConfig
    heads: list[dict[str, Any]] | None = None
    name: str = Field(max_length=100)
    inference: InferenceOptions
    recipe: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    history: dict[str, Any]

    @field_validator("heads")
    @classmethod
    def _known_layout(
        cls, value: list[dict[str, Any]] | None, info: ValidationInfo
    ) -> list[dict[str, Any]] | None:
        network = info.data.get("network")
        if value is None or network is None:
            return value
        layout = _layout(network)
        for found, expected in zip(value, layout, strict=False):
            if found != expected:
                raise ValueError(f"found {shown(found, 200)}; expected {expected}")
        if len(value) != len(layout):
            raise ValueError(f"found {len(value)} heads; expected {len(layout)}")
        return value

    @model_validator(mode="after")
    def _has_a_name(self) -> Description:
        if self.weights == "onnx" and not (self.id and self.id.isprintable()):
            raise ValueError(
                f"id: found {shown(self.id)}; expected the model's, in printable letters"
            )
        return self

    @property
    def info(self) -> ModelInfo:
        """What of it is no network and no schema."""
        return ModelInfo(**{key: getattr(self, key) for key in ("inference", *INFO_KEYS)})


@dataclass(frozen=True)
class ModelFile:
    """A model's description that was read, and where its weights are.

    Attributes
    ----------
    path
        Of the JSON.
    weights
        Of the weights beside it.
    description, schema
        What it says.
    """

    path: Path
    weights: Path
    description: Description
    schema: Schema

    def check_digest(self, sha256: str) -> None:
        """Raise CheckpointError if the weights are not those that were saved with the description."""
        if sha256 != self.description.weights_sha256:
            raise CheckpointError(
                f"{self.weights}: these are other weights than {self.path.name} was saved with. "
                f"{_remedy(self.path.parent)}"
            )


def read_model_file(source: Path | str) -> ModelFile:
    """Read a model's description.

    Parameters
    ----------
    source
        The name of a packaged model (`PACKAGED_MODELS`), a folder that holds ``model.json``, or the path
        of a model's ``.json``, ``.safetensors`` or ``.onnx``.

    Raises
    ------
    CheckpointError
        If there is none, or it does not describe a model that this program can run. Pickled weights are
        refused by their name.
    """
    return described_model(source, *read_document(source))


def read_document(source: Path | str) -> tuple[Path, Any]:
    """Return the path of the JSON file that `source` stands for (`read_model_file`), and what it holds."""
    stem = find_model(source)
    path = stem.with_name(stem.name + ".json")
    expected = "the model's description (JSON) beside its weights"
    return path, read_json(path, CheckpointError, expected=expected)


def described_model(source: Path | str, path: Path, document: Any) -> ModelFile:
    """Return the model that the document of `read_document` describes; errors as `read_model_file`."""
    description = parse_description(document, path)
    stem = stem_of(path)
    try:
        schema = Schema.from_dict(description.schema_)
    except SchemaError as error:
        raise CheckpointError(f"{path}: does not describe a model: {error}") from error
    _check_memory(description, schema, path)
    weights = stem.with_name(f"{stem.name}.{description.weights}")
    given = Path(source).suffix
    if given in (".safetensors", ".onnx") and given != weights.suffix:
        raise CheckpointError(
            f"{source}: {path.name} beside it describes {weights.name}; expected the .json that was "
            f"written with {Path(source).name}. {TOGETHER}"
        )
    return ModelFile(path, weights, description, schema)


def parse_description(document: Any, path: Path) -> Description:
    """Validate a model's document, of this format or of format 1; `path` is named in errors.

    Raises
    ------
    CheckpointError
        If it is of another format, or does not describe a model.
    """
    if isinstance(document, dict) and document.get("format") == SET_FORMAT:
        raise CheckpointError(
            f"{path}: a set of models, which is to predict with; expected one model, to train, calibrate "
            f"or export. Name a member of the set{_named(document.get('members'))}, and combine the "
            "members again afterwards (napari-fashion combine)."
        )
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: not a napari-fashion model; expected a JSON file with "
            f'"format": "{FORMAT}", as `napari-fashion train` writes it.'
        )
    if (found := document.get("version")) not in (1, VERSION) or isinstance(found, bool):
        raise CheckpointError(
            f"{path}: format version {shown(document.get('version'))}; expected 1 to "
            f"{VERSION}, which this napari-fashion reads. Use the version that wrote it."
        )
    if found == 1:
        document = translate_model(document)
    try:
        return Description.model_validate(document)
    except ValidationError as error:
        raise CheckpointError(
            f"{path}: does not describe a model: {ended(told(error, Description))}"
        ) from error


def _named(members: object) -> str:
    """Return the members of a set's document that was not checked, for a sentence."""
    entries = members if isinstance(members, list) else []
    found = [e["model"] for e in entries if isinstance(e, dict) and isinstance(e.get("model"), str)]
    return f" ({shown_path(listed(found, 8))}, relative to it)" if found else ""


def write_description(
    path: Path,
    info: ModelInfo,
    config: NetworkConfig,
    schema: Schema,
    *,
    model_id: str,
    weights: WeightsKind,
    weights_sha256: str,
    parameters: int,
) -> None:
    """Write a model's description, atomically.

    Parameters
    ----------
    path
        Of the JSON.
    info, config, schema
        What it says.
    model_id
        Of the model.
    weights, weights_sha256
        Form and digest of the file beside it.
    parameters
        Number of the network's parameters, for readers.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "id": model_id,
        "weights": weights,
        "weights_sha256": weights_sha256,
        "parameters": parameters,
        "schema": schema.to_dict(),
        "network": config.model_dump(mode="json"),
        "heads": _layout(config),
        "inference": info.inference.model_dump(mode="json"),
        **{key: getattr(info, key) for key in INFO_KEYS},
    }
    atomic_write(path, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")


def _layout(config: NetworkConfig) -> list[dict[str, Any]]:
    return [spec.to_dict() for spec in heads_of(visibility=config.visibility)]


def _check_memory(description: Description, schema: Schema, path: Path) -> None:
    """Refuse fields that would take memory without end, before the network is built."""
    inference, stride = description.inference, description.network.stride
    sizes = [inference.input_size, *inference.multi_scale]
    if (refinement := inference.refinement) is not None:
        sizes += [size for size in (refinement.detection_size, refinement.redetect_size) if size]
    pif, paf, category = heads_of(visibility=description.network.visibility)
    fields = Layers.of(schema, description.network.layers).field_schema
    channels = (
        fields.n_landmarks * len(pif)
        + len(fields.edges) * len(paf)
        + len(fields.categories) * len(category)
    )
    side = max(sizes)
    taken = channels * (side // stride) ** 2 * 4
    if taken > MAX_FIELD_BYTES:
        raise CheckpointError(
            f"{path}: does not describe a model that can be run: {channels:,} channels at {side:,} pixels "
            f"and stride {stride} are fields of {taken >> 30:,} GiB an image; expected at most "
            f"{MAX_FIELD_BYTES >> 30} GiB."
        )


def stem_of(path: Path) -> Path:
    """Return a model's path without the ending of one of its files."""
    endings = (".json", ".safetensors", ".onnx")
    return path.with_suffix("") if path.suffix in endings else path


def find_model(source: Path | str) -> Path:
    """Return the path of a model's files without their endings; see `read_model_file`."""
    if str(source) in PACKAGED_MODELS:
        path = packaged_path(str(source))
        if not path.with_suffix(".safetensors").is_file():
            raise CheckpointError(
                f"The package has no {source} model here; install the released package, or train one: "
                f"napari-fashion train training/recipes/{source}.toml."
            )
        return path
    path = Path(source)
    if path.is_dir():
        path = path / "model"
    if path.suffix in _PICKLES:
        raise CheckpointError(
            f"{path}: weights in pickled form are not loaded, since unpickling runs code from the "
            "file. Expected a .safetensors file with its .json."
        )
    stem = stem_of(path)
    described = stem.with_name(stem.name + ".json")
    if path.is_file() and path.suffix != ".json" and not described.is_file():
        raise CheckpointError(
            f"{shown_path(str(source))}: no {shown_path(described.name)} beside it; expected the "
            f"description that was written with it. {_remedy(path.parent)}"
        )
    if not described.is_file():
        raise CheckpointError(
            f"{shown_path(str(source))}: no model there; expected a folder with model.json and "
            "model.safetensors, the path of a .json, .safetensors or .onnx, or "
            f"{' or '.join(map(repr, PACKAGED_MODELS))}."
            f"{' ' + _remedy(stem.parent) if has_state(stem.parent) else ''}"
        )
    return stem


def _remedy(folder: Path) -> str:
    """Return what to do about a model in a folder whose two files are not those of one model."""
    if not has_state(folder):
        return TOGETHER
    return (
        "A training run was ended in this folder before its model was written; write it anew: "
        f"napari-fashion train --resume --run {shown_path(folder)}."
    )

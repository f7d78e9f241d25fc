"""Recipes: a whole training configuration, read from TOML and checked before anything runs.

Every number has a range, which is wider than what is of use: what lies outside is a slip, and is refused
before it costs memory or time. The ranges stand at the fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_fashion.datasets.source import Source
from napari_fashion.documents import ended, read_json, shown
from napari_fashion.engine.augment.options import AugmentOptions
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.limits import MAX_SIZE
from napari_fashion.engine.losses.options import LossOptions
from napari_fashion.engine.network.backbones import find_backbone
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.renamed import (
    FORMAT,
    RECIPE_KEYS,
    REMOVED,
    translate_recipe,
    without_removed,
)
from napari_fashion.engine.targets.options import TargetOptions
from napari_fashion.engine.train.checkpoint_options import CheckpointOptions
from napari_fashion.engine.train.extending import (
    RecipeFile,
    merged,
    read_recipe_files,
    taking,
)
from napari_fashion.engine.train.options import (
    FINE_TUNING,
    DivergenceOptions,
    EarlyStoppingOptions,
    OptimiserOptions,
    ScheduleOptions,
    TeacherOptions,
    TensorBoardOptions,
    warmup_for,
)
from napari_fashion.errors import RecipeError
from napari_fashion.options import Options, told
from napari_fashion.packaged import PACKAGED_MODELS

INHERITED = ("augment", "targets", "loss")
"""Parts of a recipe that a training which starts from a model takes from that model's recipe; its
`InferenceOptions` are inherited option by option."""


NAME = r"^[A-Za-z0-9._-]+$"
"""What a model may be called."""

PACKAGED, RANDOM = "imagenet", "none"
"""`Recipe.pretrained` of the weights that the package carries, and of random ones."""

REGULARISERS = ("dropout", "drop_path")
"""Parts of `NetworkConfig` that change how a network learns, and not what it is."""

OF_HEADS = ("visibility", "layers")
"""Parts of `NetworkConfig` that a run may change: what fields the heads have, matched with the start's."""


def _of_this_format(data: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the content of a ``recipe.json`` in today's names; refuse what cannot be had any more."""
    if "format" in data and data["format"] != FORMAT:
        raise RecipeError(
            f"{where}: format {shown(data['format'])}; expected {FORMAT}, or none for the first. Use "
            "the version that wrote it."
        )
    for path, value in REMOVED.items():
        table, name = path.split(".")
        options = data.get(table)
        if isinstance(options, dict) and options.get(name, value) != value:
            raise RecipeError(
                f"{where}: {path} is {shown(options[name])}; expected {value}, the only value that is "
                "left. Go on with the version that began the run."
            )
    if "format" not in data:
        return translate_recipe(data)
    return without_removed({key: value for key, value in data.items() if key != "format"})


class DataOptions(Options):
    """What to learn from and what to judge by.

    Attributes
    ----------
    train
        Sources of training images.
    validation
        Sources of validation images; training images of their groups (a sender's photos, or
        the image itself) are left out. When empty, `validation_share` of the training images,
        by group, is held out.
    validation_share
        Share of the images that can be judged to hold out, by groups in the order of a hash of
        their names (`split_images`).
    split
        A JSON file, relative to the recipe, with the side of each image, so that repeated trainings
        on growing data keep them: read if it is there, and extended by further images when the run
        begins. Only without `validation`.
    limit
        Number of images to train on: those that come first in a stable order of their names. None for
        all of them. For trials; images to judge by are not limited.
    balance
        How often images of rare categories are drawn: an image's chance goes by the number of
        garments of its category to the power of minus this. 0: all alike; 1: all categories alike.
    canvas
        Side in pixels to which images are scaled when they are loaded.
    workers
        Processes that decode images; 0 decodes in the main process.
    cache_gb
        Up to how much memory decoded images are kept (with 0 workers).
    """

    train: list[Source] = Field(min_length=1, max_length=10_000)
    validation: list[Source] = Field(default_factory=list, max_length=10_000)
    validation_share: float = Field(default=0.1, ge=0, lt=1)
    split: str | None = Field(default=None, min_length=1)
    limit: int | None = Field(default=None, ge=1)
    balance: float = Field(default=0.5, ge=0, le=1)
    canvas: int = Field(default=320, ge=32, le=MAX_SIZE)
    workers: int = Field(default=0, ge=0, le=256)
    cache_gb: float = Field(default=4.0, ge=0, le=100_000)

    @model_validator(mode="after")
    def _one_split(self) -> DataOptions:
        if self.split is not None and self.validation:
            raise ValueError(
                "split and validation are both given; expected one of them, since sources of validation "
                "images are a split already"
            )
        return self


def _not_skippable(network: NetworkConfig) -> str | None:
    if not network.drop_path or network.backbone.startswith("efficientnet_lite"):
        return None
    return (
        f"network.drop_path is {network.drop_path}; expected 0 with backbone {network.backbone!r}, "
        "whose blocks cannot be skipped"
    )


class Recipe(Options):
    """Everything that a training run is made of.

    Attributes
    ----------
    name
        Of the model; its id is this and a digest of its weights.
    schema_name
        A bundled schema, the path of a schema file, or ``"from-data"``; written ``schema``. None, the
        default, for what follows from the data and from the model that the run starts from
        (`run_schema.choose_schema`).
    skeleton
        Which landmarks have edges (PAF): the name of one of the schema's skeletons, such as ``"A"`` or
        ``"B"`` (the report's), or a list of edges, pairs of landmarks' names. None for the skeleton that
        the schema has, ``"B-hem"`` of DeepFashion's: B and an edge from collar to hem on each side. The
        model keeps the schema with the skeleton that it learned.
    start_from
        A model to start from (a path or the name of a packaged one), a recipe (``.toml``) that makes it, or
        None for random weights. The network is then the model's, and so are the input size and what
        `INHERITED` names, if this recipe does not set them; other values that it leaves open are those
        of `FINE_TUNING`. Of the network a recipe can set what only training knows (`REGULARISERS`), and
        what its heads have fields for (`OF_HEADS`).
    pretrained
        Weights that the backbone starts from: ``"imagenet"`` for those that the package carries,
        a file (`Backbone.load_pretrained`) relative to the recipe, or ``"none"`` for random ones.
        By default ``"imagenet"`` if the package carries weights of the backbone. A run that starts
        from a model has that one's weights.
    inference
        How the model is used, and the input's size (`InferenceOptions`).
    precision
        ``"auto"``: mixed on a GPU, float32 on the CPU; or one of them.
    seed
        Of everything random; 0 to 2^32 - 1.
    teacher
        A model to learn from beside the labels (`TeacherOptions`); None for the labels alone.
    early_stopping
        When the run ends before its last epoch (`EarlyStoppingOptions`); None for never.
    tensorboard
        What is written for TensorBoard (`TensorBoardOptions`).
    """

    model_config = ConfigDict(populate_by_name=True)
    renamed: ClassVar = RECIPE_KEYS
    removed: ClassVar = REMOVED

    name: str = Field(default="model", pattern=NAME, max_length=100)
    schema_name: str | None = Field(default=None, alias="schema")
    skeleton: str | list[tuple[str, str]] | None = None
    start_from: str | None = None
    pretrained: str | None = None
    inference: InferenceOptions = InferenceOptions()
    precision: Literal["auto", "float32", "mixed"] = "auto"
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    network: NetworkConfig = NetworkConfig()
    data: DataOptions
    augment: AugmentOptions = AugmentOptions()
    targets: TargetOptions = TargetOptions()
    loss: LossOptions = LossOptions()
    optimiser: OptimiserOptions = OptimiserOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    divergence: DivergenceOptions = DivergenceOptions()
    checkpoints: CheckpointOptions = CheckpointOptions()
    early_stopping: EarlyStoppingOptions | None = None
    tensorboard: TensorBoardOptions = TensorBoardOptions()
    teacher: TeacherOptions | None = None

    @field_validator("skeleton", mode="before")
    @classmethod
    def _name_or_edges(cls, value: Any) -> Any:
        edges = value if isinstance(value, list) else []
        if any(
            not isinstance(edge, list | tuple) or [type(end) for end in edge] != [str, str]
            for edge in edges
        ) or not (value is None or isinstance(value, str | list)):
            raise ValueError(
                f"found {shown(value)}; expected the name of one of the schema's skeletons, or a list of "
                'edges such as ["left_collar", "left_hem"]'
            )
        return value

    @property
    def backbone_weights(self) -> str | None:
        """What the backbone starts from: a file or ``"imagenet"``; None for random weights."""
        if self.start_from is not None or self.pretrained == RANDOM:
            return None
        if self.pretrained is not None:
            return self.pretrained
        return PACKAGED if find_backbone(self.network.backbone).packaged_weights else None

    @model_validator(mode="after")
    def _fits_its_start(self) -> Recipe:
        if self.optimiser.keep_start and self.start_from is None:
            raise ValueError(
                f"optimiser.keep_start is {self.optimiser.keep_start}; expected 0 without start_from"
            )
        if self.teacher is not None and self.teacher.model == "start" and self.start_from is None:
            raise ValueError(
                "teacher.model is 'start'; expected a model's path, or start_from to say which"
            )
        if self.start_from is None and (wrong := _not_skippable(self.network)):
            raise ValueError(wrong)
        sizes = self.schedule.sizes
        if sizes and self.start_from is None and sizes[-1][1] != self.inference.input_size:
            raise ValueError(
                f"schedule.sizes ends with {sizes[-1][1]}; expected inference.input_size, which is "
                f"{self.inference.input_size}"
            )
        return self

    @classmethod
    def load(cls, path: Path | str) -> Recipe:
        """Read a recipe from a TOML file, and what it leaves open from the one that it ``extends``.

        Relative paths in a file are taken from its own folder.

        Raises
        ------
        RecipeError
            If a file is missing or not TOML, files extend each other, or a value is unknown or out of
            range; the message names each of them.
        """
        return cls.from_files(read_recipe_files(path), where=str(path))

    @classmethod
    def from_files(
        cls, files: Sequence[RecipeFile], *, where: str, data: dict[str, Any] | None = None
    ) -> Recipe:
        """Check what files set, the most general one first; relative paths are of the file with the key.

        `data` takes the place of the values of all files, if some of them were changed.
        """
        data = merged(files) if data is None else data
        first, *further = files
        recipe = cls.from_dict(data, base=first.path.parent, where=where)
        for file in further:
            if file.path.parent != first.path.parent:
                here = cls.from_dict(data, base=file.path.parent, where=where)
                for key in file.leaves():
                    recipe = taking(recipe, here, key)
        return recipe

    @classmethod
    def load_json(cls, path: Path | str) -> Recipe:
        """Read a recipe as a run's folder keeps it (``recipe.json``), of format 1 or 2.

        Raises
        ------
        RecipeError
            If the file is missing, or not a recipe.
        """
        data = read_json(path, RecipeError, expected="the recipe of a training run (JSON)")
        if isinstance(data, dict):
            data = _of_this_format(data, str(path))
        return cls.from_dict(data, where=str(path))

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], *, base: Path | None = None, where: str = "recipe"
    ) -> Recipe:
        """Check a recipe's dictionary form; `base` is the folder of its relative paths."""
        try:
            recipe = cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(f"{where}: not a valid recipe: {ended(told(error, cls))}") from error
        if base is None:
            return recipe
        try:
            return recipe._resolved(base)
        except (OSError, ValueError, RuntimeError) as error:
            raise RecipeError(
                f"{where}: a path in it cannot be looked for ({error}); expected the names of files."
            ) from error

    def _resolved(self, base: Path) -> Recipe:
        def path(value: str | None) -> str | None:
            if value is None or Path(value).is_absolute() or ":" in value:
                return value
            return str((base / value).resolve())

        data = self.data.model_copy(
            update={
                "train": [source.resolved(base) for source in self.data.train],
                "validation": [source.resolved(base) for source in self.data.validation],
                "split": None
                if (split := self.data.split) is None
                else str((base / split).resolve()),
            }
        )
        changes: dict[str, Any] = {"data": data}
        if self.start_from is not None and self.start_from not in PACKAGED_MODELS:
            changes["start_from"] = path(self.start_from)
        if self.pretrained not in (None, PACKAGED, RANDOM):
            changes["pretrained"] = path(self.pretrained)
        if self.schema_name is not None and self.schema_name.endswith(".toml"):
            changes["schema_name"] = path(self.schema_name)
        if self.teacher is not None and self.teacher.model not in ("start", *PACKAGED_MODELS):
            changes["teacher"] = self.teacher.model_copy(update={"model": path(self.teacher.model)})
        return self.model_copy(update=changes)

    def going_on_from(
        self,
        network: NetworkConfig,
        recipe: dict[str, Any],
        inference: InferenceOptions,
        defaults: Mapping[str, Mapping[str, Any]] = FINE_TUNING,
    ) -> Recipe:
        """Return this recipe with what it leaves open taken from the model that it starts from.

        A model that goes on learning keeps its network, learns by the same losses on the same kind
        of images, and is used in the same way, unless its new recipe sets something else.

        Parameters
        ----------
        network
            Of that model; `REGULARISERS` and `OF_HEADS` that this recipe sets take the place of its own.
        recipe
            The dictionary form of the recipe by which that model was trained; `INHERITED` parts of
            it are taken.
        inference
            Of that model; options that this recipe sets take the place of its own. If the input
            size is another one, sizes that were chosen for the old one are dropped.
        defaults
            Values by table and key, in place of the defaults of a training from scratch.

        Raises
        ------
        RecipeError
            If this recipe sets another shape of the network, its sizes end with another input size,
            or a part that is taken is not valid.
        """
        recipe = without_removed(recipe)
        inference = self._inherited_inference(inference)
        sizes = self.schedule.sizes
        if sizes and sizes[-1][1] != inference.input_size:
            raise RecipeError(
                f"schedule.sizes ends with {sizes[-1][1]}; expected {inference.input_size}, the "
                f"input size of this run, which starts from {self.start_from}."
            )
        taken = {
            part: recipe[part]
            for part in INHERITED
            if part in recipe and part not in self.model_fields_set
        }
        whole = {
            **self.to_dict(),
            **taken,
            "network": self._inherited_network(network).model_dump(mode="json"),
            "inference": inference.model_dump(mode="json"),
        }
        for table, values in defaults.items():
            whole[table] |= {k: v for k, v in values.items() if not self.sets(table, k)}
        if not self.sets("schedule", "warmup_epochs"):
            whole["schedule"]["warmup_epochs"] = warmup_for(whole["schedule"]["epochs"])
        return Recipe.from_dict(whole, where="start_from's recipe")

    def sets(self, table: str, key: str) -> bool:
        """Whether the recipe sets a key of a table itself, and does not leave it to the default."""
        group = getattr(self, table)
        return isinstance(group, Options) and key in group.model_fields_set

    def _inherited_network(self, network: NetworkConfig) -> NetworkConfig:
        own = {name: getattr(self.network, name) for name in self.network.model_fields_set}
        for name in own.keys() - {*REGULARISERS, *OF_HEADS}:
            if own[name] != getattr(network, name):
                raise RecipeError(
                    f"network.{name} is {own[name]!r}; expected {getattr(network, name)!r}, as the "
                    f"model has it that the run starts from ({self.start_from}). Leave it out."
                )
        merged = network.model_copy(update=own)
        if wrong := _not_skippable(merged):
            raise RecipeError(f"{wrong} ({self.start_from} has it, which the run starts from).")
        return merged

    def _inherited_inference(self, inference: InferenceOptions) -> InferenceOptions:
        own = {name: getattr(self.inference, name) for name in self.inference.model_fields_set}
        if own.get("input_size", inference.input_size) != inference.input_size:
            own = {"multi_scale": [], **own}
            refinement = inference.refinement
            if refinement is not None and "refinement" not in own:
                own["refinement"] = refinement.model_copy(
                    update={"detection_size": None, "redetect_size": None}
                )
        return inference.model_copy(update=own)

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary form, as JSON holds it; without its format."""
        return self.model_dump(mode="json", by_alias=True)

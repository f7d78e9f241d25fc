"""What a run is made of, before its first step: recipe, schema, images, networks, teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.split import fingerprint, split_images
from napari_fashion.engine.devices import choose_device
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import ModelInfo, parse_description
from napari_fashion.engine.network.folding import fold_norms
from napari_fashion.engine.network.transfer import CategoryTeacher, Origin, SchemaMatch
from napari_fashion.engine.train.checkpoint import read_run_json
from napari_fashion.engine.train.events import NoticeEvent
from napari_fashion.engine.train.fine_tuning import batch_for
from napari_fashion.engine.train.options import fine_tuning_defaults
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.run_schema import choose_schema
from napari_fashion.engine.train.runs import MODEL, RECIPE, SPLIT, refuse_to_overwrite
from napari_fashion.engine.train.schema_changes import notices_of
from napari_fashion.errors import CheckpointError, RecipeError, SchemaError
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

Split = dict[str, list[str]]
"""Keys of images by side: ``train`` and ``validation``."""


@dataclass(frozen=True, eq=False)
class Setup:
    """What a run is made of.

    Attributes
    ----------
    recipe
        With what it leaves open taken from the model that the run starts from.
    device
        Where it runs.
    schema
        Of the landmarks and categories.
    start
        The model that the run starts from, on the CPU; None if there is none.
    match, origin
        What the run's schema shares with the start's, and the start's weights in the run's shape; None if
        there is no start.
    teacher
        What is learned from beside the labels, for inference; None for none.
    model
        The one that learns.
    averaged
        The one that is saved: the average of its weights.
    train_images, val_images
        The split's sides; validation images are those that a model can be judged by.
    split
        Keys of the images on each side, those that the start has learned from among them.
    left_out
        What the sources hold that cannot be used.
    notices
        What a person should know before the run starts.
    """

    recipe: Recipe
    device: torch.device
    schema: Schema
    start: Model | None
    match: SchemaMatch | None
    origin: Origin | None
    teacher: CategoryTeacher | None
    model: Model
    averaged: Model
    train_images: list[AnnotatedImage]
    val_images: list[AnnotatedImage]
    split: Split
    left_out: Tally
    notices: list[NoticeEvent]


def set_up(recipe: Recipe, folder: Path, *, resume: bool, device: str) -> Setup:
    """Load and make what a run is made of; nothing is written.

    Parameters
    ----------
    recipe
        What to train; not used when resuming, which goes on with the folder's own.
    folder
        Of the run.
    resume
        Go on with the run in `folder`.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``...

    Raises
    ------
    RecipeError, CocoError, ImageError, CheckpointError
        If something that the recipe asks for is not there or does not fit.
    """
    place = choose_device(device)
    plan = _plan(recipe, folder, resume)
    recipe, schema, start = plan.recipe, plan.schema, plan.start
    torch.manual_seed(recipe.seed)
    teacher = _load_teacher(recipe, start, schema, place)
    data = _load_data(plan, read_run_json(folder / SPLIT) if resume else None)
    if plan.picks_batch:
        batch = batch_for(len({p.key for p in data.train}))
        schedule = recipe.schedule.model_copy(update={"batch": batch})
        recipe = recipe.model_copy(update={"schedule": schedule})
    info = ModelInfo(
        name=recipe.name,
        inference=recipe.inference,
        recipe=recipe.to_dict(),
        data={
            "fingerprint": fingerprint([*data.train, *data.validation]),
            "train_images": len({p.key for p in data.train}),
            "validation_images": len(data.validation),
        },
    )
    model = Model.create(recipe.network, schema, info, place)
    origin = None
    if start is not None and plan.match is not None:
        origin = Origin.of(start.network, model.network, plan.match)
        model.network.load_state_dict(origin.state)
    elif (weights := recipe.backbone_weights) is not None and not resume:
        model.network.backbone.load_pretrained(weights)
    averaged = Model.create(recipe.network, schema, info, place)
    averaged.network.load_state_dict(model.network.state_dict())
    return Setup(
        recipe, place, schema, start, plan.match, origin, teacher, model, averaged,
        data.train, data.validation, data.split, data.left_out, data.notices,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Plan:
    """A run's recipe with what follows from its start.

    Attributes
    ----------
    recipe, schema, start, match
        See `Setup`.
    picks_batch
        Whether the number of images of a step follows from the number of training images.
    """

    recipe: Recipe
    schema: Schema
    start: Model | None
    match: SchemaMatch | None
    picks_batch: bool


def _plan(recipe: Recipe, folder: Path, resume: bool) -> _Plan:
    made: Schema | None = None
    if resume:
        recipe, made = _as_its_model(Recipe.load_json(folder / RECIPE), folder)
    else:
        refuse_to_overwrite(folder)
    start = None if recipe.start_from is None else Model.load(recipe.start_from, "cpu")
    old = None if start is None else start.schema
    schema = made or choose_schema(recipe.schema_name, recipe.data.train, old)
    if start is None:
        return _Plan(recipe, schema, None, None, False)
    match = SchemaMatch.of(start.schema, schema)
    picks_batch = not resume and not recipe.sets("schedule", "batch")
    if not resume:
        defaults = fine_tuning_defaults(match.has_new, match.share_of_new)
        info = start.info
        recipe = recipe.going_on_from(start.config, info.recipe, info.inference, defaults)
    return _Plan(recipe, schema, start, match, picks_batch)


@dataclass(frozen=True, eq=False)
class _Data:
    """The images of a run; see `Setup`."""

    train: list[AnnotatedImage]
    validation: list[AnnotatedImage]
    split: Split
    left_out: Tally
    notices: list[NoticeEvent]


def _load_data(plan: _Plan, known: Split | None) -> _Data:
    """Read the sources and split them; `known` is the split of a run that is resumed."""
    recipe, schema, start = plan.recipe, plan.schema, plan.start
    left_out = Tally()
    learned: Split = {} if start is None else start.info.data.get("split") or {}
    images = load_sources(recipe.data.train, schema, left_out)
    notices: list[NoticeEvent] = []
    if recipe.data.validation:
        validation = load_sources(recipe.data.validation, schema, left_out)
        groups = {p.group for p in validation}  # an image without a group is one by itself
        train = [p for p in images if p.group not in groups]
        held_out = [*images, *validation]
        validation = [p for p in validation if p.can_be_judged]
        if start is not None:
            validation, notices = _unlearned(validation, set(learned.get("train", ())), start.id)
    else:
        share = recipe.data.validation_share
        train, validation = split_images(images, share, recipe.seed, known or learned or None)
        held_out = images
    if not train:
        raise RecipeError("All images are held out for validation; none is left to train on.")
    if start is not None and plan.match is not None:
        notices = [*notices_of(plan.match, train, start.id), *notices]
    return _Data(train, validation, _whole_split(train, held_out, learned), left_out, notices)


def _unlearned(
    validation: list[AnnotatedImage], learned: set[str], start: str
) -> tuple[list[AnnotatedImage], list[NoticeEvent]]:
    """Return the validation images that the start has not learned from, and a notice on the others."""
    left = [p for p in validation if p.key not in learned]
    lost = len(validation) - len(left)
    if not lost:
        return left, []
    return left, [
        NoticeEvent(
            message=f"{lost} of {len(validation)} validation images are not used: {start}, which the run "
            f"starts from, has learned from them. {len(left)} are left to judge by.",
            level="warning",
        )
    ]


def _whole_split(
    train: list[AnnotatedImage], images: list[AnnotatedImage], learned: Split
) -> Split:
    """Return the split of a run's images, with those of the start, which its model has learned as well."""
    trained = {p.key for p in train} | set(learned.get("train", ()))
    held_out = {p.key for p in images} | set(learned.get("validation", ()))
    return {"train": sorted(trained), "validation": sorted(held_out - trained)}


def _load_teacher(
    recipe: Recipe, start: Model | None, schema: Schema, device: torch.device
) -> CategoryTeacher | None:
    options = recipe.teacher
    if options is None or not options.category:
        return None
    model = start if options.model == "start" else Model.load(options.model, "cpu")
    assert model is not None  # the recipe has been checked for it
    teacher = CategoryTeacher(fold_norms(model.network), SchemaMatch.of(model.schema, schema))
    if not teacher.known.any():
        raise RecipeError(
            f"teacher.model {options.model}: it has none of the run's {len(schema.categories)} "
            "categories by name; expected a model that shares some."
        )
    return teacher.to(device)


def _as_its_model(recipe: Recipe, run: Path) -> tuple[Recipe, Schema]:
    """Return a stopped run's recipe with the network and the input size that its model has, and its schema.

    Old runs that started from a model have these from it; their recipes do not say so.
    """
    path = run / MODEL
    try:
        made = parse_description(read_run_json(path), path)
        schema = Schema.from_dict(made.schema_)
    except (CheckpointError, SchemaError) as error:
        raise CheckpointError(f"{error} The run cannot be resumed; start a new one.") from error
    inference = recipe.inference.model_copy(update={"input_size": made.inference.input_size})
    return recipe.model_copy(update={"network": made.network, "inference": inference}), schema

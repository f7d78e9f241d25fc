"""What a run is made of, before its first step: recipe, schema, images, networks, teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.split import (
    Sides,
    Split,
    fingerprint,
    given_split,
    parse_split,
    read_split,
    sides_in,
    split_images,
)
from napari_fashion.engine.devices import choose_device
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import ModelInfo
from napari_fashion.engine.network.folding import fold_norms
from napari_fashion.engine.network.transfer import (
    CategoryTeacher,
    Origin,
    SchemaMatch,
    match_fields,
)
from napari_fashion.engine.train.events import NoticeEvent
from napari_fashion.engine.train.fine_tuning import batch_for, epochs_for
from napari_fashion.engine.train.notices import data_notices, skeleton_notices
from napari_fashion.engine.train.old_runs import recipe_of, schema_of
from napari_fashion.engine.train.options import fine_tuning_defaults, warmup_for
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.run_schema import choose_schema, with_skeleton
from napari_fashion.engine.train.runs import SPLIT, read_run_json, refuse_to_overwrite
from napari_fashion.engine.train.schema_changes import notices_of
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally


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
    split
        Images to train on and to judge by.
    left_out
        What the sources hold that cannot be used.
    notices
        What a person should know before the first step.
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
    data = _load_data(plan, _known_sides(recipe, folder, resume))
    split = data.split
    recipe = _with_picks(recipe, plan.picks, len({p.key for p in split.train}))
    info = ModelInfo(
        name=recipe.name,
        inference=recipe.inference,
        recipe=recipe.to_dict(),
        data={
            "fingerprint": fingerprint([*split.train, *split.validation]),
            "train_images": len({p.key for p in split.train}),
            "validation_images": len(split.validation),
        },
    )
    model = Model.create(recipe.network, schema, info, place)
    origin = None
    if start is not None and plan.match is not None:
        fields = match_fields(
            Layers.of(start.schema, start.config.layers), Layers.of(schema, recipe.network.layers)
        )
        origin = Origin.of(start.network, model.network, fields)
        model.network.load_state_dict(origin.state)
    elif (weights := recipe.backbone_weights) is not None and not resume:
        model.network.backbone.load_pretrained(weights)
    averaged = Model.create(recipe.network, schema, info, place)
    averaged.network.load_state_dict(model.network.state_dict())
    return Setup(
        recipe, place, schema, start, plan.match, origin, teacher, model, averaged,
        split, data.left_out, data.notices,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Plan:
    """A run's recipe with what follows from its start.

    Attributes
    ----------
    recipe, schema, start, match
        See `Setup`.
    picks
        Which of the schedule's ``batch``, ``epochs`` and ``warmup_epochs`` follow from the number of
        training images.
    """

    recipe: Recipe
    schema: Schema
    start: Model | None
    match: SchemaMatch | None
    picks: tuple[str, ...]


def _plan(recipe: Recipe, folder: Path, resume: bool) -> _Plan:
    made: Schema | None = None
    if resume:
        recipe, made = recipe_of(folder), schema_of(folder)
    else:
        refuse_to_overwrite(folder)
    start = None if recipe.start_from is None else Model.load(recipe.start_from, "cpu")
    old = None if start is None else start.schema
    schema = made or with_skeleton(
        choose_schema(recipe.schema_name, recipe.data.train, old), recipe.skeleton
    )
    if start is None:
        return _Plan(recipe, schema, None, None, ())
    match = SchemaMatch.of(start.schema, schema)
    picks: tuple[str, ...] = ()
    if not resume:
        picked = ("batch",) if match.has_new else ("batch", "epochs", "warmup_epochs")
        picks = tuple(key for key in picked if not recipe.sets("schedule", key))
        defaults = fine_tuning_defaults(match.has_new, match.share_of_new)
        info = start.info
        recipe = recipe.going_on_from(start.config, info.recipe, info.inference, defaults)
    return _Plan(recipe, schema, start, match, picks)


def _with_picks(recipe: Recipe, picks: Sequence[str], images: int) -> Recipe:
    """Return the recipe with what its schedule picks by the number of training images."""
    schedule = recipe.schedule
    batch = batch_for(images) if "batch" in picks else schedule.batch
    epochs = schedule.epochs
    if "epochs" in picks:
        epochs = epochs_for(images, batch, epochs)
    warmup = warmup_for(epochs) if "warmup_epochs" in picks else schedule.warmup_epochs
    update = {"batch": batch, "epochs": epochs, "warmup_epochs": warmup}
    return recipe.model_copy(update={"schedule": schedule.model_copy(update=update)})


@dataclass(frozen=True, eq=False)
class _Data:
    """The images of a run; see `Setup`."""

    split: Split
    left_out: Tally
    notices: list[NoticeEvent]


def _load_data(plan: _Plan, known: Sides | None) -> _Data:
    """Read the sources and split them; images of a `known` split stay on their side."""
    recipe, schema, start = plan.recipe, plan.schema, plan.start
    share = recipe.data.validation_share
    left_out = Tally()
    learned = None if start is None else sides_in(start.info.data.get("split"))
    images = load_sources(recipe.data.train, schema, left_out)
    if recipe.data.validation:
        validation = load_sources(recipe.data.validation, schema, left_out)
        split = given_split(images, validation, learned)
    else:
        split = split_images(images, share, recipe.seed, known, learned)
    split = split.limited(recipe.data.limit)
    if not split.train:
        raise RecipeError("All images are held out for validation; none is left to train on.")
    notices = data_notices(schema, split, share=share)
    if recipe.skeleton is not None:
        notices += skeleton_notices(schema)
    if start is not None and plan.match is not None:
        notices = [*notices_of(plan.match, split.train, start.id), *notices]
    return _Data(split, left_out, notices)


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


def _known_sides(recipe: Recipe, folder: Path, resume: bool) -> Sides | None:
    """Return the sides that images have already: in the run that is resumed, or by `data.split`."""
    if resume:
        return parse_split(read_run_json(folder / SPLIT), folder / SPLIT)
    return None if recipe.data.split is None else read_split(Path(recipe.data.split))

"""What a run is made of, before its first step: recipe, images, networks, teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from napari_fashion.datasets.opening import open_source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.split import (
    Sides,
    Split,
    fingerprint,
    parse_split,
    read_split,
    sides_in,
    split_images,
)
from napari_fashion.engine.devices import choose_device
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import ModelInfo
from napari_fashion.engine.network.folding import fold_norms
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.train.events import NoticeEvent
from napari_fashion.engine.train.notices import data_notices
from napari_fashion.engine.train.old_runs import recipe_of
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import SPLIT, read_run_json, refuse_to_overwrite
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
    teacher
        The network that is learned from beside the labels, folded for inference; None for none.
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
    teacher: Network | None
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
    if resume:
        recipe = recipe_of(folder)
    else:
        refuse_to_overwrite(folder)
    start = None if recipe.start_from is None else Model.load(recipe.start_from, "cpu")
    if start is not None and not resume:
        recipe = recipe.going_on_from(start.config, start.info.recipe, start.info.inference)
    torch.manual_seed(recipe.seed)
    schema = start.schema if start is not None else _make_schema(recipe)
    teacher = _load_teacher(recipe, start, schema, place)

    left_out = Tally()
    images = load_sources(recipe.data.train, schema, left_out)
    known = _known_sides(recipe, folder, resume)
    split = _split(recipe, images, schema, known, start, left_out)
    if not split.train:
        raise RecipeError("All images are held out for validation; none is left to train on.")
    notices = data_notices(schema, split, share=recipe.data.validation_share)

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
    if start is not None:
        model.network.load_state_dict(start.network.state_dict())
    elif (weights := recipe.backbone_weights) is not None and not resume:
        model.network.backbone.load_pretrained(weights)
    averaged = Model.create(recipe.network, schema, info, place)
    averaged.network.load_state_dict(model.network.state_dict())
    return Setup(recipe, place, schema, start, teacher, model, averaged, split, left_out, notices)


def _make_schema(recipe: Recipe) -> Schema:
    if recipe.schema_name == "from-data":
        return open_source(recipe.data.train[0]).schema
    return Schema.load(recipe.schema_name)


def _load_teacher(
    recipe: Recipe, start: Model | None, schema: Schema, device: torch.device
) -> Network | None:
    options = recipe.teacher
    if options is None or not options.category:
        return None
    model = start if options.model == "start" else Model.load(options.model, "cpu")
    assert model is not None  # the recipe has been checked for it
    theirs, ours = model.schema.category_names, schema.category_names
    if theirs != ours:
        raise RecipeError(
            f"teacher.model {options.model}: its {len(theirs)} categories are not the run's "
            f"{len(ours)}, name by name; expected a model for the same categories."
        )
    return fold_norms(model.network).to(device)


def _known_sides(recipe: Recipe, folder: Path, resume: bool) -> Sides | None:
    """Return the sides that images have already: in the run that is resumed, or by `data.split`."""
    if resume:
        return parse_split(read_run_json(folder / SPLIT), folder / SPLIT)
    return None if recipe.data.split is None else read_split(Path(recipe.data.split))


def _split(
    recipe: Recipe,
    images: list[AnnotatedImage],
    schema: Schema,
    known: Sides | None,
    start: Model | None,
    left_out: Tally,
) -> Split:
    """Return training and validation images; images of a `known` split stay on their side."""
    data = recipe.data
    if data.validation:
        validation = load_sources(data.validation, schema, left_out)
        groups = {p.group for p in validation}  # an image without a group is one by itself
        train = [p for p in images if p.group not in groups]
        held_out = {p.key for p in [*images, *validation]} - {p.key for p in train}
        judged = [p for p in validation if p.can_be_judged]
        return Split(train, judged, frozenset(held_out), judgeable=len(judged), learned=0)
    learned = None if start is None else sides_in(start.info.data.get("split"))
    return split_images(images, data.validation_share, recipe.seed, known, learned)

"""Training by a recipe, after the recipes that it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from napari_fashion.engine.distributed import processes
from napari_fashion.engine.train.events import Emit
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import (
    RECIPE,
    finished,
    has_state,
    refuse_if_running,
    refuse_to_overwrite,
    training_in,
)
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.errors import RecipeError


def train(
    recipe: Recipe,
    run: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    emit: Emit = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
    read: Callable[[str], Recipe] = Recipe.load,
) -> Path:
    """Train a model from a recipe. If `start_from` is itself a recipe, train that model first.

    Parameters
    ----------
    recipe
        What to train, on what, how. If its `start_from` is a recipe, that one's run lies beside
        this one's, under its name; it is made, or resumed, unless it is finished. Not used when
        resuming.
    run
        Folder for ``recipe.json``, ``split.json``, ``model.*``, ``checkpoints`` and
        ``events.jsonl``. It must be missing or empty, or hold a run without a checkpoint, which
        begins anew.
    resume
        Go on from the newest checkpoint in `run`, with its own recipe, split and random state. A run
        that was ended before its first checkpoint begins anew, by its own recipe.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``...
    emit
        Called with each event.
    should_stop
        Asked after each step; when it returns true, the state is saved and the run ends.
    read
        Reads a recipe that another one starts from, such as at a scale.

    Returns
    -------
    Path of the model's JSON.

    Raises
    ------
    RecipeError, CocoError, ImageError, CheckpointError
        If something that the recipe asks for is not there or does not fit, another process trains
        in the folder, or it cannot be written; nothing is overwritten.
    """
    from_first = processes().from_first  # one process finds out for all what is on the disk
    chain = [(recipe, run)] if resume else from_first(partial(_chain_of, recipe, run, read))
    before: Path | None = None
    for link, folder in chain:
        if before is not None:
            link = link.model_copy(update={"start_from": str(before.resolve())})
        if folder != run and from_first(partial(finished, folder)):
            before = folder
            continue
        path, done = _train_link(
            link, folder, resume=resume, device=device, emit=emit, should_stop=should_stop
        )
        if not done:
            break
        before = folder
    return path


def _train_link(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool,
    device: str,
    emit: Emit,
    should_stop: Callable[[], bool],
) -> tuple[Path, bool]:
    """Train one recipe of a chain; return its model's path, and whether it came to its end."""
    from_first = processes().from_first
    with ExitStack() as held:
        go_on = resume or from_first(partial(has_state, folder))
        if go_on and from_first(folder.is_dir):
            held.enter_context(_held(folder))
        if go_on and not from_first(partial(has_state, folder)):
            recipe, go_on = Recipe.load_json(folder / RECIPE), False
        trainer = Trainer(recipe, folder, resume=go_on, device=device, emit=emit)
        if not go_on and not resume:
            held.enter_context(_held(folder, begin=True))
        path = trainer.run(should_stop)
        processes().wait()  # before the first one gives the folder back
    return path, from_first(partial(finished, folder))


@contextmanager
def _held(folder: Path, *, begin: bool = False) -> Iterator[None]:
    """Hold a run's folder; with several processes the first one does for all."""
    if not processes().first:
        yield
        return
    with training_in(folder):
        if begin:
            refuse_to_overwrite(folder)  # another process may have begun in it meanwhile
        yield


def _chain_of(
    recipe: Recipe, run: Path, read: Callable[[str], Recipe]
) -> list[tuple[Recipe, Path]]:
    """Return a recipe with its run's folder, after the recipes that it starts from, first one first.

    The run of a recipe that another one starts from lies beside that one's, under its own name. A
    finished run needs none of those that it started from.

    Raises
    ------
    RecipeError
        If recipes start from each other, or two of them would use one folder.
    CheckpointError
        If the last one's folder holds a run already.
    """
    refuse_if_running(run)  # before anything is made for it
    refuse_to_overwrite(run)
    chain = [(recipe, run)]
    seen: dict[str, str] = {str(run.resolve()): "the run itself"}
    while (start := chain[0][0].start_from) is not None and start.endswith(".toml"):
        first = read(start)
        folder = run.parent / first.name
        if (other := seen.get(str(folder.resolve()))) is not None:
            raise RecipeError(
                f"{start}: its run goes into {folder}, and so does that of {other}. Give the run "
                "another folder, or the recipe another name; recipes cannot start from each other."
            )
        seen[str(folder.resolve())] = start
        chain.insert(0, (first, folder))
        if finished(folder):
            break
        if not has_state(folder):
            refuse_to_overwrite(folder)
    return chain

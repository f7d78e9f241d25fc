"""The loop of a run: epochs, steps, events, and the state that is saved between them."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from napari_fashion.documents import listed
from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.distributed import convert_norms, processes
from napari_fashion.engine.renamed import FORMAT
from napari_fashion.engine.train.batches import TrainBatches
from napari_fashion.engine.train.checkpoint import (
    Checkpoint,
    Progress,
    read_run_json,
    refusing_to_resume,
    write_json,
)
from napari_fashion.engine.train.divergence import BACK_FACTOR, Finding
from napari_fashion.engine.train.events import (
    DivergenceEvent,
    DoneEvent,
    Emit,
    EpochEvent,
    EventLog,
    LeftOutEvent,
    NoticeEvent,
    StartEvent,
    StepEvent,
    StoppedEvent,
    TrainEvent,
)
from napari_fashion.engine.train.new_rows import NewRowRates
from napari_fashion.engine.train.plateau import EarlyStopping
from napari_fashion.engine.train.product import Product
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import EVENTS, MODEL, RECIPE, SPLIT
from napari_fashion.engine.train.setup import set_up
from napari_fashion.engine.train.step import LossComputer
from napari_fashion.engine.train.tensorboard import TensorBoard
from napari_fashion.engine.train.update import Diverged, Updater
from napari_fashion.errors import CheckpointError, RecipeError
from napari_fashion.tally import Tally

MOST_IMAGES = 1000
"""Largest number of images that an event names."""


class Part(Protocol):
    """A part of a run with a state of JSON values, which a checkpoint keeps."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a state; raise ValueError if it is none."""


class Stopped(Exception):
    """The run was asked to stop."""


class Trainer:
    """One run; see `train`.

    With several processes each has a trainer, all of the same state; the first one writes and
    reports.
    """

    def __init__(self, recipe: Recipe, run: Path, *, resume: bool, device: str, emit: Emit) -> None:
        setup = set_up(recipe, run, resume=resume, device=device)
        self.recipe = recipe = setup.recipe
        self.folder, self.device, self.schema = run, setup.device, setup.schema
        self.train_images, self.val_images = setup.train_images, setup.val_images
        self.network = setup.model.network
        if not recipe.optimiser.freeze_norms:
            convert_norms(self.network, self.device)
        self.product = Product(setup)
        self.tensorboard = TensorBoard(recipe.tensorboard, run, self.val_images, emit)
        self.emit: Emit = EventLog(run / EVENTS, self.tensorboard) if processes().first else _ignore
        self._split, self._left_out, self._notices = setup.split, setup.left_out, setup.notices
        self.batches = TrainBatches(recipe, self.train_images, self.device)
        compute_losses = LossComputer(
            recipe,
            self.schema,
            self.network,
            setup.teacher,
            self.batches.category_rates(len(self.schema.categories)),
            self.device,
        )
        self.updater = Updater(
            recipe, self.network, compute_losses, self.batches.steps_per_epoch, self.total_steps
        )
        self.early_stopping = EarlyStopping(recipe.early_stopping)
        self._parts: dict[str, Part] = {
            "guard": self.updater.guard,
            "plateau": self.updater.plateau,
            "early_stopping": self.early_stopping,
        }
        _refuse_unwatched(recipe, self.val_images)
        if setup.origin is not None:
            factor = max(1.0, recipe.optimiser.new_rows_lr / recipe.optimiser.lr)
            rates = NewRowRates(self.network, setup.origin.new_rows, factor)
            rates.attach(self.updater.optimiser)
        self._checkpoint = Checkpoint(
            run,
            self.network,
            self.updater.optimiser,
            self.updater.scaler,
            self.device,
            self.product.averaged.info.data["fingerprint"],
        )
        self.epoch = self.step = 0
        self.seconds = 0.0
        self._first_diverged: tuple[int, Sequence[str]] = (0, ())
        if resume:
            self._load()
        processes().copy_from_first(self.network.state_dict().values())

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole run."""
        steps = self.batches.steps_per_epoch * self.recipe.schedule.epochs
        limit = self.recipe.schedule.max_steps
        return min(steps, limit) if limit else steps

    def run(self, should_stop: Callable[[], bool]) -> Path:
        """Train to the end, or until `should_stop`; return the path of the model's JSON.

        With several processes, a wish to stop of one of them is everybody's.
        """
        processes().wait()  # all have read the folder
        if processes().first:
            self._begin_folder()
        self.emit(self._start_event())
        for notice in self._notices:
            self.emit(notice)
        self._report(self._left_out)
        self.batches.dataset.preload()
        self._report(self.batches.newly_broken())
        stopped = False
        try:
            while self.step < self.total_steps and not self.early_stopping.why:
                self._run_epoch(should_stop)
        except Stopped:
            stopped = True
        except BaseException:
            self.tensorboard.close()
            raise
        path = self._save()
        if not stopped and self.recipe.early_stopping is not None:
            path = self._save_best() or path
        if (comparison := self.product.compare()) is not None:
            self.emit(comparison)
        if stopped:
            self.emit(StoppedEvent(model=str(path), step=self.step))
        else:
            self.emit(
                DoneEvent(
                    model=str(path),
                    seconds=round(self.seconds, 1),
                    why=self.early_stopping.why if self.step < self.total_steps else "",
                )
            )
        processes().wait()  # all find the folder finished
        return path

    def _begin_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / RECIPE, {"format": FORMAT, **self.recipe.to_dict()})
        write_json(self.folder / SPLIT, self._split)

    def _start_event(self) -> StartEvent:
        return StartEvent(
            run=str(self.folder),
            epochs=self.recipe.schedule.epochs,
            steps=self.total_steps,
            epoch=self.epoch,
            step=self.step,
            train_images=len({p.key for p in self.train_images}),
            val_images=len(self.val_images),
            device=_device_name(self.device),
        )

    def _report(self, left_out: Tally) -> None:
        for what, count in left_out.counts.items():
            self.emit(LeftOutEvent(what=what, count=count, first=left_out.examples[what]))

    # -- epochs and steps ------------------------------------------------------------------

    def _run_epoch(self, should_stop: Callable[[], bool]) -> None:
        every = max(1, min(5, self.total_steps // 100))  # a short run's curve has few points
        began = time.perf_counter()
        self.updater.begin_epoch()
        losses: list[float] = []
        seen, window = 0, time.perf_counter()
        first = self.step - self.epoch * self.batches.steps_per_epoch
        for batches in self.batches.of_epoch(self.epoch, first):
            parts = self._train_step(batches)
            self.step += 1
            loss = None if parts is None else sum(parts.values())
            if loss is not None:
                losses.append(loss)
            seen += self.batches.batch * len(batches)
            if self.step % every == 0 or self.step in (1, self.total_steps):
                elapsed = max(time.perf_counter() - window, 1e-9)
                self.emit(
                    StepEvent(
                        step=self.step,
                        epoch=self.epoch,
                        loss=loss,
                        losses=parts,
                        lr=self.updater.rate,
                        images_per_second=round(seen / elapsed, 1),
                    )
                )
                seen, window = 0, time.perf_counter()
            if processes().largest(should_stop()):
                self.seconds += time.perf_counter() - began
                raise Stopped
            if self.step >= self.total_steps:
                break
        self.epoch = self.step // self.batches.steps_per_epoch
        self._report(self.batches.newly_broken())
        validated = None
        last = self.step >= self.total_steps
        if self.val_images and (last or self.epoch % self.recipe.schedule.validate_every == 0):
            validated = self.product.validate()
            self._follow(validated.get("ne"))
        self.seconds += time.perf_counter() - began
        self._save()
        loss = statistics.fmean(losses) if losses else None
        self.emit(EpochEvent(epoch=self.epoch, loss=loss, val=validated))

    def _follow(self, error: float | None) -> None:
        """Do what follows from a validation's normalised error."""
        if self.updater.plateau.validated(error, self.epoch):
            self.emit(
                NoticeEvent(
                    message=f"The normalised error has not fallen in "
                    f"{self.recipe.schedule.plateau.patience} validations; the learning rate falls to "
                    f"{self.updater.plateau.factor:g} of its peak."
                )
            )
        self.early_stopping.validated(error, self.epoch)
        if self.recipe.early_stopping is not None:
            self.product.keep_if_best(error, self.epoch)
        self.tensorboard.draw(self.product.model(), self.step)

    def _train_step(self, batches: Sequence[Canvases]) -> dict[str, float] | None:
        """Do one step; return the weighted losses by name, or None if it was skipped."""
        try:
            losses = self.updater.step(batches, self.step)
        except Diverged as diverged:
            self._on_divergence(diverged.finding, self._names(batches))
            return None
        self.product.update(self.step)
        return losses

    def _names(self, batches: Sequence[Canvases]) -> list[str]:
        """Return the names of a step's images, of all processes."""
        own = [i for batch in batches for i in batch.index.tolist()]
        indices = [i for part in processes().gather(own) for i in part]
        return list(dict.fromkeys(self.train_images[i].path.name for i in indices))

    def _on_divergence(self, found: Finding, images: Sequence[str]) -> None:
        """Report a step that diverges, and follow the policy.

        Raises
        ------
        CheckpointError
            If the policy is to stop, or gives up.
        """
        number, value = self.step + 1, found.value
        if not self.updater.guard.count:
            self._first_diverged = number, images
        self.emit(
            DivergenceEvent(
                step=number,
                head=found.head,
                loss=value if math.isfinite(value) else str(value),
                policy=self.recipe.divergence.policy,
                images=list(images[:MOST_IMAGES]),
            )
        )
        can_go_back = processes().from_first(lambda: self._checkpoint.good)
        reaction = self.updater.guard.react(self.updater.lr_factor, can_go_back)
        if reaction.action == "stop":
            first, images = self._first_diverged
            raise CheckpointError(
                f"The loss diverged at step {number:,} ({found}), and {reaction.why}. Lower "
                f"optimiser.lr (now {self.recipe.optimiser.lr:g}), or inspect the images of step "
                f"{first:,}: {listed(images)}."
            )
        if reaction.action == "back":
            step, epoch, seconds = self.step, self.epoch, self.seconds
            factor = self.updater.lr_factor * BACK_FACTOR
            self._load()
            self.emit(
                NoticeEvent(
                    message=f"Went back to the state of step {self.step:,}, at {factor:g} of the "
                    "learning rate.",
                    level="warning",
                )
            )
            self.step, self.epoch, self.seconds = step, epoch, seconds
            self.updater.lr_factor = factor

    # -- state -----------------------------------------------------------------------------

    def _save(self) -> Path:
        """Save the model and the run's state; return the path of the model's JSON."""
        if not processes().first:
            return self.folder / MODEL
        path = self._save_model()
        progress = Progress(
            epoch=self.epoch,
            step=self.step,
            seconds=self.seconds,
            lr_factor=self.updater.lr_factor,
            good=self.updater.guard.good,
            state={name: part.state_dict() for name, part in self._parts.items()},
        )
        self._checkpoint.save(progress)
        return path

    def _save_model(self) -> Path:
        """Save the model; return the path of its JSON."""
        if not processes().first:
            return self.folder / MODEL
        return self.product.save(
            self.folder,
            read_run_json(self.folder / SPLIT),
            epochs=self.epoch,
            steps=self.step,
            seconds=round(self.seconds, 1),
            machine=_device_name(self.device),
        )

    def _save_best(self) -> Path | None:
        """Save the model of the best validation; return the path of its JSON, None if there is none."""
        if (best := self.product.recall_best()) is None:
            return None
        epoch, error = best
        self.emit(
            NoticeEvent(
                message=f"The model that is saved is that of epoch {epoch}, whose normalised error is the "
                f"least: {error:.4f}."
            )
        )
        return self._save_model()

    def _load(self) -> None:
        """Go back to the saved state."""
        with refusing_to_resume(self.folder):
            self.product.load(self.folder)
        progress = self._checkpoint.load()  # last: building a network draws random numbers
        self.epoch, self.step = progress.epoch, progress.step
        self.seconds, self.updater.lr_factor = progress.seconds, progress.lr_factor
        with refusing_to_resume(self.folder):
            for name, part in self._parts.items():
                if name in progress.state:
                    part.load_state_dict(progress.state[name])


def _refuse_unwatched(recipe: Recipe, val_images: Sequence[AnnotatedImage]) -> None:
    """Refuse what follows validations if there are no images for them."""
    for on, what in (
        (recipe.schedule.kind == "plateau", "schedule.kind is 'plateau'"),
        (recipe.early_stopping is not None, "early_stopping is set"),
    ):
        if on and not val_images:
            raise RecipeError(
                f"{what}, and no image is held out to validate by; expected some. Set "
                "data.validation_share, or data.validation."
            )


def _ignore(event: TrainEvent) -> None:
    pass


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"cpu, {torch.get_num_threads()} threads, {platform.machine()}"
    n = processes().size
    return name if n == 1 else f"{n} processes, each on {name}"

"""The loop of a run: epochs, steps, events, and the state that is saved between them."""

from __future__ import annotations

import contextlib
import math
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from napari_fashion.documents import listed
from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.split import extend_split
from napari_fashion.engine.distributed import convert_norms, processes
from napari_fashion.engine.renamed import FORMAT
from napari_fashion.engine.train.batches import TrainBatches
from napari_fashion.engine.train.checkpoint import About, Progress, Validation
from napari_fashion.engine.train.checkpoints import Checkpoints
from napari_fashion.engine.train.disk import writing
from napari_fashion.engine.train.divergence import BACK_FACTOR, Finding
from napari_fashion.engine.train.events import (
    DivergenceEvent,
    DoneEvent,
    Emit,
    EpochEvent,
    ErrorEvent,
    EventLog,
    LeftOutEvent,
    NoticeEvent,
    StartEvent,
    StepEvent,
    StoppedEvent,
    TrainEvent,
)
from napari_fashion.engine.train.new_rows import NewRowRates
from napari_fashion.engine.train.old_runs import is_old, read_old_state
from napari_fashion.engine.train.plateau import EarlyStopping
from napari_fashion.engine.train.product import Product
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.run_state import Learning, RunState, digest_of
from napari_fashion.engine.train.runs import (
    EVENTS,
    MODEL,
    RECIPE,
    SPLIT,
    read_run_json,
    write_run_json,
)
from napari_fashion.engine.train.setup import Setup, set_up
from napari_fashion.engine.train.step import LossComputer
from napari_fashion.engine.train.tensorboard import TensorBoard
from napari_fashion.engine.train.update import Diverged, Updater
from napari_fashion.errors import CheckpointError, RecipeError
from napari_fashion.tally import Tally

MOST_IMAGES = 1000
"""Largest number of images that an event names."""


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
        self.train_images, self.val_images = setup.split.train, setup.split.validation
        self.network = setup.model.network
        if not recipe.optimiser.freeze_norms:
            convert_norms(self.network, self.device)
        self.product = Product(setup)
        self.tensorboard = TensorBoard(recipe.tensorboard, run, self.val_images, emit)
        self._log = EventLog(run / EVENTS, self.tensorboard) if processes().first else None
        self.emit: Emit = self._log or _ignore
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
        _refuse_unwatched(recipe, self.val_images)
        if setup.origin is not None:
            factor = max(1.0, recipe.optimiser.new_rows_lr / recipe.optimiser.lr)
            rates = NewRowRates(self.network, setup.origin.new_rows, factor)
            rates.attach(self.updater.optimiser)
        self.state = RunState(
            Learning(
                self.network,
                self.product.averaged.network,
                self.updater.optimiser,
                self.updater.scaler,
                self.device,
            ),
            _about(setup),
            Checkpoints(run, recipe.checkpoints),
        )
        self.state.parts |= {
            "guard": self.updater.guard,
            "plateau": self.updater.plateau,
            "early_stopping": self.early_stopping,
        }
        self.epoch = self.step = 0
        self.seconds = 0.0
        self._validation: Validation | None = None
        self._saved = False  # whether a checkpoint has the run as it is now
        self._clock = self._last_save = time.monotonic()
        self._resumed = resume
        self._first_diverged: tuple[int, Sequence[str]] = (0, ())
        if resume:
            self._load(setup)
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
        try:
            return self._run(should_stop)
        except Exception as error:
            if self._log is not None:  # the caller reports it; whoever follows the log reads it
                with contextlib.suppress(CheckpointError):
                    self._log.write(ErrorEvent(message=str(error) or type(error).__name__))
            raise

    def _run(self, should_stop: Callable[[], bool]) -> Path:
        if processes().first:
            self._begin_folder()
        self.emit(self._start_event())
        for notice in self._notices:
            self.emit(notice)
        for text in self.state.notices:
            self.emit(NoticeEvent(message=text, level="warning"))
        self._report(self._left_out)
        if self._resumed and processes().first:
            self._complete_files()
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
        if stopped:  # said first: whoever stopped it waits for the save, not for the comparison
            self.emit(StoppedEvent(model=str(path), step=self.step))
        elif self.recipe.early_stopping is not None:
            self._save_best()
        if not stopped:
            self._calibrate()
        if (comparison := self.product.compare()) is not None:
            self.emit(comparison)
        if not stopped:
            why = self.early_stopping.why if self.step < self.total_steps else ""
            self.emit(DoneEvent(model=str(path), seconds=round(self.seconds, 1), why=why))
        processes().wait()  # all find the folder finished
        return path

    def _begin_folder(self) -> None:
        write_run_json(self.folder / RECIPE, {"format": FORMAT, **self.recipe.to_dict()})
        write_run_json(self.folder / SPLIT, self._split.sides)
        if self.recipe.data.split is not None:
            extend_split(Path(self.recipe.data.split), self._split.sides)

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
        self._clock = time.monotonic()
        self.updater.begin_epoch()
        losses: list[float] = []
        seen, window = 0, time.perf_counter()
        first = self.step - self.epoch * self.batches.steps_per_epoch
        for batches in self.batches.of_epoch(self.epoch, first):
            parts = self._train_step(batches)
            self.step += 1
            self._saved = False
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
                raise Stopped
            if self.step >= self.total_steps:
                break
            self._save_within_epoch()
        self.epoch = self.step // self.batches.steps_per_epoch
        self._report(self.batches.newly_broken())
        validated = None
        last = self.step >= self.total_steps
        if self.val_images and (last or self.epoch % self.recipe.schedule.validate_every == 0):
            validated = self.product.validate()
            self._validation = Validation(step=self.step, metrics=validated)
            self._follow(validated.get("ne"))
        self._saved = False
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
        if not self.updater.guard.count or not self._first_diverged[0]:
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
        can_go_back = processes().from_first(lambda: self.state.can_go_back)
        reaction = self.updater.guard.react(self.updater.lr_factor, can_go_back)
        if reaction.action == "stop":
            first, images = self._first_diverged
            raise CheckpointError(
                f"The loss diverged at step {number:,} ({found}), and {reaction.why}. Lower "
                f"optimiser.lr (now {self.recipe.optimiser.lr:g}), or inspect the images of step "
                f"{first:,}: {listed(images)}."
            )
        if reaction.action == "back":
            there = self.state.go_back().progress.step
            self.updater.guard.went_back()
            self.product.restored(None)
            self.updater.lr_factor *= BACK_FACTOR
            self.emit(
                NoticeEvent(
                    message=f"Went back to the state of step {there:,}, at {self.updater.lr_factor:g} of "
                    "the learning rate.",
                    level="warning",
                )
            )

    # -- state -----------------------------------------------------------------------------

    def _save(self) -> Path:
        """Write a checkpoint, then the model that follows from it, unless they are there already.

        With several processes the first one does.

        Returns
        -------
        Path of the model's JSON.
        """
        if self._saved or not processes().first:
            return self.folder / MODEL
        now = time.monotonic()
        self.seconds += now - self._clock
        self._clock = now
        progress = Progress(
            epoch=self.epoch,
            step=self.step,
            whole_epoch=self.step == self.epoch * self.batches.steps_per_epoch,
            seconds=self.seconds,
            lr_factor=self.updater.lr_factor,
        )
        self.state.save(progress, self._validation, good=self.updater.guard.good)
        path = self._save_model()
        self._saved = True
        self._last_save = time.monotonic()
        return path

    def _save_model(self) -> Path:
        with writing(self.folder / MODEL):
            return self.product.save(
                self.folder,
                read_run_json(self.folder / SPLIT),
                epochs=self.epoch,
                steps=self.step,
                seconds=round(self.seconds, 1),
                machine=_device_name(self.device),
            )

    def _save_best(self) -> None:
        """Save the model of the best validation, if there is one that can be read."""
        try:
            checkpoint = self.state.read_best()
        except CheckpointError as error:
            message = f"{error} The model that is saved is that of the last step."
            self.emit(NoticeEvent(message=message, level="warning"))
            return
        if checkpoint is None or checkpoint.manifest.validation is None:
            return
        self.product.go_to(checkpoint.under("average."), checkpoint.manifest.validation.metrics)
        progress = checkpoint.manifest.progress
        self.emit(
            NoticeEvent(
                message=f"The model that is saved is that of epoch {progress.epoch}, whose normalised "
                f"error is the least: {checkpoint.manifest.error:.4f}."
            )
        )
        if processes().first:
            self._save_model()

    def _calibrate(self) -> None:
        """Fit what is there and what is visible on the validation images, and save the model so."""
        notes = self.product.calibrate()
        for note in notes:
            self.emit(NoticeEvent(message=f"On the validation images, {note}"))
        if notes and processes().first:
            self._save_model()

    def _complete_files(self) -> None:
        """Write what the folder lacks of the state that was loaded."""
        self._clock = time.monotonic()
        if not self._saved:  # it was of an older version
            self._save()
        elif not self.product.is_in(self.folder, self.step):  # killed between checkpoint and model
            self._save_model()

    def _save_within_epoch(self) -> None:
        """Save if the last time is long ago and the epoch's end, which saves, is not there yet."""
        limit = self.recipe.checkpoints.minutes * 60
        ends = self.step == (self.epoch + 1) * self.batches.steps_per_epoch
        if limit and not ends and time.monotonic() - self._last_save >= limit:
            self._save()

    def _load(self, setup: Setup) -> None:
        """Go to the state in the run's folder."""
        if is_old(self.folder):
            manifest = self.state.load_old(
                lambda: read_old_state(
                    self.folder, self.network, self.recipe, setup.origin, self.state.check
                )
            )
        else:
            manifest = self.state.load()
            self._saved = True
        progress, self._validation = manifest.progress, manifest.validation
        per_epoch = self.batches.steps_per_epoch
        if not 0 <= progress.step - progress.epoch * per_epoch <= per_epoch:
            raise CheckpointError(
                f"{self.folder}: the checkpoint is of step {progress.step:,} in epoch "
                f"{progress.epoch + 1:,}, and an epoch has {per_epoch:,} steps; "
                "expected the batch size and the images that the run began with. Start a new run from "
                "its model instead (start_from)."
            )
        self.epoch, self.step = progress.epoch, progress.step
        self.seconds, self.updater.lr_factor = progress.seconds, progress.lr_factor
        self.product.restored(None if self._validation is None else self._validation.metrics)


def _about(setup: Setup) -> About:
    return About(
        fingerprint=setup.averaged.info.data["fingerprint"],
        schema_digest=digest_of(setup.schema.to_dict()),
        recipe_digest=digest_of(setup.recipe.to_dict()),
        start=None if setup.start is None else setup.start.id,
    )


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

"""The loop of a run: epochs, steps, events, and the state that is saved between them."""

from __future__ import annotations

import contextlib
import math
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.data.split import extend_split
from napari_fashion.engine.renamed import FORMAT
from napari_fashion.engine.train.batches import TrainBatches
from napari_fashion.engine.train.checkpoint import (
    Checkpoint,
    Progress,
    read_run_json,
    refusing_to_resume,
    write_json,
)
from napari_fashion.engine.train.divergence import BACK_FACTOR
from napari_fashion.engine.train.events import (
    DivergenceEvent,
    DoneEvent,
    Emit,
    EpochEvent,
    ErrorEvent,
    EventLog,
    LeftOutEvent,
    StartEvent,
    StepEvent,
    StoppedEvent,
)
from napari_fashion.engine.train.new_rows import NewRowRates
from napari_fashion.engine.train.product import Product
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import EVENTS, RECIPE, SPLIT
from napari_fashion.engine.train.setup import set_up
from napari_fashion.engine.train.step import LossComputer
from napari_fashion.engine.train.update import Diverged, Updater
from napari_fashion.errors import CheckpointError
from napari_fashion.tally import Tally


class Stopped(Exception):
    """The run was asked to stop."""


class Trainer:
    """One run; see `train`."""

    def __init__(self, recipe: Recipe, run: Path, *, resume: bool, device: str, emit: Emit) -> None:
        setup = set_up(recipe, run, resume=resume, device=device)
        self.recipe = recipe = setup.recipe
        self.folder, self.device, self.schema = run, setup.device, setup.schema
        self.train_images, self.val_images = setup.split.train, setup.split.validation
        self.network = setup.model.network
        self.product = Product(setup)
        self.emit = EventLog(run / EVENTS, emit)
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
        if resume:
            self._load()

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole run."""
        steps = self.batches.steps_per_epoch * self.recipe.schedule.epochs
        limit = self.recipe.schedule.max_steps
        return min(steps, limit) if limit else steps

    def run(self, should_stop: Callable[[], bool]) -> Path:
        """Train to the end, or until `should_stop`; return the path of the model's JSON."""
        try:
            return self._run(should_stop)
        except Exception as error:
            with contextlib.suppress(
                OSError
            ):  # the caller reports it; whoever follows the log reads it
                self.emit.write(ErrorEvent(message=str(error) or type(error).__name__))
            raise

    def _run(self, should_stop: Callable[[], bool]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / RECIPE, {"format": FORMAT, **self.recipe.to_dict()})
        write_json(self.folder / SPLIT, self._split.sides)
        if self.recipe.data.split is not None:
            extend_split(Path(self.recipe.data.split), self._split.sides)
        self.emit(self._start_event())
        for notice in self._notices:
            self.emit(notice)
        self._report(self._left_out)
        self.batches.dataset.preload()
        self._report(self.batches.newly_broken())
        stopped = False
        try:
            while self.step < self.total_steps:
                self._run_epoch(should_stop)
        except Stopped:
            stopped = True
        path = self._save()
        if stopped:  # said first: whoever stopped it waits for the save, not for the comparison
            self.emit(StoppedEvent(model=str(path), step=self.step))
        if (comparison := self.product.compare()) is not None:
            self.emit(comparison)
        if not stopped:
            self.emit(DoneEvent(model=str(path), seconds=round(self.seconds, 1)))
        return path

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
        for batch in self.batches.of_epoch(self.epoch, first):
            parts = self._train_step(batch)
            self.step += 1
            loss = None if parts is None else sum(parts.values())
            if loss is not None:
                losses.append(loss)
            seen += len(batch.pixels)
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
            if should_stop():
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
        self.seconds += time.perf_counter() - began
        self._save()
        loss = statistics.fmean(losses) if losses else None
        self.emit(EpochEvent(epoch=self.epoch, loss=loss, val=validated))

    def _train_step(self, batch: Canvases) -> dict[str, float] | None:
        """Do one step; return the weighted losses by name, or None if it was skipped."""
        try:
            losses = self.updater.step(batch, self.step)
        except Diverged as diverged:
            self._on_divergence(diverged)
            return None
        self.product.update(self.step)
        return losses

    def _on_divergence(self, diverged: Diverged) -> None:
        """Report a step that diverges, and follow the policy.

        Raises
        ------
        CheckpointError
            If the policy is to stop, or gives up.
        """
        policy = self.recipe.divergence.policy
        head, value = diverged.head, diverged.value
        loss = value if math.isfinite(value) else str(value)
        self.emit(DivergenceEvent(step=self.step, head=head, loss=loss, policy=policy))
        match self.updater.guard.react(self.updater.lr_factor, self._checkpoint.exists):
            case "skip":
                return
            case "back":
                step, epoch = self.step, self.epoch
                factor = self.updater.lr_factor * BACK_FACTOR
                self._load()
                self.step, self.epoch, self.updater.lr_factor = step, epoch, factor
            case "stop":
                raise CheckpointError(
                    f"The loss diverged at step {self.step} ({head}: {value:g}), and policy "
                    f"{policy!r} could not recover. Lower optimiser.lr (now "
                    f"{self.recipe.optimiser.lr:g}), or inspect the images of that batch."
                )

    # -- state -----------------------------------------------------------------------------

    def _save(self) -> Path:
        """Save the model and the run's state; return the path of the model's JSON."""
        path = self.product.save(
            self.folder,
            read_run_json(self.folder / SPLIT),
            epochs=self.epoch,
            steps=self.step,
            seconds=round(self.seconds, 1),
            machine=_device_name(self.device),
        )
        progress = Progress(
            epoch=self.epoch,
            step=self.step,
            seconds=self.seconds,
            lr_factor=self.updater.lr_factor,
            recent=self.updater.guard.recent,
        )
        self._checkpoint.save(progress)
        return path

    def _load(self) -> None:
        """Go back to the saved state."""
        with refusing_to_resume(self.folder):
            self.product.load(self.folder)
        progress = self._checkpoint.load()  # last: building a network draws random numbers
        self.epoch, self.step = progress.epoch, progress.step
        self.seconds, self.updater.lr_factor = progress.seconds, progress.lr_factor
        self.updater.guard.remember(progress.recent)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads, {platform.machine()}"

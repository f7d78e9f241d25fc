"""Training: a recipe and a run folder in, a model out, with events on the way and full resume."""

from __future__ import annotations

import copy
import json
import logging
import math
import os
import platform
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict, Field, ValidationError
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.data import DataLoader

from napari_fashion import __version__
from napari_fashion.documents import ended, parse_json, read_json, shown
from napari_fashion.engine.augment.batch import augment_batch
from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.data.samples import (
    AnnotatedImage,
    CanvasDataset,
    category_rates,
    dataset_of,
    draw_epoch,
    fingerprint,
    load_sources,
    sampling_rates,
    split_images,
)
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.losses.category import Teacher
from napari_fashion.engine.losses.total import compute_losses
from napari_fashion.engine.model import Description, Model, ModelInfo, choose_device
from napari_fashion.engine.network.network import Network, fold_norms
from napari_fashion.engine.options import Options, told
from napari_fashion.engine.renamed import FORMAT, translate_model
from napari_fashion.engine.targets.encode import encode_targets
from napari_fashion.engine.train.recipe import OptimiserOptions, Recipe, ScheduleOptions
from napari_fashion.engine.weights import Shapes, read_weights
from napari_fashion.errors import CheckpointError, FashionError, RecipeError
from napari_fashion.files import atomic_write, open_regular
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

RESULTS = ("model.json", "model.safetensors", "state.json", "state.safetensors")
BEGINNINGS = ("recipe.json", "split.json", "events.jsonl")
RUN_FILES = (*RESULTS, *BEGINNINGS)
"""What a run writes: a folder that has one of these is not begun in."""
_log = logging.getLogger(__name__)
Event = dict[str, Any]
Emit = Callable[[Event], None]


LAST_LINE = 1 << 20
"""The last event of a run's log is looked for in so many of its last bytes."""


class State(Options):
    """What ``state.json`` says of a run, beside the tensors of ``state.safetensors``."""

    model_config = ConfigDict(extra="ignore")

    epoch: int = Field(ge=0, lt=1 << 53)
    step: int = Field(ge=0, lt=1 << 53)
    seconds: float = Field(ge=0)
    fingerprint: str
    lr_factor: float = Field(gt=0, le=1)
    recent: list[float] = Field(max_length=200)
    optimiser: dict[str, Any]
    scaler: dict[str, Any]


class Stopped(Exception):
    """The run was asked to stop; its last state is saved."""


def train(
    recipe: Recipe,
    run: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    emit: Emit = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train a model as the recipe says; first the one that it starts from, where that is a recipe.

    Parameters
    ----------
    recipe
        What to train, on what, how. Where its `start_from` is a recipe, that one's run lies beside
        this one's, under its name; it is made, or gone on with, unless it is finished.
    run
        Folder for ``recipe.json``, ``split.json``, ``model.*``, ``state.*`` and
        ``events.jsonl``.
    resume
        Go on from the state in `run`, with its own recipe, split and random state.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``...
    emit
        Called with each event (docs/architecture.md lists them).
    should_stop
        Asked after each step; when true, the state is saved and the run ends.

    Returns
    -------
    Path of the model's JSON.

    Raises
    ------
    RecipeError, CocoError, ImageError, CheckpointError
        If something asked for is not there or does not fit; nothing is overwritten then.
    """
    chain = [(recipe, run)] if resume else _chain(recipe, run)
    before: Path | None = None
    for one, folder in chain:
        if before is not None:
            one = one.model_copy(update={"start_from": str(before.resolve())})
        if folder != run and finished(folder):
            before = folder
            continue
        going_on = resume or (folder / "state.json").exists()
        path = Trainer(one, folder, resume=going_on, device=device, emit=emit).run(should_stop)
        if not finished(folder):
            break
        before = folder
    return path


def _chain(recipe: Recipe, run: Path) -> list[tuple[Recipe, Path]]:
    """Return a recipe, with its run's folder, after those that it starts from, the first one first.

    What is finished needs none of those that it started from.

    Raises
    ------
    RecipeError
        If recipes start from each other, or two of them would use one folder.
    CheckpointError
        If the last one's folder holds a run already.
    """
    refuse_to_overwrite(run)  # before anything is made for it
    chain = [(recipe, run)]
    seen: dict[str, str] = {str(run.resolve()): "the run itself"}
    while (start := chain[0][0].start_from) is not None and start.endswith(".toml"):
        first = Recipe.load(start)
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
        if not (folder / "state.json").exists():
            refuse_to_overwrite(folder)
    return chain


def finished(run: Path) -> bool:
    """Whether a run's folder holds a model whose training came to its end."""
    log = run / "events.jsonl"
    if not (log.is_file() and (run / "model.json").is_file()):
        return False
    try:
        with open_regular(log) as stream:
            stream.seek(max(stream.seek(0, os.SEEK_END) - LAST_LINE, 0))
            last = stream.read().splitlines()[-1:]
        event = parse_json(last[0], str(log), CheckpointError) if last else None
    except (OSError, FashionError):  # the machine stopped in the middle of a line
        return False
    return isinstance(event, dict) and event.get("event") == "done"


def refuse_to_overwrite(run: Path) -> None:
    """Raise CheckpointError if a run's folder holds a run or a model already, or is a file."""
    if os.path.lexists(run) and not run.is_dir():
        raise CheckpointError(f"{run}: is a file; expected the name of a folder for the run.")
    there = [name for name in RUN_FILES if os.path.lexists(run / name)]
    if not set(there) & set(RESULTS) and {"recipe.json", "events.jsonl"} <= set(there):
        return  # a run that ended before it had learned anything
    if there:
        raise CheckpointError(
            f"{run}: holds {there[0]}, a run or a model already; it is not written over."
        )


def make_schema(recipe: Recipe) -> Schema:
    """Return the recipe's schema."""
    if recipe.schema_name == "from-data":
        return dataset_of(recipe.data.train[0]).schema
    return Schema.load(recipe.schema_name)


class Trainer:
    """One run; see `train`."""

    def __init__(self, recipe: Recipe, run: Path, *, resume: bool, device: str, emit: Emit) -> None:
        self.folder = run
        self.device = choose_device(device)
        self._emit = emit
        self._events = run / "events.jsonl"
        if resume:
            recipe = _as_its_model(Recipe.load_json(run / "recipe.json"), run)
        else:
            refuse_to_overwrite(run)
        start = None if recipe.start_from is None else Model.load(recipe.start_from, "cpu")
        if start is not None and not resume:
            recipe = recipe.going_on_from(start.config, start.info.recipe, start.info.inference)
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.start = start
        self.schema = start.schema if start is not None else make_schema(recipe)
        self.teacher = self._load_teacher()
        self.left_out = Tally()
        self._told: set[int] = set()
        images = load_sources(recipe.data.train, self.schema, self.left_out)
        self.train_images, self.val_images = self._split(images, resume)
        self._held_out = {p.key for p in [*images, *self.val_images]}
        self._held_out -= {p.key for p in self.train_images}
        if not self.train_images:
            raise RecipeError("All images are held out for validation; none is left to train on.")
        info = ModelInfo(
            name=recipe.name,
            inference=recipe.inference,
            recipe=recipe.to_dict(),
            data={
                "fingerprint": fingerprint([*self.train_images, *self.val_images]),
                "train_images": len({p.key for p in self.train_images}),
                "validation_images": len(self.val_images),
            },
        )
        config = recipe.network
        self.model = Model.create(config, self.schema, info, self.device)
        if start is not None:
            self.model.network.load_state_dict(start.network.state_dict())
        elif recipe.pretrained is not None and not resume:
            self.model.network.backbone.load_pretrained(Path(recipe.pretrained))
        self.network = self.model.network
        self.averaged = Model.create(config, self.schema, info, self.device)
        self.averaged.network.load_state_dict(self.network.state_dict())
        self.optimiser = make_optimiser(self.network, recipe.optimiser)
        self.scaler = torch.amp.GradScaler("cuda", enabled=self._half)
        self.dataset = CanvasDataset(self.train_images, recipe.data.canvas, recipe.data.cache_gb)
        self.rates = sampling_rates(self.train_images, recipe.data.balance)
        self.category_rates = torch.from_numpy(
            category_rates(self.train_images, self.rates, len(self.schema.categories))
        ).to(self.device, torch.float32)
        self.steps_per_epoch = max(1, len(self.dataset) // recipe.schedule.batch)
        pairs = list(
            zip(
                self.averaged.network.state_dict().values(),
                self.network.state_dict().values(),
                strict=True,
            )
        )
        self._means = [m for m, v in pairs if v.dtype.is_floating_point]
        self._values = [v for _, v in pairs if v.dtype.is_floating_point]
        self._counters = [(m, v) for m, v in pairs if not v.dtype.is_floating_point]
        self.epoch = 0
        self.step = 0
        self.seconds = 0.0
        self.lr_factor = 1.0
        self.divergence = 0
        self._recent: deque[float] = deque(maxlen=200)
        if resume:
            self._load_state()

    # -- set-up ----------------------------------------------------------------------------

    def _load_teacher(self) -> Network | None:
        """Return the network that is learned from, on the run's device, folded for inference."""
        options = self.recipe.teacher
        if options is None or not options.category:
            return None
        model = self.start if options.model == "start" else Model.load(options.model, "cpu")
        assert model is not None  # the recipe has been checked for it
        theirs, ours = model.schema.category_names, self.schema.category_names
        if theirs != ours:
            raise RecipeError(
                f"teacher.model {options.model}: its {len(theirs)} categories are not the run's "
                f"{len(ours)}, name by name; expected a model for the same categories."
            )
        return fold_norms(model.network).to(self.device)

    @property
    def _mixed(self) -> bool:
        on_gpu = self.device.type == "cuda"
        return self.recipe.precision == "mixed" or (self.recipe.precision == "auto" and on_gpu)

    @property
    def _half(self) -> bool:
        """Whether float16 with loss scaling is used: on GPUs without bfloat16."""
        return self._mixed and self.device.type == "cuda" and not torch.cuda.is_bf16_supported()

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole run."""
        steps = self.steps_per_epoch * self.recipe.schedule.epochs
        limit = self.recipe.schedule.max_steps
        return min(steps, limit) if limit else steps

    def _split(
        self, images: list[AnnotatedImage], resume: bool
    ) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
        """Return training and validation images, as this run's (or its model's) split says."""
        data = self.recipe.data
        if data.validation:
            validation = load_sources(data.validation, self.schema, self.left_out)
            groups = {p.group for p in validation}  # an image without a group is one by itself
            train = [p for p in images if p.group not in groups]
            return train, [p for p in validation if p.can_be_judged]
        if resume:
            known = _read_json(self.folder / "split.json")
            return split_images(images, data.validation_share, self.recipe.seed, known)
        known = self.start.info.data.get("split") if self.start is not None else None
        return split_images(images, data.validation_share, self.recipe.seed, known)

    # -- running ---------------------------------------------------------------------------

    def run(self, should_stop: Callable[[], bool]) -> Path:
        """Train to the end, or until `should_stop`; return the path of the model's JSON."""
        recipe, schedule = self.recipe, self.recipe.schedule
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_json(self.folder / "recipe.json", {"format": FORMAT, **recipe.to_dict()})
        split = {
            "train": sorted({p.key for p in self.train_images}),
            "validation": sorted(self._held_out),  # with those that no model can be judged by
        }
        _write_json(self.folder / "split.json", split)
        self.emit(
            {
                "event": "start",
                "run": str(self.folder),
                "epochs": schedule.epochs,
                "steps": self.total_steps,
                "epoch": self.epoch,
                "step": self.step,
                "train_images": len({p.key for p in self.train_images}),
                "val_images": len(self.val_images),
                "device": _device_name(self.device),
            }
        )
        self._tell(self.left_out)
        self.dataset.preload()
        self._tell_broken()
        try:
            while self.step < self.total_steps:
                self._run_epoch(should_stop)
        except Stopped:
            path = self._save()
            if self.start is not None and self.val_images:
                self.emit({"event": "compare", **self._compare()})
            self.emit({"event": "stopped", "model": str(path), "step": self.step})
            return path
        path = self._save()
        if self.start is not None and self.val_images:
            self.emit({"event": "compare", **self._compare()})
        self.emit({"event": "done", "model": str(path), "seconds": round(self.seconds, 1)})
        return path

    def _tell(self, left_out: Tally) -> None:
        for what, count in left_out.counts.items():
            first = left_out.examples[what]
            self.emit({"event": "left_out", "what": what, "count": count, "first": first})

    def _tell_broken(self) -> None:
        """Tell of images that turned out to be damaged when they were read, once each."""
        broken = Tally()
        for index, reason in self.dataset.broken.items():
            if index not in self._told:
                broken.add("images that cannot be read, others are drawn in their place", reason)
        self._told |= set(self.dataset.broken)
        self._tell(broken)

    def emit(self, event: Event) -> None:
        """Send an event and append it to the run's log."""
        with self._events.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"time": _now(), **event}) + "\n")
        self._emit(event)

    def _batches(self) -> Iterator[Canvases]:
        """Yield what is left of this epoch, in an order that only the seed and epoch decide."""
        batch = min(self.recipe.schedule.batch, len(self.dataset))
        order = draw_epoch(
            self.rates,
            torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.epoch),
        )
        batches = [order[i * batch : (i + 1) * batch].tolist() for i in range(self.steps_per_epoch)]
        return iter(
            DataLoader(
                self.dataset,
                batch_sampler=batches[self.step - self.epoch * self.steps_per_epoch :],
                num_workers=self.recipe.data.workers,
                collate_fn=self.dataset.collate,
                # A generator of its own: the loader must not draw from the run's random state.
                generator=torch.Generator(),
                pin_memory=self.device.type == "cuda",
            )
        )

    def _run_epoch(self, should_stop: Callable[[], bool]) -> None:
        schedule = self.recipe.schedule
        every = max(1, min(5, self.total_steps // 100))  # a short run's curve has few points
        began = time.perf_counter()
        self._to_training()
        losses: list[float] = []
        seen, window = 0, time.perf_counter()
        for batch in self._batches():
            parts = self._train_step(batch)
            self.step += 1
            loss = None if parts is None else sum(parts.values())
            if loss is not None:
                losses.append(loss)
            seen += len(batch.pixels)
            if self.step % every == 0 or self.step in (1, self.total_steps):
                now = time.perf_counter()
                self.emit(
                    {
                        "event": "step",
                        "step": self.step,
                        "epoch": self.epoch,
                        "loss": loss,
                        "losses": parts,
                        "lr": self.optimiser.param_groups[0]["lr"],
                        "images_per_second": round(seen / max(now - window, 1e-9), 1),
                    }
                )
                seen, window = 0, now
            if should_stop():
                self.seconds += time.perf_counter() - began
                raise Stopped
            if self.step >= self.total_steps:
                break
        self.epoch = self.step // self.steps_per_epoch
        last = self.step >= self.total_steps
        self._tell_broken()
        event: Event = {
            "event": "epoch",
            "epoch": self.epoch,
            "loss": statistics.fmean(losses) if losses else None,
        }
        if self.val_images and (last or self.epoch % schedule.validate_every == 0):
            event["val"] = self.averaged.info.metrics = self._validate(self._product())
        self.seconds += time.perf_counter() - began
        self._save()
        self.emit(event)

    def _to_training(self) -> None:
        self.network.train()
        if self.recipe.optimiser.freeze_norms:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def _train_step(self, batch: Canvases) -> dict[str, float] | None:
        """Do one step; return the weighted losses by name, or None when it was skipped."""
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed * 7_368_787 + self.step)
        self._set_lr()
        moved = batch.to(self.device)
        done = self.step / max(1, self.total_steps)
        side = recipe.schedule.size_at(done, recipe.inference.input_size)
        augment = recipe.augment if done < recipe.schedule.mild else recipe.augment.milder()
        inputs, garments = augment_batch(
            moved, side, augment, self.schema.flips, generator, recipe.inference.crop_aspect
        )
        with torch.autocast(self.device.type, enabled=self._mixed):
            heads = self.network(inputs.contiguous(memory_format=torch.channels_last))
        shape = (heads.pif.shape[-2], heads.pif.shape[-1])
        config = self.model.config
        targets = encode_targets(garments, self.schema, recipe.targets, shape, config.stride)
        losses = compute_losses(
            heads,
            targets,
            recipe.loss,
            config.category_pool,
            self.category_rates,
            self._teacher_logits(inputs),
        )
        total = torch.stack(list(losses.values())).sum()
        parts = {name: float(loss.detach()) for name, loss in losses.items()}
        if self._has_diverged(parts, float(total.detach())):
            return None
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        if recipe.optimiser.clip_value:
            nn.utils.clip_grad_value_(parameters, recipe.optimiser.clip_value)
        if recipe.optimiser.clip_norm:
            norm = nn.utils.clip_grad_norm_(parameters, recipe.optimiser.clip_norm)
            if not torch.isfinite(norm) and not self.scaler.is_enabled():
                self._on_divergence("gradient norm", float(norm))
                return None
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._average()
        return parts

    @torch.no_grad()
    def _teacher_logits(self, inputs: Tensor) -> Teacher | None:
        """Return what the teacher says of the categories, and the share that it counts."""
        if self.teacher is None or self.recipe.teacher is None:
            return None
        with torch.autocast(self.device.type, enabled=self._mixed):
            heads = self.teacher(inputs.contiguous(memory_format=torch.channels_last))
        return Teacher(heads.category, self.recipe.teacher.category)

    def _set_lr(self) -> None:
        lr = learning_rate(
            self.step,
            self.steps_per_epoch,
            self.total_steps,
            self.recipe.schedule,
            self.recipe.optimiser.lr,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = lr * self.lr_factor * group.get("share", 1.0)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the average towards the weights; early on faster, so that it forgets the start."""
        decay = self.recipe.optimiser.ema
        decay = min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._means, self._values, 1 - decay)
        for mean, value in self._counters:
            mean.copy_(value)
        self.averaged._id = None

    def _product(self) -> Model:
        """Return the model as it is saved: the average, with `keep_start` of the start's weights."""
        keep = self.recipe.optimiser.keep_start
        if self.start is None or not keep:
            return self.averaged
        network = copy.deepcopy(self.averaged.network)
        network.load_state_dict(self._mixed_with_start(network.state_dict(), keep))
        return Model(network, self.schema, self.averaged.info, self.device)

    def _mixed_with_start(self, state: dict[str, Tensor], share: float) -> dict[str, Tensor]:
        """Return (1 - share) of `state` and `share` of the start's weights."""
        assert self.start is not None
        start = self.start.network.state_dict()
        return {
            k: torch.lerp(v, start[k].to(v.device), share) if v.is_floating_point() else v
            for k, v in state.items()
        }

    def _without_start(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Undo `_product`."""
        keep = self.recipe.optimiser.keep_start
        return self._mixed_with_start(state, -keep / (1 - keep)) if keep else state

    def _validate(self, model: Model) -> dict[str, Any]:
        model.network.eval()
        gone = Tally()
        found = evaluate_images(model, self.val_images, protocol="box", rounds=0, tally=gone)
        if gone:
            _log.warning("left out of validation: %s", gone)
        return found.summary()

    def _compare(self) -> dict[str, Any]:
        assert self.start is not None
        old = Model(self.start.network, self.start.schema, self.start.info, self.device)
        return {"old": self._validate(old), "new": self._validate(self._product())}

    # -- explosions ------------------------------------------------------------------------

    def _has_diverged(self, parts: dict[str, float], total: float) -> bool:
        usual = statistics.median(self._recent) if len(self._recent) >= 50 else None
        # Laplace losses can be negative: "far above" is measured from the usual size, at least 1.
        limit = (
            math.inf
            if usual is None
            else usual + self.recipe.divergence.factor * max(1.0, abs(usual))
        )
        if math.isfinite(total) and total <= limit:
            self._recent.append(total)
            self.divergence = 0
            return False
        head = max(parts, key=lambda name: parts[name] if math.isfinite(parts[name]) else math.inf)
        self._on_divergence(head, total)
        return True

    def _on_divergence(self, head: str, value: float) -> None:
        options = self.recipe.divergence
        self.divergence += 1
        self.emit(
            {
                "event": "divergence",
                "step": self.step,
                "head": head,
                "loss": value if math.isfinite(value) else str(value),
                "policy": options.policy,
            }
        )
        if options.policy == "skip" and self.divergence < options.patience:
            return
        if options.policy == "back" and (self.folder / "state.json").exists():
            factor = self.lr_factor * 0.1
            if factor >= 1e-4:
                step, epoch = self.step, self.epoch
                self._load_state()
                self.step, self.epoch, self.lr_factor, self.divergence = step, epoch, factor, 0
                return
        raise CheckpointError(
            f"The loss exploded at step {self.step} ({head}: {value:g}) and policy "
            f"{options.policy!r} could not mend it. Lower optimiser.lr "
            f"(now {self.recipe.optimiser.lr:g}) or look at the images of that batch."
        )

    # -- state -----------------------------------------------------------------------------

    def _save(self) -> Path:
        info = self.averaged.info
        info.data["split"] = _read_json(self.folder / "split.json")
        info.history = {
            "napari_fashion": __version__,
            "torch": torch.__version__,
            "started_from": self.start.id if self.start is not None else None,
            "finished": _now(),
            "epochs": self.epoch,
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "machine": _device_name(self.device),
        }
        path = self._product().save(self.folder / "model")
        tensors: dict[str, Tensor] = {
            f"network.{k}": v for k, v in self.network.state_dict().items()
        }
        state = self.optimiser.state_dict()
        scalars: dict[str, dict[str, Any]] = {}
        for index, values in state["state"].items():
            for key, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{index}.{key}"] = value
                elif value is not None:
                    scalars.setdefault(str(index), {})[key] = value
        tensors["random.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        written = save(tensors, metadata={"step": str(self.step)})
        atomic_write(self.folder / "state.safetensors", written)
        _write_json(
            self.folder / "state.json",
            {
                "epoch": self.epoch,
                "step": self.step,
                "seconds": self.seconds,
                "fingerprint": info.data["fingerprint"],
                "lr_factor": self.lr_factor,
                "recent": list(self._recent),
                "optimiser": {"param_groups": state["param_groups"], "scalars": scalars},
                "scaler": self.scaler.state_dict(),
            },
        )
        return path

    def _load_state(self) -> None:
        try:
            state = State.model_validate(_read_json(self.folder / "state.json"))
        except ValidationError as error:
            raise CheckpointError(
                f"{self.folder / 'state.json'}: no state of a run: {ended(told(error, State))}"
            ) from error
        try:
            learned = self.averaged.info.data["fingerprint"]
            if state.fingerprint != learned:
                raise ValueError("the annotations have changed since")
            read = read_weights(self.folder / "state.safetensors", self._expect_state)
            step, tensors = int(read.metadata["step"]), read.tensors
            if step != state.step:
                raise ValueError(f"tensors of step {step}, state.json of step {state.step}")
            network = {
                k.removeprefix("network."): v
                for k, v in tensors.items()
                if k.startswith("network.")
            }
            self.network.load_state_dict(network)
            optimiser: dict[int, dict[str, Any]] = {
                int(i): dict(v) for i, v in state.optimiser.get("scalars", {}).items()
            }
            for key, value in tensors.items():
                if key.startswith("optimiser."):
                    _, index, name = key.split(".", 2)
                    optimiser.setdefault(int(index), {})[name] = value
            groups = self.optimiser.state_dict()["param_groups"]  # the recipe's, as they were
            self.optimiser.load_state_dict({"state": optimiser, "param_groups": groups})
            averaged = Model.load(self.folder / "model", self.device)
            self.averaged.network.load_state_dict(
                self._without_start(averaged.network.state_dict())
            )
            self.averaged.info.metrics = averaged.info.metrics
            self.scaler.load_state_dict(state.scaler)
            torch.set_rng_state(tensors["random.cpu"])
            if "random.cuda" in tensors and self.device.type == "cuda":
                torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
        except (
            *(AttributeError, IndexError, KeyError, TypeError),
            *(RuntimeError, ValueError, OverflowError, OSError, CheckpointError),
        ) as error:
            raise CheckpointError(
                f"{self.folder}: the saved state cannot be resumed ({error}). Start a new run from "
                "its model instead (start_from)."
            ) from error
        self.epoch, self.step = state.epoch, state.step
        self.seconds = state.seconds
        self.lr_factor = state.lr_factor
        self._recent.extend(state.recent)

    def _expect_state(self, found: Shapes) -> None:
        """Refuse tensors that are not those of this run's network, optimiser and random state."""
        network = {f"network.{k}": tuple(v.shape) for k, v in self.network.state_dict().items()}
        groups = self.optimiser.param_groups
        moving = [tuple(p.shape) for group in groups for p in group["params"]]
        for name in network.keys() - found.keys():
            raise ValueError(f"{name} is missing in state.safetensors")
        for name, shape in found.items():
            match name.split("."):
                case ["network", *_]:
                    fits = network.get(name) == shape
                case ["optimiser", i, _] if i.isascii() and i.isdecimal() and len(i) < 9:
                    fits = int(i) < len(moving) and shape in ((), (1,), moving[int(i)])
                case ["random", "cpu" | "cuda"]:
                    fits = len(shape) == 1 and shape[0] <= 1 << 20
                case _:
                    fits = False
            if not fits:
                raise ValueError(
                    f"{shown(name)} of the shape {shown(list(shape))} is not of this run"
                )


def _as_its_model(recipe: Recipe, run: Path) -> Recipe:
    """Return a stopped run's recipe with the network and the input size that its model has.

    Runs that go on from a model had these from it, before their recipes said so.
    """
    path = run / "model.json"
    try:
        document = _read_json(path)
        if isinstance(document, dict) and document.get("version") == 1:
            document = translate_model(document)
        made = Description.model_validate(document)
    except ValidationError as error:
        raise CheckpointError(
            f"{path}: does not describe a model ({told(error, Description)}); the run cannot be "
            "resumed. Start a new one."
        ) from error
    inference = recipe.inference.model_copy(update={"input_size": made.inference.input_size})
    return recipe.model_copy(update={"network": made.network, "inference": inference})


def make_optimiser(network: Network, options: OptimiserOptions) -> torch.optim.Optimizer:
    """Return the optimiser; norms and biases have no weight decay.

    A group's ``share`` is what its learning rate is multiplied by.
    """
    backbone = {id(p) for p in network.backbone.parameters()}
    parts: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        inner = options.backbone_lr != 1 and id(parameter) in backbone
        parts.setdefault((inner, parameter.ndim > 1), []).append(parameter)
    groups = [
        {
            "params": parameters,
            "weight_decay": options.weight_decay if decayed else 0.0,
            "share": options.backbone_lr if inner else 1.0,
        }
        for (inner, decayed), parameters in sorted(
            parts.items(), key=lambda part: (part[0][0], not part[0][1])
        )
    ]
    if options.kind == "sgd":
        return torch.optim.SGD(
            groups, lr=options.lr, momentum=options.momentum, nesterov=options.nesterov
        )
    return torch.optim.AdamW(groups, lr=options.lr)


def learning_rate(
    step: int, steps_per_epoch: int, total_steps: int, schedule: ScheduleOptions, peak: float
) -> float:
    """Return the learning rate of a step (0-based)."""
    warmup = min(round(schedule.warmup_epochs * steps_per_epoch), total_steps // 2)
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule.kind == "cosine":
        t = (step - warmup) / max(1, total_steps - warmup)
        low = schedule.final_lr
        return peak * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * t)))
    if schedule.kind == "steps":
        passed = sum(step >= epoch * steps_per_epoch for epoch in schedule.steps)
        return peak * 0.1**passed
    return peak


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads, {platform.machine()}"


def _read_json(path: Path) -> Any:
    return read_json(path, CheckpointError, expected="a file of a training run (JSON)")


def _write_json(path: Path, data: Any) -> None:
    atomic_write(path, json.dumps(data, indent=1).encode() + b"\n")

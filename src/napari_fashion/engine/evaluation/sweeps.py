"""One protocol, many times: over the margins of a crop, and over the checkpoints of a run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.protocols import Protocol, evaluate_images
from napari_fashion.engine.evaluation.report import Report
from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.checkpoint import read_checkpoint
from napari_fashion.engine.train.runs import checkpoint_paths
from napari_fashion.errors import CheckpointError, FashionError


@dataclass(frozen=True)
class Point:
    """The errors of one step of a sweep.

    Attributes
    ----------
    at
        The margin, or the number of epochs that were done.
    average_error, average_error_by_box
        See `Report`.
    interval, interval_by_box
        Their 95 % intervals, if there are any.
    top1
        See `Report`.
    """

    at: float
    average_error: float | None
    average_error_by_box: float | None
    interval: tuple[float, float] | None
    interval_by_box: tuple[float, float] | None
    top1: float | None

    @classmethod
    def of(cls, at: float, report: Report) -> Point:
        """Return the point of a report."""
        bounds = report.intervals or {}
        return cls(
            at,
            report.average_error,
            report.average_error_by_box,
            bounds.get("average_error"),
            bounds.get("average_error_by_box"),
            report.top1,
        )


def over_margins(
    model: GarmentModel,
    images: Sequence[AnnotatedImage],
    protocol: Protocol,
    margins: Sequence[float],
    **options: Any,
) -> Iterator[Point]:
    """Yield the errors at each margin around the box (the report's Figure 18: NE by crop size).

    Parameters
    ----------
    model, images, options
        See `evaluate_images`.
    protocol
        One that shows crops.
    margins
        Shares of the box's width and height.

    Raises
    ------
    FashionError
        If the protocol shows whole images.
    """
    if protocol.whole:
        raise FashionError(
            "The protocol shows whole images, which have no margin; expected a cut by a box (bbox, hull)."
        )
    for margin in margins:
        found = evaluate_images(model, images, protocol=replace(protocol, margin=margin), **options)
        yield Point.of(margin, found.report)


def over_epochs(
    model: Model,
    run: Path,
    images: Sequence[AnnotatedImage],
    protocol: Protocol,
    notify: Callable[[str], object],
    **options: Any,
) -> Iterator[Point]:
    """Yield the errors of each checkpoint that a run has kept, the oldest first.

    What is judged is the moving average of the weights, as in the run's own validation without
    `optimiser.keep_start`. ``checkpoints.keep_every`` in the recipe decides how many are kept.

    Parameters
    ----------
    model
        The run's: its network is filled with the weights of each checkpoint in turn, in a copy.
    run
        The run's folder.
    images, protocol, options
        See `evaluate_images`.
    notify
        Called with a sentence for each checkpoint that is passed over because it is damaged.

    Raises
    ------
    FashionError
        If the run has no checkpoint of this model.
    """
    network = copy.deepcopy(model.network)
    device = next(network.parameters()).device
    expected = {f"average.{k}": tuple(v.shape) for k, v in network.state_dict().items()}

    def check(found: Any) -> None:
        for name, shape in expected.items():
            if found.get(name) != shape:
                raise ValueError(f"{name} is not of this model")

    judged = 0
    for path in reversed(checkpoint_paths(run)):
        try:
            checkpoint = read_checkpoint(path, check)
        except (CheckpointError, ValueError) as error:
            notify(f"{path.name} is passed over: {error}")
            continue
        network.load_state_dict(checkpoint.under("average."))
        of_epoch = Model.of_network(network, model.schema, model.info, device)
        progress = checkpoint.manifest.progress
        found = evaluate_images(of_epoch, images, protocol=protocol, **options)
        judged += 1
        yield Point.of(float(progress.epoch), found.report)
    if not judged:
        raise FashionError(
            f"{run} has no checkpoint of this model; expected the folder of a run, with checkpoints/. "
            "Set checkpoints.keep_every in its recipe to keep more than the last."
        )

"""When a run's state is saved, and which states are kept."""

from __future__ import annotations

from pydantic import Field

from napari_fashion.options import Options


class CheckpointOptions(Options):
    """When a run's state is saved beside the end of each epoch, and which states are kept.

    None of it changes what is learned.

    Attributes
    ----------
    minutes
        A checkpoint is also written within an epoch, if the last one is older than this; 0 for
        those at the ends of epochs only.
    keep_every
        The checkpoint of every n-th epoch is kept, beside the last two, the best and the last good
        one; 0 for none.
    """

    minutes: float = Field(default=15.0, ge=0, le=1_000_000)
    keep_every: int = Field(default=0, ge=0, le=1_000_000)

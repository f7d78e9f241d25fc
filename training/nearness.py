"""A pipeline whose PAF is replaced by nearness: what joining landmarks by distance alone would find.

For each edge of the skeleton the peaks of its two landmarks are joined in pairs, the nearest pair first
and each peak once. The decoder then sees these pairs in place of the network's PAF, as sure as can be.
Everything else (peaks, thresholds, suppression, body types, refinement) is as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode import DecoderOptions, decode_fields
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.pipeline import Pipeline
from napari_fashion.engine.model import Model
from napari_fashion.engine.padding import Colour
from napari_fashion.images.transforms import RGBImage


class NearnessPipeline(Pipeline):
    """A pipeline that joins landmarks by nearness; see above."""

    def fields(
        self,
        images: Sequence[RGBImage],
        sizes: Sequence[int],
        *,
        flip: bool,
        padding: Colour,
        aspect: float = 1.0,
    ) -> list[Fields]:
        """Compute each image's fields, the PAF replaced."""
        found = super().fields(images, sizes, flip=flip, padding=padding, aspect=aspect)
        return [joined_by_nearness(fields) for fields in found]


def without_paf(model: Model) -> Model:
    """Return the model with another pipeline, which joins landmarks by nearness; shares its weights."""
    other = Model(model.runtime, model.schema, model.config, model.info, model.id)
    own = model.pipeline
    other.pipeline = NearnessPipeline(own.runtime, own.schema, own.config, own.identify)
    return other


def joined_by_nearness(fields: Fields, options: DecoderOptions | None = None) -> Fields:
    """Replace the PAF of an image by one that joins the nearest peaks.

    Parameters
    ----------
    fields
        Of one image.
    options
        Thresholds by which peaks are found; those of the decoder by default. A peak starts from half of
        the seeds' threshold: through the PAF the decoder finds landmarks that are less sure than a seed.

    Returns
    -------
    The fields with the same PIF. Of more pairs than the grid has cells, the longest are left out.
    """
    peaks = _peaks(fields, options or DecoderOptions())
    h, w = fields.grid
    n = h * w
    e = len(fields.edges)
    confidence = np.zeros((e, n), np.float32)
    ends = np.zeros((2, e, 2, n), np.float32)
    for edge, (a, b) in enumerate(fields.edges):
        pairs = _nearest_pairs(peaks[a], peaks[b])[:n]
        m = len(pairs)
        if m:
            confidence[edge, :m] = 1
            ends[0, edge, :, :m] = peaks[a][pairs[:, 0]].T
            ends[1, edge, :, :m] = peaks[b][pairs[:, 1]].T
    spread = np.ones((e, h, w), np.float32)
    return replace(
        fields,
        paf_confidence=confidence.reshape(e, h, w),
        paf_xy1=ends[0].reshape(e, 2, h, w),
        paf_xy2=ends[1].reshape(e, 2, h, w),
        paf_spread1=spread,
        paf_spread2=spread,
    )


def _peaks(fields: Fields, options: DecoderOptions) -> list[NDArray[np.float32]]:
    """Return the (n, 2) places of each landmark, as the decoder finds those without edges."""
    none = np.zeros((0, *fields.grid), np.float32)
    vectors = np.zeros((0, 2, *fields.grid), np.float32)
    alone = replace(
        fields,
        edges=(),
        paf_confidence=none,
        paf_xy1=vectors,
        paf_xy2=vectors,
        paf_spread1=none,
        paf_spread2=none,
    )
    every = DecoderOptions(
        pif_threshold=options.pif_threshold,
        seed_threshold=0.5 * options.seed_threshold,
        cells_per_landmark=options.cells_per_landmark,
        garment_threshold=0,
        min_landmarks=1,
    )
    found = decode_fields(alone, None, every)
    return [
        np.array([g.xy[k] for g in found if g.scores[k] > 0], np.float32).reshape(-1, 2)
        for k in range(fields.n_landmarks)
    ]


def _nearest_pairs(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return (n, 2) indices of pairs, the nearest first, each point in one pair at most."""
    apart = np.linalg.norm(first[:, None] - second[None], axis=-1)
    pairs = []
    used_first: set[int] = set()
    used_second: set[int] = set()
    for flat in np.argsort(apart, axis=None, kind="stable").tolist():
        i, j = divmod(flat, len(second))
        if i not in used_first and j not in used_second:
            used_first.add(i)
            used_second.add(j)
            pairs.append((i, j))
    return np.array(pairs, np.int64).reshape(-1, 2)

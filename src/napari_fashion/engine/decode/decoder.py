"""From the fields of one image to its garments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_fashion.engine.decode._compiled import announce_compiling
from napari_fashion.engine.decode._log import Log, new_log
from napari_fashion.engine.decode.arguments import (
    Bool,
    adjacency_of,
    paf_of,
    pif_of,
    set_masks,
)
from napari_fashion.engine.decode.complete import complete_garments
from napari_fashion.engine.decode.garment import DecodedGarment
from napari_fashion.engine.decode.greedy import decode_greedily
from napari_fashion.engine.decode.options import DecoderOptions
from napari_fashion.engine.decode.single import decode_single
from napari_fashion.engine.decode.trace import DecodeTrace
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema

_EVENTS = 4096  # room for a trace at first; decoding is repeated with more if these do not suffice


def decode_fields(
    fields: Fields,
    schema: Schema | None = None,
    options: DecoderOptions | None = None,
    *,
    landmark_sets: Sequence[Sequence[int]] | None = None,
    trace: DecodeTrace | None = None,
) -> list[DecodedGarment]:
    """Find the garments in the fields of one image, best score first.

    Parameters
    ----------
    fields
        Cells with a non-finite value count as confidence 0.
    schema
        Its body types are the sets of landmarks that a garment is scored over.
    options
        Thresholds and modes; the defaults if None.
    landmark_sets
        Instead of the schema's body types, such as those of one category. With neither, a
        garment is scored over all landmarks.
    trace
        Gets the steps of the decoder instead of those that it had.

    Raises
    ------
    ValueError
        If schema or sets do not fit the K landmarks of the fields.
    """
    options = options or DecoderOptions()
    sets = set_masks(fields, schema, landmark_sets)
    if fields.n_landmarks == 0 or min(fields.grid) == 0:
        if trace is not None:
            trace.steps = []
        return []
    log = new_log(0 if trace is None else _EVENTS)
    garments = _decode(fields, sets, options, log)
    if trace is not None:
        if log.n[0] > len(log.rows):
            log = new_log(int(log.n[0]))
            garments = _decode(fields, sets, options, log)
        trace.fill(log, adjacency_of(fields.n_landmarks, fields.edges))
    return garments


def _decode(fields: Fields, sets: Bool, options: DecoderOptions, log: Log) -> list[DecodedGarment]:
    """Return the garments, best score first."""
    pif, paf = pif_of(fields), paf_of(fields)
    adjacency = adjacency_of(fields.n_landmarks, fields.edges)
    decode = decode_single if options.single_instance else decode_greedily
    garments, scores, indices = decode(pif, paf, adjacency, sets, options, log)
    if options.force_complete:
        complete_garments(pif, paf, adjacency, garments, indices, options, log)
    found = [
        DecodedGarment(xy, landmark_scores, spread, score)
        for xy, landmark_scores, spread, score in zip(*garments[:3], scores.tolist(), strict=True)
    ]
    return sorted(found, key=lambda garment: -garment.score)


def prepare(
    options: DecoderOptions | None = None, notify: Callable[[str], object] | None = None
) -> None:
    """Compile what decoding with these options needs, unless this installation has done so before.

    Without this call the first decoding does the same. That it takes its time is logged (INFO) either way.

    Parameters
    ----------
    options
        Modes that are needed; the defaults if None.
    notify
        Is called with a sentence before the first function is compiled; not if there is none to compile.
    """
    with announce_compiling(notify):
        decode_fields(_tiny_fields(), None, options)


def _tiny_fields() -> Fields:
    """Return fields on which every mode runs all its functions.

    Landmarks 0 and 1 are seen and joined, landmark 0 at two places; landmark 2 is faint and joined to
    them; landmark 3 is nowhere.
    """
    k, e, side = 4, 3, 8
    confidence = np.zeros((k, side, side), np.float32)
    confidence[:2], confidence[2] = 0.9, 0.05
    xy = np.full((k, 2, side, side), 1.5, np.float32)
    xy[0, 0, :, side // 2 :] = 6
    ones = np.ones((k, side, side), np.float32)
    return Fields(
        pif_confidence=confidence,
        pif_xy=xy,
        pif_spread=ones,
        pif_size=ones,
        paf_confidence=np.full((e, side, side), 0.5, np.float32),
        paf_xy1=xy[1 : e + 1],
        paf_xy2=xy[1 : e + 1],
        paf_spread1=ones[:e],
        paf_spread2=ones[:e],
        category=np.zeros((0, side, side), np.float32),
        edges=((0, 1), (0, 2), (1, 3)),
    )

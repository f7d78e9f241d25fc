"""From a runtime's arrays to an image's fields, and from decoded garments to predicted ones (NumPy)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode import DecodedGarment, DecoderOptions
from napari_fashion.engine.decode.body_types import without_impossible
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.averaging import average_flipped
from napari_fashion.engine.inference.calibration import platt
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.inference.runtime import FieldArrays, Float32
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.network.heads import CONFIDENCE, PAF, VISIBLE, pif_spec
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.images.transforms import Placement
from napari_fashion.schema import Schema


def fields_of(
    arrays: FieldArrays,
    placement: Placement,
    schema: Schema,
    stride: int,
    flipped: FieldArrays | None = None,
) -> Fields:
    """Cut the fields of one image out of those of the network's input.

    Parameters
    ----------
    arrays
        Of one image: (K, channels, H, W), (E, channels, H, W), (C, H, W) over the whole input.
    placement
        Where the image lies in it.
    schema
        The network's: K landmarks, E edges, C categories.
    stride
        Input pixels per cell.
    flipped
        Of the flipped image, to be averaged in (flip TTA).

    Returns
    -------
    Fields whose first cell is the image's top left one.
    """
    first = placement.margin // stride
    width, height = (-(-side // stride) for side in placement.size)
    cells = (..., slice(first, first + height), slice(first, first + width))
    own = FieldArrays(*(part[cells] for part in arrays))
    if flipped is not None:
        others = FieldArrays(*(part[cells] for part in flipped))
        mirror = (2 * placement.margin + placement.size[0]) / stride - 1.0
        own = average_flipped(own, others, schema, mirror)
    pif = pif_spec(own.pif.shape[1])
    (point,) = pif.points
    end1, end2 = PAF.points
    spread = pif.channel(own.pif, point.log_spread)
    scale, offset = placement.cell_geometry(stride)
    return Fields(
        pif_confidence=pif.channel(own.pif, CONFIDENCE),
        pif_xy=pif.position(own.pif, point) - first,
        pif_spread=spread,
        # A cell whose vote may be off by b speaks for places that far around: the decoder's
        # Gaussian, half the size wide, must not be narrower than the votes scatter.
        pif_size=np.maximum(pif.channel(own.pif, point.size), 2 * spread),
        paf_confidence=PAF.channel(own.paf, CONFIDENCE),
        paf_xy1=PAF.position(own.paf, end1) - first,
        paf_xy2=PAF.position(own.paf, end2) - first,
        paf_spread1=PAF.channel(own.paf, end1.log_spread),
        paf_spread2=PAF.channel(own.paf, end2.log_spread),
        category=own.category,
        edges=schema.edges,
        scale=scale,
        offset=offset,
        pif_visible=pif.channel(own.pif, VISIBLE) if VISIBLE in pif.channels else None,
    )


def predicted_garment(
    fields: Fields,
    decoded: DecodedGarment,
    size: tuple[int, int],
    layers: Layers,
    layer: int,
    config: NetworkConfig,
    options: DecoderOptions,
) -> PredictedGarment | None:
    """Return a decoded garment in pixels, with its category.

    Parameters
    ----------
    fields
        What it was decoded from: those of its layer.
    decoded
        In cells, with the landmarks of its layer.
    size
        The image's width and height; no landmark lies beyond its edges.
    layers, layer
        Of the network, and which of them it is.
    config
        Of the network.
    options
        What it was decoded with.

    Returns
    -------
    None if its category leaves it too few landmarks (`possible_garment`).
    """
    scale = np.asarray(fields.scale)
    visible = visible_probabilities(fields, decoded)
    decoded = layers.widened_garment(decoded, layer)
    found = decoded.scores > 0
    # A landmark beyond the image's edge is moved to the edge.
    xy = fields.to_pixels(decoded.xy).clip(-0.5, np.array(size) - 0.5)
    # Places that complete a garment say nothing of where it is; training votes where labels are.
    sure = found & (decoded.scores >= options.landmark_threshold)
    voting = decoded.xy[sure if sure.sum() > 1 else found]
    if config.category_region == "image":
        voting = voting[:0]
    garment = PredictedGarment(
        xy=np.where(found[:, None], xy, 0.0).astype(np.float32),
        scores=decoded.scores,
        spread=np.where(found, decoded.spread * np.float32(np.sqrt(scale.prod())), 0.0),
        category=layers.with_prior(
            category_probabilities(fields, voting, config.category_pool), layer
        ),
        score=decoded.score,
        visible=None if visible is None else layers.widened(visible, layer),
        layer=layer,
    )
    return possible_garment(garment, layers.schema, options)


def possible_garment(
    garment: PredictedGarment, schema: Schema, options: DecoderOptions
) -> PredictedGarment | None:
    """Leave out landmarks of impossible body types; None if too few are left.

    With `options` that give every landmark a position nothing is left out.
    """
    if options.force_complete:
        return garment
    # In an image of one garment, even one landmark of it is worth showing.
    least = 1 if options.single_instance else options.min_landmarks
    return without_impossible(garment, schema, min_landmarks=least)


def visible_probabilities(fields: Fields, decoded: DecodedGarment) -> Float32 | None:
    """Read how probably each landmark is visible where it was found, if the fields say so.

    The cells around the place answer, by their confidence.

    Parameters
    ----------
    fields
        Of K landmarks.
    decoded
        Of the same K.

    Returns
    -------
    (K,) probabilities before any calibration; 0 for landmarks that were not found.
    """
    if fields.pif_visible is None:
        return None
    rows, columns = fields.grid
    probabilities = np.zeros(len(decoded.scores), np.float32)
    for k in np.flatnonzero(decoded.scores > 0):
        x, y = np.rint(decoded.xy[k]).astype(int).clip(0, (columns - 1, rows - 1))
        near = (k, slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2))
        logits = np.nan_to_num(fields.pif_visible[near], nan=0.0, posinf=1e3, neginf=-1e3)
        weights = np.nan_to_num(fields.pif_confidence[near]) + 1e-3
        logit = float((weights * logits).sum() / weights.sum())
        probabilities[k] = 1 / (1 + np.exp(-np.clip(logit, -50, 50)))
    return probabilities


def judged_presence(
    garment: PredictedGarment,
    schema: Schema,
    decoder: DecoderOptions,
    options: VisibilityOptions,
) -> PredictedGarment | None:
    """Say of each landmark how probably it is there and visible; leave out those that are not there.

    Parameters
    ----------
    garment
        Its `visible` is as the network says.
    schema
        Of its landmarks.
    decoder
        What it was decoded with; with ``force_complete`` nothing is left out.
    options
        Thresholds and calibration.

    Returns
    -------
    None if too few landmarks are left (`possible_garment`).
    """
    present = platt(garment.scores, options.present_scale, options.present_offset)
    there = garment.found
    if not decoder.force_complete:
        there = there & (present >= options.present_threshold)
    visible = garment.visible
    if visible is not None:
        visible = platt(visible, options.visible_scale, options.visible_offset)
    judged = replace(
        garment,
        present=present,
        visible=visible,
        visible_threshold=options.visible_threshold,
    ).keeping(there)
    if there.sum() == garment.found.sum():
        return judged
    return possible_garment(judged, schema, decoder)


def category_probabilities(fields: Fields, xy_cells: NDArray[np.floating], pool: str) -> Float32:
    """Pool the category field over the cells in a garment's box, as in training.

    Parameters
    ----------
    fields
        Of the image.
    xy_cells
        (n, 2) the garment's landmarks, cells; with none the whole image counts.
    pool
        `NetworkConfig.category_pool`.

    Returns
    -------
    (C,) probabilities, (0,) if the model knows no categories.
    """
    # A network can give values that are not finite, however finite its weights are.
    logits = np.nan_to_num(fields.category, nan=0.0, posinf=1e6, neginf=-1e6)
    if logits.shape[0] == 0:
        return np.zeros(0, dtype=np.float32)
    if len(xy_cells):
        last = np.array(fields.grid[::-1]) - 1
        low = np.floor(xy_cells.min(0) + 0.5).astype(int).clip(0, last)
        high = np.ceil(xy_cells.max(0) - 0.5).astype(int).clip(0, last)
        high = np.maximum(high, low)
        logits = logits[:, low[1] : high[1] + 1, low[0] : high[0] + 1]
    pooled = logits.max((1, 2)) if pool == "max" else logits.mean((1, 2), dtype=np.float64)
    odds = np.exp(pooled - pooled.max(), dtype=np.float64)
    probabilities: Float32 = (odds / odds.sum()).astype(np.float32)
    return probabilities

"""Between the landmarks of files and the places that they share, which a network has fields for.

A model of a shared schema (`Schema.shared`) has one landmark a place: 81 for the 294 landmarks of
DeepFashion2 (Lin 2020, arXiv:2005.00419). What it learns from is folded, what it finds is unfolded to the
landmarks of the garment's category. For any other schema both leave everything as it is. No torch here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_fashion.engine.fields import Fields
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.schema import Schema


def fold_landmarks(
    xy: NDArray[np.float64],
    visibility: NDArray[np.int64],
    schema: Schema,
    members: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Move the landmarks of a garment to their places.

    Parameters
    ----------
    xy, visibility
        (K, 2) pixels and (K,) of the file.
    schema
        A shared schema of P places.
    members
        Indices of the file's landmarks that the garment's category has. They win where an annotation has
        landmarks of several categories at one place.

    Returns
    -------
    xy, visibility
        (P, 2), (P,).
    """
    places = np.array(schema.file_schema.place_indices)
    own = np.zeros(len(places), np.bool_)
    own[np.asarray(members, np.int64)] = True
    at = np.zeros((schema.n_landmarks, 2), xy.dtype)
    seen = np.zeros(schema.n_landmarks, visibility.dtype)
    for chosen in (~own & (visibility > 0), own & (visibility > 0)):
        at[places[chosen]], seen[places[chosen]] = xy[chosen], visibility[chosen]
    return at, seen


def unfold_garment(
    garment: PredictedGarment, schema: Schema, category: int | None = None
) -> PredictedGarment:
    """Give a garment the landmarks that files have.

    Parameters
    ----------
    garment
        What a model of `schema` found.
    schema
        The model's.
    category
        Index of the category whose landmarks it gets; None for its likeliest one.
    """
    if schema.places_of is None:
        return garment
    files = schema.file_schema
    index = garment.category_index if category is None else category
    own = (
        np.arange(files.n_landmarks) if index < 0 else np.array(files.landmarks_of_category(index))
    )
    places = np.array(files.place_indices)[own]

    def unfolded(values: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.zeros((files.n_landmarks, *values.shape[1:]), values.dtype)
        result[own] = values[places]
        return result

    return replace(
        garment,
        xy=unfolded(garment.xy),
        scores=unfolded(garment.scores),
        spread=unfolded(garment.spread),
        present=None if garment.present is None else unfolded(garment.present),
        visible=None if garment.visible is None else unfolded(garment.visible),
    )


def unfold_prediction(prediction: Prediction, schema: Schema) -> Prediction:
    """Give the garments of an image the landmarks that files have (`unfold_garment`)."""
    if schema.places_of is None:
        return prediction
    garments = tuple(unfold_garment(garment, schema) for garment in prediction.garments)
    return replace(prediction, garments=garments)


def unfold_fields(fields: Fields, schema: Schema) -> Fields:
    """Give each landmark and edge of the files the field of its place, or of the edge of its places."""
    if schema.places_of is None:
        return fields
    files = schema.file_schema
    places = files.place_indices
    known = {ends: i for i, ends in enumerate(schema.edges)}
    edges = [(places[a], places[b]) for a, b in files.edges]
    paf = [known[ends] if ends in known else known[ends[::-1]] for ends in edges]
    turned = np.array([ends not in known for ends in edges], np.bool_)
    pif = list(places)

    def end(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        shape = (-1, *[1] * (first.ndim - 1))
        return np.where(turned.reshape(shape), second[paf], first[paf])

    return replace(
        fields,
        pif_confidence=fields.pif_confidence[pif],
        pif_xy=fields.pif_xy[pif],
        pif_spread=fields.pif_spread[pif],
        pif_size=fields.pif_size[pif],
        paf_confidence=fields.paf_confidence[paf],
        paf_xy1=end(fields.paf_xy1, fields.paf_xy2),
        paf_xy2=end(fields.paf_xy2, fields.paf_xy1),
        paf_spread1=end(fields.paf_spread1, fields.paf_spread2),
        paf_spread2=end(fields.paf_spread2, fields.paf_spread1),
        edges=files.edges,
    )

"""Garments with the landmarks that a network has fields for."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_fashion.engine.data.batch import GarmentBatch
from napari_fashion.engine.layers import Layers


def in_layers(garments: GarmentBatch, layers: Layers) -> GarmentBatch:
    """Give each garment the landmarks of its category's layer, and none of the others.

    Parameters
    ----------
    garments
        Of K landmarks.
    layers
        Of a network.

    Returns
    -------
    Garments of the network's landmarks. A garment whose category is not known is of no known layer: it
    becomes a region to ignore.
    """
    if layers.is_one:
        return garments
    device = garments.xy.device
    landmark = torch.tensor(layers.landmark_of, device=device)
    layer = torch.tensor(layers.layer_of, device=device)
    of_category = torch.tensor(layers.of_category, device=device)
    known = garments.category >= 0
    own = known[..., None] & (of_category[garments.category.clamp(min=0)][..., None] == layer)
    return replace(
        garments,
        xy=garments.xy[:, :, landmark],
        visibility=garments.visibility[:, :, landmark] * own,
        member=garments.member[:, :, landmark] & own,
        crowd=garments.crowd | (garments.valid & ~known),
    )

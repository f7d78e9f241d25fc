"""No image is flipped if the schema does not know which landmarks that exchanges."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from drawn import SCHEMA
from napari_fashion.engine.inference.averaging import _flipped_edges
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.model import Model, ModelInfo
from napari_fashion.engine.network.config import NetworkConfig

OPTIONS = InferenceOptions(input_size=64, flip_tta=True, refinement=None)


@pytest.mark.parametrize("mirrors", [True, False])
def test_flip_tta_is_off_and_that_is_said_once(mirrors, caplog):
    torch.manual_seed(0)
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="plain", upsample=2)
    schema = replace(SCHEMA, mirrors=mirrors)
    model = Model.create(config, schema, ModelInfo(inference=OPTIONS), torch.device("cpu"))
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    with caplog.at_level(logging.WARNING, "napari_fashion"):
        with_tta = [model.fields_batch([image], OPTIONS)[0] for _ in range(2)]
    plain = model.fields_batch([image], OPTIONS.overridden(flip_tta=False))[0]
    same = np.array_equal(with_tta[0].pif_confidence, plain.pif_confidence)
    assert same is not mirrors
    assert [r.getMessage()[:16] for r in caplog.records] == [] if mirrors else ["flip TTA is off:"]


def test_edges_of_large_schemas_are_matched_in_linear_time():
    n = 4096
    flips = tuple(i ^ 1 for i in range(n))
    edges = tuple((i, (i + 2 * k) % n) for k in range(1, 5) for i in range(n))
    found = _flipped_edges(edges, flips)
    assert len(found.edges) == len(edges)
    first = edges[found.twins[5]]
    assert first == (flips[edges[5][0]], flips[edges[5][1]])

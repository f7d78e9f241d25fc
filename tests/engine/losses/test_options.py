from __future__ import annotations

from typing import get_args

from napari_fashion.engine.losses.confidence import CONFIDENCE_LOSSES
from napari_fashion.engine.losses.options import LossOptions
from napari_fashion.engine.losses.vector import VECTOR_LOSSES


def test_every_loss_that_can_be_named_is_there():
    for field, losses in (("confidence", CONFIDENCE_LOSSES), ("vector", VECTOR_LOSSES)):
        assert set(get_args(LossOptions.model_fields[field].annotation)) == set(losses)

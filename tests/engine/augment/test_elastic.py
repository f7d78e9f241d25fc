"""Elastic warping: smooth fields of the amplitude asked for, and landmarks that stay on their paint."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_fashion.engine.augment.draws import Draws, mixed_key
from napari_fashion.engine.augment.elastic import displaced, draw_displacement
from napari_fashion.engine.augment.garments import move_garments
from napari_fashion.engine.augment.options import NO_AUGMENTATION
from napari_fashion.engine.augment.resample import resample
from napari_fashion.engine.data.batch import GarmentBatch

CPU = torch.device("cpu")
SIDE = 128


def drawn(side=SIDE, b=16, seed=0, **options):
    options = NO_AUGMENTATION.model_copy(update={"elastic": 1.0} | options)
    return draw_displacement(side, options, Draws(mixed_key(seed, np.arange(b))), CPU)


def identity(b):
    return torch.tensor([[1.0, 0, 0], [0, 1, 0]]).repeat(b, 1, 1)


def test_the_longest_displacement_is_the_amplitude():
    field = drawn(elastic_amplitude=0.03, elastic_smoothness=0.2)
    torch.testing.assert_close(
        field.norm(dim=1).flatten(1).amax(1), torch.full((16,), 0.03 * SIDE), atol=1e-3, rtol=0
    )
    assert field.mean() == pytest.approx(0, abs=0.5)
    assert not torch.equal(field[0], field[1])


@pytest.mark.parametrize("smoothness", [0.05, 0.2])
def test_it_is_noise_convolved_with_a_gaussian(smoothness):
    """White noise after a Gaussian of sigma s is correlated as exp(-d^2 / (4 s^2))."""
    field = drawn(b=64, elastic_amplitude=1e-3, elastic_smoothness=smoothness)
    sigma = smoothness * SIDE
    for d in (round(sigma), round(2 * sigma)):
        pairs = torch.stack([field[..., d:].flatten(), field[..., :-d].flatten()])
        expected = np.exp(-(d**2) / (4 * sigma**2))
        assert torch.corrcoef(pairs)[0, 1].item() == pytest.approx(expected, abs=0.08)


def test_no_image_folds_however_long_the_warp():
    field = drawn(elastic_amplitude=0.5, elastic_smoothness=0.05)
    assert field.norm(dim=1).amax() < 0.2 * SIDE
    assert field.diff(dim=3)[:, 0].min() > -0.75  # the order of neighbours stays
    assert field.diff(dim=2)[:, 1].min() > -0.75


def test_some_images_are_warped_and_the_same_for_every_size():
    options = {"elastic": 0.5, "elastic_amplitude": 0.02, "elastic_smoothness": 0.1}
    field, larger = (drawn(side, b=60, **options) for side in (64, 128))
    warped = field.flatten(1).abs().amax(1) > 0
    assert 15 < warped.sum() < 45
    pooled = torch.nn.functional.avg_pool2d(larger, 2) / 2
    torch.testing.assert_close(field, pooled, atol=0.05, rtol=0)


def test_places_are_the_inverse_of_the_displacement():
    field = drawn(elastic_amplitude=0.3, elastic_smoothness=0.08)
    cells = torch.rand(16, 50, 2, generator=torch.Generator().manual_seed(0)) * 120 + 4
    shown = displaced(cells, field)
    grid = ((shown + 0.5) * 2 / SIDE - 1)[:, None]
    u = torch.nn.functional.grid_sample(field, grid, align_corners=False, padding_mode="border")
    torch.testing.assert_close(shown + u[:, :, 0].transpose(1, 2), cells, atol=1e-3, rtol=0)
    assert (shown - cells).norm(dim=-1).mean() > 1
    centres = torch.stack(torch.meshgrid(*[torch.arange(SIDE)] * 2, indexing="xy"), -1).float()
    back = displaced(centres[None] + field.permute(0, 2, 3, 1), field)
    torch.testing.assert_close(back, centres.expand_as(back), atol=1e-3, rtol=0)


def test_paint_stays_under_its_landmark_within_a_tenth_of_a_pixel():
    """A soft spot is warped; its centre of light, straightened for the warp inside it, is the landmark."""
    field = drawn(b=32, elastic_amplitude=0.06, elastic_smoothness=0.25)
    generator = torch.Generator().manual_seed(1)
    xy = torch.rand(32, 2, generator=generator) * 80 + 24
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    away = (x - xy[:, 0, None, None]) ** 2 + (y - xy[:, 1, None, None]) ** 2
    paint = (255 * torch.exp(-away / (2 * 1.5**2))).round().to(torch.uint8)
    whole = torch.tensor([0.0, 0.0, SIDE, SIDE]).repeat(32, 1)
    around = torch.zeros(1, 1, 1, 1)
    pixels = paint[:, None].expand(-1, 3, -1, -1)
    seen = resample(pixels, identity(32), whole, SIDE, around, field)[:, 0]
    place = displaced(xy[:, None], field)[:, 0]
    assert (place - xy).norm(dim=1).amax() > 4
    total = seen.sum((1, 2))
    centre = torch.stack([(seen * x).sum((1, 2)) / total, (seen * y).sum((1, 2)) / total], 1)
    assert (centre - place).norm(dim=1).amax() < 0.1
    unmoved = resample(pixels, identity(32), whole, SIDE, around)[:, 0]
    torch.testing.assert_close(unmoved, paint.float(), atol=1e-2, rtol=0)


def test_a_box_holds_its_landmarks_after_the_warp():
    field = drawn(b=8, elastic_amplitude=0.08, elastic_smoothness=0.2)
    generator = torch.Generator().manual_seed(3)
    xy = torch.rand(8, 1, 20, 2, generator=generator) * 70 + 30
    box = torch.cat([xy.amin(2), xy.amax(2)], -1)
    flags = torch.ones(8, 1, dtype=torch.bool)
    garments = GarmentBatch(
        xy, torch.full((8, 1, 20), 2), torch.ones(8, 1, 20, dtype=torch.bool), box,
        torch.full((8, 1), 4900.0), torch.zeros(8, 1, dtype=torch.long), ~flags, flags,
        torch.zeros(8, 4, 2),
    )  # fmt: skip
    whole = torch.tensor([0.0, 0.0, SIDE, SIDE]).repeat(8, 1)
    moved = move_garments(garments, identity(8), whole, field)
    assert (moved.xy >= moved.box[:, :, None, :2] - 0.3).all()
    assert (moved.xy <= moved.box[:, :, None, 2:] + 0.3).all()
    assert torch.equal(moved.area, garments.area)
    still = move_garments(garments, identity(8), whole, torch.zeros_like(field))
    torch.testing.assert_close(still.xy, garments.xy)
    torch.testing.assert_close(still.box, garments.box)

"""Augmentation keeps images and landmarks together, and is the same for a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dotted import CANVAS, SCHEMA, augment, dotted, draws
from napari_fashion.engine.augment.batch import augment_batch
from napari_fashion.engine.augment.draws import Draws, mixed_key
from napari_fashion.engine.augment.mosaic import lay_together
from napari_fashion.engine.augment.options import NO_AUGMENTATION, AugmentOptions
from napari_fashion.engine.augment.resample import resample
from napari_fashion.engine.data.batch import GarmentBatch
from napari_fashion.images.transforms import PADDING

GREYS = torch.full((40, 3), float(PADDING))


def centroid(image, xy, radius=5):
    """Centre of the light around xy in a (H, W) channel."""
    x0, y0 = round(float(xy[0])), round(float(xy[1]))
    rows, columns = slice(y0 - radius, y0 + radius + 1), slice(x0 - radius, x0 + radius + 1)
    patch = image[rows, columns].clamp(min=20) - 20
    y, x = torch.meshgrid(torch.arange(patch.shape[0]), torch.arange(patch.shape[1]), indexing="ij")
    total = patch.sum()
    return torch.stack(
        [(x * patch).sum() / total + x0 - radius, (y * patch).sum() / total + y0 - radius]
    )


GEOMETRY = AugmentOptions(
    box_crop=0,  # a cut through a blob would move its centre
    brightness=0,
    contrast=0,
    saturation=0,
    hue=0,
    grey=0,
    noise=0,
    flip=0.5,
    erase=0.0,
    box_part=0.0,
    quarter_turn=0.0,
    rotation=40,
    scale=(0.7, 1.3),
)


ROUND = GEOMETRY.model_copy(update={"rotation": 180.0, "scale": (0.7, 1.0)})
ELASTIC = GEOMETRY.model_copy(
    update={"elastic": 1.0, "elastic_amplitude": 0.05, "elastic_smoothness": 0.15}
)
TURNED = GEOMETRY.model_copy(update={"quarter_turn": 1.0})


@pytest.mark.parametrize(
    "options",
    [NO_AUGMENTATION, GEOMETRY, TURNED, ROUND, ELASTIC],
    ids=["none", "geometry", "quarter turns", "full rotation", "elastic"],
)
def test_landmarks_stay_on_their_blobs(options):
    batch = dotted(12)
    inputs, garments = augment(batch, 128, options)
    assert inputs.shape == (12, 3, 128, 128)
    flips = torch.tensor(SCHEMA.flips)
    checked = 0
    for i in range(12):
        lit = inputs[i].clone()
        lit[(inputs[i] == PADDING).all(0).expand_as(lit)] = 0
        for k in range(8):
            xy = garments.xy[i, 0, k]
            if not ((xy > 10) & (xy < 118)).all():
                continue
            distances = [
                (centroid(lit[int(source) % 3], xy) - xy).norm()
                for source in (k, flips[k])  # after a flip the blob of the other side is here
            ]
            assert min(float(d.nan_to_num(torch.inf)) for d in distances) < 0.6
            checked += 1
    assert checked > 40


def test_without_augmentation_it_is_the_fitted_image():
    batch = dotted(2)
    inputs, garments = augment(batch, 128, NO_AUGMENTATION)
    factor = 128 / CANVAS
    centre = (batch.size / 2)[:, None, None]
    expected = ((batch.garments.xy + 0.5) - centre) * factor + 64 - 0.5
    torch.testing.assert_close(garments.xy, expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(garments.area, batch.garments.area * factor**2, rtol=1e-4, atol=0)
    assert (inputs[0, :, 0, 64] == PADDING).all()  # the first is wide: padding above


def test_quarter_turns_are_turns_by_quarters():
    batch = dotted(12)
    upright = augment(batch, 128, NO_AUGMENTATION)[1].xy - 63.5
    options = NO_AUGMENTATION.model_copy(update={"quarter_turn": 1.0})
    turned = augment(batch, 128, options)[1].xy - 63.5
    seen = set()
    for i in range(12):
        x, y = upright[i, 0].unbind(-1)
        ways = {90: (-y, x), 180: (-x, -y), 270: (y, -x)}
        fits = [
            angle
            for angle, way in ways.items()
            if torch.allclose(turned[i, 0], torch.stack(way, -1), atol=1e-2)
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert seen == {90, 180, 270}


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_full_rotation_turns_garments_as_they_are(flip):
    """All angles come; boxes hold their landmarks, areas and shapes stay, and a flip swaps the sides."""
    batch = dotted(40)
    upright = augment(batch, 128, NO_AUGMENTATION)[1]
    options = NO_AUGMENTATION.model_copy(update={"rotation": 180.0, "flip": flip})
    turned = augment(batch, 128, options)[1]
    order = torch.tensor(SCHEMA.flips if flip else list(range(8)))
    own = upright.xy[:, 0, order] - 63.5
    if flip:
        own = own * torch.tensor([-1.0, 1.0])
    theirs = turned.xy[:, 0] - 63.5
    torch.testing.assert_close(theirs.norm(dim=-1), own.norm(dim=-1), atol=1e-3, rtol=0)
    angles = [
        torch.rad2deg(torch.atan2(t[..., 1], t[..., 0]) - torch.atan2(o[..., 1], o[..., 0])) % 360
        for t, o in zip(theirs, own, strict=True)
    ]
    for angle in angles:  # one for all landmarks
        apart = (angle - angle[0] + 180) % 360 - 180
        assert apart.abs().max() < 0.1
    quarters = torch.tensor([float(angle[0]) for angle in angles]).div(90).floor()
    assert set(quarters.tolist()) == {0, 1, 2, 3}
    assert (turned.xy >= turned.box[:, :, None, :2] - 1e-3).all()
    assert (turned.xy <= turned.box[:, :, None, 2:] + 1e-3).all()
    torch.testing.assert_close(turned.area, upright.area, rtol=1e-4, atol=0)


def test_milder_is_half_as_far_and_shows_the_same_views():
    strong = AugmentOptions(erase=0.4, quarter_turn=0.1, box_part=0.2, box_view=0.7)
    milder = strong.milder()
    for low, high in (strong.scale, strong.stretch):
        assert (low, high) != (1.0, 1.0)
    for ours, theirs in ((milder.scale, strong.scale), (milder.stretch, strong.stretch)):
        assert [v**2 for v in ours] == pytest.approx(theirs)
    same = {"flip", "box_view", "box_margin", "box_tight", "box_crop", "box_part", "padding"}
    same |= {"elastic", "elastic_smoothness"}
    for name in set(AugmentOptions.model_fields) - same - {"scale", "stretch"}:
        assert getattr(milder, name) == pytest.approx(getattr(strong, name) / 2), name
    for name in same:
        assert getattr(milder, name) == getattr(strong, name)
    still = NO_AUGMENTATION.model_copy(update={"flip": 0.5})
    assert still.milder() == still


def test_flip_swaps_left_and_right():
    batch = dotted(8)
    batch.garments.visibility[:, :, 0] = 1
    flip = NO_AUGMENTATION.model_copy(update={"flip": 1.0})
    _, plain = augment(batch, 128, NO_AUGMENTATION)
    _, mirrored = augment(batch, 128, flip)
    order = torch.tensor(SCHEMA.flips)
    torch.testing.assert_close(mirrored.xy[..., 1], plain.xy[..., order, 1], atol=1e-3, rtol=0)
    torch.testing.assert_close(
        mirrored.xy[..., 0], 127 - plain.xy[..., order, 0], atol=1e-3, rtol=0
    )
    assert (mirrored.visibility[:, 0] == plain.visibility[:, 0, order]).all()
    assert (mirrored.visibility[:, 0, 1] == 1).all()


def test_box_views_cut_what_lies_outside():
    options = NO_AUGMENTATION.model_copy(
        update={"box_view": 1.0, "box_crop": 1.0, "box_margin": (0.0, 0.0)}
    )
    batch = dotted(4)
    inputs, garments = augment(batch, 128, options)
    longer = (garments.box[:, 0, 2:] - garments.box[:, 0, :2]).amax(1)
    torch.testing.assert_close(longer, torch.full((4,), 128.0), atol=0.01, rtol=0)
    for i in range(4):
        x0, y0, x1, y1 = (garments.box[i, 0] + 0.5).tolist()
        outside = torch.ones(128, 128, dtype=torch.bool)
        outside[max(0, int(y0)) : int(np.ceil(y1)), max(0, int(x0)) : int(np.ceil(x1))] = False
        assert outside.any()
        assert (inputs[i][:, outside] == PADDING).all()


def test_the_same_seed_gives_the_same_batch_and_another_does_not():
    options = AugmentOptions()
    one, a = augment(dotted(4), 96, options, 1)
    two, b = augment(dotted(4), 96, options, 1)
    other, _ = augment(dotted(4), 96, options, 2)
    assert torch.equal(one, two)
    assert torch.equal(a.xy, b.xy)
    assert not torch.equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 255


def some(batch, rows):
    """Return some of the images of a batch, as another process has them."""
    garments = GarmentBatch(*(getattr(batch.garments, f)[rows] for f in vars(batch.garments)))
    parts = {f: getattr(batch, f)[rows] for f in ("pixels", "size", "index", "key", "group")}
    return replace(batch, garments=garments, **parts)


@pytest.mark.parametrize("mixed", [0.0, 0.6])
def test_an_image_is_augmented_alike_in_whatever_batch_it_is(mixed):
    """Apart from its neighbours, or with those of its group where they are mixed."""
    batch = dotted(13)
    batch.garments.valid[::3] = False  # pieces of these lie around crops
    options = AugmentOptions(
        mosaic=mixed, background=mixed, quarter_turn=0.3, erase=0.4, elastic=0.6, padding="random"
    )
    assert batch.group.tolist() == [0] * 4 + [1] * 4 + [2] * 5
    keys = Draws(mixed_key(5, 2, np.arange(13)))
    together, garments = augment_batch(batch, 96, options, SCHEMA.flips, keys)
    cuts = [[*range(4)], [*range(4, 13)]] if mixed else [[3, 4, 5], [0], [12, 7]]
    for rows in cuts:
        own = Draws(mixed_key(5, 2, np.array(rows)))
        apart, theirs = augment_batch(some(batch, rows), 96, options, SCHEMA.flips, own)
        torch.testing.assert_close(apart, together[rows], atol=1e-3, rtol=0)
        n = theirs.valid.shape[1]
        assert torch.equal(theirs.valid, garments.valid[rows][:, :n])
        torch.testing.assert_close(theirs.xy, garments.xy[rows][:, :n], atol=1e-3, rtol=0)
        torch.testing.assert_close(theirs.content, garments.content[rows], atol=1e-3, rtol=0)
    other = Draws(mixed_key(5, 3, np.arange(13)))  # another epoch
    assert not torch.allclose(augment_batch(batch, 96, options, SCHEMA.flips, other)[0], together)


def test_draws_are_uniform_and_independent():
    keys = mixed_key(7, np.arange(64)[:, None], np.arange(64)).reshape(-1)
    assert len(np.unique(keys)) == 64 * 64
    numbers = Draws(keys).rand(24).double()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.003)
    assert numbers.var() == pytest.approx(1 / 12, abs=0.001)
    across = torch.corrcoef(numbers.T) - torch.eye(24)  # of a stream's numbers
    between = torch.corrcoef(numbers[:100]) - torch.eye(100)  # of neighbouring keys' streams
    assert across.abs().max() < 0.08
    assert between.mean().abs() < 0.01
    one, again = Draws(keys[:3]), Draws(keys[:3])
    assert torch.equal(one.rand(2, 2).view(3, 4), again.rand(4))  # a stream has no shape
    assert not torch.equal(one.rand(4), again.rand(2, 2).view(3, 4) + 1)
    assert set(Draws(keys).integers(2, 5).tolist()) == {2, 3, 4}


def test_noise_is_normal_and_another_one_for_each_image():
    shape = (3, 40, 40)
    noise = Draws(mixed_key(1, np.arange(50))).noise(shape, torch.device("cpu"))
    assert noise.shape == (50, *shape)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)
    close = torch.corrcoef(noise.flatten(1)) - torch.eye(50)
    assert close.abs().max() < 0.1
    huge = Draws(mixed_key(1, np.arange(1))).noise((3, 1000, 1000), torch.device("cpu"))
    assert huge.std() == pytest.approx(1, abs=0.02)


def test_grey_takes_the_colours_and_keeps_the_light():
    options = NO_AUGMENTATION.model_copy(update={"grey": 1.0})
    inputs, _ = augment(dotted(2), 96, options)
    torch.testing.assert_close(inputs[:, 0], inputs[:, 1], atol=0.01, rtol=0)
    torch.testing.assert_close(inputs[:, 0], inputs[:, 2], atol=0.01, rtol=0)


def test_boxes_of_some_landmarks_hold_at_least_two_of_them():
    options = NO_AUGMENTATION.model_copy(
        update={"box_view": 1.0, "box_margin": (0.0, 0.0), "box_crop": 1.0, "box_part": 1.0}
    )
    batch = dotted(48)
    _, garments = augment(batch, 128, options)
    low, high = garments.content.amin(1), garments.content.amax(1)
    inside = (garments.xy[:, 0] >= low[:, None] - 0.1) & (garments.xy[:, 0] <= high[:, None] + 0.1)
    count = inside.all(-1).sum(1)
    assert count.min() >= 2
    assert (count < 8).sum() > 24
    assert len(count.unique()) > 3
    # The box is tight: on each side lies one of the landmarks.
    near = ((garments.xy[:, 0] - low[:, None]).abs() < 1) | (
        (garments.xy[:, 0] - high[:, None]).abs() < 1
    )
    assert (near & inside.all(-1, keepdim=True)).any(1).all()


def test_what_gets_much_smaller_is_averaged_and_lies_where_it_lay():
    fine = torch.zeros(1, 3, CANVAS, CANVAS, dtype=torch.uint8)
    fine[..., ::2] = 255  # stripes of one pixel
    batch = dotted(1)
    square = replace(batch, pixels=fine, size=torch.tensor([[CANVAS, CANVAS]]).float())
    small, _ = augment(square, 64, NO_AUGMENTATION)
    assert (small[..., 2:-2, 2:-2] - 127.5).abs().max() < 1
    large, _ = augment(square, CANVAS, NO_AUGMENTATION)
    assert set(large.round().unique().tolist()) == {0.0, 255.0}
    step = torch.zeros_like(fine)
    step[..., CANVAS // 2 :] = 255
    edge = replace(square, pixels=step)
    small, _ = augment(edge, 64, NO_AUGMENTATION)
    assert small[0, 0, 32].sum() / 255 == pytest.approx(32, abs=0.05)


def test_cut_views_are_less_narrow_and_everything_moves_along():
    options = NO_AUGMENTATION.model_copy(
        update={"box_view": 1.0, "box_crop": 1.0, "box_margin": (0.0, 0.0)}
    )
    batch = dotted(4)
    kept, even, square = (augment(batch, 128, options, aspect=aspect) for aspect in (1.0, 0.5, 0.0))
    extents = [g.box[:, 0, 2:] - g.box[:, 0, :2] for _, g in (kept, even, square)]
    narrow = [e.amin(1) / e.amax(1) for e in extents]
    assert (narrow[0] < 0.95).any()
    torch.testing.assert_close(narrow[1], narrow[0].sqrt(), atol=1e-3, rtol=0)
    torch.testing.assert_close(narrow[2], torch.ones(4), atol=1e-3, rtol=0)
    for extent in extents:
        torch.testing.assert_close(extent.amax(1), torch.full((4,), 128.0), atol=0.01, rtol=0)
    # Landmarks keep their place in the box, which the image fills as before.
    for _, garments in (even, square):
        low, size = garments.box[:, :1, None, :2], (garments.box[..., 2:] - garments.box[..., :2])
        was = kept[1].box[..., 2:] - kept[1].box[..., :2]
        torch.testing.assert_close(
            (garments.xy - low) / size[:, :, None],
            (kept[1].xy - kept[1].box[:, :1, None, :2]) / was[:, :, None],
            atol=1e-3,
            rtol=0,
        )
    assert ((square[0] == PADDING).all(1)).sum() < ((kept[0] == PADDING).all(1)).sum()
    # What is not cut keeps its shape.
    uncropped = options.model_copy(update={"box_crop": 0.0})
    a, b = (augment(batch, 128, uncropped, aspect=s)[0] for s in (1.0, 0.0))
    assert torch.equal(a, b)


def test_images_are_averaged_along_the_axis_that_gets_much_smaller():
    fine = torch.zeros(1, 3, CANVAS, CANVAS, dtype=torch.uint8)
    fine[..., ::2] = 255  # stripes of one pixel, upright
    for x, y, averaged in ((0.3, 0.9, True), (0.9, 0.3, False)):
        matrix = torch.tensor([[[x, 0.0, 0.0], [0.0, y, 0.0]]])
        view = torch.tensor([[0.0, 0.0, CANVAS, CANVAS]])
        padding = torch.full((1, 1, 1, 1), float(PADDING))
        small = resample(fine, matrix, view, 48, padding)
        small = small[..., 2:-2, 2 : int(CANVAS * x) - 2]
        spread = small[0, 0, 2 : int(CANVAS * y) - 4 if y < 0.5 else None].std(dim=-1).max()
        assert (spread < 1) == averaged


def test_pieces_of_empty_images_lie_around_cuts_and_are_learned_as_such():
    canvases = dotted(12)
    nothing = [3, 8]
    canvases.garments.valid[nothing] = False
    for i in nothing:
        w, h = canvases.size[i].int().tolist()
        canvases.pixels[i] = 0  # beyond the image
        canvases.pixels[i, :, :h, :w] = 200
    crops = NO_AUGMENTATION.model_copy(
        update={"box_view": 1, "box_crop": 1, "box_margin": (0.1, 0.1)}
    )
    plain, before = augment(canvases, 96, crops)
    some = crops.model_copy(update={"background": 0.5})
    inputs, after = augment(canvases, 96, some)
    changed = (inputs != plain).flatten(1).any(1)
    assert 2 <= changed.sum() <= 8
    assert not changed[nothing].any()  # seen whole, they have no cut
    padding = (plain == PADDING).all(1)
    for i in range(12):
        assert torch.equal(inputs[i][:, ~padding[i]], plain[i][:, ~padding[i]])  # the cut stays
        if changed[i]:
            assert (inputs[i][:, padding[i]] - 200).abs().max() < 0.01
            x0, y0 = after.content[i].amin(0)
            x1, y1 = after.content[i].amax(0)
            assert torch.allclose(
                torch.stack([x0, y0, x1, y1]) + 0.5, torch.tensor([0, 0, 96, 96.0])
            )
        else:
            assert torch.equal(after.content[i], before.content[i])
    assert torch.equal(after.xy, before.xy)


def test_without_an_empty_image_cuts_keep_their_padding():
    crops = NO_AUGMENTATION.model_copy(update={"box_view": 1, "box_crop": 1})
    plain, before = augment(dotted(6), 96, crops)
    all_of_them = crops.model_copy(update={"background": 1.0})
    inputs, after = augment(dotted(6), 96, all_of_them)
    assert torch.equal(inputs, plain)
    assert torch.equal(after.content, before.content)


def test_erasing_paints_one_rectangle_over_some_images():
    plain, garments = augment(dotted(40), 96, NO_AUGMENTATION)
    options = NO_AUGMENTATION.model_copy(update={"erase": 0.5})
    erased, same = augment(dotted(40), 96, options)
    assert torch.equal(garments.xy, same.xy)  # a landmark that is painted over is still there
    touched = 0
    for before, after in zip(plain, erased, strict=True):
        changed = (before != after).any(0)
        if not changed.any():
            continue
        touched += 1
        y, x = torch.nonzero(changed, as_tuple=True)
        height, width = int(y.max() - y.min()) + 1, int(x.max() - x.min()) + 1
        assert changed[y.min() : y.max() + 1, x.min() : x.max() + 1].all()
        assert len(after[:, changed].unique(dim=1).T) == 1
        assert all(0.1 * 96 - 1 <= side <= 0.35 * 96 + 1 for side in (height, width))
    assert 10 <= touched <= 30


# -- several images laid out together ----------------------------------------------------


def test_laid_out_images_keep_their_garments_in_place():
    batch = dotted(6)
    before = batch.pixels.clone()
    laid, together = lay_together(batch, 1.0, draws(6, 3), GREYS[:6])
    assert together.all()
    torch.testing.assert_close(batch.pixels, before)  # the others lend theirs, unharmed
    counts = laid.garments.valid.sum(1)
    assert set(counts.tolist()) == {2, 4}
    sizes = set()
    for i in range(6):
        sizes.add(tuple(laid.size[i].tolist()))
        for n in torch.nonzero(laid.garments.valid[i]).flatten().tolist():
            for k in range(8):
                xy = laid.garments.xy[i, n, k]
                assert (xy > -0.5).all()
                assert (xy < laid.size[i] - 0.5).all()
                found = centroid(laid.pixels[i, k % 3].float(), xy, radius=3)
                np.testing.assert_allclose(found, xy.numpy(), atol=0.6)
        width, height = laid.size[i].long().tolist()
        assert (laid.pixels[i, :, height:] == PADDING).all()
        assert (laid.pixels[i, :, :, width:] == PADDING).all()
    assert len(sizes) > 2
    garments = laid.garments
    box = torch.cat([garments.xy.amin(2), garments.xy.amax(2)], -1)
    torch.testing.assert_close(garments.box[garments.valid], box[garments.valid])
    assert garments.area[0, 0] == batch.garments.area[0, 0] / 4
    assert (garments.category[~garments.valid] == -1).all()
    assert not garments.member[~garments.valid].any()


def test_only_some_are_laid_out_and_the_others_stay_as_they_are():
    batch = dotted(40)
    laid, together = lay_together(batch, 0.3, draws(40), GREYS)
    assert 4 <= together.sum() <= 22
    alone = ~together
    torch.testing.assert_close(laid.pixels[alone], batch.pixels[alone])
    torch.testing.assert_close(laid.size[alone], batch.size[alone])
    torch.testing.assert_close(laid.garments.xy[alone][:, :1], batch.garments.xy[alone])
    assert (laid.garments.valid[alone].sum(1) == 1).all()
    few, none = lay_together(dotted(3), 1.0, draws(3), GREYS[:3])
    assert not none.any()
    assert few.garments.valid.shape == (3, 1)


def test_laid_out_images_are_seen_whole():
    batch = dotted(12)
    options = NO_AUGMENTATION.model_copy(update={"mosaic": 1.0, "box_view": 1.0, "box_crop": 1.0})
    _, garments = augment(batch, 128, options)
    there = garments.xy[garments.valid]
    assert (garments.valid.sum(1) >= 2).all()
    assert (there > -0.5).all()
    assert (there < 127.5).all()
    _, boxed = augment(batch, 128, options.model_copy(update={"mosaic": 0.0}))
    assert boxed.valid.sum() == 12

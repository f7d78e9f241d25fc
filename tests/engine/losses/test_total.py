from __future__ import annotations

import math

import pytest
import torch

from garment_batches import SCHEMA, batch, on_cells, random_garments
from napari_fashion.engine.data.batch import GarmentBatch
from napari_fashion.engine.losses.category import Teacher, category_loss
from napari_fashion.engine.losses.confidence import focal
from napari_fashion.engine.losses.options import COMPONENTS, LossOptions
from napari_fashion.engine.losses.total import Normalisers, compute_losses
from napari_fashion.engine.losses.vector import VECTOR_LOSSES, laplace_loss, smooth_l1_loss
from napari_fashion.engine.network.category import pool_category
from napari_fashion.engine.network.network import Heads
from napari_fashion.engine.targets.encode import encode_targets
from napari_fashion.engine.targets.options import TargetOptions

PLAIN = LossOptions(
    focal_gamma=1.0,
    label_smoothing=0.0,
    category_prior=0.0,
    weights=dict.fromkeys(COMPONENTS, 1.0),
)


def test_laplace_is_the_negative_log_likelihood_and_least_at_the_true_spread():
    distance = torch.tensor([0.0, 1.0, 3.0])
    at_one = laplace_loss(distance, torch.zeros(3))
    torch.testing.assert_close(at_one, distance + math.log(2))
    spreads = torch.linspace(-2, 3, 501)
    best = spreads[laplace_loss(torch.full_like(spreads, 3.0), spreads).argmin()]
    assert float(best) == pytest.approx(math.log(3), abs=0.01)


def test_smooth_l1_is_continuous_with_slope_one_far_away():
    radius = torch.tensor(2.0)
    below, above = (smooth_l1_loss(torch.tensor(d), radius) for d in (1.99999, 2.00001))
    assert float(below) == pytest.approx(float(above), abs=1e-4)
    assert float(smooth_l1_loss(torch.tensor(1.0), radius)) == pytest.approx(0.25)
    assert float(smooth_l1_loss(torch.tensor(9.0), radius)) == pytest.approx(8.0)


def test_focal_without_gamma_is_cross_entropy_and_forgives_the_easy():
    logits, target = torch.tensor([4.0, -4.0, 0.0]), torch.tensor([1.0, 1.0, 0.0])

    def each(gamma):
        options = PLAIN.model_copy(update={"focal_gamma": gamma})
        return [
            focal(x[None], t[None], torch.ones(1), options)
            for x, t in zip(logits, target, strict=True)
        ]

    plain, forgiving = each(0.0), each(2.0)
    torch.testing.assert_close(plain[2], torch.tensor(math.log(2)))
    assert forgiving[0] / plain[0] < 0.001
    assert forgiving[1] / plain[1] > 0.9
    weight = torch.tensor([0.5, 2.0, 0.0])
    for gamma in (0.0, 2.0):
        total = focal(logits, target, weight, PLAIN.model_copy(update={"focal_gamma": gamma}))
        torch.testing.assert_close(
            total, sum(w * x for w, x in zip(weight, each(gamma), strict=True))
        )


@pytest.mark.parametrize("size", [0.5, 4.0])
def test_a_fixed_radius_takes_the_place_of_the_landmarks_size(size):
    """By hand: 0.5 d^2 / r inside r = 2, d - 0.5 r outside, whatever the size is."""
    options = LossOptions(vector="smooth_l1", smooth_l1_radius=2.0)
    distance, sizes = torch.tensor([1.0, 2.0, 5.0]), torch.full((3,), size)
    fixed = VECTOR_LOSSES["smooth_l1"](distance, torch.zeros(3), sizes, options)
    torch.testing.assert_close(fixed, torch.tensor([0.25, 1.0, 4.0]))
    proportional = VECTOR_LOSSES["smooth_l1"](
        distance, torch.zeros(3), sizes, LossOptions(vector="smooth_l1")
    )
    by_hand = [0.5 * d**2 / size if d < size else d - 0.5 * size for d in (1.0, 2.0, 5.0)]
    torch.testing.assert_close(proportional, torch.tensor(by_hand))


@pytest.mark.parametrize("bounded", [True, False])
def test_the_spread_of_the_laplace_loss_is_bounded_or_not(bounded):
    """Without a bound the loss of good vectors falls far, and that of wrong ones explodes."""
    targets = encode_targets(random_garments(0), SCHEMA, TargetOptions(), (12, 12), 8)
    vectors = targets.pif.points[0].vector
    image, landmark, y, x = targets.pif.cells.unbind(1)

    def loss(log_spread, off):
        pif = torch.zeros(1, 8, 5, 12, 12)
        pif[image, landmark, 1, y, x] = vectors[:, 0] + off
        pif[image, landmark, 2, y, x] = vectors[:, 1]
        pif[:, :, 3] = log_spread
        heads = Heads(pif, torch.zeros(1, 11, 9, 12, 12), torch.zeros(1, 15, 12, 12))
        found = compute_losses(heads, targets, PLAIN, "max", bounded_spread=bounded)
        return float(found["pif.vector"])

    raw = [-3.0, -10.0, -30.0]
    logs = [4 * math.tanh(s / 4) for s in raw] if bounded else raw
    for off, distance in ((0.0, 1e-6), (0.5, 0.5)):  # distances are at least 1e-6
        expected = [distance * math.exp(-s) + s + math.log(2) for s in logs]
        assert [loss(s, off) for s in raw] == pytest.approx(expected, rel=1e-3, abs=1e-3)
    # float32 has no exp(100): the divergence guard sees it
    assert math.isfinite(loss(-100.0, 0.5)) is bounded


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_one_category_an_image_is_read_from_all_of_it(pool):
    """Every garment in view learns from the whole image, none of the padding; one out of view does not."""
    xy = [[[20, 20], *[[30, 40]] * 7], [[70, 20], *[[80, 40]] * 7], [[200, 200], *[[230, 240]] * 7]]
    corners = [[-0.5, -0.5], [95.5, -0.5], [95.5, 47.5], [-0.5, 47.5]]  # the rest is padding
    garments = batch(xy, [[2] * 8] * 3, content=corners)
    shape = (12, 12)
    targets = encode_targets(garments, SCHEMA, TargetOptions(), shape, 8, category_region="image")
    assert targets.category.tolist() == [[0, 1, -1]]
    assert targets.garment_cells[0, :, :6].all()
    assert not targets.garment_cells[0, :, 6:].any()
    logits = torch.randn(1, 15, *shape, generator=torch.Generator().manual_seed(0))
    logits[:, :, 6:] = 50 * torch.rand(1, 15, 6, 12)
    inside = logits[0, :, :6].flatten(1)
    pooled = inside.amax(1) if pool == "max" else inside.mean(1)
    expected = -pooled.log_softmax(0)[:2].mean()
    torch.testing.assert_close(category_loss(logits, targets, pool), expected)
    own = encode_targets(garments, SCHEMA, TargetOptions(), shape, 8)
    assert own.garment_cells[0, 0].sum() == 8
    assert not torch.isclose(category_loss(logits, own, pool), expected)


@pytest.mark.parametrize("vector", ["laplace", "smooth_l1"])
@pytest.mark.parametrize(("confidence", "channels"), [("focal", 5), ("smooth_l1", 6)])
def test_losses_fall_when_trained_on_their_targets(vector, confidence, channels):
    targets = encode_targets(random_garments(0), SCHEMA, TargetOptions(), (12, 12), 8)
    torch.manual_seed(0)
    heads = Heads(*(torch.zeros(1, n, c, 12, 12, requires_grad=True) for n, c in ((8, channels), (11, 9))),
                  torch.zeros(1, 15, 12, 12, requires_grad=True))  # fmt: skip
    optimiser = torch.optim.Adam(list(heads), lr=0.1)
    options = PLAIN.model_copy(update={"vector": vector, "confidence": confidence})
    history = []
    for _ in range(150):
        losses = compute_losses(heads, targets, options, "max")
        total = sum(losses.values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        history.append({k: float(v.detach()) for k, v in losses.items()})
    for name in history[0]:
        assert history[-1][name] < 0.5 * history[0][name] or history[-1][name] < 0.05, name
    positive = targets.pif.confidence[0] * targets.pif.weight[0] > 0
    vectors = on_cells(targets.pif, targets.pif.points[0].vector)[0].movedim(-1, 1)
    error = (heads.pif.detach()[0, :, 1:3] - vectors).norm(dim=1)[positive]
    assert float(error.max()) < 0.3
    assert ("pif.visible" in history[0]) == (channels == 6)


def test_visibility_is_learned_where_a_landmark_is_labelled():
    """Hidden and visible from the cells that point at each; what is not labelled says nothing."""
    garments = random_garments(0)
    targets = encode_targets(garments, SCHEMA, TargetOptions(), (12, 12), 8)
    image, landmark, y, x = targets.pif.cells.unbind(1)
    at = torch.stack([x, y], 1) + targets.pif.points[0].vector
    apart = (((garments.xy[0] + 0.5) / 8 - 0.5)[:, landmark] - at).norm(dim=-1)
    labels = garments.visibility[0][:, landmark]
    nearest = apart.masked_fill(labels == 0, torch.inf).argmin(0)
    expected = torch.where(labels[nearest, torch.arange(len(at))] == 2, 1.0, 0.0)
    assert torch.equal(targets.pif.visible, expected)
    assert 0 < expected.mean() < 1
    heads = Heads(
        torch.randn(1, 8, 6, 12, 12), torch.zeros(1, 11, 9, 12, 12), torch.zeros(1, 15, 12, 12)
    )
    logits = heads.pif[image, landmark, 5, y, x]
    loss = compute_losses(heads, targets, PLAIN, "max")["pif.visible"]
    likelihood = torch.where(expected == 1, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(loss, -likelihood.log().mean())


def test_weights_scale_components_and_ignored_cells_do_not_count():
    targets = encode_targets(random_garments(1), SCHEMA, TargetOptions(), (12, 12), 8)
    heads = Heads(
        torch.randn(1, 8, 5, 12, 12), torch.randn(1, 11, 9, 12, 12), torch.randn(1, 15, 12, 12)
    )
    plain = compute_losses(heads, targets, PLAIN, "max")
    twice = PLAIN.model_copy(update={"weights": PLAIN.weights | {"pif.vector": 2.0}})
    doubled = compute_losses(heads, targets, twice, "max")
    torch.testing.assert_close(doubled["pif.vector"], 2 * plain["pif.vector"])
    ignored = (targets.pif.weight == 0)[:, :, None]
    assert ignored.any()
    other = Heads(heads.pif + 5.0 * ignored, heads.paf, heads.category)
    again = compute_losses(other, targets, PLAIN, "max")
    torch.testing.assert_close(again["pif.confidence"], plain["pif.confidence"])


def test_no_garment_means_no_category_loss_and_a_gradient_all_the_same():
    garments = random_garments(2)
    garments.valid[:] = False
    targets = encode_targets(garments, SCHEMA, TargetOptions(), (12, 12), 8)
    category = torch.randn(1, 15, 12, 12, requires_grad=True)
    heads = Heads(torch.randn(1, 8, 5, 12, 12), torch.randn(1, 11, 9, 12, 12), category)
    losses = compute_losses(heads, targets, PLAIN, "max")
    assert float(losses["category"]) == 0
    losses["category"].backward()
    assert float(category.grad.abs().max()) == 0
    assert float(losses["pif.vector"]) == 0
    assert float(losses["pif.confidence"]) > 0


def test_pooling_reads_only_the_garments_cells():
    logits = torch.zeros(2, 4, 4)
    logits[1, 0, 0] = 9.0
    logits[0, 3, 3] = 4.0
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[2:, 2:] = True
    assert pool_category(logits, mask, "max").tolist() == [4.0, 0.0]
    assert pool_category(logits, mask, "mean").tolist() == [1.0, 0.0]
    assert pool_category(logits, torch.zeros_like(mask), "max").tolist() == [4.0, 9.0]


def test_rare_categories_are_learned_as_if_they_were_common():
    """With the prior, the best logits of a category-blind image are equal, not log-frequencies."""
    rates = torch.tensor([0.9, 0.09, 0.01])
    labels = torch.tensor([0] * 90 + [1] * 9 + [2])
    garments = random_garments(1, n=1)
    targets = encode_targets(garments, SCHEMA, TargetOptions(), (12, 12), 8)
    everywhere = torch.ones(100, 1, 12, 12, dtype=torch.bool)
    targets = targets._replace(garment_cells=everywhere, category=labels[:, None])
    for prior, expected in ((0.0, rates.log()), (1.0, torch.zeros(3)), (0.5, 0.5 * rates.log())):
        logits = torch.zeros(3, requires_grad=True)
        optimiser = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")

        def closure(logits=logits, optimiser=optimiser, prior=prior):
            optimiser.zero_grad()
            field = logits[None, :, None, None].expand(100, 3, 12, 12)
            loss = category_loss(field, targets, "mean", shift=prior * rates.log())
            loss.backward()
            return loss

        optimiser.step(closure)
        found = logits.detach() - logits.detach().mean()
        torch.testing.assert_close(found, expected - expected.mean(), atol=1e-2, rtol=0)


def test_the_prior_comes_in_by_its_option_only():
    torch.manual_seed(0)
    heads = Heads(torch.randn(1, 8, 5, 12, 12), torch.randn(1, 11, 9, 12, 12),
                  torch.randn(1, 15, 12, 12))  # fmt: skip
    targets = encode_targets(random_garments(1), SCHEMA, TargetOptions(), (12, 12), 8)
    rates = torch.rand(15)
    rates /= rates.sum()
    options = PLAIN.model_copy(update={"category_prior": 0.5, "label_smoothing": 0.1})
    plain = compute_losses(heads, targets, PLAIN, "mean", rates)["category"]
    without = compute_losses(heads, targets, PLAIN, "mean")["category"]
    adjusted = compute_losses(heads, targets, options, "mean", rates)["category"]
    assert plain == without
    assert adjusted == category_loss(heads.category, targets, "mean", 0.1, 0.5 * rates.log())
    assert adjusted != plain
    with pytest.raises(ValueError, match="needs category_rates"):
        compute_losses(heads, targets, options, "mean")


def test_smoothing_spreads_evenly_over_what_is_read():
    """Of an image that shows a common category, all others are equally unlikely, however rare."""
    rates = torch.tensor([0.995, 0.004, 0.001])
    targets = encode_targets(random_garments(1, n=1), SCHEMA, TargetOptions(), (12, 12), 8)
    for label in range(3):
        one = targets._replace(
            garment_cells=torch.ones(1, 1, 12, 12, dtype=torch.bool),
            category=torch.tensor([[label]]),
        )
        logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [logits], max_iter=500, tolerance_grad=1e-12, tolerance_change=0,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure(logits=logits, optimiser=optimiser, one=one):
            optimiser.zero_grad()
            field = logits[None, :, None, None].expand(1, 3, 12, 12)
            loss = category_loss(field, one, "mean", 0.1, rates.double().log())
            loss.backward()
            return loss

        optimiser.step(closure)
        read = logits.detach().softmax(0)
        others = [read[c] for c in range(3) if c != label]
        assert others[0] == pytest.approx(float(others[1]), rel=0.05)
        assert read[label] > 8 * others[0]
    # Without a prior it is the usual label smoothing.
    field = torch.randn(1, 15, 12, 12)
    pooled = pool_category(field[[0] * 3], targets.garment_cells[0], "mean")[:1]
    usual = torch.nn.functional.cross_entropy(pooled, torch.tensor([4]), label_smoothing=0.1)
    one = targets._replace(category=torch.tensor([[4]]))
    torch.testing.assert_close(category_loss(field, one, "mean", 0.1), usual)


def test_a_teachers_share_moves_the_target_from_the_label_to_what_it_says():
    """The best logits read as the mean of both; the teacher's cells may be of another size."""
    rates = torch.tensor([0.9, 0.09, 0.01], dtype=torch.float64)
    targets = encode_targets(random_garments(1, n=1), SCHEMA, TargetOptions(), (12, 12), 8)
    targets = targets._replace(
        garment_cells=torch.ones(1, 1, 12, 12, dtype=torch.bool), category=torch.tensor([[0]])
    )
    says = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    theirs = says.log()[None, :, None, None].expand(1, 3, 6, 6)
    for share in (0.0, 0.5, 1.0):
        for shift in (torch.zeros_like(rates), rates.log()):
            logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
            optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

            def closure(logits=logits, optimiser=optimiser, shift=shift, share=share):
                optimiser.zero_grad()
                field = logits[None, :, None, None].expand(1, 3, 12, 12)
                loss = category_loss(field, targets, "mean", 0.1, shift, Teacher(theirs, share))
                loss.backward()
                return loss

            optimiser.step(closure)
            learned = (logits.detach() + shift).softmax(0)
            label = 0.9 * torch.eye(3, dtype=torch.float64)[0] + 0.1 * shift.softmax(0)
            expected = (1 - share) * label + share * (says.log() + shift).softmax(0)
            torch.testing.assert_close(learned, expected, atol=1e-3, rtol=0)
            if share == 1:  # a model that says the same as its teacher has nothing to learn
                torch.testing.assert_close(logits.detach().softmax(0), says, atol=3e-3, rtol=0)


def test_a_teacher_is_read_from_the_garments_own_cells():
    torch.manual_seed(0)
    targets = encode_targets(random_garments(1), SCHEMA, TargetOptions(), (12, 12), 8)
    ours, theirs = torch.randn(1, 15, 12, 12), torch.randn(1, 15, 12, 12)
    alone = category_loss(ours, targets, "mean")
    none = category_loss(ours, targets, "mean", teacher=Teacher(theirs, 0.0))
    taught = category_loss(ours, targets, "mean", teacher=Teacher(theirs, 0.7))
    torch.testing.assert_close(none, alone)
    assert taught != alone
    outside = ~targets.garment_cells[0, targets.category[0] >= 0].any(0)
    assert outside.any()
    other = theirs.clone()
    other[:, 3] += 5.0 * outside  # one category only: what all have more of tells them nothing
    torch.testing.assert_close(
        category_loss(ours, targets, "mean", teacher=Teacher(other, 0.7)), taught
    )
    other[:, 3] += 5.0 * ~outside
    assert category_loss(ours, targets, "mean", teacher=Teacher(other, 0.7)) != taught


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_losses_of_parts_add_up_to_those_of_the_whole(share):
    """With the counts of all parts; images without garments and without labels are among them."""
    torch.manual_seed(0)
    images = [random_garments(seed, n=2) for seed in range(5)]
    images[1].valid[:] = False
    images[3].visibility[:] = 0
    images[4].category[:] = -1
    whole = GarmentBatch(*(torch.cat([getattr(i, f) for i in images]) for f in vars(images[0])))
    rates = torch.rand(15)
    raw = [torch.randn(5, n, c, 12, 12) for n, c in ((8, 5), (11, 9))] + [
        torch.randn(5, 15, 12, 12)
    ]
    says = torch.randn(5, 15, 12, 12)
    options = LossOptions()

    def encoded(rows):
        garments = GarmentBatch(*(getattr(whole, f)[rows] for f in vars(whole)))
        return encode_targets(garments, SCHEMA, TargetOptions(), (12, 12), 8)

    def losses(rows, normalisers):
        heads = Heads(*(part[rows].clone().requires_grad_() for part in raw))
        teacher = Teacher(says[rows], share) if share else None
        found = compute_losses(heads, encoded(rows), options, "mean", rates, teacher, normalisers)
        sum(found.values()).backward()
        return {k: v.detach() for k, v in found.items()}, [part.grad for part in heads]

    parts = [slice(0, 2), slice(2, 5)]
    total = sum((Normalisers.of(encoded(rows)) for rows in parts), Normalisers())
    assert total == Normalisers.of(encoded(slice(0, 5)))
    assert total.garments == 6
    assert total.pif > 50
    expected, gradients = losses(slice(0, 5), None)
    found = [losses(rows, total) for rows in parts]
    for name, value in expected.items():
        torch.testing.assert_close(sum(part[name] for part, _ in found), value)
    for i, gradient in enumerate(gradients):
        torch.testing.assert_close(torch.cat([part[i] for _, part in found]), gradient)


def test_a_garment_whose_category_the_teacher_lacks_is_learned_from_its_label_alone():
    torch.manual_seed(0)
    targets = encode_targets(random_garments(1), SCHEMA, TargetOptions(), (12, 12), 8)
    ours, theirs = torch.randn(1, 15, 12, 12), torch.randn(1, 15, 12, 12)
    alone = category_loss(ours, targets, "mean")
    taught = category_loss(ours, targets, "mean", teacher=Teacher(theirs, 0.7))
    every, none = torch.ones(15, dtype=torch.bool), torch.zeros(15, dtype=torch.bool)
    for known, expected in ((every, taught), (none, alone)):
        loss = category_loss(ours, targets, "mean", teacher=Teacher(theirs, 0.7, known))
        torch.testing.assert_close(loss, expected)
    real = targets.category[targets.category >= 0]
    lacks = every.clone()
    lacks[real[0]] = False
    some = category_loss(ours, targets, "mean", teacher=Teacher(theirs, 0.7, lacks))
    weights = torch.tensor([float(c != real[0]) for c in real])
    parts = []
    for index in torch.nonzero(targets.category[0] >= 0).flatten().tolist():
        only = torch.full_like(targets.category, -1)
        only[0, index] = targets.category[0, index]
        one = targets._replace(category=only)
        teacher = Teacher(theirs, 0.7) if weights[len(parts)] else None
        parts.append(category_loss(ours, one, "mean", teacher=teacher))
    torch.testing.assert_close(some, torch.stack(parts).mean())

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_fashion.engine.decode import (
    PUBLISHED,
    DecodedGarment,
    DecoderOptions,
    decode_fields,
)
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema
from synthetic_fields import EDGES, FULL, LOWER, SHAPE, UPPER, Scene, row_of_garments

SCHEMA = Schema.load("garments")

GARMENTS = Schema.load("garments")
ONE = SHAPE * [16, 24] + [10.3, 8.6]
COMPLETE = DecoderOptions(force_complete=True)
SINGLE = DecoderOptions(single_instance=True)


def changed(options: DecoderOptions, **values: object) -> DecoderOptions:
    return DecoderOptions(**{**options.model_dump(), **values})


def moved(dx: float, dy: float) -> np.ndarray:
    return np.add(ONE, (dx, dy))


def pair_up(
    found: list[DecodedGarment], truth: list[tuple[np.ndarray, tuple[int, ...]]]
) -> list[float]:
    """Check that garments and truth are one to one; return the distances, cells."""
    assert len(found) == len(truth)
    left = list(found)
    distances: list[float] = []
    for xy, have in truth:
        have = list(have)
        best = min(left, key=lambda g: np.abs(g.xy[have] - xy[have]).sum())
        left = [g for g in left if g is not best]
        assert np.flatnonzero(best.scores).tolist() == sorted(have)
        distances += np.hypot(*(best.xy[have] - xy[have]).T).tolist()
    return distances


# -- what is there is found ----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("cells", [49, 65])
def test_exact_fields_give_the_garments_exactly(n, cells) -> None:
    truth = row_of_garments(n, cells, seed=n)
    scene = Scene(cells, cells, background=0.08)
    for xy, have in truth:
        scene.garment(xy, have)
    found = decode_fields(scene.fields(), GARMENTS)
    assert max(pair_up(found, truth)) < 0.1
    assert [g.score for g in found] == sorted((g.score for g in found), reverse=True)
    assert all(0 < g.score <= 1 for g in found)
    assert all(np.allclose(g.spread[g.scores > 0], 0.3) for g in found)
    assert all((g.xy[g.scores == 0] == 0).all() for g in found)


def test_noise_averages_out() -> None:
    truth = row_of_garments(9, 97)
    scene = Scene(97, 97, background=0.08, noise=0.2, seed=3)
    for xy, have in truth:
        scene.garment(xy, have, size=2.0)
    distances = pair_up(decode_fields(scene.fields(), GARMENTS), truth)
    # 16 cells a landmark: 0.2 / sqrt(16) an axis.
    assert np.mean(distances) < 0.1
    assert max(distances) < 0.3


@pytest.mark.parametrize("missing", range(8))
def test_a_missing_landmark_takes_none_with_it_that_hangs_elsewhere(missing) -> None:
    have = tuple(k for k in FULL if k != missing)
    # A sleeve hangs on its collar alone.
    joined = tuple(k for k in have if (missing, k) not in {(0, 2), (1, 3)})
    scene = Scene(41, 41)
    scene.garment(ONE, have)
    pair_up(decode_fields(scene.fields(), GARMENTS), [(ONE, joined)])


def test_an_upper_garment_is_one_piece() -> None:
    assert GARMENTS.edges == EDGES
    scene = Scene(41, 41)
    scene.garment(ONE, UPPER)
    pair_up(decode_fields(scene.fields(), GARMENTS), [(ONE, UPPER)])


def test_without_the_hem_edges_it_falls_apart() -> None:
    schema = GARMENTS.with_skeleton("B")
    scene = Scene(41, 41, edges=schema.edges)
    scene.garment(ONE, UPPER)
    found = decode_fields(scene.fields(), schema)
    assert sorted(np.flatnonzero(g.scores).tolist() for g in found) == [[0, 1, 2, 3], [6, 7]]


def test_overlapping_garments_stay_apart() -> None:
    shifted = moved(5, 2)
    scene = Scene(49, 49)
    scene.garment(ONE)
    scene.garment(shifted)
    assert max(pair_up(decode_fields(scene.fields(), GARMENTS), [(ONE, FULL), (shifted, FULL)])) < 1


def test_a_top_over_trousers() -> None:
    trousers = moved(0, 9)
    scene = Scene(49, 49)
    scene.garment(ONE, UPPER)
    scene.garment(trousers, LOWER)
    pair_up(decode_fields(scene.fields(), GARMENTS), [(ONE, UPPER), (trousers, LOWER)])


def test_lone_landmarks_are_no_garments() -> None:
    scene = Scene(65, 65, background=0.08)
    scene.garment(ONE, UPPER)
    scene.landmark(4, [50.2, 50.3])
    scene.landmark(2, [55.0, 12.0], c=1.0)
    scene.edge(7, np.array([40.0, 40.0]), np.array([48.0, 40.0]))  # a PAF with no landmarks
    pair_up(decode_fields(scene.fields(), GARMENTS), [(ONE, UPPER)])


def test_a_connection_that_does_not_lead_back_is_refused() -> None:
    scene = Scene(61, 61)
    scene.garment(ONE, LOWER)
    # Landmark 1 of the left garment is claimed from landmark 0, but its own edge leads elsewhere.
    scene.landmark(0, [10.0, 40.0])
    scene.landmark(1, [20.0, 40.0])
    scene.landmark(0, [30.0, 40.0])
    scene.edge(0, np.array([30.0, 40.0]), np.array([20.0, 40.0]), c=0.95)
    cell = (0, 52, 10)  # one cell says that (10, 40) leads to (20, 40) too
    scene.arrays["paf_confidence"][cell] = 0.8
    scene.arrays["paf_xy1"][0, :, 52, 10] = 10.0, 40.0
    scene.arrays["paf_xy2"][0, :, 52, 10] = 20.0, 40.0
    found = decode_fields(scene.fields(), GARMENTS)
    collars = next(g for g in found if g.scores[1] > 0)
    assert collars.xy[0] == pytest.approx([30, 40], abs=0.1)


def test_the_reference_cases(reference_dir) -> None:
    """Every garment of the reference decoder is found once, landmarks within half a cell."""
    for path in sorted(reference_dir.glob("case_*.npz")):
        case = np.load(path)
        grid = case["pif_confidence"].shape[1:]
        stride = float(case["stride"])
        fields = Fields(
            pif_confidence=case["pif_confidence"],
            pif_xy=case["pif_xy"],
            pif_spread=case["pif_sigma"],
            pif_size=case["pif_sigma"],
            paf_confidence=case["paf_confidence"],
            paf_xy1=case["paf_xy1"],
            paf_xy2=case["paf_xy2"],
            paf_spread1=case["paf_sigma1"],
            paf_spread2=case["paf_sigma2"],
            category=np.zeros((15, *grid)),
            edges=tuple((int(a) - 1, int(b) - 1) for a, b in case["skeleton"]),
            scale=(stride, stride),
        )
        instances = case["instances"].astype(float)
        truth = [(i[:, :2] / stride, tuple(np.flatnonzero(i[:, 2]))) for i in instances]
        distances = pair_up(decode_fields(fields, GARMENTS, PUBLISHED), truth)
        assert max(distances) < 0.5, path.name


# -- shapes and values at the edge ---------------------------------------------------------------


def test_empty_fields_have_no_garments() -> None:
    assert decode_fields(Scene(9, 9).fields(), GARMENTS) == []
    assert decode_fields(Scene(9, 9).fields(), GARMENTS, COMPLETE) == []
    assert decode_fields(Scene(0, 0).fields(), GARMENTS) == []


@pytest.mark.parametrize(("height", "width"), [(30, 70), (70, 30), (1, 1), (1, 40)])
def test_any_grid(height, width) -> None:
    scene = Scene(height, width)
    if height > 1:
        xy = SHAPE * [16, 24] + [width - 18, height - 26]
        scene.garment(xy)
        pair_up(decode_fields(scene.fields(), GARMENTS), [(xy, FULL)])
    else:
        scene.arrays["pif_confidence"][:] = 1
        decode_fields(
            scene.fields(), GARMENTS, DecoderOptions(single_instance=True, force_complete=True)
        )


def test_one_landmark_and_no_edges() -> None:
    scene = Scene(20, 30, k=1, edges=())
    scene.landmark(0, [7.25, 8.5])
    scene.landmark(0, [21.0, 11.75])
    found = decode_fields(scene.fields())
    assert sorted(g.xy[0].tolist() for g in found) == [
        pytest.approx([7.25, 8.5], abs=0.05),
        pytest.approx([21.0, 11.75], abs=0.05),
    ]


def test_294_landmarks_are_scored_over_the_category_s() -> None:
    """Two perfect garments of 25 and 8 landmarks: over all 294 they would score under 0.1."""
    sets = [range(25), range(182, 190), range(25, 182), range(190, 294)]
    edges = [(s[i], s[i + 1]) for s in sets for i in range(len(s) - 1)]
    scene = Scene(65, 65, k=294, edges=edges)
    xy = np.zeros((294, 2))
    turn = np.linspace(0, 2 * np.pi, 25, endpoint=False)
    xy[:25] = np.stack([17 + 12 * np.cos(turn), 20 + 14 * np.sin(turn)], 1)
    xy[182:190] = np.stack([np.tile([45, 57], 4), np.repeat([20, 28, 36, 44], 2)], 1)
    scene.garment(xy, sets[0])
    scene.garment(xy, sets[1])
    found = decode_fields(scene.fields(), landmark_sets=sets)
    assert max(pair_up(found, [(xy, tuple(sets[0])), (xy, tuple(sets[1]))])) < 0.1
    assert min(g.score for g in found) > 0.5
    assert decode_fields(scene.fields()) == []  # scored over all of them


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_cells_that_are_not_finite_do_not_count(value) -> None:
    scene = Scene(41, 41)
    scene.garment(ONE)
    clean = decode_fields(scene.fields(), GARMENTS)
    for name, array in scene.arrays.items():
        array[:, ..., :4, :] = value
        array[:, ..., -4:, :] = value
        if name.endswith("confidence"):
            array[..., 20, 1] = value
    for options in (None, COMPLETE, SINGLE, changed(COMPLETE, single_instance=True)):
        found = decode_fields(scene.fields(), GARMENTS, options)
        assert len(found) == 1
        assert found[0].xy == pytest.approx(clean[0].xy, abs=0.02)
        assert np.isfinite(found[0].scores).all()
        assert np.isfinite(found[0].spread).all()
    scene.arrays["pif_confidence"][:] = value
    assert decode_fields(scene.fields(), GARMENTS) == []


def test_positions_that_are_not_finite_do_not_count() -> None:
    scene = Scene(41, 41)
    scene.garment(ONE)
    for name in ("pif_xy", "pif_size", "paf_xy1", "paf_spread2"):
        array = scene.arrays[name]
        random = np.random.default_rng(1)
        holes = random.random((array.shape[0], *array.shape[-2:])) < 0.1
        for a in array.reshape(array.shape[0], -1, *array.shape[-2:]).swapaxes(0, 1):
            a[holes] = np.nan
    for options in (None, COMPLETE, changed(COMPLETE, single_instance=True)):
        assert max(pair_up(decode_fields(scene.fields(), GARMENTS, options), [(ONE, FULL)])) < 0.1


def test_the_schema_must_fit() -> None:
    fields = Scene(5, 5, k=3, edges=()).fields()
    with pytest.raises(ValueError, match="3 landmarks"):
        decode_fields(fields, GARMENTS)
    with pytest.raises(ValueError, match="landmark_sets"):
        decode_fields(fields, landmark_sets=[[0, 3]])


@pytest.mark.parametrize("change", [{"pif_threshold": 1.5}, {"min_landmarks": 0}])
def test_options_are_checked(change) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        DecoderOptions(**change)


def test_one_call_leaves_nothing_for_the_next() -> None:
    """The map's memory is used again: for this grid, another one, and in other threads."""
    first, second = Scene(41, 41), Scene(41, 41, noise=0.1)
    first.garment(ONE)
    second.garment(moved(9, 3), LOWER)
    alone = [decode_fields(s.fields(), GARMENTS)[0].xy for s in (first, second)]
    other = Scene(33, 57).fields()
    with ThreadPoolExecutor(4) as pool:
        jobs = [f for _ in range(10) for f in (first.fields(), other, second.fields())]
        results = list(pool.map(lambda f: decode_fields(f, GARMENTS), jobs))
    for i in range(0, 30, 3):
        assert len(results[i]) == len(results[i + 2]) == 1
        assert (results[i][0].xy == alone[0]).all()
        assert results[i + 1] == []
        assert (results[i + 2][0].xy == alone[1]).all()


# -- every landmark, one garment -----------------------------------------------------------------


def test_complete_places_every_landmark_below_the_threshold() -> None:
    scene = Scene(41, 41, background=0.02)
    scene.garment(ONE, FULL)
    for k in (2, 7):  # there, but so faint that greedy decoding passes them over
        scene.landmark(k, ONE[k], c=0.08)
    plain = decode_fields(scene.fields(), GARMENTS)
    pair_up(plain, [(ONE, (0, 1, 3, 4, 5, 6))])
    (found,) = decode_fields(scene.fields(), GARMENTS, COMPLETE)
    assert found.score == plain[0].score
    assert (found.scores > 0).all()
    assert (found.scores[[2, 7]] < COMPLETE.landmark_threshold).all()
    assert np.hypot(*(found.xy - ONE).T).max() < 0.1


def test_complete_falls_back_to_the_map_and_then_to_the_region() -> None:
    scene = Scene(41, 41)
    scene.garment(ONE, (0, 1, 4, 5, 6, 7))
    scene.landmark(2, ONE[2], c=0.2)  # no edge leads to it
    (found,) = decode_fields(scene.fields(), GARMENTS, COMPLETE)
    assert found.xy[2] == pytest.approx(ONE[2], abs=0.1)
    have = ONE[[0, 1, 4, 5, 6, 7]]
    assert found.xy[3] == pytest.approx((have.min(0) + have.max(0)) / 2, abs=0.1)  # nothing at all
    assert 0 < found.scores[3] < found.scores[2] < COMPLETE.landmark_threshold


def test_single_is_one_garment_even_of_nothing() -> None:
    (found,) = decode_fields(Scene(9, 9).fields(), GARMENTS, SINGLE)
    assert (found.scores == 0).all()
    assert found.score == 0
    (found,) = decode_fields(Scene(9, 9).fields(), GARMENTS, changed(SINGLE, force_complete=True))
    assert (found.scores > 0).all()
    assert found.xy == pytest.approx(np.full((8, 2), 4.0))


def test_single_joins_the_pieces_of_one_garment() -> None:
    scene = Scene(41, 41)
    scene.garment(ONE)
    scene.arrays["paf_confidence"][:] = 0
    pair_up(decode_fields(scene.fields(), GARMENTS, SINGLE), [(ONE, FULL)])


def test_single_lets_the_paf_decide_between_rivals() -> None:
    scene = Scene(61, 61)
    scene.garment(ONE, c=0.7)
    scene.landmark(2, ONE[3], c=0.75)  # the right sleeve looks a little more like a left one
    (found,) = decode_fields(scene.fields(), GARMENTS, SINGLE)
    assert found.xy[2] == pytest.approx(ONE[2], abs=0.1)
    scene.arrays["paf_confidence"][:] = 0
    (found,) = decode_fields(scene.fields(), GARMENTS, SINGLE)
    assert found.xy[2] == pytest.approx(ONE[3], abs=0.1)


@pytest.mark.parametrize(
    ("corner", "cells"), [((-0.4, -0.4), 4), ((8.5, -0.4), 8), ((8.5, 6.5), 16)]
)
def test_a_landmark_at_the_border_is_as_sure_as_its_cells(corner, cells) -> None:
    """At a corner of the image only 4 of the 16 cells around a landmark exist."""
    scene = Scene(12, 18)
    sure = scene.arrays["pif_confidence"]
    x, y = np.meshgrid(np.arange(18), np.arange(12))
    near = (abs(x - corner[0]) < 2) & (abs(y - corner[1]) < 2)
    sure[6][near] = 0.5
    assert near.sum() == cells
    scene.arrays["pif_xy"][6, :, near] = corner
    # What the PAF says leads elsewhere, to where nothing is seen.
    scene.landmark(7, (14, 9))
    for options in (
        DecoderOptions(single_instance=True),
        DecoderOptions(single_instance=True, force_complete=True),
    ):
        (garment,) = decode_fields(scene.fields(), SCHEMA, options)
        assert garment.xy[6] == pytest.approx(corner, abs=0.1)
        assert 0.3 < garment.scores[6] <= 0.85
    many = DecoderOptions(seed_threshold=0.3, min_landmarks=1, garment_threshold=0)
    found = decode_fields(scene.fields(), SCHEMA, many)
    (xy,) = [g.xy[6] for g in found if g.scores[6] > 0]
    assert xy == pytest.approx(corner, abs=0.1)


def test_sharp_cells_place_a_landmark_more_than_blurred_ones() -> None:
    scene = Scene(12, 18)
    scene.landmark(0, (6, 6), c=0.8, size=4)
    blurred = scene.arrays["pif_spread"]
    scene.arrays["pif_xy"][0, 0, :, 7:9] += 0.5
    blurred[0, :, 7:9] = 0.6
    options = DecoderOptions(single_instance=True, force_complete=True)
    (garment,) = decode_fields(scene.fields(), SCHEMA, options)
    assert 6.03 < garment.xy[0, 0] < 6.15  # weights 1 / 0.09 to 1 / 0.36; alike it would be 6.25
    blurred[0] = 0.3
    (garment,) = decode_fields(scene.fields(), SCHEMA, options)
    assert garment.xy[0, 0] > 6.2


def test_what_is_seen_faintly_is_a_better_place_than_what_is_made_up() -> None:
    scene = Scene(12, 18)
    for k, xy in enumerate([(5, 2), (9, 2), (3, 5), (11, 5)]):
        scene.landmark(k, xy)
    scene.landmark(6, (5, 9), c=0.05)
    edge = EDGES.index((0, 6))  # a little surer, and wrong
    scene.arrays["paf_confidence"][edge, 1:4, 4:7] = 0.5
    scene.arrays["paf_xy1"][edge, :, 1:4, 4:7] = np.array([5, 2])[:, None, None]
    scene.arrays["paf_xy2"][edge, :, 1:4, 4:7] = np.array([14, 10])[:, None, None]
    (garment,) = decode_fields(
        scene.fields(), SCHEMA, DecoderOptions(single_instance=True, force_complete=True)
    )
    assert garment.xy[6] == pytest.approx((5, 9), abs=0.2)
    assert 0 < garment.scores[6] < DecoderOptions().landmark_threshold
    (garment,) = decode_fields(scene.fields(), SCHEMA, DecoderOptions(single_instance=True))
    assert garment.scores[6] == 0

"""How many planted mistakes stand among the garments that are most in doubt (`coco.suspects`).

    python training/planted_errors.py photos:train
    python training/planted_errors.py people:train

In 2 % of the garments of a data set, in turns, left and right are exchanged, a landmark is moved by 10 %
of the diagonal of the garment's box, or the category is another one. Printed is how many of each kind are
among the 5 % that are most in doubt, by each of the three doubts and by all together.
"""

from __future__ import annotations

import argparse

import numpy as np

from napari_fashion.coco import columns
from napari_fashion.coco.placed import Placed, placed_landmarks
from napari_fashion.coco.suspects import judge
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source

KINDS = ("swap", "shift", "category")


def main() -> None:
    """Plant mistakes, judge, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", help="photos:train, people:train or a COCO file")
    parser.add_argument("--planted", type=float, default=0.02, help="share of the garments")
    parser.add_argument("--looked-at", type=float, default=0.05, help="share of the garments")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = open_source(Source(file=options.data))
    found = columns(dataset)
    placed, category = placed_landmarks(dataset, found), found.category.copy()
    n = len(category)
    enough = np.bincount(placed.garment, minlength=n) >= 4
    random = np.random.default_rng(options.seed)
    rows = random.permutation(np.flatnonzero(enough & (category >= 0)))[: int(options.planted * n)]
    kinds = np.arange(len(rows)) % len(KINDS)
    xy, landmark = placed.xy.copy(), placed.landmark.copy()
    flips, known = np.array(dataset.schema.flips), np.unique(category[category >= 0])
    for kind, row in zip(kinds, rows, strict=True):
        at = np.flatnonzero(placed.garment == row)
        if KINDS[kind] == "swap":
            landmark[at] = flips[landmark[at]]
        elif KINDS[kind] == "shift":
            angle = random.uniform(0, 2 * np.pi)
            step = 0.1 * np.hypot(*np.ptp(xy[at], axis=0))
            xy[random.choice(at)] += step * np.array([np.cos(angle), np.sin(angle)])
        else:
            category[row] = random.choice(known[known != category[row]])
    judged = judge(
        Placed(placed.garment, landmark, xy, placed.visibility), category, dataset.schema
    )
    print(f"{n} garments, {len(rows)} mistakes; among the first {options.looked_at:.0%}:")
    for name in ("outlier", "swap", "category", "doubt"):
        values = np.nan_to_num(getattr(judged, name), nan=-np.inf)
        first = np.argsort(-values, kind="stable")[: int(options.looked_at * n)]
        hits = np.isin(rows, first)
        each = [f"{KINDS[k]} {hits[kinds == k].sum()} of {(kinds == k).sum()}" for k in range(3)]
        print(f"  by {name:9}{hits.sum():3} of {len(rows)}: {', '.join(each)}")


if __name__ == "__main__":
    main()

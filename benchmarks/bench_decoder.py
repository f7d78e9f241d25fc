"""Median time to decode one image beside OpenPifPaf, by mode, grid size and number of garments.

    python benchmarks/bench_decoder.py
    python benchmarks/bench_decoder.py --reference-python /path/to/env/bin/python

With a Python that has OpenPifPaf 0.13 its C++ decoder decodes the same fields in the same run, turn by
turn with ours, so that both see the same load of the machine. One thread each, CPU time of the thread.
Printed are our milliseconds and, as ratios, ours over OpenPifPaf's: greedy over its greedy decoding,
complete over its force_complete_pose, single (with and without force_complete) over its greedy decoding.
The second table compares 294 landmarks and 13 body types with 8 landmarks.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from rich.console import Console
from rich.table import Table

from napari_fashion.engine.decode import PUBLISHED, DecoderOptions, decode_fields, prepare
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema
from synthetic_fields import Scene, row_of_garments

CELLS = (65, 129)
GARMENTS = (1, 4, 9, 16)
BODY_TYPES = (25, 33, 31, 39, 15, 15, 10, 14, 8, 29, 37, 19, 19)
"""Landmarks of each of 13 body types of their own, as in DeepFashion2: 294 in all."""
MODES = {
    "greedy": {},
    "complete": {"force_complete": True},
    "single": {"single_instance": True},
    "single, complete": {"single_instance": True, "force_complete": True},
}
OTHERS = {
    "greedy": "greedy",
    "complete": "complete",
    "single": "greedy",
    "single, complete": "greedy",
}
"""The mode of OpenPifPaf that each of ours is compared with."""

# Runs in the other Python; reads a path, a mode and a number a line, answers with milliseconds.
REFERENCE = """
import argparse, statistics, sys, time
import numpy as np, openpifpaf, torch
torch.set_num_threads(1)
parser = argparse.ArgumentParser()
openpifpaf.decoder.cli(parser)
arguments = {mode: parser.parse_args(flags) for mode, flags in
             {"greedy": [], "complete": ["--force-complete-pose"]}.items()}
def stack(z, names):
    planes = [z[n] if z[n].ndim == 4 else z[n][:, None] for n in names]
    return torch.from_numpy(np.concatenate([np.ones_like(planes[0]), *planes], 1).astype(np.float32))
for line in sys.stdin:
    path, mode, repeats = line.rstrip("\\n").rsplit(" ", 2)
    z = np.load(path)
    k = z["pif_confidence"].shape[0]
    edges = [tuple(e) for e in z["edges"].tolist()]
    common = dict(keypoints=[str(i) for i in range(k)], sigmas=[0.1] * k, pose=np.ones((k, 3)))
    pif = openpifpaf.headmeta.Cif("pif", "d", draw_skeleton=edges, **common)
    paf = openpifpaf.headmeta.Caf("paf", "d", skeleton=edges, **common)
    for i, meta in enumerate((pif, paf)):
        meta.head_index, meta.base_stride, meta.upsample_stride = i, 8, 1
    openpifpaf.decoder.configure(arguments[mode])
    decoder = openpifpaf.decoder.CifCaf([pif], [paf])
    fields = [
        stack(z, ["pif_confidence", "pif_xy", "pif_size"]),
        stack(z, ["paf_confidence", "paf_xy1", "paf_xy2", "paf_spread1", "paf_spread2"]),
    ]
    times = []
    for _ in range(int(repeats)):
        start = time.thread_time()
        found = decoder(fields)
        times.append(time.thread_time() - start)
    print("RESULT", 1e3 * statistics.median(times), len(found), flush=True)
"""


class Reference:
    """OpenPifPaf in another Python."""

    def __init__(self, python: str, folder: Path) -> None:
        self.path = folder / "fields.npz"
        self.process = subprocess.Popen(
            [python, "-c", REFERENCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def take(self, fields: Fields) -> None:
        names = (
            "pif_confidence", "pif_xy", "pif_size",
            "paf_confidence", "paf_xy1", "paf_xy2", "paf_spread1", "paf_spread2",
        )  # fmt: skip
        arrays = {name: getattr(fields, name) for name in names}
        np.savez(self.path, edges=np.array(fields.edges) + 1, **arrays)

    def median_ms(self, mode: str, repeats: int) -> tuple[float, int]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.path} {mode} {repeats}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("RESULT"):
                _, milliseconds, found = line.split()
                return float(milliseconds), int(found)
        raise SystemExit("The reference Python stopped; is openpifpaf installed in it?")

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def scene(cells: int, n: int) -> Fields:
    """Paint n garments of realistic noise."""
    painted = Scene(cells, cells, noise=0.12, background=0.08, seed=n)
    for xy, have in row_of_garments(n, cells, seed=n):
        width, height = np.ptp(xy, axis=0)
        painted.garment(xy, have, c=0.8, paf=0.75, size=0.11 * float(np.sqrt(width * height)))
    return painted.fields()


def many_landmarks(cells: int, n: int) -> tuple[Fields, list[range]]:
    """Paint n garments of 13 body types of 294 landmarks, each a ring; return the body types too."""
    ends = np.cumsum((0, *BODY_TYPES))
    sets = [range(a, b) for a, b in itertools.pairwise(ends.tolist())]
    edges = [(s[i], s[(i + 1) % len(s)]) for s in sets for i in range(len(s))]
    painted = Scene(cells, cells, k=int(ends[-1]), edges=edges, noise=0.12, seed=n)
    xy = np.zeros((int(ends[-1]), 2))
    for corners, (box, _) in zip(
        itertools.cycle(sets), row_of_garments(n, cells, seed=n), strict=False
    ):
        turn = np.linspace(0, 2 * np.pi, len(corners), endpoint=False)
        ring = np.stack([np.cos(turn), np.sin(turn)], 1) / 2 + 0.5
        xy[list(corners)] = box.min(0) + ring * np.ptp(box, axis=0)
        painted.garment(xy, corners, c=0.8, paf=0.75, size=2.0)
    return painted.fields(), sets


def median_ms(
    fields: Fields, options: DecoderOptions, sets: Sequence[range], repeats: int
) -> float:
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        decode_fields(fields, options=options, landmark_sets=sets)
        times.append(time.thread_time() - start)
    return 1e3 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument(
        "--turns", type=int, default=3, help="number of turns; their median is shown"
    )
    parser.add_argument("--reference-python", help="a Python that can import openpifpaf")
    arguments = parser.parse_args()

    modes = {name: PUBLISHED.model_copy(update=mode) for name, mode in MODES.items()}
    start = time.process_time()
    for options in modes.values():
        prepare(options)
    first_call = time.process_time() - start
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as folder:
        reference = None
        if arguments.reference_python:
            reference = Reference(arguments.reference_python, Path(folder))
        console.print(_by_garments(modes, reference, arguments.repeats, arguments.turns))
        if reference is not None:
            reference.end()
    console.print(_by_landmarks(modes, arguments.repeats))
    console.print(f"First calls, compiled or read from the cache: {first_call:.2f} CPU-s")


def _by_garments(
    modes: dict[str, DecoderOptions], reference: Reference | None, repeats: int, turns: int
) -> Table:
    table = Table(title="Milliseconds an image, in brackets the ratio to OpenPifPaf's")
    for title in ("cells", "garments", "found", *modes):
        table.add_column(title, justify="right")
    if reference is not None:
        for title in ("OpenPifPaf", "found", "complete"):
            table.add_column(title, justify="right")
    sets = [members for _, members in Schema.load("garments").body_types]
    for cells, n in itertools.product(CELLS, GARMENTS):
        fields = scene(cells, n)
        if reference is not None:
            reference.take(fields)
        ours: dict[str, list[float]] = {name: [] for name in modes}
        theirs: dict[str, list[float]] = {"greedy": [], "complete": []}
        others_found = 0
        for _ in range(turns):
            for name, options in modes.items():
                ours[name].append(median_ms(fields, options, sets, repeats))
            if reference is not None:
                for mode, times in theirs.items():
                    milliseconds, others_found = reference.median_ms(mode, repeats)
                    times.append(milliseconds)
        found = len(decode_fields(fields, options=modes["greedy"], landmark_sets=sets))
        row = [str(cells), str(n), str(found)]
        for name, times in ours.items():
            text = f"{statistics.median(times):.2f}"
            if reference is not None:
                ratios = [a / b for a, b in zip(times, theirs[OTHERS[name]], strict=True)]
                text += f" ({statistics.median(ratios):.2f})"
            row.append(text)
        if reference is not None:
            row += [f"{statistics.median(theirs['greedy']):.2f}", str(others_found)]
            row.append(f"{statistics.median(theirs['complete']):.2f}")
        table.add_row(*row)
    return table


def _by_landmarks(modes: dict[str, DecoderOptions], repeats: int) -> Table:
    table = Table(title="Milliseconds for 294 landmarks and 13 body types, and for 8 landmarks")
    for title in ("cells", "garments", *modes):
        table.add_column(title, justify="right")
    eight = [members for _, members in Schema.load("garments").body_types]
    for cells, n in itertools.product((65,), (1, 4)):
        many, sets = many_landmarks(cells, n)
        few = scene(cells, n)
        row = [str(cells), str(n)]
        for options in modes.values():
            decode_fields(many, options=options, landmark_sets=sets)
            times = (
                median_ms(many, options, sets, repeats),
                median_ms(few, options, eight, repeats),
            )
            row.append(" / ".join(f"{milliseconds:.2f}" for milliseconds in times))
        table.add_row(*row)
    return table


if __name__ == "__main__":
    main()

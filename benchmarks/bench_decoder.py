"""Median time to decode one image, by grid size and number of garments.

    python benchmarks/bench_decoder.py
    python benchmarks/bench_decoder.py --reference-python /path/to/env/bin/python

With a Python that has OpenPifPaf 0.13 the same fields are decoded there too, in the same run,
turn by turn, so that both see the same load of the machine. One thread each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from rich.console import Console
from rich.table import Table

from napari_fashion.engine.decode import DecoderOptions, decode_fields
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema
from synthetic_fields import Scene, row_of_garments

CELLS = (65, 129)
GARMENTS = (1, 4, 9, 16)

# Runs in the other Python; reads a path a line, answers with median milliseconds and garments.
REFERENCE = """
import statistics, sys, time
import numpy as np, openpifpaf, torch
torch.set_num_threads(1)
for line in sys.stdin:
    path, repeats = line.rstrip("\\n").rsplit(" ", 1)
    z = np.load(path)
    k = z["pif_confidence"].shape[0]
    edges = [tuple(e) for e in z["edges"].tolist()]
    common = dict(keypoints=[str(i) for i in range(k)], sigmas=[0.1] * k, pose=np.ones((k, 3)))
    pif = openpifpaf.headmeta.Cif("pif", "d", draw_skeleton=edges, **common)
    paf = openpifpaf.headmeta.Caf("paf", "d", skeleton=edges, **common)
    for i, meta in enumerate((pif, paf)):
        meta.head_index, meta.base_stride, meta.upsample_stride = i, 8, 1
    decoder = openpifpaf.decoder.CifCaf([pif], [paf])
    def stack(names):
        planes = [z[n] if z[n].ndim == 4 else z[n][:, None] for n in names]
        ones = np.ones_like(planes[0])
        return torch.from_numpy(np.concatenate([ones, *planes], 1).astype(np.float32))
    fields = [
        stack(["pif_confidence", "pif_xy", "pif_size"]),
        stack(["paf_confidence", "paf_xy1", "paf_xy2", "paf_spread1", "paf_spread2"]),
    ]
    times = []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        found = decoder(fields)
        times.append(time.perf_counter() - start)
    print("RESULT", 1e3 * statistics.median(times), len(found), flush=True)
"""


def scene(cells: int, n: int) -> Fields:
    """Paint n garments of realistic noise."""
    painted = Scene(cells, cells, noise=0.12, background=0.08, seed=n)
    for xy, have in row_of_garments(n, cells, seed=n):
        width, height = np.ptp(xy, axis=0)
        painted.garment(xy, have, c=0.8, paf=0.75, size=0.11 * float(np.sqrt(width * height)))
    return painted.fields()


def median_ms(fields: Fields, schema: Schema, options: DecoderOptions, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        decode_fields(fields, schema, options)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def ask(process: subprocess.Popen[str], path: Path, repeats: int) -> tuple[str, str]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path} {repeats}\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("RESULT"):
            _, milliseconds, found = line.split()
            return f"{float(milliseconds):.2f}", found
    raise SystemExit("The reference Python stopped; is openpifpaf installed in it?")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--reference-python", help="a Python that can import openpifpaf")
    arguments = parser.parse_args()

    schema = Schema.load("garments")
    modes = {
        "greedy": DecoderOptions(),
        "complete": DecoderOptions(force_complete=True),
        "single": DecoderOptions(single_instance=True, force_complete=True),
    }
    table = Table(title=f"Milliseconds an image, median of {arguments.repeats}")
    for title in ("cells", "garments", "found", *modes):
        table.add_column(title, justify="right")
    reference = None
    if arguments.reference_python:
        table.add_column("OpenPifPaf", justify="right")
        table.add_column("found", justify="right")
        reference = subprocess.Popen(
            [arguments.reference_python, "-c", REFERENCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    start = time.perf_counter()
    for options in modes.values():
        decode_fields(scene(33, 1), schema, options)
    first_call = time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:
        for cells in CELLS:
            for n in GARMENTS:
                fields = scene(cells, n)
                row = [str(cells), str(n), str(len(decode_fields(fields, schema)))]
                row += [
                    f"{median_ms(fields, schema, options, arguments.repeats):.2f}"
                    for options in modes.values()
                ]
                if reference is not None:
                    path = Path(folder) / "fields.npz"
                    names = (
                        "pif_confidence", "pif_xy", "pif_size",
                        "paf_confidence", "paf_xy1", "paf_xy2", "paf_spread1", "paf_spread2",
                    )  # fmt: skip
                    np.savez(
                        path,
                        edges=np.array(fields.edges) + 1,
                        **{name: getattr(fields, name) for name in names},
                    )
                    row += ask(reference, path, arguments.repeats)
                table.add_row(*row)
    if reference is not None:
        assert reference.stdin is not None
        reference.stdin.close()
        reference.wait()
    console = Console()
    console.print(table)
    console.print(f"First calls, compiled or read from the cache: {first_call:.2f} s")


if __name__ == "__main__":
    main()

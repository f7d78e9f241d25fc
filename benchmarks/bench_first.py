"""CPU time of the first prediction of an installation, in which numba compiles the decoder.

    python benchmarks/bench_first.py

Runs ``napari-fashion predict`` on one rendered image in new processes: with an empty cache of numba, and
again with what the first one kept. Everything counts: imports, loading the model, the prediction.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_fashion.datasets import procedural


def main() -> None:
    """Measure and print both."""
    with TemporaryDirectory() as folder:
        image = next(procedural.write_dataset(Path(folder, "made"), 1, 0).parent.rglob("*.jpg"))
        cache = Path(folder, "cache")
        for title in ("empty cache", "compiled before"):
            out = Path(folder, f"{title}.json")
            seconds, said = predict(image, out, cache)
            print(f"{title}: {seconds:.1f} CPU-s{', said: ' + said if said else ''}")


def predict(image: Path, out: Path, cache: Path) -> tuple[float, str]:
    """Predict in a new process; return its CPU seconds and what it said of compiling."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "napari_fashion", "predict", str(image), "--out", str(out)]
    result = subprocess.run(
        [*command, "--device", "cpu", "--threads", "1"],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    lines = (result.stdout + result.stderr).splitlines()
    return seconds, next((line for line in lines if "ompiling" in line), "")


if __name__ == "__main__":
    main()

"""Time and peak memory of a conversion of DeepFashion-C's size, in a process of its own.

    python benchmarks/bench_convert.py [--count 289222] [--attributes 0] [--processes N] [--folder DIR]

Writes a data set of that size (`tests/data/formats/big.py`: grey JPEG files, hard links), converts it
with the command, compares a sample of each document, and prints seconds, CPU time, peak memory of the
largest process and of all together, and the machine's load before and after. The data set stays in
--folder, where one is given, and is used again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

TOOLS = Path(__file__).resolve().parents[1] / "tests" / "data" / "formats"
SECONDS, MEGABYTES = 60, 1000
"""What the conversion of 289,222 images may take."""


def peak_of(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Return the highest resident memory in MB of the largest of a process and its children, and of all."""
    most = together = 0.0
    first = psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            family = [first, *first.children(recursive=True)]
            found = [member.memory_info().rss / 1e6 for member in family]
            most, together = max([most, *found]), max(together, sum(found))
        time.sleep(0.1)
    return most, together


def cpu_seconds() -> float:
    """Return the CPU time of all processes that have ended and that this one waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(folder: Path, count: int, attributes: int, processes: int | None) -> int:
    """Convert and print; return the exit status."""
    target = folder / f"big-{count}-{attributes}"
    if not (target / "sample.json").is_file():
        command = [sys.executable, str(TOOLS / "big.py"), str(target), "--count", str(count)]
        subprocess.run([*command, "--attributes", str(attributes)], check=True)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        command = [
            sys.executable,
            "-m",
            "napari_fashion",
            "convert",
            "deepfashion-c",
            str(target / "data"),
        ]
        command += ["--out", out] + ([] if processes is None else ["--processes", str(processes)])
        before, began, used = os.getloadavg()[0], time.perf_counter(), cpu_seconds()
        process = subprocess.Popen(command)
        most, together = peak_of(process)
        seconds, used = time.perf_counter() - began, cpu_seconds() - used
        if process.returncode:
            return process.returncode
        same = [
            subprocess.run([sys.executable, str(TOOLS / "compare.py"), str(target / f"sample-{part}.json"),
                            f"{out}/{part}.json", "--subset", "--all"], check=False).returncode
            for part in ("train", "val", "test")
        ]  # fmt: skip
    print(
        f"{count:,} images, {attributes:,} attributes: {seconds:.1f} s ({SECONDS} s allowed for 289,222), "
        f"{used:.1f} s of CPU time, "
        f"largest process {most:.0f} MB ({MEGABYTES} MB allowed), all together {together:.0f} MB; load "
        f"{before:.1f} before, {os.getloadavg()[0]:.1f} after; {os.cpu_count()} cores"
    )
    return int(any(same) or (count <= 289_222 and (seconds > SECONDS or most > MEGABYTES)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=289_222)
    parser.add_argument("--attributes", type=int, default=0)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        return measure(options.folder, options.count, options.attributes, options.processes)
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), options.count, options.attributes, options.processes)


if __name__ == "__main__":
    raise SystemExit(main())

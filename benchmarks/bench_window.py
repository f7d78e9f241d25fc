"""The window by real key and mouse events, from the event to pixels; two checkouts in one run.

    scripts/with-display --virtual .venv/bin/python benchmarks/bench_window.py [--against FOLDER]

FOLDER is another checkout (`git worktree add FOLDER COMMIT`), whose own source runs in a window of its
own; both take turns. Printed are median and 95th percentile in milliseconds, and the ratios of this
checkout to the other one. With software rendering only ratios of one run say something.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_fashion.datasets.procedural import write_dataset

HERE = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).with_name("window_worker.py")
FEW, MANY = "8 landmarks", "294 landmarks"


class Worker:
    """The window of a checkout, in a process, with its own copy of the data."""

    def __init__(self, checkout: Path, data: str, copy: str) -> None:
        self._data, self._copy = data, copy
        path = os.pathsep.join([str(checkout / "src"), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._answer()

    def do(self, *scenario: Any) -> dict[str, list[float]]:
        assert self._process.stdin is not None
        order = json.dumps(scenario).replace(self._data, self._copy)
        print(order, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, list[float]]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"The window ended with status {self._process.wait()}.")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def scenarios(folder: Path, steps: int, only: set[str]) -> list[tuple[str, list[Any]]]:
    """Return what is done in each round: what it is called in the table, and the worker's order."""
    files: dict[str, str] = {}

    def file(name: str, **options: Any) -> str:
        if name not in files:
            path = write_dataset(folder / name, steps + 1, 11, scenes=0, empty=0, **options)
            files[name] = str(path)
        return files[name]

    plans = {
        "step": lambda: ["step", file("few"), 0.15, steps],
        "pif": lambda: ["fields", file("few"), ["pif", "vectors"], 0.15, steps],
        "paf": lambda: ["fields", file("few"), ["paf"], 0.15, steps],
        "large": lambda: ["step", str(enlarged(folder, Path(file("few")))), 0.8, steps],
        "drag": lambda: ["drags", file("few"), steps],
        "select": lambda: ["select", file("few"), steps],
        "step294": lambda: ["step", file("many", landmarks="deepfashion2"), 0.15, steps],
        "select294": lambda: ["select", file("many", landmarks="deepfashion2"), steps],
    }
    titles = {
        "step": "next image, 400 px",
        "pif": "next image, PIF and vectors",
        "paf": "next image, PAF",
        "large": "next image, 12 megapixels",
        "drag": "drag release",
        "select": "next landmark",
        "step294": "next image, 294 landmarks",
        "select294": "next landmark, of 294",
    }
    return [(titles[k], plan()) for k, plan in plans.items() if not only or k in only]


def enlarged(folder: Path, file: Path, by: float = 7.5) -> Path:
    """Return a data set with the same images, enlarged to 12 megapixels."""
    target = folder / "large.json"
    if target.exists():
        return target
    document = json.loads(file.read_text())
    (folder / "images").mkdir()
    for record in document["images"]:
        name = Path(record["file_name"]).name
        with Image.open(next(file.parent.rglob(name))) as image:
            larger = image.resize([round(side * by) for side in image.size])
        larger.save(folder / "images" / name, quality=90)
        record |= {"file_name": name, "width": larger.width, "height": larger.height}
    for record in document["annotations"]:
        points = record["keypoints"]
        points[::3], points[1::3] = ([by * v for v in points[i::3]] for i in (0, 1))
        record["bbox"] = [by * v for v in record["bbox"]]
    target.write_text(json.dumps(document))
    return target


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument("--steps", type=int, default=8, help="steps of each kind in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="scenarios, by commas")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    checkouts = {"this": HERE} | ({"other": options.against} if options.against else {})
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder  # what is opened is nobody's recent work
        data = Path(folder) / "data"
        data.mkdir()
        plans = scenarios(data, options.steps, set(filter(None, options.only.split(","))))
        workers = {}
        for name, path in checkouts.items():  # a file is locked by the window that has it open
            copy = shutil.copytree(data, Path(folder) / name)
            workers[name] = Worker(path, str(data), str(copy))
        found: dict[str, dict[str, list[float]]] = {title: {} for title, _ in plans}
        for turn in range(options.rounds + 1):
            for title, plan in plans:
                for name, worker in workers.items():
                    seconds = [s for some in worker.do(*plan).values() for s in some]
                    if turn:  # the first round is a warm-up
                        found[title].setdefault(name, []).extend(seconds)
        for worker in workers.values():
            worker.close()
    report(found, as_json=options.json)


def report(found: dict[str, dict[str, list[float]]], *, as_json: bool) -> None:
    """Print medians and 95th percentiles in milliseconds, and the ratios."""
    rows = {
        title: {
            name: [1000 * float(np.percentile(times, q)) for q in (50, 95)]
            for name, times in by.items()
        }
        for title, by in found.items()
    }
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'':<32}{'ms':>8}{'p95':>8}{'other':>9}{'p95':>8}{'ratio':>8}{'p95':>7}")
    for title, by in rows.items():
        line = f"{title:<32}" + "".join(f"{ms:8.0f}" for ms in by["this"])
        if "other" in by:
            line += f" {by['other'][0]:8.0f}{by['other'][1]:8.0f}"
            line += "".join(f"{a / b:8.2f}" for a, b in zip(by["this"], by["other"], strict=True))
        print(line)


if __name__ == "__main__":
    main()

"""Open, save and edit large COCO files: time and memory, as ratios within one run.

    python benchmarks/bench_dataset.py [--images 50000] [--repeats 5] [--json out.json]

Opening is compared with pycocotools, saving with a plain write of the same bytes. The contenders take
turns, so that a busy machine slows all of them alike; times are medians. Every measurement runs in a
process of its own (`measure_dataset`). The files are generated once, into --folder, and saving works on
copies of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure_dataset import (
    EDITS,
    Figures,
    generate,
    measure,
    measure_counts,
    measure_edits,
    measure_open,
    measure_save,
    measure_size,
)

if TYPE_CHECKING:
    from rich.console import Console

# Nothing that takes memory is imported at the top: a process inherits the peak memory of the one that
# started it.

IMAGES = 289_222  # as DeepFashion has
SIZES = (1_000, 10_000, 100_000, 300_000)
FOLDER = Path(__file__).resolve().parents[1] / "runs" / "bench"


def opening(console: Console, file: Path, images: int, repeats: int) -> Figures:
    """Compare opening with pycocotools."""
    contenders = ("pycocotools", "Dataset.load", "open_editor")
    runs: dict[str, list[Figures]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):  # the first is a warm-up
        for name in contenders:
            figures = measure(measure_open, name, file)
            assert figures["count"] == images
            if turn:
                runs[name].append(figures)
    for name in ("columns", "statistics"):
        runs[name] = [measure(measure_counts, name, file) for _ in range(min(repeats, 3))]
    table = new_table(
        f"Open {images:,} images, {file.stat().st_size / 1e6:.0f} MB, and count them",
        "", "seconds", "ratio", "peak MiB", "ratio", "less imports", "ratio",
    )  # fmt: skip
    whole = runs["pycocotools"]
    for name, found in runs.items():
        row = []
        for value in (seconds_of, peak_of, added_of):
            median = statistics.median(map(value, found))
            ratio = median / statistics.median(map(value, whole))
            row += [f"{median:.3g}" if value is seconds_of else f"{median:,.0f}", f"{ratio:.2f}"]
        if name in ("columns", "statistics"):
            name = f"{name}(dataset) of an open one"
        table.add_row(name, *row)
    console.print(table)
    console.print(
        "open_editor: the schema, Dataset.load, the lock, the search for a journal, the editor. The "
        "memory of columns and statistics is with the open data set.\n"
    )
    return runs


def seconds_of(figures: Figures) -> float:
    return float(figures["seconds"])


def peak_of(figures: Figures) -> float:
    return float(figures["peak"])


def added_of(figures: Figures) -> float:
    return float(figures["peak"] - figures["baseline"])


def saving(console: Console, file: Path, images: int, repeats: int) -> Figures:
    """Compare saving with a plain write."""
    figures = measure(measure_save, file, repeats)
    title = f"Save {images:,} images after {EDITS} edits"
    table = new_table(title, "", "seconds", "ratio", "of all")
    plain = statistics.median(figures["plain"])
    for name, what in (
        ("plain", "write the same bytes to a new file, fsync"),
        ("first", "editor.save(), the first"),
        ("later", "editor.save(), a later one"),
        ("hash", "of these: SHA-256 of the bytes once"),
    ):
        median = statistics.median(figures[name])
        low, high = min(figures[name]), max(figures[name])
        table.add_row(what, f"{median:.3g}", f"{median / plain:.2f}", f"{low:.3g} to {high:.3g}")
    console.print(table)
    console.print(
        f"Each save hashes the {figures['size']:.0f} MiB while it writes them; a later one also hashes the "
        "file first, to see whether another program changed it. The first save takes "
        f"{figures['memory']:.0f} MiB more than the open data set.\n"
    )
    return figures


def scaling(console: Console, files: dict[int, Path], repeats: int) -> Figures:
    """Show what grows with the number of images."""
    found = {n: measure(measure_size, file, repeats) for n, file in files.items()}
    table = new_table(
        f"By number of images (opening and saving after {EDITS} edits in s, one edit in ms)",
        "images", "open", "per 100k", "save", "per 100k",
        "edit", "95 %", "first", "undo", "95 %",
    )  # fmt: skip
    for n, figures in found.items():
        row = []
        for name in ("open", "save"):
            median = statistics.median(figures[name])
            row += [f"{median:.3f}", f"{median * 1e5 / n:.2f}"]
        row += [
            ms(figures["edit"]),
            ms(figures["edit"], 0.95),
            f"{1e3 * figures['first edit']:.2f}",
        ]
        row += [ms(figures["undo"]), ms(figures["undo"], 0.95)]
        table.add_row(f"{n:,}", *row)
    console.print(table)
    console.print(
        "Opening and saving are to be linear: the same for each 100k images, but for the small files, "
        "where a save mostly waits for the disk. An edit is to be flat; the first one after opening also "
        "finds out how the file is laid out.\n"
    )
    return {str(n): figures for n, figures in found.items()}


def landmarks(console: Console, files: dict[tuple[int, str], Path]) -> Figures:
    """Compare 294 landmarks with 8."""
    found = {key: measure(measure_edits, file) for key, file in files.items()}
    table = new_table(
        "By number of landmarks (ms)",
        "landmarks", "pixels", "edit", "95 %", "undo", "redraw", "again", "parse", "parsed",
    )  # fmt: skip
    for (n, kind), figures in found.items():
        names = ("undo", "redraw", "redraw again", "parse")
        table.add_row(
            str(n),
            kind,
            ms(figures["edit"]),
            ms(figures["edit"], 0.95),
            *(ms(figures[name]) for name in names),
            f"{figures['parses']:.0f} time",
        )
    for kind in dict.fromkeys(kind for _, kind in files):
        few, many = found[8, kind], found[294, kind]
        ratios = [
            f"{value(many[name]) / value(few[name]):.1f}"
            for name, value in (
                ("edit", statistics.median),
                ("edit", high),
                ("undo", statistics.median),
                ("redraw", statistics.median),
                ("redraw again", statistics.median),
                ("parse", statistics.median),
            )
        ]
        table.add_row("ratio", kind, *ratios, "")
    console.print(table)
    console.print(
        "redraw: place, visibility, source and score of each landmark of one garment, asked for one by "
        "one; first with decoding the record, then again. parse: its keypoints alone. parsed: how often "
        "that happens in the two redraws together."
    )
    return {f"{n}, {kind}": figures for (n, kind), figures in found.items()}


def ms(seconds: list[float], quantile: float = 0.5) -> str:
    value = high(seconds) if quantile > 0.5 else statistics.median(seconds)
    return f"{1e3 * value:.2f}"


def high(seconds: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def new_table(title: str, *columns: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--images",
        type=int,
        default=IMAGES,
        help="of the file that is opened and saved; much larger files are left out below as well",
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are kept")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()

    began = time.perf_counter()
    sizes = [n for n in SIZES if n <= 1.1 * options.images] or [options.images]
    kinds = [(n, kind) for kind in ("whole", "decimals") for n in (8, 294)]
    file = generated(options.folder, options.images)
    by_size = {n: generated(options.folder, n) for n in sizes}
    by_landmarks = {(n, kind): generated(options.folder, 2_000, n, kind) for n, kind in kinds}

    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=100)
    few = min(options.repeats, 3)
    figures = {
        "open": opening(console, file, options.images, options.repeats),
        "save": saving(console, file, options.images, options.repeats),
        "scaling": scaling(console, by_size, few),
        "landmarks": landmarks(console, by_landmarks),
    }
    console.print(f"All of it took {time.perf_counter() - began:.0f} s.")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def generated(folder: Path, images: int, landmarks: int = 8, kind: str = "whole") -> Path:
    """Return a generated file. Another process writes it: this one is to stay small."""
    return Path(measure(generate, folder, images, landmarks, kind)["file"])


if __name__ == "__main__":
    main()

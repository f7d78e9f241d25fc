"""Open, save and edit large COCO files: time and memory, as ratios within one run.

    python benchmarks/bench_dataset.py [--images 50000] [--repeats 5] [--json out.json]

Opening is compared with pycocotools, saving with a plain write of the same bytes. The contenders take
turns, so that a busy machine slows all of them alike; times are medians. Every measurement runs in a
process of its own. The files are generated once, into --folder, and saving works on copies of them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from napari_fashion.editing.editor import Editor

# Nothing that takes memory is imported up here: the measuring processes begin here too, and a process
# inherits the peak memory of the one that started it.

IMAGES = 289_222  # as DeepFashion has
SIZES = (1_000, 10_000, 100_000, 300_000)
EDITS = 100
SINGLE_EDITS = 200
SETTLED = 2.2
"""Seconds after which the time stamps of a file tell for sure whether it was changed."""
FOLDER = Path(__file__).resolve().parents[1] / "runs" / "bench"

Figures = dict[str, Any]


# -- in a process of its own -----------------------------------------------------------------------


def peak_mib() -> float:
    """Return the most memory that this process has had at one time."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = what()
    return time.perf_counter() - began, result


def measure_open(contender: str, file: str) -> Figures:
    """Open a file once."""
    if contender == "pycocotools":
        from pycocotools.coco import COCO

        before = peak_mib()
        with contextlib.redirect_stdout(io.StringIO()):
            seconds, coco = timed(lambda: COCO(file))
        count = len(coco.imgs)
    elif contender == "Dataset.load":
        from napari_fashion.coco import Dataset

        before = peak_mib()
        seconds, dataset = timed(lambda: Dataset.load(file))
        count = len(dataset.images)
    else:
        from napari_fashion.editing.opening import open_editor
        from napari_fashion.schema import Schema

        before = peak_mib()
        seconds, opening = timed(lambda: open_editor(file, schema=Schema.load("garments")))
        count = opening.editor.n_images
        opening.editor.let_go()
    peak = peak_mib()
    return {"seconds": seconds, "peak": peak, "baseline": before, "count": count}


def measure_counts(what: str, file: str) -> Figures:
    """Make the columns, or the statistics, of a data set that is open."""
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.statistics import columns
    from napari_fashion.coco.statistics import statistics as counts

    before = peak_mib()
    dataset = Dataset.load(file)
    opened = peak_mib()
    function = {"columns": columns, "statistics": counts}[what]
    seconds, _ = timed(lambda: function(dataset))
    return {"seconds": seconds, "peak": peak_mib(), "baseline": before, "opened": opened}


def measure_save(file: str, repeats: int) -> Figures:
    """Save after edits, and write the same bytes plainly, in turn.

    The first save after opening trusts the file's time stamps. A later one reads and hashes the file to
    see whether another program changed it: it was written just before, and the stamps of a file that is
    so fresh prove nothing.
    """
    figures: Figures = {name: [] for name in ("plain", "first", "later", "hash")}
    with copy_of(Path(file)) as copy:
        new = copy.with_name("plain.json")
        turn = itertools.count(1)
        for _ in range(repeats + 1):
            settle(copy)
            editor = open_for_edits(copy)
            opened = peak_mib()
            for save in ("first", "later"):
                edit_spread(editor, EDITS, next(turn))
                figures[save].append(timed(editor.save)[0])
                figures.setdefault("memory", peak_mib() - opened)  # of the very first save
                writing, hashing = plain_write(new, copy.read_bytes())
                figures["plain"].append(writing)
                figures["hash"].append(hashing)
            figures["size"] = copy.stat().st_size / 2**20
            editor.let_go()
            del editor
    for name in ("plain", "first", "later", "hash"):  # the first round is a warm-up
        figures[name] = figures[name][len(figures[name]) // (repeats + 1) :]
    return figures


def measure_size(file: str, repeats: int) -> Figures:
    """Open, save after edits, single edits and undo, of a file of some size."""
    figures: Figures = {"open": [], "save": []}
    with copy_of(Path(file)) as copy:
        turn = itertools.count(1)
        for _ in range(repeats + 1):
            settle(copy)
            opening, editor = timed(lambda: open_for_edits(copy))
            edit_spread(editor, EDITS, next(turn))
            figures["open"].append(opening)
            figures["save"].append(timed(editor.save)[0])
            editor.let_go()
            del editor
        figures = {name: times[1:] for name, times in figures.items()}  # the first is a warm-up
        figures |= single_edits(copy)
    return figures


def measure_edits(file: str) -> Figures:
    """Edit single landmarks, and read all landmarks of an image as a redraw does."""
    with copy_of(Path(file)) as copy:
        return single_edits(copy) | redraw(copy)


def single_edits(file: Path) -> Figures:
    """Move one landmark of one garment at a time, with a line in the journal, and take it back."""
    editor = open_for_edits(file)
    ids = spread(editor, SINGLE_EDITS)
    edits, undos = [], []
    for key in ids:
        garment = editor.dataset.garment(key)
        editor.go_to_image(garment.image_id)
        editor.select(key)
        _ = garment.xy  # it is on the screen
        edits.append(timed(lambda: move(editor, key, 1))[0])  # noqa: B023
    assert len(editor.steps) == len(ids)
    for key in reversed(ids):
        editor.go_to_image(editor.dataset.garment(key).image_id)
        undos.append(timed(editor.undo)[0])
    assert not editor.dirty
    editor.let_go()
    return {"edit": edits[1:], "first edit": edits[0], "undo": undos}


def redraw(file: Path) -> Figures:
    """Read place, visibility, source and score of every landmark, one by one, twice an image."""
    from napari_fashion.coco import Dataset, views

    parses = 0
    parse = views.parse_keypoints

    def counted(*arguments: Any) -> Any:
        nonlocal parses
        parses += 1
        return parse(*arguments)

    views.parse_keypoints = counted
    dataset = Dataset.load(file)
    n = dataset.schema.n_landmarks
    first, again, once = [], [], []

    def read_all(image_id: Any) -> None:
        for garment in dataset.garments_of(image_id):
            for k in range(n):
                garment.xy[k], garment.visibility[k]
                garment.landmark_sources[k], garment.landmark_scores[k]

    images = dataset.images.ids[:SINGLE_EDITS]
    for image_id in images:
        first.append(timed(lambda: read_all(image_id))[0])  # noqa: B023
        again.append(timed(lambda: read_all(image_id))[0])  # noqa: B023
    parsed = parses / sum(len(dataset.garments_of(key)) for key in images)
    for garment in itertools.chain.from_iterable(map(dataset.garments_of, images)):
        flat = dataset.store.record("annotations", garment.id)["keypoints"]
        once.append(timed(lambda: parse(flat, n))[0])  # noqa: B023
    return {"redraw": first, "redraw again": again, "parse": once, "parses": parsed}


def open_for_edits(file: Path) -> Editor:
    from napari_fashion.editing.opening import open_editor
    from napari_fashion.schema import Schema

    editor = open_editor(file, schema=Schema.load("garments")).editor
    assert editor.holder is None
    return editor


def spread(editor: Editor, n: int) -> list[Any]:
    """Return the ids of garments all over the file."""
    ids = editor.dataset.garments.ids
    return [ids[i * len(ids) // n] for i in range(n)]


def edit_spread(editor: Editor, n: int, by: int) -> None:
    """Edit garments all over the file; a save follows, so no place is one that was saved before."""
    for key in spread(editor, n):
        move(editor, key, by)


def move(editor: Editor, key: Any, by: float) -> None:
    """Move the first landmark of a garment to the right, as dragging it does."""
    from napari_fashion.editing import operations

    garment = editor.dataset.garment(key)
    k = int(garment.visibility.argmax())
    x, y = garment.xy[k].tolist()
    editor.apply(operations.move_landmarks(editor.dataset, key, {k: (x + by, y)}))


@contextlib.contextmanager
def copy_of(file: Path) -> Any:
    """Yield a copy in a folder of its own beside the file, on the disk already."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix="work-") as folder:
        copy = Path(folder) / "garments.json"
        shutil.copyfile(file, copy)
        with copy.open("rb") as stream:
            os.fsync(stream.fileno())
        yield copy


def settle(file: Path) -> None:
    """Wait until the time stamps of a file are old enough to be trusted."""
    time.sleep(max(0.0, file.stat().st_ctime + SETTLED - time.time()))


def plain_write(file: Path, data: bytes) -> tuple[float, float]:
    """Return the seconds of writing a new file to the disk, and of hashing its bytes."""

    def write() -> None:
        with file.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    writing = timed(write)[0]
    file.unlink()
    return writing, timed(lambda: hashlib.sha256(data).digest())[0]


MEASUREMENTS: dict[str, Callable[..., Figures]] = {
    f.__name__: f for f in (measure_open, measure_counts, measure_save, measure_size, measure_edits)
}


def measure(function: Callable[..., Figures], *arguments: str | int | Path) -> Figures:
    """Run one of the functions above in a new process and return its figures."""
    given = json.dumps([a if isinstance(a, int) else str(a) for a in arguments])
    command = [sys.executable, __file__, "--measure", function.__name__, given]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Figures = json.loads(done.stdout)
    return figures


# -- the tables ------------------------------------------------------------------------------------


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
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(MEASUREMENTS[sys.argv[2]](*json.loads(sys.argv[3]))))
        return
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


def generate(folder: str, images: int, landmarks: int, kind: str) -> Figures:
    from big_coco import big_coco

    path = big_coco(Path(folder), images, landmarks, decimals=kind == "decimals")
    return {"file": str(path.resolve())}


MEASUREMENTS["generate"] = generate


if __name__ == "__main__":
    main()

"""The measurements of `bench_dataset`, each in a process of its own.

    python benchmarks/measure_dataset.py FUNCTION '[arguments in JSON]'

Nothing that takes memory is imported at the top: a process inherits the peak memory of the one that
started it, so both sides stay small.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_fashion.editing.editor import Editor

EDITS = 100
SINGLE_EDITS = 200
SETTLED = 2.2
"""Seconds after which the time stamps of a file tell for sure whether it was changed."""

Figures = dict[str, Any]


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


def generate(folder: str, images: int, landmarks: int, kind: str) -> Figures:
    from big_coco import big_coco

    path = big_coco(Path(folder), images, landmarks, decimals=kind == "decimals")
    return {"file": str(path.resolve())}


MEASUREMENTS: dict[str, Callable[..., Figures]] = {
    f.__name__: f
    for f in (measure_open, measure_counts, measure_save, measure_size, measure_edits, generate)
}


def measure(function: Callable[..., Figures], *arguments: str | int | Path) -> Figures:
    """Run one of the functions above in a new process and return its figures."""
    given = json.dumps([a if isinstance(a, int) else str(a) for a in arguments])
    command = [sys.executable, __file__, function.__name__, given]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Figures = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    print(json.dumps(MEASUREMENTS[sys.argv[1]](*json.loads(sys.argv[2]))))

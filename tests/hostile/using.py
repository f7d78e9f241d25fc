"""Using an input in every way that the package has; what comes out, and what became of the disk."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import io
import json
import os
import re
import resource
import shlex
import signal
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hostile.catalogue import Use

SECONDS = 60
"""Against hangs only: nothing here takes so long."""
ROOM = 3 << 30
"""What an input may take beyond what the process had before, bytes of address space."""
PEAK = 900 << 20
"""What an input may add to the greatest memory that the process ever held, bytes."""
MODEL = "MODEL"


# -- the disk ------------------------------------------------------------------------------------


def snapshot(folder: Path) -> dict[str, str]:
    """Return what is in a folder: kind, mode and bytes of everything, links not followed."""
    found: dict[str, str] = {}
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(where, name)
            status = os.lstat(path)
            text = f"{stat.S_IFMT(status.st_mode):o} {status.st_mode & 0o777:o}"
            if stat.S_ISLNK(status.st_mode):
                text += f" {os.readlink(path)}"
            elif stat.S_ISREG(status.st_mode) and status.st_size < 100 << 20:
                text += f" {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
            elif stat.S_ISREG(status.st_mode):
                text += f" {status.st_size} {status.st_mtime_ns}"
            found[os.path.relpath(path, folder)] = text
    return found


def what_changed(before: dict[str, str], after: dict[str, str], use: Use) -> list[str]:
    """Return what is wrong with what became of a folder."""
    wrong = [f"{name!r} is gone" for name in before.keys() - after.keys()]
    wrong += [f"{name!r} was changed" for name in before.keys() & after.keys()
              if before[name] != after[name]]  # fmt: skip
    new = after.keys() - before.keys()
    allowed = (*use.makes, *use.may_make)
    wrong += [f"{name!r} was left behind" for name in new
              if not any(fnmatch.fnmatch(name, glob) for glob in allowed)]  # fmt: skip
    wrong += [f"{glob!r} was not made" for glob in use.makes
              if not any(fnmatch.fnmatch(name, glob) for name in new)]  # fmt: skip
    return wrong


# -- one input -----------------------------------------------------------------------------------


def try_out(use: Use, folder: Path, model: Path) -> list[str]:
    """Use an input; return what is wrong, nothing where all is right."""
    before = snapshot(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    here = os.getcwd()
    environment = dict(os.environ)
    try:
        os.chdir(folder)
        status, said = WAYS[use.how](folder, model, **use.what)
    except Exception:
        return [f"an escape: {traceback.format_exc()[-2500:]}"]
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environment)
    wrong = what_changed(before, snapshot(folder), use)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - peak
    if more > PEAK:
        wrong.append(f"took {more >> 20} MiB more")
    if status not in use.status:
        wrong.append(f"status {status}; expected one of {use.status}")
    wrong += [f"does not say {text!r}" for text in use.says if not re.search(text, said, re.S)]
    wrong += [f"says {text!r}" for text in use.never if re.search(text, said, re.S)]
    if use.how in ("command", "process", "records", "image"):
        wrong += unfit(said)
    return [*wrong, f"it said: {said[:3000]}"] if wrong else []


def unfit(said: str) -> list[str]:
    """Return what nobody should read."""
    never = ("Traceback", "a fault of the program itself", "not enough memory", "out of memory", "object at 0x", "Exception ignored",
             "\x1b", "Warning:", "[Errno")  # fmt: skip
    wrong = [f"says {text!r}" for text in never if text in said]
    long = max((len(line) for line in said.splitlines() if not line.startswith("{")), default=0)
    if long > 2100:
        wrong.append(f"a line of {long} letters")
    return wrong


def is_sentence(text: str) -> list[str]:
    """Return what keeps a refusal from being a sentence that helps."""
    wrong = []
    if not text.rstrip().endswith((".", "?", ")")):
        wrong.append(f"no sentence: {text[-80:]!r}")
    words = ("expected", "Expected", "needs", "did you mean", "reads version")
    if not any(word in text for word in words):
        wrong.append(f"does not say what was expected: {text!r}")
    if "\n" in text:
        wrong.append(f"several lines: {text!r}")
    if len(text) > 1200:
        wrong.append(f"{len(text)} letters: {text[:200]!r}")
    return wrong


# -- commands ------------------------------------------------------------------------------------


def command(folder: Path, model: Path, arguments: list[str], stdin: bytes = b"") -> tuple[int, str]:
    """Run a command in this process; return its status and what it said."""
    from napari_fashion.cli import main

    streams = sys.stdin, sys.stdout, sys.stderr
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict")
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(stdin), "utf-8"), out, err
    try:
        status = main([str(model) if a == MODEL else a for a in arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
    told = [s.buffer.getvalue().decode("utf-8", "replace") for s in (out, err)]  # type: ignore[attr-defined]
    return status, "".join(told)


def process(folder: Path, model: Path, arguments: list[str], stdin: bytes, env: dict[str, str | None],
            shell: str, signals: list[Any]) -> tuple[int, str]:  # fmt: skip
    """Run a command in a process of its own; return its status and what it said."""
    environment = {**os.environ, **env}
    environment = {k: v for k, v in environment.items() if v is not None}
    line = [sys.executable, "-m", "napari_fashion"]
    line += [str(model) if a == MODEL else a for a in arguments]
    if shell:
        line = ["/bin/sh", "-c", f"exec {shlex.join(line)} {shell}"]
    output = folder.parent / f"{folder.name}.said"
    with output.open("wb") as said, subprocess.Popen(
        line, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said,
        preexec_fn=_bounded,
    ) as one:  # fmt: skip
        for when, number in signals:
            end = time.monotonic() + SECONDS / 2
            if isinstance(when, str):
                while when.encode() not in output.read_bytes() and one.poll() is None:
                    assert time.monotonic() < end, f"it never said {when!r}"
                    time.sleep(0.005)
            else:
                time.sleep(when)
            one.send_signal(number)
        try:
            one.communicate(stdin, timeout=SECONDS / 2)
        except subprocess.TimeoutExpired:
            one.kill()
            return -signal.SIGKILL, f"a hang; {output.read_text(errors='replace')}"
        except BrokenPipeError:
            one.wait(SECONDS / 2)
    return one.returncode, output.read_bytes().decode("utf-8", "replace")


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it


# -- images --------------------------------------------------------------------------------------


def image(folder: Path, model: Path, file: str, refused: bool) -> tuple[int, str]:
    """Read an image alone, in its folder beside a good one, and predict on the folder with drawings."""
    from napari_fashion.coco import Dataset
    from napari_fashion.errors import FashionError
    from napari_fashion.images import image_size, read_image
    from napari_fashion.schema import Schema

    said = []
    wrong: list[str] = []
    status = 0
    try:
        size = image_size(file)
        pixels = read_image(file)
        if pixels.shape != (size[1], size[0], 3) or pixels.dtype.name != "uint8":
            wrong.append(f"read as {pixels.shape} {pixels.dtype} of a size {size}")
        said.append(f"read: {size[0]} x {size[1]}, mean {pixels.mean():.0f}")
    except FashionError as error:
        status = 1
        said.append(str(error))
        wrong += is_sentence(str(error))
        if Path(file).name[:20] not in str(error):
            wrong.append(f"does not name the file: {error}")
    dataset = Dataset.from_folder(".", schema=Schema.load("garments"))
    for image in dataset.images:
        with contextlib.suppress(FashionError):
            read_image(image.path, size=image.known_size, exact=True)
    out = folder.parent / f"{folder.name}.out"
    line = ["predict", ".", "--out", str(out / "r.json"), "--overlays", str(out / "drawn")]
    ended, told = command(
        folder,
        model,
        [*line, "--model", MODEL, "--single-instance", "--force-complete", "--device", "cpu"],
    )
    said.append(told)
    if ended != 0:
        wrong.append(f"predict: status {ended}")
    else:
        found = len(json.loads((out / "r.json").read_text()))
        if found != 2 - status:
            wrong.append(f"predict found {found} garments")
        if status and Path(file).name[:20] not in told:
            wrong.append("predict does not name the image that it left out")
    assert not wrong, [*wrong, *said]
    return status, "\n".join(said)


# -- records -------------------------------------------------------------------------------------


def records(folder: Path, model: Path, file: str) -> tuple[int, str]:
    """Open a COCO file, look at everything, edit and undo everything, and give it to every command."""
    from napari_fashion.coco import Dataset
    from napari_fashion.errors import FashionError
    from napari_fashion.schema import Schema

    said: list[str] = []
    status = 0
    out = folder.parent / f"{folder.name}.out"
    out.mkdir()
    try:
        dataset = Dataset.load(file, fallback=Schema.load("garments"))
    except FashionError as error:
        status = 1
        said.append(str(error))
        wrong = is_sentence(str(error))
        assert not wrong, wrong
    else:
        said += look(dataset)
        edit(dataset)
        save(dataset, out)
    for name, *more in (
        ("stats", file),
        ("stats", file, "--json"),
        ("predict", file, "--out", out / "r.json", "--annotations", out / "a.json", "--overlays",
         out / "drawn", "--single-instance", "--force-complete", "--model", MODEL, "--device", "cpu"),
        ("evaluate", file, "--json", out / "e.json", "--model", MODEL, "--device", "cpu"),
        ("pseudo-label", file, "--out", out / "p.json", "--model", MODEL, "--device", "cpu"),
    ):  # fmt: skip
        ended, told = command(folder, model, [name, *map(str, more)])
        said.append(f"{name} {ended}: {told}")
        assert ended in (0, 1), said[-1]
        assert ended == 0 or told.strip(), f"{name}: nothing was said"
        assert not unfit(told), (name, unfit(told), told[:2000])
        assert status == 0 or ended == 1, f"{name}: done with a file that cannot be read"
        if ended == 0 and name == "predict":
            again = Dataset.load(out / "a.json", fallback=Schema.load("garments"))
            look(again)
            json.loads((out / "r.json").read_text())
    return status, "\n".join(said)


def look(dataset: Any) -> list[str]:
    """Ask a data set about everything."""
    from napari_fashion.app.viewer import layer_data, overlay_data
    from napari_fashion.coco import columns, find_problems, statistics
    from napari_fashion.coco.export import trainable_images
    from napari_fashion.coco.suspects import find_suspects
    from napari_fashion.coco.uncertainty import expected_corrections, expected_corrections_of_all
    from napari_fashion.editing.viewing import Selection
    from napari_fashion.errors import FashionError

    said = [f"{len(dataset.images)} images, {len(dataset.garments)} garments"]
    said += find_problems(dataset).lines()
    for line in said:
        assert len(line) < 1200, f"a line of {len(line)} letters: {line[:300]}"
    for image in list(dataset.images)[:50]:
        for name in ("file_name", "known_size", "reviewed", "ignored_boxes", "rejected"):
            getattr(image, name)
        for name in ("path", "size", "width", "height"):
            with contextlib.suppress(FashionError):
                getattr(image, name)
        garments = image.garments
        layer_data.landmarks(garments, dataset.schema)
        overlay_data.scene_of(garments, dataset.schema, Selection())
    for garment in list(dataset.garments)[:50]:
        for name in ("image_id", "category_id", "category", "category_name", "body_type", "keypoints",
                     "xy", "visibility", "bbox", "bbox_problem", "is_crowd", "is_foreign", "source",
                     "score", "landmark_sources", "landmark_scores", "category_source",
                     "category_scores", "touched_by_human", "edited"):  # fmt: skip
            getattr(garment, name)
        repr(garment)
    find_suspects(dataset)
    expected_corrections_of_all(dataset, columns(dataset))
    expected_corrections(list(dataset.garments)[:50])
    json.dumps(statistics(dataset).to_dict())
    trainable_images(dataset)
    list(dataset.missing_images())
    return said


def edits(dataset: Any) -> Iterator[Any]:
    """Yield ways to edit every part of the first garments and images."""
    from napari_fashion.editing import operations as do
    from napari_fashion.editing.predictions import take_prediction
    from small import SCHEMA, SHIRT_XY, predicted, prediction

    for garment in list(dataset.garments)[:6]:
        key = garment.id
        yield lambda key=key: do.place_landmark(dataset, key, 0, (5.0, 6.5))
        yield lambda key=key: do.move_landmarks(dataset, key, {0: (7.0, 8.0)})
        yield lambda key=key: do.set_visibility(dataset, key, [0], 1)
        yield lambda key=key: do.delete_landmarks(dataset, key, [0])
        yield lambda key=key: do.swap_left_right(dataset, key)
        yield lambda key=key: do.set_category(dataset, key, 0)
        yield lambda key=key: do.delete_garment(dataset, key)
    for image in list(dataset.images)[:4]:
        key = image.id
        yield lambda key=key: do.add_garment(dataset, key, 0)[0]
        yield lambda key=key: do.set_reviewed(dataset, key, True)
        yield lambda key=key: do.set_reviewed(dataset, key, False)
        yield lambda key=key: do.rescale_landmarks(dataset, key, (60, 60))
        if dataset.schema.landmarks == SCHEMA.landmarks:
            found = prediction(predicted(SHIRT_XY, "Shirt"))
            yield lambda key=key, found=found: take_prediction(dataset, key, found, SCHEMA).edit


def edit(dataset: Any) -> None:
    """Make every edit, look again, and undo it: the bytes must be what they were."""
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.store import Store
    from napari_fashion.editing.editor import Editor
    from napari_fashion.errors import FashionError

    if not len(dataset.images):
        return
    editor = Editor(dataset)
    before = b"".join(dataset.chunks())
    heavy = len(before) > 1 << 20
    for way in edits(dataset):
        try:
            editor.apply(way())
        except FashionError as error:
            assert str(error).rstrip().endswith((".", "?")), error
            assert len(str(error)) < 900, error
            assert b"".join(dataset.chunks()) == before, f"changed by what was refused: {error}"
            continue
        if heavy:
            break
        after = b"".join(dataset.chunks())
        Dataset(Store(after), schema=dataset.schema)
        for garment in list(dataset.garments)[:6]:
            _ = garment.xy, garment.bbox
        while editor.can_undo:
            editor.undo()
        assert b"".join(dataset.chunks()) == before, "undone, and not what it was"


def save(dataset: Any, out: Path) -> None:
    """Write a data set in both ways, and read what was written."""
    from napari_fashion.coco import Dataset, export

    dataset.save(out / "saved.json")
    export(dataset, out / "exported.json", include_predictions=True)
    for name in ("saved.json", "exported.json"):
        again = Dataset.load(out / name, schema=dataset.schema)
        assert len(again.images) == len(dataset.images)


# -- documents -----------------------------------------------------------------------------------


def read(folder: Path, model: Path, reader: str, file: str) -> tuple[int, str]:
    """Read a document; return whether it was refused, and what was said."""
    from napari_fashion.coco.categories import read_category_map
    from napari_fashion.engine.model_set import load_model
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.errors import FashionError
    from napari_fashion.schema import Schema

    readers = {
        "recipe": Recipe.load,
        "run": Recipe.load_json,
        "schema": Schema.load,
        "map": read_category_map,
        "model": lambda path: load_model(path, "cpu"),
    }
    try:
        found = readers[reader](file)
    except FashionError as error:
        wrong = is_sentence(str(error))
        if Path(file).stem[:20] not in str(error):
            wrong.append(f"does not name the file: {error}")
        assert not wrong, wrong
        return 1, str(error)
    return 0, f"read: {str(found)[:300]}"


def damaged(folder: Path, model: Path, file: str) -> tuple[int, str]:
    """Go on with a partial file that is damaged; refused, beginning anew must help."""
    partial = folder / f"{file}.partial"
    before = partial.read_bytes()
    line = [
        "predict",
        "photos",
        "--out",
        file,
        "--single-instance",
        "--force-complete",
        "--model",
        MODEL,
    ]
    line += ["--device", "cpu"]
    status, said = command(folder, model, [*line, "--resume"])
    assert status in (0, 1), (status, said)
    if status == 0:
        found = json.loads((folder / file).read_text())
        assert len(found) == 1, f"{len(found)} garments of one image: {said}"
    else:
        assert "--overwrite" in said, said
    assert not unfit(said), said
    again, more = command(folder, model, [*line, "--overwrite"])
    assert again == 0, more
    assert not partial.exists()
    partial.write_bytes(before)  # for the comparison of what was before and is now
    return again, said + more


WAYS = {
    "damaged": damaged,
    "command": command,
    "process": process,
    "image": image,
    "records": records,
    "read": read,
}

"""Fuzzers of what comes from outside: files of our own generator, bytes, and lines of a journal.

Each target takes bytes and must end in an answer or a FashionError; anything else is an escape. Bytes and
lines are driven by atheris (coverage-guided), the generator by a seed::

    python tests/torture/fuzz.py bytes --seconds 600
    python tests/torture/fuzz.py lines --seconds 600
    python tests/torture/fuzz.py generated --files 10000
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contextlib

from layouts import LAYOUTS, document

Target = Callable[[bytes], None]
MUTATED = [
    *(b"NaN", b"-Infinity", b"1e400", b'"', b"\\u", b"\\ud800", b"[", b"]", b"{", b"}", b",", b":"),
    *(
        b"null",
        b"true",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\x00",
        b"9" * 30,
        b'"id"',
        b"-0",
        b" ",
        b"\r\n",
    ),
]


def read_bytes(data: bytes) -> None:
    """Open, look at everything, change something, take it back, and write: to the same bytes."""
    from napari_fashion.coco import Dataset, columns, find_problems, statistics
    from napari_fashion.coco.store import Store
    from napari_fashion.editing import operations
    from napari_fashion.editing.editor import Editor
    from napari_fashion.errors import FashionError
    from napari_fashion.schema import Schema

    try:
        dataset = Dataset(Store(data), fallback=Schema.load("garments"))
    except FashionError:
        return
    assert b"".join(dataset.chunks()) == data
    assert all(str(problem) for problem in find_problems(dataset))
    columns(dataset)
    statistics(dataset)
    for image in dataset.images[:20]:
        _ = (image.file_name, image.known_size, image.reviewed, image.rejected, image.ignored_boxes)
    for garment in dataset.garments[:20]:
        _ = (garment.xy, garment.visibility, garment.bbox, garment.is_crowd, garment.source)
        _ = (
            garment.score,
            garment.landmark_sources,
            garment.landmark_scores,
            garment.category_name,
        )
        _ = (garment.category_scores, garment.touched_by_human, garment.edited, garment.body_type)
    if not dataset.images:
        return
    editor = Editor(dataset)
    for garment in editor.garments[:3]:
        for act in (
            lambda g: operations.place_landmark(dataset, g.id, 0, (1.5, 2)),
            lambda g: operations.set_category(dataset, g.id, 0),
            lambda g: operations.delete_garment(dataset, g.id),
        ):
            with contextlib.suppress(FashionError):
                editor.apply(act(garment))
    for act in (
        lambda: operations.set_reviewed(dataset, editor.image_id, True),
        lambda: operations.add_garment(dataset, editor.image_id, 0)[0],
    ):
        with contextlib.suppress(FashionError):
            editor.apply(act())
    Store(b"".join(dataset.chunks()))
    while editor.can_undo:
        editor.undo()
    assert b"".join(dataset.chunks()) == data


def read_lines(data: bytes) -> None:
    """Read a line, as it is and with a checksum that fits; and a whole journal."""
    import zlib

    from napari_fashion.editing.edits import Edit
    from napari_fashion.editing.journal import read_line
    from napari_fashion.errors import FashionError

    body = data if data.startswith(b"{") else b"{" + data
    fitting = b'{"crc":"' + f"{zlib.crc32(body):08x}".encode() + b'",' + body[1:]
    for line in (data, fitting):
        with contextlib.suppress(FashionError):
            read_line(line)
    try:
        edit = Edit.from_json(data.decode("utf-8", "replace"))
    except FashionError:
        return
    assert Edit.from_json(edit.to_json()) == edit
    dataset = _small()
    before = b"".join(dataset.chunks())
    try:
        edit.apply(dataset)
    except FashionError:
        assert b"".join(dataset.chunks()) == before  # all or none
        return
    edit.inverse().apply(dataset)
    assert b"".join(dataset.chunks()) == before


def _small():
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.store import Store

    return Dataset(Store(LAYOUTS["plain"](document(random.Random(2), n=3))))


def seeds(kind: str) -> list[bytes]:
    """Return inputs to begin with."""
    if kind == "bytes":
        return [make(document(random.Random(i), n=2)) for i, make in enumerate(LAYOUTS.values())]
    from edit_at_random import random_step
    from napari_fashion.editing.editor import Editor
    from napari_fashion.editing.journal import encode_line

    editor = Editor(_small())
    rng = random.Random(7)
    for _ in range(60):
        random_step(editor, rng)
    lines = [edit.to_json().encode() for edit in editor.history]
    for i, edit in enumerate(editor.history):
        line = {"v": 1, "n": i, "time": "2026-11-29T22:41:03.120", "base": "ab", "do": "edit"}
        lines.append(encode_line({**line, "edit": edit.to_dict(), "was": [["images", 1, "{}"]]}))
    return lines


TARGETS: dict[str, Target] = {"bytes": read_bytes, "lines": read_lines}


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with a few things changed, without a coverage-guided fuzzer."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(4):
            case 0:
                out[at : at + rng.randint(1, 9)] = b""
            case 1:
                out[at:at] = rng.choice(MUTATED)
            case 2:
                out[at : at + rng.randint(1, 9)] = rng.choice(MUTATED)
            case _:
                other = rng.randrange(len(out) + 1)
                out[at:at] = out[other : other + rng.randint(1, 60)]
    return bytes(out)


def mutation_run(kind: str, runs: int, seed: int = 0) -> int:
    """Run a target on mutated seeds; return how many there were."""
    rng = random.Random(seed)
    known = seeds(kind)
    for i in range(runs):
        data = mutate(rng.choice(known), rng)
        try:
            TARGETS[kind](data)
        except Exception as error:
            raise AssertionError(f"{kind} {i}: {data!r}") from error
    return runs


def generated_run(files: int, seed: int = 0) -> int:
    """Round trips of generated files: 20 random edits each, and back to the same bytes."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "coco"))
    from test_store import check_round_trip

    names = list(LAYOUTS)
    for i in range(files):
        rng = random.Random(f"{seed} {i}")
        data = LAYOUTS[names[i % len(names)]](document(rng))
        try:
            check_round_trip(data, rng)
        except Exception as error:
            raise AssertionError(f"file {i}, {names[i % len(names)]}: {data!r}") from error
    return files


def atheris_run(kind: str, seconds: int, folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["napari_fashion.coco", "napari_fashion.editing"]):
        import napari_fashion.coco
        import napari_fashion.editing.journal  # noqa: F401
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(seeds(kind)):
        (folder / f"seed-{i}").write_bytes(data)
    words = folder.with_suffix(".dict")
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in MUTATED)
    words.write_text("\n".join(f'"{word}"' for word in escaped) + "\n")
    arguments = [f"-max_total_time={seconds}", "-max_len=4096", f"-dict={words}", "-timeout=20"]
    arguments += [f"-artifact_prefix={folder.parent}/escape-{kind}-"]
    atheris.Setup([sys.argv[0], *arguments, str(folder)], TARGETS[kind])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=[*TARGETS, "generated"])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=Path("runs/torture"))
    options = parser.parse_args()
    begin = time.monotonic()
    if options.kind == "generated":
        n = generated_run(options.files)
        print(json.dumps({"generated files": n, "seconds": round(time.monotonic() - begin)}))
    else:
        atheris_run(options.kind, options.seconds, options.folder / options.kind)
    return 0


if __name__ == "__main__":
    sys.exit(main())

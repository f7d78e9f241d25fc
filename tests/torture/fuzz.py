"""Fuzzers of what comes from outside: generated files, bytes, journals, TOML, model files, images.

Each target takes bytes and must end in an answer or a FashionError; anything else is an escape. All but
the generator are driven by atheris (coverage-guided) where it is installed, else by a plain mutator; the
generator by a seed::

    python tests/torture/fuzz.py bytes --seconds 600
    python tests/torture/fuzz.py lines --seconds 600
    python tests/torture/fuzz.py toml --seconds 600
    python tests/torture/fuzz.py models --seconds 600
    python tests/torture/fuzz.py images --seconds 600
    python tests/torture/fuzz.py generated --files 10000
"""

from __future__ import annotations

import argparse
import atexit
import functools
import hashlib
import importlib.util
import io
import json
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import warnings
import zlib
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


IMAGE_PIXELS = 4_000_000
"""Images of more pixels are refused while fuzzing: a header with other numbers is soon a huge one."""
IMAGE_SECONDS = 20
IMAGE_BYTES = 3 << 30


def read_image_bytes(data: bytes) -> None:
    """Ask an image file for its size and its pixels; both agree, or both or the second refuse."""
    from napari_fashion.errors import ImageError
    from napari_fashion.images import image_size, read_image

    os.environ["NAPARI_FASHION_MAX_PIXELS"] = str(IMAGE_PIXELS)
    _IMAGE.write_bytes(data)
    began = time.monotonic()
    size = None
    with contextlib.suppress(ImageError):
        size = image_size(_IMAGE)
    image = said = None
    try:
        image = read_image(_IMAGE)
    except ImageError as error:
        said = str(error)
    if image is None:
        assert str(_IMAGE) in said
    else:
        assert image.dtype == "uint8"
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert image.shape[0] * image.shape[1] <= IMAGE_PIXELS
        assert size == image.shape[1::-1], (size, image.shape)
    assert time.monotonic() - began < IMAGE_SECONDS


_IMAGE = Path(tempfile.gettempdir()) / f"napari-fashion-fuzz-{os.getpid()}.jpg"
"""Stays where a decoder ends the process."""


def image_seeds() -> list[bytes]:
    """Return a small file of every format and many of their kinds."""
    import numpy as np
    import tifffile
    from PIL import Image

    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, (9, 13, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    found: list[bytes] = []

    def add(image, kind: str, **options) -> None:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        found.append(buffer.getvalue())

    modes = {
        m: Image.fromarray(array[..., :3]).convert(m) for m in ("1", "L", "LA", "P", "RGB", "RGBA")
    }
    modes["I;16"] = Image.fromarray(array[..., 0].astype(np.uint16) * 200)
    modes["CMYK"] = Image.fromarray(array, "CMYK")
    modes["RGBA"] = Image.fromarray(array)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        add(modes[mode], "PNG", exif=exif)
    add(modes["P"], "PNG", transparency=3)
    for mode in ("L", "RGB", "CMYK"):
        add(modes[mode], "JPEG", exif=exif)
    add(modes["RGB"], "JPEG", progressive=True, icc_profile=b"x" * 90)
    add(modes["RGB"], "MPO", save_all=True, append_images=[modes["RGB"]])
    for kind in ("GIF", "WEBP", "AVIF"):
        add(modes["RGB"], kind)
        add(modes["RGB"], kind, save_all=True, append_images=[modes["L"].convert("RGB")])
    add(modes["RGBA"], "WEBP", lossless=True)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        add(modes[mode], "BMP")
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"):
        add(modes["1" if compression == "group4" else "RGB"], "TIFF", compression=compression)
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16", "CMYK"):
        add(modes[mode], "TIFF")
    deep = array.astype(np.uint16) * 257
    grey = {"photometric": "minisblack"}
    for values, options in (
        (deep[..., :3], {"photometric": "rgb"}),
        (deep[..., :3], {"photometric": "rgb", "byteorder": ">", "bigtiff": True}),
        (deep[..., :3], {"photometric": "rgb", "compression": "deflate", "predictor": True}),
        (deep[..., :3], {"photometric": "rgb", "tile": (16, 16), "compression": "deflate"}),
        (deep, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
        (deep[..., :2], {**grey, "extrasamples": ["unassalpha"]}),
        (deep[..., :2], {**grey, "extrasamples": ["unassalpha"], "compression": "deflate"}),
        (deep[..., :2], {**grey, "extrasamples": ["unassalpha"], "tile": (16, 16)}),
        (np.moveaxis(deep[..., :3], 2, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        ((deep[..., 0] / 9).astype(np.float32), grey),
        (deep[..., 0] / 9, grey),
        (deep[..., :3].astype(np.float32), {"photometric": "rgb"}),
        (deep[..., 0], {"photometric": "miniswhite"}),
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values, **options)
        found.append(buffer.getvalue())
    header = struct.pack(">IIBBBBB", 13, 9, 16, 6, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    found.append(_png([(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]))
    return found


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    out = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        out += (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )
    return out


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG file whose checksums fit: wrong ones end the reading before anything happens."""
    chunks, at = [], 8
    while at + 12 <= len(data) and len(chunks) < 100:
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + min(length, len(data))]))
        at += 12 + length
    return _png(chunks)


_NUMBERS = (0, 1, 2, 3, 4, 8, 16, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 1 << 16, 2**31 - 1)


def mutate_image(data: bytes, rng: random.Random) -> bytes:
    """Return an image file with a few bytes and numbers changed, most of them in its head."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(min(len(out), rng.choice((64, 200, 10_000))) or 1)
        match rng.randrange(7):
            case 0:
                out[at : at + 1] = rng.randbytes(1)
            case 1:
                out[at : at + 1] = bytes([out[at] ^ (1 << rng.randrange(8))]) if out else b"\0"
            case 2:
                n = rng.choice((2, 4, 8))
                number = rng.choice((*_NUMBERS, 2**32 - 1, 2**63)) % 256**n
                out[at : at + n] = number.to_bytes(n, rng.choice(("big", "little")))
            case 3:
                out[at : at + rng.randint(1, 40)] = b""
            case 4:
                out[at:at] = rng.randbytes(rng.randint(1, 20))
            case 5:
                del out[at + 20 :]
            case _:
                other = rng.randrange(len(out) + 1)
                out[at:at] = out[other : other + rng.randint(1, 60)]
        if len(out) < 8:
            break
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        return _with_checksums(bytes(out))
    return bytes(out)


def _small():
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.store import Store

    return Dataset(Store(LAYOUTS["plain"](document(random.Random(2), n=3))))


def read_toml_texts(data: bytes) -> None:
    """Read a recipe and a schema, and whatever JSON it may be, as files and as what they hold."""
    from napari_fashion.documents import parse_json, parse_toml
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.errors import FashionError, RecipeError
    from napari_fashion.schema import Schema

    with contextlib.suppress(FashionError):
        parse_json(data, "fuzz", RecipeError)
    try:
        document = parse_toml(data, "fuzz", RecipeError)
    except FashionError:
        return
    with contextlib.suppress(FashionError):
        recipe = Recipe.from_dict(document, base=Path("/nowhere"))
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    with contextlib.suppress(FashionError):
        schema = Schema.from_dict(document)
        assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def read_models(data: bytes) -> None:
    """Load a model whose description, header or weights are the input's.

    The first byte says which; the rest is that part of a tiny model, changed.
    """
    from napari_fashion.engine.model import Model
    from napari_fashion.errors import FashionError

    folder, described, header, numbers = _tiny_model()
    which, part = data[:1], data[1:]
    if which == b"d":
        described = part
    elif which == b"h":  # with a length that fits
        header = len(part).to_bytes(8, "little") + part
    else:
        header, numbers = part, b""
    weights = header + numbers
    if which != b"d":  # the digest fits, so that what is behind it is reached
        digest = hashlib.sha256(weights).hexdigest()
        described = json.dumps({**json.loads(described), "weights_sha256": digest}).encode()
    (folder / "m.json").write_bytes(described)
    (folder / "m.safetensors").write_bytes(weights)
    try:
        model = Model.load(folder / "m", "cpu")
    except FashionError:
        return
    _ = model.inference.sizes


@functools.cache
def _tiny_model() -> tuple[Path, bytes, bytes, bytes]:
    """Return a folder, and a tiny model's description, header with its length, and numbers."""
    import torch

    from napari_fashion.engine.inference.options import InferenceOptions, RefinementOptions
    from napari_fashion.engine.model import Model, ModelInfo
    from napari_fashion.engine.network.config import NetworkConfig
    from napari_fashion.schema import Schema

    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="fashion-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    schema = Schema.from_coco([{"name": "c", "keypoints": ["left", "right"], "skeleton": [[1, 2]]}])
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="sum", width=8, blocks=0, upsample=1)
    inference = InferenceOptions(
        flip_tta=True,
        crop_aspect=0.5,
        multi_scale=[64],
        refinement=RefinementOptions(margin=0.1),
        decoder={"pif_threshold": 0.1},  # type: ignore[arg-type]
    )
    info = ModelInfo(inference=inference, recipe=inference.model_dump())
    path = Model.create(config, schema, info, torch.device("cpu")).save(folder / "m")
    weights = path.with_suffix(".safetensors").read_bytes()
    start = 8 + int.from_bytes(weights[:8], "little")
    return folder, path.read_bytes(), weights[:start], weights[start:]


def toml_seeds() -> list[bytes]:
    """Return our recipes and schemas, and values of every kind."""
    root = Path(__file__).resolve().parents[2]
    files = [
        *(root / "training" / "recipes").glob("*.toml"),
        *(root / "src" / "napari_fashion" / "schema" / "data").glob("*.toml"),
    ]
    kinds = b"a = 1\nb.c = [1.5, 1e3, -0, 0x1f, true, 2026-11-30T01:02:03Z, 'x', \"y\", {z = 1}]\n"
    return [
        *(path.read_bytes()[:4000] for path in sorted(files)),
        kinds,
        b'{"a": [1, {"b": null}]}',
    ]


def model_seeds() -> list[bytes]:
    """Return the parts of a tiny model, each with the letter that says which it is."""
    _, described, header, numbers = _tiny_model()
    return [b"d" + described, b"h" + header[8:], b"w" + header + numbers[:2000]]


def seeds(kind: str) -> list[bytes]:
    """Return inputs to begin with."""
    if kind == "images":
        return image_seeds()
    if kind == "toml":
        return toml_seeds()
    if kind == "models":
        return model_seeds()
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


TARGETS: dict[str, Target] = {
    "bytes": read_bytes,
    "lines": read_lines,
    "images": read_image_bytes,
    "toml": read_toml_texts,
    "models": read_models,
}
INSTRUMENTED = {
    "images": ["napari_fashion.images", "PIL", "tifffile"],
    "toml": ["napari_fashion.documents", "napari_fashion.schema", "tomllib"],
    "models": [
        "napari_fashion.documents",
        "napari_fashion.schema",
        "napari_fashion.engine.weights",
    ],
}
"""What the coverage-guided fuzzer watches, where it is not `coco` and `editing`."""
LONGEST = {"models": 40_000}
"""The longest input, where it is not 4096 bytes."""


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


def mutation_run(kind: str, runs: int, seed: int = 0, seconds: float = float("inf")) -> int:
    """Run a target on mutated seeds; return how many there were."""
    rng = random.Random(seed)
    known = seeds(kind)
    change = mutate_image if kind == "images" else mutate
    end = time.monotonic() + seconds
    for i in range(runs):
        if time.monotonic() > end:
            return i
        data = change(rng.choice(known), rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                TARGETS[kind](data)
        except Exception as error:
            raise AssertionError(f"{kind} {i}: {data!r}") from error
    _IMAGE.unlink(missing_ok=True)
    return runs


def limit_memory() -> None:
    """Let this process use `IMAGE_BYTES` and no more, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (IMAGE_BYTES, IMAGE_BYTES))


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

    watched = INSTRUMENTED.get(kind, ["napari_fashion.coco", "napari_fashion.editing"])
    with atheris.instrument_imports(include=watched):
        import napari_fashion.coco
        import napari_fashion.editing.journal
        import napari_fashion.images

        if kind == "models":
            import napari_fashion.engine.model  # noqa: F401
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(seeds(kind)):
        (folder / f"seed-{i}").write_bytes(data)
    words = folder.with_suffix(".dict")
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in MUTATED)
    words.write_text("\n".join(f'"{word}"' for word in escaped) + "\n")
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST.get(kind, 4096)}",
        f"-dict={words}",
        "-timeout=20",
    ]
    arguments += [f"-artifact_prefix={folder.parent}/escape-{kind}-"]
    atheris.Setup([sys.argv[0], *arguments, str(folder)], TARGETS[kind])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=[*TARGETS, "generated"])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0, help="of the plain mutator")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=Path("runs/torture"))
    options = parser.parse_args()
    begin = time.monotonic()
    if options.kind == "generated":
        n = generated_run(options.files)
        print(json.dumps({"generated files": n, "seconds": round(time.monotonic() - begin)}))
        return 0
    if options.kind == "images":
        limit_memory()
    if importlib.util.find_spec("atheris") is None:
        n = mutation_run(options.kind, 1 << 62, options.seed, options.seconds)
        print(json.dumps({options.kind: n, "seconds": round(time.monotonic() - begin)}))
    else:
        atheris_run(options.kind, options.seconds, options.folder / options.kind)
    return 0


if __name__ == "__main__":
    sys.exit(main())

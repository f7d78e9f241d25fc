"""Read images of many kinds: time and memory beside plain Pillow, within one run.

    python benchmarks/bench_images.py [--megapixels 24] [--repeats 3] [--names 100000]

Every reading runs in a process of its own, ours and Pillow's ``Image.open(path).convert("RGB")`` in turn;
times are medians. Bytes a pixel are the peak memory of the reading over that before it; three are the
result. Then: how long a file name takes until it is known that the file may be read.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Nothing that takes memory is imported up here: the measuring processes begin here too.

PILLOW = "pillow"
OURS = "ours"


def peak() -> int:
    """Return the most memory that this process has had at one time, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def read(who: str, path: str) -> dict[str, float]:
    """Read an image once; return seconds and bytes a pixel."""
    import numpy as np
    from PIL import Image

    from napari_fashion.images import read_image

    Image.MAX_IMAGE_PIXELS = None  # of this process alone
    small = Path(path).with_suffix(".small" + Path(path).suffix)
    read_image(small)  # what is imported on first use
    before, began = peak(), time.perf_counter()
    if who == OURS:
        pixels = read_image(path)
    else:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "bytes": (peak() - before) / (pixels.shape[0] * pixels.shape[1])}


def draw(folder: Path, megapixels: float) -> list[Path]:
    """Draw an image of each kind, and a small one beside it."""
    import numpy as np
    from PIL import Image

    made = []
    for side, end in ((round((megapixels * 1e6) ** 0.5), ""), (64, ".small")):
        ramp = np.linspace(0, 255, side).astype(np.uint8)
        rgb = np.stack([np.broadcast_to(ramp, (side, side)), np.broadcast_to(ramp[:, None], (side, side)),
                        np.full((side, side), 90, np.uint8)], axis=-1)  # fmt: skip
        image = Image.fromarray(rgb)
        kinds = {
            "jpg": image,
            "png": image,
            "rgba.png": image.convert("RGBA"),
            "grey.png": image.convert("L"),
            "palette.png": image.convert("P"),
            "cmyk.jpg": image.convert("CMYK"),
            "grey16.png": Image.fromarray(rgb[..., 0].astype(np.uint16) * 16),
            "webp": image,
        }
        for name, one in kinds.items():
            stem, _, suffix = name.rpartition(".")
            path = folder / f"{stem or 'rgb'}{end}.{suffix}"
            one.save(path)
            if not end:
                made.append(path)
    return made


def names(count: int, folder: Path) -> tuple[float, float]:
    """Return microseconds a name: until a path that may be read is known, and of a plain join."""
    from napari_fashion.images import ImageFolder

    for i in range(count):
        (folder / f"{i:06d}.jpg").touch()
    root = ImageFolder(folder)
    listed = [f"{i:06d}.jpg" for i in range(count)]
    began = time.perf_counter()
    for name in listed:
        root.path(name)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    for name in listed:
        (folder / name).is_file()
    plain = time.perf_counter() - began
    return 1e6 * ours / count, 1e6 * plain / count


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        print("\n".join(str(path) for path in draw(options.draw, options.megapixels)))
        return
    if options.read:
        print(json.dumps(read(*options.read)))
        return
    print(f"{'kind':<14}{'time / Pillow':>14}{'s':>8}{'bytes a pixel':>15}{'Pillow':>8}")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            __file__,
            "--draw",
            folder,
            "--megapixels",
            str(options.megapixels),
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for path in map(Path, made.splitlines()):
            found: dict[str, list[dict[str, float]]] = {OURS: [], PILLOW: []}
            for _ in range(options.repeats):
                for who, runs in found.items():
                    command = [sys.executable, __file__, "--read", who, str(path)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    runs.append(json.loads(done.stdout))
            seconds = {
                w: statistics.median(r["seconds"] for r in runs) for w, runs in found.items()
            }
            space = {w: statistics.median(r["bytes"] for r in runs) for w, runs in found.items()}
            print(
                f"{path.name:<14}{seconds[OURS] / seconds[PILLOW]:>14.2f}{seconds[OURS]:>8.2f}"
                f"{space[OURS]:>15.1f}{space[PILLOW]:>8.1f}"
            )
    with tempfile.TemporaryDirectory() as folder:
        ours, plain = names(options.names, Path(folder))
        print(f"a name: {ours:.1f} us, {ours / plain:.2f} of joining it and asking for the file")


if __name__ == "__main__":
    main()

"""Memory and handles of a window over many edits: 20,000 on 5,000 images.

    scripts/with-display --virtual .venv/bin/python benchmarks/measure_growth.py [--images N] [--edits N]

Each image comes into view and is drawn, and its edits are made through the editor; every tenth is
undone. Printed is what the process has after each tenth of the images, and the growth since the first
tenth, by when everything that is kept within a limit has reached it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_fashion.app.viewer.window import ANNOTATOR, window_of
from napari_fashion.editing import operations

SIZE = 96


def main() -> None:
    """Make the edits and print the growth."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--edits", type=int, default=20_000)
    options = parser.parse_args()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1024, 640)
    window = window_of(viewer)
    window.show_dock(ANNOTATOR)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        window.session.open(data_set(Path(folder), options.images))
        editor = window.session.editor
        assert editor is not None
        first, made, began = None, 0, time.monotonic()
        for i in range(options.images):
            for _ in range(options.edits * (i + 1) // options.images - made):
                garment = editor.garments[0]
                xy = {int(rng.integers(8)): tuple(rng.uniform(5, SIZE - 5, 2).tolist())}
                editor.apply(operations.move_landmarks(editor.dataset, garment.id, xy))
                made += 1
                if made % 10 == 0:
                    editor.undo()
            QApplication.processEvents()
            window.actions.next_image()
            QApplication.processEvents()
            if (i + 1) % max(options.images // 10, 1) == 0:
                memory, handles = state()
                first = first or (memory, handles)
                grown, more = memory - first[0], handles - first[1]
                print(
                    f"{made:6} edits, {i + 1:5} images, {time.monotonic() - began:5.0f} s: "
                    f"{memory:6.0f} MB ({grown:+.0f}), {handles} handles ({more:+d})",
                    flush=True,
                )
        window.may_discard = lambda: True
        viewer.close()
    print(f"most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def data_set(folder: Path, n: int) -> Path:
    """Write n small images, a few files under many names, with a garment each."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    names = [f"{i:05}.png" for i in range(n)]
    for i, name in enumerate(names):
        path = folder / "images" / name
        if i < 20:
            noise = rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(path)
        else:
            os.link(folder / "images" / names[i % 20], path)
    names_of = ("collar", "sleeve", "waistline", "hem")
    document = {
        "images": [
            {"id": i, "file_name": name, "width": SIZE, "height": SIZE}
            for i, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": 1,
                "bbox": [10, 10, 60, 60],
                "area": 3600,
                "iscrowd": 0,
                "num_keypoints": 8,
                "keypoints": [v for k in range(8) for v in (10 + 8 * k, 20 + 7 * (k % 3), 2)],
            }
            for i in range(n)
        ],
        "categories": [
            {
                "id": 1,
                "name": "Dress",
                "keypoints": [f"{side}_{name}" for name in names_of for side in ("left", "right")],
                "skeleton": [],
            }
        ],
    }
    path = folder / "many.json"
    path.write_text(json.dumps(document))
    return path


def state() -> tuple[float, int]:
    """Return the process's resident megabytes and its open handles (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6, len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    main()

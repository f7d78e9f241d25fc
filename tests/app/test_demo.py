"""`napari-fashion demo`, as `make demo` runs it where there is no screen."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from napari_fashion.app.demo import SCREENSHOTS
from napari_fashion.app.sample_data import FILE


@pytest.mark.window
def test_without_a_person_it_does_the_job_and_leaves_images_of_it(tmp_path) -> None:
    out, copies = tmp_path / "out", tmp_path / "copies"
    left = out / "data" / f".{FILE}.fashion" / "left-by-a-killed-demo"
    left.parent.mkdir(parents=True)
    left.write_text("")
    command = [sys.executable, "-m", "napari_fashion", "demo", "--headless", "--samples"]
    result = subprocess.run(
        [*command, "--out", str(out), "--images", str(copies), "--epochs", "2"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not left.exists()
    page = (out / "index.html").read_text("utf-8")
    for name, _ in SCREENSHOTS:
        shown = np.asarray(Image.open(out / f"{name}.png").convert("RGB"))
        assert min(shown.shape[:2]) >= 600
        assert shown.std() > 20  # a window with something in it
        assert f"{name}.png" in page
        assert (copies / f"{name}.png").read_bytes() == (out / f"{name}.png").read_bytes()
    exported = COCO(str(out / "export.json"))
    assert len(exported.getImgIds()) == 12
    assert len(exported.anns) >= 6
    assert "Retrained" in result.stdout
    assert "Predicted with retrained-" in result.stdout

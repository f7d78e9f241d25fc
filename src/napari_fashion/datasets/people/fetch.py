"""Fetch the street photos from their public repository, a mirror or a folder; scale and verify each."""

from __future__ import annotations

import base64
import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_fashion.datasets.fetching import FetchReport, Progress, fetch_into
from napari_fashion.datasets.people.locate import DATA, default_folder
from napari_fashion.datasets.people.splits import IMAGES
from napari_fashion.datasets.people.tags import TAGS, kinds, map_text
from napari_fashion.documents import read_toml
from napari_fashion.errors import FetchError, ImageError
from napari_fashion.images import Rgb, image_size, read_image
from napari_fashion.images.transforms import resize, write_jpeg

LOOK: Final = 8
"""Number of cells of a photo's look to each side."""
MEAN_DIFFERENCE: Final = 2.0
LARGEST_DIFFERENCE: Final = 12.0
"""Largest difference of two looks of one photo, of 255: the mean over the cells, and in one cell. Photos
scaled by other filters and saved anew differ by up to 0.3 and 2, and the two nearest of the 1,957 by 12 in
the mean."""
_QUALITY: Final = {IMAGES: 84}
_OTHER_QUALITY: Final = 80
"""JPEG quality of photos scaled here, as of those that the landmarks were read off."""
_SCALED = ".scaled"
_BESIDE = ("train.json", "test.json", "tags.csv", "categories.csv", "README.md")


def look(image: Rgb) -> npt.NDArray[np.uint8]:
    """Return the mean brightness of the cells of a photo, by which it is known again.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.

    Returns
    -------
    (64,) uint8, row by row.
    """
    grey = Image.fromarray(image).convert("L").resize((LOOK, LOOK), Image.Resampling.BOX)
    return np.asarray(grey).reshape(-1)


@dataclass(frozen=True)
class ScaledPhoto:
    """A photo that is kept scaled; see `datasets.fetching.Wanted`.

    The originals' checksums are not known, and a scaled JPEG file differs by the program that scaled it. So
    a file is the photo if it is the very one that the landmarks were read off (SHA-256), or if it has its
    size in pixels and its look.

    Attributes
    ----------
    size
        Width and height in pixels as it is kept.
    sha256
        Of the file that the landmarks were read off, in hexadecimal.
    look
        Of that file (`look`), in Base64.
    """

    path: str
    places: tuple[str, ...]
    size: tuple[int, int]
    sha256: str
    look: str

    def problem(self, file: Path) -> str:
        """Return how the file differs from the photo."""
        with file.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256:
                return ""
        try:
            image = read_image(file)
        except ImageError:
            return "no image that can be read"
        size = image.shape[1], image.shape[0]
        if size != self.size:
            return f"{_by(size)} pixels large (expected {_by(self.size)}, or larger in that shape)"
        found = look(image).astype(float)
        differences = np.abs(found - np.frombuffer(base64.b64decode(self.look), np.uint8))
        if differences.mean() > MEAN_DIFFERENCE or differences.max() > LARGEST_DIFFERENCE:
            return (
                f"another picture (its brightness differs by {differences.mean():.1f} of 255, expected at "
                f"most {MEAN_DIFFERENCE:g}, and by {differences.max():.0f} in one place, expected at most "
                f"{LARGEST_DIFFERENCE:g})"
            )
        return ""

    def prepared(self, part: Path) -> Path:
        """Return the photo scaled to its size, if what came is a larger one of its shape."""
        try:
            came = image_size(part)
            if not self._is_larger(came):
                return part
            image = resize(read_image(part), self.size)
        except ImageError:
            return part  # `problem` says so
        ready = part.with_name(part.name + _SCALED)
        ready.unlink(missing_ok=True)
        room = self.path.partition("/")[0]
        write_jpeg(ready, image, quality=_QUALITY.get(room, _OTHER_QUALITY))
        return ready

    def _is_larger(self, came: tuple[int, int]) -> bool:
        """Whether a size is a larger one of the same shape, to a pixel of the photo as it is kept."""
        scale = max(self.size) / max(came)
        fits = (abs(a * scale - b) <= 1 for a, b in zip(came, self.size, strict=True))
        return scale < 1 and all(fits)


def fetch(
    target: Path | str | None = None,
    *,
    source: Path | str | None = None,
    what: Literal["labelled", "all"] = "labelled",
    progress: Progress | None = None,
    connections: int = 8,
) -> FetchReport:
    """Fetch the photos, scaled as the landmark files expect them, and put these files beside them.

    Parameters
    ----------
    target
        The folder; by default `default_folder`, where `locate` finds it. Photos with landmarks lie in its
        ``images/``, those with tags alone in ``unlabelled/``.
    source
        A folder, or the address of a mirror (http, https, file); by default the public repository at the
        commit named in ``data/source.toml``. It may hold the originals in ``photos/``, or scaled photos
        as the target has them.
    what
        ``labelled``: the 872 photos that have landmarks; ``all``: also the 1,085 with tags alone.
    progress, connections
        See `fetch_into`.

    Returns
    -------
    FetchReport
        With the reason for each photo that did not come.

    Raises
    ------
    FetchError
        If the source is neither a folder nor an address, or the target cannot be written.
    """
    beside = {name: (DATA / name).read_bytes() for name in _BESIDE}
    beside |= {f"{name}.toml": map_text(name).encode() for name in kinds() if name != TAGS}
    public = read_toml(DATA / "source.toml", FetchError)["address"]
    return fetch_into(
        default_folder() if target is None else Path(target),
        _wanted(what, originals_first=source is None),
        public if source is None else source,
        beside=beside,
        progress=progress,
        connections=connections,
    )


def _wanted(what: Literal["labelled", "all"], *, originals_first: bool) -> list[ScaledPhoto]:
    """Return the photos asked for, with the places where a source may have them."""
    wanted = []
    with (DATA / "photos.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            room, _, name = row["path"].partition("/")
            if what == "labelled" and room != IMAGES:
                continue
            places = (row["path"], f"photos/{name}")
            wanted.append(
                ScaledPhoto(
                    row["path"],
                    places[::-1] if originals_first else places,
                    (int(row["width"]), int(row["height"])),
                    row["sha256"],
                    row["look"],
                )
            )
    return wanted


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"

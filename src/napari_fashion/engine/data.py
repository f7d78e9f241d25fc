"""Training data: sources become pictures with garments, split by group, loaded as canvases."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from napari_fashion import photos
from napari_fashion.coco import Dataset, Garment, Image
from napari_fashion.documents import shown
from napari_fashion.engine.augment import Canvases
from napari_fashion.engine.pictures import PADDING, Picture, resize
from napari_fashion.engine.recipe import Source
from napari_fashion.engine.targets import GarmentBatch
from napari_fashion.errors import PictureError, RecipeError
from napari_fashion.images import read_image
from napari_fashion.paths import cache_folder
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

MAX_SAMPLES = 100_000
"""So many procedural garments can be asked for."""


@dataclass(frozen=True, eq=False)
class Annotated:
    """One picture to learn from, with its N garments; coordinates in its own pixels.

    Attributes
    ----------
    key
        Name that says which picture it is: its ``file_name``, which an export keeps; of the CC0
        photos the photo's name alone, which is unique; of procedural garments with their source.
    group
        What must stay on one side of a split, such as a sender.
    path, size
        The file, and width and height as the annotations know them.
    xy, visibility, member
        (N, K, 2) float32, (N, K) int64, (N, K) bool.
    box
        (N, 4) float32: x0, y0, x1, y1.
    category
        (N,) int64, -1 where unknown.
    crowd
        (N,) bool.
    truth
        Whether a model may be judged by it (not by what only models said).
    """

    key: str
    group: str
    path: Path
    size: tuple[int, int]
    xy: NDArray[np.float32]
    visibility: NDArray[np.int64]
    member: NDArray[np.bool_]
    box: NDArray[np.float32]
    category: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    truth: bool = True

    def read(self) -> Picture:
        """Read the picture, of exactly the size that its annotations know."""
        return read_image(self.path, size=self.size, exact=True)

    @property
    def can_be_judged(self) -> bool:
        """Whether some garment's landmark error can be measured (`garment_can_be_judged`)."""
        return self.truth and any(garment_can_be_judged(self, i) for i in range(len(self.category)))


def garment_can_be_judged(picture: Annotated, i: int) -> bool:
    """Whether garment `i` has a box to divide by, and a visible landmark to compare."""
    visibility = picture.visibility[i]
    return bool(not picture.crowd[i] and (visibility > 0).sum() >= 2 and (visibility == 2).any())


def dataset_of(source: Source) -> Dataset:
    """Open the data set that a source names.

    Raises
    ------
    RecipeError
        If the photos are not here, or the source's name is malformed.
    CocoError
        If the file cannot be read.
    """
    kind, _, rest = source.file.partition(":")
    if kind == "photos":
        return _photos(rest, source)
    if kind == "samples":
        return Dataset.load(_samples(rest))
    return Dataset.load(source.file, image_root=source.images)


def _photos(split: str, source: Source) -> Dataset:
    folder = Path(source.images) if source.images else photos.locate()
    if folder is None:
        raise RecipeError(
            "The CC0 garment photos are not here. Get them with `napari-fashion fetch`, or set "
            "NAPARI_FASHION_PHOTOS to a folder that has them."
        )
    match split:
        case "train" | "test":
            return Dataset.load(photos.landmarks(split), image_root=folder / "images")
        case "unlabelled" | "pseudo" | "no_garment":
            document = photos.category_document(split, folder)
            if not document["images"]:
                raise RecipeError(
                    f"{folder} has none of the photos of {source.file}. Get them with "
                    "`napari-fashion fetch --all`."
                )
            return Dataset.from_document(document, image_root=folder)
    raise RecipeError(
        f"photos:{split}: no such split; expected photos:train, photos:test, photos:unlabelled, "
        "photos:pseudo or photos:no_garment."
    )


def _samples(rest: str) -> Path:
    """Render procedural garments once; they are kept in the user's cache folder."""
    from napari_fashion import samples

    try:
        count, seed = (int(part) for part in [*rest.split(":"), "0"][:2])
    except ValueError:
        count = seed = -1
    if not (1 <= count <= MAX_SAMPLES and 0 <= seed < 1 << 32):
        raise RecipeError(
            f"samples:{shown(rest)[1:-1]}: expected samples:COUNT or samples:COUNT:SEED, such as "
            f"samples:500:1, with 1 to {MAX_SAMPLES:,} images and a seed below 2^32."
        )
    cache = cache_folder()
    code = hashlib.sha256()
    for source in sorted(Path(samples.__file__).parent.glob("*.[pt][yo]*")):
        code.update(source.read_bytes())
    folder = cache / f"samples-{count}-{seed}-{code.hexdigest()[:8]}"
    found = folder / samples.ANNOTATIONS
    if not found.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            made = samples.write_dataset(Path(temporary) / "made", count, seed)
            made.parent.rename(folder)
    return found


def load_sources(
    sources: Iterable[Source], schema: Schema, left_out: Tally | None = None
) -> list[Annotated]:
    """Read all sources' annotations; pictures themselves are read later.

    What a model said and no person touched or reviewed is no truth: such garments are regions to
    ignore, like crowds, unless the source says that they are to be learned from (`Source.pseudo`);
    no model is judged by them. Pictures that then have no garment are left out, unless the source calls
    empty pictures negative, or somebody reviewed the picture and left it empty.

    Parameters
    ----------
    left_out
        Counts the images that cannot be used; without it they are logged.

    Raises
    ------
    RecipeError
        If nothing is left to learn from, or the source has other landmarks than the schema.
    """
    pictures: list[Annotated] = []
    unusable = Tally() if left_out is None else left_out
    for source in sources:
        dataset = dataset_of(source)
        if dataset.schema.landmarks != schema.landmarks:
            raise RecipeError(
                f"{source.file} has the landmarks {', '.join(dataset.schema.landmarks)}; expected "
                f"those of schema {schema.name!r}: {', '.join(schema.landmarks)}."
            )
        groups = photos.senders()
        for image in dataset.images:
            garments = dataset.garments_of(image.id)
            believed = image.reviewed or source.pseudo
            truth = [g for g in garments if believed or g.touched_by_human]
            if not truth and source.empty == "skip" and not image.reviewed:
                continue
            ignored = [g.bbox for g in garments if g not in truth and g.bbox is not None]
            if not image.reviewed:
                ignored += image.ignored_boxes
            name = Path(image.file_name)
            key = image.file_name
            if source.file.startswith("samples:"):
                key = f"{source.file}/{key}"
            elif name.stem in groups:
                key = name.name
            try:
                picture = _annotated(
                    key, groups.get(name.stem, key), image, truth, ignored, dataset, schema
                )
            except PictureError as error:
                unusable.add("images that cannot be used", str(error))
                continue
            judges = image.reviewed or all(g.touched_by_human for g in truth)
            pictures += [replace(picture, truth=judges)] * source.repeat
    if left_out is None and unusable:
        logging.getLogger(__name__).warning("%s", unusable)
    if not pictures:
        raise RecipeError(
            "No source has a picture with a garment that a person annotated or reviewed; there is "
            f"nothing to learn from, or to judge by. {unusable}".strip()
        )
    return pictures


def _annotated(
    key: str,
    group: str,
    image: Image,
    garments: list[Garment],
    ignored: Sequence[tuple[float, float, float, float]],
    dataset: Dataset,
    schema: Schema,
) -> Annotated:
    k = schema.n_landmarks
    n = len(garments) + len(ignored)
    names = dataset.schema.category_names
    index = {name: i for i, name in enumerate(schema.category_names)}
    xy = np.zeros((n, k, 2), np.float32)
    visibility = np.zeros((n, k), np.int64)
    member = np.zeros((n, k), np.bool_)
    box = np.zeros((n, 4), np.float32)
    category = np.full(n, -1, np.int64)
    crowd = np.zeros(n, np.bool_)
    for i, garment in enumerate(garments):
        xy[i] = garment.xy
        visibility[i] = garment.visibility
        crowd[i] = garment.is_crowd
        if garment.category >= 0:
            category[i] = index.get(names[garment.category], -1)
        present = np.flatnonzero(visibility[i] > 0)
        member[i, _members(schema, garment, int(category[i]), present)] = True
        box[i] = garment.bbox or _box(xy[i, present], image.width, image.height)
    for i, region in enumerate(ignored, start=len(garments)):
        box[i], crowd[i] = region, True
    box[:, 2:] += box[:, :2]
    size = (int(image.width), int(image.height))
    return Annotated(key, group, image.path, size, xy, visibility, member, box, category, crowd)


def _members(
    schema: Schema, garment: Garment, category: int, present: NDArray[np.int64]
) -> list[int]:
    """Return the landmarks that the garment's body type has; all where nothing tells it."""
    if garment.body_type in schema.body_type_names:
        return list(schema.landmarks_of(garment.body_type))
    if category >= 0:
        if len(present):
            return list(schema.landmarks_of(schema.body_type_for(category, present.tolist())))
        return list(schema.landmarks_of_category(category))
    return list(range(schema.n_landmarks))


def _box(xy: NDArray[np.float32], width: int, height: int) -> tuple[float, float, float, float]:
    if not len(xy):
        return 0.0, 0.0, float(width), float(height)
    (x0, y0), (x1, y1) = xy.min(0), xy.max(0)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


def _turn(group: str, seed: int) -> float:
    """Return a group's number in 0..1: those below the share are held out, for ever the same."""
    digest = hashlib.sha256(f"{seed}/{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_pictures(
    pictures: Sequence[Annotated], share: float, seed: int, known: dict[str, list[str]] | None
) -> tuple[list[Annotated], list[Annotated]]:
    """Split into training and validation pictures.

    A picture that `known` (the split of the model one starts from) names stays on its side: else
    the old model would be judged on what it learned. The others go by a hash of their group, so
    that they stay where they are as the data grow; where that leaves one side without any although
    there are two groups, the group that is the nearest to changing sides does. Validation pictures
    without a garment to judge by are dropped.
    """
    known = known or {}
    side = dict.fromkeys(known.get("train", ()), "train")
    side |= dict.fromkeys(known.get("validation", ()), "validation")
    # A picture of a group of which others are known goes where they are.
    placed = {p.group: side[p.key] for p in pictures if p.key in side}
    side |= {p.key: placed[p.group] for p in pictures if p.key not in side and p.group in placed}
    free = {p.group: _turn(p.group, seed) for p in pictures if p.key not in side}
    chosen = {group for group, turn in free.items() if turn < share}
    if share > 0 and len(free) > 1:
        judged = {p.group for p in pictures if p.key not in side and p.can_be_judged}
        held = any(side.get(p.key) == "validation" and p.can_be_judged for p in pictures)
        if not held and not chosen & judged and judged:
            chosen.add(min(judged, key=lambda g: free[g]))
        if not any(side.get(p.key) == "train" for p in pictures) and chosen == set(free):
            chosen.remove(max(chosen, key=lambda g: free[g]))
    train: list[Annotated] = []
    validation: dict[int, Annotated] = {}  # once each, however often it is repeated for training
    for picture in pictures:
        where = side.get(picture.key)
        if where is None:
            where = "validation" if picture.group in chosen else "train"
        if where == "train" or share == 0:
            train.append(picture)
        elif picture.can_be_judged:
            validation[id(picture)] = picture
    return train, list(validation.values())


def sampling_rates(pictures: Sequence[Annotated], balance: float) -> NDArray[np.float64]:
    """Return how often each picture is drawn an epoch, 1 on the average.

    Parameters
    ----------
    pictures
        P training pictures.
    balance
        A garment counts n^-balance, where its category has n garments; a picture as the mean of
        its garments. Pictures without a garment of known category are drawn as often as the
        average.

    Returns
    -------
    (P,) float64.
    """
    known = [p.category[(p.category >= 0) & ~p.crowd] for p in pictures]
    every = np.concatenate([np.zeros(0, np.int64), *known])
    rates = np.ones(len(pictures))
    if balance == 0 or not len(every):
        return rates
    count = np.bincount(every).clip(min=1)
    has = np.array([len(c) > 0 for c in known])
    rates[has] = [(count[c] ** -balance).mean() for c in known if len(c)]
    rates[has] /= rates[has].mean()
    return rates


def category_rates(
    pictures: Sequence[Annotated], rates: NDArray[np.float64], categories: int
) -> NDArray[np.float64]:
    """Return the share of each category among the garments that are drawn.

    Parameters
    ----------
    pictures
        P training pictures.
    rates
        (P,) how often each is drawn (`sampling_rates`).
    categories
        C.

    Returns
    -------
    (C,) float64 with the sum 1, none of them 0: every category counts one garment more than there
    are (Laplace's rule), so that one that was never seen is rare and not impossible.
    """
    count = np.ones(categories)
    for picture, rate in zip(pictures, rates, strict=True):
        known = picture.category[(picture.category >= 0) & ~picture.crowd]
        np.add.at(count, known, rate)
    share: NDArray[np.float64] = count / count.sum()
    return share


def draw_epoch(rates: NDArray[np.float64], generator: torch.Generator) -> Tensor:
    """Draw the pictures of an epoch, in random order: as many as there are.

    Each is drawn as often as its rate says, rounded up or down at random (systematic sampling): at
    a rate of 1 exactly once.

    Parameters
    ----------
    rates
        (P,), 1 on the average (`sampling_rates`).
    generator
        Source of randomness (CPU).

    Returns
    -------
    (P,) int64 indices.
    """
    n = len(rates)
    order = torch.randperm(n, generator=generator)
    if (rates == 1).all():
        return order
    start = float(torch.rand(1, generator=generator, dtype=torch.float64))
    ends = np.cumsum(rates[order.numpy()])
    ends *= n / ends[-1]
    chosen = np.searchsorted(ends, np.arange(n) + start, side="right").clip(max=n - 1)
    return order[torch.from_numpy(chosen)][torch.randperm(n, generator=generator)]


def fingerprint(pictures: Sequence[Annotated]) -> str:
    """First 16 hexadecimal digits of a SHA-256 of the annotations, in any order of pictures."""
    digests = []
    for p in pictures:
        h = hashlib.sha256(p.key.encode())
        for array in (p.xy, p.visibility, p.category):
            h.update(np.ascontiguousarray(array).tobytes())
        digests.append(h.digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]


class CanvasDataset(TorchDataset[tuple[Tensor, tuple[float, float], float, float, int]]):
    """Pictures scaled onto the top left of square canvases.

    An item is the canvas (3, S, S) uint8, the picture's (width, height) on it, the scale (x, y)
    from picture to canvas, and its index.

    Parameters
    ----------
    pictures
        What to load.
    side
        The canvas's side S, pixels.
    cache_gb
        Keep decoded pictures in memory as long as all of them fit into so much.
    """

    def __init__(self, pictures: Sequence[Annotated], side: int, cache_gb: float) -> None:
        self.pictures = list(pictures)
        self.side = side
        paths = {p.path for p in self.pictures}
        self._keep = len(paths) * side * side * 3 <= cache_gb * 2**30
        self._cache: dict[Path, Picture] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def preload(self, threads: int = 2) -> None:
        """Decode everything that will be kept, in threads."""
        if self._keep:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(self._small, range(len(self.pictures))))

    def _small(self, index: int) -> Picture:
        picture = self.pictures[index]
        if picture.path in self._cache:
            return self._cache[picture.path]
        full = picture.read()
        factor = self.side / max(picture.size)
        size = (max(1, round(picture.size[0] * factor)), max(1, round(picture.size[1] * factor)))
        small = resize(full, size)
        if self._keep:
            self._cache[picture.path] = small
        return small

    def __getitem__(self, index: int) -> tuple[Tensor, tuple[float, float], float, float, int]:
        small = self._small(index)
        canvas = np.full((self.side, self.side, 3), PADDING, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        width, height = self.pictures[index].size
        return (
            torch.from_numpy(canvas).permute(2, 0, 1),
            (float(small.shape[1]), float(small.shape[0])),
            small.shape[1] / width,
            small.shape[0] / height,
            index,
        )

    def collate(
        self, items: list[tuple[Tensor, tuple[float, float], float, float, int]]
    ) -> Canvases:
        """Stack items and their garments, padded to the most garments of a picture (at least 1)."""
        chosen = [self.pictures[index] for *_, index in items]
        n = max(1, *(len(p.category) for p in chosen))
        k = chosen[0].xy.shape[1]
        b = len(items)
        xy = torch.zeros(b, n, k, 2)
        visibility = torch.zeros(b, n, k, dtype=torch.long)
        member = torch.zeros(b, n, k, dtype=torch.bool)
        box = torch.zeros(b, n, 4)
        area = torch.zeros(b, n)
        category = torch.full((b, n), -1, dtype=torch.long)
        crowd = torch.zeros(b, n, dtype=torch.bool)
        valid = torch.zeros(b, n, dtype=torch.bool)
        for row, ((_, _, sx, sy, _), p) in enumerate(zip(items, chosen, strict=True)):
            m = len(p.category)
            if not m:
                continue
            scale = torch.tensor([sx, sy])
            xy[row, :m] = (torch.from_numpy(p.xy) + 0.5) * scale - 0.5
            visibility[row, :m] = torch.from_numpy(p.visibility)
            member[row, :m] = torch.from_numpy(p.member)
            box[row, :m] = (torch.from_numpy(p.box) + 0.5) * scale.repeat(2) - 0.5
            area[row, :m] = (box[row, :m, 2:] - box[row, :m, :2]).clamp(min=1.0).prod(-1)
            category[row, :m] = torch.from_numpy(p.category)
            crowd[row, :m] = torch.from_numpy(p.crowd)
            valid[row, :m] = True
        return Canvases(
            torch.stack([item[0] for item in items]),
            torch.tensor([item[1] for item in items]),
            GarmentBatch(
                xy, visibility, member, box, area, category, crowd, valid, torch.zeros(b, 4, 2)
            ),
        )

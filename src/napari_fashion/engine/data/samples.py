"""Training data: sources become images with garments, split by group, loaded as canvases."""

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
from torch.utils.data import get_worker_info

from napari_fashion.coco import Dataset, Garment, Image, columns
from napari_fashion.coco.categories import (
    FOREIGN,
    UNCLEAR,
    CategoryAnswer,
    CategoryRule,
    read_category_map,
)
from napari_fashion.coco.keypoints import far_outside
from napari_fashion.datasets import photos
from napari_fashion.documents import listed, shown
from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.engine.train.recipe import Source
from napari_fashion.errors import ImageError, RecipeError
from napari_fashion.images import image_size, read_image
from napari_fashion.images.transforms import PADDING, RGBImage, resize
from napari_fashion.paths import cache_folder
from napari_fashion.schema import Schema
from napari_fashion.tally import EXAMPLES, Tally

HEADER_THREADS = 8
MAX_SAMPLES = 100_000
"""So many procedural garments can be asked for."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One image to learn from, with its N garments; coordinates in its own pixels.

    Attributes
    ----------
    key
        Name that says which image it is: its ``file_name``, which an export keeps; of the CC0
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
        (N,) int64, index into the model's; `UNCLEAR` (-1) where the record does not say it, `FOREIGN` (-2)
        where the file's has a name that the model lacks.
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

    def read(self) -> RGBImage:
        """Read the image, of exactly the size that its annotations know."""
        return read_image(self.path, size=self.size, exact=True)

    @property
    def can_be_judged(self) -> bool:
        """Whether some garment's landmark error can be measured (`garment_can_be_judged`)."""
        return self.truth and any(garment_can_be_judged(self, i) for i in range(len(self.category)))


def garment_can_be_judged(image: AnnotatedImage, i: int) -> bool:
    """Whether garment `i` has a box to divide by, and a visible landmark to compare."""
    return not why_not_judged(image, i)


def why_not_judged(image: AnnotatedImage, i: int) -> str:
    """Return why garment `i` cannot be judged, as a plural; empty where it can."""
    visibility = image.visibility[i]
    if image.crowd[i]:
        return "crowds and regions to ignore"
    if (visibility > 0).sum() < 2:
        return "garments with fewer than two labelled landmarks"
    return "" if (visibility == 2).any() else "garments without a visible landmark (v = 2)"


def dataset_of(source: Source, fallback: Schema | None = None) -> Dataset:
    """Open the data set that a source names.

    Parameters
    ----------
    fallback
        What the landmarks mean where no category of a file names any.

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
    return Dataset.load(
        source.file,
        fallback=fallback,
        image_root=source.images,
        allow_roots=source.allow_roots,
    )


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
    from napari_fashion.datasets import procedural

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
    for source in sorted(Path(procedural.__file__).parent.glob("*.[pt][yo]*")):
        code.update(source.read_bytes())
    folder = cache / f"samples-{count}-{seed}-{code.hexdigest()[:8]}"
    found = folder / procedural.ANNOTATIONS
    if not found.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            made = procedural.write_dataset(Path(temporary) / "made", count, seed)
            made.parent.rename(folder)
    return found


def load_sources(
    sources: Iterable[Source],
    schema: Schema,
    tally: Tally | None = None,
    *,
    answer: CategoryAnswer | None = None,
) -> list[AnnotatedImage]:
    """Read all sources' annotations, and the headers of their images; images are read later.

    What a model said and no person touched or reviewed is no truth: such garments are regions to
    ignore, like crowds, unless the source says that they are to be learned from (`Source.pseudo`);
    no model is judged by them. Images that then have no garment are left out, unless the source calls
    empty images negative, or somebody reviewed the image and left it empty. So are images that are missing,
    are none, or have another size than their record says; and of a garment what cannot be used:
    keypoints of another form (it becomes a region to ignore), landmarks far outside the image, a box that
    is none.

    Parameters
    ----------
    sources
        Where the annotations are.
    schema
        The model's.
    tally
        Counts what is left out, and why; without one it is logged.
    answer
        What the categories that the model lacks stand for (`CategoryRule`); by default what the file
        remembers.

    Raises
    ------
    RecipeError
        If nothing is left to learn from, or the source has other landmarks than the schema.
    """
    unheard = tally is None
    tally = Tally() if tally is None else tally
    images: list[AnnotatedImage] = []
    for source in sources:
        dataset = dataset_of(source, schema)
        if dataset.schema.landmarks != schema.landmarks:
            raise RecipeError(
                f"{source.file} has the landmarks {listed(dataset.schema.landmarks)}; expected "
                f"those of schema {schema.name!r}: {listed(schema.landmarks)}."
            )
        said = answer
        if source.categories is not None:
            said = read_category_map(source.categories)
        images += _Reading(source, dataset, schema, tally, said).images()
    if not images:
        raise RecipeError(
            "No source has an image with a garment that a person annotated or reviewed; there is "
            f"nothing to learn from, or to judge by. Left out: {tally or 'nothing'}."
        )
    if unheard and tally:
        _log.warning("left out: %s", tally)
    return images


@dataclass(frozen=True, eq=False)
class _Truth:
    """What is known of one image."""

    image: Image
    path: Path
    garments: list[Garment]
    ignored: list[tuple[float, float, float, float]]
    whole: bool
    """Whether there is a garment that nobody knows where."""


class _Reading:
    """The images of one source."""

    def __init__(
        self,
        source: Source,
        dataset: Dataset,
        schema: Schema,
        tally: Tally,
        answer: CategoryAnswer | None,
    ) -> None:
        self.source, self.dataset, self.schema, self.tally = source, dataset, schema, tally
        self.rule = CategoryRule.of(dataset, schema, answer)

    def images(self) -> list[AnnotatedImage]:
        """Return the images to learn from or to judge by; the others are counted."""
        self._count_orphans()
        known = [t for image in self.dataset.images if (t := self._truth(image)) is not None]
        groups = photos.senders()
        images: list[AnnotatedImage] = []
        with ThreadPoolExecutor(HEADER_THREADS) as pool:
            for truth, size in zip(known, pool.map(_size_of, known), strict=True):
                if isinstance(size, str):
                    self.tally.add("images that are missing or cannot be read", size)
                    continue
                said = truth.image.known_size
                if said is not None and size != said:
                    self.tally.add(
                        "images of another size than their record",
                        f"{truth.path} has {size[0]} x {size[1]} pixels, the file says "
                        f"{said[0]} x {said[1]}",
                    )
                    continue
                name = Path(truth.image.file_name)
                key = truth.image.file_name
                if self.source.file.startswith("samples:"):
                    key = f"{self.source.file}/{key}"
                elif name.stem in groups:
                    key = name.name
                annotated = self._annotated(key, groups.get(name.stem, key), truth, said or size)
                judges = truth.image.reviewed or all(g.touched_by_human for g in truth.garments)
                images += [replace(annotated, truth=judges)] * self.source.repeat
        return images

    def _count_orphans(self) -> None:
        found = columns(self.dataset)
        lost = np.flatnonzero(found.annotation_image < 0)
        for row in lost[:EXAMPLES].tolist():
            garment = self.dataset.garment(found.annotation_ids[row])
            self.tally.add(
                "annotations of no image",
                f"{self.source.file}: annotation {garment.id!r} has the image_id {garment.image_id!r}, "
                "which no image has",
            )
        if len(lost) > EXAMPLES:
            self.tally.add("annotations of no image", n=len(lost) - EXAMPLES)

    def _truth(self, image: Image) -> _Truth | None:
        """Return what is known of an image; None, counted, where it teaches nothing."""
        garments = image.garments
        believed = image.reviewed or self.source.pseudo
        truth, ignored, whole = [], [], False
        for garment in garments:
            usable = True
            if garment.keypoints.problem:
                self.tally.add(
                    "garments whose keypoints have another form",
                    f"{self._called(image)}: annotation {garment.id!r} has keypoints of "
                    f"{garment.keypoints.problem}",
                )
                usable = False
            elif not (believed or garment.touched_by_human):
                self.tally.add("predicted garments that nobody has reviewed")
                usable = False
            if usable:
                truth.append(garment)
            elif garment.bbox is not None and not garment.bbox_problem:
                ignored.append(garment.bbox)
            else:
                whole |= bool(garment.keypoints.problem)
        if not truth and self.source.empty == "skip" and not image.reviewed:
            self.tally.add("images without a garment to learn from or to judge by")
            return None
        if not image.reviewed:
            ignored += image.ignored_boxes
        try:
            if not image.file_name:
                raise ImageError(f"{self.source.file}: image {image.id!r} has no file_name")
            return _Truth(image, image.path, truth, ignored, whole)
        except ImageError as error:
            self.tally.add("images that are missing or cannot be read", str(error))
            return None

    def _called(self, image: Image) -> str:
        return image.file_name or f"image {image.id!r}"

    def _annotated(
        self, key: str, group: str, truth: _Truth, size: tuple[int, int]
    ) -> AnnotatedImage:
        schema = self.schema
        k = schema.n_landmarks
        ignored = [box for box in truth.ignored if _is_region(box, size)]
        if truth.whole:
            ignored.append((0.0, 0.0, float(size[0]), float(size[1])))
        n = len(truth.garments) + len(ignored)
        xy = np.zeros((n, k, 2), np.float32)
        visibility = np.zeros((n, k), np.int64)
        member = np.zeros((n, k), np.bool_)
        box = np.zeros((n, 4), np.float32)
        category = np.full(n, UNCLEAR, np.int64)
        crowd = np.zeros(n, np.bool_)
        for i, garment in enumerate(truth.garments):
            crowd[i] = garment.is_crowd
            places, visibility[i] = self._landmarks(garment, truth, size)
            xy[i] = places
            category[i] = self._category(garment, truth)
            present = np.flatnonzero(visibility[i] > 0)
            member[i, _members(schema, garment, int(category[i]), present)] = True
            box[i] = self._box(garment, truth, size) or _box(xy[i, present], *size)
        for i, region in enumerate(ignored, start=len(truth.garments)):
            box[i], crowd[i] = region, True
        box[:, 2:] += box[:, :2]
        return AnnotatedImage(
            key, group, truth.path, size, xy, visibility, member, box, category, crowd
        )

    def _landmarks(
        self, garment: Garment, truth: _Truth, size: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return places and visibilities; those far outside are not labelled."""
        xy, visibility = garment.xy.copy(), garment.visibility.copy()
        seen = np.flatnonzero(visibility > 0).tolist()
        far = [i for i in seen if far_outside(float(xy[i, 0]), float(xy[i, 1]), size)]
        if far:
            x, y = xy[far[0]].tolist()
            self.tally.add(
                "landmarks far outside their image",
                f"{self._called(truth.image)}: annotation {garment.id!r} has {len(far)}, such as "
                f"({x:g}, {y:g}) in {size[0]} x {size[1]} pixels",
                n=len(far),
            )
            xy[far], visibility[far] = 0.0, 0
        if garment.is_crowd:
            self.tally.add("crowds, which are regions to ignore")
        elif not (visibility > 0).any():
            self.tally.add("garments without landmarks, of which only the category counts")
        return xy, visibility

    def _category(self, garment: Garment, truth: _Truth) -> int:
        index = self.rule.index_of(garment.category_id)
        if index == FOREIGN and not garment.is_crowd:
            self.tally.add(
                "garments of categories that the model lacks: nothing to learn, wrong in top-1, 3 and 5",
                f"{self._called(truth.image)}: {garment.category_name}",
            )
        return index

    def _box(
        self, garment: Garment, truth: _Truth, size: tuple[int, int]
    ) -> tuple[float, float, float, float] | None:
        box, problem = garment.bbox, garment.bbox_problem
        if box is not None and not problem and any(box) and not _is_region(box, size):
            problem = f"{box}, far outside {size[0]} x {size[1]} pixels"
        if problem:
            self.tally.add(
                "boxes that cannot be used, in place of which the landmarks' own counts",
                f"{self._called(truth.image)}: annotation {garment.id!r} has {problem}",
            )
            return None
        return box if box is not None and any(box) else None


def _is_region(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    """Whether a box has an area and does not go far beyond its image."""
    x, y, w, h = box
    if not (w > 0 and h > 0):
        return False
    return not (far_outside(x, y, size) or far_outside(x + w, y + h, size))


def _size_of(truth: _Truth) -> tuple[int, int] | str:
    """Return the size of an image file from its header, or why there is none."""
    try:
        return image_size(truth.path, size=truth.image.known_size)
    except ImageError as error:
        return str(error)


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


def split_images(
    images: Sequence[AnnotatedImage], share: float, seed: int, known: dict[str, list[str]] | None
) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """Split into training and validation images.

    An image that `known` (the split of the model one starts from) names stays on its side: else
    the old model would be judged on what it learned. The others go by a hash of their group, so
    that they stay where they are as the data grow; where that leaves one side without any although
    there are two groups, the group that is the nearest to changing sides does. Validation images
    without a garment to judge by are dropped.
    """
    known = known or {}
    side = dict.fromkeys(known.get("train", ()), "train")
    side |= dict.fromkeys(known.get("validation", ()), "validation")
    # An image of a group of which others are known goes where they are.
    placed = {p.group: side[p.key] for p in images if p.key in side}
    side |= {p.key: placed[p.group] for p in images if p.key not in side and p.group in placed}
    free = {p.group: _turn(p.group, seed) for p in images if p.key not in side}
    chosen = {group for group, turn in free.items() if turn < share}
    if share > 0 and len(free) > 1:
        judged = {p.group for p in images if p.key not in side and p.can_be_judged}
        held = any(side.get(p.key) == "validation" and p.can_be_judged for p in images)
        if not held and not chosen & judged and judged:
            chosen.add(min(judged, key=lambda g: free[g]))
        if not any(side.get(p.key) == "train" for p in images) and chosen == set(free):
            chosen.remove(max(chosen, key=lambda g: free[g]))
    train: list[AnnotatedImage] = []
    validation: dict[
        int, AnnotatedImage
    ] = {}  # once each, however often it is repeated for training
    for image in images:
        where = side.get(image.key)
        if where is None:
            where = "validation" if image.group in chosen else "train"
        if where == "train" or share == 0:
            train.append(image)
        elif image.can_be_judged:
            validation[id(image)] = image
    return train, list(validation.values())


def sampling_rates(images: Sequence[AnnotatedImage], balance: float) -> NDArray[np.float64]:
    """Return how often each image is drawn an epoch, 1 on the average.

    Parameters
    ----------
    images
        P training images.
    balance
        A garment counts n^-balance, where its category has n garments; an image as the mean of
        its garments. Images without a garment of known category are drawn as often as the
        average.

    Returns
    -------
    (P,) float64.
    """
    known = [p.category[(p.category >= 0) & ~p.crowd] for p in images]
    every = np.concatenate([np.zeros(0, np.int64), *known])
    rates = np.ones(len(images))
    if balance == 0 or not len(every):
        return rates
    count = np.bincount(every).clip(min=1)
    has = np.array([len(c) > 0 for c in known])
    rates[has] = [(count[c] ** -balance).mean() for c in known if len(c)]
    rates[has] /= rates[has].mean()
    return rates


def category_rates(
    images: Sequence[AnnotatedImage], rates: NDArray[np.float64], categories: int
) -> NDArray[np.float64]:
    """Return the share of each category among the garments that are drawn.

    Parameters
    ----------
    images
        P training images.
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
    for image, rate in zip(images, rates, strict=True):
        known = image.category[(image.category >= 0) & ~image.crowd]
        np.add.at(count, known, rate)
    share: NDArray[np.float64] = count / count.sum()
    return share


def draw_epoch(rates: NDArray[np.float64], generator: torch.Generator) -> Tensor:
    """Draw the images of an epoch, in random order: as many as there are.

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


def fingerprint(images: Sequence[AnnotatedImage]) -> str:
    """First 16 hexadecimal digits of a SHA-256 of the annotations, in any order of images."""
    digests = []
    for p in images:
        h = hashlib.sha256(p.key.encode())
        for array in (p.xy, p.visibility, p.category):
            h.update(np.ascontiguousarray(array).tobytes())
        digests.append(h.digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16]


class CanvasDataset(TorchDataset[tuple[Tensor, tuple[float, float], float, float, int]]):
    """Images scaled onto the top left of square canvases.

    An item is the canvas (3, S, S) uint8, the image's (width, height) on it, the scale (x, y)
    from image to canvas, and its index.

    Parameters
    ----------
    images
        What to load.
    side
        The canvas's side S, pixels.
    cache_gb
        Keep decoded images in memory as long as all of them fit into so much.
    """

    def __init__(self, images: Sequence[AnnotatedImage], side: int, cache_gb: float) -> None:
        self.images = list(images)
        self.side = side
        paths = {p.path for p in self.images}
        self._keep = len(paths) * side * side * 3 <= cache_gb * 2**30
        self._cache: dict[Path, RGBImage] = {}
        self.broken: dict[int, str] = {}
        """Why images that were asked for cannot be read, by index."""

    def __len__(self) -> int:
        return len(self.images)

    def preload(self, threads: int = 2) -> None:
        """Decode everything that will be kept, in threads."""
        if self._keep:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(self._readable, range(len(self.images))))

    def _readable(self, index: int) -> tuple[int, RGBImage]:
        """Return an image and its index: the next one's, where it cannot be read any more.

        Headers were read before the run began; an image that went since, or is damaged further on, must
        not end it.
        """
        problem: ImageError | None = None
        for step in range(len(self.images)):
            place = (index + step) % len(self.images)
            if place in self.broken:
                continue
            try:
                return place, self._small(place)
            except ImageError as error:
                self.broken[place] = str(error)
                # The trainer tells it; of what a worker process found, only the log knows.
                level = logging.INFO if get_worker_info() is None else logging.WARNING
                _log.log(level, "left out of training: %s", error)
                problem = problem or error
        raise problem or ImageError("None of the images can be read any more.")

    def _small(self, index: int) -> RGBImage:
        image = self.images[index]
        if image.path in self._cache:
            return self._cache[image.path]
        full = image.read()
        factor = self.side / max(image.size)
        size = (max(1, round(image.size[0] * factor)), max(1, round(image.size[1] * factor)))
        small = resize(full, size)
        if self._keep:
            self._cache[image.path] = small
        return small

    def __getitem__(self, index: int) -> tuple[Tensor, tuple[float, float], float, float, int]:
        index, small = self._readable(index)
        canvas = np.full((self.side, self.side, 3), PADDING, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        width, height = self.images[index].size
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
        """Stack items and their garments, padded to the most garments of an image (at least 1)."""
        chosen = [self.images[index] for *_, index in items]
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

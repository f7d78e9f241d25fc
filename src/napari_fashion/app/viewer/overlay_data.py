"""What is drawn over the image, and where on the screen; pure, neither Qt nor napari.

Places on the image are xy pixels of the file; places on the screen are xy pixels of the canvas, from its
upper left corner. Sizes on the screen are the same at any zoom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_fashion.app.viewer.layer_data import FAR, HUMAN, UNSURE, rgb
from napari_fashion.coco import Garment
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.viewing import Selection
from napari_fashion.schema import Schema

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Rect = tuple[float, float, float, float]
"""Left, top, width and height on the screen."""

TINTS = ((195, 181, 253), (246, 223, 174), (168, 236, 217), (255, 192, 192))
"""Of the garments of an image in order, then anew; dark text can be read on each."""

DISC = 13
"""Diameter of a landmark of the selected garment, pixels of the screen."""
OTHER_DISC = 9
REACH = 9
"""Pixels of the screen from a landmark's centre within which a press is for it."""
LINE_REACH = 5
PLATE_HEIGHT = 24
PLATE_ABOVE = 44
"""Pixels of the screen from a garment's top up to its plate's upper edge."""
PLATE_STEP = 28
"""How far a plate moves up that would lie on another."""
MARGIN = 4
"""Least distance of a plate from the edge of what is seen of the image."""

_PARTS = ("collar", "sleeve", "waistline", "hem")
_SIDES = ("left", "right")
_GARMENT_NAMES = frozenset(f"{side}_{part}" for side in _SIDES for part in _PARTS)


@dataclass(frozen=True)
class Camera:
    """How places on the image become places on the screen.

    Attributes
    ----------
    center
        The place on the image in the middle of the canvas, xy.
    zoom
        Pixels of the screen for one of the image.
    size
        Width and height of the canvas.
    """

    center: tuple[float, float]
    zoom: float
    size: tuple[float, float]

    def to_screen(self, xy: ArrayLike) -> Array:
        """Turn places on the image, (..., 2), into places on the screen."""
        moved = np.asarray(xy, np.float64) - self.center
        return moved * self.zoom + np.asarray(self.size) / 2

    def to_image(self, xy: ArrayLike) -> Array:
        """Turn places on the screen, (..., 2), into places on the image."""
        moved = np.asarray(xy, np.float64) - np.asarray(self.size) / 2
        return moved / self.zoom + self.center


@dataclass(frozen=True, eq=False)
class Figure:
    """One garment as it is drawn: its N placed landmarks, its M lines and its plate.

    Attributes
    ----------
    garment_id, number
        Whose, and its place in the list, from 1.
    tint
        RGB, 0..255.
    category, score, unsure_category
        What the plate says; the score is empty where a person chose the category.
    selected
        Whether it is the selected garment.
    landmarks
        (N,) indices into the schema.
    xy
        (N, 2) places on the image.
    hidden, unsure
        (N,) bool. Unsure: the model's score is below `UNSURE` and no person has placed it.
    scores
        (N,) 0..1.
    lines
        (M, 2) rows of `xy` that a line joins.
    dashed
        (M,) bool: an end is hidden.
    """

    garment_id: RecordId
    number: int
    tint: tuple[int, int, int]
    category: str
    score: str
    unsure_category: bool
    selected: bool
    landmarks: Indices
    xy: Array
    hidden: NDArray[np.bool_]
    unsure: NDArray[np.bool_]
    scores: Array
    lines: Indices
    dashed: NDArray[np.bool_]

    def row_of(self, landmark: int | None) -> int | None:
        """Return the row of a landmark, or None where it is not placed."""
        rows = np.flatnonzero(self.landmarks == (-1 if landmark is None else landmark))
        return int(rows[0]) if len(rows) else None


@dataclass(frozen=True, eq=False)
class Scene:
    """All that is drawn of the garments of an image.

    Attributes
    ----------
    figures
        In the order in which they lie on each other: the selected one last.
    landmark
        The selected landmark of the selected garment.
    chosen
        All of it that are selected; keys act on them.
    names
        The landmarks' names for people.
    colors
        (K, 3) of the landmarks, 0..1.
    """

    figures: tuple[Figure, ...] = ()
    landmark: int | None = None
    chosen: frozenset[int] = frozenset()
    names: tuple[str, ...] = ()
    colors: Array | None = None

    @property
    def selected(self) -> Figure | None:
        """The figure of the selected garment."""
        return next((f for f in self.figures if f.selected), None)

    def moved(self, places: dict[tuple[RecordId, int], tuple[float, float]]) -> Scene:
        """Return the scene with landmarks, by garment and index, at other xy on the image."""
        figures = []
        for figure in self.figures:
            xy = figure.xy.copy()
            for row, landmark in enumerate(figure.landmarks.tolist()):
                xy[row] = places.get((figure.garment_id, landmark), xy[row])
            figures.append(replace(figure, xy=xy))
        return replace(self, figures=tuple(figures))


def scene_of(
    garments: Sequence[Garment], schema: Schema, selection: Selection | None = None
) -> Scene:
    """Return what is drawn of the garments of an image."""
    selection = selection or Selection()
    figures = [
        _figure(garment, number, schema, garment.id == selection.garment_id)
        for number, garment in enumerate(garments, start=1)
    ]
    figures.sort(key=lambda figure: figure.selected)
    names = tuple(name.replace("_", " ") for name in schema.landmarks)
    return Scene(
        tuple(figures), selection.landmark, frozenset(selection.landmarks), names, rgb(schema)
    )


def silhouette(visibility: ArrayLike, schema: Schema) -> list[tuple[int, int]]:
    """Return the pairs of placed landmarks that the silhouette joins.

    For the eight landmarks of garments by rule: the collars, each collar with its sleeve and its waist,
    each waist with its hem, and the hems. A collar is joined to its hem only where that waist is not
    placed, and the waists to each other only where no collar is. For other landmarks: the schema's
    edges.
    """
    placed = np.asarray(visibility) > 0
    pairs = (
        _garment_pairs(placed, schema) if set(schema.landmarks) == _GARMENT_NAMES else schema.edges
    )
    return [(a, b) for a, b in pairs if placed[a] and placed[b]]


def _garment_pairs(placed: NDArray[np.bool_], schema: Schema) -> list[tuple[int, int]]:
    index = {name: k for k, name in enumerate(schema.landmarks)}
    at = {(side, part): index[f"{side}_{part}"] for side in _SIDES for part in _PARTS}
    pairs = [(at["left", "collar"], at["right", "collar"])]
    for side in _SIDES:
        collar, waist, hem = at[side, "collar"], at[side, "waistline"], at[side, "hem"]
        pairs += [(collar, at[side, "sleeve"]), (collar, waist), (waist, hem)]
        if not placed[waist]:
            pairs.append((collar, hem))
    if not placed[[at[side, "collar"] for side in _SIDES]].any():
        pairs.append((at["left", "waistline"], at["right", "waistline"]))
    return [*pairs, (at["left", "hem"], at["right", "hem"])]


def _figure(garment: Garment, number: int, schema: Schema, selected: bool) -> Figure:
    visibility = garment.visibility
    placed = np.flatnonzero(visibility)
    row = {k: i for i, k in enumerate(placed.tolist())}
    pairs = silhouette(visibility, schema)
    scores = garment.landmark_scores[placed]
    by_model = np.array([garment.landmark_sources[k] != HUMAN for k in placed.tolist()], bool)
    category_score = garment.category_scores.get(garment.category_name)
    told = category_score is not None and garment.category_source != HUMAN
    return Figure(
        garment.id,
        number,
        TINTS[(number - 1) % len(TINTS)],
        garment.category_name,
        f"{category_score:.0%}".replace("%", " %") if told else "",
        bool(told and category_score is not None and category_score < UNSURE),
        selected,
        placed,
        np.clip(garment.xy[placed], -FAR, FAR),
        visibility[placed] == 1,
        by_model & (scores > 0) & (scores < UNSURE),
        scores,
        np.array([(row[a], row[b]) for a, b in pairs], np.int64).reshape(-1, 2),
        np.array([1 in (visibility[a], visibility[b]) for a, b in pairs], bool),
    )


# -- plates and names -----------------------------------------------------------------------------


def plates(
    scene: Scene, camera: Camera, image_size: tuple[int, int], widths: dict[RecordId, float]
) -> dict[RecordId, Rect]:
    """Return where each garment's plate lies.

    Above the garment, within what is seen of the image; one that would lie on another moves up by
    `PLATE_STEP` as often as needed, and down where there is no room above.

    Parameters
    ----------
    image_size
        Width and height of the image.
    widths
        Of the plates, by garment; the figures without one get none.
    """
    corners = camera.to_screen([(-0.5, -0.5), (image_size[0] - 0.5, image_size[1] - 0.5)])
    left, top = np.maximum(corners[0], 0) + MARGIN
    right, bottom = np.minimum(corners[1], camera.size) - MARGIN
    found: dict[RecordId, Rect] = {}
    for figure in sorted(scene.figures, key=lambda f: (not f.selected, f.number)):
        width = widths.get(figure.garment_id)
        if width is None or not len(figure.xy):
            continue
        screen = camera.to_screen(figure.xy)
        x = min(max(float(screen[:, 0].min()), left), max(right - width, left))
        y = min(max(float(screen[:, 1].min()) - PLATE_ABOVE, top), max(bottom - PLATE_HEIGHT, top))
        found[figure.garment_id] = _free(
            (float(x), float(y), width, PLATE_HEIGHT), list(found.values()), float(top)
        )
    return found


def _free(rect: Rect, others: list[Rect], top: float) -> Rect:
    """Return the rectangle moved up until it lies on no other; down from its place where it can't."""
    x, y, width, height = rect
    for step in (-PLATE_STEP, PLATE_STEP):
        at = y
        while any(_overlap((x, at, width, height), other) for other in others):
            at += step
        if at >= top or step > 0:
            return x, at, width, height
    raise AssertionError("below all others there is room")


def _overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def name_at(xy: ArrayLike, away: ArrayLike, width: float, camera: Camera, gap: float) -> float:
    """Return the left end of a name beside a landmark: on the side away from the garment.

    Parameters
    ----------
    xy
        The landmark on the screen.
    away
        The middle of its garment on the screen.
    width
        Of the name.
    gap
        From the landmark's centre to the name.
    """
    x = float(np.asarray(xy)[0])
    sides = [x - gap - width, x + gap]
    if x >= float(np.asarray(away)[0]):
        sides.reverse()
    room = [side for side in sides if side >= 2 and side + width <= camera.size[0] - 2]
    return (room or sides)[0]


# -- what lies under the pointer ------------------------------------------------------------------


def landmark_at(scene: Scene, camera: Camera, xy: ArrayLike) -> tuple[RecordId, int] | None:
    """Return garment and index of the landmark at a place on the screen, the nearest in reach.

    Of two equally near the selected garment's.
    """
    best, found = float(REACH), None
    for figure in scene.figures:
        if not len(figure.xy):
            continue
        distances = np.linalg.norm(camera.to_screen(figure.xy) - np.asarray(xy), axis=1)
        row = int(distances.argmin())
        if distances[row] <= best:
            best = float(distances[row])
            found = (figure.garment_id, int(figure.landmarks[row]))
    return found


def garment_at(
    scene: Scene, camera: Camera, xy: ArrayLike, plates: dict[RecordId, Rect]
) -> RecordId | None:
    """Return the garment whose landmark, plate or line lies at a place on the screen."""
    landmark = landmark_at(scene, camera, xy)
    if landmark is not None:
        return landmark[0]
    x, y = np.asarray(xy, np.float64).tolist()
    for garment_id, (left, top, width, height) in plates.items():
        if left <= x <= left + width and top <= y <= top + height:
            return garment_id
    best, found = float(LINE_REACH), None
    for figure in scene.figures:
        if not len(figure.lines):
            continue
        ends = camera.to_screen(figure.xy[figure.lines])
        distance = float(_to_lines(np.array([x, y]), ends[:, 0], ends[:, 1]).min())
        if distance <= best:
            best, found = distance, figure.garment_id
    return found


def _to_lines(xy: Array, start: Array, end: Array) -> Array:
    """Return the distances (M,) of a place from lines between (M, 2) ends."""
    along = end - start
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip(((xy - start) * along).sum(axis=1) / length, 0, 1)
    distances: Array = np.linalg.norm(start + share[:, None] * along - xy, axis=1)
    return distances


def extent_of(figure: Figure, camera: Camera) -> Any:
    """Return the middle of a garment on the screen, xy."""
    screen = camera.to_screen(figure.xy)
    return (screen.min(axis=0) + screen.max(axis=0)) / 2

"""Who placed what, and how sure the model was: all that we write under the one key ``"fashion"``.

COCO has no field for the source of an annotation, its score, or whether a person has reviewed
an image. These stand under one key of ours, so that a file stays plain COCO for everybody else::

    annotation["fashion"] = {
        "source": "model:<id>",              # who made the garment; without it: "human"
        "score": 0.83,
        "keypoint_scores": [...],            # K numbers; null where a person placed the landmark
        "keypoint_present": [...],           # K probabilities that it is there, if the model says so
        "keypoint_visible": [...],           # K that it is visible and not hidden, if it is there; likewise
        "keypoint_sources": [...],           # K strings, only once a person has changed one
        "category_source": "human",          # only once a person has chosen the category
        "edited": true,                      # a person's own garment, once it was changed here
        "category_scores": {"Dress": 0.91},  # the most probable ones
    }
    image["fashion"] = {
        "reviewed": true,
        "image_rejected": true,              # a person does not want it annotated
        "rejected": [...],                   # garments of a model that a person deleted
        "ignore": [[x, y, w, h], ...],       # on export: garments that no person reviewed
    }
    category["fashion"] = {
        "model_categories": [...],           # names of a model's categories that it stands for
        "read_as": [...],                    # names of further ones that its garments count as
        "left_out": [...],                   # names of those whose garments are left out of the file
    }
    info["fashion"] = {
        "image_root": "../photos",           # where file_name is relative to
        "schema": "garments",                # what the landmarks mean: a name, or all of it
    }

The functions that write return the new value of the key and leave the record alone: the change
itself is an edit, which a person may want to undo.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from napari_fashion.coco.keypoints import flag, number, parse_box

KEY = "fashion"
HUMAN = "human"
MODEL = "model:"
"""What the source of a model's garment begins with; every other source is a person's."""

SCORES, PRESENT, VISIBLE = "keypoint_scores", "keypoint_present", "keypoint_visible"
NUMBERS = (SCORES, PRESENT, VISIBLE)
"""What a model says of each landmark: lists of K numbers, of which the first is always there."""

IMAGE_REJECTED = "image_rejected"
MODEL_CATEGORIES = "model_categories"
READ_AS = "read_as"
LEFT_OUT = "left_out"

Record = Mapping[str, Any]


def of(record: Record) -> Mapping[str, Any]:
    """Return what stands under our key; empty if there is none."""
    value = record.get(KEY)
    return value if isinstance(value, dict) else {}


def form_problem(field: str, value: object, k: int) -> str:
    """Return what was expected of a value under our key where it has another form; else empty text.

    Parameters
    ----------
    field
        Its name.
    value
        What is there; None for nothing.
    k
        Number of landmarks of the schema.
    """
    match field:
        case _ if value is None:
            return ""
        case "keypoint_sources":
            fits = isinstance(value, list) and len(value) == k
            return "" if fits else f"a list of {k} names"
        case "category_source":
            return "" if isinstance(value, str) else "text"
        case "rejected":
            fits = isinstance(value, list) and all(isinstance(v, dict) for v in value)
            return "" if fits else "a list of objects"
        case "model_categories" | "read_as" | "left_out":
            fits = isinstance(value, list) and all(isinstance(v, str) for v in value)
            return "" if fits else "a list of names"
        case "ignore":
            return "" if isinstance(value, list) else "a list of boxes"
        case "reviewed" | "edited" | "image_rejected":
            return "" if isinstance(value, (bool, int)) else "true or false"
    return ""


def names_of(ours: Record, field: str) -> list[str]:
    """Return a list of names under our key; empty if there is none."""
    value = ours.get(field)
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def is_reviewed(image: Record) -> bool:
    """Whether a person has marked the image's garments as right."""
    return flag(of(image).get("reviewed"))


def is_rejected(image: Record) -> bool:
    """Whether a person has rejected the image: it is not to be annotated."""
    return flag(of(image).get(IMAGE_REJECTED))


def source(annotation: Record) -> str:
    """Return who made the garment: ``human`` or ``model:<id>``.

    A ``source`` beside COCO's own keys counts as well, as results have it: whoever joins a model's
    results to a file by hand has not placed them.
    """
    for value in (of(annotation).get("source"), annotation.get("source")):
        if isinstance(value, str) and value.startswith(MODEL):
            return value
    return HUMAN


def score(annotation: Record) -> float | None:
    """Return the model's score of the garment, 0..1, or None."""
    value = of(annotation).get("score", annotation.get("score"))
    return number(value) if _is_number(value) else None


def landmark_sources(annotation: Record, k: int) -> tuple[str, ...]:
    """Return for each of the K landmarks who placed it."""
    value = of(annotation).get("keypoint_sources")
    default = source(annotation)
    if not isinstance(value, list) or len(value) != k:
        return (default,) * k
    return tuple(v if isinstance(v, str) and v else default for v in value)


def landmark_scores(annotation: Record, k: int) -> npt.NDArray[np.float64]:
    """Return the model's scores of the K landmarks, (K,) 0..1; NaN if there is none."""
    return landmark_numbers(annotation, SCORES, k)


def landmark_numbers(annotation: Record, name: str, k: int) -> npt.NDArray[np.float64]:
    """Return what the model says of the K landmarks by one of `NUMBERS`, (K,) 0..1; NaN if it does not."""
    value = of(annotation).get(name, annotation.get(name))
    if not isinstance(value, list) or len(value) != k:
        return np.full(k, np.nan)
    return np.array([number(v) if _is_number(v) else np.nan for v in value])


def category_source(annotation: Record) -> str:
    """Return who chose the category."""
    value = of(annotation).get("category_source")
    return value if isinstance(value, str) and value else source(annotation)


def category_scores(annotation: Record) -> dict[str, float]:
    """Return the highest category probabilities of the model, by name."""
    value = of(annotation).get("category_scores", annotation.get("category_scores"))
    if not isinstance(value, dict):
        return {}
    return {name: number(p) for name, p in value.items() if _is_number(p)}


def touched_by_human(annotation: Record) -> bool:
    """Whether a person made the garment or changed anything in it.

    A new prediction must not replace such a garment unless the person asks for it.
    """
    fashion = of(annotation)
    if source(annotation) == HUMAN or fashion.get("category_source") == HUMAN:
        return True
    sources = fashion.get("keypoint_sources")
    return isinstance(sources, list) and HUMAN in sources


def edited(annotation: Record) -> bool:
    """Whether a person changed the garment since it came from a file or a model."""
    if source(annotation) == HUMAN:
        return flag(of(annotation).get("edited"))
    return touched_by_human(annotation)


def with_reviewed(image: Record, reviewed: bool) -> dict[str, Any]:
    """Return an image's ``"fashion"`` value with the review state set.

    What is reviewed is rejected no more.
    """
    ours = {**of(image), "reviewed": reviewed}
    if reviewed:
        ours.pop(IMAGE_REJECTED, None)
    return ours


def with_image_rejected(image: Record, rejected: bool) -> dict[str, Any]:
    """Return an image's ``"fashion"`` value after a person rejected the image, or took it back.

    What is rejected is reviewed no more.
    """
    ours = dict(of(image))
    ours.pop(IMAGE_REJECTED, None)
    if rejected:
        ours[IMAGE_REJECTED] = True
        if ours.get("reviewed"):
            ours["reviewed"] = False
    return ours


def ignored_boxes(image: Record) -> list[tuple[float, float, float, float]]:
    """Return the regions (x, y, width, height) of an image whose content is unknown."""
    boxes = of(image).get("ignore")
    found = [parse_box(box) for box in boxes] if isinstance(boxes, list) else []
    return [box for box in found if box is not None]


def rejected(image: Record) -> list[Record]:
    """Return the garments of a model that a person deleted from an image: their ``keypoints``."""
    value = of(image).get("rejected")
    return [r for r in value if isinstance(r, dict)] if isinstance(value, list) else []


def with_rejected(image: Record, annotation: Record) -> dict[str, Any]:
    """Return an image's ``"fashion"`` value after a person deleted a model's garment."""
    gone = {"keypoints": annotation.get("keypoints")}
    return {**of(image), "rejected": [*rejected(image), gone]}


def with_ignored(image: Record, boxes: Sequence[Any]) -> dict[str, Any]:
    """Return an image's ``"fashion"`` value with these regions noted as ones to ignore.

    What stands there already is kept; where it is no list, it makes place.
    """
    known = of(image).get("ignore")
    return {**of(image), "ignore": [*(known if isinstance(known, list) else []), *boxes]}


def with_human(
    annotation: Record, k: int, landmarks: Collection[int] = (), *, category: bool = False
) -> dict[str, Any]:
    """Return an annotation's ``"fashion"`` value after a person changed something in it.

    The landmarks that the person changed become ``human`` and lose their score and probabilities,
    which were for another place; the others keep theirs. A garment that is a person's own is noted as
    edited.

    Parameters
    ----------
    annotation
        The raw record.
    k
        Number of landmarks of the schema.
    landmarks
        Indices of the landmarks that were moved, added, removed, or got another visibility.
    category
        Whether the category was chosen.
    """
    fashion = dict(of(annotation))
    if source(annotation) == HUMAN:
        return {**fashion, "edited": True}
    if landmarks:
        sources = list(landmark_sources(annotation, k))
        for i in landmarks:
            sources[i] = HUMAN
        fashion["keypoint_sources"] = sources
        for name in NUMBERS:
            value = fashion.get(name, annotation.get(name))
            if isinstance(value, list) and len(value) == k:
                fashion[name] = [None if i in landmarks else v for i, v in enumerate(value)]
    if category:
        fashion["category_source"] = HUMAN
    return fashion


def moved(fashion: Record, k: int, moves: Mapping[int, int]) -> dict[str, Any]:
    """Return what a ``"fashion"`` value says of single landmarks after some became others.

    Parameters
    ----------
    fashion
        The value.
    k
        Number of landmarks of the schema.
    moves
        For the index of each such landmark its new one.
    """
    changed = {}
    for key in ("keypoint_sources", *NUMBERS):
        values = fashion.get(key)
        if moves and isinstance(values, list) and len(values) == k:
            changed[key] = list(values)
            for old, new in moves.items():
                changed[key][new], changed[key][old] = values[old], values[new]
    return changed


def of_model(
    source: str,
    score: float,
    keypoint_scores: Sequence[float],
    category_scores: Mapping[str, float],
    *,
    present: npt.ArrayLike | None = None,
    visible: npt.ArrayLike | None = None,
) -> dict[str, Any]:
    """Return the ``"fashion"`` value of a predicted garment; scores are rounded to 4 decimals.

    Parameters
    ----------
    source
        ``model:<id>``.
    score, keypoint_scores
        Of the garment and of its K landmarks, 0..1.
    category_scores
        Probabilities of categories by name.
    present, visible
        (K,) probabilities of each landmark (`PredictedGarment`); None where the model says nothing.
        Where landmarks are there as probably as they score, the scores alone are written.
    """
    if present is not None and np.array_equal(present, keypoint_scores):
        present = None
    value: dict[str, Any] = {"source": source, "score": round(float(score), 4)}
    for name, numbers in ((SCORES, keypoint_scores), (PRESENT, present), (VISIBLE, visible)):
        if numbers is not None:
            value[name] = [round(float(v), 4) for v in np.asarray(numbers, np.float64).tolist()]
    value["category_scores"] = {name: round(float(p), 4) for name, p in category_scores.items()}
    return value


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

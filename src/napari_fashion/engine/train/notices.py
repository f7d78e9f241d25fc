"""What a person should know of a run's data before its first step. This module imports no torch."""

from __future__ import annotations

from napari_fashion.documents import listed
from napari_fashion.engine.data.split import MIN_VALIDATION, Split
from napari_fashion.engine.train.events import NoticeEvent
from napari_fashion.schema import Schema


def data_notices(schema: Schema, split: Split, *, share: float) -> list[NoticeEvent]:
    """Return what follows from the landmarks' names and from the split.

    Parameters
    ----------
    schema
        Of the run.
    split
        Of its images.
    share
        Share of the images that the recipe wants to hold out; at 0 no validation is missed.
    """
    notices = []
    if not schema.mirrors:
        notices.append(NoticeEvent(level="warning", message=mirroring_off(schema)))
    if split.left_out:
        level = "info" if split.namesakes is None else "warning"
        notices.append(NoticeEvent.model_validate({"level": level, "message": _left_out(split)}))
    n = len(split.validation)
    if split.learned and (n or share > 0):
        message = (
            f"{split.learned} of {split.judgeable} images that a model could be judged by are not used "
            "for it: the model that the run starts from has learned from them. Held out to judge by: "
            f"{n}."
        )
        level = "warning" if n < MIN_VALIDATION else "info"
        notices.append(NoticeEvent.model_validate({"level": level, "message": message}))
    elif share > 0 and not n:
        message = (
            "No image is held out to judge the model by: expected at least two groups of images with "
            "a garment that has a visible landmark."
        )
        notices.append(NoticeEvent(level="warning", message=message))
    return notices


def skeleton_notices(schema: Schema) -> list[NoticeEvent]:
    """Return which garments the schema's skeleton leaves in several pieces."""
    pieces = {name: schema.pieces_of(name) for name in schema.body_type_names}
    broken = {name: parts for name, parts in pieces.items() if len(parts) > 1}
    if not broken:
        return []
    said = [f"{name} ({len(parts)} pieces)" for name, parts in broken.items()]
    name, parts = next(iter(broken.items()))
    first = " | ".join(listed([schema.landmarks[i] for i in part], 6) for part in parts[:3])
    message = (
        f"The skeleton leaves garments in pieces: {listed(said)}. In images of several garments each piece "
        f"is found as a garment of its own. {name}: {first}."
    )
    return [NoticeEvent(message=message, level="warning")]


def _left_out(split: Split) -> str:
    """Return how many training images are left out for those that were given to judge by, and why."""
    message = (
        f"{split.left_out} images of data.train are left out, because images of data.validation have "
        "their name or group."
    )
    if split.namesakes is not None:
        message += (
            f" Some are other images of the same name, such as {split.namesakes[0]} and "
            f"{split.namesakes[1]}: to use both, put a folder before their names (file_name)."
        )
    return message


def mirroring_off(schema: Schema) -> str:
    """Return why a schema's images are not flipped, and how to give what is missing."""
    return (
        "Mirroring is off: no image is flipped in training (augment.flip is taken as 0) and flip TTA "
        "is not used, because it is not known which landmarks a horizontal flip exchanges: "
        f"{schema.mirror_problem}. To give them, add to each category of the COCO file the key "
        'flip_pairs, such as [["left_hem", "right_hem"]], or use a schema file (TOML) with '
        "flip_pairs; landmarks in no pair stay themselves."
    )

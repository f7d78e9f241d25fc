"""Which garments of a source are learned from, by body type, and with which of their landmarks."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from napari_fashion.coco import Garment
from napari_fashion.datasets.source import Source
from napari_fashion.documents import listed, shown
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema


class Use(Enum):
    """What a garment of a source is used for."""

    OWN = "learned from"
    SHARED = "learned from by the landmarks that it shares, without its category"
    IGNORED = "neither learned from nor taken as background"
    BACKGROUND = "taken as background"


class BodyTypeFilter:
    """What `Source.body_types` makes of garments.

    Parameters
    ----------
    source
        Whose options count.
    schema
        Of the landmarks.

    Raises
    ------
    RecipeError
        If the schema lacks one of the body types.
    """

    def __init__(self, source: Source, schema: Schema) -> None:
        self._source, self._schema = source, schema
        for name in source.body_types or ():
            if name not in schema.body_type_names:
                raise RecipeError(
                    f"{source.file}: body_types has {shown(name)}, which schema {schema.name!r} lacks; "
                    f"expected some of {listed(schema.body_type_names)}."
                )

    @property
    def others(self) -> Use:
        """What garments of other body types are."""
        return Use.BACKGROUND if self._source.others == "negative" else Use.IGNORED

    def use_of(self, body_type: str | None) -> Use:
        """Return what garments of a body type are used for; those of an unknown one (None) are ignored."""
        wanted = self._source.body_types
        if wanted is None or body_type in wanted:
            return Use.OWN
        if body_type is None:
            return Use.IGNORED
        if self._source.shared_landmarks:
            landmarks = set(self._schema.landmarks_of(body_type))
            if set(self._schema.landmarks_of(wanted[0])) < landmarks:
                return Use.SHARED
        return self.others

    def shared(self) -> list[int]:
        """Return the landmarks that garments which are `Use.SHARED` keep."""
        assert self._source.body_types is not None  # the source has been checked for it
        return list(self._schema.landmarks_of(self._source.body_types[0]))


def body_type_of(
    schema: Schema, garment: Garment, category: int, present: Iterable[int]
) -> str | None:
    """Return a garment's body type: its record's, else what its category and landmarks say.

    Parameters
    ----------
    schema
        Of the landmarks.
    garment
        Whose record may name the body type.
    category
        Index into the schema's categories; below 0 if it is not known.
    present
        Indices of the labelled landmarks.

    Returns
    -------
    None if the category is not known, or if it has several body types and no landmark is labelled.
    """
    if garment.body_type in schema.body_type_names:
        return garment.body_type
    if category < 0:
        return None
    present = list(present)
    possible = schema.categories[category].body_types
    if present or len(possible) == 1:
        return schema.body_type_for(category, present)
    return None

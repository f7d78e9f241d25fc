"""A category of a schema, and its name as a part of a schema's name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One garment category.

    Attributes
    ----------
    name
        As the COCO file writes it.
    body_types
        The body types that garments of this category have, the usual one first: a Dress is
        ``("full",)``, Outwear ``("upper", "full")``.
    """

    name: str
    body_types: tuple[str, ...]


def slug(name: str) -> str:
    """Return a category's name in small letters, its words joined by hyphens.

    >>> slug("Short sleeve_top")
    'short-sleeve-top'
    """
    return "-".join(name.lower().replace("_", " ").split())

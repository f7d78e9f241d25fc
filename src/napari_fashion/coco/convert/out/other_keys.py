"""Keys of records that a format has no place for, counted with the first few of their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from napari_fashion.coco import provenance
from napari_fashion.documents import listed
from napari_fashion.tally import Tally


class OtherKeys:
    """Counts records with keys that a format does not hold.

    Parameters
    ----------
    tally
        Where.
    kind
        What they are called there.
    held
        Keys that the format holds; of those under our key with ``fashion.`` before them.
    """

    def __init__(self, tally: Tally, kind: str, held: Collection[str]) -> None:
        self._tally = tally
        self._kind = kind
        self._held = frozenset(held)

    def count(self, record: Mapping[str, Any]) -> None:
        """Count a record, if it has any."""
        more = record.keys() - self._held
        if provenance.KEY in more and (ours := provenance.of(record)):
            more = (more - {provenance.KEY}) | {f"{provenance.KEY}.{key}" for key in ours}
            more -= self._held
        if not more:
            return
        example = listed(sorted(map(str, more)))
        known = self._tally.examples.get(self._kind, ())
        self._tally.add(self._kind, "" if example in known else example)


def images_keys(tally: Tally, *held: str) -> OtherKeys:
    """Return what counts the keys of images, for a format that has names and sizes only.

    Parameters
    ----------
    held
        Further keys that the format holds. Regions under ``fashion.ignore`` are for the writer to count.
    """
    known = ("id", "file_name", "width", "height", f"{provenance.KEY}.ignore", *held)
    return OtherKeys(tally, "images with keys that the format cannot hold", known)

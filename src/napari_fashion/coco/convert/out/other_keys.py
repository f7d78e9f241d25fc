"""Keys of records that a format has no place for, counted with the first few of their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from napari_fashion.coco import provenance
from napari_fashion.documents import listed
from napari_fashion.tally import Tally

_MOST = 1000
"""Number of different lists of keys that are remembered, to name each once."""


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
        self._named: set[tuple[str, ...]] = set()

    def count(self, record: Mapping[str, Any]) -> None:
        """Count a record, if it has any."""
        more = record.keys() - self._held
        if provenance.KEY in more and (ours := provenance.of(record)):
            more = (more - {provenance.KEY}) | {f"{provenance.KEY}.{key}" for key in ours}
            more -= self._held
        if not more:
            return
        names = tuple(sorted(map(str, more)))
        example = ""
        if names not in self._named and len(self._named) < _MOST:
            self._named.add(names)
            example = listed(names)
        self._tally.add(self._kind, example)

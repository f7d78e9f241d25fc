"""Counting what was found odd or left out: by kind, with the first few of each."""

from __future__ import annotations

from collections.abc import Iterator

from napari_fashion.documents import shortened

EXAMPLES = 3
"""Number of examples kept per kind; the others are only counted."""
MAX_LETTERS = 700
"""Approximate maximum length of an example; longer ones are shortened in the middle."""


class Tally:
    """How often something of a kind was met, and the first few of them, in the order they came.

    Its size is bounded by the number of kinds, however much is counted.

    Attributes
    ----------
    counts
        Number of cases by kind.
    examples
        The first `EXAMPLES` sentences of each kind.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add("missing images", "a.jpg"), tally.add("odd boxes", n=2)
    (None, None)
    >>> list(tally.lines())
    ['missing images: a.jpg', 'odd boxes: 2']
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: dict[str, list[str]] = {}

    def __repr__(self) -> str:
        return f"Tally({self.counts})"

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def total(self) -> int:
        """Number of cases of all kinds."""
        return sum(self.counts.values())

    def add(self, kind: str, example: str = "", n: int = 1) -> None:
        """Count something.

        Parameters
        ----------
        kind
            A plural: ``"images of another size than their record"``.
        example
            A sentence on this case; empty if the count is enough.
        n
            Number of cases that it stands for.
        """
        self.counts[kind] = self.counts.get(kind, 0) + n
        kept = self.examples.setdefault(kind, [])
        if example and len(kept) < EXAMPLES:
            kept.append(shortened(example, MAX_LETTERS))

    def update(self, other: Tally) -> None:
        """Count everything of another tally."""
        for kind, n in other.counts.items():
            self.add(kind, n=n)
            kept = self.examples[kind]
            kept += other.examples.get(kind, [])[: EXAMPLES - len(kept)]

    def lines(self, examples: int = EXAMPLES) -> Iterator[str]:
        """Yield one line per kind, and under it the first few, indented; ``... and 12 more`` at the end."""
        for kind, n in self.counts.items():
            shown = self.examples[kind][:examples]
            if n == len(shown) == 1:
                yield f"{kind}: {shown[0]}"
                continue
            yield f"{kind}: {n:,}"
            yield from (f"  {text}" for text in shown)
            if shown and n > len(shown):
                yield f"  ... and {n - len(shown):,} more"

    def __str__(self) -> str:
        """Return one line: every kind with its count, and the first example."""
        parts = []
        for kind, n in self.counts.items():
            first = f" ({self.examples[kind][0]})" if self.examples[kind] else ""
            parts.append(f"{kind}: {n:,}{first}")
        return "; ".join(parts)


def counted(n: int, thing: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "image"), counted(2000, "garment")
    ('1 image', '2,000 garments')
    """
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"

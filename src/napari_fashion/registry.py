"""Things that are found by name: formats, sources of images, parts of an evaluation."""

from __future__ import annotations

from typing import TypeVar

Item = TypeVar("Item")


class Registry(dict[str, Item]):
    """Items by name, in the order of their registration; each name once.

    Parameters
    ----------
    what
        What an item is, for messages.

    Examples
    --------
    >>> cuts = Registry[int]("cut")
    >>> cuts.register("none", 1)
    >>> cuts.register("none", 2)
    Traceback (most recent call last):
    ValueError: The cut 'none' is registered twice; expected unique names.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def register(self, name: str, item: Item) -> None:
        """Add an item.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        if name in self:
            raise ValueError(
                f"The {self._what} {name!r} is registered twice; expected unique names."
            )
        self[name] = item

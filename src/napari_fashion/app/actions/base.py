"""What all actions have in common: the session, and that an error becomes a message."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from napari_fashion.app.session import Session
from napari_fashion.editing.editor import Editor
from napari_fashion.errors import FashionError

P = ParamSpec("P")
A = TypeVar("A", bound="ActionsBase")


def told(action: Callable[Concatenate[A, P], Any]) -> Callable[Concatenate[A, P], Any]:
    """Make an error that a person can do something about a message to them."""

    @wraps(action)
    def wrapped(self: A, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return action(self, *args, **kwargs)
        except FashionError as error:
            self.session.notify(str(error), "warning")
            return None

    return wrapped


class ActionsBase:
    """Actions on what a session has open."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def _editor(self) -> Editor | None:
        return self.session.editor

    def _require_fit(self) -> None:
        """Refuse to place landmarks on an image of another size than the file has."""
        if (sizes := self.session.mismatch) is not None:
            (w, h), (width, height) = sizes
            raise FashionError(
                f"The image has {width} x {height} pixels and the file has {w} x {h}: landmarks cannot be "
                "placed on it. Rescale them to the image first."
            )

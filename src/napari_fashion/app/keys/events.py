"""Events of Qt, of the class that they are."""

from __future__ import annotations

from typing import TypeVar, cast

from qtpy import sip
from qtpy.QtCore import QEvent

E = TypeVar("E", bound=QEvent)


def of_kind(event: QEvent, kind: type[E]) -> E:
    """Return an event as an object of its own class.

    PyQt finds objects by address. Where something keeps an event (vispy keeps the last ones), and Qt puts
    a new one of another kind at the same address, PyQt hands out the old object, of the old class.
    """
    if isinstance(event, kind):
        return event
    return cast(E, sip.wrapinstance(sip.unwrapinstance(event), kind))

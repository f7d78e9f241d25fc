"""The colours of our docks by what they are for, mixed from napari's theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psygnal import Signal
from qtpy.QtGui import QColor

TINTS = ("#c3b5fd", "#f6dfae", "#a8ecd9", "#ffc0c0")
"""Of garments, in turn; `TINT_TEXT` stands on them."""
TINT_TEXT = "#1e1e21"
_LIGHT_FROM = 128
"""Lightness of a background, 0..255, from which a theme counts as light."""


@dataclass(frozen=True)
class Roles:
    """Colours by role.

    Attributes
    ----------
    background, foreground, primary
        The grounds: a dock's, a message's and a menu's, a button's.
    text, muted, muted_on_button
        What is read first and second; `muted` stands on anything but `primary`.
    symbol
        A choice that is not taken: a shape, never text.
    line, hover, chosen
        Rules, the row below the pointer, the selected row.
    main, on_main
        The one filled button, and what stands on it.
    link, unsure, good, bad
        Links and progress; low scores and warnings; what is reviewed or better; what is worse.
    """

    background: QColor
    foreground: QColor
    primary: QColor
    text: QColor
    muted: QColor
    muted_on_button: QColor
    symbol: QColor
    line: QColor
    hover: QColor
    chosen: QColor
    main: QColor
    on_main: QColor
    link: QColor
    unsure: QColor
    good: QColor
    bad: QColor


def roles_of(theme: Any) -> Roles:
    """Return the roles of a napari theme."""
    background, foreground, primary, text, current = (
        QColor(getattr(theme, name).as_hex(format="long")[:7])
        for name in ("background", "foreground", "primary", "text", "current")
    )
    light = background.lightness() >= _LIGHT_FROM
    return Roles(
        background=background,
        foreground=foreground,
        primary=primary,
        text=text,
        muted=mixed(text, background, 0.72),
        muted_on_button=mixed(text, background, 0.82),
        symbol=mixed(text, background, 0.56),
        line=mixed(text, background, 0.16),
        hover=mixed(text, background, 0.08),
        chosen=mixed(current, background, 0.38),
        main=current,
        on_main=text if light else QColor(255, 255, 255),
        link=QColor(40, 70, 180) if light else QColor(150, 172, 255),
        unsure=QColor(122, 80, 0) if light else QColor(240, 190, 70),
        good=QColor(24, 100, 50) if light else QColor(120, 200, 140),
        bad=QColor(165, 25, 30) if light else QColor(240, 140, 134),
    )


def mixed(a: QColor, b: QColor, share: float) -> QColor:
    """Return a colour with `share` of the first one, 0..1, and the rest of the second."""
    return QColor(
        round(a.red() * share + b.red() * (1 - share)),
        round(a.green() * share + b.green() * (1 - share)),
        round(a.blue() * share + b.blue() * (1 - share)),
    )


class Palette:
    """The roles and the size of text of a viewer's theme; widgets that paint follow it."""

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.roles, self.points = self._read()
        viewer.events.theme.connect(self._on_theme)

    def _read(self) -> tuple[Roles, float]:
        from napari.utils.theme import get_theme

        theme = get_theme(self._viewer.theme)
        return roles_of(theme), float(str(theme.font_size).removesuffix("pt"))

    def _on_theme(self, *_: Any) -> None:
        self.roles, self.points = self._read()
        self.changed.emit()

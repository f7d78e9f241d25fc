"""The colours of the docks: contrast by WCAG 2, in napari's themes."""

from __future__ import annotations

import pytest
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

from napari_fashion.app.widgets.roles import TINT_TEXT, TINTS, Roles, mixed, roles_of

TEXT, SYMBOL = 4.5, 3.0
GROUNDS = {
    "text": ("background", "foreground", "primary", "hover", "chosen"),
    "muted": ("background", "foreground", "hover", "chosen"),
    "muted_on_button": ("primary",),
    "on_main": ("main",),
    "link": ("background", "foreground"),
    "unsure": ("background", "foreground", "hover", "chosen"),
    "good": ("background", "foreground"),
    "bad": ("background", "foreground"),
}
"""What each role of text may stand on."""


def luminance(color: QColor) -> float:
    parts = (color.redF(), color.greenF(), color.blueF())
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: QColor, b: QColor) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(params=["dark", "light"])
def roles(request) -> Roles:
    return roles_of(get_theme(request.param))


def test_contrast_is_reckoned_as_wcag_does() -> None:
    assert contrast(QColor("white"), QColor("black")) == pytest.approx(21)
    assert contrast(QColor("#767676"), QColor("white")) == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("role", GROUNDS)
def test_text_is_read_on_every_ground(roles, role) -> None:
    for ground in GROUNDS[role]:
        assert contrast(getattr(roles, role), getattr(roles, ground)) >= TEXT, ground


def test_symbols_are_seen_on_rows(roles) -> None:
    assert contrast(roles.symbol, roles.background) >= SYMBOL
    assert contrast(roles.symbol, roles.hover) >= SYMBOL
    assert contrast(roles.muted, roles.chosen) >= SYMBOL  # in the chosen row they are muted


@pytest.mark.parametrize("tint", TINTS)
def test_numbers_are_read_on_the_garments_tints(tint) -> None:
    assert contrast(QColor(TINT_TEXT), QColor(tint)) >= TEXT


def test_roles_are_mixed_with_the_background() -> None:
    assert mixed(QColor(200, 100, 0), QColor(0, 100, 200), 0.25).getRgb()[:3] == (50, 100, 150)

"""Push buttons that show their key, and the keys as people write them."""

from __future__ import annotations

from qtpy.QtCore import QPoint, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from qtpy.QtWidgets import QLabel, QPushButton, QStyle, QStyleOptionButton, QStylePainter

from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import SECOND, repolish
from napari_fashion.app.widgets.symbols import paint, write

_GAP, _PAD, _CAP_HEIGHT = 8, 5, 16
"""Pixels between text and key, beside a key's text, and a key's height."""


PAD = 20
"""Of a button: room beside text and key, pixels."""


class KeyButton(QPushButton):
    """A button with its key in a small frame; it leaves the keyboard to the image.

    Parameters
    ----------
    cap
        The key, as `key_caps` writes it; empty for none.
    """

    def __init__(self, palette: Palette, text: str, cap: str = "", tip: str = "") -> None:
        super().__init__(text)
        self.cap = cap
        self.pad = PAD
        self._palette = palette
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        follow(self, palette.changed, self.update)

    def set_cap(self, cap: str) -> None:
        """Show another key."""
        if cap != self.cap:
            self.cap = cap
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Return room for the text and the key."""
        wide = self._text_width() + (_GAP + cap_width(self.font(), self.cap) if self.cap else 0)
        return QSize(wide + self.pad, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        return self.sizeHint()

    def _text_width(self) -> int:
        return self.fontMetrics().horizontalAdvance(self.text())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the button as the style does, with text and key in its middle."""
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = ""
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        roles = self._palette.roles
        filled = self.objectName() == "main" or (self.isCheckable() and self.isChecked())
        color = roles.on_main if filled else roles.text
        faint = roles.on_main if filled else roles.muted_on_button
        if not self.isEnabled():
            color = faint = roles.symbol
        wide = cap_width(self.font(), self.cap) if self.cap else 0
        text = self._text_width()
        left = (self.width() - text - (wide + _GAP if wide else 0)) // 2
        if self.objectName() == "choice":
            left = _GAP
            arrow = QRectF(self.width() - 20, (self.height() - 14) / 2, 14, 14)
            paint(painter, "down", faint, arrow)
        painter.setPen(color)
        room = self.width() - left - (26 if self.objectName() == "choice" else 0)
        write(
            painter,
            QRect(left, 0, min(text + 8, room), self.height()),
            self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room),
            Qt.AlignmentFlag.AlignVCenter,
        )
        if wide:
            draw_cap(painter, self.cap, faint, QPoint(left + text + _GAP, self.height() // 2))
        painter.end()


class KeyCap(QLabel):
    """A key by itself."""

    def __init__(self, palette: Palette, cap: str) -> None:
        super().__init__()
        self.cap = cap
        self._palette = palette
        self.setFixedSize(cap_width(self.font(), cap), _CAP_HEIGHT + 2)
        follow(self, palette.changed, self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frame and the key."""
        self.setFixedWidth(cap_width(self.font(), self.cap))
        painter = QPainter(self)
        draw_cap(painter, self.cap, self._palette.roles.muted, QPoint(0, self.height() // 2))
        painter.end()


def set_main(button: QPushButton, main: bool) -> None:
    """Make a button the filled one of its dock, or one like the others."""
    name = "main" if main else "plain"
    if button.objectName() != name:
        button.setObjectName(name)
        repolish(button, main=main)


def cap_width(font: QFont, cap: str) -> int:
    """Return how wide a key is drawn beside text of a font, pixels; 0 where there is none."""
    if not cap:
        return 0
    return max(_CAP_HEIGHT, QFontMetrics(_small(font)).horizontalAdvance(cap) + 2 * _PAD)


def draw_cap(painter: QPainter, cap: str, color: QColor, at: QPoint) -> None:
    """Draw a key with the middle of its left side at a point."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    wide = cap_width(painter.font(), cap)
    painter.setFont(_small(painter.font()))
    painter.setPen(color)
    box = QRect(at.x(), at.y() - _CAP_HEIGHT // 2, wide - 1, _CAP_HEIGHT)
    painter.drawRoundedRect(box, 3, 3)
    write(painter, box, cap, Qt.AlignmentFlag.AlignCenter)
    painter.restore()


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setBold(False)
    if font.pointSizeF() > 0:
        small.setPointSizeF(font.pointSizeF() * SECOND * SECOND)
    return small

"""The style of our docks, in the colours of napari's theme."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

MARGIN = 10
SPACING = 6
ROW = 24
"""Height of a row, pixels."""


def theme_of(viewer: Any) -> dict[str, QColor]:
    """Return the colours of the viewer's theme by name."""
    from napari.utils.theme import get_theme

    theme = get_theme(viewer.theme)
    names = ("background", "foreground", "text", "current", "warning")
    return {name: QColor(getattr(theme, name).as_hex()) for name in names}


def sheet(colors: dict[str, QColor]) -> str:
    """Return the style sheet of a dock."""
    c = {name: color.name() for name, color in colors.items()}
    faint = _mixed(colors["text"], colors["background"], 0.55).name()
    line = _mixed(colors["text"], colors["background"], 0.16).name()
    hover = _mixed(colors["text"], colors["background"], 0.10).name()
    chosen = _mixed(colors["current"], colors["background"], 0.38).name()
    return f"""
    QScrollArea {{ border: none; }}
    QLabel#section {{ color: {faint}; font-weight: 600; padding-top: 2px; }}
    QLabel#faint {{ color: {faint}; }}
    QLabel#name {{ font-size: 11pt; font-weight: 600; }}
    QLabel#badge {{ color: {faint}; border: 1px solid {line}; border-radius: 7px;
        padding: 0px 6px; font-size: 8pt; }}
    QLabel#badge[mine="true"] {{ color: {c["text"]}; border-color: {faint}; }}
    QLabel#message {{ padding: 5px 8px; border-radius: 4px; background: {hover}; }}
    QLabel#message[level="warning"], QLabel#message[level="error"] {{
        color: {c["warning"]}; }}
    QFrame#offer {{ border-radius: 4px; background: {hover}; }}
    QFrame#offer QLabel {{ color: {c["warning"]}; background: transparent; }}
    QFrame#line {{ background: {line}; max-height: 1px; border: none; }}
    QFrame#row {{ border-radius: 4px; background: transparent; }}
    QFrame#row:hover {{ background: {hover}; }}
    QFrame#row[chosen="true"] {{ background: {chosen}; }}
    QPushButton {{ padding: 4px 10px; min-height: 16px; }}
    QPushButton#main {{ background: {c["current"]}; color: white; font-weight: 600; }}
    QPushButton#main:disabled {{ background: {c["foreground"]}; color: {faint}; }}
    QToolButton#segment {{ border: none; border-radius: 3px; background: {c["foreground"]};
        color: {faint}; min-width: 18px; max-width: 18px; min-height: 18px; max-height: 18px;
        font-size: 8pt; padding: 0px; }}
    QToolButton#segment:hover {{ color: {c["text"]}; }}
    QToolButton#segment:checked {{ background: {c["current"]}; color: white; }}
    QToolButton#quiet {{ border: none; background: transparent; color: {faint};
        min-width: 20px; min-height: 20px; padding: 0px 3px; }}
    QToolButton#quiet:hover {{ color: {c["text"]}; background: {c["foreground"]}; }}
    QToolButton#quiet:disabled {{ color: {line}; }}
    """


def section(title: str) -> QLabel:
    """Return a section's heading."""
    label = QLabel(title)
    label.setObjectName("section")
    return label


def rule() -> QFrame:
    """Return a thin horizontal line."""
    line = QFrame()
    line.setObjectName("line")
    line.setFixedHeight(1)
    return line


def faint(text: str = "") -> QLabel:
    """Return a label for what is read second."""
    label = QLabel(text)
    label.setObjectName("faint")
    return label


def quiet_button(text: str, tip: str) -> QToolButton:
    """Return a small button without a frame; it leaves the keyboard to the image."""
    button = QToolButton()
    button.setObjectName("quiet")
    button.setText(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


def column(*widgets: QWidget, spacing: int = SPACING) -> QWidget:
    """Return widgets in a column."""
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for widget in widgets:
        layout.addWidget(widget)
    return holder


def swatch(color: str, hollow: bool = False, size: int = 12) -> QPixmap:
    """Return a disc in a colour, or a ring."""
    scale = 2
    pixmap = QPixmap(QSize(size * scale, size * scale))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = painter.pen()
    pen.setColor(QColor(color))
    pen.setWidthF(2.0 * scale)
    painter.setPen(pen)
    if not hollow:
        painter.setBrush(QColor(color))
    edge = 2 * scale
    painter.drawEllipse(edge, edge, size * scale - 2 * edge, size * scale - 2 * edge)
    painter.end()
    pixmap.setDevicePixelRatio(scale)
    return pixmap


def swatch_icon(color: str) -> QIcon:
    """Return a disc in a colour as an icon."""
    return QIcon(swatch(color))


def repolish(widget: QWidget, **properties: Any) -> None:
    """Set properties that the style sheet asks for, and apply it again."""
    if all(widget.property(name) == value for name, value in properties.items()):
        return
    for name, value in properties.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def shrinking(label: QLabel) -> QLabel:
    """Let a label give way to its neighbours instead of widening the dock."""
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    label.setMinimumWidth(40)
    return label


def _mixed(a: QColor, b: QColor, share: float) -> QColor:
    return QColor(
        round(a.red() * share + b.red() * (1 - share)),
        round(a.green() * share + b.green() * (1 - share)),
        round(a.blue() * share + b.blue() * (1 - share)),
    )

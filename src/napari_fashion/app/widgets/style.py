"""The style of our docks: one sheet in the colours of napari's theme, and small widgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QLabel,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.widgets.roles import Roles

MARGIN = 12
SPACING = 8
BUTTON, MAIN, FIELD = 28, 40, 24
"""Heights in pixels: of a button, of the main button's row, of a field."""
GARMENT, LANDMARK, HEAD = 32, 26, 28
"""Heights of rows, and of a section's head, pixels."""
SECOND, STRONG = 11 / 12, 13 / 12
"""Sizes of text against the theme's: of what is read second, of verdicts and the main button."""


def sheet(roles: Roles, points: float) -> str:
    """Return the style sheet of a dock; `points` is the theme's size of text."""
    c = {name: getattr(roles, name).name() for name in Roles.__dataclass_fields__}
    second, strong = f"{points * SECOND:.2f}pt", f"{points * STRONG:.2f}pt"
    return _text_rules(c, second) + _button_rules(c, strong) + _menu_rules(c)


def _text_rules(c: Mapping[str, str], second: str) -> str:
    """Return the rules of text, messages and rows."""
    return f"""
    QScrollArea {{ border: none; }}
    QLabel {{ padding: 0px; margin: 0px; }}
    QScrollBar:vertical {{ width: 8px; background: transparent; margin: 0px; }}
    QScrollBar::handle:vertical {{ background: {c["primary"]}; border-radius: 3px;
        min-height: 24px; margin: 0px 1px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ height: 0px; }}
    QLabel#section {{ color: {c["muted"]}; font-weight: 600; }}
    QLabel#faint, QCheckBox#faint {{ color: {c["muted"]}; }}
    QLabel#second {{ color: {c["muted"]}; font-size: {second}; }}
    QLabel#name {{ font-weight: 600; }}
    QLabel#strong {{ font-weight: 600; }}
    QLabel#state {{ color: {c["muted"]}; font-size: {second}; }}
    QLabel#state[level="bad"] {{ color: {c["bad"]}; }}
    QLabel#progress {{ font-weight: 600; }}
    QLabel#progress[level="good"] {{ color: {c["good"]}; }}
    QLabel#score {{ color: {c["muted"]}; }}
    QLabel#score[level="unsure"] {{ color: {c["unsure"]}; font-weight: 600; }}
    QLabel#badge {{ color: {c["muted"]}; border: 1px solid {c["line"]}; border-radius: 7px;
        padding: 0px 6px; font-size: {second}; }}
    QFrame#message {{ border-radius: 3px; background: {c["foreground"]}; }}
    QFrame#message QLabel {{ background: transparent; color: {c["text"]}; }}
    QFrame#message[level="warning"] QLabel#said {{ color: {c["unsure"]}; }}
    QFrame#message[level="error"] QLabel#said {{ color: {c["bad"]}; }}
    QLabel#message {{ padding: 5px 8px; border-radius: 3px; background: {c["foreground"]}; }}
    QFrame#line {{ background: {c["line"]}; max-height: 1px; border: none; }}
    QFrame#row {{ border-radius: 3px; background: transparent; }}
    QFrame#row:hover {{ background: {c["hover"]}; }}
    QFrame#row[chosen="true"] {{ background: {c["chosen"]}; }}
    QTableView#landmarks {{ border: none; background: transparent; padding: 0px; margin: 0px; }}
    """


def _button_rules(c: Mapping[str, str], strong: str) -> str:
    """Return the rules of buttons, fields and progress."""
    return f"""
    QPushButton {{ padding: 0px 8px; min-height: {BUTTON}px; max-height: {BUTTON}px;
        border-radius: 2px; background: {c["primary"]}; color: {c["text"]}; }}
    QFrame#message QPushButton {{ padding: 0px 4px; }}
    QPushButton:hover {{ border: 1px solid {c["muted_on_button"]}; }}
    QPushButton:disabled {{ background: {c["background"]}; color: {c["symbol"]};
        border: 1px solid {c["line"]}; }}
    QPushButton[high="true"] {{ min-height: {MAIN}px; max-height: {MAIN}px; }}
    QPushButton#main {{ background: {c["main"]}; color: {c["on_main"]}; font-weight: 600;
        font-size: {strong}; }}
    QPushButton#main:disabled {{ background: {c["background"]}; color: {c["symbol"]}; }}
    QPushButton#segment {{ border-radius: 0px; font-size: 11px; padding: 0px; }}
    QPushButton#segment:checked, QPushButton#toggle:checked {{ background: {c["main"]};
        color: {c["on_main"]}; }}
    QPushButton#segment:checked {{ border-bottom: 2px solid {c["link"]}; }}
    QPushButton#choice {{ text-align: left; min-height: {FIELD}px; max-height: {FIELD}px; }}
    QPushButton::menu-indicator {{ image: none; width: 0px; }}
    QLineEdit {{ min-height: {FIELD - 2}px; max-height: {FIELD - 2}px; border-radius: 2px;
        background: {c["foreground"]}; color: {c["text"]}; border: 1px solid {c["line"]};
        padding: 0px 6px; selection-background-color: {c["chosen"]};
        selection-color: {c["text"]}; }}
    QLineEdit:focus {{ border-color: {c["link"]}; }}
    QProgressBar {{ background: {c["primary"]}; border: none; border-radius: 2px;
        min-height: 4px; max-height: 4px; }}
    QProgressBar::chunk {{ background: {c["link"]}; border-radius: 2px; }}
    """


def _menu_rules(c: Mapping[str, str]) -> str:
    """Return the rules of tool buttons, menus and lists that pop up."""
    return f"""
    QToolButton#quiet {{ border: none; border-radius: 2px; background: transparent;
        color: {c["muted"]}; min-width: 20px; min-height: 20px; padding: 0px 3px; }}
    QToolButton#quiet:hover {{ color: {c["text"]}; background: {c["hover"]}; }}
    QToolButton#quiet:disabled {{ color: {c["symbol"]}; }}
    QToolButton#quiet::menu-indicator {{ image: none; width: 0px; }}
    QToolButton#square {{ border: none; border-radius: 2px; background: {c["primary"]};
        min-width: 24px; min-height: 24px; padding: 0px; }}
    QToolButton#square:hover {{ background: {c["line"]}; }}
    QToolButton#square:disabled {{ background: {c["foreground"]}; }}
    QMenu {{ background: {c["foreground"]}; color: {c["text"]}; border: 1px solid {c["line"]};
        padding: 4px 0px; }}
    QMenu::item {{ padding: 5px 24px 5px 12px; }}
    QMenu::item:selected {{ background: {c["chosen"]}; }}
    QMenu::item:disabled {{ color: {c["symbol"]}; }}
    QMenu::separator {{ height: 1px; background: {c["line"]}; margin: 4px 0px; }}
    QFrame#popup {{ background: {c["foreground"]}; border: 1px solid {c["line"]}; }}
    QFrame#popup QListView {{ background: transparent; border: none; color: {c["text"]}; }}
    QFrame#popup QListView::item {{ min-height: {FIELD}px; padding: 0px 6px; }}
    QFrame#popup QListView::item:selected {{ background: {c["chosen"]}; color: {c["text"]}; }}
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


def second(text: str = "") -> QLabel:
    """Return a label for what is read second, in smaller text."""
    label = QLabel(text)
    label.setObjectName("second")
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


def repolish(widget: QWidget, **properties: Any) -> None:
    """Set properties that the style sheet asks for, and apply it again."""
    if all(widget.property(name) == value for name, value in properties.items()):
        return
    for name, value in properties.items():
        widget.setProperty(name, value)
    for one in (widget, *widget.findChildren(QLabel)):
        one.style().unpolish(one)
        one.style().polish(one)


def shrinking(label: QLabel) -> QLabel:
    """Let a label give way to its neighbours instead of widening the dock."""
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    label.setMinimumWidth(40)
    return label


def swatch_icon(color: str) -> QIcon:
    """Return a disc in a colour as an icon."""
    side, edge = 24, 4
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    painter.drawEllipse(edge, edge, side - 2 * edge, side - 2 * edge)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)


class WheelGuard(QObject):
    """Leaves the wheel to what scrolls: it changes no box, number or slider without the focus.

    A closed box of choices does not follow the wheel at all.
    """

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102
        if event.type() != QEvent.Type.Wheel:
            return False
        assert isinstance(watched, QWidget)
        if isinstance(watched, QComboBox) or not watched.hasFocus():
            event.ignore()
            return True
        return False


def guard_wheel(root: QWidget) -> None:
    """Let no control below a widget change by a wheel that passes over it."""
    guard = WheelGuard(root)
    for kind in (QComboBox, QAbstractSpinBox, QSlider):
        for widget in root.findChildren(kind):
            if widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            widget.installEventFilter(guard)

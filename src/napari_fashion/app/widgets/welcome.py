"""What lies over the canvas while nothing is open: three ways to begin, and what was open last."""

from __future__ import annotations

import time
from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_fashion.app import recent
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import faint, quiet_button, second, section, sheet
from napari_fashion.app.widgets.symbols import pixmap

CARD = (296, 232)
"""Width and height of a card, pixels; it is narrower where there is less room."""
_TITLE, _CARD_TITLE = 22 / 12, 15 / 12
_ICON = 32


class Card(QFrame):
    """A way to begin; the whole card can be pressed."""

    pressed = Signal()

    def __init__(self, symbol: str, title: str, text: str, button: str, main: bool) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setMaximumWidth(CARD[0])
        self.setMinimumSize(200, CARD[1])
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._symbol = symbol
        self.icon = QLabel()
        name = QLabel(title)
        name.setObjectName("cardTitle")
        name.setWordWrap(True)
        told = faint(text)
        told.setWordWrap(True)
        self.button = QPushButton(button)
        self.button.setObjectName("main" if main else "plain")
        self.button.clicked.connect(self.pressed.emit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(12)
        for widget in (self.icon, name, told):
            layout.addWidget(widget)
        layout.addStretch()
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)

    def recolor(self, palette: Palette) -> None:
        """Take the colours of the theme."""
        self.icon.setPixmap(pixmap(self._symbol, palette.roles.link, _ICON, 1.1))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        if self.rect().contains(event.pos()):
            self.pressed.emit()


class RecentRow(QFrame):
    """A data set that was open; a click opens it, or finds it where it lies now."""

    opened = Signal(str)
    located = Signal(str)

    def __init__(self, one: recent.Recent) -> None:
        super().__init__()
        self.setObjectName("row")
        self.setFixedHeight(48)
        self.path = one.path
        place = Path(one.path)
        self.missing = not place.exists()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 12, 0)
        names = QVBoxLayout()
        names.setSpacing(0)
        self.name = faint(place.name) if self.missing else QLabel(place.name)
        folder = QElidingLabel(str(place.parent))
        folder.setObjectName("second")
        folder.setElideMode(Qt.TextElideMode.ElideMiddle)
        for label in (self.name, folder):
            names.addWidget(label)
        layout.addLayout(names, 1)
        if self.missing:
            layout.addWidget(faint("not found"))
            self.locate = quiet_button("Locate…", "Choose where the file lies now")
            self.locate.clicked.connect(lambda: self.located.emit(self.path))
            layout.addWidget(self.locate)
            return
        bar = QProgressBar()
        bar.setTextVisible(False)
        bar.setFixedWidth(80)
        bar.setRange(0, max(one.images, 1))
        bar.setValue(one.reviewed)
        layout.addWidget(bar)
        layout.addWidget(faint(f"{one.reviewed:,} of {one.images:,} reviewed"), 1)
        layout.addWidget(faint(when(one.opened)))
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        if not self.missing and self.rect().contains(event.pos()):
            self.opened.emit(self.path)


class Welcome(QWidget):
    """Fills the middle of the window while it is shown.

    Parameters
    ----------
    center
        The widget that it lies over: the main window's central one.
    """

    folder_asked = Signal()
    file_asked = Signal()
    sample_asked = Signal()
    photos_asked = Signal()
    opened = Signal(str)
    located = Signal(str)

    def __init__(self, center: QWidget, palette: Palette) -> None:
        super().__init__(center)
        self.setObjectName("welcome")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._palette = palette
        self._center = center
        self.cards = (
            Card(
                "folder",
                "A folder of images",
                "All images in it and below. Your annotations go into one new COCO file beside them.",
                "Choose folder…",
                True,
            ),
            Card(
                "file",
                "A COCO keypoint file",
                "Goes on where it was left. Ids, order and unknown fields are kept as they are.",
                "Choose file…",
                False,
            ),
            Card(
                "garment",
                "Sample garments",
                "12 drawn garments, 6 of them without landmarks. Nothing to download.",
                "Open sample",
                False,
            ),
        )
        self.rows: list[RecentRow] = []
        self.waiting = QLabel()
        """After a crash: which data set has changes that were not saved."""
        self.waiting.setWordWrap(True)
        self.photos = quiet_button("Sample photos…", "2,232 photos of garments, CC0, some 60 MB")
        self._lay_out()
        for card, asked in zip(
            self.cards, (self.folder_asked, self.file_asked, self.sample_asked), strict=True
        ):
            card.pressed.connect(asked.emit)
        self.photos.clicked.connect(self.photos_asked.emit)
        center.installEventFilter(self)
        follow(self, palette.changed, self._recolor)
        self._recolor()
        self.hide()

    def _lay_out(self) -> None:
        title = QLabel("Fashion annotator")
        title.setObjectName("title")
        told = faint(
            "The model proposes garments and landmarks. You correct them. The result is a COCO file."
        )
        told.setWordWrap(True)
        cards = QHBoxLayout()
        cards.setSpacing(16)
        for card in self.cards:
            cards.addWidget(card, 1)
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        self._heading = section("Recent")
        foot = QHBoxLayout()
        foot.addWidget(second("You can also drop a folder or a file anywhere on this window."), 1)
        foot.addWidget(self.photos)
        inner = QVBoxLayout()
        inner.setSpacing(12)
        for widget in (title, told, self.waiting):
            inner.addWidget(widget)
        inner.addLayout(cards)
        inner.addSpacing(12)
        inner.addWidget(self._heading)
        inner.addLayout(self._list)
        inner.addLayout(foot)
        middle = QWidget()
        middle.setLayout(inner)
        middle.setMaximumWidth(3 * CARD[0] + 32)
        across = QHBoxLayout()
        across.addStretch()
        across.addWidget(middle, 100)
        across.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.addStretch(1)
        layout.addLayout(across)
        layout.addStretch(2)

    def show_over(self, waiting: str = "") -> None:
        """Show it, with what was open last.

        Parameters
        ----------
        waiting
            A sentence about changes that were not saved; empty if there are none.
        """
        while self.rows:
            row = self.rows.pop()
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        for one in recent.read():
            row = RecentRow(one)
            row.opened.connect(self.opened.emit)
            row.located.connect(self.located.emit)
            self._list.addWidget(row)
            self.rows.append(row)
        self._heading.setVisible(bool(self.rows))
        self.waiting.setText(waiting)
        self.waiting.setVisible(bool(waiting))
        self.setGeometry(self._center.rect())
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._center.rect())
        return False

    def _recolor(self) -> None:
        roles, points = self._palette.roles, self._palette.points
        self.setStyleSheet(
            sheet(roles, points)
            + f"""
            QWidget#welcome {{ background: {roles.background.name()}; }}
            QFrame#card {{ background: {roles.foreground.name()}; border-radius: 4px; }}
            QFrame#card:hover {{ background: {roles.line.name()}; }}
            QLabel#title {{ font-size: {points * _TITLE:.2f}pt; font-weight: 600; }}
            QLabel#cardTitle {{ font-size: {points * _CARD_TITLE:.2f}pt; font-weight: 600; }}
            QFrame#card QLabel {{ background: transparent; }}
            """
        )
        for card in self.cards:
            card.recolor(self._palette)


def when(opened: float) -> str:
    """Return when something was, for people: "today, 14:02", "yesterday", "21 November"."""
    then, now = time.localtime(opened), time.localtime()
    if then[:3] == now[:3]:
        return time.strftime("today, %H:%M", then)
    if time.localtime(opened + 24 * 3600)[:3] == now[:3]:
        return "yesterday"
    day = f"{then.tm_mday} {time.strftime('%B', then)}"
    return day if then.tm_year == now.tm_year else f"{day} {then.tm_year}"

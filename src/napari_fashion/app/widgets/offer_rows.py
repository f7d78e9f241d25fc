"""The open questions, one row each, with their answers as buttons."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.offers import Offer, Offers
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.messages import WrappedLabel
from napari_fashion.app.widgets.style import SPACING


class OfferRows(QWidget):
    """Shows what is asked; an answer takes its row away."""

    def __init__(self, offers: Offers) -> None:
        super().__init__()
        self._offers = offers
        self.rows: dict[str, OfferRow] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(SPACING)
        follow(self, offers.changed, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the questions that are open."""
        for kind, row in list(self.rows.items()):
            if self._offers.open.get(kind) != row.offer:
                self._column.removeWidget(row)
                row.hide()
                row.deleteLater()
                del self.rows[kind]
        for kind, offer in self._offers.open.items():
            if kind not in self.rows:
                self.rows[kind] = OfferRow(offer)
                self._column.addWidget(self.rows[kind])
        self.setVisible(bool(self.rows))


class OfferRow(QFrame):
    """One question with its buttons; `buttons` has them by their texts."""

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self.offer = offer
        self.setObjectName("message")
        self.setProperty("level", "warning")
        self.text = WrappedLabel(offer.text)
        self.text.setObjectName("said")
        self.text.setContentsMargins(4, 0, 4, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 6, 4, 4)  # three answers need the width
        column.setSpacing(SPACING)
        column.addWidget(self.text)
        row = QHBoxLayout()
        row.setSpacing(4)
        self.buttons: dict[str, QPushButton] = {}
        for label, answer in offer.choices:
            button = QPushButton(label)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _=False, answer=answer: answer())
            self.buttons[label] = button
            row.addWidget(button, button.sizeHint().width())  # what is long gets more
        column.addLayout(row)

"""The plugin's commands, for napari's menus and command palette; each acts on the current window."""

from __future__ import annotations

from napari_fashion.app.viewer.window import ANNOTATOR, FashionWindow, window_of
from napari_fashion.errors import FashionError


def predict() -> None:
    """Predict the shown image."""
    _window().actions.predict()


def predict_all() -> None:
    """Predict every image."""
    _window().actions.predict_all()


def next_image() -> None:
    """Show the next image."""
    _window().actions.next_image()


def previous_image() -> None:
    """Show the previous image."""
    _window().actions.previous_image()


def undo() -> None:
    """Take the last edit back."""
    _window().actions.undo()


def redo() -> None:
    """Make it again."""
    _window().actions.redo()


def save() -> None:
    """Save the whole work."""
    _window().show_dock(ANNOTATOR).save()


def export_all() -> None:
    """Export what people made or reviewed, all images."""
    _window().show_dock(ANNOTATOR).export_asked(only_reviewed=False)


def export_reviewed() -> None:
    """Export the reviewed images only."""
    _window().show_dock(ANNOTATOR).export_asked(only_reviewed=True)


def toggle_pif() -> None:
    """Show the PIF, or hide it."""
    _window().actions.toggle_pif()


def toggle_paf() -> None:
    """Show the PAF, or hide it."""
    _window().actions.toggle_paf()


def show_help() -> None:
    """Show the shortcuts."""
    _window().show_dock(ANNOTATOR).show_help()


def _window() -> FashionWindow:
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise FashionError("There is no napari window; open one first.")
    window = window_of(viewer)
    window.show_dock(ANNOTATOR)
    return window

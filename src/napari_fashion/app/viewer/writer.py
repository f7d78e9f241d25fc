"""napari's way out: our landmarks layer, saved from napari's File menu, is the whole data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_fashion.app.viewer.layer_styles import KEY
from napari_fashion.coco import export
from napari_fashion.errors import FashionError
from napari_fashion.files import is_same_path


def write_landmarks(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Export the data set that a landmarks layer shows an image of, to a COCO file.

    Parameters
    ----------
    path
        The file; napari has asked whether it may be replaced.
    data, attributes
        Of the layer; the points themselves are in the data set already.

    Raises
    ------
    FashionError
        If the layer is not the annotator's, or the path is the file that the data set
        was read from or is saved in.
    """
    session = attributes.get("metadata", {}).get(KEY)
    editor = getattr(session, "editor", None)
    if editor is None:
        raise FashionError(
            "This points layer is not the Fashion annotator's, and COCO needs garments and "
            "images. Open the images in the annotator and place the landmarks there."
        )
    source = editor.dataset.path
    if source is not None and source.exists() and is_same_path(source, Path(path)):
        raise FashionError(
            f"{path} is the file that the data set was read from; nothing was written. Choose "
            "another name, or use Export in the Fashion annotator."
        )
    if editor.is_saved_at(path) and Path(path).exists():
        raise FashionError(
            f"{path} is the file that your work is saved in, and an export leaves out what only "
            "the model found; nothing was written. Choose another name, or use Save in the "
            "Fashion annotator."
        )
    export(editor.dataset, path, overwrite=True)
    return [path]

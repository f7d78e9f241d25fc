"""COCO results: what a model found, as the list that every COCO tool reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_fashion.coco.dataset import write_file
from napari_fashion.coco.jsontext import Layout, dump_object


def write_results(
    results: Iterable[Mapping[str, Any]], path: Path | str, *, overwrite: bool = False
) -> None:
    """Write a COCO results file; an existing one only with `overwrite`.

    Raises
    ------
    CocoError
        If the file exists and `overwrite` is not given, or it cannot be written.
    """
    line = Layout(separator=", ", colon=": ", comma=", ")
    rows = ",\n".join(dump_object(dict(result), line) for result in results)
    text = f"[\n{rows}\n]\n" if rows else "[]\n"
    write_file([text.encode()], Path(path), overwrite=overwrite)

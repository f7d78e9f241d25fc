"""`open`: a file or a folder in a window of its own."""

from __future__ import annotations

import shutil
import sys

import pytest

from napari_fashion.cli import main, status


def test_what_is_not_there_is_said(tmp_path, capsys) -> None:
    assert main(["open", str(tmp_path / "nothing.json")]) == status.FAILED
    assert "there is no such file or folder to open" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux may have no display")
def test_a_machine_without_a_display_is_told_so(drawn, monkeypatch, capsys) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main(["open", str(drawn)]) == status.FAILED
    assert "There is no display to open a window on" in capsys.readouterr().err
    assert main(["demo"]) == status.FAILED
    assert "There is no display" in capsys.readouterr().err


@pytest.mark.window
def test_it_opens_the_window_with_the_images_of_a_folder(
    drawn, tmp_path, qapp, monkeypatch
) -> None:
    import napari

    from napari_fashion.app.viewer.window import window_of

    path = tmp_path / "alone" / "small.json"
    path.parent.mkdir()
    shutil.copy(drawn, path)
    seen = []

    def run() -> None:
        viewer = napari.current_viewer()
        window = window_of(viewer)
        seen.append(
            (window.session.editor.path, window.layers.image.shape, window.session.model_source)
        )
        window.may_discard = lambda: True
        viewer.close()

    monkeypatch.setattr(napari, "run", run)
    images = str(drawn.parent / "images")
    assert main(["open", str(path), "--images", images, "--model", "runs/x"]) == status.DONE
    assert seen == [(path, (96, 96, 3), "runs/x")]

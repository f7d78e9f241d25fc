from __future__ import annotations

import pytest

from napari_fashion import crash
from napari_fashion.crash import KEPT, MAX_LETTERS, write_error_log
from napari_fashion.paths import log_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def caught(make):
    try:
        make()
    except BaseException as error:
        return error
    raise AssertionError


def test_a_log_tells_the_error_its_cause_and_the_versions(home):
    def fail():
        try:
            int("x")
        except ValueError as error:
            raise KeyError("outer\ud800") from error

    path = write_error_log(caught(fail))
    assert path is not None
    assert path.parent == log_folder() == home / "state" / "napari-fashion" / "logs"
    text = path.read_text()
    assert "invalid literal for int" in text
    assert "KeyError: 'outer" in text
    assert "test_crash.py" in text
    assert "napari-fashion 0" in text
    assert "Python 3." in text


def test_only_a_few_logs_are_kept(home):
    paths = [write_error_log(ValueError(str(i))) for i in range(KEPT + 5)]
    assert len(list(log_folder().iterdir())) == KEPT
    assert paths[-1].exists()


def test_a_log_is_bounded_and_never_raises(home, monkeypatch):
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def deep(n):
        return deep(n + 1)

    for error in (
        Odd(),
        ValueError("x" * 10_000_000),
        caught(lambda: deep(0)),
        KeyboardInterrupt(),
    ):
        path = write_error_log(error)
        assert path.stat().st_size < MAX_LETTERS + 2000
        assert type(error).__name__ in path.read_text()


def test_where_the_folder_cannot_be_written_another_is_found_or_none(home, monkeypatch):
    (home / "state").write_text("a file, not a folder")
    monkeypatch.setattr(crash.tempfile, "gettempdir", lambda: str(home / "temporary"))
    path = write_error_log(ValueError("x"))
    assert path.parent == home / "temporary"
    monkeypatch.setattr(crash.tempfile, "gettempdir", lambda: str(home / "state"))
    assert write_error_log(ValueError("x")) is None

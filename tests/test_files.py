from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from napari_fashion import files
from napari_fashion.files import atomic_write, is_same_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_a_new_file_and_the_folders_it_needs(tmp_path):
    atomic_write(tmp_path / "a" / "b" / "file.json", b"new")
    assert (tmp_path / "a" / "b" / "file.json").read_bytes() == b"new"
    assert names(tmp_path / "a" / "b") == ["file.json"]


def test_replaces_the_old_file(tmp_path):
    (tmp_path / "file").write_bytes(b"old and longer")
    atomic_write(str(tmp_path / "file"), b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("broken", ["fsync", "replace", "write"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    if broken == "write":

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *_error):
                pass

            write = fail

        monkeypatch.setattr(files, "open", lambda *_a, **_k: Full(), raising=False)
    else:
        monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_bytes_are_on_the_disk_before_the_name_changes(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b))[1])
    atomic_write(tmp_path / "file", b"new")
    assert calls == ["fsync", "replace", "fsync"]  # the last one is the folder's


@pytest.mark.skipif(os.name != "posix", reason="file permissions and links of POSIX")
def test_keeps_permissions(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    target.chmod(0o640)
    atomic_write(target, b"new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="file permissions and links of POSIX")
def test_a_new_file_gets_the_usual_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        atomic_write(tmp_path / "file", b"new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="file permissions and links of POSIX")
def test_writes_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    atomic_write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
def test_keeps_the_owner(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    os.chown(target, 12345, 12346)
    state = atomic_write(target, b"new")
    status = target.stat()
    assert (status.st_uid, status.st_gid, state.note) == (12345, 12346, "")


@pytest.mark.skipif(not hasattr(os, "chown"), reason="owners of POSIX")
def test_an_owner_that_cannot_be_kept_is_said(tmp_path, monkeypatch):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    real = Path.stat

    def of_another(self, **options):
        status = real(self, **options)
        if self != target:
            return status
        return os.stat_result((*status[:4], 54321, *status[5:10]))

    def refuse(*_args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "stat", of_another)
    monkeypatch.setattr(os, "chown", refuse)
    assert "it was user 54321's" in atomic_write(target, b"new").note
    assert target.read_bytes() == b"new"


def test_paths_are_compared_by_where_they_lead(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert is_same_path(tmp_path / "link" / "new.json", tmp_path / "real" / "new.json")
    assert not is_same_path(tmp_path / "real" / "a.json", tmp_path / "real" / "b.json")
    (tmp_path / "loop").symlink_to("loop")
    assert is_same_path(tmp_path / "loop", tmp_path / "loop")
    assert not is_same_path(tmp_path / "loop", tmp_path / "real")


def test_streamed_chunks_are_taken_one_by_one_and_the_file_is_whole_or_the_old_one(tmp_path):
    target = tmp_path / "file"
    taken = []

    def chunks(n, fail=False):
        for i in range(n):
            taken.append(i)
            yield b"%d," % i
        if fail:
            raise RuntimeError("no more")

    state = atomic_write(target, chunks(3), streamed=True)
    assert target.read_bytes() == b"0,1,2,"
    assert state.digest == hashlib.sha256(b"0,1,2,").hexdigest()
    with pytest.raises(RuntimeError):
        atomic_write(target, chunks(2, fail=True), streamed=True)
    assert target.read_bytes() == b"0,1,2,"
    assert taken == [0, 1, 2, 0, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["file"]

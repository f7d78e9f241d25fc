"""Locks between processes: one of them works on a file or in a folder, the others learn which."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import filelock

from napari_fashion.documents import read_json
from napari_fashion.errors import FashionError
from napari_fashion.files import is_file, is_running

HOLDER_BYTES = 1 << 16
"""What says who holds a lock is read up to this size."""
_DEAD_SECONDS = 10.0
"""How long a lock is waited for whose holder is dead: its helper processes end within seconds."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes
    ----------
    user, host, process
        Of the process that has it.
    since
        When it was taken.
    """

    user: str = "somebody"
    host: str = "this machine"
    process: int = 0
    since: str = ""

    def __str__(self) -> str:
        since = f" since {self.since}" if self.since else ""
        return f"{self.user} on {self.host}, process {self.process}{since}"

    @property
    def is_dead(self) -> bool:
        """Whether it was a process of this machine that is gone."""
        return self.host == socket.gethostname() and not is_running(self.process)


class ProcessLock:
    """A lock that the system gives back when the process ends, however it ends.

    Parameters
    ----------
    path
        The file that is locked. It stays when the lock is given back: another process may be about
        to take it.
    holder_path
        The JSON file that says who holds it.
    """

    def __init__(self, path: Path, holder_path: Path) -> None:
        self.path, self.holder_path = path, holder_path
        self._lock: filelock.BaseFileLock | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def acquire(self, wait: float = 0.0) -> Holder | None:
        """Take the lock; return who holds it if it cannot be had.

        Parameters
        ----------
        wait
            Seconds to wait for it; 0 not to wait. If it is waited for and its holder is dead, the
            wait is longer: processes that the holder started may have it for some seconds more.

        Raises
        ------
        OSError, RuntimeError
            If the file system has no locks, or the file cannot be made.
        """
        if self._lock is not None:
            return None
        began = time.monotonic()
        while True:
            try:
                self._lock = self._acquire()
            except filelock.Timeout:
                holder = self._read_holder()
                limit = max(wait, _DEAD_SECONDS) if wait and holder.is_dead else wait
                if time.monotonic() - began >= limit:
                    return holder
                time.sleep(_POLL_SECONDS)
            else:
                self._write_holder()
                return None

    def release(self) -> None:
        """Give the lock back; nothing happens if it isn't held."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        with contextlib.suppress(OSError):
            self.holder_path.unlink(missing_ok=True)
        lock.release()

    def holder(self) -> Holder | None:
        """Return who holds the lock; None if no living process does. Nothing is made for it."""
        if self._lock is not None:
            return self._read_holder()
        if not any(os.path.lexists(path) for path in (self.path, self._soft_path)):
            return None
        try:
            self._acquire().release()
        except filelock.Timeout:
            holder = self._read_holder()
            return None if holder.is_dead else holder
        except (OSError, RuntimeError):
            return None
        return None

    @property
    def _soft_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.soft")

    def _acquire(self) -> filelock.BaseFileLock:
        """Take the system's lock, or where the file system has none the existence of a file."""
        lock: filelock.BaseFileLock = filelock.FileLock(self.path, is_singleton=False)
        try:
            lock.acquire(blocking=False)
        except (OSError, NotImplementedError) as error:
            if isinstance(error, filelock.Timeout):
                raise
            lock = filelock.SoftFileLock(self._soft_path, is_singleton=False)
            lock.acquire(blocking=False)
        return lock

    def _write_holder(self) -> None:
        holder = {
            "user": _user(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": f"{datetime.now():%Y-%m-%d %H:%M}",
        }
        with contextlib.suppress(OSError):
            self.holder_path.write_text(json.dumps(holder), "utf-8")

    def _read_holder(self) -> Holder:
        if not is_file(self.holder_path):
            return Holder()
        try:
            data = read_json(self.holder_path, FashionError, limit=HOLDER_BYTES)
            return Holder(
                str(data["user"]), str(data["host"]), int(data["process"]), str(data["since"])
            )
        except (FashionError, ValueError, KeyError, TypeError):
            return Holder()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"

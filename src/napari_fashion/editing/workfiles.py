"""What lies beside a data set while it is worked on: the lock, the journal, earlier versions.

All of it is in one hidden folder beside the file, ``.garments.json.fashion``, or in the user's state
folder where none can be made there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_fashion.errors import CocoError
from napari_fashion.files import FileState, atomic_write, checked_path, is_file, remove_stale_files
from napari_fashion.locking import Holder, ProcessLock
from napari_fashion.paths import state_folder

KEPT_VERSIONS = 5
"""Number of saved versions kept beside the file itself."""
JOURNAL = "journal.jsonl"
BASE = "base.json"
"""The document of a folder of images that has no file yet; its journal's edits are of it."""
SPLIT = "split.json"
"""Sides of the data set's images, which every training on it keeps (`DataOptions.split`)."""
ANNOTATIONS = "annotations.json"
"""The one file that a folder of images is saved to."""


@dataclass(frozen=True)
class SavedVersion:
    """An earlier saved version of a file.

    Attributes
    ----------
    path
        Where it is kept.
    saved
        When it was written.
    size
        In bytes.
    """

    path: Path
    saved: datetime
    size: int


class WorkFiles:
    """The work folder of one file.

    Parameters
    ----------
    target
        The COCO file; it need not be there yet. Links are followed, so that two names are one file.
    """

    def __init__(self, target: Path) -> None:
        self.target = Path(os.path.realpath(checked_path(target)))
        name = hashlib.sha256(str(self.target).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        self._places = (
            self.target.with_name(f".{self.target.name}.fashion"),
            state_folder() / "work" / name,
        )
        self._lock: ProcessLock | None = None

    # -- folders ---------------------------------------------------------------------------

    @property
    def folders(self) -> list[Path]:
        """The folders that are there; the first is the one in use."""
        return [place for place in self._places if _is_folder(place)]

    def folder(self) -> Path:
        """Return the folder to write to, making it if it isn't.

        Raises
        ------
        OSError
            If it can be made neither beside the file nor in the user's state folder.
        """
        problem: OSError | None = None
        for place in self._places:
            try:
                place.mkdir(parents=place is self._places[1], exist_ok=True)
                probe = place / f".{os.getpid()}"
                probe.touch()
                probe.unlink()
            except OSError as error:
                problem = error
            else:
                return place
        assert problem is not None
        raise problem

    def split_file(self) -> Path | None:
        """Return where the sides of the images are kept; None if no folder can be written to."""
        try:
            return self.folder() / SPLIT
        except OSError:  # then each run has a split of its own
            return None

    def find(self, name: str) -> Path | None:
        """Return a file of that name in one of the folders, or None."""
        return next((f / name for f in self.folders if is_file(f / name)), None)

    def clean(self) -> None:
        """Remove what killed processes left: temporary files, and links of saves that were not made."""
        for folder in (self.target.parent, *self.folders):
            remove_stale_files(folder)
        for folder in self.folders:
            with contextlib.suppress(OSError):
                for path in [*folder.glob(f"{JOURNAL}.*.tmp"), *folder.glob("versions/*.tmp")]:
                    path.unlink(missing_ok=True)
        for path in self._version_paths():
            with contextlib.suppress(OSError):
                if os.path.samefile(path, self.target):
                    path.unlink()

    # -- the lock --------------------------------------------------------------------------

    def lock(self) -> Holder | None:
        """Take the data set; return who has it if it is open elsewhere.

        The system gives it back when the process ends, however it ends. Where no folder can be made there
        is no lock either.
        """
        if self._lock is not None:
            return None
        try:
            folder = self.folder()
            lock = ProcessLock(folder / "lock", folder / "holder.json")
            holder = lock.acquire()
        except (OSError, RuntimeError):
            return None
        if holder is None:
            self._lock = lock
        return holder

    @property
    def is_locked(self) -> bool:
        """Whether we have the data set."""
        return self._lock is not None

    def release(self) -> None:
        """Give the data set back."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    # -- earlier versions ------------------------------------------------------------------

    def keep_version(self) -> Path | None:
        """Keep the file, which is about to be replaced, among the earlier versions; the last few stay.

        A link does where the file system has them and the file has no other name, so it takes no time and
        no room. Where the file is not replaced after all, remove it again: it is the file itself.

        Returns
        -------
        The version, or None if there is no file.

        Raises
        ------
        OSError
            If it can be neither linked nor copied.
        """
        if not self.target.is_file():
            return None
        folder = self.folder() / "versions"
        folder.mkdir(exist_ok=True)
        known = self._version_paths()
        latest = int(known[0].stem) if known and known[0].stem.isdecimal() else 0
        kept = folder / f"{max(time.time_ns(), latest + 1):020d}.json"
        try:
            if self.target.is_symlink() or self.target.stat().st_nlink > 1:
                raise OSError("another name of it may be written to")
            os.link(self.target, kept)
        except OSError:
            half = kept.with_suffix(".tmp")
            try:
                shutil.copy2(self.target, half)
                os.replace(half, kept)
            finally:
                half.unlink(missing_ok=True)
        return kept

    def prune_versions(self) -> None:
        """Let only the last few versions stay, after a file was replaced."""
        for old in self._version_paths()[KEPT_VERSIONS:]:
            with contextlib.suppress(OSError):
                old.unlink()

    def versions(self) -> list[SavedVersion]:
        """Return the earlier versions, the latest first."""
        found = []
        for path in self._version_paths():
            with contextlib.suppress(OSError):
                status = path.stat()
                saved = datetime.fromtimestamp(status.st_mtime)
                found.append(SavedVersion(path, saved, status.st_size))
        return found

    def restore(self, version: SavedVersion) -> None:
        """Make an earlier version the file's content; what it has now becomes a version.

        Raises
        ------
        CocoError
            If it cannot be read or written, or the file is open elsewhere.
        """
        held = self.is_locked
        holder = self.lock()
        if holder is not None:
            raise CocoError(
                f"is open elsewhere ({holder}); close it there first.", path=self.target
            )
        kept: list[Path | None] = []

        def before(_state: FileState, _target: Path) -> None:
            kept.append(self.keep_version())

        try:
            data = version.path.read_bytes()
            atomic_write(self.target, data, before_replace=before)
            self.prune_versions()
        except OSError as error:
            for path in filter(None, kept):  # of the file that is still there
                with contextlib.suppress(OSError):
                    path.unlink()
            raise CocoError(
                f"the version of {version.saved:%Y-%m-%d %H:%M:%S} cannot be restored "
                f"({error.strerror or error}); the file is unchanged.",
                path=self.target,
            ) from error
        finally:
            if not held:
                self.release()

    def _version_paths(self) -> list[Path]:
        found: list[Path] = []
        for folder in self.folders:
            with contextlib.suppress(OSError):
                found += (folder / "versions").glob("*.json")
        return sorted(found, key=lambda p: p.name, reverse=True)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False

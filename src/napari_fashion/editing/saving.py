"""One save of a data set: watched for other programs, with the replaced file kept as a version."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from napari_fashion.coco import Dataset
from napari_fashion.coco.writing import write_file
from napari_fashion.editing.journal import Journal, put_journal_aside
from napari_fashion.editing.workfiles import JOURNAL, WorkFiles
from napari_fashion.errors import ConflictError
from napari_fashion.files import FileState, stamp_of


class Save:
    """Writes a data set to a file.

    Parameters
    ----------
    dataset
        What is written.
    target
        The file.
    work
        The target's work folder, locked for us.
    read_as
        What the target was when it was read or written last; None if we never did.
    own
        Whether the target is the file that the work is saved in.
    keep_mine
        Whether to replace it although another program changed it.
    journal
        Notes the new file's digest just before it is in place.
    notify
        Takes sentences that a person has to read.

    Attributes
    ----------
    state
        Of the new file, from the moment at which it was about to replace the old one.
    """

    def __init__(
        self,
        dataset: Dataset,
        target: Path,
        work: WorkFiles,
        *,
        read_as: FileState | None,
        own: bool,
        keep_mine: bool,
        journal: Journal | None,
        notify: Callable[[str], None],
    ) -> None:
        self._dataset = dataset
        self._target = target
        self._work = work
        self._read_as = read_as
        self._own = own
        self._is_watched = own and not keep_mine
        self._journal = journal
        self._notify = notify
        self._version: Path | None = None
        self._inode = (stamp_of(target) or ())[:2]
        self.state: FileState | None = None

    def write(self, *, overwrite: bool) -> FileState:
        """Write the file, or leave the old one as it is.

        Raises
        ------
        ConflictError
            If another program changed the file since it was read.
        CocoError
            If it exists and `overwrite` is not given, or it cannot be written.
        """
        # Another program's change is looked for while the new file is written.
        with ThreadPoolExecutor(1) as helper:
            check = helper.submit(self._find_conflict)

            def before(state: FileState, _: Path) -> None:
                self._refuse_conflict(*check.result())
                self._keep_version()
                if self._journal is not None:
                    self._journal.saving(state.digest)
                if not self._own:
                    self._keep_journal_of_target()
                self.state = state

            return write_file(
                self._dataset.chunks(self._target),
                self._target,
                source=self._dataset.path,
                overwrite=overwrite,
                before_replace=before,
            )

    @property
    def is_done(self) -> bool:
        """Whether the new file is in place, even if `write` raised an error."""
        return (
            self.state is not None
            and (stamp_of(self._target) or ())[:2] != self._inode
            and self.state.is_at(self._target)
        )

    def discard_version(self) -> None:
        """Remove the version that was kept of a file that is still there."""
        if self._version is not None:
            with contextlib.suppress(OSError):
                self._version.unlink()

    def _find_conflict(self) -> tuple[str, tuple[int, ...] | None]:
        """Return what another program did to the file, empty for nothing, and its stamp at that time."""
        stamp = stamp_of(self._target) if self._is_watched else None
        if stamp is None:
            return "", None
        if self._read_as is None:
            return "another program made this file meanwhile", stamp
        if not self._read_as.is_at(self._target):
            return "another program changed this file since it was read", stamp
        return "", stamp

    def _refuse_conflict(self, conflict: str, stamp: tuple[int, ...] | None) -> None:
        if self._is_watched and not conflict and stamp != stamp_of(self._target):
            conflict, _ = self._find_conflict()  # changed in between
        if conflict:
            raise ConflictError(conflict, path=self._target)

    def _keep_version(self) -> None:
        try:
            self._version = self._work.keep_version()
        except OSError as error:
            self._notify(f"No earlier version could be kept ({error.strerror}).")

    def _keep_journal_of_target(self) -> None:
        """Put the journal of another file's unsaved changes aside: they would be lost with the file."""
        journal = self._work.find(JOURNAL)
        if journal is not None:
            aside = put_journal_aside(journal)
            self._notify(
                f"The file that was at {self._target} had changes that were not saved; they are "
                f"kept in {aside}."
            )

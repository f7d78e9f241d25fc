"""The journal of an editor: begun, put in place of an older one, rested, taken up and put aside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from napari_fashion.coco import Dataset
from napari_fashion.editing.journal import Entry, Journal, Pending, put_journal_aside
from napari_fashion.editing.workfiles import BASE, JOURNAL, WorkFiles
from napari_fashion.errors import CocoError
from napari_fashion.files import atomic_write


class JournalKeeper:
    """Keeps the journal of a data set, if there is one.

    Parameters
    ----------
    dataset
        The data set.
    notify
        Takes sentences that a person has to read.

    Attributes
    ----------
    journal
        None while no journal is kept.
    """

    def __init__(self, dataset: Dataset, notify: Callable[[str], None]) -> None:
        self._dataset = dataset
        self._notify = notify
        self.journal: Journal | None = None
        self._rested: Journal | None = None

    @property
    def is_whole(self) -> bool:
        """Whether there is a journal on the disk that has everything."""
        return self.journal is not None and self.journal.is_whole

    def begin(self, work: WorkFiles, digest: str, *, deferred: bool = False) -> None:
        """Write to the journal of a work folder from now on (`Editor.protect`)."""
        if self.journal is not None:
            self.journal.close()
        try:
            path = work.find(JOURNAL) or work.folder() / JOURNAL
        except OSError as error:
            self._notify(
                f"No journal can be kept of {work.target} ({error.strerror}): what you do is in memory "
                "only until you save."
            )
            return
        self.journal = Journal(path, digest, self._dataset, deferred=deferred)
        self.journal.failed.connect(self._failed)

    def _failed(self, text: str) -> None:
        self._notify(text)

    def end(self) -> None:
        """Keep no journal from now on; its file stays."""
        if self.journal is not None:
            self.journal.close()
            self.journal = None

    def note(self, entry: Entry, *, needs_base: bool) -> None:
        """Write an entry.

        Parameters
        ----------
        entry
            What was done.
        needs_base
            Whether no file has the document that the edits change, so that it is kept beside the journal.
        """
        if self.journal is None:
            return
        if needs_base:
            self._write_base(self.journal)
        self.journal.note(entry)

    def _write_base(self, journal: Journal) -> None:
        base = journal.path.with_name(BASE)
        if journal.entries and base.exists():
            return
        with contextlib.suppress(OSError):
            atomic_write(base, self._dataset.data)

    def complete(self) -> None:
        """Write what the journal on the disk lacks (`Editor.complete_journal`)."""
        if self.journal is not None and not self.journal.is_whole:
            self.replace(keep_old=False)

    def replace(self, *, keep_old: bool) -> None:
        """Let a deferred journal take the old one's place in one step (`Editor.replace_journal`)."""
        if self.journal is None:
            return
        try:
            self.journal.rewrite(keep_old=keep_old)
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CocoError(
                f"the journal cannot be written ({reason}); nothing was changed.",
                path=self.journal.path,
                remedy="Make room and try again.",
            ) from error

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Note nothing meanwhile: what is made is in the journal already."""
        journal, self.journal = self.journal, None
        try:
            yield
        finally:
            self.journal = journal

    def go_on(self, pending: Pending, made: int) -> None:
        """Go on in the journal whose first entries were made again.

        What did not fit, or could not be read, stays in a file of its own.
        """
        journal = self.journal
        if journal is None:
            return
        journal.take_over(pending.entries[:made])
        if made < len(pending.entries) or pending.damage:
            try:
                journal.rewrite(keep_old=True)
            except (OSError, ValueError, RecursionError) as error:
                journal.is_whole = False
                self._notify(f"{journal.path}: cannot be rewritten ({error}).")

    def saved(self, digest: str) -> None:
        """Begin a new journal: a file with this SHA-256 has everything."""
        if self.journal is not None:
            self.journal.saved(digest)
            with contextlib.suppress(OSError):
                self.journal.path.with_name(BASE).unlink(missing_ok=True)

    def put_aside(self) -> Path | None:
        """Put the journal aside as a file of its own (`Editor.put_aside`)."""
        self.complete()
        journal = self.journal
        if journal is None or not journal.path.exists():
            return None
        journal.close()
        aside = put_journal_aside(journal.path)
        self.journal = None
        return aside

    def rest(self, *, is_needed: bool) -> None:
        """Keep nothing open; a journal that is not needed goes."""
        journal = self.journal
        if journal is None:
            return
        if not is_needed:
            journal.close()
            with contextlib.suppress(OSError):
                journal.path.unlink(missing_ok=True)
                journal.path.with_name(BASE).unlink(missing_ok=True)
        journal.rest()
        self.journal, self._rested = None, journal

    def resume(self) -> bool:
        """Take the journal up again after `rest`; return whether there was one."""
        journal, self._rested = self._rested, None
        if journal is None:
            return False
        try:
            journal.resume()
        except CocoError as error:
            self._notify(str(error))
        self.journal = journal
        return True

"""Fetch photos from a public repository, a mirror or a folder, and verify each."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import shutil
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from napari_fashion.errors import FetchError
from napari_fashion.files import atomic_write, move_if_free, open_regular

ATTEMPTS = 4
TIMEOUT = 30.0
"""Seconds without an answer after which a connection is closed."""

_GIVE_UP_AFTER = 12
"""Number of failures in a row, without one photo, after which the source is given up."""
_NOT_TRIED = "not tried, since the others failed"
_KEPT = (
    "another file has that name already, and was kept; expected the photo or none. Move it away "
    "to fetch the photo"
)

_CHUNK = 1 << 16

Progress = Callable[[int, int, str], object]
"""Called with the number of photos dealt with, the number wanted, and the photo's path."""


@dataclass
class FetchReport:
    """What a fetch did.

    Attributes
    ----------
    target
        The folder.
    wanted
        Number of photos asked for.
    present
        Number of these that were there already, whole.
    fetched
        Number of photos that came.
    failed
        For each photo that did not come, why; also where another file has its name, which is kept.
    kept
        Landmark files in the folder that differ from the package's and were left alone.
    """

    target: Path
    wanted: int = 0
    present: int = 0
    fetched: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    kept: list[Path] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every photo wanted is there."""
        return self.present + self.fetched == self.wanted

    def __str__(self) -> str:
        return "\n".join([self.summary(), *self.troubles()])

    def summary(self) -> str:
        """Return how many photos are there, a sentence."""
        return (
            f"{self.present + self.fetched} of {self.wanted} photos are in {self.target} "
            f"({self.fetched} fetched, {self.present} were there)."
        )

    def troubles(self) -> list[str]:
        """Return what failed and what was kept, a sentence a line; nothing where all is well."""
        lines = []
        reasons: dict[str, list[str]] = {}
        for path, reason in self.failed.items():
            reasons.setdefault(reason, []).append(path)
        for reason, paths in reasons.items():
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            lines.append(f"Failed: {paths[0]}{more}: {reason}")
        if self.failed:
            lines.append("Run it again to go on, or name a folder or mirror that has the photos.")
        return lines + [f"Kept your own {path}." for path in self.kept]


class Wanted(Protocol):
    """A photo to be fetched.

    Attributes
    ----------
    path
        Where it will lie, below the target folder; as all paths here with slashes.
    places
        Where a source may have it, below the source's folder or address; the first one that is there
        counts.
    """

    @property
    def path(self) -> str: ...  # noqa: D102

    @property
    def places(self) -> tuple[str, ...]: ...  # noqa: D102

    def problem(self, file: Path) -> str:
        """Return why a file is not the photo as it is kept, as a clause; empty text if it is.

        Raises
        ------
        OSError
            If it cannot be read.
        """

    def prepared(self, part: Path) -> Path:
        """Return the file that is kept, made of what came; `part` itself if that is kept as it is.

        Raises
        ------
        OSError
            If it cannot be written.
        """


@dataclass(frozen=True)
class ExactPhoto:
    """A photo that is kept as it comes, and known by its SHA-256; see `Wanted`.

    Attributes
    ----------
    sha256
        In hexadecimal.
    """

    path: str
    places: tuple[str, ...]
    sha256: str

    def problem(self, file: Path) -> str:
        """Return how the file's SHA-256 differs."""
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found == self.sha256:
            return ""
        return f"another file (SHA-256 {found[:12]}.., expected {self.sha256[:12]}..)"

    def prepared(self, part: Path) -> Path:
        """Return what came."""
        return part


def fetch_into(
    folder: Path,
    wanted: Sequence[Wanted],
    source: Path | str,
    *,
    beside: Mapping[str, bytes],
    progress: Progress | None = None,
    connections: int = 8,
) -> FetchReport:
    """Fetch photos into a folder, and put further files beside them.

    A photo that is there and whole is not fetched again, and one that came in part goes on where
    it stopped, so a fetch that was cut off is simply run again. A photo only gets its name once
    it is verified. Another file of a photo's name is kept, and no link is written through.

    Parameters
    ----------
    folder
        The target.
    wanted
        The photos.
    source
        A folder, or the address of a mirror (http, https, file), that holds them.
    beside
        Further files by their names; one that somebody has changed is kept.
    progress
        Called in this thread after each photo; what it raises ends the fetch.
    connections
        Number of photos on the way at once.

    Returns
    -------
    FetchReport
        With the reason for each photo that did not come.

    Raises
    ------
    FetchError
        If the source is neither a folder nor an address, or the target cannot be written.
    """
    where = _Source(source)
    report = FetchReport(folder, wanted=len(wanted))
    try:
        for room in {(folder / photo.path).parent for photo in wanted}:
            room.mkdir(parents=True, exist_ok=True)
        report.kept = _put_beside(folder, beside)
    except OSError as error:
        raise FetchError(
            f"{folder}: cannot be written ({error.strerror or error}); expected a folder for the "
            "photos. Name another one."
        ) from error

    pool = ThreadPoolExecutor(max_workers=connections)
    try:
        tasks = {pool.submit(_fetch_one, where, folder, photo): photo for photo in wanted}
        given_up = _follow(tasks, report, progress)
    finally:
        pool.shutdown(cancel_futures=True)
    if given_up:
        _count_after_giving_up(tasks, report)
    return report


_Tasks = dict[Future[bool], Wanted]


def _follow(tasks: _Tasks, report: FetchReport, progress: Progress | None) -> bool:
    """Count photos as they come; return whether the source was given up."""
    failures = 0
    for done, task in enumerate(as_completed(tasks), start=1):
        path = tasks[task].path
        try:
            if task.result():
                report.fetched += 1
            else:
                report.present += 1
            failures = 0
        except _KeptError as error:
            report.failed[path] = str(error)
        except (_FailedError, OSError) as error:
            report.failed[path] = str(error)
            failures += 1
        if progress is not None:
            progress(done, report.wanted, path)
        if failures >= _GIVE_UP_AFTER and not report.fetched:
            return True
    return False


def _count_after_giving_up(tasks: _Tasks, report: FetchReport) -> None:
    """Count every photo, those that were not waited for, too."""
    report.present = 0
    for task, photo in tasks.items():
        path = photo.path
        try:
            if task.cancelled() and not _is_there(photo, report.target / path):
                report.failed[path] = _NOT_TRIED
            elif not task.cancelled() and task.result():
                report.fetched += 1
            else:
                report.present += 1
        except _KeptError as error:
            report.failed[path] = str(error)
        except (_FailedError, OSError):
            report.failed.setdefault(path, _NOT_TRIED)


class _FailedError(Exception):
    """One photo did not come; the text says why."""


class _KeptError(_FailedError):
    """Another file has the photo's name."""


class _Source:
    """Where photos come from: a folder or a base address."""

    def __init__(self, source: Path | str) -> None:
        self.folder: Path | None = None
        self.address = ""
        text = str(source)
        scheme = urllib.parse.urlsplit(text).scheme if isinstance(source, str) else ""
        if scheme in ("http", "https"):
            self.address = text.rstrip("/")
            return
        if scheme == "file":
            text = urllib.request.url2pathname(urllib.parse.urlsplit(text).path)
        self.folder = Path(text).expanduser()
        if not self.folder.is_dir():
            raise FetchError(
                f"{source}: no such folder; expected a folder of photos or an address that begins "
                "with http://, https:// or file://."
            )

    def get(self, places: Sequence[str], part: Path) -> None:
        """Bring one photo into `part`, going on after what is there.

        Parameters
        ----------
        places
            See `Wanted`.

        Raises
        ------
        _FailedError
            If the source does not have it.
        OSError, http.client.HTTPException
            If it failed in a way that may pass.
        """
        if self.folder is not None:
            for place in places:
                if (self.folder / place).is_file():
                    with open_regular(self.folder / place) as photo, _opened(part) as stream:
                        shutil.copyfileobj(photo, stream)
                    return
            raise _FailedError(f"not in {self.folder}")
        for i, place in enumerate(places):
            try:
                _download(f"{self.address}/{urllib.parse.quote(place)}", part)
                return
            except urllib.error.HTTPError as error:
                if error.code not in (404, 410) or i + 1 == len(places):
                    raise


def _fetch_one(source: _Source, folder: Path, photo: Wanted) -> bool:
    """Bring one photo; False where it was there already."""
    target = folder / photo.path
    if _is_there(photo, target):
        return False
    part = target.with_name(target.name + ".part")
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            # Doubled each time, and not in step with the other connections.
            _pause(0.5 * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))
        try:
            source.get(photo.places, part)
        except urllib.error.HTTPError as error:
            reason = f"the server answers {error.code} {error.reason}"
            if error.code == 416:  # what came before is longer than the photo
                part.unlink(missing_ok=True)
            elif error.code < 500 and error.code not in (408, 425, 429):
                break
            continue
        except _CutOffError as error:
            reason = str(error)
            continue
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            reason = f"no answer ({cause or type(error).__name__})"
            continue
        problem = _keep(photo, part, target)
        if not problem:
            return True
        reason = f"what came is {problem}"
    raise _FailedError(reason)


def _keep(photo: Wanted, part: Path, target: Path) -> str:
    """Give what came its name if it is the photo, and remove `part`; return why it is not.

    Raises
    ------
    _KeptError
        If something else got the name meanwhile.
    """
    ready = photo.prepared(part)
    try:
        problem = photo.problem(ready)
        if not problem:
            move_if_free(ready, target)
    except FileExistsError as error:
        raise _KeptError(_KEPT) from error
    finally:
        if ready != part:
            ready.unlink(missing_ok=True)
    part.unlink(missing_ok=True)
    return problem


def _is_there(photo: Wanted, target: Path) -> bool:
    """Whether a photo is there, whole.

    Raises
    ------
    _KeptError
        If something else has its name.
    """
    if not os.path.lexists(target):
        return False
    if target.is_file() and not photo.problem(target):
        return True
    raise _KeptError(_KEPT)


def _size_of_part(part: Path) -> int:
    """Return how much of a photo is there from before, bytes; no more than its own file counts.

    Raises
    ------
    _FailedError
        If what has the name is a link or no regular file: it would be written elsewhere.
    """
    try:
        status = os.lstat(part)
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise _FailedError(
            f"{part.name} is a link or no regular file, and was kept; expected none, or what an "
            "earlier fetch left. Move it away"
        )
    return status.st_size


def _opened(part: Path, *, goes_on: bool = False) -> BinaryIO:
    """Open the file of a photo that is on its way: to go on, or anew. No link is followed."""
    _size_of_part(part)
    if not goes_on:
        part.unlink(missing_ok=True)
        return part.open("xb")
    return open(part, "ab", opener=_no_link)


def _no_link(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


class _CutOffError(Exception):
    """A connection ended before the file did."""


def _download(address: str, part: Path) -> None:
    start = _size_of_part(part)
    request = urllib.request.Request(address, headers={"User-Agent": "napari-fashion"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        goes_on = start > 0 and answer.status == 206
        expected = answer.headers.get("Content-Length")
        came = 0
        with _opened(part, goes_on=goes_on) as stream:
            while chunk := answer.read(_CHUNK):
                stream.write(chunk)
                came += len(chunk)
    if expected is not None and came < int(expected):
        raise _CutOffError(f"cut off after {came} of {expected} bytes")


def _pause(seconds: float) -> None:
    time.sleep(seconds)


def _put_beside(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Put files beside the photos; return those that somebody has changed."""
    kept = []
    for name, data in files.items():
        target = folder / name
        if not os.path.lexists(target):
            atomic_write(target, data, overwrite=False)
        elif not target.is_file() or target.read_bytes() != data:
            kept.append(target)
    return kept

"""The one reader and writer of whole files: a failed write leaves the old file as it was."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from napari_fashion.errors import CocoError

RACY_SECONDS = 2.0
"""A file that changed so shortly before it was read may change again without a new time stamp."""
STALE_SECONDS = 24 * 3600
"""A temporary file of another machine is left alone for so long."""
MAX_BYTES = 4 << 30
"""No file is read into memory that is larger: 4 GiB."""

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


@dataclass(frozen=True)
class FileState:
    """What a file was when it was read or written last.

    Attributes
    ----------
    digest
        SHA-256 of its bytes, hexadecimal.
    stamp
        Device, inode, size, and times of change in ns.
    seen
        When, ns since the epoch.
    note
        What could not be kept of the file that was replaced, such as its owner.
    """

    digest: str
    stamp: tuple[int, ...] = field(compare=False)
    seen: int = field(compare=False)
    note: str = field(default="", compare=False)

    def is_at(self, path: Path) -> bool:
        """Whether the file at a path is still this one; False where it is gone.

        The time stamps are compared; the bytes are read only if the stamps differ or are too recent.
        """
        stamp = stamp_of(path)
        if stamp is None:
            return False
        sure = self.seen - max(self.stamp[3:]) > RACY_SECONDS * 1e9
        if stamp == self.stamp and sure:
            return True
        if stamp[2] != self.stamp[2]:
            return False
        try:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == self.digest
        except OSError:
            return False


def stamp_of(path: Path) -> tuple[int, ...] | None:
    """Return device, inode, size and times of change of a file; None where there is none."""
    try:
        return _stamp(os.stat(path))
    except (OSError, ValueError):
        return None


def is_file(path: Path) -> bool:
    """Whether there is a file; False for a name that the system refuses, however odd it is."""
    try:
        return os.path.isfile(path)
    except (OSError, ValueError):  # a null character, half a surrogate
        return False


def is_same_path(a: Path, b: Path) -> bool:
    """Whether two paths lead to the same place; neither need be there."""
    try:
        return a.resolve() == b.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links
        return a == b


def checked_path(path: Path | str) -> Path:
    """Return a path that the system can be asked about.

    Raises
    ------
    CocoError
        If it has a null character, or letters that no file name can have.
    """
    path = Path(path)
    try:
        if b"\0" not in os.fsencode(path):
            return path
    except ValueError:
        pass
    raise CocoError(
        f"{str(path)!r} cannot be the name of a file; expected one without such letters."
    )


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to be read; links are followed.

    A pipe is not waited for, and a device is not opened.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file.
    ValueError
        If no file can have that name.
    """
    _check_regular(os.stat(path), path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _check_regular(os.fstat(descriptor), path)  # it may have become another one meanwhile
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or is larger.
    ValueError
        If no file can have that name.
    """
    with open_regular(path) as stream:
        return _read_up_to(stream, path, limit)


def read_file(path: Path) -> tuple[bytes, FileState]:
    """Return the bytes of a regular file of at most `MAX_BYTES`, and its state.

    Raises
    ------
    CocoError
        If it cannot be read.
    """
    try:
        with open_regular(path) as stream:
            seen = time.time_ns()
            stamp = _stamp(os.fstat(stream.fileno()))
            data = _read_up_to(stream, path, MAX_BYTES)
    except (OSError, ValueError, MemoryError) as error:
        raise CocoError(
            f"cannot be read ({why_unreadable(error)}); expected a COCO keypoint file (JSON).",
            path=path,
        ) from error
    return data, FileState(hashlib.sha256(data).hexdigest(), stamp, seen)


def why_unreadable(error: BaseException) -> str:
    """Return the text of an error of reading a file, without its number and the path."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    return str(getattr(error, "strerror", None) or error)


def _read_up_to(stream: BinaryIO, path: Path, limit: int) -> bytes:
    size = os.fstat(stream.fileno()).st_size
    if size > limit:
        raise OSError(
            errno.EFBIG, f"it has {size:,} bytes, and at most {limit:,} are read", str(path)
        )
    # As much as there is: `read` takes memory for all that it is asked for, at once.
    data = stream.read(size + 1)
    while size < len(data) <= limit:  # it grew, or the system does not report its size (/proc)
        chunk = stream.read(1 << 20)
        if not chunk:
            break
        data += chunk
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
    return data


def _check_regular(status: os.stat_result, path: Path) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    kind = kinds.get(stat.S_IFMT(mode), "something else")
    raise OSError(errno.EINVAL, f"it is {kind}, not a regular file", str(path))


def atomic_write(
    path: Path | str,
    data: bytes | Iterable[bytes | memoryview],
    *,
    overwrite: bool = True,
    streamed: bool = False,
    before_replace: Callable[[FileState, Path], None] | None = None,
) -> FileState:
    """Write `data` to `path` so that the file is either the old one or the whole new one.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and replace the
    target in one step. Permissions and extended attributes of the target are kept, its owner where the
    system lets us; links are followed. Missing folders are made.

    Parameters
    ----------
    streamed
        Take the chunks one by one and keep none: for more than should be in memory at once.
    before_replace
        Called with the new file's state and the target when all is on the disk and before the name
        changes; what it raises stops the write.

    Returns
    -------
    The state of the new file.

    Raises
    ------
    OSError
        If the target is read-only, or there already and not to be overwritten, or the folder cannot be
        written; the old file is then untouched and no temporary file is left.
    """
    target = Path(path)
    if target.is_symlink():  # replace what the link points to, not the link
        target = Path(os.path.realpath(target))
        if target.is_symlink():
            raise OSError(errno.ELOOP, "a loop of links", str(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        old: os.stat_result | None = target.stat()
    except FileNotFoundError:
        old = None
    if old is not None and not overwrite:
        raise FileExistsError(errno.EEXIST, "exists already", str(target))
    if old is not None and not old.st_mode & 0o222:
        raise PermissionError(errno.EACCES, "the file is read-only", str(target))
    temporary = target.parent / f".fashion-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb", opener=_private) as stream:
            chunks = [data] if isinstance(data, (bytes, memoryview)) else data
            digest = _write_once(stream, chunks) if streamed else _write_all(stream, list(chunks))
            stream.flush()
            note = _keep_attributes(temporary, target, old)
            os.fsync(stream.fileno())
        state = FileState(digest, _stamp(temporary.stat()), time.time_ns(), note)
        if before_replace is not None:
            before_replace(state, target)
        if overwrite:
            os.replace(temporary, target)
        else:
            move_if_free(temporary, target)
        state = replace(state, stamp=stamp_of(target) or state.stamp, seen=time.time_ns())
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    sync_folder(target.parent)
    return state


@contextlib.contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Give a new folder to write into; it gets its name `path` when all of it is written.

    Files in it are written directly: the disk is waited for once, at the end. Where the block raises,
    everything goes again.

    Parameters
    ----------
    path
        A name that is free, or an empty folder's. Missing folders above it are made.

    Raises
    ------
    OSError
        If there is something else at `path`, or it cannot be written.
    """
    target = Path(os.path.realpath(path))
    require_free_folder(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_folders(target.parent)
    temporary = target.parent / f".fashion-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    temporary.mkdir()
    try:
        yield temporary
        if hasattr(os, "sync"):
            os.sync()
        require_free_folder(target)
        with contextlib.suppress(FileNotFoundError):
            target.rmdir()  # only Windows refuses to rename onto an empty folder
        os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(target.parent)


def require_free_folder(path: Path) -> None:
    """Check that a new folder can get this name.

    Raises
    ------
    OSError
        If there is something of that name other than an empty folder, or it is the folder that this
        process works in.
    """
    if not os.path.lexists(path):
        return
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(path))
    if any(os.scandir(path)):
        raise OSError(errno.ENOTEMPTY, "the folder is not empty", str(path))
    if os.path.samefile(path, os.curdir):
        raise OSError(errno.EBUSY, "it is the folder that the command runs in", str(path))


def _remove_stale_folders(parent: Path) -> None:
    """Remove what dead processes of this machine left of `atomic_folder`; links are not followed."""
    with contextlib.suppress(OSError):
        for path in parent.glob(f".fashion-{_HOST}-*-*.tmp"):
            with contextlib.suppress(ValueError):
                if path.is_dir() and not is_running(int(path.name.split("-")[2])):
                    shutil.rmtree(path, ignore_errors=True)


def remove_stale_files(folder: Path) -> list[Path]:
    """Remove the temporary files that dead processes left in a folder; return them."""
    gone = []
    with contextlib.suppress(OSError):
        for path in folder.glob(".fashion-*-*-*.tmp"):
            host, process = path.name.split("-")[1:3]
            with contextlib.suppress(OSError, ValueError):
                old = time.time() - path.stat().st_mtime > STALE_SECONDS
                if old or (host == _HOST and not is_running(int(process))):
                    path.unlink()
                    gone.append(path)
    return gone


def is_running(process: int) -> bool:
    """Whether a process of this machine is there; True if the system does not report it."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Make a change of names durable, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open a folder
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(name: str, flags: int) -> int:
    """Open a file that only we can read, until it has the target's permissions."""
    return os.open(name, flags, 0o600)


def _write_all(stream: BinaryIO, chunks: Sequence[bytes | memoryview]) -> str:
    """Write chunks and return their SHA-256; hashing lets others run meanwhile."""
    with ThreadPoolExecutor(1) as helper:
        digest = helper.submit(_digest, chunks)
        for chunk in chunks:
            stream.write(chunk)
        return digest.result()


def _write_once(stream: BinaryIO, chunks: Iterable[bytes | memoryview]) -> str:
    """Write chunks as they come, keeping none, and return their SHA-256."""
    digest = hashlib.sha256()
    for chunk in chunks:
        stream.write(chunk)
        digest.update(chunk)
    return digest.hexdigest()


def _digest(chunks: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def move_if_free(temporary: Path, target: Path) -> None:
    """Give a file its name, unless another program took it meanwhile.

    The temporary name may stay.

    Raises
    ------
    FileExistsError
        If there is something of that name.
    """
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "exists already", str(target)) from None
        os.replace(temporary, target)


def _keep_attributes(temporary: Path, target: Path, old: os.stat_result | None) -> str:
    """Give the new file the old one's mode, owner and extended attributes; return what failed."""
    if old is None:
        temporary.chmod(0o666 & ~_umask())
        return ""
    note = ""
    if hasattr(os, "chown"):
        mine = temporary.stat()
        if (mine.st_uid, mine.st_gid) != (old.st_uid, old.st_gid):
            try:
                os.chown(temporary, old.st_uid, old.st_gid)
            except OSError:
                note = f"The file belongs to user {mine.st_uid} now; it was user {old.st_uid}'s."
    temporary.chmod(stat.S_IMODE(old.st_mode))
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(target):
                with contextlib.suppress(OSError):
                    os.setxattr(temporary, name, os.getxattr(target, name))
    return note


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

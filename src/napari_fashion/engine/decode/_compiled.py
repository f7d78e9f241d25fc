"""numba for the decoder's loops: compiled once per installation, and announced while it lasts."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event

_log = logging.getLogger(__name__)
_Function = TypeVar("_Function", bound=Callable[..., Any])

COMPILING = "Compiling the decoder (once per installation, about 10 s)"
NOT_KEPT = (
    "The compiled decoder cannot be kept: no cache folder can be written. It will be compiled again "
    "in each process; set NUMBA_CACHE_DIR to a folder that can be written."
)


def compiled(function: _Function) -> _Function:
    """Compile a function on its first call, or read it from the cache; it releases the GIL.

    Without a cache folder that can be written the function is compiled in each process.
    """
    return _jit(function, nogil=True)


def inner(function: _Function) -> _Function:
    """Compile a function that only compiled functions call: one that Python can call costs more."""
    return _jit(function, no_cpython_wrapper=True)


def _digest() -> str:
    """Return a digest of this package's sources."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


_SOURCES = _digest()


def _jit(function: _Function, **options: bool) -> _Function:
    # numba compiles a function anew if its own file has changed, and inlines those of other files. With
    # the digest in its name, the cache has no function that was compiled from other sources.
    function.__qualname__ = f"{function.__qualname__}_{_SOURCES}"
    # Divisions by zero are excluded everywhere; checking each of them costs time.
    jit = partial(numba.njit, error_model="numpy", no_cfunc_wrapper=True, **options)
    try:
        return cast(_Function, jit(cache=True)(function))
    except RuntimeError as error:  # numba finds no folder for the cache
        if "cannot cache" not in str(error):
            raise
        _announcer.warn()
        return cast(_Function, jit()(function))


class _Announcer(event.Listener):
    """Announces that the decoder is being compiled, before it begins."""

    def __init__(self) -> None:
        self._warned = False
        self._logged = False
        self._notify = threading.local()

    def warn(self) -> None:
        """Warn, once a process, that there is no cache."""
        if not self._warned:
            self._warned = True
            _log.warning("%s", NOT_KEPT)

    def on_start(self, event: Any) -> None:
        """Announce the first function of the decoder that is not in the cache."""
        if not event.data["dispatcher"].py_func.__module__.startswith(__package__):
            return
        if not self._logged:
            self._logged = True
            _log.info("%s", COMPILING)
        notify = getattr(self._notify, "here", None)
        self._notify.here = None  # once: there are many functions
        if notify is not None:
            notify(COMPILING)

    def on_end(self, event: Any) -> None:
        """Do nothing: the caller's next message replaces the announcement."""

    @contextmanager
    def to(self, notify: Callable[[str], object] | None) -> Iterator[None]:
        """Call `notify` with a sentence, once, if this thread compiles functions of the decoder meanwhile.

        The first call of an installation does. Without this context it is only logged (INFO).
        """
        before = getattr(self._notify, "here", None)
        self._notify.here = notify
        try:
            yield
        finally:
            self._notify.here = before


_announcer = _Announcer()
announce_compiling = _announcer.to
event.register("numba:compile", _announcer)  # type: ignore[no-untyped-call]

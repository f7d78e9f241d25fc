"""The last guard of the window: an unexpected exception becomes a message and a log file.

The work itself is safe: every edit is in the journal before the next one can be made.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from napari_fashion.crash import where_to_look, write_error_log
from napari_fashion.errors import OUT_OF_MEMORY, FashionError, is_out_of_memory

HOME = Path(__file__).parent.parent
Tell = Callable[[str], None]


class Guard:
    """Watches for exceptions out of our code, wherever Qt or a thread lets them go.

    Parameters
    ----------
    tell
        Gets the sentence for the person.
    """

    def __init__(self, tell: Tell) -> None:
        from napari.utils.notifications import notification_manager

        self._tell = tell
        self._seen: BaseException | None = None
        self._notices = notification_manager
        self._notices.notification_ready.connect(self._on_notice)  # inside of napari.run
        self._hook, sys.excepthook = sys.excepthook, self._on_exception
        self._thread_hook, threading.excepthook = threading.excepthook, self._on_thread

    def close(self) -> None:
        """Stop watching."""
        self._notices.notification_ready.disconnect(self._on_notice)
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._hook
        if threading.excepthook == self._on_thread:
            threading.excepthook = self._thread_hook

    def _on_notice(self, notice: Any) -> None:
        error = getattr(notice, "exception", None)
        if isinstance(error, BaseException):
            self.report(error)

    def _on_exception(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        self.report(error)
        self._hook(kind, error, trace)

    def _on_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self.report(arguments.exc_value)
        self._thread_hook(arguments)

    def report(self, error: BaseException) -> None:
        """Tell of an exception out of our code, once; what is not ours is left to napari."""
        if error is self._seen or isinstance(error, KeyboardInterrupt) or not _is_ours(error):
            return
        self._seen = error
        if isinstance(error, FashionError):  # a sentence for people that was not caught
            self._tell(str(error))
            return
        if is_out_of_memory(error):
            self._tell(
                f"{OUT_OF_MEMORY[0].upper()}{OUT_OF_MEMORY[1:]} Your work is in the journal."
            )
            return
        self._tell(
            f"Something went wrong in the program ({type(error).__name__}: {str(error)[:200]}). Your work "
            f"is in the journal. {where_to_look(write_error_log(error))}"
        )


def _is_ours(error: BaseException | None) -> bool:
    """Whether our code took part: some frame of the exception, or of what caused it, is ours."""
    for _ in range(10):
        if error is None:
            return False
        trace = error.__traceback__
        while trace is not None:
            if Path(trace.tb_frame.f_code.co_filename).is_relative_to(HOME):
                return True
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return False

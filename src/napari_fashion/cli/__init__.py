"""The command line, `napari-fashion COMMAND`; one module per command.

`torchrun` can start several processes of a command of `SHARED`. The first one reports; of an error,
the process that meets it first.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from napari_fashion import __version__
from napari_fashion.cli import parsing, status, terminal
from napari_fashion.engine import distributed
from napari_fashion.engine.distributed import Launch
from napari_fashion.errors import OUT_OF_MEMORY, FashionError, is_out_of_memory

if TYPE_CHECKING:
    import argparse

COMMANDS = (
    "open",
    "predict",
    "evaluate",
    "train",
    "combine",
    "calibrate",
    "export-model",
    "export-data",
    "pseudo-label",
    "convert",
    "init",
    "stats",
    "validate",
    "merge",
    "split",
    "versions",
    "apply",
    "fetch",
    "demo",
)
"""Each is a module of this package with a docstring for its help, `EXAMPLES`, `add_arguments` and `run`."""

SHARED = ("predict", "evaluate", "train")
"""Commands that several processes can share."""


WAIT_FOR_FIRST = 10.0
"""Seconds that other processes wait for the first one to report; torchrun ends them before."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: to be treated like Ctrl+C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status (`cli.status`)."""
    terminal.silence(_rank() > 0)
    parser, commands = _parser()
    try:
        options, unknown = parser.parse_known_args(arguments)
    except KeyboardInterrupt:  # choices are imported when an option needs them
        terminal.warn(f"{parser.prog}: interrupted; not done.")
        return status.INTERRUPTED
    if unknown:
        commands[options.command].refuse_unknown(unknown)
    level = terminal.QUIET if options.quiet else min(options.verbose, terminal.DEBUG)
    terminal.set_up(level)
    try:
        with _terminated():
            return _guarded(options.run, options)
    finally:
        terminal.tear_down()
        terminal.silence(False)


def _rank() -> int:
    """Return the number of this process, from 0."""
    try:
        return Launch.of_environment().rank
    except FashionError:  # `_shared` reports it
        return 0


@contextmanager
def _shared(options: argparse.Namespace) -> Iterator[None]:
    """Join the other processes of the command, if there are any."""
    launch = Launch.of_environment()
    if launch.size == 1:
        yield
        return
    if options.command not in SHARED:
        if launch.rank > 0:  # torchrun ends all as soon as one ends: the first one has to have told
            time.sleep(WAIT_FOR_FIRST)
        raise FashionError(
            f"torchrun started {launch.size} processes; this command runs in one. {', '.join(SHARED)} can "
            "be shared."
        )
    try:
        with distributed.joined(launch, gpu=options.device != "cpu"):
            yield
    except BaseException as error:
        told = f"rank {launch.rank}: {error}" if str(error) else f"rank {launch.rank} was ended."
        terminal.silence(not distributed.is_first_to_fail(told))
        raise


def _guarded(run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run a command; whatever happens becomes a sentence and a status."""
    name = f"napari-fashion {options.command}"
    if rank := _rank():
        name += f" (rank {rank})"
    try:
        with _shared(options):
            return run(options)
    except FashionError as error:
        terminal.warn(f"{name}: {error}")
        return status.FAILED
    except BrokenPipeError:
        _close_output()
        return status.BROKEN_PIPE
    except Terminated:
        _end_at_once_next_time()
        terminal.warn(f"{name}: ended by SIGTERM; not done.")
        return status.TERMINATED
    except KeyboardInterrupt:
        _end_at_once_next_time()
        terminal.warn(f"{name}: interrupted; not done.")
        return status.INTERRUPTED
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        terminal.warn(f"{name}: {file}{error.strerror or error}.")
        return status.FAILED
    except MemoryError:
        terminal.warn(f"{name}: {OUT_OF_MEMORY}")
        return status.FAILED
    except Exception as error:
        if is_out_of_memory(error):
            terminal.warn(
                f"{name}: the device is out of memory. Try a smaller --batch or --multi-scale."
            )
            return status.FAILED
        return _report(name, error)


def _end_at_once_next_time() -> None:
    """Let a second Ctrl+C end the process, where it would become a page of our internals."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _report(name: str, error: Exception) -> int:
    """Report that the program itself is at fault, and where the details are."""
    from napari_fashion.crash import where_to_look, write_error_log

    what = f"{type(error).__name__}: {str(error)[:300]}"
    look = where_to_look(write_error_log(error))
    terminal.warn(f"{name}: a fault of the program itself ({what}). {look}")
    return status.INTERNAL


def _close_output() -> None:
    """Let nothing be written to a pipe that is gone, not at the end of the process either."""
    import os

    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass


@contextmanager
def _terminated() -> Iterator[None]:
    """Make SIGTERM an exception, where we are the process's main thread."""

    def end(number: int, frame: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.signal(signal.SIGTERM, end)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
        signal.signal(signal.SIGINT, interrupt)


def module_of(command: str) -> ModuleType:
    """Return a command's module."""
    return import_module(f"napari_fashion.cli.{command.replace('-', '_')}")


def _parser() -> tuple[parsing.Parser, dict[str, parsing.Parser]]:
    statuses = "\n".join(f"  {number:<4} {text}" for number, text in status.MEANINGS.items())
    parser = parsing.Parser(
        prog="napari-fashion",
        description="Garment landmarks: predict, evaluate, train, annotate.",
        epilog=f"Each command has --help with examples.\n\nExit statuses:\n{statuses}",
    )
    parser.add_argument("--version", action="version", version=__version__)
    made = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=parsing.Parser
    )
    commands: dict[str, parsing.Parser] = {}
    for command in COMMANDS:
        module = module_of(command)
        text = (module.__doc__ or "").strip()
        first = text.splitlines()[0].rstrip(".")
        one = made.add_parser(
            command,
            help=first[0].lower() + first[1:],
            description=text,
            epilog="examples:\n" + "\n".join(f"  {line}" for line in module.EXAMPLES),
        )
        module.add_arguments(one)
        parsing.add_common(one)
        one.set_defaults(run=module.run)
        commands[command] = one
    return parser, commands

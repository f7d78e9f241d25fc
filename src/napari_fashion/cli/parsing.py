"""Arguments: options that several commands share, errors in words, and help with examples."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from napari_fashion.cli import status, terminal
from napari_fashion.documents import closest
from napari_fashion.packaged import PACKAGED_MODELS

MODELS = ", ".join(f"{name!r} ({what})" for name, what in PACKAGED_MODELS.items())
MOST_IMAGES_AT_ONCE = 4096
MOST_PIXELS_A_SIDE = 4096
MOST_THREADS = 1024


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors name what was found, expected and perhaps meant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Report what is wrong, and end with the status of wrong usage."""
        name = self.prog
        terminal.warn(f"{name}: {message}\nSee: {name} --help")
        sys.exit(status.USAGE)

    def refuse_unknown(self, unknown: Sequence[str]) -> NoReturn:
        """End where arguments are left that no option takes."""
        known = [option for action in self._actions for option in action.option_strings]
        parts = []
        for text in unknown:
            if text.startswith("-"):
                meant = _meant(text.split("=")[0], known)
                parts.append(f"there is no option {text!r}{meant}")
            else:
                parts.append(f"{text!r} is one argument too many")
        self.error("; ".join(parts) + ".")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = action.choices
        if choices is None or value in choices:
            return
        names = [str(c) for c in choices]
        name = "the command" if isinstance(action, argparse._SubParsersAction) else _name(action)
        self.error(
            f"{name} is {value!r}{_meant(str(value), names)}; expected one of {', '.join(names)}."
        )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help with each option's default, and examples as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=100)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help
        shown = action.default not in (None, False, argparse.SUPPRESS, [], ())
        if text and shown and action.option_strings and "default" not in text:
            return text + " (default: %(default)s)"
        return text


def _name(action: argparse.Action) -> str:
    return "/".join(action.option_strings) or str(action.metavar or action.dest)


def _meant(text: str, known: Iterable[str]) -> str:
    near = closest(text, known)
    return "" if near is None else f" (did you mean {near}?)"


class LazyChoices:
    """The choices of an option, imported when they are needed: a command line starts faster so.

    Parameters
    ----------
    read
        Returns them.
    """

    def __init__(self, read: Callable[[], Iterable[str]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __contains__(self, value: object) -> bool:
        return value in tuple(self)


def whole(least: int, most: int, what: str) -> Callable[[str], int]:
    """Return a reader of whole numbers in a range."""

    def read(text: str) -> int:
        try:
            value = int(text) if len(text) < 20 else None
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"found {text[:40]!r}; expected {what}, a whole number from {least:,} to {most:,}."
            )
        return value

    return read


def number(least: float, most: float, what: str) -> Callable[[str], float]:
    """Return a reader of numbers in a range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"found {text[:40]!r}; expected {what}, a number from {least:g} to {most:g}."
            )
        return value

    return read


def sizes(text: str) -> list[int]:
    """Read sizes in pixels that are separated by commas."""
    read = whole(16, MOST_PIXELS_A_SIDE, "a size in pixels")
    parts = text.split(",")
    if len(parts) > 16:
        raise argparse.ArgumentTypeError(f"found {len(parts)} sizes; expected at most 16.")
    return [read(part.strip()) for part in parts]


def name(text: str) -> str:
    """Read what names a file, or what stands for one."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(
            f"found {text[:40]!r}; expected the name of a file or folder."
        )
    return text


def path(text: str) -> Path:
    """Read the name of a file or folder."""
    return Path(name(text))


def schema(text: str) -> str:
    """Read the name of a schema of the package or of a schema file; a file is not looked into."""
    from napari_fashion.errors import SchemaError
    from napari_fashion.files import is_file
    from napari_fashion.schema import Schema

    if not is_file(Path(name(text))):
        try:
            Schema.load(text)
        except SchemaError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return text


positive = whole(1, 10**9, "a number")


# -- options that several commands have ----------------------------------------------------------


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what every command has."""
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress and no closing lines"
    )
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="show the log; twice: all of it"
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add what every command that computes has."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ...")
    parser.add_argument(
        "--threads", type=whole(1, MOST_THREADS, "a number of threads"), metavar="N",
        help="CPU threads (default: as many as there are cores)",
    )  # fmt: skip


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add how a model is used."""
    parser.add_argument(
        "--model", default="bundled", help=f"{MODELS}, a run folder, a model file or a model set"
    )
    add_threads(parser)
    parser.add_argument(
        "--batch", type=whole(1, MOST_IMAGES_AT_ONCE, "a number of images"), default=16, metavar="N",
        help="images at a time",
    )  # fmt: skip
    parser.add_argument(
        "--flip-tta", action=argparse.BooleanOptionalAction,
        help="average with the horizontally flipped image (flip TTA); with a refinement pass, in that one "
        "(default: as the model is configured)",
    )  # fmt: skip
    parser.add_argument(
        "--multi-scale", type=sizes, metavar="N,N",
        help="average over these input sizes, the longer sides in pixels, such as 224,160 (default: as "
        "the model is configured)",
    )  # fmt: skip
    parser.add_argument(
        "--refine", action=argparse.BooleanOptionalAction,
        help="predict a crop of each garment found in a whole image, in a refinement pass (default: as "
        "the model is configured)",
    )  # fmt: skip


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add where images may be read from."""
    parser.add_argument(
        "--images", type=path, metavar="FOLDER",
        help="folder of a COCO file's images (default: the one that the file notes, or beside it)",
    )  # fmt: skip
    add_limits(parser)


def add_schema(
    parser: argparse.ArgumentParser, of: str = "", default: str = "as the file says"
) -> None:
    """Add what the landmarks mean.

    Parameters
    ----------
    of
        Of which data, as the beginning of the help.
    default
        What holds without the option.
    """
    parser.add_argument(
        "--schema", type=name, metavar="NAME|FILE.toml",
        help=f"{of}what the landmarks mean, the name of a schema of the package or a schema file "
        f"(default: {default})",
    )  # fmt: skip


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add what is allowed of images."""
    parser.add_argument(
        "--allow-root", type=path, action="append", default=[], metavar="FOLDER",
        help="also read images from here: a file's names lead there by .., links or absolute paths; "
        "may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--max-pixels", type=whole(1, 10**11, "a number of pixels"), metavar="N",
        help="maximum number of pixels of an image (default: the limit against hostile files)",
    )  # fmt: skip


def add_categories(parser: argparse.ArgumentParser, *, add: bool = True) -> None:
    """Add what becomes of categories that the model and the file don't share."""
    choices = 'a map (TOML, [categories] with "the model\'s" = "the file\'s", or ["several", "of them"]), '
    choices += "'add' (the model's are added to what is written), " if add else ""
    parser.add_argument(
        "--categories", default="skip", metavar="MAP.toml|add|skip" if add else "MAP.toml|skip",
        help=f"garments of categories that the file lacks: {choices}or 'skip' (left out and "
        "counted) (default: skip). A file with exactly one category gives it to every garment",
    )  # fmt: skip


def add_journal(parser: argparse.ArgumentParser) -> None:
    """Add whether unsaved changes of the annotator count."""
    parser.add_argument(
        "--with-journal", action="store_true",
        help="apply the annotator's changes that are in a COCO file's journal and not saved yet; by "
        "default the file is used as it was saved",
    )  # fmt: skip


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add that existing files may be replaced; inputs never are."""
    parser.add_argument(
        "--overwrite", action="store_true", help="replace existing files; never an input"
    )

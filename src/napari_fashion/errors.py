"""The errors a user can meet; every message states what was found, what was expected and what to do."""

from __future__ import annotations

from pathlib import Path

OUT_OF_MEMORY = "out of memory. Try fewer or smaller images at a time."
"""The message about a `MemoryError`."""


class FashionError(Exception):
    """Base of every error that napari-fashion raises on purpose."""


class SchemaError(FashionError):
    """A landmark schema is malformed, unknown, or does not fit the data."""


class CocoError(FashionError):
    """A COCO document cannot be read, used, or written.

    Parameters
    ----------
    problem
        What was found and what was expected, in one sentence.
    path
        The file, where there is one.
    place
        Where in the document, such as ``annotations[3].keypoints``.
    remedy
        What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        path: Path | str | None = None,
        place: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.path = None if path is None else Path(path)
        self.place = place
        self.remedy = remedy
        where = ", ".join(str(part) for part in (path, place) if part is not None)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text} {remedy}" if remedy else text)


class ConvertError(FashionError):
    """A data set cannot be converted: it is not laid out as expected, or has faults and none may be."""


class ConflictError(CocoError):
    """Another program changed a file that is about to be saved; nothing was written.

    Parameters
    ----------
    problem
        What happened, as the beginning of a sentence.
    path
        The file.

    Attributes
    ----------
    sentence
        What happened, without what to do about it.
    """

    def __init__(self, problem: str, *, path: Path) -> None:
        self.sentence = f"{path.name}: {problem}."
        super().__init__(
            f"{problem}; nothing was written.",
            path=path,
            remedy="Keep yours (theirs stays as an earlier version), take theirs, or merge the two.",
        )


class ImageError(FashionError):
    """An image cannot be read or has a shape that no image has."""


class OutsideRootError(ImageError):
    """An image lies outside the folders that images may be read from.

    Parameters
    ----------
    text
        What was found, and what to do.
    path
        The image, as the file names it.
    folder
        What a person would have to allow for it to be read; None where the name is no path of this
        machine.
    """

    def __init__(self, text: str, *, path: str, folder: Path | None) -> None:
        self.path = path
        self.folder = folder
        super().__init__(text)


class RecipeError(FashionError):
    """A training recipe is malformed or asks for something impossible."""


class CheckpointError(FashionError):
    """A model or training state cannot be loaded or does not fit."""


class ProcessError(FashionError):
    """The processes that run one command cannot work together."""


class EventError(FashionError):
    """What a training run reported is no event."""


class EditError(FashionError):
    """An edit cannot be applied to the data set as it is now."""


class FetchError(FashionError):
    """Photos cannot be fetched from or to the given place."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, the machine's or a device's.

    torch has a class of its own for a device; for the machine's memory it raises `RuntimeError`.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    phrases = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in phrases)

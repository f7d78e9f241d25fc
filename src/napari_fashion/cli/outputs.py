"""The one rule of what commands write: never an input, never an existing file without --overwrite.

All of it is checked before the work begins, and again when the file is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_fashion.errors import FashionError
from napari_fashion.files import atomic_write, checked_path
from napari_fashion.packaged import PACKAGED_MODELS, packaged_path

if TYPE_CHECKING:
    from napari_fashion.coco import Dataset

Identity = tuple[int, int]


class Outputs:
    """What a command is going to write.

    Parameters
    ----------
    inputs
        Files that it reads.
    overwrite
        Whether existing files may be replaced.
    """

    def __init__(self, inputs: Iterable[Path | str] = (), *, overwrite: bool = False) -> None:
        self.overwrite = overwrite
        self._paths: set[str] = set()
        self._files: set[Identity] = set()
        self._claimed: dict[str, tuple[Path, str]] = {}
        self.reads(inputs)

    def reads(self, inputs: Iterable[Path | str]) -> None:
        """Note more files that are read: they are never written."""
        for item in inputs:
            name = os.fspath(item)
            beside = [name[:-5] + ".images.json"] if name.lower().endswith(".json") else []
            for path in (name, *beside):  # results are read with the list of their images
                with contextlib.suppress(OSError, ValueError):
                    self._paths.add(os.path.realpath(path))
                    status = os.stat(path)
                    self._files.add((status.st_dev, status.st_ino))

    def reads_images(self, dataset: Dataset) -> None:
        """Note a data set's images, and check all outputs again.

        Raises
        ------
        FashionError
            If an output is one of them.
        """
        if any(os.path.lexists(path) for path, _ in self._claimed.values()):
            for image in dataset.images:
                with contextlib.suppress(FashionError):
                    self.reads([image.path])
        for path, option in self._claimed.values():
            self.check(path, option)

    def reads_models(self, sources: Iterable[str]) -> None:
        """Note models that are read: both files of each, all of a run's folder, a set's members."""
        from napari_fashion.engine.model_set_file import member_sources

        named = list(sources)
        for source in tuple(named):
            with contextlib.suppress(FashionError):
                named += member_sources(source)
        for source in named:
            path = Path(source)
            if source in PACKAGED_MODELS:  # no file of that name, but the package's
                path = packaged_path(source)
            with contextlib.suppress(OSError, ValueError):
                if path.is_dir():
                    self.reads(path.iterdir())
                for suffix in (".json", ".safetensors", ".onnx"):
                    self.reads([path, path.with_suffix(suffix), Path(f"{path}{suffix}")])

    def is_input(self, path: Path) -> bool:
        """Whether a file is one of the inputs, under whatever name."""
        with contextlib.suppress(OSError, ValueError):
            if os.path.realpath(path) in self._paths:
                return True
            status = os.stat(path)
            return (status.st_dev, status.st_ino) in self._files
        return False

    def file(self, path: Path, option: str, suffix: str | None = ".json") -> Path:
        """Check a file that will be written, and that it can be; return it.

        Raises
        ------
        FashionError
            If it is an input, a folder, there already without `overwrite`, has another suffix, is named
            twice, or its folder cannot be written.
        """
        path = checked_path(path)
        if suffix is not None and path.suffix.lower() != suffix:
            raise FashionError(
                f"{option} is {path}; expected a name that ends in {suffix}: that is what is written."
            )
        self.check(path, option)
        real = os.path.realpath(path)
        if (other := self._claimed.get(real)) is not None:
            raise FashionError(
                f"{option} and {other[1]} name the same file, {path}. Name another one."
            )
        self._claimed[real] = (path, option)
        _try(path)
        return path

    def check(self, path: Path, option: str, *, ours: bool = False) -> None:
        """Check a file by the rule alone.

        Parameters
        ----------
        ours
            What is there may be replaced: an earlier part of the same work wrote it.

        Raises
        ------
        FashionError
            If it is an input, a folder, there already without `overwrite`, or there and no file that
            can be replaced.
        """
        if self.is_input(path):
            raise FashionError(
                f"{option} is {path}, which is the input itself or one of its files; inputs are never "
                "written over. Name another one."
            )
        if any(part.startswith(".") and part.endswith(".fashion") for part in path.parts):
            raise FashionError(
                f"{option} is {path}, in a folder where the annotator keeps its work. Name another one."
            )
        if os.path.isdir(path):
            raise FashionError(
                f"{option} is {path}, a folder; expected the name of a file to write."
            )
        if os.path.lexists(path) and not (self.overwrite or ours):
            raise FashionError(
                f"{option} is {path}, which exists. Name another one, or --overwrite."
            )
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            _check_replaceable(path, option)

    def partial(self, path: Path) -> Path:
        """Check the file that keeps what was found so far: no input, and a regular file or none.

        Raises
        ------
        FashionError
            If it is not.
        """
        if self.is_input(path):
            raise FashionError(
                f"{path} is an input, and what is found would be kept in a file of that name. Name "
                "another --out."
            )
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise FashionError(
                    f"{path} is no regular file; expected none, or what an interrupted prediction left. "
                    "Move it away, or name another --out."
                )
        return path

    def folder(self, path: Path, option: str) -> Path:
        """Check a folder that files will be written into, and that they can be; return it.

        Raises
        ------
        FashionError
            If it is a file, or cannot be written.
        """
        path = checked_path(path)
        if os.path.lexists(path) and not os.path.isdir(path):
            raise FashionError(f"{option} is {path}, which is a file; expected a folder.")
        _try(path / "x")
        return path

    def write(self, path: Path, data: bytes, option: str) -> None:
        """Write a file whole or not at all, by the rule.

        Raises
        ------
        FashionError
            As `check`, or if it cannot be written.
        """
        self.check(path, option)
        try:
            atomic_write(path, data, overwrite=self.overwrite)
        except OSError as error:
            raise FashionError(
                f"{path} cannot be written ({error.strerror or error}). Check the folder and the space "
                "on the disk."
            ) from error


def _check_replaceable(path: Path, option: str) -> None:
    """Raise FashionError if there is something that `atomic_write` would refuse, or should."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise FashionError(
            f"{option} is {path}, which cannot be written ({error.strerror}). Name another one."
        ) from error
    if not stat.S_ISREG(mode):
        raise FashionError(
            f"{option} is {path}, which is a pipe or a device; expected a regular file. Name another one."
        )
    if not mode & 0o222:
        raise FashionError(
            f"{option} is {path}, which is read-only. Allow that it is written, or name another one."
        )


def _try(path: Path) -> None:
    """Raise FashionError if a file cannot be made: by making one in the folder nearest to it."""
    folder = path.parent
    name = f".fashion-{secrets.token_hex(6)}.tmp"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # a name that is too long, a folder that is a file
        while not os.path.lexists(folder) and folder.parent != folder:
            folder = folder.parent  # the folders between are made when something is written
        with open(folder / name, "xb"):
            pass
        (folder / name).unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FashionError(
            f"{path} cannot be written ({reason}). Check the folder and the space on the disk, or "
            "name another one."
        ) from error

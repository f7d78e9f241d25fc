"""The data set: a COCO keypoint file, its images and garments, and the primitives that change it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from napari_fashion.coco import jsontext, provenance
from napari_fashion.coco.file_schema import find_schema
from napari_fashion.coco.ids import RecordId, TableName
from napari_fashion.coco.image_places import find_image_folder, relative_root
from napari_fashion.coco.primitives import Records
from napari_fashion.coco.records import (
    annotation_of_result,
    category_records,
    image_records,
)
from napari_fashion.coco.splice import document_bytes
from napari_fashion.coco.store import Store
from napari_fashion.coco.writing import write_file
from napari_fashion.errors import CocoError, ImageError
from napari_fashion.files import FileState, is_file, is_same_path, read_file
from napari_fashion.images import (
    EXPECTED,
    ImageFolder,
    image_files,
    remember_root,
    remember_root_of,
)
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

_log = logging.getLogger(__name__)

LISTING = ".images.json"
"""`predict` writes the images that its results are of beside them: ``predictions.images.json``."""


class Dataset(Records):
    """A COCO keypoint file and the ways into it.

    The file's bytes are kept; a record is decoded when it is asked for, and only a change of it
    (`set_text`, `insert_record`, `remove_record`) makes it differ from them. Everything else here
    looks up: by id in constant time, at 300,000 images as well.

    Attributes
    ----------
    path
        The file it was read from, or None.
    state
        Identity and digest of that file as it was read or written last.
    schema
        What the landmarks mean.
    image_folder
        Where the images lie, and which files may be read as such.
    left_out
        Files of a folder that cannot be read as images, with the reason.
    passed_over
        Number of other files in the folder, by kind.
    schema_problem
        Why the schema that the file notes was not used; empty if it was.
    """

    def __init__(
        self,
        store: Store,
        *,
        schema: Schema | None = None,
        fallback: Schema | None = None,
        path: Path | None = None,
        state: FileState | None = None,
        image_root: Path | ImageFolder | None = None,
        allow_roots: Iterable[Path | str] = (),
        check: bool = True,
    ) -> None:
        self.path = path
        self.state = state
        self.left_out: list[tuple[Path, str]] = []
        self.passed_over = Tally()
        self.schema_problem = ""
        self.store = store
        self._info: Any = self._read_top("info")
        found = schema if schema and not check else self._find_schema(schema, fallback)
        if isinstance(image_root, ImageFolder):
            folder = image_root
        elif image_root is not None:
            folder = ImageFolder(image_root, allow_roots)
        else:
            folder = self._find_images(path, tuple(allow_roots))
        super().__init__(store, found, folder)

    def __repr__(self) -> str:
        return (
            f"Dataset({str(self.path) if self.path else 'not saved'!r}, "
            f"{len(self.images)} images, {len(self.garments)} garments)"
        )

    @property
    def converted_from(self) -> str:
        """The format of the data set that the file was converted from; empty if it does not say."""
        converted = self._ours().get("converted")
        found = converted.get("format") if isinstance(converted, dict) else None
        return found if isinstance(found, str) else ""

    # -- reading ---------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        schema: Schema | None = None,
        fallback: Schema | None = None,
        image_root: Path | str | ImageFolder | None = None,
        allow_roots: Iterable[Path | str] = (),
        may_repeat: bool = False,
    ) -> Dataset:
        """Read a COCO keypoint file, or the results of `predict` with the image list beside them.

        What is odd but harmless is listed by `find_problems`; only what cannot be worked with is
        an error.

        Parameters
        ----------
        path
            The JSON file.
        schema
            What its landmarks mean; by default the schema noted under ``info.fashion.schema``, else
            the one that its categories make (`Schema.from_coco`).
        fallback
            Schema used if no category names landmarks: the file only lists images, to be
            annotated.
        image_root
            Folder that ``file_name`` is relative to; by default the folder noted under
            ``info.fashion.image_root``, else the file's folder, ``images`` in it, or the usual
            places beside it, wherever the first images lie. The folder above the file's is read so only
            where the file's is named as one of annotations (`is_believed`).
        allow_roots
            Other folders that images may be read from. Without them they are read from the image root
            only, and from one that the file notes only where it lies in the file's folder or beside
            it, or is known on this account (`remember_root`).
        may_repeat
            Whether an id may be that of several records, to be found by `find_problems` instead of refused.

        Raises
        ------
        CocoError
            With the file, the place in it, what was found and what was expected.
        """
        path = Path(path)
        root = Path(image_root) if isinstance(image_root, str) else image_root
        allowed = tuple(allow_roots)
        data, state = read_file(path)
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[":
            listing = path.with_name(path.stem + LISTING)
            if is_file(listing):
                return cls._of_results(path, data, listing, schema or fallback, root, allowed)
        began = time.perf_counter()
        store = Store(data, path, may_repeat=may_repeat)
        del data
        made = cls(
            store,
            schema=schema,
            fallback=fallback,
            path=path,
            state=state,
            image_root=root,
            allow_roots=allowed,
        )
        _log.info("%s: %r, %.2f s", path, made, time.perf_counter() - began)
        return made

    @classmethod
    def from_document(
        cls,
        document: Mapping[str, Any],
        *,
        schema: Schema | None = None,
        fallback: Schema | None = None,
        image_root: Path | ImageFolder | None = None,
        allow_roots: Iterable[Path | str] = (),
    ) -> Dataset:
        """Make a data set of a COCO document in memory, which is copied.

        Raises
        ------
        CocoError
            As `load`.
        """
        try:
            data = document_bytes(document)
        except (TypeError, ValueError, RecursionError) as error:
            raise CocoError(
                f"a document that is no JSON ({error}); expected a COCO document."
            ) from error
        return cls(
            Store(data),
            schema=schema,
            fallback=fallback,
            image_root=image_root,
            allow_roots=allow_roots,
        )

    @classmethod
    def scratch(cls, store: Store) -> Dataset:
        """Make a data set of a few records without their file, to apply edits to."""
        return cls(store, schema=Schema.load("garments"), image_root=Path(), check=False)

    @classmethod
    def _of_results(
        cls,
        path: Path,
        data: bytes,
        listing: Path,
        schema: Schema | None,
        root: Path | ImageFolder | None,
        allowed: tuple[Path | str, ...],
    ) -> Dataset:
        """Make a data set of a list of results and the file that lists their images."""
        base = cls.load(listing, fallback=schema, image_root=root, allow_roots=allowed)
        try:
            results = jsontext.loads(data)
        except (ValueError, RecursionError) as error:
            raise CocoError(
                f"not valid JSON ({error}); expected COCO results.", path=path
            ) from error
        document = base.to_document()
        annotations = list(document.get("annotations", ()))
        first = base.store.next_id("annotations")
        for i, result in enumerate(results):
            if not isinstance(result, dict):
                raise CocoError(
                    f"found {type(result).__name__}; expected a COCO result, an object.",
                    path=path,
                    place=f"[{i}]",
                )
            annotations.append(annotation_of_result(result, first + i))
        document["annotations"] = annotations
        return cls.from_document(document, schema=base.schema, image_root=base.image_folder)

    @classmethod
    def from_folder(
        cls, folder: Path | str, *, schema: Schema, allow_roots: Iterable[Path | str] = ()
    ) -> Dataset:
        """Make a data set of the images in a folder and below, without annotations.

        Only the images' headers are read. A file that cannot be read as an image is left out
        and listed in `left_out`, and so are links that lead out of the folder and `allow_roots`.
        Files whose names are no images' are counted in `passed_over`.

        Raises
        ------
        CocoError
            If there is no such folder or no image in it.
        """
        root = Path(folder)
        if not root.is_dir():
            raise CocoError("no such folder; expected a folder of images.", path=root)
        allowed = tuple(allow_roots)
        left_out: list[tuple[Path, str]] = []
        passed_over = Tally()
        names = image_files(root, allowed=allowed, left_out=left_out, passed_over=passed_over)
        dataset = cls._from_images(ImageFolder(root, allowed), names, schema)
        dataset.left_out += left_out
        dataset.passed_over = passed_over
        return dataset

    @classmethod
    def from_files(cls, files: Iterable[Path | str], *, schema: Schema) -> Dataset:
        """Make a data set of some images, like `from_folder`.

        The folder that holds all of them becomes the data set's `image_root`; a file named twice
        counts once. Where a link was named, what it leads to may be read.

        Raises
        ------
        CocoError
            If none of them can be read as an image.
        """
        paths = list(dict.fromkeys(Path(os.path.abspath(f)) for f in files))
        if not paths:
            raise CocoError("no images were named; expected at least one.")
        root = Path(os.path.commonpath([p.parent for p in paths]))
        # Each was named by a person, whatever its links lead to.
        targets = dict.fromkeys(Path(os.path.realpath(p)).parent for p in paths)
        beyond = [t for t in targets if not t.is_relative_to(os.path.realpath(root))]
        names = (p.relative_to(root).as_posix() for p in paths)
        is_given = any(root == p.parent for p in paths)
        images = ImageFolder(root, beyond, origin="given" if is_given else "found")
        return cls._from_images(images, names, schema)

    @classmethod
    def _from_images(cls, folder: ImageFolder, names: Iterable[str], schema: Schema) -> Dataset:
        root = folder.root
        images, left_out = image_records(folder, names)
        if not images:
            why = f" ({len(left_out)} cannot be read: {left_out[0][1]})" if left_out else ""
            raise CocoError(f"no image found{why}; expected {EXPECTED} files.", path=root)
        document = {
            "info": {
                "description": f"Garments in {root.resolve().name}",
                provenance.KEY: {"schema": schema.to_note()},
            },
            "images": images,
            "annotations": [],
            "categories": category_records(schema),
        }
        dataset = cls.from_document(document, schema=schema, image_root=folder)
        dataset.left_out = left_out
        return dataset

    # -- asking ----------------------------------------------------------------------------

    def missing_images(self, first: int | None = None) -> Iterator[tuple[int, str]]:
        """Look for the file of every image, or the first; yield place and sentence of the missing."""
        for i, image in enumerate(islice(self.images, first)):
            try:
                path = image.path
            except ImageError as error:
                yield i, str(error)
                continue
            if not is_file(path):
                yield i, f"no file {path}"

    # -- writing ---------------------------------------------------------------------------

    def to_document(self) -> dict[str, Any]:
        """Return the whole document as it is now, decoded: for small data sets and scripts."""
        text = b"".join(self.chunks()).decode(self.store.encoding)
        try:
            document: dict[str, Any] = jsontext.loads(text.removeprefix("\ufeff"))
        except RecursionError as error:
            raise CocoError("is nested too deeply to be decoded.", path=self.path) from error
        return document

    def chunks(
        self,
        target: Path | None = None,
        *,
        images: Collection[RecordId] | None = None,
        annotations: Collection[RecordId] | None = None,
        ignored: Mapping[RecordId, list[Any]] | None = None,
    ) -> Iterator[bytes | memoryview]:
        """Yield the bytes of the file, laid out as the one it came from.

        Parameters
        ----------
        target
            The file to be written; where its images would not be found from there, it notes where they
            lie, and the schema.
        images, annotations
            Ids of those to write; by default all.
        ignored
            Regions to note under ``fashion.ignore`` of some images.
        """
        keep: dict[TableName, Collection[RecordId]] = {}
        if images is not None:
            keep["images"] = images
        if annotations is not None:
            keep["annotations"] = annotations
        texts: dict[tuple[TableName, RecordId], bytes] = {}
        for key, boxes in (ignored or {}).items():
            version = self.store.version("images", key)
            ours = provenance.with_ignored(version.value, boxes)
            old = version.text.decode()
            layout = jsontext.layout_of(old, self.store.layout("images"))
            new = jsontext.replaced(
                old, (provenance.KEY,), jsontext.dumps(ours, layout), layout=layout
            )
            texts["images", key] = new.encode()
        top = {} if target is None else self._noted(target)
        return self.store.chunks(keep=keep, texts=texts, top=top)

    def _noted(self, target: Path) -> dict[str, str]:
        """Return ``info`` with a note where the images lie seen from a file, and the schema."""
        folder = target.parent
        if self.path is not None and is_same_path(self.path.parent, folder):
            found = self._find_images(target)
            if is_same_path(found.root, self.image_root):
                if self.image_folder.origin == "given" and not found.trusted:
                    remember_root(self.image_root)
                return {}
        # If `info` is no object (text, for example), the note stands beside it under our key.
        at_top = self._info is not None and not isinstance(self._info, dict)
        text = "{}" if not isinstance(self._info, dict) else self.store.top("info") or "{}"
        if self.image_folder.origin != "found":
            remember_root(self.image_root)
        elif self.image_folder.usable:
            remember_root_of(target, self.image_root)
        ours = {**self._ours(), "image_root": relative_root(self.image_root, folder)}
        ours.setdefault("schema", self.schema.to_note())
        layout = jsontext.layout_of(text, self.store.layout("images"))
        if layout.indent is not None and text == "{}":
            layout = jsontext.Layout(separator=", ", colon=": ", comma=", ")
        value = jsontext.dumps(ours, layout)
        if at_top:
            return {provenance.KEY: value}
        return {"info": jsontext.replaced(text, (provenance.KEY,), value, layout=layout)}

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the data set to a file; records without edits are written as they were read.

        In another folder than the file's own it notes where the images lie. The file is either
        the old one or the whole new one, whatever happens. The window saves by `editing.Editor`,
        which also watches for other programs and keeps earlier versions.

        Raises
        ------
        CocoError
            If the file exists and `overwrite` is not given, or it cannot be written.
        """
        path = Path(path)
        write_file(self.chunks(path), path, source=self.path, overwrite=overwrite)

    def subset(self, image_ids: Iterable[RecordId]) -> Dataset:
        """Return a data set of some of the images and their garments.

        The records are copies, with their ids, order, unknown fields and number texts; everything
        else of the document is kept.

        Raises
        ------
        CocoError
            If there is no image with one of the ids.
        """
        chosen = dict.fromkeys(image_ids)
        for image_id in chosen:
            self.store.version("images", image_id)
        annotations = {key for image_id in chosen for key in self.store.of_image(image_id)}
        data = b"".join(self.chunks(images=chosen, annotations=annotations))
        return Dataset(
            Store(data, self.path), schema=self.schema, path=self.path, image_root=self.image_folder
        )

    # -- inside ----------------------------------------------------------------------------

    def _read_top(self, key: str) -> Any:
        text = self.store.top(key)
        try:
            return None if text is None else jsontext.loads(text)
        except RecursionError as error:
            raise CocoError(
                "is nested too deeply to be read.", path=self.path, place=key
            ) from error

    def _ours(self) -> Mapping[str, Any]:
        """Return what the file notes under our key."""
        if isinstance(self._info, dict):
            return provenance.of(self._info)
        value = None if self._info is None else self._read_top(provenance.KEY)
        return value if isinstance(value, dict) else {}

    def _find_schema(self, schema: Schema | None, fallback: Schema | None) -> Schema:
        records = [self.store.record("categories", key) for key in self.store.ids("categories")]
        note = None if schema is not None else self._ours().get("schema")
        found, self.schema_problem = find_schema(
            records, given=schema, fallback=fallback, note=note, path=self.path
        )
        return found

    def _find_images(self, path: Path | None, allowed: tuple[Path | str, ...] = ()) -> ImageFolder:
        noted = None if path is None else self._ours().get("image_root")
        return find_image_folder(path, noted=noted, store=self.store, allowed=allowed)

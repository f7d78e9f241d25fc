"""The data set: a COCO keypoint file, its images and garments, and the primitives that change it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_fashion.coco import jsontext, provenance
from napari_fashion.coco.records import annotation_of_result, category_records, image_record
from napari_fashion.coco.spans import RecordId, TableName, is_id
from napari_fashion.coco.store import Store, document_bytes
from napari_fashion.coco.views import Frame
from napari_fashion.documents import shown
from napari_fashion.errors import CocoError, EditError, ImageError, SchemaError
from napari_fashion.files import FileState, atomic_write, checked_path, is_file, read_file
from napari_fashion.images import EXPECTED, ImageFolder, image_files, image_size, remember_root
from napari_fashion.images.folder import images_of_copy, is_believed
from napari_fashion.images.roots import is_too_wide
from napari_fashion.schema import BUNDLED, Category, Schema
from napari_fashion.tally import Tally

_log = logging.getLogger(__name__)

LISTING = ".images.json"
"""`predict` writes the images that its results are of beside them: ``predictions.images.json``."""


class Dataset(Frame):
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
        How many other files the folder has.
    schema_problem
        Why the schema that the file names was not used; empty where it was.
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
        self._info: Any = self._read_info()
        found = schema if schema and not check else self._find_schema(schema, fallback)
        if isinstance(image_root, ImageFolder):
            folder = image_root
        elif image_root is not None:
            folder = ImageFolder(image_root, allow_roots)
        else:
            folder = self._find_images(tuple(allow_roots))
        super().__init__(store, found, folder)
        self._file_schema = found

    def __repr__(self) -> str:
        return (
            f"Dataset({str(self.path) if self.path else 'not saved'!r}, "
            f"{len(self.images)} images, {len(self.garments)} garments)"
        )

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
    ) -> Dataset:
        """Read a COCO keypoint file, or the results of `predict` with the image list beside them.

        What is odd but harmless is listed by `find_problems`; only what cannot be worked with is
        an error.

        Parameters
        ----------
        path
            The JSON file.
        schema
            What its landmarks mean; by default what the file says under ``info.fashion.schema``, else
            what its categories say (`Schema.from_coco`).
        fallback
            What they mean where no category names any: a file that only lists images is one
            to be annotated.
        image_root
            Folder that ``file_name`` is relative to; by default what the file says under
            ``info.fashion.image_root``, else the file's folder, ``images`` in it, or the usual
            places beside it, wherever the first images lie. The folder above the file's is read so only
            where the file's is named as one of annotations (`is_believed`).
        allow_roots
            Other folders that images may be read from. Without them they are read from the image root
            only, and from one that the file notes only where it lies in the file's folder or beside
            it, or is known on this account (`remember_root`).

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
        store = Store(data, path)
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

    def next_id(self, table: TableName) -> int:
        """Return an id that no record of the table has or had: one more than the highest."""
        return self.store.next_id(table)

    def missing_images(self) -> Iterator[tuple[int, str]]:
        """Look for every image's file; yield place and sentence of those that cannot be read."""
        for i, image in enumerate(self.images):
            try:
                path = image.path
            except ImageError as error:
                yield i, str(error)
                continue
            if not is_file(path):
                yield i, f"no file {path}"

    def ids(self, table: TableName) -> list[RecordId]:
        """Return the ids of a table's records, in order; not to be changed."""
        return self.store.ids(table)

    @property
    def data(self) -> bytes:
        """The document that the edits are of, in UTF-8."""
        return self.store.data

    @property
    def unsaved(self) -> set[tuple[TableName, RecordId]]:
        """The records whose text is not the last saved one; not to be changed."""
        return self.store.unsaved

    def saved_text(self, table: TableName, record_id: RecordId) -> str | None:
        """Return the text of a record that was read or saved last; None where there was none."""
        text = self.store.saved(table, record_id)
        return None if text is None else text.decode()

    def mark_saved(self) -> None:
        """Remember the records as they are as saved."""
        self.store.mark_saved()

    # -- changing --------------------------------------------------------------------------

    def text(self, table: TableName, record_id: RecordId, path: jsontext.Path = ()) -> str | None:
        """Return the JSON text of a record, or of a value in it; None for a missing key.

        Raises
        ------
        CocoError
            If there is no such record.
        EditError
            If the path leads nowhere.
        """
        text = self.store.version(table, record_id).text.decode()
        if not path:
            return text
        try:
            span = jsontext.locate(text, path)
        except EditError as error:
            raise EditError(f"{table} {record_id!r}: {error}") from None
        except RecursionError as error:
            raise EditError(f"{table} {record_id!r} is nested too deeply to be read.") from error
        return None if span is None else text[span[0] : span[1]]

    def set_text(
        self, table: TableName, record_id: RecordId, path: jsontext.Path, text: str | None
    ) -> None:
        """Set a value at a key path of one record; everything else of it keeps its bytes.

        Parameters
        ----------
        table, record_id
            The record.
        path
            Keys and list indices, the last of them the one to set: ``("bbox",)`` or
            ``("keypoints", 5)``. All but the last must be there.
        text
            JSON text, or None to remove the key. A key that is put back takes the place among the
            keys that it had in the file.

        Raises
        ------
        EditError
            If the path leads nowhere, or to the record's id, or the record has a key twice.
        CocoError
            If there is no such record.
        """
        version = self.store.version(table, record_id)
        old = version.text.decode()
        if not path or path[0] == "id":
            raise EditError(
                f"{table} {record_id!r}: cannot set {list(path)}; expected a key other than the id."
            )
        try:
            if "twice" not in version.memo:
                version.memo["twice"] = jsontext.first_double_key(old)
            if (key := version.memo["twice"]) is not None:
                raise EditError(
                    f"{table} {record_id!r} has the key {key!r} twice, and a change would keep only one "
                    "of the values; remove one of them in the file to edit the record."
                )
            order: list[str] = []
            original = self.store.original(table, record_id)
            if original is not None and text is not None and len(path) == 1:
                order = [m.key for m in jsontext.members(original.decode())]
            layout = self.store.layout(table)
            if text is not None:
                jsontext.loads(text)
            new = jsontext.replaced(old, path, text, layout=layout, order=order)
            self.store.put(table, record_id, new.encode())
        except RecursionError as error:
            raise EditError(f"{table} {record_id!r} is nested too deeply to be changed.") from error
        except EditError as error:
            if str(error).startswith(table):
                raise
            raise EditError(f"{table} {record_id!r}: {error}") from None
        except ValueError as error:
            raise EditError(f"{table} {record_id!r}: {text!r:.60} is no JSON ({error}).") from None
        if table == "categories":
            self._categories_changed()

    def set_value(
        self, table: TableName, record_id: RecordId, path: jsontext.Path, value: Any
    ) -> None:
        """Set a JSON value at a key path of one record (`set_text`)."""
        self.set_text(table, record_id, path, self.dumps(table, record_id, value))

    def dumps(self, table: TableName, record_id: RecordId, value: Any) -> str:
        """Return a value's text as it is to stand in a record: laid out like the rest of it.

        Raises
        ------
        EditError
            If it is no JSON, or nested too deeply.
        """
        text = self.store.version(table, record_id).text.decode()
        try:
            return jsontext.dumps(value, jsontext.layout_of(text, self.store.layout(table)))
        except RecursionError as error:
            raise EditError(
                f"{table} {record_id!r}: a value that is nested too deeply to be written."
            ) from error
        except (TypeError, ValueError) as error:
            raise EditError(f"{table} {record_id!r}: {error}; expected a JSON value.") from error

    def insert_text(self, table: TableName, text: str) -> RecordId:
        """Insert a record; return its id. It comes back to its place where the file has it.

        Raises
        ------
        EditError
            If the record has no id, or one that is taken.
        """
        try:
            data = text.encode()
            record = jsontext.loads(data)
        except (ValueError, RecursionError) as error:
            raise EditError(f"{table}: a new record that is no JSON ({error}).") from error
        record_id = record.get("id") if isinstance(record, dict) else None
        if not is_id(record_id):
            raise EditError(f"{table}: a new record has the id {record_id!r}; expected a new id.")
        if self.has(table, record_id):
            raise EditError(
                f"{table}: the id {record_id!r} is taken; expected a new one, such as "
                f"{self.next_id(table)!r}."
            )
        self.store.put(table, record_id, data)
        if table == "categories":
            self._categories_changed()
        return record_id

    def insert_record(self, table: TableName, record: Mapping[str, Any]) -> None:
        """Insert a new record, written as those of its table are (`insert_text`)."""
        self.insert_text(table, self.record_text(table, record))

    def record_text(self, table: TableName, record: Mapping[str, Any]) -> str:
        """Return the text of a new record, laid out as those of its table are."""
        return self.store.encoded(table, record).decode()

    def remove_record(self, table: TableName, record_id: RecordId) -> str:
        """Take a record out of its table; return its text, for `insert_text` to put it back.

        Raises
        ------
        CocoError
            If there is no such record.
        """
        text = self.store.remove(table, record_id)
        if table == "categories":
            self._categories_changed()
        return text.decode()

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
        if self.path is not None and _same_folder(self.path.parent, folder):
            found = self._find_images((), target)
            if _same_folder(found.root, self.image_root):
                if self.image_folder.origin == "given" and not found.trusted:
                    remember_root(self.image_root)
                return {}
        # Where `info` is no object, text say, the note stands beside it under our key.
        at_top = self._info is not None and not isinstance(self._info, dict)
        text = "{}" if not isinstance(self._info, dict) else self.store.top("info") or "{}"
        if self.image_folder.origin != "found":
            remember_root(self.image_root)
        try:
            noted = Path(os.path.relpath(self.image_root.resolve(), folder.resolve())).as_posix()
        except (OSError, RuntimeError, ValueError):  # another drive, a loop of links
            noted = self.image_root.as_posix()
        ours = {**self._ours(), "image_root": noted}
        ours.setdefault("schema", self.schema.to_note())
        layout = jsontext.layout_of(text, self.store.layout("images"))
        if layout.indent is not None and text == "{}":
            layout = jsontext.Layout(separator=", ", colon=": ", comma=", ")
        value = jsontext.dumps(ours, layout)
        if at_top:
            return {provenance.KEY: value}
        return {"info": jsontext.replaced(text, (provenance.KEY,), value, layout=layout)}

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the data set to a file; what nobody edited is written as it was read.

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

    def _read_info(self) -> Any:
        return self._read_top("info")

    def _read_top(self, key: str) -> Any:
        text = self.store.top(key)
        try:
            return None if text is None else jsontext.loads(text)
        except RecursionError as error:
            raise CocoError(
                "is nested too deeply to be read.", path=self.path, place=key
            ) from error

    def _ours(self) -> Mapping[str, Any]:
        """Return what the file says of itself under our key."""
        if isinstance(self._info, dict):
            return provenance.of(self._info)
        value = None if self._info is None else self._read_top(provenance.KEY)
        return value if isinstance(value, dict) else {}

    def _categories_changed(self) -> None:
        """Look up categories anew; the schema has those that were added to the file, too."""
        self._categories = None
        added = [
            self.store.record("categories", key)
            for key in self.store.ids("categories")
            if self.store.original("categories", key) is None
        ]
        self.schema = with_categories_of(self._file_schema, added)

    def _category_records(self) -> list[dict[str, Any]]:
        return [self.store.record("categories", key) for key in self.store.ids("categories")]

    def _find_schema(self, schema: Schema | None, fallback: Schema | None) -> Schema:
        records = self._category_records()
        named = []
        for i, category in enumerate(records):
            names = category.get("keypoints")
            if names is not None and not (
                isinstance(names, list) and all(isinstance(name, str) for name in names)
            ):
                raise CocoError(
                    f"found {shown(names)}; expected a list of the landmarks' names.",
                    path=self.path,
                    place=f"categories[{i}].keypoints",
                )
            if names and schema is None and "name" not in category:
                raise CocoError(
                    "there is none; expected the name of a category that has landmarks.",
                    path=self.path,
                    place=f"categories[{i}].name",
                )
            if names:
                named.append((i, category))
        if schema is None:
            schema = self._noted_schema(named)
        if schema is None and not named and fallback is not None:
            return fallback
        if schema is None:
            try:
                return Schema.from_coco(records)
            except SchemaError as error:
                raise CocoError(str(error), path=self.path, place="categories") from error
            except (KeyError, TypeError, ValueError) as error:
                raise CocoError(
                    f"found categories that make no schema ({type(error).__name__} {error}); "
                    "expected 'name', 'keypoints' and 'skeleton' (pairs of 1-based numbers) in "
                    "each.",
                    path=self.path,
                    place="categories",
                ) from error
        known = set(schema.landmarks)
        if named and not any(set(c["keypoints"]) <= known for _, c in named):
            i, category = named[0]
            raise CocoError(
                f"found the landmarks {shown(category['keypoints'])}; expected those of the schema "
                f"{schema.name!r}, {shown(list(schema.landmarks))}, in this order.",
                path=self.path,
                place=f"categories[{i}].keypoints",
                remedy="Give the schema that fits the file, or none to take the file's own.",
            )
        return schema

    def _noted_schema(self, named: list[tuple[int, dict[str, Any]]]) -> Schema | None:
        """Return the schema that the file names; None, and why, where it cannot be used."""
        note = self._ours().get("schema")
        if note is None:
            return None
        try:
            schema = Schema.from_note(note)
        except SchemaError as error:
            self.schema_problem = str(error)
            return None
        known = set(schema.landmarks)
        strange = [c for _, c in named if not set(c["keypoints"]) <= known]
        if strange:
            self.schema_problem = (
                f"The schema {schema.name!r} lacks landmarks of the category "
                f"{shown(strange[0].get('name'))}."
            )
            return None
        # Those that were added for a model's garments (`coco.categories`) are the schema's from then on.
        added = (c for _, c in named if provenance.MODEL_CATEGORIES in provenance.of(c))
        return with_categories_of(schema, added)

    def _find_images(
        self, allowed: tuple[Path | str, ...], path: Path | None = None
    ) -> ImageFolder:
        """Return where the images of a file lie: what it says, else the likeliest place."""
        path = path or self.path
        if path is None:
            return ImageFolder(Path(), allowed, origin="found")
        if (original := images_of_copy(_real(path))) is not None:
            more = (*original.allowed, *allowed)
            return ImageFolder(
                original.root, more, trusted=original.trusted, origin=original.origin
            )
        folder = path.parent
        noted = self._ours().get("image_root")
        if isinstance(noted, str):
            is_own = not os.path.isabs(noted) and os.path.normpath(noted) == "."
            return ImageFolder(
                folder / noted,
                allowed,
                trusted=is_believed(noted, folder),
                origin="own" if is_own else "found",
            )
        beside = Path(os.path.abspath(folder)).parent
        guesses = [
            folder / "images",
            folder / path.stem,
            beside,
            beside / "images",
            beside / path.stem,
        ]
        trust = {folder: True} | {place: is_believed(_real(place), folder) for place in guesses}
        # Where a guess needs a person's yes it comes last, and a whole drive or home is none.
        places = [place for place in trust if trust[place]]
        places += [p for p in trust if not trust[p] and not is_too_wide(_real(p))]
        records = [self.store.record("images", key) for key in self.store.ids("images")[:8]]
        names = [name for r in records if isinstance(name := r.get("file_name"), str)]
        folders = [ImageFolder(place, origin="found") for place in places]
        found = [sum(_has_file(one, name) for name in names) for one in folders]
        likeliest = places[found.index(max(found))]
        return ImageFolder(
            likeliest,
            allowed,
            trusted=trust[likeliest],
            origin="own" if likeliest == folder else "found",
        )


def _has_file(folder: ImageFolder, name: str) -> bool:
    try:
        return is_file(folder.path(name))
    except ImageError:
        return False


def with_categories_of(schema: Schema, records: Iterable[Mapping[str, Any]]) -> Schema:
    """Return a schema that also has the categories of records whose landmarks it has.

    Their body types are those of a bundled schema with the same landmarks, else any.
    """
    more: dict[str, Category] = {}
    for record in records:
        name, names = record.get("name"), record.get("keypoints")
        if not isinstance(name, str) or name in schema.category_names or not names:
            continue
        if not isinstance(names, list) or not {str(n) for n in names} <= set(schema.landmarks):
            continue
        more[name] = next(
            (
                category
                for bundled in map(Schema.load, BUNDLED)
                if bundled.landmarks == schema.landmarks
                for category in bundled.categories
                if category.name == name and set(category.body_types) <= set(schema.body_type_names)
            ),
            Category(name, schema.body_type_names),
        )
    return schema.with_categories([*schema.categories, *more.values()]) if more else schema


def image_records(
    folder: ImageFolder, names: Iterable[str], first_id: int = 1
) -> tuple[list[dict[str, Any]], list[tuple[Path, str]]]:
    """Read the sizes of image files below a folder.

    Returns
    -------
    The records of those that can be read, and the path and reason of the others.
    """
    images: list[dict[str, Any]] = []
    left_out: list[tuple[Path, str]] = []
    for name in names:
        try:
            width, height = image_size(folder.path(name))
        except ImageError as error:
            left_out.append((folder.root / name, str(error)))
            continue
        images.append(image_record(first_id + len(images), name, width, height))
    return images, left_out


def write_file(
    chunks: Iterable[bytes | memoryview],
    path: Path,
    *,
    source: Path | None = None,
    overwrite: bool = False,
    before_replace: Callable[[FileState, Path], None] | None = None,
) -> FileState:
    """Write a file whole or not at all, never over an existing one unless told to (`atomic_write`).

    Raises
    ------
    CocoError
        If the file exists and `overwrite` is not given, or it cannot be written.
    """
    path = checked_path(path)
    try:
        if os.path.isdir(path):
            raise CocoError("is a folder; expected the name of a file to write.", path=path)
        if not overwrite and os.path.lexists(path):
            is_source = source is not None and is_file(source) and path.samefile(source)
            what = "is the file that the data set was read from" if is_source else "exists already"
            raise CocoError(
                f"{what}; nothing was written.",
                path=path,
                remedy="Choose another name, or allow it to be overwritten.",
            )
        return atomic_write(path, chunks, overwrite=overwrite, before_replace=before_replace)
    except OSError as error:
        raise CocoError(
            f"cannot be written ({error.strerror or error}); what was there before is unchanged.",
            path=path,
            remedy="Check the folder and the space on the disk, or choose another name.",
        ) from error


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return os.path.abspath(path)


def _same_folder(a: Path, b: Path) -> bool:
    try:
        return a.resolve() == b.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links
        return False

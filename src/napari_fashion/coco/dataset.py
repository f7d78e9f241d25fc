"""The data set: the raw COCO document, kept whole, with look-ups by id."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

from napari_fashion.coco.pictures import picture_files, picture_size
from napari_fashion.coco.problems import Problem, find_problems
from napari_fashion.coco.provenance import KEY
from napari_fashion.coco.text import Style, copy_json, read_json, write_json
from napari_fashion.coco.views import Garment, Image
from napari_fashion.errors import CocoError, EditError, PictureError, SchemaError
from napari_fashion.files import atomic_write
from napari_fashion.schema import Schema

Table = Literal["images", "annotations", "categories"]
TABLES: Final[tuple[Table, ...]] = ("images", "annotations", "categories")
Record = dict[str, Any]


class _Absent:
    """The value of a key that is not there."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False

    def __copy__(self) -> _Absent:
        return self

    def __deepcopy__(self, memo: object) -> _Absent:
        return self

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Stands for the value of a key that is not there; setting it removes the key."""


class Dataset:
    """A COCO keypoint document and the ways into it.

    The document is kept as it was read: unknown fields, order, ids and number formats stay, and
    only the edits (`set_value`, `insert_record`, `remove_record`) change it. Everything else here
    looks up: by id in constant time, at 300,000 pictures as well.

    Attributes
    ----------
    document
        The raw document. Change it through the methods, which keep the look-ups right.
    path
        The file it was read from, or None.
    schema
        What the landmarks mean.
    image_root
        Folder that ``file_name`` is relative to.
    style
        How the file is laid out; `save` writes it likewise.
    """

    def __init__(
        self,
        document: dict[str, Any],
        *,
        schema: Schema | None = None,
        fallback: Schema | None = None,
        path: Path | None = None,
        image_root: Path | None = None,
        style: Style | None = None,
    ) -> None:
        self.document = document
        self.path = path
        self.style = style or Style()
        self._check_tables()
        self._absent = {table for table in TABLES if table not in document}
        self._records: dict[Table, dict[Any, Record]] = {t: self._by_id(t) for t in TABLES}
        self._of_image: dict[Any, list[Record]] = {}
        for record in self.table("annotations"):
            self._of_image.setdefault(record.get("image_id"), []).append(record)
        self._positions: dict[Table, dict[Any, int]] = {}
        self._drift = 0
        self._highest: dict[Table, int] = {}
        self._key_orders: dict[tuple[Any, ...], list[str]] = {}
        self._images: list[Image] | None = None
        self._problems: list[Problem] | None = None
        self._categories: dict[Any, int] | None = None
        self.schema = self._find_schema(schema, fallback)
        self.image_root = image_root if image_root is not None else self._find_image_root()

    def __repr__(self) -> str:
        return (
            f"Dataset({str(self.path) if self.path else 'not saved'!r}, "
            f"{len(self.table('images'))} images, {len(self.table('annotations'))} garments)"
        )

    # -- reading ---------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        schema: Schema | None = None,
        fallback: Schema | None = None,
        image_root: Path | str | None = None,
    ) -> Dataset:
        """Read a COCO keypoint file.

        What is odd but harmless is listed by `problems`; only what cannot be worked with, or
        could not be kept on saving, is an error.

        Parameters
        ----------
        path
            The JSON file.
        schema
            What its landmarks mean; by default what its categories say (`Schema.from_coco`).
        fallback
            What they mean where no category names any: a file that only lists pictures is one
            to be annotated.
        image_root
            Folder that ``file_name`` is relative to; by default what the file says under
            ``info.fashion.image_root``, else the file's folder, ``images`` in it, or the usual
            places beside it, wherever the first pictures lie.

        Raises
        ------
        CocoError
            With the file, the place in it, what was found and what was expected.
        """
        path = Path(path)
        document, style = read_json(path)
        root = None if image_root is None else Path(image_root)
        return cls(
            document, schema=schema, fallback=fallback, path=path, image_root=root, style=style
        )

    @classmethod
    def from_folder(cls, folder: Path | str, *, schema: Schema) -> Dataset:
        """Make a data set of the pictures in a folder and below, without annotations.

        Only the pictures' headers are read. A file that cannot be read as a picture is left out
        and listed in `problems`.

        Raises
        ------
        CocoError
            If there is no such folder or no picture in it.
        """
        root = Path(folder)
        if not root.is_dir():
            raise CocoError("no such folder; expected a folder of pictures.", path=root)
        return cls._from_pictures(root, picture_files(root), schema)

    @classmethod
    def from_files(cls, files: Iterable[Path | str], *, schema: Schema) -> Dataset:
        """Make a data set of some pictures, like `from_folder`.

        The folder that holds all of them becomes the data set's `image_root`; a file named twice
        counts once.

        Raises
        ------
        CocoError
            If none of them can be read as a picture.
        """
        paths = list(dict.fromkeys(Path(os.path.abspath(f)) for f in files))
        if not paths:
            raise CocoError("no pictures were named; expected at least one.")
        root = Path(os.path.commonpath([p.parent for p in paths]))
        return cls._from_pictures(root, (p.relative_to(root).as_posix() for p in paths), schema)

    @classmethod
    def _from_pictures(cls, root: Path, names: Iterable[str], schema: Schema) -> Dataset:
        images: list[Record] = []
        unreadable: list[Problem] = []
        for name in names:
            try:
                width, height = picture_size(root / name)
            except PictureError as error:
                unreadable.append(Problem(root / name, "file", str(error), "a picture"))
                continue
            record = {"id": len(images) + 1, "file_name": name, "width": width, "height": height}
            images.append(record)
        if not images:
            why = (
                f" ({len(unreadable)} cannot be read: {unreadable[0].found})" if unreadable else ""
            )
            raise CocoError(
                f"no picture found{why}; expected JPEG, PNG, WebP, BMP or TIFF files.", path=root
            )
        document = {
            "info": {"description": f"Garments in {root.resolve().name}"},
            "images": images,
            "annotations": [],
            "categories": [
                category_record(schema, i, i + 1) for i in range(len(schema.categories))
            ],
        }
        dataset = cls(document, schema=schema, image_root=root)
        dataset._problems = unreadable + list(find_problems(dataset))
        return dataset

    # -- looking up ------------------------------------------------------------------------

    def table(self, table: Table) -> list[Record]:
        """Return the raw records of a table in file order; do not change the list."""
        return cast("list[Record]", self.document.get(table, []))

    @property
    def images(self) -> list[Image]:
        """Views of all pictures, in file order."""
        if self._images is None:
            self._images = [Image(self, record) for record in self.table("images")]
        return self._images

    @property
    def garments(self) -> Iterator[Garment]:
        """Views of all garments, in file order."""
        return (Garment(self, record) for record in self.table("annotations"))

    @property
    def problems(self) -> list[Problem]:
        """What is odd in the document as it was when first asked; harmless."""
        if self._problems is None:
            self._problems = list(find_problems(self))
        return self._problems

    def image(self, image_id: Any) -> Image:
        """Return the picture with an id, or raise CocoError."""
        return Image(self, self.record("images", image_id))

    def garment(self, annotation_id: Any) -> Garment:
        """Return the garment with an id, or raise CocoError."""
        return Garment(self, self.record("annotations", annotation_id))

    def garments_of(self, image_id: Any) -> list[Garment]:
        """Return the garments of a picture, in file order; none for an unknown picture."""
        return [Garment(self, record) for record in self._of_image.get(image_id, ())]

    def has(self, table: Table, record_id: Any) -> bool:
        """Whether a table has a record with this id."""
        return record_id in self._records[table]

    def record(self, table: Table, record_id: Any) -> Record:
        """Return the raw record with an id, or raise CocoError."""
        try:
            return self._records[table][record_id]
        except (KeyError, TypeError):
            raise CocoError(
                f"no record with the id {record_id!r} among {len(self._records[table])}.",
                path=self.path,
                place=table,
            ) from None

    def position(self, table: Table, record_id: Any) -> int:
        """Return the place of a record in its table's list."""
        return self._position(table, self.record(table, record_id))

    def resolve(self, file_name: str) -> Path:
        """Return the path of a picture by its ``file_name``."""
        if os.sep == "/" and "\\" in file_name and not (self.image_root / file_name).exists():
            file_name = file_name.replace("\\", "/")  # a file written on Windows
        return self.image_root / file_name

    def missing_pictures(self) -> list[Problem]:
        """Look for every picture's file, and return which are not there."""
        return [
            Problem(self.path, f"images[{i}].file_name", f"no file {image.path}", "a picture")
            for i, image in enumerate(self.images)
            if not image.path.is_file()
        ]

    # -- categories ------------------------------------------------------------------------

    def category_index(self, category_id: Any) -> int:
        """Return the index into ``schema.categories`` of the file's category, by its name.

        -1 where the file does not have the category, or the schema has none of that name.
        """
        if self._categories is None:
            index = {name: i for i, name in enumerate(self.schema.category_names)}
            self._categories = {
                key: index.get(str(record.get("name")), -1)
                for key, record in self._records["categories"].items()
            }
        return self._categories.get(category_id, -1)

    def category_id(self, index: int) -> Any | None:
        """Return the file's id of a category of the schema, or None if the file lacks it.

        Then insert ``category_record(schema, index, next_id("categories"))`` first.
        """
        for record in self.table("categories"):
            if self.category_index(record["id"]) == index:
                return record["id"]
        return None

    def category_name(self, category_id: Any) -> str:
        """Return the name that the file gives a category; ``?`` where it has none."""
        record = self._records["categories"].get(category_id)
        return "?" if record is None else str(record.get("name", "?"))

    def has_category(self, category_id: Any) -> bool:
        """Whether the file has a category with this id."""
        return category_id in self._records["categories"]

    # -- changing --------------------------------------------------------------------------

    def set_value(self, table: Table, record_id: Any, path: Sequence[str | int], value: Any) -> Any:
        """Set a value at a key path of one record; return the value that was there.

        Parameters
        ----------
        table, record_id
            The record.
        path
            Keys and list indices, the last of them the one to set: ``("bbox",)`` or
            ``("keypoints", 5)``. All but the last must be there.
        value
            A JSON value, copied in; `ABSENT` removes the key. A key that is put back takes the
            place among the keys that it had.

        Returns
        -------
        object
            The value before, or `ABSENT`: set it to undo.

        Raises
        ------
        EditError
            If the path leads nowhere, or to the record's id.
        CocoError
            If there is no such record.
        """
        record = self.record(table, record_id)
        if not path or path[0] == "id":
            raise EditError(
                f"{table} {record_id!r}: cannot set {list(path)}; expected a key other than the id."
            )
        parent: Any = record
        for step, key in enumerate(path[:-1]):
            parent = self._child(parent, key, f"{table} {record_id!r}, {list(path[: step + 1])}")
        key = path[-1]
        image_id = record.get("image_id")
        if table == "annotations" and path == ("image_id",) and not _is_id_or_none(value):
            raise EditError(f"annotations {record_id!r}: {value!r} is not the id of an image.")
        if isinstance(parent, dict):
            before = self._set_key(parent, (table, record_id, *path), value)
        else:
            before = self._child(parent, key, f"{table} {record_id!r}, {list(path)}")
            if value is ABSENT:
                raise EditError(
                    f"{table} {record_id!r}: cannot remove item {list(path)} of a list; set the "
                    "whole list."
                )
            parent[key] = copy_json(value)
        self._problems = None
        if table == "categories":
            self._categories = None
        if table == "annotations" and record.get("image_id") != image_id:
            self._leave(record, image_id)
            self._join(record)
        return before

    def insert_record(self, table: Table, record: Record, index: int | None = None) -> None:
        """Put a copy of a new record into a table, at the end or before `index`.

        Raises
        ------
        EditError
            If the record has no id, an id that is taken, or the index is outside the table.
        """
        record = copy_json(record)
        record_id = record.get("id")
        if not _is_id(record_id):
            raise EditError(f"{table}: a new record has the id {record_id!r}; expected a new id.")
        if self.has(table, record_id):
            raise EditError(
                f"{table}: the id {record_id!r} is taken; expected a new one, such as "
                f"{self.next_id(table)!r}."
            )
        records = self.document.setdefault(table, [])
        if index is None:
            index = len(records)
        if not 0 <= index <= len(records):
            raise EditError(f"{table}: no place {index}; expected 0 to {len(records)}.")
        records.insert(index, record)
        self._records[table][record_id] = record
        if table in self._positions:
            self._positions[table][record_id] = index
        if table in self._highest and type(record_id) is int:
            self._highest[table] = max(self._highest[table], record_id)
        self._forget(table)
        if table == "annotations":
            self._join(record)

    def remove_record(self, table: Table, record_id: Any) -> tuple[Record, int]:
        """Take a record out of its table; return it and the index it had.

        `insert_record` with both puts it back.

        Raises
        ------
        CocoError
            If there is no such record.
        """
        record = self.record(table, record_id)
        index = self._position(table, record)
        self.next_id(table)  # the id of a removed record is not given again
        del self.document[table][index]
        if not self.document[table] and table in self._absent:
            del self.document[table]  # as it was
        del self._records[table][record_id]
        del self._positions[table][record_id]
        self._forget(table)
        if table == "annotations":
            self._leave(record, record.get("image_id"))
        return record, index

    def next_id(self, table: Table) -> int:
        """Return an id that no record of the table has or had: one more than the highest."""
        if table not in self._highest:
            numbers = [0]
            for key in self._records[table]:
                if isinstance(key, (int, float)) or key.isdecimal():
                    numbers.append(int(key))
            self._highest[table] = max(numbers)
        return self._highest[table] + 1

    # -- writing ---------------------------------------------------------------------------

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the document, laid out as the file it came from.

        The file is either the old one or the whole new one, whatever happens. What nobody edited
        is written as it was read; only a data set made from a folder also notes where its
        pictures lie.

        Raises
        ------
        CocoError
            If the file exists and `overwrite` is not given, or it cannot be written.
        """
        path = Path(path)
        document = self.document if self.path else with_image_root(self, path)
        write_document(document, path, style=self.style, source=self.path, overwrite=overwrite)

    def subset(self, image_ids: Iterable[Any]) -> Dataset:
        """Return a data set of some of the pictures and their garments.

        The records are copies, with their ids, order and unknown fields; everything else of the
        document is kept.

        Raises
        ------
        CocoError
            If there is no picture with one of the ids.
        """
        chosen = set()
        for image_id in image_ids:
            self.record("images", image_id)
            chosen.add(image_id)
        kept = {
            "images": [i for i in self.table("images") if i["id"] in chosen],
            "annotations": [a for a in self.table("annotations") if a.get("image_id") in chosen],
        }
        document = {key: copy_json(kept.get(key, value)) for key, value in self.document.items()}
        return Dataset(
            document,
            schema=self.schema,
            path=self.path,
            image_root=self.image_root,
            style=self.style,
        )

    # -- inside ----------------------------------------------------------------------------

    def _check_tables(self) -> None:
        document = cast("object", self.document)
        if isinstance(document, list):
            raise CocoError(
                "found a list; expected a COCO document, an object with 'images', 'annotations' "
                "and 'categories'.",
                path=self.path,
                remedy="A list is what results files hold; give the file they belong to.",
            )
        if not isinstance(document, dict):
            raise CocoError(
                f"found {type(document).__name__}; expected a COCO document, an object.",
                path=self.path,
            )
        if "images" not in document:
            raise CocoError(
                f"has no 'images' (its keys are {list(document)[:8]}); expected a COCO document "
                "with 'images', 'annotations' and 'categories'.",
                path=self.path,
            )
        for table in TABLES:
            value = document.get(table, [])
            if not isinstance(value, list):
                raise CocoError(
                    f"found {type(value).__name__}; expected a list.", path=self.path, place=table
                )

    def _by_id(self, table: Table) -> dict[Any, Record]:
        records: dict[Any, Record] = {}
        for i, record in enumerate(self.table(table)):
            if not isinstance(record, dict):
                raise CocoError(
                    f"found {type(record).__name__}; expected an object.",
                    path=self.path,
                    place=f"{table}[{i}]",
                )
            key = record.get("id")
            if not _is_id(key):
                raise CocoError(
                    f"found {key!r}; expected an id, a number or text.",
                    path=self.path,
                    place=f"{table}[{i}].id",
                )
            if key in records:
                first = next(j for j, r in enumerate(self.table(table)) if r.get("id") == key)
                raise CocoError(
                    f"the id {key!r} is taken by {table}[{first}]; expected every id once.",
                    path=self.path,
                    place=f"{table}[{i}].id",
                    remedy="Give one of the two another id.",
                )
            records[key] = record
            if table == "annotations":
                image_id = record.get("image_id")
                if not _is_id_or_none(image_id):
                    raise CocoError(
                        f"found {image_id!r}; expected the id of an image.",
                        path=self.path,
                        place=f"annotations[{i}].image_id",
                    )
                category_id = record.get("category_id")
                if not _is_id_or_none(category_id):
                    raise CocoError(
                        f"found {category_id!r}; expected the id of a category.",
                        path=self.path,
                        place=f"annotations[{i}].category_id",
                    )
        return records

    def _find_schema(self, schema: Schema | None, fallback: Schema | None) -> Schema:
        named = []
        for i, category in enumerate(self.table("categories")):
            names = category.get("keypoints")
            if names is not None and not (
                isinstance(names, list) and all(isinstance(name, str) for name in names)
            ):
                raise CocoError(
                    f"found {names!r}; expected a list of the landmarks' names.",
                    path=self.path,
                    place=f"categories[{i}].keypoints",
                )
            if names:
                named.append((i, category))
        if schema is None and not named and fallback is not None:
            return fallback
        if schema is None:
            try:
                return Schema.from_coco(self.document)
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
        if named and all(tuple(c["keypoints"]) != schema.landmarks for _, c in named):
            i, category = named[0]
            raise CocoError(
                f"found the landmarks {category['keypoints']}; expected those of the schema "
                f"{schema.name!r}, {list(schema.landmarks)}, in this order.",
                path=self.path,
                place=f"categories[{i}].keypoints",
                remedy="Give the schema that fits the file, or none to take the file's own.",
            )
        return schema

    def _find_image_root(self) -> Path:
        """Return where the pictures lie: what the file says, else the likeliest place."""
        if self.path is None:
            return Path()
        folder = self.path.parent
        info = self.document.get("info")
        ours = info.get(KEY) if isinstance(info, dict) else None
        noted = ours.get("image_root") if isinstance(ours, dict) else None
        if isinstance(noted, str):
            return folder / noted
        beside = folder.parent
        places = [
            folder,
            folder / "images",
            folder / self.path.stem,
            beside,
            beside / "images",
            beside / self.path.stem,
        ]
        names = [
            name for i in self.table("images")[:8] if isinstance(name := i.get("file_name"), str)
        ]
        found = [sum((place / name).is_file() for name in names) for place in places]
        return places[found.index(max(found))]

    def _position(self, table: Table, record: Record) -> int:
        """Find a record's index without a scan of the table.

        The positions are noted once and then only hints: each insertion or removal shifts those
        behind it by one. A run of edits shifts alike, so the search begins where the last one
        ended.
        """
        records = self.table(table)
        if table not in self._positions:
            self._positions[table] = {r["id"]: i for i, r in enumerate(records)}
            self._drift = 0
        hints = self._positions[table]
        hint = hints[record["id"]]
        start = hint + self._drift
        for step in range(len(records) + abs(start) + 1):
            for i in (hint, start - step, start + step):
                if 0 <= i < len(records) and records[i] is record:
                    self._drift = i - hint
                    return i
        raise EditError(f"{table}: the record {record['id']!r} is not in its list any more.")

    def _join(self, record: Record) -> None:
        """Put an annotation among those of its picture, in file order."""
        siblings = self._of_image.setdefault(record.get("image_id"), [])
        place = len(siblings)
        if siblings and self.table("annotations")[-1] is not record:
            here = self._position("annotations", record)
            while place and self._position("annotations", siblings[place - 1]) > here:
                place -= 1
        siblings.insert(place, record)

    def _leave(self, record: Record, image_id: Any) -> None:
        siblings = self._of_image[image_id]
        siblings[:] = [r for r in siblings if r is not record]
        if not siblings:
            del self._of_image[image_id]

    def _forget(self, table: Table) -> None:
        self._problems = None
        if table == "images":
            self._images = None
        if table == "categories":
            self._categories = None

    def _set_key(self, parent: Record, place: tuple[Any, ...], value: Any) -> Any:
        key = place[-1]
        before = parent.get(key, ABSENT)
        if value is ABSENT:
            if before is not ABSENT:
                self._key_orders[place] = list(parent)
                del parent[key]
        elif before is ABSENT and place in self._key_orders:
            order = self._key_orders.pop(place)
            later = order[order.index(key) + 1 :]
            tail = {k: parent.pop(k) for k in later if k in parent}
            parent[key] = copy_json(value)
            parent.update(tail)
        else:
            parent[key] = copy_json(value)
        return before

    @staticmethod
    def _child(parent: Any, key: str | int, place: str) -> Any:
        try:
            if isinstance(parent, list) and isinstance(key, int) and key < 0:
                raise IndexError(key)
            return parent[key]
        except (KeyError, IndexError, TypeError):
            raise EditError(f"{place}: there is nothing; expected a value to change.") from None


def category_record(schema: Schema, index: int, record_id: Any) -> Record:
    """Return a COCO category record for a category of the schema."""
    return {
        "id": record_id,
        "name": schema.categories[index].name,
        "supercategory": "clothing",
        "keypoints": list(schema.landmarks),
        "skeleton": [[a + 1, b + 1] for a, b in schema.edges],
    }


def with_image_root(dataset: Dataset, path: Path) -> dict[str, Any]:
    """Return the document with a note where its pictures lie, seen from the file `path`."""
    info = dataset.document.get("info", {})
    if not isinstance(info, dict):
        return dataset.document
    root, folder = dataset.image_root.resolve(), path.parent.resolve()
    try:
        noted = Path(os.path.relpath(root, folder)).as_posix()
    except ValueError:  # another drive
        noted = root.as_posix()
    ours = info.get(KEY)
    ours = {**(ours if isinstance(ours, dict) else {}), "image_root": noted}
    return {**dataset.document, "info": {**info, KEY: ours}}


def write_document(
    document: Any,
    path: Path,
    *,
    style: Style,
    source: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write a JSON file whole or not at all, never over an existing one unless told to.

    Raises
    ------
    CocoError
        If the file exists and `overwrite` is not given, or it cannot be written.
    """
    if path.is_dir():
        raise CocoError("is a folder; expected the name of a file to write.", path=path)
    if path.exists() and not overwrite:
        is_source = source is not None and source.exists() and path.samefile(source)
        what = "is the file that the data set was read from" if is_source else "exists already"
        raise CocoError(
            f"{what}; nothing was written.",
            path=path,
            remedy="Choose another name, or allow it to be overwritten.",
        )
    try:
        atomic_write(path, write_json(document, style))
    except RecursionError as error:
        raise CocoError(
            "a value is nested too deeply to be written; nothing was written.", path=path
        ) from error
    except OSError as error:
        raise CocoError(
            f"cannot be written ({error.strerror or error}); what was there before is unchanged.",
            path=path,
            remedy="Check the folder and the space on the disk, or choose another name.",
        ) from error


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str, float)) and not isinstance(value, bool) and value == value


def _is_id_or_none(value: object) -> bool:
    return value is None or value is ABSENT or _is_id(value)

"""Several COCO files as one: the same categories by name, the same images by file, ids that do not meet."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from napari_fashion.coco import jsontext, provenance
from napari_fashion.coco.categories import other_spellings
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import TABLES, RecordId, TableName, other_form
from napari_fashion.coco.image_places import relative_root
from napari_fashion.coco.jsontext import Layout
from napari_fashion.documents import counted, listed, shown
from napari_fashion.errors import CocoError
from napari_fashion.images import remember_root, remember_root_of
from napari_fashion.images.roots import is_too_wide
from napari_fashion.schema import Category, Schema
from napari_fashion.tally import Tally

SameImage = Literal["join", "first", "last"]
SAME_IMAGE: Final[tuple[SameImage, ...]] = ("join", "first", "last")
"""What becomes of an image that several files have: the garments of all, of the first or the last file."""

RENUMBERED = "{table} with another id, since an earlier file has theirs"
SAME = "images that an earlier file has too"
OTHER_RECORD = "records of the same image that differ, of which the first is kept"
OTHER_SIZE = "garments on an image of another size than in an earlier file, left out"
NOT_CHOSEN = "garments on an image that is taken from another file, left out"
TWICE = "garments that an earlier file has exactly so, kept once"
OTHER_TOP = "other keys at the top of a further file, left out"
NO_IMAGE = "annotations of no image, left out"
OTHER_LANDMARKS = (
    "files with other landmarks than the first: the result has no schema of its own, and few commands can "
    "use it; merge files of one schema"
)
NO_CATEGORY = "annotations of no category, left out"
SPELLED = "categories that an earlier file spells otherwise, taken for the same"
_LINE: Final = Layout(separator=", ", colon=": ", comma=", ")


@dataclass(slots=True)
class _Category:
    """A category of the result: its id, and its landmarks (None: it names none)."""

    key: RecordId
    landmarks: list[str] | None


@dataclass(slots=True)
class _Image:
    """An image of the result: its id, and its size where known."""

    key: RecordId
    size: tuple[int, int] | None


class Joined:
    """Several files as one document.

    A category is the same if its name is, an image if its file is. What keeps its ids keeps its text, to
    the byte.

    Parameters
    ----------
    datasets
        The files, the first of which keeps its ids.
    target
        The file that is going to be written: it notes where the images lie.
    same_image
        What becomes of an image that several files have.

    Attributes
    ----------
    tally
        What was decided, renumbered and left out; complete when `chunks` has ended.
    images, garments
        Number of records.

    Raises
    ------
    CocoError
        If a category has other landmarks in another file, or the images have no folder in common.
    """

    def __init__(
        self, datasets: Sequence[Dataset], target: Path, same_image: SameImage = "join"
    ) -> None:
        self.datasets = datasets
        self.tally = Tally()
        self.images = self.garments = 0
        self._target = target
        self._same_image = same_image
        self._root, self._prefixes = _common_root(datasets)
        self._ids = {table: _Ids(table, datasets) for table in TABLES}
        self._categories: dict[str, _Category] = {}
        self._category_texts: list[bytes] = []
        self._category_maps = [self._join_categories(dataset) for dataset in datasets]
        self._owners: dict[str, int] = {}
        self._leads_out = False  # whether a name leads out of its own file's folder
        self._shared = self._find_shared()
        self._known: dict[str, _Image] = {}
        self._tell_landmarks()
        self._digests: dict[str, set[bytes]] = {}  # of garments, by shared image
        self._image_maps: list[dict[RecordId, str]] = []

    def _tell_landmarks(self) -> None:
        first = self.datasets[0].schema.landmarks
        for dataset in self.datasets[1:]:
            marks = dataset.schema.landmarks
            if set(marks) != set(first):
                some = f"{dataset.path}: {len(marks)} landmarks, {listed(marks[:3])} ..."
                self.tally.add(OTHER_LANDMARKS, f"{some}; the first has {len(first)}")

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the document, once."""
        first = self.datasets[0]
        yield b'{\n"info": ' + jsontext.dumps(self._info(), _LINE).encode()
        for member in first.store.members:
            if member.key not in (*TABLES, "info"):
                text = first.store.top(member.key) or "null"
                yield f",\n{json.dumps(member.key)}: ".encode() + text.encode()
        for dataset in self.datasets[1:]:
            for member in dataset.store.members:
                if member.key not in (*TABLES, "info") and dataset.store.top(
                    member.key
                ) != first.store.top(member.key):
                    self.tally.add(OTHER_TOP, f"{member.key} of {dataset.path}")
        yield from _table("images", self._image_texts())
        yield from _table("annotations", self._annotation_texts())
        yield from _table("categories", iter(self._category_texts))
        yield b"\n}\n"
        for table, ids in self._ids.items():
            if ids.renumbered:
                self.tally.add(RENUMBERED.format(table=table), n=ids.renumbered)

    # -- the top ---------------------------------------------------------------------------

    def _info(self) -> dict[str, Any]:
        info = _info_of(self.datasets[0])
        ours = dict(provenance.of(info))
        ours.pop("schema", None)
        if any(_converted(dataset) != _converted(self.datasets[0]) for dataset in self.datasets):
            ours.pop("converted", None)
        if (schema := _joined_schema(self.datasets)) is not None:
            ours["schema"] = schema.to_note()
        if self._leads_out:  # below the common folder it would no longer
            pass
        elif all(dataset.image_folder.origin != "found" for dataset in self.datasets):
            remember_root(self._root)
        elif all(dataset.image_folder.usable for dataset in self.datasets):
            remember_root_of(self._target, self._root)
        ours["image_root"] = relative_root(self._root, self._target.parent)
        return {**info, provenance.KEY: ours}

    # -- categories ------------------------------------------------------------------------

    def _join_categories(
        self, dataset: Dataset
    ) -> dict[RecordId, tuple[_Category, list[int] | None]]:
        """Return for each category of a file the result's, and where its landmarks are in that one."""
        result: dict[RecordId, tuple[_Category, list[int] | None]] = {}
        own: set[str] = set()
        spelled = self._spelled(dataset)
        for key in dataset.store.ids("categories"):
            record = dataset.store.record("categories", key)
            names = record.get("keypoints")
            marks = list(map(str, names)) if isinstance(names, list) and names else None
            name = _category_name(record, key)
            if (other := spelled.get(name)) is not None:
                self.tally.add(SPELLED, f"{dataset.path}: {shown(name)} is {shown(other)}")
                name = other
            known = self._categories.get(name)
            if known is None or name in own:  # of one name twice in a file: two, as they are
                new = _Category(self._ids["categories"].new(key), marks)
                self._categories.setdefault(name, new)
                own.add(name)
                text = dataset.store.version("categories", key).text
                self._category_texts.append(_changed(text, {"id": new.key}, key_now={"id": key}))
                result[key] = (new, None)
                continue
            result[key] = (known, _places(name, marks, known.landmarks, dataset))
        return result

    def _spelled(self, dataset: Dataset) -> dict[str, str]:
        """Return the earlier files' names of categories that this one spells otherwise.

        Those that have other landmarks are categories of their own.
        """
        records = [
            (key, dataset.store.record("categories", key))
            for key in dataset.store.ids("categories")
        ]
        names = {_category_name(record, key): record.get("keypoints") for key, record in records}
        found = other_spellings(names, self._categories)
        return {
            name: other
            for name, other in found.items()
            if not (marks := names[name])
            or not (known := self._categories[other].landmarks)
            or set(map(str, marks)) <= set(known)
        }

    # -- images ----------------------------------------------------------------------------

    def _find_shared(self) -> set[str]:
        """Return the images that several records name; note which file each is taken from."""
        counts: Counter[str] = Counter()
        for i, dataset in enumerate(self.datasets):
            for image in dataset.images:
                name = self._name(i, image.file_name)
                counts[name] += 1
                if self._same_image == "last":
                    self._owners[name] = i
                else:
                    self._owners.setdefault(name, i)
        counts.pop("", None)  # images without a name are different ones
        return {name for name, n in counts.items() if n > 1}

    def _name(self, i: int, file_name: str) -> str:
        prefix = self._prefixes[i]
        if not prefix or not file_name or posixpath.isabs(file_name) or "://" in file_name:
            return file_name
        self._leads_out |= posixpath.normpath(file_name).startswith("..")
        return posixpath.normpath(posixpath.join(prefix, file_name))

    def _image_texts(self) -> Iterator[bytes]:
        for i, dataset in enumerate(self.datasets):
            names: dict[RecordId, str] = {}
            self._image_maps.append(names)
            for image in dataset.images:
                name = self._name(i, image.file_name)
                identity = name if name in self._shared else f"{i}/{image.id!r}"
                names[image.id] = identity
                if identity in self._known:
                    self._meet(image.id, dataset, name)
                    continue
                if name in self._shared and self._same_image == "last" and self._owners[name] != i:
                    self.tally.add(SAME, name)
                    continue
                key = self._ids["images"].new(image.id)
                self._known[identity] = _Image(key, image.known_size)
                self.images += 1
                text = dataset.store.version("images", image.id).text
                now = {"id": image.id, "file_name": image.file_name}
                yield _changed(text, {"id": key, "file_name": name}, key_now=now)

    def _meet(self, key: RecordId, dataset: Dataset, name: str) -> None:
        """Count an image that an earlier file has."""
        self.tally.add(SAME, name)
        others = dataset.store.record("images", key).keys() - {"id", "file_name", "width", "height"}
        if others:
            self.tally.add(OTHER_RECORD, f"{name}: {listed(sorted(map(str, others)))}")

    # -- annotations -----------------------------------------------------------------------

    def _annotation_texts(self) -> Iterator[bytes]:
        for i, dataset in enumerate(self.datasets):
            for garment in dataset.garments:
                identity = self._image_maps[i].get(garment.image_id)
                image = None if identity is None else self._known.get(identity)
                if identity is None or image is None:
                    self.tally.add(NO_IMAGE, f"annotation {garment.id} of {dataset.path}")
                    continue
                found = self._category_maps[i].get(garment.category_id)
                if found is None:
                    self.tally.add(NO_CATEGORY, f"annotation {garment.id} of {dataset.path}")
                    continue
                record = dataset.store.record("annotations", garment.id)
                values = {"image_id": image.key, "category_id": found[0].key}
                if found[1] is not None:
                    values["keypoints"] = _replaced(record.get("keypoints"), found)
                if identity in self._shared and not self._is_wanted(
                    i, dataset, garment.image_id, image, identity, {**record, **values}
                ):
                    continue
                values["id"] = self._ids["annotations"].new(garment.id)
                self.garments += 1
                text = dataset.store.version("annotations", garment.id).text
                yield _changed(text, values, key_now=record)

    def _is_wanted(
        self,
        i: int,
        dataset: Dataset,
        image_id: RecordId,
        image: _Image,
        identity: str,
        record: Mapping[str, Any],
    ) -> bool:
        """Whether a garment on an image that several files have belongs to the result."""
        if self._same_image != "join" and self._owners[identity] != i:
            self.tally.add(NOT_CHOSEN, identity)
            return False
        size = dataset.image(image_id).known_size
        if size and image.size and size != image.size:
            found = f"{size[0]} x {size[1]}, not {image.size[0]} x {image.size[1]}"
            self.tally.add(OTHER_SIZE, f"{identity}: {found} pixels")
            return False
        content = {key: value for key, value in record.items() if key != "id"}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()[:12]
        known = self._digests.setdefault(identity, set())
        if digest in known:
            self.tally.add(TWICE, identity)
            return False
        known.add(digest)
        return True


class _Ids:
    """Gives ids to the records of a table: their own where they are free, else new numbers."""

    def __init__(self, table: TableName, datasets: Sequence[Dataset]) -> None:
        self._used: set[RecordId] = set()
        self._next = max(dataset.store.next_id(table) for dataset in datasets)
        self.renumbered = 0

    def new(self, key: RecordId) -> RecordId:
        """Return the id that a record gets."""
        if key in self._used or other_form(key) in self._used:
            key, self._next = self._next, self._next + 1
            self.renumbered += 1
        self._used.add(key)
        return key


def _common_root(datasets: Sequence[Dataset]) -> tuple[Path, list[str]]:
    """Return the folder of the images of all files, and each one's own as seen from it."""
    roots = [os.path.realpath(dataset.image_root) for dataset in datasets]
    if len(set(roots)) == 1:
        return Path(roots[0]), [""] * len(roots)
    try:
        common = os.path.commonpath(roots)
    except ValueError:
        common = ""
    if not common or is_too_wide(common):
        raise CocoError(
            f"the images lie in {listed(sorted(set(roots)))}, which have no folder in common but a whole "
            "drive or home folder; expected images below one folder.",
            remedy="Move them, or name their folder (in a command: --images).",
        )
    return Path(common), [Path(os.path.relpath(root, common)).as_posix() for root in roots]


def _category_name(record: Mapping[str, Any], key: RecordId) -> str:
    return str(record.get("name", f"category {key}"))


def _info_of(dataset: Dataset) -> dict[str, Any]:
    text = dataset.store.top("info")
    info = None if text is None else jsontext.loads(text)
    return dict(info) if isinstance(info, dict) else {}


def _converted(dataset: Dataset) -> object:
    """Return the note of the data set that a file was converted from; None if there is none."""
    return provenance.of(_info_of(dataset)).get("converted")


def _joined_schema(datasets: Sequence[Dataset]) -> Schema | None:
    """Return the schema of the first file with the categories of all; None where landmarks differ."""
    first = datasets[0].schema
    if any(dataset.schema.landmarks != first.landmarks for dataset in datasets):
        return None
    more: dict[str, Category] = {}
    for dataset in datasets[1:]:
        spelled = other_spellings(dataset.schema.category_names, [*first.category_names, *more])
        for category in dataset.schema.categories:
            if category.name not in first.category_names and category.name not in spelled:
                types = tuple(t for t in category.body_types if t in first.body_type_names)
                more[category.name] = Category(category.name, types or first.body_type_names)
    return first.with_categories([*first.categories, *more.values()]) if more else first


def _places(
    name: str, marks: list[str] | None, known: list[str] | None, dataset: Dataset
) -> list[int] | None:
    """Return the place of each landmark in the list of the earlier file; None where lists are equal."""
    if marks is None or known is None or marks == known:
        return None
    if not set(marks) <= set(known):
        raise CocoError(
            f"the category {shown(name)} has {counted(marks, 'landmarks')}; expected those of an earlier "
            f"file, {counted(known, 'landmarks')}.",
            path=dataset.path,
            place="categories",
            remedy="Give the category another name, or name the file that has all of them first.",
        )
    return [known.index(mark) for mark in marks]


def _replaced(value: Any, found: tuple[_Category, list[int] | None]) -> Any:
    """Return keypoints in the order of the earlier file; what is no list of triplets stays."""
    category, places = found
    assert places is not None
    assert category.landmarks is not None
    if not isinstance(value, list) or len(value) != 3 * len(places):
        return value
    flat: list[Any] = [0] * (3 * len(category.landmarks))
    for i, place in enumerate(places):
        flat[3 * place : 3 * place + 3] = value[3 * i : 3 * i + 3]
    return flat


def _changed(text: bytes, values: Mapping[str, Any], *, key_now: Mapping[str, Any]) -> bytes:
    """Return a record's text with other values; where it has them already, the very same text."""
    new = text.decode()
    for key, value in values.items():
        now = key_now.get(key)
        if type(now) is type(value) and now == value:
            continue
        layout = jsontext.layout_of(new, _LINE)
        new = jsontext.replaced(new, (key,), jsontext.dumps(value, layout), layout=layout)
    return new.encode()


def _table(name: str, texts: Iterator[bytes]) -> Iterator[bytes]:
    yield f',\n"{name}": ['.encode()
    separator = b"\n"
    for text in texts:
        yield separator + text
        separator = b",\n"
    yield b"\n]" if separator == b",\n" else b"]"

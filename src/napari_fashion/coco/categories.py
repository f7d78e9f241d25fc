"""Which of a file's categories each of a model's categories becomes: one rule, for window and commands.

A file with exactly one category gives it to every garment. Else a category of the model becomes the file's
of the same name, or of the one name that differs only in case, spaces, hyphens and underscores
(`other_spellings`). Otherwise nothing is guessed: a person answers once per file, and the answer is
remembered on the file's category records, under our key::

    category["fashion"] = {
        "model_categories": ["Blouse"],  # categories of models whose garments become this one of the file
        "read_as": ["Top"],              # further ones that garments of this one count as
        "left_out": ["Skirt"],           # categories of models whose garments are left out of the file
    }

Several of the file's categories may stand for one of the model's: garments of all of them count as the
model's category, and a garment that the model predicts gets the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from napari_fashion.coco import provenance
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.records import category_record
from napari_fashion.documents import closest, read_toml, shown
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

UNCLEAR: Final = -1
"""In place of a model's category: the record has none, or one that stands for several."""
FOREIGN: Final = -2
"""In place of a model's category: the file's has a name that the model does not know."""
SPELLED: Final = "categories of the file that the model spells otherwise, taken for the same"
"""What `CategoryRule.spelled` is counted as (`Tally`)."""
Names = str | tuple[str, ...]
"""The file's categories that stand for one of a model's: a name, or several; empty text for none."""
_BETWEEN: Final = re.compile(r"[\s_-]+")


@dataclass(frozen=True)
class CategoryAnswer:
    """What becomes of the model's categories that a file does not have.

    Attributes
    ----------
    rest
        ``"add"``: the file gets them. ``"skip"``: their garments are left out. ``"ask"``: they stay
        without an answer.
    names
        For names of the model the file's category that they become, or several of the file's that stand
        for it, of which predicted garments get the first; empty text leaves their garments out.
    """

    rest: Literal["add", "skip", "ask"] = "ask"
    names: Mapping[str, Names] = field(default_factory=dict)

    def targets(self, name: str) -> tuple[str, ...]:
        """Return the file's categories that stand for the model's category `name`; empty for none.

        >>> answer = CategoryAnswer(names={"Top": "vest", "Outwear": ("coat", "cape"), "Body": ""})
        >>> answer.targets("Top"), answer.targets("Outwear"), answer.targets("Body")
        (('vest',), ('coat', 'cape'), ())
        """
        value = self.names.get(name, "")
        names = (value,) if isinstance(value, str) else value
        return tuple(dict.fromkeys(filter(None, names)))


@dataclass(frozen=True, eq=False)
class CategoryRule:
    """The rule for one file and one model (`CategoryRule.of`).

    Attributes
    ----------
    schema
        The model's.
    ids
        For each of the model's categories the file's id, or None if it has none.
    unknown
        Names of the model's categories that the file has no category for, without an answer.
    left_out
        Names of the categories whose garments are left out, by an earlier answer.
    new
        Category records that the file lacks, and that garments may get by this rule.
    spelled
        Names of the model's categories with those of the file's that are the same but for the spelling.
    """

    schema: Schema
    ids: tuple[RecordId | None, ...]
    unknown: list[str]
    left_out: list[str]
    new: list[dict[str, Any]]
    spelled: Mapping[str, str]
    _indices: Mapping[RecordId, int]
    _only: RecordId | None

    @classmethod
    def of(
        cls, dataset: Dataset, schema: Schema, answer: CategoryAnswer | None = None
    ) -> CategoryRule:
        """Return the rule for a data set and a model's schema.

        Parameters
        ----------
        answer
            The answer given now; it takes precedence over what the file remembers.

        Raises
        ------
        FashionError
            If the answer names a category that the model, or the file, does not have.
        """
        answer = answer or CategoryAnswer()
        by_name = _by_name(dataset)
        _check(answer, schema, by_name, dataset)
        remembered, skipped = _remembered(dataset)
        only = next(iter(by_name.values())) if len(by_name) == 1 else None
        answered = {*answer.names, *remembered, *skipped}
        spellings = other_spellings(schema.category_names, by_name)
        spelled = {ours: theirs for ours, theirs in spellings.items() if ours not in answered}
        add = answer.rest == "add" or not by_name
        first = dataset.next_id("categories")
        ids: list[RecordId | None] = []
        unknown: list[str] = []
        left_out: list[str] = []
        new: list[dict[str, Any]] = []
        for index, name in enumerate(schema.category_names):
            found: RecordId | None = None
            if name in answer.names:
                targets = answer.targets(name)
                found = by_name[targets[0]] if targets else None
                if not targets:
                    left_out.append(name)
            elif name in remembered:
                found = remembered[name][0]
            elif name in skipped and answer.rest != "add":
                left_out.append(name)
            elif only is not None:
                found = only
            elif name in by_name:
                found = by_name[name]
            elif name in spelled:
                found = by_name[spelled[name]]
            elif add:
                found = first + len(new)
                record = category_record(schema, index, found)
                if name not in dataset.schema.category_names:
                    record[provenance.KEY] = {provenance.MODEL_CATEGORIES: [name]}
                new.append(record)
            elif answer.rest == "skip":
                left_out.append(name)
            else:
                unknown.append(name)
            ids.append(found)
        given = {name: answer.targets(name) for name in answer.names}
        stands = {n: [by_name[theirs] for theirs in names] for n, names in given.items() if names}
        indices = _indices(dataset, schema, {**remembered, **stands}, spelled)
        return cls(schema, tuple(ids), unknown, left_out, new, spelled, indices, only)

    def count_spelled(self, tally: Tally, where: str) -> None:
        """Count the categories that the model spells otherwise; `where` names the file."""
        for ours, theirs in self.spelled.items():
            tally.add(SPELLED, f"{where}: {shown(theirs)} is the model's {shown(ours)}")

    def id_of(self, index: int) -> RecordId | None:
        """Return the file's id of the model's category; None if its garments are left out.

        Parameters
        ----------
        index
            Into the model's categories; negative for a garment without one.
        """
        return self.ids[index] if 0 <= index < len(self.ids) else self._only

    def index_of(self, category_id: RecordId) -> int:
        """Return the model's category that the file's stands for; `UNCLEAR` or `FOREIGN` for none."""
        return self._indices.get(category_id, UNCLEAR)


def other_spellings(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Return the names that differ from one of the others only in case, spaces, hyphens and underscores.

    Returns
    -------
    The one of the others by the name; only where a single name of each side is meant, and not the same.

    Examples
    --------
    >>> other_spellings(["Skirt", "T-Shirt", "Top"], ["skirt", "t shirt", "TOP", "top"])
    {'Skirt': 'skirt', 'T-Shirt': 't shirt'}
    """
    found = _by_letters(others)
    pairs = {
        one[0]: found[letters][0]
        for letters, one in _by_letters(names).items()
        if letters and len(one) == 1 == len(found.get(letters, []))
    }
    return {name: other for name, other in pairs.items() if name != other}


def _by_letters(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names by what is left of them without case, spaces, hyphens and underscores."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        found.setdefault(_BETWEEN.sub("", name).casefold(), []).append(name)
    return found


def file_categories(dataset: Dataset) -> list[str]:
    """Return the names of the file's categories that garments can have, in file order."""
    usable = set(_by_name(dataset).values())
    names = ((key, dataset.category_name(key)) for key in dataset.ids("categories"))
    return list(dict.fromkeys(name for key, name in names if key in usable))


def read_category_map(path: Path | str) -> CategoryAnswer:
    """Read which of the file's categories each of a model's becomes.

    A TOML file: under ``[categories]`` lines such as ``"Blouse" = "Shirt"``, the model's name first;
    ``"Outwear" = ["coat", "cape"]`` if several of the file's stand for it, the one that predicted garments
    get first; ``"Skirt" = ""`` leaves those garments out.

    Raises
    ------
    FashionError
        If it cannot be read, or holds anything else.
    """
    path = Path(path)
    data = read_toml(path, FashionError, expected="a map of categories (TOML)")
    names = data.get("categories")
    others = sorted(set(data) - {"categories"})
    if not isinstance(names, dict) or others:
        found = f"the keys {', '.join(map(shown, others))}" if others else "no [categories]"
        raise FashionError(
            f"{path}: found {found}; expected one table [categories] with lines such as "
            '"Blouse" = "Shirt": a category of the model, and the one of the file that it becomes.'
        )
    return CategoryAnswer(names={n: _names(v, f"{path}, categories.{n}") for n, v in names.items()})


def _names(value: object, where: str) -> Names:
    """Return a value of a map as the names that it has."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(v, str) and v for v in value):
        return tuple(value)
    raise FashionError(
        f"{where}: found {shown(value)}; expected the name of one of the file's categories in quotes, a "
        'list of such names, or "" to leave such garments out.'
    )


def remembered_values(
    dataset: Dataset, schema: Schema, answer: CategoryAnswer
) -> dict[RecordId, dict[str, Any]]:
    """Return what category records have under our key once they remember an answer.

    Categories to be added are no part of it: once they are there, their names are found.
    """
    rule = CategoryRule.of(dataset, schema, answer)
    skipped = _remembered(dataset)[1]
    out = [name for name in rule.left_out if name in answer.names or name not in skipped]
    stands: dict[RecordId, list[str]] = {}
    further: dict[RecordId, list[str]] = {}
    by_name = _by_name(dataset)
    for name in schema.category_names:
        for place, target in enumerate(answer.targets(name)):
            (further if place else stands).setdefault(by_name[target], []).append(name)
    values: dict[RecordId, dict[str, Any]] = {}
    for row, key in enumerate(dataset.ids("categories")):
        ours = dict(provenance.of(dataset.store.record("categories", key)))
        for kind, more in (
            (provenance.MODEL_CATEGORIES, stands.get(key, [])),
            (provenance.READ_AS, further.get(key, [])),
            (provenance.LEFT_OUT, [] if row else out),
        ):
            before = provenance.names_of(ours, kind)
            names = [name for name in before if name not in answer.names] + more
            if set(names) != set(before):
                ours[kind] = names
                values[key] = ours
    return values


def _by_name(dataset: Dataset) -> dict[str, RecordId]:
    """Return the file's categories by name; of two of one name, the one that has keypoints.

    One without keypoints that is only the heading of another (its supercategory) is none.
    """
    records = [(key, dataset.store.record("categories", key)) for key in dataset.ids("categories")]
    with_points = [(key, r) for key, r in records if r.get("keypoints")]
    headings = {str(r.get("supercategory")) for _, r in with_points}
    found = {str(r.get("name", "?")): key for key, r in reversed(with_points)}
    for key, record in records:
        name = str(record.get("name", "?"))
        if name not in headings:
            found.setdefault(name, key)
    order = {key: row for row, (key, _) in enumerate(records)}
    return dict(sorted(found.items(), key=lambda item: order[item[1]]))


def _remembered(dataset: Dataset) -> tuple[dict[str, list[RecordId]], set[str]]:
    """Return what the file remembers: the file's categories of names, and the names to leave out.

    The first of the file's categories is the one that predicted garments get.
    """
    stands: dict[str, list[RecordId]] = {}
    skipped: set[str] = set()
    for kind in (provenance.MODEL_CATEGORIES, provenance.READ_AS):
        for key in dataset.ids("categories"):
            ours = provenance.of(dataset.store.record("categories", key))
            for name in provenance.names_of(ours, kind):
                stands.setdefault(name, []).append(key)
            skipped |= set(provenance.names_of(ours, provenance.LEFT_OUT))
    return stands, skipped


def _indices(
    dataset: Dataset,
    schema: Schema,
    stands: Mapping[str, Sequence[RecordId]],
    spelled: Mapping[str, str],
) -> dict[RecordId, int]:
    """Return the model's category of each of the file's."""
    ours = {theirs: name for name, theirs in spelled.items()}
    index = {name: i for i, name in enumerate(schema.category_names)}
    names: dict[RecordId, list[str]] = {}
    for name, keys in stands.items():
        for key in dict.fromkeys(keys if name in index else ()):
            names.setdefault(key, []).append(name)
    found: dict[RecordId, int] = {}
    for key in dataset.ids("categories"):
        own = str(dataset.store.record("categories", key).get("name", "?"))
        own = ours.get(own, own)
        of_key = names.get(key, [])
        if own in index and own not in stands:
            of_key = [*of_key, own]
        if len(of_key) == 1:
            found[key] = index[of_key[0]]
        else:
            found[key] = UNCLEAR if of_key else FOREIGN
    return found


def _check(
    answer: CategoryAnswer, schema: Schema, by_name: Mapping[str, RecordId], dataset: Dataset
) -> None:
    """Raise FashionError if an answer names what one of the sides does not have."""
    file = dataset.path.name if dataset.path else "the data set"
    for ours in answer.names:
        if ours not in schema.category_names:
            raise FashionError(
                f"The categories given have {shown(ours)}, which is none of the model's"
                f"{_likely(ours, schema.category_names)}; expected one of "
                f"{', '.join(schema.category_names)}."
            )
        for theirs in answer.targets(ours):
            if theirs not in by_name:
                raise FashionError(
                    f"The categories given have {shown(ours)} = {shown(theirs)}, which is none of the "
                    f"categories of {file}{_likely(theirs, by_name)}; expected one of "
                    f"{', '.join(map(shown, by_name)) or 'none: it has no categories'}."
                )


def _likely(name: str, names: Iterable[str]) -> str:
    near = closest(name, names)
    return "" if near is None else f" (did you mean {near!r}?)"

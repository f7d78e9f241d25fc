"""Which landmark becomes which under a horizontal flip: by their names, or by a file's own list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from napari_fashion.documents import shown
from napari_fashion.schema._limits import MAX_LANDMARKS

KEYS = (
    "flip_pairs", "flip_idx", "flip_indices", "flips", "swap", "keypoint_flip_map",
    "keypoints_flip_map", "keypoints_flip", "symmetries",
)  # fmt: skip
"""Keys of a COCO category under which tools list flips (MMPose, Ultralytics, Detectron2, SLEAP)."""

_SIDES = (("left", "right"), ("l", "r"), ("lt", "rt"), ("lft", "rgt"), ("lhs", "rhs"), ("左", "右"))
_LEFT, _RIGHT = "<", ">"  # no word has these letters
_SIDE_OF = {word: side for pair in _SIDES for word, side in zip(pair, "<>", strict=True)}
_OTHER = {_LEFT: _RIGHT, _RIGHT: _LEFT}
_WORD = re.compile(r"[左右]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z左右]+")
_GLUED = {"left": "right", "right": "left"}
_MIDDLE = ("c", "m")

Words = tuple[str, ...]


class Flips(NamedTuple):
    """What is known of the landmarks under a horizontal flip.

    Attributes
    ----------
    order
        Permutation of length K that undoes itself: where each landmark goes. Landmarks of which
        nothing is known go to themselves.
    problem
        Why images must not be flipped, as a clause; empty if they may be.
    """

    order: tuple[int, ...]
    problem: str = ""


def find_flips(names: Sequence[str]) -> Flips:
    """Find the flips of landmarks by the sides in their names.

    A side is a word of its own (``left_hem``, ``hem-R``, ``L.hem``, ``LHem``, ``cuff_left_in``) in
    any case, or part of a word if the name with the other side is there too (``lefthem`` and
    ``righthem``, ``lhem`` and ``rhem``). Landmarks without a side go to themselves.

    Nothing may be flipped if a side has no partner, if no name has a side, or if names without a
    side are numbered (``neckline_1``, ``neckline_2``): what is left and right of such is not known.
    """
    keys = [_sided(words) for words in _words_of(names)]
    partners, problem = _by_words(names, keys)
    rest = [i for i, key in enumerate(keys) if not _has_side(key)]
    partners |= _glued(names, rest)
    if not partners and not problem:
        letters, problem = _glued_letters(names)
        partners |= letters
    if not problem:
        alone = [i for i in rest if i not in partners]
        problem = _numbered(names, [(i, keys[i]) for i in alone])
    if not problem and not partners and len(names) > 1:
        problem = f"no landmark has a side in its name ({shown(names[0])}, {shown(names[1])})"
    return Flips(tuple(partners.get(i, i) for i in range(len(names))), problem)


def _words_of(names: Sequence[str]) -> list[Words]:
    return [tuple(word.casefold() for word in _WORD.findall(name)) for name in names]


def _sided(words: Words) -> Words:
    """Return the words with those of a side replaced by its mark."""
    return tuple(_SIDE_OF.get(word, word) for word in words)


def _has_side(key: Words) -> bool:
    return _LEFT in key or _RIGHT in key


def _by_words(names: Sequence[str], keys: list[Words]) -> tuple[dict[int, int], str]:
    """Return the partners of landmarks with a side as a word of their names, and what is wrong."""
    single = {name.casefold() for name in names if len(name) == 1}
    if single - {"l", "r", *_MIDDLE}:  # landmarks called a, b, ..., l, ..., r
        for i, name in enumerate(names):
            if len(name) == 1:
                keys[i] = (name.casefold(),)
    places: dict[Words, list[int]] = {}
    for i, key in enumerate(keys):
        if _has_side(key):
            places.setdefault(key, []).append(i)
    partners: dict[int, int] = {}
    problem = ""
    for key, own in places.items():
        others = places.get(tuple(_OTHER.get(word, word) for word in key), [])
        if len(own) == len(others) == 1:
            partners[own[0]] = others[0]
        elif not problem:
            what = "no landmark" if not others else "more than one landmark"
            problem = f"{shown(names[own[0]])} has a side, and {what} is its other side"
    return partners, problem


def _glued(names: Sequence[str], rest: Sequence[int]) -> dict[int, int]:
    """Return the partners of landmarks with ``left`` or ``right`` inside a word."""
    swapped = {i: re.sub("left|right", lambda m: _GLUED[m[0]], names[i].casefold()) for i in rest}
    return _unique_partners(names, {i: s for i, s in swapped.items() if s != names[i].casefold()})


def _glued_letters(names: Sequence[str]) -> tuple[dict[int, int], str]:
    """Return the partners of names that begin with ``l`` and ``r`` (``lhip``), and what is wrong.

    Once some begin so, one that has no partner leaves it open whether its letter is a side.
    """
    other = {"l": "r", "r": "l"}
    swapped = {
        i: other[folded[0]] + folded[1:]
        for i, folded in enumerate(name.casefold() for name in names)
        if folded[:1] in other and len(folded) > 1
    }
    partners = _unique_partners(names, swapped)
    odd = next((i for i in swapped if i not in partners), None) if partners else None
    if odd is None:
        return partners, ""
    return partners, f"{shown(names[odd])} may have a side, and no landmark is its other side"


def _unique_partners(names: Sequence[str], swapped: Mapping[int, str]) -> dict[int, int]:
    """Return for each landmark the one that has its name with the other side."""
    places: dict[str, list[int]] = {}
    for i in swapped:
        places.setdefault(names[i].casefold(), []).append(i)
    partners = {}
    for i, name in swapped.items():
        if len(found := places.get(name, [])) == 1 == len(places[names[i].casefold()]):
            partners[i] = found[0]
    return partners


def _numbered(names: Sequence[str], alone: Sequence[tuple[int, Words]]) -> str:
    """Return what is wrong if names without a side differ in numbers only."""
    first: dict[Words, int] = {}
    for i, key in alone:
        family = tuple("0" if word.isdecimal() else word for word in key)
        if "0" in family and first.setdefault(family, i) != i:
            return (
                f"{shown(names[first[family]])} and {shown(names[i])} are numbered and have no side"
            )
    return ""


# -- lists in files ----------------------------------------------------------------------------


def listed_flips(key: str, value: object, points: Sequence[str]) -> dict[str, str] | str:
    """Read a category's own list of flips.

    Parameters
    ----------
    key
        One of `KEYS`; names the list in errors.
    value
        Pairs of names or of numbers; K numbers, where each landmark goes; K names, of each
        landmark's partner, empty for none; or a table of names. Numbers count from 0 or from 1.
    points
        Names of the category's K landmarks.

    Returns
    -------
    Each landmark's partner, itself for those that have none; or what is wrong with the list.
    """
    wrong = (
        f"{key} is {shown(value)}; expected pairs of the category's landmarks, such as "
        '[["left_hem", "right_hem"]]'
    )
    pairs = _pairs(value, points)
    if pairs is None:
        return wrong
    partners = dict(zip(points, points, strict=True))
    for a, b in pairs:
        for one, other in ((a, b), (b, a)):
            if partners.get(one) not in (one, other):
                return wrong
            partners[one] = other
    return partners


def _pairs(value: object, points: Sequence[str]) -> list[tuple[str, str]] | None:
    """Return the pairs of names that a list of flips stands for; None if it is no such list."""
    if isinstance(value, Mapping):
        value = [list(item) for item in value.items()]
    if not isinstance(value, list) or len(value) > MAX_LANDMARKS:
        return None
    if all(isinstance(item, list) and len(item) == 2 for item in value):
        names = _names([end for pair in value for end in pair], points, in_pairs=True)
        return None if names is None else list(zip(names[::2], names[1::2], strict=True))
    if len(value) != len(points):
        return None
    places = [p if item in ("", None) else item for p, item in zip(points, value, strict=True)]
    names = _names(places, points, in_pairs=False)
    return None if names is None else list(zip(points, names, strict=True))


def _names(ends: Sequence[object], points: Sequence[str], *, in_pairs: bool) -> list[str] | None:
    """Return the names of landmarks that are given by name or number; None if some are none."""
    numbers = [end for end in ends if type(end) is int]
    if numbers and len(numbers) == len(ends):
        return _names_by_number(numbers, points, in_pairs=in_pairs)
    known = set(points)
    names = [end for end in ends if isinstance(end, str) and end in known]
    return names if len(names) == len(ends) else None


def _names_by_number(
    ends: Sequence[int], points: Sequence[str], *, in_pairs: bool
) -> list[str] | None:
    """Return the names of landmarks that are given by number, counting from 0 or from 1.

    Pairs that have neither 0 nor K can count either way: then the names decide.
    """
    k = len(points)
    firsts = [first for first in (0, 1) if all(first <= end < k + first for end in ends)]
    found = [[points[end - first] for end in ends] for first in firsts]
    if len(found) == 2 and in_pairs:
        order = find_flips(points).order
        partner = {p: points[j] for p, j in zip(points, order, strict=True)}
        found = [
            names
            for names in found
            if all(partner[a] == b for a, b in zip(names[::2], names[1::2], strict=True))
        ]
    return found[0] if len(found) == 1 else None

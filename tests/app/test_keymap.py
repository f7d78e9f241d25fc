"""The table of keys, a person's own keys, and the page that is made of them; no window."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_fashion.app.actions.choices import category_candidates
from napari_fashion.app.keys import ROWS
from napari_fashion.app.keys.keymap import Keymap
from napari_fashion.app.keys.page import page
from napari_fashion.app.keys.spelling import normal
from napari_fashion.errors import FashionError
from small import SCHEMA, small_dataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def keymap(tmp_path):
    return Keymap(tmp_path / "settings" / "keys.json")


def test_no_key_of_the_table_has_two_meanings_and_all_are_spelled_alike() -> None:
    keys = [key for row in ROWS for key in row.keys]
    assert len(keys) == len(set(keys))
    assert [normal(key) for key in keys] == keys
    assert len({row.id for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("Control-Shift-z", "Ctrl+Shift+Z"),
        ("shift+?", "?"),
        ("Ctrl+-", "Ctrl+-"),
        ("-", "-"),
        ("Ctrl++", "Ctrl++"),
        ("Enter", "Return"),
        ("Shift+Delete", "Shift+Del"),
        ("Alt+Ctrl+PageUp", "Ctrl+Alt+PgUp"),
    ],
)
def test_spelling(written, keys) -> None:
    assert normal(written) == keys


def test_own_keys_are_kept_and_taken_from_the_row_that_had_them(keymap) -> None:
    other = keymap.clash("next_image", "m")
    assert other is not None
    assert other.id == "swap_left_right"
    keymap.set_keys("next_image", ["m", "F9"])
    again = Keymap(keymap.path)
    assert again.keys("next_image") == ("M", "F9")
    assert again.keys("swap_left_right") == ()
    assert again.row_of("N") is None
    again.reset("swap_left_right")
    assert again.keys("next_image") == ("F9",)
    again.reset()
    assert json.loads(keymap.path.read_text()) == {}
    assert again.row_of("N").id == "next_image"


@pytest.mark.parametrize("text", ["{", "[1]", '{"next_image": "N"}', "\xff\xfe"])
def test_a_broken_file_is_told_kept_and_not_used(keymap, text) -> None:
    keymap.path.parent.mkdir()
    keymap.path.write_bytes(text.encode("latin-1"))
    found = Keymap(keymap.path)
    assert found.keys("next_image") == ("N", "PgDown")
    assert "not used" in found.problem
    assert "keys.broken.json" in found.problem
    found.set_keys("next_image", ["F9"])
    aside = keymap.path.with_suffix(".broken.json")
    assert aside.read_bytes() == text.encode("latin-1")


def test_keys_that_cannot_be_kept_hold_all_the_same(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    keymap = Keymap(tmp_path / "file" / "keys.json")
    with pytest.raises(FashionError, match="hold until napari is closed"):
        keymap.set_keys("next_image", ["F9"])
    assert keymap.row_of("F9").id == "next_image"


def test_the_page_of_keys_is_current() -> None:
    assert (ROOT / "docs" / "keys.md").read_text(encoding="utf-8") == page()


def test_the_models_categories_come_first_and_the_others_by_name() -> None:
    garment = small_dataset().garment(12)
    order = category_candidates(garment.category_scores, SCHEMA.category_names)
    names = [SCHEMA.category_names[i] for i in order]
    assert names[:2] == ["Pants", "Shorts"]
    assert names[2:] == sorted(names[2:], key=str.casefold)
    assert len(names) == len(SCHEMA.categories)

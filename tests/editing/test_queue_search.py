"""Searching the queue: what each rule finds, and what is said of those that are none."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from napari_fashion.editing.queue_search import NumberColumn, TimeColumn, WordColumn, search

NAMES = np.array(["look_0001.jpg", "look_0002.jpg", "shop/coat 3.png", "shop/dress.png"])
NOW = datetime.now()
COLUMNS = {
    "score": NumberColumn(np.array([0.41, 0.7, np.nan, 0.95])),
    "garments": NumberColumn(np.array([1.0, 2, 0, 3])),
    "status": WordColumn(
        ("new", "edited", "reviewed"), np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 1]], bool)
    ),
    "category": WordColumn(
        ("Dress", "Long sleeve", "Longcoat"),
        np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0]], bool),
    ),
    "edited": TimeColumn(
        np.array([NOW.timestamp(), (NOW - timedelta(days=1)).timestamp(), np.nan,
                  (NOW - timedelta(days=30)).timestamp()])
    ),
}  # fmt: skip


def rows(text):
    found = search(text, NAMES, COLUMNS)
    assert found.misunderstood == ()
    return np.flatnonzero(found.rows).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("look", [0, 1]),
        ("LOOK_0002", [1]),
        ('"coat 3"', [2]),
        ("-look", [2, 3]),
        ("shop dress", [3]),
        ("score<0.7", [0]),
        ("score<=0.7", [0, 1]),
        ("score>=70%", [1, 3]),
        ("score!=0.41", [1, 3]),  # a row without a score is found by no comparison
        ("garments=0", [2]),
        ("garments>1 score>0.9", [3]),
        ("status:reviewed", [1, 3]),
        ("status:REV", [1, 3]),
        ("status!=reviewed", [0, 2]),
        ("-status:reviewed", [0, 2]),
        ("category:dress", [0, 3]),
        ('category:"long sleeve"', [1, 3]),
        ("category:long", [1, 3]),
        ("score<0.9 category:dress look", [0]),
        ("edited=today", [0]),
        ("edited:yesterday", [1]),
        ("edited>=yesterday", [0, 1]),
        ("edited<7d", [3]),
        ("edited>1d", [0]),
        ("edited!=today", [1, 3]),
        (f"edited<={NOW.date().isoformat()}", [0, 1, 3]),
    ],
)
def test_what_a_text_finds(text, expected):
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "part", "why"),
    [
        ("look scor<0.7", "scor<0.7", "scor: no such column; expected score, garments, status, "
         "category, edited. Did you mean score?"),
        ("score<abc look", "score<abc", "score<abc: abc is no number."),
        ("score< look", "score<", "score<: no value; expected one, such as score<0.7."),
        ("look status:edite4", "status:edite4", "status: no edite4 here. Did you mean edited?"),
        ("status>new look", "status>new", "status>new: status has words; expected status:new."),
        ("edited>soon look", "edited>soon", "edited>soon: expected a day as 2026-11-30, today, "
         "yesterday or 7d (days ago)."),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_with_its_place_and_the_rest_is_searched(text, part, why):
    found = search(text, NAMES, COLUMNS)
    (wrong,) = found.misunderstood
    assert text[wrong.start : wrong.end] == part
    assert wrong.why == why
    assert np.flatnonzero(found.rows).tolist() == [0, 1]  # by the word "look"


def test_text_that_is_still_being_typed_is_no_fault():
    for n in range(len('category:"long sleeve" score<0.7')):
        search('category:"long sleeve" score<0.7'[:n], NAMES, COLUMNS)
    assert search('"coat', NAMES, COLUMNS).rows.tolist() == [False, False, True, False]

"""Every test that the comparison names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_each_yes_of_ours_names_a_test_that_is_there():
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for feature, ours, *_, test in rows:
        named = re.fullmatch(r" `([\w/]+\.py)::(\w+)` ", test)
        assert (ours.strip() == "yes") == (named is not None), feature
        if named is not None:
            assert f"def {named[2]}(" in (ROOT / named[1]).read_text(encoding="utf-8"), feature

"""What commands say: never markup, never broken lines, nothing that steers the terminal."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from napari_fashion.cli import terminal
from napari_fashion.tally import Tally


@pytest.fixture(autouse=True)
def normal_again():
    yield
    terminal.set_up(terminal.NORMAL)
    terminal.tear_down()
    assert not [h for h in logging.getLogger("napari_fashion").handlers if h.level or h.formatter]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 出力", "plain é 出力"),
        ("[bold red]x[/] \\[y]", "[bold red]x[/] \\[y]"),
        ("\x1b[2J\x07\r", "\\x1b[2J\\x07\\r"),
        ("a\u202eb\u2028c", "a\\u202eb\\u2028c"),
        ("half \ud83d", "half \\ud83d"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
    ],
)
def test_control_characters_are_escaped_and_markup_is_text(text, shown, capsys) -> None:
    terminal.notify(text)
    terminal.warn(text)
    out, err = capsys.readouterr()
    assert out == err == shown + "\n"


def test_line_feeds_are_kept_in_messages_and_escaped_in_names() -> None:
    assert terminal.plain("a\nb") == "a\\nb"
    assert terminal.plain("a\nb", lines=True) == "a\nb"


def test_long_lines_stay_whole(capsys) -> None:
    path = "/folder" * 100
    terminal.notify(path)
    terminal.give(terminal.table([(path, 1), ("x", 20)], path))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [path, path]
    assert lines[2] == f"{path}   1"
    assert lines[3] == "x" + " " * (len(path) - 1) + "  20"


def test_tables_line_up_wide_letters() -> None:
    assert terminal.table([("出力", "1"), ("abcde", "22")]).splitlines() == [
        "出力    1",
        "abcde  22",
    ]


def test_letters_that_the_terminal_lacks_are_replaced(monkeypatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.set_up()
    terminal.notify("出力/é.json")
    terminal.give_json({"出力": 1})
    lines = raw.getvalue().decode("cp1252").splitlines()
    assert lines[0] == "??/é.json"
    assert json.loads("".join(lines[1:])) == {"出力": 1}


def test_quiet_keeps_what_was_asked_for_and_what_was_left_out(capsys) -> None:
    terminal.set_up(terminal.QUIET)
    terminal.notify("done")
    terminal.give("figure")
    terminal.warn("left out")
    with terminal.progress("working", 3) as shown:
        shown.advance(3)
    assert capsys.readouterr() == ("figure\n", "left out\n")


def test_the_log_is_silent_until_it_is_asked_for(capsys) -> None:
    logger = logging.getLogger("napari_fashion.x")
    terminal.set_up(terminal.NORMAL)
    logger.info("one")
    assert capsys.readouterr() == ("", "")
    logger.warning("a warning")
    assert capsys.readouterr() == ("", "a warning\n")
    terminal.set_up(terminal.VERBOSE)
    logger.info("two \x1b[0m")
    logger.debug("three")
    err = capsys.readouterr().err
    assert "two \\x1b[0m" in err
    assert "three" not in err
    terminal.set_up(terminal.DEBUG)
    logger.debug("four")
    assert capsys.readouterr().err.count("four") == 1


def test_progress_is_lines_where_there_is_no_terminal(monkeypatch, capsys) -> None:
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    with terminal.progress("predicting", 1000) as shown:
        shown.advance(1)
        clock[0] = 11
        shown.advance(99)
        clock[0] = 12
        shown.advance(100)
        clock[0] = 23
        shown.update(999)
        shown.advance(1)
    err = capsys.readouterr().err
    assert err.splitlines() == [
        "predicting: 100 of 1,000",
        "predicting: 999 of 1,000",
        "predicting: 1,000 of 1,000",
    ]
    with terminal.progress("short", 5) as shown:
        shown.advance(5)
    assert capsys.readouterr().err == ""


def test_a_tally_is_told_a_line_a_kind(capsys) -> None:
    tally = Tally()
    for i in range(5):
        tally.add("odd sizes", f"image {i}\x1b")
    terminal.tell(tally)
    assert capsys.readouterr().err.splitlines() == [
        "odd sizes: 5",
        "  image 0\\x1b",
        "  image 1\\x1b",
        "  image 2\\x1b",
        "  ... and 2 more",
    ]


def test_nothing_is_said_where_there_is_no_console(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    terminal.set_up()
    terminal.notify("x")
    terminal.warn("x")
    with terminal.progress("x") as shown:
        shown.advance()

"""Reading a log that grows; the processes that write one are in tests/app/test_train_job.py."""

from __future__ import annotations

import json
import os

import pytest

from napari_fashion.engine.train.events import ErrorEvent, NoticeEvent, StepEvent
from napari_fashion.engine.train.following import (
    CHUNK_BYTES,
    MAX_EVENTS,
    MAX_STEPS,
    TAIL_BYTES,
    EventReader,
    size_of,
    tail_of,
)


def notice(text: str) -> bytes:
    return json.dumps({"time": "now", **NoticeEvent(message=text).to_dict()}).encode() + b"\n"


def step(i: int) -> bytes:
    event = StepEvent(step=i, epoch=0, loss=1.0, losses=None, lr=1.0, images_per_second=1.0)
    return json.dumps({"time": "now", **event.to_dict()}).encode() + b"\n"


def read_all(reader: EventReader) -> list:
    events = reader.read()
    while not reader.at_end:
        events += reader.read()
    return events


@pytest.mark.parametrize("cut", range(0, 130, 7))
def test_however_a_log_grows_each_event_comes_once(tmp_path, cut):
    path = tmp_path / "events.jsonl"
    whole = notice("ä one") + b"noise\n" + notice("two")
    reader = EventReader(path)
    assert reader.read() == []
    path.write_bytes(whole[:cut])
    events = read_all(reader)
    path.write_bytes(whole)
    events += read_all(reader)
    assert [e.message for e in events] == ["ä one", "two"]
    assert reader.bad == 1
    assert read_all(reader) == []


def test_it_begins_at_an_offset_and_anew_where_the_log_was_cut(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(notice("old"))
    reader = EventReader(path, size_of(path))
    path.write_bytes(notice("old") + notice("new"))
    assert [e.message for e in read_all(reader)] == ["new"]
    path.write_bytes(notice("x"))
    assert [e.message for e in read_all(reader)] == ["x"]
    assert size_of(tmp_path / "none") == 0


def test_one_call_does_a_bounded_part(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(
        b"".join(map(step, range(1000))) + b"".join(notice(str(i)) for i in range(1000))
    )
    reader = EventReader(path)
    calls = [reader.read()]
    while not reader.at_end:
        calls.append(reader.read())
    assert max(map(len, calls)) <= MAX_EVENTS + MAX_STEPS
    events = [event for call in calls for event in call]
    assert [e.message for e in events if isinstance(e, NoticeEvent)] == [
        str(i) for i in range(1000)
    ]
    steps = [e.step for e in events if isinstance(e, StepEvent)]
    assert steps == sorted(steps)
    assert steps[-1] == 999
    assert len(calls) >= 6


def test_a_line_without_an_end_takes_no_memory(tmp_path):
    path = tmp_path / "events.jsonl"
    with path.open("wb") as log:
        log.write(notice("first"))
        log.truncate(64 << 20)  # nulls
        log.seek(0, os.SEEK_END)
        log.write(b"\n" + notice("last"))
    reader = EventReader(path)
    events, most = [], 0
    while not reader.at_end:
        events += reader.read()
        most = max(most, len(reader._rest))
    assert [e.message for e in events] == ["first", "last"]
    assert most <= (1 << 20) + CHUNK_BYTES
    assert reader.bad == 1


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "events.jsonl")
    assert read_all(EventReader(tmp_path / "events.jsonl")) == []
    assert tail_of(tmp_path / "events.jsonl") == ("", [])
    assert read_all(EventReader(tmp_path)) == []


def test_the_tail_is_the_last_lines_and_the_last_error(tmp_path):
    path = tmp_path / "run.log"
    error = json.dumps(ErrorEvent(message="what is wrong").to_dict()).encode()
    path.write_bytes(
        b"x" * (2 * TAIL_BYTES) + b"\n" + step(1) + error + b"\n\xff\n" + b"line \x1b[0m\r\n" * 20
    )
    message, lines = tail_of(path)
    assert message == "what is wrong"
    assert lines == ["line  [0m"] * 12
    assert tail_of(tmp_path / "none") == ("", [])

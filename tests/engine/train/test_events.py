"""Events and their JSON lines, of this version and before."""

from __future__ import annotations

import json

import pytest

from napari_fashion.engine.train import events
from napari_fashion.engine.train.events import EVENTS, EventLog, last_event, parse_event
from napari_fashion.errors import EventError

EXAMPLES = [
    events.StartEvent(
        run="runs/x", epochs=2, steps=9, epoch=1, step=4, train_images=3, val_images=1, device="cpu"
    ),
    events.LeftOutEvent(what="crowds", count=2, first=["a.png: annotation 3"]),
    events.NoticeEvent(message="Mirroring is off."),
    events.NoticeEvent(message="Few images.", level="warning"),
    events.StepEvent(
        step=3, epoch=0, loss=1.5, losses={"pif.vector": 1.5}, lr=1e-3, images_per_second=9.5
    ),
    events.StepEvent(step=4, epoch=0, loss=None, losses=None, lr=1e-3, images_per_second=9.5),
    events.EpochEvent(epoch=1, loss=2.5, val={"ne": 0.04, "top1": None}),
    events.EpochEvent(epoch=1, loss=None),
    events.DivergenceEvent(step=7, head="paf.vector", loss="nan", policy="back"),
    events.DivergenceEvent(step=7, head="gradient norm", loss=1e9, policy="stop"),
    events.DivergenceEvent(
        step=7, head="pif.size", loss=2.0, policy="skip", images=["a.jpg", "b.jpg"]
    ),
    events.CompareEvent(old={"ne": 0.05}, new={"ne": 0.04}),
    events.CompareEvent(
        old={"ne": 0.05}, new={"ne": 0.04}, verdict="better", text="Better.", images=12
    ),
    events.DoneEvent(model="runs/x/model.json", seconds=12.5),
    events.DoneEvent(model="runs/x/model.json", seconds=12.5, why="early stopping"),
    events.StoppedEvent(model="runs/x/model.json", step=5),
    events.ErrorEvent(message="x" * 100_000),
]


def test_every_kind_has_an_example():
    assert {e.kind for e in EXAMPLES} == set(EVENTS)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: e.kind)
def test_an_event_survives_its_line(event):
    line = json.dumps({"time": "2026-11-30T10:00:00+00:00", **event.to_dict()})
    assert parse_event(line) == event
    assert parse_event(line.encode()) == event
    assert parse_event(json.loads(line)) == event


def test_old_runs_are_understood():
    old = {"event": "explosion", "step": 2, "head": "paf.vector", "loss": 9.0, "policy": "skip"}
    assert parse_event(old) == events.DivergenceEvent(
        step=2, head="paf.vector", loss=9.0, policy="skip"
    )
    start = EXAMPLES[0].to_dict()
    start["train_pictures"], start["val_pictures"] = (
        start.pop("train_images"), start.pop("val_images"),
    )  # fmt: skip
    assert parse_event(start) == EXAMPLES[0]
    expected = next(e for e in EXAMPLES if e.kind == "step")
    step = expected.to_dict()
    step["pictures_per_second"] = step.pop("images_per_second")
    assert parse_event(step) == expected
    assert parse_event({"event": "epoch", "epoch": 1, "loss": 2.0}).val is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("Epoch 3", "not valid JSON"),
        ("5", "Found 5; expected an event"),
        ("[]", "expected an event"),
        ('{"event": "x"}', "expected an event"),
        ('{"event": {}}', "expected an event"),
        ('{"event": "done", "seconds": 1}', "Event 'done': model is missing"),
        ('{"event": "step", "step": "x"}', "step: found 'x'; expected a whole number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_event_is_refused(found, said):
    with pytest.raises(EventError, match=said):
        parse_event(found)


def test_a_log_keeps_what_it_passes_on(tmp_path):
    heard = []
    log = EventLog(tmp_path / "events.jsonl", heard.append)
    assert last_event(log.path) is None
    for event in EXAMPLES:
        log(event)
        assert last_event(log.path) == event
    assert heard == EXAMPLES
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert all("time" in line for line in lines)
    assert [parse_event(line) for line in lines] == EXAMPLES

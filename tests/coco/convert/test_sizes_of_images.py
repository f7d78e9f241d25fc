"""The processes that read the sizes of images end, whatever happens."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from napari_fashion.coco.convert import sizes


@pytest.fixture
def handler():
    """SIGINT's, as at a terminal: what a shell starts in the background ignores it."""
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, old)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_an_interrupt_ends_a_process_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(sizes, "GRACE", 0.1)
    workers = []

    def interrupted():
        with sizes._pool(1) as pool:
            workers.append(psutil.Process(pool.submit(os.getpid).result()))
            workers[0].suspend()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not workers[0].is_running()


def test_an_interrupt_waits_until_processes_have_started(handler):
    steps = []

    def interrupted():
        with sizes._without_interrupts():
            signal.raise_signal(signal.SIGINT)
            steps.append("started")
        steps.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert steps == ["started"]
    assert signal.getsignal(signal.SIGINT) is handler

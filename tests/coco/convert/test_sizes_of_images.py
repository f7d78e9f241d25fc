"""The processes that read the sizes of images end, whatever happens."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from napari_fashion.coco.convert import sizes


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_an_interrupt_ends_a_process_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(sizes, "GRACE", 0.1)
    with pytest.raises(KeyboardInterrupt), sizes._pool(1) as pool:
        worker = psutil.Process(pool.submit(os.getpid).result())
        worker.suspend()
        raise KeyboardInterrupt
    assert not worker.is_running()


def test_an_interrupt_waits_until_processes_have_started():
    handler = signal.getsignal(signal.SIGINT)
    steps = []
    with pytest.raises(KeyboardInterrupt), sizes._without_interrupts():
        signal.raise_signal(signal.SIGINT)
        steps.append("started")
    assert steps == ["started"]
    assert signal.getsignal(signal.SIGINT) is handler

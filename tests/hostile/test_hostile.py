"""Hostile inputs: each is handled or refused in a sentence, in bounded time and memory.

`catalogue` says what an input is; the modules of the doors have them; `docs/trust.md` has the table.
"""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest

from hostile.catalogue import DOORS, all_entries
from hostile.working import Worker, tiny_model

TOGETHER = 2
TABLE = Path(__file__).resolve().parents[2] / "docs" / "trust.md"


@pytest.fixture(scope="session")
def tried(request, tmp_path_factory):
    """What came of the inputs that were asked for: by name, each while the others are tried."""
    folder = tmp_path_factory.mktemp("hostile")
    model = tiny_model(folder)
    workers: Queue[Worker] = Queue()
    for i in range(TOGETHER):
        workers.put(Worker(folder / str(i), model))

    def try_out(name: str) -> list[str]:
        worker = workers.get()
        try:
            return worker.try_out(name)
        finally:
            workers.put(worker)

    names = [i.callspec.params["name"] for i in request.session.items
             if getattr(i, "originalname", "") == "test_a_hostile_input"]  # fmt: skip
    pool = ThreadPoolExecutor(TOGETHER)
    futures: dict[str, Future[list[str]]] = {name: pool.submit(try_out, name) for name in names}
    yield futures
    pool.shutdown(cancel_futures=True)
    while not workers.empty():
        workers.get().end()


@pytest.mark.parametrize("name", [entry.name for entry in all_entries()])
def test_a_hostile_input(tried, name):
    wrong = tried[name].result()
    assert not wrong, "\n".join(wrong)


def test_the_table_of_kinds_is_right():
    """`docs/trust.md` counts the inputs."""
    counts = Counter(entry.kind for entry in all_entries())
    assert {entry.door for entry in all_entries()} == set(DOORS)
    text = TABLE.read_text()
    rows = dict(re.findall(r"^\| ([^|]+) \| (\d+) \| ", text, re.M))
    assert {kind: int(rows.get(kind, 0)) for kind in counts} == dict(counts)

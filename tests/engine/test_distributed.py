from __future__ import annotations

import pytest

from napari_fashion.engine.distributed import Launch, Processes, joined, processes
from napari_fashion.errors import ProcessError

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}


def test_how_a_process_was_started_is_read_from_the_environment():
    assert Launch.of_environment({}) == Launch(0, 1, 0, 1)
    assert Launch.of_environment({"RANK": "5"}) == Launch()  # somebody else's variable
    assert Launch.of_environment(TORCHRUN) == Launch(5, 8, 1, 4)


@pytest.mark.parametrize(
    "change",
    [{"RANK": "8"}, {"RANK": "-1"}, {"RANK": "x"}, {"WORLD_SIZE": "0"}, {"LOCAL_RANK": ""},
     {"LOCAL_RANK": "4"}, {"RANK": "9" * 30}],
)  # fmt: skip
def test_an_environment_that_makes_no_sense_is_refused(change):
    with pytest.raises(ProcessError, match="expected the numbers of a process that torchrun"):
        Launch.of_environment({**TORCHRUN, **change})


def test_a_process_by_itself_reduces_nothing_and_imports_no_torch():
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from napari_fashion.engine.distributed import Launch, joined\n"
        "with joined(Launch(), gpu=True) as here:\n"
        "    assert here.first and here.share(5) == range(5)\n"
        "    assert here.sum_numbers([1, 2]) == [1.0, 2.0] and here.largest(3) == 3\n"
        "    assert here.gather('a') == ['a'] and here.from_first(lambda: 7) == 7\n"
        "    here.wait(); here.sum_gradients([]); here.average([]); here.copy_from_first([])\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with joined(Launch(), gpu=False) as here:
        assert here is processes()


@pytest.mark.parametrize("n", [0, 1, 7, 32])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_shares_are_contiguous_and_of_nearly_equal_size(n, size):
    shares = [Processes(Launch(rank, size, rank, size)).share(n) for rank in range(size)]
    assert [i for share in shares for i in share] == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_each_process_has_a_gpu_of_its_own():
    second = Processes(Launch(5, 8, 1, 4))
    assert second.own_device("auto", 4) == second.own_device("cuda", 4) == "cuda:1"
    assert second.own_device("auto", 0) == "auto"  # there is none
    assert second.own_device("cpu", 4) == "cpu"
    with pytest.raises(ProcessError, match="4 processes on this machine, which has 2 GPUs"):
        second.own_device("auto", 2)
    with pytest.raises(ProcessError, match="'cuda:0' is one, and 4 processes"):
        second.own_device("cuda:0", 4)
    assert Processes(Launch(1, 2, 0, 1)).own_device("cuda:3", 4) == "cuda:3"  # one a machine
    assert Processes(Launch()).own_device("cuda:3", 4) == "cuda:3"

"""Trainings in processes side by side: in order, at a time, and gone with the job that started them."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from processes import FORK, alive, kill, note_process, noted_processes, started, wait_for

from ecgtransfer.errors import InputError
from ecgtransfer.train.side_by_side import side_by_side

torch.set_num_threads(1)


@pytest.mark.parametrize("n_processes", [1, 2, 5])
def test_results_come_in_order(n_processes: int) -> None:
    data = torch.arange(12.0).view(4, 3)  # held by the function: not sent, but shared

    def work(number: int) -> tuple[int, float, int]:
        time.sleep(0.02 * (4 - number))
        torch.manual_seed(number)
        return number, (data[number] @ torch.rand(3)).item(), torch.get_num_threads()

    torch.set_num_threads(2)
    results = side_by_side(work, 4, n_processes)
    assert results == [work(number) for number in range(4)]
    assert {threads for _, _, threads in results} == {1}


def test_as_many_as_asked_for_run_at_a_time() -> None:
    here = FORK.Barrier(3)

    def work(number: int) -> int:
        here.wait(30)  # until three are here
        return os.getpid()

    processes = side_by_side(work, 6, 3)
    assert len(set(processes)) <= 3
    assert os.getpid() not in processes
    assert set(side_by_side(lambda _: os.getpid(), 3, 1)) == {os.getpid()}


@pytest.mark.parametrize("n_processes", [1, 2])
def test_mistakes_of_the_user_stay_one_line(n_processes: int) -> None:
    def work(number: int) -> int:
        if number == 1:
            raise InputError("learning_rate: lower it")
        return number

    with pytest.raises(InputError, match=r"^learning_rate: lower it$"):
        side_by_side(work, 3, n_processes)


def test_killed_process_is_one_clear_line() -> None:
    def work(number: int) -> int:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(InputError, match=r"^a process .* was killed, perhaps because memory ran out; run again with"):
        side_by_side(work, 3, 2)


@pytest.mark.parametrize("n_calls", [2, 3])
def test_processes_end_when_their_parent_is_killed(tmp_path: Path, n_calls: int) -> None:
    """Whether they are at work, or wait for it."""

    def work(number: int) -> None:
        note_process(tmp_path)
        if number != 1:
            time.sleep(100)

    job = started(side_by_side, work, n_calls, 3)
    wait_for(lambda: len(noted_processes(tmp_path)) >= 2)
    processes = noted_processes(tmp_path)
    assert alive(processes) == processes
    kill(job)
    wait_for(lambda: not alive(processes))

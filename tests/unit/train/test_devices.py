"""GPUs are leased by real processes; the GPUs are names only, so that no hardware is needed."""

import logging
import multiprocessing
import os
import secrets
import signal
import stat
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from ecgtransfer.errors import InputError
from ecgtransfer.train import devices
from ecgtransfer.train.devices import leased_devices, visible_devices

FORK = multiprocessing.get_context("fork")  # workers need not import torch again


@pytest.fixture(autouse=True)
def as_on_a_machine_with_gpus(monkeypatch, tmp_path):
    """Let torch be one built for CUDA, poll quickly, and find no nvidia-smi but a test's own."""
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(devices, "_PAUSE_S", 0.01)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


@pytest.fixture
def pool(monkeypatch):
    """Make GPUs that no other test has, and let CUDA_VISIBLE_DEVICES name them."""

    def make(n):
        names = [f"GPU-{secrets.token_hex(8)}" for _ in range(n)]
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(names))
        return names

    return make


@pytest.fixture
def nvidia_smi(tmp_path):
    """Put a program of this name on the path; the function returned sets what it answers."""
    script = tmp_path / "nvidia-smi"
    script.write_text(
        '#!/bin/sh\n[ "$2" = --format=csv,noheader ] || exit 2\n'
        f'case "$1" in\n--query-gpu=index,uuid) cat {tmp_path}/gpus;;\n'
        f"--query-compute-apps=gpu_uuid,pid,process_name) cat {tmp_path}/apps;;\n*) exit 2;;\nesac\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def answer(gpus, apps=()):
        for name, lines in {"gpus": gpus, "apps": apps}.items():
            (tmp_path / f"{name}.new").write_text("".join(f"{line}\n" for line in lines))
            (tmp_path / f"{name}.new").rename(tmp_path / name)

    return answer


def hold(n, seconds, times):
    with leased_devices(n) as mine:
        start = time.monotonic()
        time.sleep(seconds)
        times.put((mine, os.environ["CUDA_VISIBLE_DEVICES"], start, time.monotonic()))


def run_jobs(numbers_of_devices, seconds):
    """Start one job per number, all at once, and return what each had and when."""
    times = FORK.Queue()
    jobs = [FORK.Process(target=hold, args=(n, seconds, times)) for n in numbers_of_devices]
    for job in jobs:
        job.start()
    held = [times.get(timeout=60) for _ in jobs]
    for job in jobs:
        job.join(60)
        assert job.exitcode == 0
    return held


@pytest.mark.parametrize("numbers", [[1] * 9, [2] * 5, [1, 3, 2, 1, 2, 3, 1]], ids=str)
def test_no_two_jobs_have_a_device_at_the_same_time(pool, numbers):
    names = pool(3)
    held = run_jobs(numbers, 0.05)
    assert sorted(len(mine) for mine, *_ in held) == sorted(numbers)
    for device in names:
        intervals = sorted((start, end) for mine, _, start, end in held if device in mine)
        assert all(end <= start for (_, end), (start, _) in pairwise(intervals))
    for mine, variable, *_ in held:
        assert len(set(mine)) == len(mine) and set(mine) <= set(names)
        assert variable == ",".join(mine)


def test_jobs_that_fit_run_at_the_same_time(pool):
    pool(3)
    barrier = FORK.Barrier(3)

    def meet():
        with leased_devices(1):
            barrier.wait(30)  # is passed only if all three are inside

    jobs = [FORK.Process(target=meet) for _ in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0, 0, 0]


def test_all_or_none(pool):
    """A job that waits for two devices holds none meanwhile."""
    first, second = pool(2)
    inside, leave = FORK.Event(), FORK.Event()

    def wait_inside():
        with leased_devices(1):
            inside.set()
            leave.wait(60)

    one = FORK.Process(target=wait_inside)
    one.start()
    assert inside.wait(30)
    times = FORK.Queue()
    both = FORK.Process(target=hold, args=(2, 0, times))
    both.start()
    for _ in range(5):
        time.sleep(0.05)
        with leased_devices(1) as mine:
            assert mine == [second]
    assert both.is_alive() and times.empty()
    leave.set()
    assert times.get(timeout=30)[0] == [first, second]
    one.join(30)
    both.join(30)


def start_holder(target):
    inside = FORK.Event()
    holder = FORK.Process(target=target, args=(inside,))
    holder.start()
    assert inside.wait(30)
    return holder


def hold_for_ever(inside):
    with leased_devices(1):
        inside.set()
        time.sleep(600)


def test_killed_job_frees_its_device(pool):
    (name,) = pool(1)
    for _ in range(3):
        holder = start_holder(hold_for_ever)
        assert devices._try_to_lease(1, [name]) == ({}, {name: "leased by another job"})
        os.kill(holder.pid, signal.SIGKILL)
        holder.join(30)
        with leased_devices(1) as mine:
            assert mine == [name]


def test_device_is_not_free_while_workers_of_a_killed_job_live(pool):
    (name,) = pool(1)
    worker_pid = FORK.Value("i", 0)

    def hold_with_a_worker(inside):
        with leased_devices(1):
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
            worker_pid.value = pid
            inside.set()
            time.sleep(600)

    holder = start_holder(hold_with_a_worker)
    os.kill(holder.pid, signal.SIGKILL)
    os.waitpid(holder.pid, 0)  # `join` would wait for the worker, too
    assert devices._try_to_lease(1, [name])[0] == {}
    os.kill(worker_pid.value, signal.SIGKILL)
    with leased_devices(1) as mine:
        assert mine == [name]


def test_worker_that_leaves_the_block_keeps_the_lease_of_its_parent(pool):
    (name,) = pool(1)
    block = leased_devices(1)
    block.__enter__()
    pid = os.fork()
    if pid == 0:
        block.__exit__(None, None, None)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert devices._try_to_lease(1, [name])[0] == {}
    block.__exit__(None, None, None)
    assert list(devices._try_to_lease(1, [name])[0]) == [name]


def test_error_in_the_block_frees_the_device_and_restores_the_environment(pool):
    names = pool(2)
    with pytest.raises(ZeroDivisionError), leased_devices(1) as mine:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == mine[0]
        raise ZeroDivisionError
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(names)
    with leased_devices(2) as mine:
        assert mine == names


def test_says_once_what_it_waits_for(pool, caplog):
    (name,) = pool(1)
    holder = start_holder(hold_for_ever)

    def kill(_seconds):
        kill.calls += 1
        if kill.calls == 3:
            os.kill(holder.pid, signal.SIGKILL)
            holder.join(30)

    kill.calls = 0
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(devices, "time", SimpleNamespace(sleep=kill))
        with leased_devices(1):
            pass
    assert kill.calls >= 3
    assert [record.getMessage() for record in caplog.records] == [
        f"waits for 1 of 1 GPUs: {name} is leased by another job"
    ]


def test_without_gpu_nothing_happens(monkeypatch):
    with leased_devices(1) as mine:
        assert mine == [] and "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with leased_devices(2) as mine:
        assert mine == []


def test_pytorch_without_cuda_leases_none(pool, monkeypatch):
    pool(2)
    monkeypatch.setattr(torch.version, "cuda", None)
    with leased_devices(1) as mine:
        assert mine == []


def test_no_device_wanted_hides_all(pool):
    names = pool(2)
    with leased_devices(0) as mine:
        assert mine == [] and os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(names)


def test_more_than_there_are(pool):
    pool(2)
    message = r"^resources: gpu=3 is requested, but there are 2 \(.*\); request fewer$"
    with pytest.raises(InputError, match=message), leased_devices(3):
        pass


def test_cuda_in_use_is_too_late(pool, monkeypatch):
    pool(1)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(RuntimeError, match="before CUDA is used"), leased_devices(1):
        pass


def test_slurm_jobs_do_not_wait_for_one_another(pool, monkeypatch):
    """Each counts its GPUs from 0, or shares one by SLURM's decision."""
    pool(1)
    with leased_devices(1):
        monkeypatch.setenv("SLURM_JOB_ID", "17")
        with leased_devices(1) as mine:
            assert len(mine) == 1


UUIDS = [f"GPU-{digit * 8}-0000-0000-0000-{secrets.token_hex(6)}" for digit in "abc"]
LISTED = [f"{index}, {uuid}" for index, uuid in enumerate(UUIDS)]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (None, UUIDS),
        ("2,0", [UUIDS[2], UUIDS[0]]),
        (f"{UUIDS[1]}, GPU-cccc", [UUIDS[1], UUIDS[2]]),
        ("0,2,-1,1", [UUIDS[0], UUIDS[2]]),  # the example in CUDA's manual
        ("1,3,2", [UUIDS[1]]),
        ("1,1", [UUIDS[1]]),
        ("GPU-", []),  # could be any
        ("MIG-1234", ["MIG-1234"]),
        ("", []),
        ("NoDevFiles", []),  # what SLURM says where there are none
    ],
    ids=lambda _: "case",  # and a number: what is random would differ between the workers of pytest-xdist
)
def test_names_are_those_of_nvidia_smi(nvidia_smi, monkeypatch, variable, expected):
    nvidia_smi(LISTED)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_devices() == expected


@pytest.mark.parametrize(("variable", "expected"), [("0,1", ["0", "1"]), ("-1", []), ("NoDevFiles", []), ("", [])])
def test_names_without_nvidia_smi(monkeypatch, variable, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_devices() == expected


@pytest.mark.parametrize("lines", [["No devices were found"], []])
def test_nvidia_smi_that_finds_none(nvidia_smi, lines):
    nvidia_smi(lines)
    assert visible_devices() == []


def test_nvidia_smi_that_fails(tmp_path, nvidia_smi):
    assert visible_devices() == []  # its files are missing, so that it ends with 1


def test_device_that_others_use_is_left_to_them(nvidia_smi):
    nvidia_smi(LISTED, [f"{UUIDS[0]}, 4242, /opt/a name, with a comma", f"{UUIDS[1]}, {os.getpid()}, python"])
    with leased_devices(2) as mine:
        assert mine == UUIDS[1:]  # on the second one only this process computes


def test_devices_that_others_use_are_waited_for(nvidia_smi, monkeypatch, caplog):
    busy = [f"{uuid}, 4242, other" for uuid in UUIDS]
    nvidia_smi(LISTED, busy)
    monkeypatch.setattr(devices, "time", SimpleNamespace(sleep=lambda _: nvidia_smi(LISTED, busy[:2])))
    with caplog.at_level(logging.WARNING), leased_devices(1) as mine:
        assert mine == UUIDS[2:]
    (record,) = caplog.records
    states = ", ".join(f"{uuid} is used by process 4242 (other)" for uuid in UUIDS)
    assert record.getMessage() == (
        f"waits for 1 of 3 GPUs: {states}; CUDA_VISIBLE_DEVICES can name those to use anyway"
    )


def test_named_devices_are_taken_though_others_use_them_but_idle_ones_first(nvidia_smi, monkeypatch):
    nvidia_smi(LISTED, [f"{UUIDS[0]}, 4242, other", f"{UUIDS[2]}, 4243, other"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    with leased_devices(1) as mine:
        assert mine == [UUIDS[1]]
    with leased_devices(3) as mine:
        assert mine == [UUIDS[1], UUIDS[0], UUIDS[2]]

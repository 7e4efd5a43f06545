"""Costs of training: clocks are turned by hand where a number is expected, and only asked for their order elsewhere."""

import json
import os
import platform
import resource
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
import torch

from ecgtransfer.train import accounting
from ecgtransfer.train.accounting import (
    Stopwatch,
    device_name,
    how_it_ran,
    measured_peak_flops,
    versions,
)
from ecgtransfer.train.energy import Counter

CPU = torch.device("cpu")
GPU = torch.device("cuda", 0)


@dataclass(frozen=True)
class Epoch:
    seconds: float
    device_seconds: float
    joules: float | None = None


@pytest.fixture
def peak(monkeypatch):
    """Let every device do 1 GFLOP per second."""
    monkeypatch.setattr(accounting, "measured_peak_flops", lambda device, dtype: 10**9)


def burn(seconds):
    """Compute until this thread has had so much of a processor."""
    start = accounting.time.thread_time()
    while accounting.time.thread_time() - start < seconds:
        pass


def test_stopwatch_tells_work_from_waiting():
    with Stopwatch(CPU) as watch:
        accounting.time.sleep(0.1)
        burn(0.05)
    assert watch.seconds >= 0.15
    assert 0.05 <= watch.device_seconds < watch.seconds


def test_device_seconds_are_those_of_all_threads():
    before = sum(os.times()[:2])
    with Stopwatch(CPU) as watch:
        threads = [threading.Thread(target=burn, args=(0.1,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert watch.device_seconds >= 0.3
    assert watch.device_seconds == pytest.approx(sum(os.times()[:2]) - before, abs=0.1)


def test_stopwatch_reads_the_energy_of_its_block(monkeypatch):
    value = [10]
    monkeypatch.setattr(accounting, "energy_counters", lambda device: (Counter(lambda: value[0], 0.5, 100),))
    watch = Stopwatch(CPU)
    value[0] = 20
    with watch:
        value[0] = 26
    value[0] = 30
    assert watch.joules == 3


def test_stopwatch_of_a_block_that_failed_says_nothing():
    watch = Stopwatch(CPU)
    with pytest.raises(ZeroDivisionError), watch:
        raise ZeroDivisionError
    assert (watch.seconds, watch.device_seconds, watch.joules) == (0, 0, None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_memory_is_that_of_the_largest_process_in_bytes(peak, monkeypatch):
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    found = accounting.peak_memory_bytes(CPU)
    assert found == pytest.approx(1024 * max(own, children), rel=0.05)
    larger = {resource.RUSAGE_CHILDREN: SimpleNamespace(ru_maxrss=10**10)}  # of a worker that has ended
    monkeypatch.setattr(resource, "getrusage", larger.get)
    assert accounting.peak_memory_bytes(CPU) == 1024 * 10**10


def test_memory_of_a_gpu_that_only_workers_used_is_unknown(monkeypatch):
    for allocated, expected in {12_345: 12_345, 0: None}.items():
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", {GPU: allocated}.get)
        assert accounting.peak_memory_bytes(GPU) == expected


class FakeCuda:
    """Events of a GPU whose clock is turned by hand, in milliseconds."""

    def __init__(self):
        self.now_ms = 0.0
        self.synchronized = 0

    def event(self, enable_timing):
        assert enable_timing
        event = SimpleNamespace(at=None)
        event.record = lambda stream: setattr(event, "at", self.now_ms) or stream == "stream" or pytest.fail()
        event.elapsed_time = lambda other: other.at - event.at
        event.synchronize = lambda: setattr(self, "synchronized", self.synchronized + 1)
        return event


def test_stopwatch_on_a_gpu(monkeypatch):
    gpu = FakeCuda()
    monkeypatch.setattr(torch.cuda, "Event", gpu.event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "stream" if device == GPU else None)
    monkeypatch.setattr(accounting, "energy_counters", lambda device: (Counter(lambda: int(gpu.now_ms), 1.0, 10**9),))
    gpu.now_ms = 500.0
    with Stopwatch(GPU) as watch:
        gpu.now_ms = 2750.0
    assert gpu.synchronized == 1
    assert (watch.device_seconds, watch.joules) == (2.25, 2250)


def test_metadata_of_two_trainings(peak):
    epochs = [Epoch(2.0, 1.0, 10.0), Epoch(3.0, 1.5, 20.0), Epoch(5.0, 2.5, 30.0)]
    found = how_it_ran(CPU, epochs, 250, 2_000_000)
    assert found["wall_seconds"] == 10 and found["device_seconds"] == 5
    assert found["samples_per_second"] == 25
    assert found["flops_per_sample"] == 6_000_000
    assert found["peak_flops"] == 10**9
    assert found["fraction_of_peak"] == 25 * 6e6 / 1e9
    assert found["energy_joules"] == 60
    assert found["threads"] == torch.get_num_threads()
    assert json.loads(json.dumps(found)) == found
    assert how_it_ran(CPU, epochs, 250, 2_000_000, processes=2)["energy_joules"] == 30


def test_what_is_not_known_is_none(peak):
    found = how_it_ran(CPU, [Epoch(1.0, 1.0, 10.0), Epoch(1.0, 1.0)], 20, None)
    unknown = {"flops_per_sample", "fraction_of_peak", "energy_joules", "peak_memory_bytes"}
    assert {name for name, value in found.items() if value is None} == unknown
    nothing = how_it_ran(CPU, [], 0, 1_000_000)
    assert nothing["wall_seconds"] == 0 and nothing["samples_per_second"] is None


def test_host_is_not_named(peak):
    assert platform.node() not in json.dumps(how_it_ran(CPU, [Epoch(1.0, 1.0)], 1, 1)).split('"')


def test_peak_is_measured_in_the_number_format_of_the_training(monkeypatch):
    monkeypatch.setattr(accounting, "measured_peak_flops", lambda device, dtype: {torch.bfloat16: 7}.get(dtype))
    assert how_it_ran(CPU, [Epoch(1.0, 1.0)], 1, 1, torch.bfloat16)["peak_flops"] == 7


@pytest.fixture
def fresh():
    """Forget what was measured before and after the test."""
    accounting._measured_peak_flops.cache_clear()
    yield
    accounting._measured_peak_flops.cache_clear()


def test_peak_is_arithmetic_by_the_shortest_time(fresh, monkeypatch):
    durations = iter([0.5, 0.25, 0.5, 2.0, 1.0])
    now = [0.0]

    def multiply(a, b, out=None):
        assert a.shape == b.shape == (1024, 1024) and a.dtype == b.dtype == torch.float32
        now[0] += 100.0 if out is None else next(durations)  # the first time does not count
        return torch.empty(0)

    monkeypatch.setattr(torch, "mm", multiply)
    monkeypatch.setattr(accounting, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert measured_peak_flops(CPU) == 2 * 1024**3 / 0.25


def test_peak_is_measured_once_and_leaves_random_numbers_alone(fresh, monkeypatch):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = measured_peak_flops(CPU)
    assert first > 0
    assert torch.equal(torch.get_rng_state(), state)
    monkeypatch.setattr(torch, "mm", lambda *_, **__: pytest.fail("measured again"))
    assert measured_peak_flops(CPU) == first


def test_peak_depends_on_threads(fresh, monkeypatch):
    monkeypatch.setitem(accounting._MATRIX_SIZE, "cpu", 8)
    threads = torch.get_num_threads()
    try:
        for n in (1, 2, 1):
            torch.set_num_threads(n)
            measured_peak_flops(CPU)
    finally:
        torch.set_num_threads(threads)
    assert accounting._measured_peak_flops.cache_info().misses == 2


def test_gpu_without_room_has_no_peak(fresh, peak, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch, "mm", fail)
    assert measured_peak_flops(CPU) is None


def test_names_and_versions():
    assert device_name(CPU)
    found = versions(CPU)
    assert found["python"] == platform.python_version()
    assert (found["torch"], found["numpy"]) == (torch.__version__, numpy.__version__)
    assert f"version: {found['ecg-transfer']}\n" in Path(__file__).parents[3].joinpath("CITATION.cff").read_text()
    assert found.keys() == {"ecg-transfer", "python", "torch", "numpy", "safetensors"}


def test_processor_without_a_model_name(monkeypatch):
    monkeypatch.setattr(accounting, "_field_of", lambda path, name: None)
    assert device_name(CPU) == platform.machine()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_real_gpu(fresh):
    x = torch.randn(4096, 4096, device=GPU)
    with Stopwatch(GPU) as watch:
        for _ in range(100):
            x = torch.tanh(x @ x)
    assert 0 < watch.device_seconds <= watch.seconds
    state = torch.cuda.get_rng_state(GPU)
    found = how_it_ran(GPU, [watch], 10, 10**9, torch.bfloat16)
    assert torch.equal(torch.cuda.get_rng_state(GPU), state)
    assert found["peak_memory_bytes"] >= 2 * x.numel() * 4
    achieved = 100 * 2 * 4096**3 / watch.device_seconds
    assert achieved < 1.2 * measured_peak_flops(GPU, torch.float32)
    assert found["device"] == torch.cuda.get_device_name(GPU) and {"cuda", "cudnn"} <= found["versions"].keys()

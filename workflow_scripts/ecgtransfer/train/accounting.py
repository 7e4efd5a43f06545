"""What training cost: seconds, joules, memory, and how much of what the device can do it used; for ``run.json``."""

import importlib.metadata
import platform
import resource
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import torch

from ecgtransfer.train.energy import EnergyMeter, energy_counters
from ecgtransfer.version import version_of_workflow

PASSES = 3
"""Arithmetic of a training step in forward passes: the backward pass has two products, one for the activations and one
for the weights, where the forward pass has one (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361, section 2.1)."""

_MATRIX_SIZE = {"cpu": 1024, "cuda": 8192}
_REPEATS = 5


class Cost(Protocol):
    """What a `Stopwatch` measured, kept: an epoch of a history."""

    @property
    def seconds(self) -> float:
        """Wall time."""

    @property
    def device_seconds(self) -> float:
        """Time of the device."""

    @property
    def joules(self) -> float | None:
        """Energy; None if unknown."""


class Stopwatch:
    """Measures what a block costs; the values are there once it has ended without an error.

    Parameters
    ----------
    device
        Where the block computes.

    Attributes
    ----------
    seconds
        Wall time; on a GPU, until it has done all the work of the block.
    device_seconds
        On the CPU: processor time of all threads of this process. On a GPU: from the first to the last thing it did,
        by its own clock, pauses included.
    joules
        Energy that the whole device took, other jobs on it included; None where it does not report it.
    """

    seconds = 0.0
    device_seconds = 0.0
    joules: float | None = None

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._energy = EnergyMeter(energy_counters(device))

    def __enter__(self) -> Self:
        self._energy.start()
        self._start = time.perf_counter()
        self._device_clock = _clock_of(self._device)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:  # else the device may be what failed
            self.device_seconds = self._device_clock()
            self.seconds = time.perf_counter() - self._start
            self.joules = self._energy.joules()


def _clock_of(device: torch.device) -> Callable[[], float]:
    """Return a function that returns the device's seconds from now on."""
    if device.type != "cuda":
        start = time.process_time()
        return lambda: time.process_time() - start
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.current_stream(device)
    first.record(stream)

    def elapsed() -> float:
        last.record(stream)
        last.synchronize()
        return float(first.elapsed_time(last)) / 1000

    return elapsed


def how_it_ran(
    device: torch.device,
    epochs: Sequence[Cost],
    n_records_trained: int,
    forward_flops: int | None,
    dtype: torch.dtype = torch.float32,
    processes: int = 1,
    memory: int | None = None,
) -> dict[str, Any]:
    """Return what goes into ``run.json`` on the cost of a training, or of several of the same kind.

    To be called after them in the process that ran or started them. A training that was killed and resumed counts with
    the epochs of all its parts, and one of an earlier run with its own; device and versions are those of this process.

    Parameters
    ----------
    device
        Where they ran.
    epochs
        What each epoch of each training cost.
    n_records_trained
        Records that passed through the device to train on, each counted every time.
    forward_flops
        Of one record, a multiplication and an addition counted as two. None if unknown.
    dtype
        In which matrices were multiplied.
    processes
        How many of the trainings ran at a time.
    memory
        The most that any of them took, in bytes.

    Returns
    -------
    dict
        ``wall_seconds``, ``device_seconds``
            Summed over all epochs, validation included. Trainings side by side took less together.
        ``samples_per_second``
            Records trained by wall time, of one training.
        ``flops_per_sample``
            Of the forward and the backward pass.
        ``peak_flops``
            What the device does per second, see `measured_peak_flops`.
        ``fraction_of_peak``
            Of that, what one training used.
        ``peak_memory_bytes``
            On the CPU, the resident set of the largest process; on a GPU, the tensors of this one.
        ``energy_joules``
            What trainings side by side counted each is counted once.
        ``device``, ``threads``, ``versions``
            The model of the device, threads per training, and versions of Python and its packages.

        None means not known.
    """
    wall = sum(epoch.seconds for epoch in epochs)
    joules = [epoch.joules for epoch in epochs if epoch.joules is not None]
    speed = n_records_trained / wall if wall else None
    flops = None if forward_flops is None else PASSES * forward_flops
    peak = measured_peak_flops(device, dtype)
    used = None if speed is None or flops is None or peak is None else speed * flops / peak
    return {
        "wall_seconds": round(wall, 3),
        "device_seconds": round(sum(epoch.device_seconds for epoch in epochs), 3),
        "samples_per_second": None if speed is None else round(speed, 2),
        "flops_per_sample": flops,
        "peak_flops": peak,
        "fraction_of_peak": None if used is None else round(used, 5),
        "peak_memory_bytes": memory,
        "energy_joules": round(sum(joules) / processes, 3) if joules and len(joules) == len(epochs) else None,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "versions": versions(device),
    }


def measured_peak_flops(device: torch.device, dtype: torch.dtype = torch.float32) -> int | None:
    """Return the arithmetic of the fastest of some multiplications of two large square matrices, in FLOP per second.

    On the CPU with as many threads as torch has now. It is measured once per process, in about 0.1 s, and leaves
    torch's random numbers as they are. None if a GPU has no room left for the matrices.
    """
    return _measured_peak_flops(device, dtype, torch.get_num_threads())


@cache
def _measured_peak_flops(device: torch.device, dtype: torch.dtype, _threads: int) -> int | None:
    size = _MATRIX_SIZE[device.type]
    generator = torch.Generator(device).manual_seed(0)
    clock_of = _clock_of if device.type == "cuda" else _wall_clock
    try:  # not with constants: GPUs multiply them at a higher clock
        a, b = (torch.randn(size, size, generator=generator, device=device, dtype=dtype) for _ in range(2))
        product = torch.mm(a, b)
        seconds = []
        for _ in range(_REPEATS):
            elapsed = clock_of(device)
            torch.mm(a, b, out=product)
            seconds.append(elapsed())
    except torch.OutOfMemoryError:
        return None
    return round(2 * size**3 / min(seconds))


def _wall_clock(_device: torch.device) -> Callable[[], float]:
    start = time.perf_counter()
    return lambda: time.perf_counter() - start


def peak_memory_bytes(device: torch.device) -> int | None:
    """Return the most memory so far; of a GPU that only other processes have used, it is unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) or None
    own = _field_of(Path("/proc/self/status"), "VmHWM")  # unlike ru_maxrss, not that of a program that started this one
    if own is None:
        return None
    return 1024 * max(int(own.removesuffix(" kB")), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def device_name(device: torch.device) -> str:
    """Return the model of a GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _field_of(Path("/proc/cpuinfo"), "model name") or platform.machine()


def _field_of(path: Path, name: str) -> str | None:
    """Return the first value of ``name: value`` in one of Linux's process files; None where there is none."""
    if not path.exists():
        return None
    fields = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    return next((value.strip() for field, _, value in fields if field.strip() == name), None)


def versions(device: torch.device) -> dict[str, str]:
    """Return the versions of what computes."""
    found = {"ecg-transfer": version_of_workflow(), "python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in ("torch", "numpy", "safetensors")}
    if device.type == "cuda":
        cudnn = torch.backends.cudnn.version()
        found |= {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
    return found

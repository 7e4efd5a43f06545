"""The energy that a device takes, from the counters of the hardware.

NVIDIA GPUs from Volta on count millijoules (NVML's ``nvmlDeviceGetTotalEnergyConsumption``); processors of Intel and
AMD count microjoules per package (Linux's powercap class, driver intel-rapl), which most systems let only root read.
Counters are of the whole device: they count what other jobs do on it at the same time, too.
"""

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Counter:
    """A counter of energy.

    Attributes
    ----------
    read
        Returns its value, or raises OSError.
    joules
        Per unit of the value.
    size
        It starts again at 0 after that many units.
    """

    read: Callable[[], int]
    joules: float
    size: int


class EnergyMeter:
    """The energy of some devices since `start`, which is called when the meter is made, too.

    Parameters
    ----------
    counters
        See `energy_counters`; a meter without any knows nothing.
    """

    def __init__(self, counters: Sequence[Counter]) -> None:
        self._counters = counters
        self.start()

    def start(self) -> None:
        """Begin at 0 joules."""
        self._at_start = self._values()

    def joules(self) -> float | None:
        """Return the energy since `start`; None if a device does not report it.

        A counter that wrapped around more than once in the meantime shows too little. A processor's does after an hour
        or so, hence: read once per epoch.
        """
        now = self._values()
        if not now or not self._at_start:
            return None
        rows = zip(self._counters, now, self._at_start, strict=True)
        return sum((after - before) % counter.size * counter.joules for counter, after, before in rows)

    def _values(self) -> list[int] | None:
        try:
            return [counter.read() for counter in self._counters]
        except OSError:
            return None


@cache
def energy_counters(device: torch.device) -> tuple[Counter, ...]:
    """Return what counts the energy of a device: of a GPU, or of all processors; nothing where nothing does."""
    if device.type == "cuda":
        return nvml_counters(_name_of_gpu(device))
    return rapl_counters(POWERCAP)


def rapl_counters(folder: Path) -> tuple[Counter, ...]:
    """Return one counter per processor package in a folder as /sys/class/powercap.

    Their parts (``core``, ``dram``), which are counted there or lie elsewhere, are left out, and so is ``psys``.
    """
    try:
        zones = [zone for zone in sorted(folder.glob("intel-rapl:*")) if _text(zone / "name").startswith("package-")]
        sizes = [int(_text(zone / "max_energy_range_uj")) for zone in zones]
    except OSError:
        return ()
    return tuple(Counter(_reader(zone / "energy_uj"), 1e-6, size) for zone, size in zip(zones, sizes, strict=True))


def _reader(path: Path) -> Callable[[], int]:
    return lambda: int(_text(path))


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


def nvml_counters(name: str, library: Any = None) -> tuple[Counter, ...]:
    """Return the counter of a GPU, or nothing where it has none or NVML is missing.

    Parameters
    ----------
    name
        UUID (``GPU-...``) or index, as nvidia-smi shows them.
    library
        NVML, as ctypes loads it.
    """
    handle, value = ctypes.c_void_p(), ctypes.c_ulonglong()
    try:
        library = library or ctypes.CDLL("libnvidia-ml.so.1")
        energy_of = library.nvmlDeviceGetTotalEnergyConsumption
        _check(library.nvmlInit_v2())
        if name.isdecimal():
            _check(library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(name)), ctypes.byref(handle)))
        else:
            _check(library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle)))
    except (OSError, AttributeError):  # no library, an old one, or no such GPU
        return ()

    def read() -> int:
        _check(energy_of(handle, ctypes.byref(value)))
        return value.value

    return (Counter(read, 1e-3, 2**64),)


def _check(status: int) -> None:
    if status != 0:  # NVML_SUCCESS
        raise OSError(f"NVML error {status}")


def _name_of_gpu(device: torch.device) -> str:
    """Return UUID or index of a GPU: torch counts those that ``CUDA_VISIBLE_DEVICES`` lists."""
    index = torch.cuda.current_device() if device.index is None else device.index
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return str(index) if visible is None else visible.split(",")[index].strip()

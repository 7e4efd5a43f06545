"""Energy from counters that the tests turn: files as in Linux's powercap class, and functions in place of NVML's."""

import ctypes
from types import SimpleNamespace

import pytest
import torch

from ecgtransfer.train import energy
from ecgtransfer.train.energy import Counter, EnergyMeter, energy_counters, nvml_counters, rapl_counters

RANGE = 262_143_328_850  # of an Intel package, in microjoules


def write_zone(folder, zone, name, microjoules, size=RANGE):
    (folder / zone).mkdir(exist_ok=True)
    (folder / zone / "name").write_text(f"{name}\n")
    (folder / zone / "max_energy_range_uj").write_text(f"{size}\n")
    (folder / zone / "energy_uj").write_text(f"{microjoules}\n")


@pytest.fixture
def powercap(tmp_path):
    """Make the folder of a machine with two processors, with all that must not be counted, too."""
    (tmp_path / "intel-rapl").mkdir()
    write_zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    write_zone(tmp_path, "intel-rapl:1", "package-1", 5_000_000)
    write_zone(tmp_path, "intel-rapl:0:0", "core", 10)
    write_zone(tmp_path, "intel-rapl:0:1", "dram", 20)
    write_zone(tmp_path, "intel-rapl:2", "psys", 30)
    write_zone(tmp_path, "intel-rapl-mmio:0", "package-0", 40)  # the same package, by another driver
    return tmp_path


def test_packages_are_added_up_and_nothing_else(powercap):
    meter = EnergyMeter(rapl_counters(powercap))
    assert meter.joules() == 0
    write_zone(powercap, "intel-rapl:0", "package-0", 3_500_000)
    write_zone(powercap, "intel-rapl:1", "package-1", 5_250_000)
    for zone, name in {"0:0": "core", "0:1": "dram", "2": "psys"}.items():
        write_zone(powercap, f"intel-rapl:{zone}", name, 9_000_000)
    write_zone(powercap, "intel-rapl-mmio:0", "package-0", 9_000_000)
    assert meter.joules() == pytest.approx(2.5 + 0.25)
    meter.start()
    write_zone(powercap, "intel-rapl:1", "package-1", 5_250_001)
    assert meter.joules() == pytest.approx(1e-6)


def test_counter_that_starts_again(powercap):
    write_zone(powercap, "intel-rapl:0", "package-0", RANGE - 2_000_000)
    meter = EnergyMeter(rapl_counters(powercap))
    write_zone(powercap, "intel-rapl:0", "package-0", 1_000_000)
    assert meter.joules() == pytest.approx(3)


def test_processor_that_only_root_may_ask(powercap, monkeypatch):
    def refuse(path):
        if path.name == "energy_uj":
            raise PermissionError(path)
        return read(path)

    read = energy._text
    monkeypatch.setattr(energy, "_text", refuse)
    assert len(rapl_counters(powercap)) == 2
    assert EnergyMeter(rapl_counters(powercap)).joules() is None


def test_one_processor_that_does_not_tell_leaves_the_sum_unknown(powercap):
    meter = EnergyMeter(rapl_counters(powercap))
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    assert meter.joules() is None


def test_machine_without_counters(tmp_path):
    assert rapl_counters(tmp_path) == () == rapl_counters(tmp_path / "missing")
    assert EnergyMeter(()).joules() is None


def test_energy_of_this_machine_is_known_or_not():
    joules = EnergyMeter(energy_counters(torch.device("cpu"))).joules()
    assert joules is None or joules >= 0


HANDLES = ctypes.POINTER(ctypes.c_void_p)


class Nvml:
    """NVML of a machine with two GPUs, called through ctypes: arguments arrive as a C function would get them."""

    def __init__(self, energy_status=0):
        self.millijoules = {1000: 2**53 + 1, 1001: 7}  # by handle
        self.asked = []
        self.nvmlInit_v2 = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0)
        by_uuid = {b"GPU-aaaa": 1000, b"GPU-bbbb": 1001}

        def handle_of(handle, out):
            if handle is None:
                return 6  # NVML_ERROR_NOT_FOUND
            out[0] = handle
            return 0

        self.nvmlDeviceGetHandleByUUID = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, HANDLES)(
            lambda uuid, out: handle_of(by_uuid.get(uuid), out)
        )
        self.nvmlDeviceGetHandleByIndex_v2 = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, HANDLES)(
            lambda index, out: handle_of({0: 1000, 1: 1001}.get(index), out)
        )

        def energy_of(handle, out):
            out[0] = self.millijoules[handle]
            return energy_status

        self.nvmlDeviceGetTotalEnergyConsumption = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_ulonglong)
        )(energy_of)


@pytest.mark.parametrize(("name", "handle"), [("GPU-aaaa", 1000), ("GPU-bbbb", 1001), ("0", 1000), ("1", 1001)])
def test_gpu_is_found_by_uuid_and_by_index(name, handle):
    nvml = Nvml()
    meter = EnergyMeter(nvml_counters(name, nvml))
    nvml.millijoules[handle] += 12_345
    assert meter.joules() == pytest.approx(12.345)
    for other in nvml.millijoules.keys() - {handle}:
        nvml.millijoules[other] += 99
    assert meter.joules() == pytest.approx(12.345)


@pytest.mark.parametrize("name", ["GPU-cccc", "2", "MIG-1"])
def test_unknown_gpu(name):
    assert nvml_counters(name, Nvml()) == ()


def test_gpu_that_does_not_count():
    counters = nvml_counters("0", Nvml(energy_status=3))  # NVML_ERROR_NOT_SUPPORTED
    assert EnergyMeter(counters).joules() is None


def test_machine_without_nvml(monkeypatch):
    def fail(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(energy.ctypes, "CDLL", fail)
    assert nvml_counters("0") == ()


def test_old_nvml_without_the_function():
    assert nvml_counters("0", SimpleNamespace(nvmlInit_v2=lambda: 0)) == ()


@pytest.mark.parametrize(
    ("variable", "device", "expected"),
    [
        (None, torch.device("cuda", 1), "1"),
        ("GPU-aaaa, GPU-bbbb", torch.device("cuda", 1), "GPU-bbbb"),
        ("3,2", torch.device("cuda", 0), "3"),
        ("3,2", torch.device("cuda"), "2"),  # the current device, here 1
    ],
)
def test_gpu_is_named_as_cuda_counts_it(monkeypatch, variable, device, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    asked = []
    monkeypatch.setattr(energy, "nvml_counters", lambda name: asked.append(name) or ())
    energy_counters.__wrapped__(device)
    assert asked == [expected]


def test_each_device_is_looked_up_once(monkeypatch):
    calls = []
    monkeypatch.setattr(energy, "rapl_counters", lambda folder: calls.append(folder) or (Counter(lambda: 0, 1.0, 1),))
    energy_counters.cache_clear()
    try:
        assert energy_counters(torch.device("cpu")) is energy_counters(torch.device("cpu"))
    finally:
        energy_counters.cache_clear()
    assert len(calls) == 1

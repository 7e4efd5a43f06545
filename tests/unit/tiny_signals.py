"""Settings, signals and small WFDB records for the tests of preparation."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from changed_section import changed

from ecgtransfer.config.signals import BandPass, ImplausibleGain, Signals
from ecgtransfer.kernels.filters import filter_and_resample
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare import signals as module

SETTINGS = Signals(
    sampling_rate_hz=100,
    duration_s=5,
    band_pass=BandPass(low_hz=0.5, high_hz=40, order=3, edge_s=1.0),
    max_flat_leads=6,
    max_nan_fraction=0.2,
    implausible_gain=ImplausibleGain(ratio=4.0, action="flag"),
)
STEPS = 0.51
"""Half a step for rounding, and room for a filter in float32."""

Signal = npt.NDArray[np.float64]


def recording(seconds: float = 8.0, rate: int = 500, seed: int = 0) -> Signal:
    """Return twelve leads of tones and noise in mV."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tones = rng.uniform(0.1, 0.5, (12, 3)) @ np.sin(2 * np.pi * np.array([[2.0], [7.0], [15.0]]) * time)
    return np.asarray(tones + 0.01 * rng.standard_normal(tones.shape))


def write_records(
    folder: Path, signals: list[Signal], rate: int = 500, gains: list[str] | None = None, leads: tuple[str, ...] = LEADS
) -> pd.DataFrame:
    """Write signals as WFDB records of 1 µV per step, whatever their headers say, and return them described."""
    rows = []
    for number, signal in enumerate(signals, start=1):
        name = f"{number:03d}"
        gain = gains[number - 1] if gains else "1000(0)/mV"
        np.rint(signal.T * 1000).astype("<i2").tofile(folder / f"{name}.dat")
        lines = [f"{name}.dat 16 {gain} 16 0 0 0 0 {lead}" for lead in leads]
        (folder / f"{name}.hea").write_text("\n".join([f"{name} {len(leads)} {rate} {signal.shape[1]}", *lines]))
        rows.append((name, f"{name}.hea", rate, signal.shape[1], "", ""))
    return pd.DataFrame(rows, columns=list(module.COLUMNS_READ))


def as_read(signal: Signal) -> npt.NDArray[np.float32]:
    """Return what is read of a signal behind `write_records`, to the last bit."""
    return np.asarray(np.rint(signal * 1000).astype(np.float32) * np.float32(0.001))


def in_microvolts(signal: Signal, rate: float = 500, **settings: Any) -> Signal:
    """Return what float64 filters make of a signal."""
    return np.asarray(1000 * filter_and_resample(signal, rate, changed(SETTINGS, settings)))

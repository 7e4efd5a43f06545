"""From files to the int16 array: our `prepare_signals` against the same recipe in plain wfdb and scipy."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pandas as pd
import wfdb
import yaml
from scipy.signal import butter, resample_poly, sosfiltfilt

from benchmarks import REPOSITORY
from benchmarks.measure import Result, interleaved
from benchmarks.recordings import write_ptbxl
from ecgtransfer.prepare.signals import prepare_signals

N_RECORDS = 100
REPEATS = 9
RATE_HZ = 500
TARGET_RATE_HZ = 100
DURATION_S = 10
LOW_HZ, HIGH_HZ, ORDER, EDGE_S = 0.5, 40, 3, 1.0
TOLERANCE_MV = 0.0021
"""A faster filter may round differently, by no more than two steps of 1 µV."""


def measure() -> list[Result]:
    """Return ``prepare_vs_reference``: how many times more records per second, reading and writing included."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        headers = write_ptbxl(N_RECORDS, folder / "data")
        records = pd.DataFrame({"record_id": headers, "path": headers, "sampling_rate_hz": RATE_HZ})
        settings = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())["signals"] | {
            "sampling_rate_hz": TARGET_RATE_HZ,
            "duration_s": DURATION_S,
            "band_pass": {"low_hz": LOW_HZ, "high_hz": HIGH_HZ, "order": ORDER, "edge_s": EDGE_S},
        }
        times = interleaved(
            lambda: prepare_signals(records, folder / "data", settings, folder / "ours.npy"),
            lambda: _prepare_plainly([folder / "data" / path for path in headers], folder / "plain.npy"),
            REPEATS,
        )
        steps = [np.load(folder / file).astype(float) for file in ("ours.npy", "plain.npy")]
        np.testing.assert_allclose(steps[0] / 1000, steps[1] / 1000, rtol=0, atol=TOLERANCE_MV)
    return [Result("prepare_vs_reference", times.second_to_first, "x", 10)]


def _prepare_plainly(headers: list[Path], array_path: Path) -> None:
    """Do what a script without this workflow would do, with the recipe's filter and edges."""
    sections = butter(ORDER, (LOW_HZ, HIGH_HZ), btype="bandpass", fs=RATE_HZ, output="sos")
    edge = round(EDGE_S * RATE_HZ)
    prepared: list[npt.NDArray[np.int16]] = []
    for path in headers:
        signal = wfdb.rdrecord(str(path.with_suffix(""))).p_signal
        filtered = sosfiltfilt(sections, signal, axis=0, padlen=edge)
        resampled = resample_poly(filtered, TARGET_RATE_HZ, RATE_HZ, axis=0, padtype="line")
        prepared.append(np.rint(1000 * resampled.T).astype(np.int16))
    np.save(array_path, np.stack(prepared))

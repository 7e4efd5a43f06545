"""What `bench_preparation` compares with: the same preparation as other tools do it, in an environment of their own.

Run by the Python of ``.venv/peers`` with the folder of the recordings and a file to write to; it then prepares all
recordings once for every name of a tool on its standard input, and answers with the seconds that took.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import wfdb
from scipy.signal import butter, resample_poly, sosfiltfilt

RATE_HZ, TARGET_RATE_HZ = 500, 100
LOW_HZ, HIGH_HZ, ORDER, EDGE_S = 0.5, 47.0, 3, 1.0

Prepare = Callable[[Any], Any]
"""From (12, samples) in mV at RATE_HZ to the same at TARGET_RATE_HZ."""


def with_scipy() -> Prepare:
    """Return the filter and resampling of a plain script."""
    sections = butter(ORDER, (LOW_HZ, HIGH_HZ), btype="bandpass", fs=RATE_HZ, output="sos")

    def prepare(signal: Any) -> Any:
        filtered = sosfiltfilt(sections, signal, axis=1, padlen=round(EDGE_S * RATE_HZ))
        return resample_poly(filtered, TARGET_RATE_HZ, RATE_HZ, axis=1, padtype="line")

    return prepare


def with_torch_ecg() -> Prepare:
    """Return the preprocessors of torch_ecg, in the order that its configuration has: resample, then band-pass."""
    from torch_ecg._preprocessors import PreprocManager  # type: ignore[import-not-found]
    from torch_ecg.cfg import CFG  # type: ignore[import-not-found]

    manager = PreprocManager.from_config(
        CFG(
            random=False,
            resample={"fs": TARGET_RATE_HZ},
            bandpass={"lowcut": LOW_HZ, "highcut": HIGH_HZ, "filter_type": "butter", "filter_order": ORDER},
        )
    )
    return lambda signal: manager(signal, RATE_HZ)[0]


def with_neurokit2() -> Prepare:
    """Return the functions of neurokit2, lead by lead, as it takes one signal at a time."""
    import neurokit2  # type: ignore[import-not-found]

    def prepare(signal: Any) -> Any:
        leads = []
        for lead in signal:
            filtered = neurokit2.signal_filter(
                lead, sampling_rate=RATE_HZ, lowcut=LOW_HZ, highcut=HIGH_HZ, method="butterworth", order=ORDER
            )
            leads.append(
                neurokit2.signal_resample(
                    filtered, sampling_rate=RATE_HZ, desired_sampling_rate=TARGET_RATE_HZ, method="poly"
                )
            )
        return np.stack(leads)

    return prepare


TOOLS = {"wfdb_scipy": with_scipy, "torch_ecg": with_torch_ecg, "neurokit2": with_neurokit2}


def main(folder: Path, array_path: Path) -> None:
    """Answer every line with the seconds that the tool named in it took for all recordings."""
    records = [str(path.with_suffix("")) for path in sorted(folder.rglob("*.hea"))]
    prepares: dict[str, Prepare] = {}
    for line in sys.stdin:
        name = line.strip()
        prepare = prepares.setdefault(name, TOOLS[name]()) if name not in prepares else prepares[name]
        array_path.unlink(missing_ok=True)
        start = perf_counter()
        prepared = [np.rint(1000 * prepare(wfdb.rdrecord(record).p_signal.T)).astype(np.int16) for record in records]
        np.save(array_path, np.stack(prepared))
        print(perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Preparation from recordings on disk to int16 on disk: read, 0.5-47 Hz without delay, 500 to 100 Hz, write.

Against other tools on the same recordings, each on one core; one core against two; and the memory for as many
recordings as the largest public data set has.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import butter, resample_poly, sosfiltfilt

from benchmarks import REPOSITORY
from benchmarks.measure import Result, interleaved
from benchmarks.peers import EDGE_S, HIGH_HZ, LOW_HZ, ORDER, RATE_HZ, TARGET_RATE_HZ, TOOLS
from benchmarks.recordings import write_ptbxl
from ecgtransfer.config.signals import BandPass, Signals
from ecgtransfer.kernels.block_filters import block_filter
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.signals import prepare_signals

N_RECORDS = 200
TIMES = 5
"""How often ours prepares them in one turn: some milliseconds go by once for a data set, which has thousands."""
REPEATS = 7
SLOW_REPEATS = 1
"""Turns of a tool that is far slower than the best of the others."""
TWO_CORE_RECORDS = 8000
LARGE_CORPUS = 345_000  # CODE-15% has 345,779
PEERS_PYTHON = REPOSITORY / ".venv/peers/bin/python"
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def measure() -> list[Result]:
    """Return how many times the records per second of other tools, of one core, the error and the peak memory."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        headers = write_ptbxl(N_RECORDS, folder / "data")
        return [
            *_against_peers(headers, folder),
            Result("prepare_relative_rms_ppm", _relative_rms(headers, folder) * 1e6, "ppm", 1000, at_most=True),
            Result("prepare_two_cores_vs_one", _two_cores_vs_one(headers, folder), "x", 1.7),
            Result("prepare_peak_mb_345k", _peak_mb(headers, folder), "MB", 2000, at_most=True),
        ]


def _settings(sampling_rate_hz: int = TARGET_RATE_HZ, duration_s: float = 10, high_hz: float = HIGH_HZ) -> Signals:
    band = BandPass(low_hz=LOW_HZ, high_hz=high_hz, order=ORDER, edge_s=EDGE_S)
    return Signals(sampling_rate_hz=sampling_rate_hz, duration_s=duration_s, band_pass=band)


def _described(headers: list[str], n_records: int) -> pd.DataFrame:
    """Return a table of so many records, the recordings on disk over and over."""
    paths = [headers[i % len(headers)] for i in range(n_records)]
    ids = [str(i) for i in range(n_records)]
    return pd.DataFrame(
        {
            "record_id": ids,
            "path": paths,
            "sampling_rate_hz": float(RATE_HZ),
            "n_samples": 5000,
            "unit": "",
            "leads": "",
        }
    )


def _against_peers(headers: list[str], folder: Path) -> list[Result]:
    """Return the ratio of each tool's seconds to ours, taken in turn, and that of the fastest tool."""
    described, settings = _described(headers, TIMES * N_RECORDS), _settings()

    def ours() -> float:
        (folder / "ours.npy").unlink(missing_ok=True)
        start = perf_counter()
        prepare_signals(described, folder / "data", settings, folder / "ours.npy", 1)
        return (perf_counter() - start) / TIMES

    ratios = {}
    with _peers(folder) as ask:
        ours()
        for tool in TOOLS:
            turns, slowest = [], ask(tool)  # the first turn imports and warms up
            repeats = REPEATS if slowest < 4 else SLOW_REPEATS
            for _ in range(repeats):
                mine = ours()
                turns.append(ask(tool) / mine)
            ratios[tool] = median(turns)
    results = [Result(f"prepare_vs_{tool}", ratio, "x", 10) for tool, ratio in ratios.items()]
    return [Result("prepare_vs_best_peer", min(ratios.values()), "x", 10), *results]


@contextmanager
def _peers(folder: Path) -> Iterator[Any]:
    """Yield a function that lets a tool prepare all recordings and returns the seconds that it took."""
    command = [str(PEERS_PYTHON), "-m", "benchmarks.peers", str(folder / "data"), str(folder / "peer.npy")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | _ONE_THREAD, cwd=REPOSITORY
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(tool: str) -> float:
            print(tool, file=process.stdin, flush=True)
            return float(process.stdout.readline())  # type: ignore[union-attr]

        yield ask
        process.stdin.close()


def _relative_rms(headers: list[str], folder: Path) -> float:
    """Return the error of the fast filter against scipy in float64, before quantising, over all recordings."""
    sections = butter(ORDER, (LOW_HZ, HIGH_HZ), btype="bandpass", fs=RATE_HZ, output="sos")
    error = power = 0.0
    for path in headers:
        signal = read_recording(folder / "data", path)
        fast = block_filter(RATE_HZ, signal.shape[1], _settings())(signal)
        filtered = sosfiltfilt(sections, signal.astype(np.float64), axis=1, padlen=round(EDGE_S * RATE_HZ))
        exact = resample_poly(filtered, TARGET_RATE_HZ, RATE_HZ, axis=1, padtype="line")
        error += float(np.sum((fast - exact) ** 2))
        power += float(np.sum(exact**2))
    return float(np.sqrt(error / power))


def _two_cores_vs_one(headers: list[str], folder: Path) -> float:
    described, settings = _described(headers, TWO_CORE_RECORDS), _settings()
    times = interleaved(
        lambda: prepare_signals(described, folder / "data", settings, folder / "two.npy", 2),
        lambda: prepare_signals(described, folder / "data", settings, folder / "one.npy", 1),
        REPEATS,
    )
    return times.second_to_first


def _peak_mb(headers: list[str], folder: Path) -> float:
    """Return the largest resident memory of all processes that prepare a large corpus, at 50 Hz to spare the disk."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from benchmarks.bench_preparation import prepare_large\n"
        "prepare_large(Path(sys.argv[1]))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script, folder], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    return float(printed.split()[-1])


def prepare_large(folder: Path) -> None:
    """Prepare the recordings below `folder` again and again, and print the peak memory of all processes in MB."""
    headers = [str(path.relative_to(folder / "data")) for path in sorted((folder / "data").rglob("*.hea"))]
    settings = _settings(sampling_rate_hz=50, duration_s=5, high_hz=20.0)
    n_workers = 2
    quality = prepare_signals(
        _described(headers, LARGE_CORPUS), folder / "data", settings, folder / "large.npy", n_workers
    )
    assert len(quality) == LARGE_CORPUS
    of_this = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest of them
    print((of_this + n_workers * of_children) / 1024)

"""The leakage audit of an archive of 90,000 recordings: seconds, memory, and what it finds."""

import os
import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.measure import LEAST_REPEATS, Result
from ecgtransfer.acquire.simulate import simulate_corpus
from ecgtransfer.audit.duplicates import AuditedDataset, find_duplicates
from ecgtransfer.audit.fingerprints import Fingerprints, fingerprint_signals

N_RECORDS = 90_000
N_COPIES = 600
RATE_HZ = 100
N_SAMPLES = 1000
N_HEARTS = 400
AT_ONCE = 500
SHIFTS_S = (0.0, 0.37, 1.7, 4.2, 6.0)
INDEPENDENT = [0, 1, 6, 7, 8, 9, 10, 11]


def measure() -> list[Result]:
    """Return time and peak memory of fingerprints and search together, recall of planted copies, and false pairs.

    Copies overlap with their originals by 4 to 10 s, have another gain, noise of their own, and some end in padding.
    """
    with TemporaryDirectory() as name:
        planted = write_archive(Path(name) / "archive.npy", N_RECORDS, N_COPIES)
        times, peaks = [], []
        for _ in range(LEAST_REPEATS):
            # Memory counts from the start of a process, and this one has made the archive.
            with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
                seconds, peak_mb, found = process.submit(audit, Path(name)).result()
            times.append(seconds)
            peaks.append(peak_mb)
    return [
        Result("audit_90k_s", median(times), "s", 60, at_most=True),
        Result("audit_90k_peak_mb", max(peaks), "MB", 2000, at_most=True),
        Result("audit_90k_recall", len(found & planted) / len(planted), "share", 0.95),
        Result("audit_90k_false_pairs", len(found - planted), "pairs", 0, at_most=True),
    ]


def audit(folder: Path) -> tuple[float, float, set[tuple[int, int]]]:
    """Return seconds, peak memory in MB and pairs of rows of the archive in `folder`, with files as the rules have."""
    start = perf_counter()
    archive, saved = folder / "archive.npy", folder / "archive.npz"
    fingerprint_signals(archive, RATE_HZ).save(saved)
    prints = Fingerprints.load(saved)
    rows = [str(row) for row in range(len(prints))]
    dataset = AuditedDataset("archive", prints, archive, rows, np.ones(len(rows), dtype=bool))
    pairs: pd.DataFrame = find_duplicates([dataset], n_workers=os.cpu_count() or 1)
    seconds = perf_counter() - start
    found = {(int(a), int(b)) for a, b in zip(pairs["record_a"], pairs["record_b"], strict=True)}
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found


def write_archive(path: Path, n_records: int, n_copies: int) -> set[tuple[int, int]]:
    """Write an array of recordings, the last of them copies of others, and return which rows are copies of which."""
    rng = np.random.default_rng(1)
    hearts = _hearts()
    shape = (n_records, 12, N_SAMPLES)
    originals = rng.choice(n_records - n_copies, n_copies, replace=False)
    place_of = {int(row): i for i, row in enumerate(originals)}
    copied = np.empty((n_copies, 12, N_SAMPLES), dtype=np.int16)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i2", "fortran_order": False, "shape": shape})
        for first in range(0, n_records - n_copies, AT_ONCE):
            rows = _recordings(hearts, min(AT_ONCE, n_records - n_copies - first), rng)
            for row in place_of.keys() & set(range(first, first + len(rows))):
                copied[place_of[row]] = rows[row - first]
            rows.tofile(file)
        others = _recordings(hearts, n_copies, rng)
        for i in range(n_copies):
            shift = round(SHIFTS_S[i % len(SHIFTS_S)] * RATE_HZ)
            copied[i] = _copy(copied[i], shift, padded=i % 2 == 0, other=others[i], rng=rng)
        copied.tofile(file)
    return {(int(row), n_records - n_copies + i) for i, row in enumerate(originals)}


def _hearts() -> npt.NDArray[np.float32]:
    """Return simulated recordings of 20 s, 8 independent leads, µV."""
    settings = {
        "layout": "challenge-2021", "n_patients": N_HEARTS, "duration_s": 20, "sampling_rate_hz": RATE_HZ, "noise": 2,
    }  # fmt: skip
    return np.stack([1000 * record.signal[INDEPENDENT] for record in simulate_corpus("audit", settings, 1)])


def _recordings(hearts: npt.NDArray[np.float32], n: int, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Return recordings of hearts that are turned, faster or slower than those given, and breathe."""
    rows = np.empty((n, 12, N_SAMPLES), dtype=np.int16)
    time = np.arange(N_SAMPLES, dtype=np.float32)
    for row in rows:
        pace = rng.uniform(0.8, 1.25)
        at = rng.uniform(0, hearts.shape[2] - 2 - pace * N_SAMPLES) + pace * time
        before = at.astype(np.int64)
        after = (at - before).astype(np.float32)
        heart = hearts[rng.integers(len(hearts))]
        turned = (np.eye(8) + 0.25 * rng.standard_normal((8, 8))).astype(np.float32)
        breath = np.sin(2 * np.pi * rng.uniform(0.15, 0.4) / RATE_HZ * time + rng.uniform(0, 6.28, (8, 1)))
        leads = turned @ (heart[:, before] * (1 - after) + heart[:, before + 1] * after)
        leads += (0.1 * breath.astype(np.float32)) * leads[::-1]
        leads += rng.standard_normal((8, N_SAMPLES), dtype=np.float32) * np.float32(rng.uniform(2, 8))
        row[:] = _twelve(leads)
    return rows


def _twelve(leads: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    first, second = leads[:2]
    limb = [first, second, second - first, -(first + second) / 2, first - second / 2, second - first / 2]
    return _steps(np.concatenate([np.stack(limb), leads[2:]]))


def _copy(
    original: npt.NDArray[np.int16], shift: int, padded: bool, other: npt.NDArray[np.int16], rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """Return a window that begins `shift` samples later; where the original ends, zeros or another recording follow."""
    window = np.zeros(original.shape)
    window[:, : N_SAMPLES - shift] = original[:, shift:]
    if not padded:
        window[:, N_SAMPLES - shift :] = other[:, :shift]
    window = rng.choice([0.2, 1.0, 1.0, 5.0]) * (window + rng.normal(0, 5, window.shape) * (window != 0))
    return _steps(window)


def _steps(signal: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
    steps: npt.NDArray[np.int16] = np.rint(signal).clip(-32767, 32767).astype(np.int16)
    return steps

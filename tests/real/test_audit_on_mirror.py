"""The audit on real recordings: what overlaps is found, copies of every kind too, and nothing else."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from changed_section import changed
from scipy.signal import butter, resample_poly, sosfiltfilt

from ecgtransfer.audit.duplicates import AuditedDataset, find_duplicates, find_overlaps
from ecgtransfer.audit.fingerprints import fingerprint_signals
from ecgtransfer.config.signals import Signals
from ecgtransfer.prepare.formats.wfdb_files import read_header, read_signal
from ecgtransfer.prepare.signals import prepare_signals

REPOSITORY = Path(__file__).parents[2]
MIRROR = REPOSITORY.parent / "shared/mirror/files"
pytestmark = pytest.mark.skipif(not MIRROR.is_dir(), reason="no real recordings beside the repository")

FloatArray = npt.NDArray[np.float64]

TRAINING = "challenge-2021/1.0.3/training"
FOLDERS = {
    "ptb-xl": "ptb-xl/1.0.3/records500",
    "georgia": f"{TRAINING}/georgia",
    "ningbo": f"{TRAINING}/ningbo",
    "ptb-xl-challenge": f"{TRAINING}/ptb-xl",
    "cpsc2018-extra": f"{TRAINING}/cpsc_2018_extra",
    "chapman-shaoxing": f"{TRAINING}/chapman_shaoxing",
    "cpsc2018": f"{TRAINING}/cpsc_2018",
    "ptb-challenge": f"{TRAINING}/ptb",
    "ludb": "ludb/1.0.1/data",
    "ptbdb": "ptbdb/1.0.0",
}

SAME_SIGNAL = {
    ("00001_hr", "HR00001"),
    ("00002_hr", "HR00002"),
    ("00003_hr", "HR00003"),
    ("00004_hr", "HR00004"),
    ("00005_hr", "HR00005"),
    ("00137_hr", "00138_hr"),
    ("00143_hr", "00144_hr"),
    ("E07509", "E07510"),
    ("S0001", "s0010_re"),
}
"""All pairs there are: the best cross-correlation of all others, at any shift with 3 s in common, is 0.946 (S0006 and
S0007, two recordings of one patient), that of these pairs at least 0.9999. Of the PTB-XL ids that vanished as
duplicates, 139-142 and 145 have no copy among the first 400."""

AT_100_HZ = {"sampling_rate_hz": 100, "duration_s": 10}
AT_50_HZ = {"sampling_rate_hz": 50, "duration_s": 5}


def settings(**changes: float) -> Signals:
    """Return the default signal settings with 0.5-40 Hz, or 20 Hz at a rate of 50 Hz."""
    high_hz = 40 if changes["sampling_rate_hz"] >= 100 else 20
    return changed(Signals(), {**changes, "band_pass": {"high_hz": high_hz}})


def described(folder: Path) -> pd.DataFrame:
    """Return what `prepare_signals` needs to know of the records in a folder."""
    rows = []
    for path in sorted(folder.rglob("*.hea")):
        header = read_header(path)
        rows.append((path.stem, str(path.relative_to(folder)), header.sampling_rate_hz, header.n_samples, "", ""))
    return pd.DataFrame(rows, columns=["record_id", "path", "sampling_rate_hz", "n_samples", "unit", "leads"])


def prepared(name: str, folder: str, to: Path, **changes: float) -> AuditedDataset:
    """Return a prepared data set."""
    array = to / f"{name}.npy"
    quality = prepare_signals(described(MIRROR / folder), MIRROR / folder, settings(**changes), array)
    prints = fingerprint_signals(array, changes["sampling_rate_hz"])
    return AuditedDataset(name, prints, array, quality["record_id"].tolist(), (quality["usable"] == 1).to_numpy())


def records(pairs: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(pairs["record_a"], pairs["record_b"], strict=True))


@pytest.mark.parametrize("changes", [AT_100_HZ, AT_50_HZ], ids=["100 Hz, 10 s", "50 Hz, 5 s"])
def test_all_that_overlaps_is_found_and_nothing_else(tmp_path: Path, changes: dict[str, float]) -> None:
    datasets = [prepared(name, folder, tmp_path, **changes) for name, folder in FOLDERS.items()]
    pairs = find_duplicates(datasets)
    assert records(pairs) == SAME_SIGNAL
    assert (pairs["shift_s"] == 0).all()
    assert (pairs["overlap_s"] == changes["duration_s"]).all()
    assert pairs["correlation"].min() > 0.999
    np.testing.assert_allclose(pairs["gain"], 1, atol=0.002)
    ptbxl = find_overlaps(datasets[3:4], datasets[:1])
    assert records(ptbxl) == {(b, a) for a, b in SAME_SIGNAL if b.startswith("HR")}


@pytest.mark.parametrize("changes", [AT_100_HZ, AT_50_HZ], ids=["100 Hz, 10 s", "50 Hz, 5 s"])
def test_published_at_two_rates(tmp_path: Path, changes: dict[str, float]) -> None:
    """PTB-XL publishes each record at 500 and at 100 Hz, the latter through another filter, with a step at its end."""
    fast = prepared("fast", "ptb-xl/1.0.3/records500", tmp_path, **changes)
    slow = prepared("slow", "ptb-xl/1.0.3/records100", tmp_path, **changes)
    found = {(a[:5], b[:5]) for a, b in records(find_overlaps([fast], [slow]))}
    copies = {("00137", "00138"), ("00143", "00144")}
    same = {(f"{i:05d}", f"{i:05d}") for i in range(1, 401)}
    assert found - same <= copies | {(b, a) for a, b in copies}
    # Of equal rows on both sides each is paired with the first of the other side, not with all.
    assert same - found <= {("00138", "00138"), ("00144", "00144")}


def test_windows_of_one_recording_are_different_signals(tmp_path: Path) -> None:
    """The hardest case of all: the same heart in the same minute, where every beat looks like the other."""
    windows = []
    for name in ("cpsc2018-extra", "cpsc2018", "ptb-challenge", "ptbdb"):
        long = prepared(name, FOLDERS[name], tmp_path, sampling_rate_hz=100, duration_s=120)
        if name == "ptbdb":
            long.record_ids.remove("s0010_re")
        rows = np.load(long.signals_path)[[i for i, r in enumerate(described_ids(name)) if r in long.record_ids]]
        cut = rows.reshape(len(rows), 12, 12, 1000).transpose(0, 2, 1, 3).reshape(-1, 12, 1000)
        windows.append(cut[(cut[:, :, -1] != 0).any(axis=1)])
    assert sum(map(len, windows)) > 120
    for n_samples in (1000, 500):
        path = tmp_path / f"windows{n_samples}.npy"
        rows = np.concatenate(windows).reshape(-1, 12, 1000 // n_samples, n_samples).transpose(0, 2, 1, 3)
        np.save(path, np.ascontiguousarray(rows.reshape(-1, 12, n_samples)))
        prints = fingerprint_signals(path, 100)
        ids = [str(i) for i in range(len(prints))]
        assert find_duplicates([AuditedDataset("x", prints, path, ids, np.ones(len(prints), dtype=bool))]).empty


def described_ids(name: str) -> list[str]:
    return described(MIRROR / FOLDERS[name])["record_id"].tolist()


@cache
def recordings() -> FloatArray:
    """Return 150 recordings of 10 s at 500 Hz, of five data sets, in mV, shape (150, 12, 5000)."""
    found = []
    for name in ("ptb-xl", "georgia", "ningbo", "chapman-shaoxing", "ludb"):
        for path in sorted((MIRROR / FOLDERS[name]).rglob("*.hea"))[:36]:
            signal = np.nan_to_num(np.asarray(read_signal(path), dtype=np.float64))
            if signal.shape[1] >= 5000 and path.stem != "E07510":
                found.append(signal[:, :5000])
    return np.stack(found[:150])


def band_pass(signal: FloatArray, low_hz: float, high_hz: float, order: int) -> FloatArray:
    sections = butter(order, (low_hz, high_hz), btype="bandpass", fs=500, output="sos")
    return np.asarray(sosfiltfilt(sections, signal, axis=-1, padlen=500))


def another_rate(x: FloatArray) -> FloatArray:
    return np.asarray(resample_poly(resample_poly(x, 257, 500, axis=-1), 500, 257, axis=-1))


def with_noise(x: FloatArray) -> FloatArray:
    return x + np.random.default_rng(8).normal(0, 0.02, x.shape)


TRANSFORMATIONS: dict[str, tuple[Callable[[FloatArray], FloatArray], float]] = {
    "another rate": (another_rate, 1.0),
    "rounded to 5 µV": (lambda x: np.rint(x / 0.005) * 0.005, 1.0),
    "five times as large": (lambda x: 5 * x, 1.0),
    "a fifth as large, rounded to 1 µV": (lambda x: np.rint(200 * x) / 1000, 1.0),
    "first 0.5 s cut off": (lambda x: x[..., 250:], 1.0),
    "first 1.702 s cut off": (lambda x: x[..., 851:], 1.0),
    "first 4 s cut off": (lambda x: x[..., 2000:], 1.0),
    "first 6 s cut off": (lambda x: x[..., 3000:], 1.0),
    "first 7 s cut off": (lambda x: x[..., 3500:], 0.98),
    "first 5 s": (lambda x: x[..., :2500], 1.0),
    "3 s to 7 s": (lambda x: x[..., 1500:3500], 0.99),
    "20 µV of noise": (with_noise, 0.94),
    "0.05-45 Hz before": (lambda x: band_pass(x, 0.05, 45, 2), 1.0),
    "0.67-25 Hz before": (lambda x: band_pass(x, 0.67, 25, 2), 0.97),
    "1-30 Hz before": (lambda x: band_pass(x, 1, 30, 2), 0.92),
    "two leads flat": (lambda x: x * ~np.isin(np.arange(12), (4, 8))[:, None], 1.0),
}
"""How a copy was made, and the share of copies that must be found."""


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformed_copies(tmp_path: Path, name: str) -> None:
    transform, share = TRANSFORMATIONS[name]
    datasets = []
    for of, signals in (("original", recordings()), ("copy", transform(recordings()))):
        filtered = resample_poly(band_pass(signals, 0.5, 40, 3), 100, 500, axis=-1, padtype="line")
        rows = np.zeros((len(signals), 12, 1000), dtype=np.int16)
        rows[..., : filtered.shape[-1]] = np.rint(1000 * filtered[..., :1000]).clip(-32767, 32767)
        np.save(tmp_path / f"{of}.npy", rows)
        prints = fingerprint_signals(tmp_path / f"{of}.npy", 100)
        ids = [str(i) for i in range(len(rows))]
        datasets.append(AuditedDataset(of, prints, tmp_path / f"{of}.npy", ids, np.ones(len(rows), dtype=bool)))
    found = records(find_overlaps(datasets[:1], datasets[1:]))
    assert all(a == b for a, b in found)
    assert len(found) >= share * len(recordings())

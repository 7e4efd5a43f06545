"""Fingerprints: landmarks at the beats, the same for any gain and wherever a recording begins."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ecgtransfer.audit.fingerprints import Fingerprints, fingerprint_signals
from ecgtransfer.audit.views import averaged, samples_per_step
from ecgtransfer.errors import InputError
from ecgtransfer.prepare import signal_file

BEATS_S = np.array([0.43, 1.31, 2.22, 3.05, 3.97, 4.86, 5.71, 6.64, 7.52, 8.41, 9.33])


def recording(rate: float, start_s: float = 0.0, duration_s: float = 10.0, seed: int = 1) -> npt.NDArray[np.float64]:
    """Return a smooth signal in µV, shape (12, samples): one bump per beat, another mixture of three in every lead."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(12, 3))
    time = start_s + np.arange(round(duration_s * rate)) / rate
    bumps = [
        sum(height * np.exp(-(((time - beat - delay) / width) ** 2)) for beat in BEATS_S)
        for delay, width, height in ((0, 0.02, 900), (0.03, 0.025, -400), (0.28, 0.06, 250))
    ]
    return weights @ np.array(bumps)


def saved(path: Path, *signals: npt.NDArray[np.float64]) -> Path:
    np.save(path, np.rint(np.stack(signals)).astype(np.int16))
    return path


def times_s(prints: Fingerprints, row: int = 0) -> npt.NDArray[np.float64]:
    rate = prints.sampling_rate_hz / samples_per_step(prints.sampling_rate_hz)
    pooled = (samples_per_step(prints.sampling_rate_hz) - 1) / 2 / prints.sampling_rate_hz
    return prints.position[prints.record == row] / rate + pooled


def test_averaging() -> None:
    assert [samples_per_step(rate) for rate in (50, 100, 128, 250, 400, 500)] == [1, 1, 1, 2, 4, 5]
    np.testing.assert_allclose(averaged(np.arange(11, dtype=np.float32)[None], 4), [[1.5, 5.5]])


def test_equal_rows_have_equal_digests_and_constant_ones_none(tmp_path: Path) -> None:
    signal = recording(100)
    other = signal.copy()
    other[11, 999] += 1
    path = saved(tmp_path / "x.npy", signal, other, signal, 0 * signal, 0 * signal + np.arange(12)[:, None])
    digests = fingerprint_signals(path, 100).digests
    assert digests[0] == digests[2] != digests[1]
    np.testing.assert_array_equal(digests[3:], 0)
    assert digests[:3].all()


@pytest.mark.parametrize("rate", [50, 100, 128, 250, 500])
def test_landmarks_keep_the_distances_of_the_beats(tmp_path: Path, rate: int) -> None:
    prints = fingerprint_signals(saved(tmp_path / "x.npy", recording(rate)), rate)
    found = times_s(prints)
    inner = BEATS_S[(BEATS_S > 0.7) & (BEATS_S < 9.0)]
    nearest = np.abs(found[:, None] - inner).argmin(axis=0)
    delay = found[nearest] - inner
    assert np.ptp(delay) < 0.003
    assert abs(delay.mean()) < 0.05


def test_gain_and_beginning_do_not_matter(tmp_path: Path) -> None:
    whole, shifted = recording(100), recording(100, start_s=1.703)
    path = saved(tmp_path / "x.npy", whole, 5 * whole, 0.2 * whole, shifted, recording(100, seed=2))
    prints = fingerprint_signals(path, 100)
    of_row = [prints.descriptor[prints.record == row].astype(float) for row in range(5)]
    for row, tolerance in ((1, 0.005), (2, 0.02)):
        np.testing.assert_allclose(times_s(prints, row), times_s(prints), atol=0.002)
        np.testing.assert_allclose(of_row[row], of_row[0], atol=tolerance)
    kept = times_s(prints) > 1.703 + 0.62
    lag = times_s(prints)[kept][:7] - times_s(prints, 3)[:7]
    np.testing.assert_allclose(lag, 1.703, atol=0.002)
    np.testing.assert_allclose(of_row[3][:7], of_row[0][kept][:7], atol=0.03)
    assert np.linalg.norm(of_row[4][:5] - of_row[0][:5], axis=1).min() > 0.3


def test_windows_stay_within_the_signal_of_padded_records(tmp_path: Path) -> None:
    padded = recording(100) + 3
    padded[:, 500:] = 0
    prints = fingerprint_signals(saved(tmp_path / "x.npy", padded), 100)
    np.testing.assert_array_equal(prints.extents, [[0, 500]])
    assert len(prints.position)
    assert prints.position.max() < 500 - 90


def test_nothing_depends_on_how_much_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "x.npy", *(recording(100, seed=seed) for seed in range(9)))
    at_once = fingerprint_signals(path, 100)
    monkeypatch.setattr(signal_file, "BYTES_AT_ONCE", 1)
    one_by_one = fingerprint_signals(path, 100)
    for name in ("digests", "extents", "record"):
        np.testing.assert_array_equal(getattr(one_by_one, name), getattr(at_once, name))
    np.testing.assert_allclose(one_by_one.position, at_once.position, atol=1e-4)
    np.testing.assert_allclose(one_by_one.descriptor, at_once.descriptor, atol=2e-3)


def test_saved_and_loaded(tmp_path: Path) -> None:
    prints = fingerprint_signals(saved(tmp_path / "x.npy", recording(100), recording(100, seed=3)), 100)
    prints.save(tmp_path / "folder" / "prints.npz")
    loaded = Fingerprints.load(tmp_path / "folder" / "prints.npz")
    assert loaded.sampling_rate_hz == 100
    for name in ("digests", "extents", "record", "position", "descriptor"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(prints, name))
        assert getattr(loaded, name).dtype == getattr(prints, name).dtype
    first = (tmp_path / "folder" / "prints.npz").read_bytes()
    prints.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == first


def test_other_files_are_no_fingerprints(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", digests=np.zeros(2))
    (tmp_path / "y.npz").write_text("no")
    for name in ("x.npz", "y.npz", "missing.npz"):
        with pytest.raises(InputError, match="not a file of fingerprints"):
            Fingerprints.load(tmp_path / name)

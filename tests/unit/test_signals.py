"""From a recording to a row of the signal array."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.filters import band_pass, resample
from ecgtransfer.prepare.signals import prepare_signal, prepare_signals, recipe, repair_gaps, window

SETTINGS: dict[str, Any] = {
    "sampling_rate_hz": 100,
    "duration_s": 5,
    "band_pass": {"low_hz": 0.5, "high_hz": 40, "order": 3, "edge_s": 1.0},
    "crop": "start",
    "pad_short_records": True,
    "max_flat_leads": 6,
    "max_nan_fraction": 0.2,
}
Signal = npt.NDArray[np.float64]


def recording(seconds: float = 8.0, rate: int = 500, seed: int = 0) -> Signal:
    """Return twelve leads of tones and noise in mV."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tones = rng.uniform(0.2, 1.5, (12, 3)) @ np.sin(2 * np.pi * np.array([[2.0], [7.0], [15.0]]) * time)
    return tones + 0.01 * rng.standard_normal(tones.shape)


def write_records(folder: Path, signals: list[Signal], rate: int = 500) -> pd.DataFrame:
    """Write signals as WFDB records of 1 µV per step and return their rows of the headers table."""
    rows = []
    for number, signal in enumerate(signals, start=1):
        name = f"{number:03d}"
        np.rint(signal.T * 1000).astype("<i2").tofile(folder / f"{name}.dat")
        lines = [f"{name}.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in LEADS]
        (folder / f"{name}.hea").write_text("\n".join([f"{name} 12 {rate} {signal.shape[1]}", *lines]))
        rows.append((name, f"{name}.hea", rate, signal.shape[1]))
    return pd.DataFrame(rows, columns=["record_id", "path", "sampling_rate_hz", "n_samples"])


class TestRepair:
    """Gaps of missing samples."""

    def test_gaps_become_lines_and_ends_are_held(self) -> None:
        nan = np.nan
        signal = np.array([[nan, nan, 1.0, nan, nan, nan, 3.0, nan], [0.0, 1, 2, 3, 4, 5, 6, 7], [nan] * 8])
        before = signal.copy()
        repaired = repair_gaps(signal)
        np.testing.assert_allclose(repaired[0], [1, 1, 1, 1.5, 2, 2.5, 3, 3])
        np.testing.assert_array_equal(repaired[1], signal[1])
        np.testing.assert_array_equal(repaired[2], np.zeros(8))
        np.testing.assert_array_equal(signal, before)

    def test_whole_signal_is_left_alone(self) -> None:
        signal = recording(1)
        np.testing.assert_array_equal(repair_gaps(signal), signal)


class TestWindow:
    """Cropping and padding."""

    @pytest.mark.parametrize(("crop", "first"), [("start", 0), ("centre", 3)])
    def test_crop(self, crop: str, first: int) -> None:
        signal = np.arange(24.0).reshape(2, 12)
        np.testing.assert_array_equal(window(signal, 5, crop), signal[:, first : first + 5])

    @pytest.mark.parametrize("crop", ["start", "centre"])
    def test_pad(self, crop: str) -> None:
        signal = np.arange(1.0, 7.0).reshape(2, 3)
        np.testing.assert_array_equal(window(signal, 5, crop), [[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]])

    def test_exact_length(self) -> None:
        signal = recording(1)
        np.testing.assert_array_equal(window(signal, 500, "centre"), signal)


class TestOneRecording:
    """`prepare_signal`."""

    def test_steps_are_microvolts(self) -> None:
        signal = recording()
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        assert prepared.dtype == np.int16
        assert prepared.shape == (12, 500)
        in_millivolts = resample(band_pass(signal, 500, **SETTINGS["band_pass"]), 500, 100)[:, :500]
        assert np.abs(prepared - in_millivolts * 1000).max() <= 0.5 + 1e-9
        # The tones lie within the band, so that their amplitude stays.
        assert np.abs(prepared[:, 100:-100] / 1000 - signal[:, 500:2000:5]).max() < 0.15
        assert (quality.usable, quality.reason, quality.flat_leads, quality.clipped_samples) == (1, "", 0, 0)
        assert (quality.nan_fraction, quality.duration_s, quality.padded_s) == (0, 8, 0)

    def test_centre(self) -> None:
        signal = recording(9)
        whole, _ = prepare_signal(signal, 500, {**SETTINGS, "duration_s": 9})
        centre, _ = prepare_signal(signal, 500, {**SETTINGS, "crop": "centre"})
        np.testing.assert_array_equal(centre, whole[:, 200:700])

    def test_short_recording_is_padded_behind(self) -> None:
        signal = recording(3.2)
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        assert np.all(prepared[:, 320:] == 0)
        assert np.all(prepared[:, :320].std(axis=1) > 50)
        assert (quality.padded_s, quality.usable) == (1.8, 1)

    def test_short_recording_that_must_not_be_padded(self) -> None:
        _, quality = prepare_signal(recording(3.2), 500, {**SETTINGS, "pad_short_records": False})
        assert (quality.usable, quality.reason) == (0, "1.8 s too short")
        _, quality = prepare_signal(recording(5), 500, {**SETTINGS, "pad_short_records": False})
        assert quality.usable == 1

    @pytest.mark.parametrize(("n_flat", "usable"), [(0, 1), (6, 1), (7, 0), (12, 0)])
    def test_flat_leads(self, n_flat: int, usable: int) -> None:
        signal = recording()
        signal[:n_flat] = np.linspace(-3, 3, 12)[:n_flat, None]
        signal[:n_flat, ::2] += 0.0009  # dithers by less than a step
        _, quality = prepare_signal(signal, 500, SETTINGS)
        assert (quality.flat_leads, quality.usable) == (n_flat, usable)
        assert quality.reason == ("" if usable else f"{n_flat} leads are flat")

    def test_a_lead_without_any_sample_is_flat_and_a_quiet_one_is_not(self) -> None:
        signal = recording()
        signal[3] = np.nan
        signal[4] = 0.002 * (np.arange(signal.shape[1]) % 2)
        _, quality = prepare_signal(signal, 500, SETTINGS)
        assert quality.flat_leads == 1
        assert quality.nan_fraction == pytest.approx(1 / 12, abs=1e-6)

    @pytest.mark.parametrize(("n_leads", "usable"), [(2, 1), (3, 0)])
    def test_missing_samples(self, n_leads: int, usable: int) -> None:
        signal = recording()
        signal[:n_leads, : signal.shape[1] - 2] = np.nan
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        assert quality.usable == usable
        assert quality.reason == ("" if usable else "25.0% of the samples are missing")
        assert np.abs(prepared[n_leads:]).max() > 100  # the other leads are not touched by the gaps

    def test_a_bridged_gap_leaves_the_rest_of_the_lead(self) -> None:
        signal = recording()
        whole, _ = prepare_signal(signal, 500, SETTINGS)
        signal[2, 1000:1004] = np.nan
        mended, quality = prepare_signal(signal, 500, SETTINGS)
        assert quality.nan_fraction == pytest.approx(4 / signal.size, abs=1e-6)
        np.testing.assert_array_equal(np.delete(mended, 2, axis=0), np.delete(whole, 2, axis=0))
        assert np.abs(mended[2].astype(int) - whole[2]).max() < 60

    def test_clipping_is_counted(self) -> None:
        signal = recording()
        signal[5] = 40 * np.sign(np.sin(2 * np.pi * 5 * np.arange(signal.shape[1]) / 500 + 0.01))
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        in_microvolts = 1000 * resample(band_pass(signal, 500, **SETTINGS["band_pass"]), 500, 100)[:, :500]
        assert quality.clipped_samples == np.sum(np.abs(np.rint(in_microvolts)) > 32767) > 100
        assert (prepared[5].min(), prepared[5].max()) == (-32767, 32767)
        assert np.all(
            np.sign(prepared[5][np.abs(in_microvolts[5]) > 32767])
            == np.sign(in_microvolts[5])[np.abs(in_microvolts[5]) > 32767]
        )


class TestManyRecordings:
    """`prepare_signals` on files."""

    def test_rows_are_those_of_the_records(self, tmp_path: Path) -> None:
        signals = [recording(8, seed=1), recording(3, seed=2), recording(6, seed=3)]
        signals[2][:] = 0.5
        headers = write_records(tmp_path, signals)
        quality = prepare_signals(headers, tmp_path, SETTINGS, tmp_path / "out/signals.npy")
        array = np.load(tmp_path / "out/signals.npy", allow_pickle=False)
        assert array.shape == (3, 12, 500)
        assert array.dtype == np.int16
        for row, signal in zip(array, signals, strict=True):
            expected, _ = prepare_signal(np.rint(signal * 1000) / 1000, 500, SETTINGS)
            np.testing.assert_array_equal(row, expected)
        assert quality["record_id"].tolist() == ["001", "002", "003"]
        assert quality["usable"].tolist() == [1, 1, 0]
        assert quality["padded_s"].tolist() == [0, 2, 0]
        assert quality["flat_leads"].tolist() == [0, 0, 12]

    def test_each_record_has_its_own_rate(self, tmp_path: Path) -> None:
        slow, fast = tmp_path / "slow", tmp_path / "fast"
        slow.mkdir()
        fast.mkdir()
        time = {rate: np.arange(8 * rate) / rate for rate in (250, 1000)}
        tones = {rate: np.tile(np.sin(2 * np.pi * 6 * t), (12, 1)) for rate, t in time.items()}
        headers = pd.concat(
            [
                write_records(slow, [tones[250]], 250).assign(path="slow/001.hea"),
                write_records(fast, [tones[1000]], 1000).assign(path="fast/001.hea", record_id="002"),
            ],
            ignore_index=True,
        )
        prepare_signals(headers, tmp_path, SETTINGS, tmp_path / "signals.npy")
        array = np.load(tmp_path / "signals.npy").astype(int)
        assert np.abs(array[0] - array[1])[:, 50:].max() < 40  # of 1000

    def test_same_bytes_every_time(self, tmp_path: Path) -> None:
        headers = write_records(tmp_path, [recording(8, seed=1), recording(6, seed=2)])
        for name in ("a.npy", "b.npy"):
            prepare_signals(headers, tmp_path, SETTINGS, tmp_path / name)
        assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()

    def test_an_error_in_the_middle_leaves_no_file(self, tmp_path: Path) -> None:
        headers = write_records(tmp_path, [recording(6, seed=seed) for seed in range(3)])
        (tmp_path / "002.dat").write_bytes(b"short")
        out = tmp_path / "out"
        with pytest.raises(InputError, match=r"002\.hea: signal file 002\.dat is truncated"):
            prepare_signals(headers, tmp_path, SETTINGS, out / "signals.npy")
        assert list(out.iterdir()) == []

    def test_an_error_leaves_the_former_file(self, tmp_path: Path) -> None:
        headers = write_records(tmp_path, [recording(6)])
        prepare_signals(headers, tmp_path, SETTINGS, tmp_path / "signals.npy")
        former = (tmp_path / "signals.npy").read_bytes()
        (tmp_path / "001.dat").unlink()
        with pytest.raises(InputError):
            prepare_signals(headers, tmp_path, SETTINGS, tmp_path / "signals.npy")
        assert (tmp_path / "signals.npy").read_bytes() == former

    def test_no_record_at_all(self, tmp_path: Path) -> None:
        headers = write_records(tmp_path, [recording(6)]).iloc[:0]
        with pytest.raises(InputError, match="no usable record"):
            prepare_signals(headers, tmp_path, SETTINGS, tmp_path / "signals.npy")

    def test_recipe_counts(self, tmp_path: Path) -> None:
        signals = [recording(8, seed=1), recording(3, seed=2), recording(6, seed=3), recording(6, seed=4)]
        signals[2][:] = 0.5
        signals[3][:8] = 0.5
        headers = write_records(tmp_path, signals)
        quality = prepare_signals(headers, tmp_path, SETTINGS, tmp_path / "signals.npy")
        made = recipe(quality, SETTINGS)
        assert made["settings"] == SETTINGS
        assert made["leads"] == list(LEADS)
        assert {key: made[key] for key in ("records", "usable", "padded", "with_flat_leads")} == {
            "records": 4,
            "usable": 2,
            "padded": 1,
            "with_flat_leads": 2,
        }
        assert made["not_usable"] == {"12 leads are flat": 1, "8 leads are flat": 1}

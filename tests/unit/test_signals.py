"""From recordings to the signal array: one of them, and whole data sets by one or several processes."""

import multiprocessing
import os
import signal as signals_of_the_system
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare import signals as module
from ecgtransfer.prepare.filters import filter_and_resample
from ecgtransfer.prepare.quality import PLAUSIBLE_MEDIAN_MV
from ecgtransfer.prepare.rows import Quality, prepare_signal, window
from ecgtransfer.prepare.signals import prepare_signals, recipe

REPOSITORY = Path(__file__).parents[2]
MIRROR = REPOSITORY.parent / "shared/mirror/files"
with_mirror = pytest.mark.skipif(not MIRROR.is_dir(), reason="the real recordings are not here")

SETTINGS: dict[str, Any] = {
    "sampling_rate_hz": 100,
    "duration_s": 5,
    "band_pass": {"design": "butterworth", "low_hz": 0.5, "high_hz": 40, "order": 3, "edge_s": 1.0},
    "notch_hz": None,
    "remove_baseline": False,
    "resampling": "polyphase",
    "scaling": "none",
    "crop": "start",
    "pad_short_records": True,
    "max_flat_leads": 6,
    "max_nan_fraction": 0.2,
    "implausible_gain": {"ratio": 4.0, "action": "flag"},
}
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


def in_microvolts(signal: Signal, rate: float = 500, **settings: Any) -> Signal:
    """Return what float64 filters make of a signal."""
    return np.asarray(1000 * filter_and_resample(signal, rate, SETTINGS | settings))


class TestWindow:
    """Cropping."""

    @pytest.mark.parametrize(("crop", "first"), [("start", 0), ("centre", 3)])
    def test_crop(self, crop: str, first: int) -> None:
        signal = np.arange(24, dtype=np.float32).reshape(2, 12)
        np.testing.assert_array_equal(window(signal, 5, crop), signal[:, first : first + 5])

    @pytest.mark.parametrize("crop", ["start", "centre"])
    def test_a_short_signal_stays(self, crop: str) -> None:
        signal = np.arange(6, dtype=np.float32).reshape(2, 3)
        np.testing.assert_array_equal(window(signal, 5, crop), signal)


class TestOneRecording:
    """`prepare_signal`."""

    def test_steps_are_microvolts(self) -> None:
        signal = recording()
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        assert prepared.dtype == np.int16
        assert prepared.shape == (12, 500)
        assert np.abs(prepared - in_microvolts(signal)[:, :500]).max() <= STEPS
        # The tones lie within the band, so that their amplitude stays.
        assert np.abs(prepared[:, 100:-100] / 1000 - signal[:, 500:2000:5]).max() < 0.06
        ranges = np.ptp(in_microvolts(signal)[:, :500], axis=1)
        assert quality.amplitude_mv == pytest.approx(np.median(ranges) / 1000, abs=1e-4)
        assert quality._replace(amplitude_mv=0, gain_ratio=0) == Quality(0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, "")

    def test_centre(self) -> None:
        signal = recording(9)
        whole, _ = prepare_signal(signal, 500, {**SETTINGS, "duration_s": 9})
        centre, _ = prepare_signal(signal, 500, {**SETTINGS, "crop": "centre"})
        np.testing.assert_array_equal(centre, whole[:, 200:700])

    @pytest.mark.parametrize("crop", ["start", "centre"])
    def test_short_recording_is_padded_behind(self, crop: str) -> None:
        signal = recording(3.2)
        prepared, quality = prepare_signal(signal, 500, {**SETTINGS, "crop": crop})
        assert np.all(prepared[:, 320:] == 0)
        assert np.abs(prepared[:, :320] - in_microvolts(signal)).max() <= STEPS
        assert (quality.padded_s, quality.usable) == (1.8, 1)

    def test_short_recording_that_must_not_be_padded(self) -> None:
        _, quality = prepare_signal(recording(3.2), 500, {**SETTINGS, "pad_short_records": False})
        assert (quality.usable, quality.reason) == (0, "1.8 s too short")
        _, quality = prepare_signal(recording(5), 500, {**SETTINGS, "pad_short_records": False})
        assert quality.usable == 1

    def test_less_than_a_heart_beat(self) -> None:
        prepared, quality = prepare_signal(recording(0.9), 500, SETTINGS)
        assert (quality.usable, quality.reason, quality.amplitude_mv) == (0, "only 0.9 s long", 0)
        assert not prepared.any()

    def test_the_publishers_padding_is_cut_off_before_filtering(self) -> None:
        signal = recording(4) + 3  # the step from 3 mV to the padding must not ring
        padded = np.pad(signal, ((0, 0), (600, 1400)))
        prepared, quality = prepare_signal(padded, 500, SETTINGS)
        expected, _ = prepare_signal(signal, 500, SETTINGS)
        np.testing.assert_array_equal(prepared, expected)
        assert (quality.duration_s, quality.padded_s) == (4, 1)

    @pytest.mark.parametrize(("n_flat", "usable"), [(0, 1), (6, 1), (7, 0), (12, 0)])
    def test_flat_leads(self, n_flat: int, usable: int) -> None:
        signal = recording()
        signal[:n_flat] = np.linspace(-3, 3, 12)[:n_flat, None]
        signal[:n_flat, ::2] += 0.0009  # dithers by less than a step
        _, quality = prepare_signal(signal, 500, SETTINGS)
        assert (quality.flat_leads, quality.usable) == (n_flat, usable)
        assert quality.reason == ("" if usable else f"{n_flat} leads are flat")

    def test_a_lost_limb_lead_is_rebuilt(self) -> None:
        signal = recording()
        signal[2] = signal[1] - signal[0]
        whole, _ = prepare_signal(signal, 500, SETTINGS)
        signal[2], signal[9] = np.nan, np.nan
        mended, quality = prepare_signal(signal, 500, SETTINGS)
        assert np.abs(mended[2].astype(int) - whole[2]).max() <= 1
        assert not mended[9].any()
        assert (quality.rebuilt_leads, quality.missing_leads, quality.flat_leads, quality.usable) == (1, 1, 0, 1)

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

    def test_what_int16_cannot_hold_is_clipped_and_counted(self) -> None:
        signal = recording()
        signal[5] += 40 * np.sin(2 * np.pi * 5 * np.arange(signal.shape[1]) / 500)
        prepared, quality = prepare_signal(signal, 500, SETTINGS)
        expected = in_microvolts(signal)[:, :500]
        n_beyond = np.sum(np.abs(expected) > 32767)
        assert n_beyond > 100
        assert quality.clipped_samples == pytest.approx(n_beyond, abs=2)
        assert np.abs(prepared - np.clip(expected, -32767, 32767)).max() <= 3  # float32 of 40 mV

    def test_a_broken_recording_leaves_nothing_behind(self) -> None:
        expected, _ = prepare_signal(recording(), 500, SETTINGS)
        broken = recording()
        broken[3, 7], broken[4] = np.inf, 1e38
        prepared, quality = prepare_signal(broken, 500, SETTINGS)
        assert (quality.usable, quality.reason) == (0, "voltages of up to inf mV")
        assert not prepared.any()
        again, _ = prepare_signal(recording(), 500, SETTINGS)
        np.testing.assert_array_equal(again, expected)


class TestScaling:
    """The scalings of the two studies."""

    def test_min_max_over_the_window(self) -> None:
        signal = recording(9)
        prepared, quality = prepare_signal(signal, 500, SETTINGS | {"scaling": "min-max", "crop": "centre"})
        kept = in_microvolts(signal)[:, 200:700]
        lowest, highest = kept.min(axis=1, keepdims=True), kept.max(axis=1, keepdims=True)
        expected = 2 * (kept - lowest) / (highest - lowest) - 1
        assert np.abs(prepared / 10000 - expected).max() <= 1e-4
        assert (prepared.min(axis=1) == -10000).all()
        assert (prepared.max(axis=1) == 10000).all()
        assert quality.amplitude_mv == pytest.approx(np.median(highest - lowest) / 1000, abs=2e-4)

    @pytest.mark.parametrize("seconds", [9, 3.2])
    def test_z_score_over_the_recording(self, seconds: float) -> None:
        signal = recording(seconds)
        prepared, _ = prepare_signal(signal, 500, SETTINGS | {"scaling": "z-score"})
        whole = in_microvolts(signal)
        expected = (whole - whole.mean(axis=1, keepdims=True)) / whole.std(axis=1, keepdims=True)
        n_kept = min(500, whole.shape[1])
        assert np.abs(prepared[:, :n_kept] / 1000 - expected[:, :500]).max() <= 1e-3
        assert not prepared[:, n_kept:].any()

    @pytest.mark.parametrize("scaling", ["min-max", "z-score"])
    def test_a_constant_lead_becomes_zero(self, scaling: str) -> None:
        signal = recording()
        signal[4] = 2.7  # filtering leaves rounding errors of it, which scaling must not blow up
        signal[8] = np.nan
        prepared, _ = prepare_signal(signal, 500, SETTINGS | {"scaling": scaling})
        assert not prepared[[4, 8]].any()
        assert prepared[[3, 5]].any()

    def test_amplitude_plays_no_part(self) -> None:
        signal = recording()
        for scaling in ("min-max", "z-score"):
            settings = SETTINGS | {"scaling": scaling}
            once, thrice = (prepare_signal(times * signal, 500, settings)[0].astype(int) for times in (1, 3))
            assert np.abs(once - thrice).max() <= 1


class TestManyRecordings:
    """`prepare_signals` on files."""

    def test_rows_are_those_of_the_records(self, tmp_path: Path) -> None:
        signals = [recording(8, seed=1), recording(3, seed=2), recording(6, seed=3)]
        signals[2][:] = 0.5
        described = write_records(tmp_path, signals)
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "out/signals.npy")
        array = np.load(tmp_path / "out/signals.npy", allow_pickle=False)
        assert array.shape == (3, 12, 500)
        assert array.dtype == np.int16
        for row, signal in zip(array, signals, strict=True):
            expected, _ = prepare_signal(np.rint(signal * 1000) / 1000, 500, SETTINGS)
            np.testing.assert_array_equal(row, expected)
        assert list(quality) == ["record_id", *Quality._fields]
        assert quality["record_id"].tolist() == ["001", "002", "003"]
        assert quality["usable"].tolist() == [1, 1, 0]
        assert quality["reason"].tolist() == ["", "", "12 leads are flat"]
        assert quality["padded_s"].tolist() == [0, 2, 0]
        assert quality["flat_leads"].tolist() == [0, 0, 12]
        assert list((tmp_path / "out").iterdir()) == [tmp_path / "out/signals.npy"]

    def test_each_record_has_its_own_rate(self, tmp_path: Path) -> None:
        slow, fast = tmp_path / "slow", tmp_path / "fast"
        slow.mkdir()
        fast.mkdir()
        time = {rate: np.arange(8 * rate) / rate for rate in (250, 1000)}
        tones = {rate: np.tile(np.sin(2 * np.pi * 6 * t), (12, 1)) for rate, t in time.items()}
        described = pd.concat(
            [
                write_records(slow, [tones[250]], 250).assign(path="slow/001.hea"),
                write_records(fast, [tones[1000]], 1000).assign(path="fast/001.hea", record_id="002"),
            ],
            ignore_index=True,
        )
        prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        array = np.load(tmp_path / "signals.npy").astype(int)
        assert np.abs(array[0] - array[1])[:, 50:].max() < 40  # of 1000

    def test_arrays_with_unit_and_leads_of_their_own(self, tmp_path: Path) -> None:
        signal = recording()
        np.save(tmp_path / "all.npy", np.stack([signal[::-1], 2 * signal[::-1]]) * 1000)
        described = pd.DataFrame(
            {
                "record_id": ["a", "b"],
                "path": ["all.npy#[0]", "all.npy#[1]"],
                "sampling_rate_hz": 500,
                "n_samples": signal.shape[1],
                "unit": "uV",
                "leads": "|".join(reversed(LEADS)),
            }
        )
        prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        array = np.load(tmp_path / "signals.npy")
        assert np.abs(array[0] - in_microvolts(signal)[:, :500]).max() <= STEPS
        assert np.abs(array[1] - in_microvolts(2 * signal)[:, :500]).max() <= STEPS

    def test_same_bytes_for_any_number_of_processes(self, tmp_path: Path) -> None:
        lengths = [2.0, 2.5, 3.0, 1.2]
        signals = [recording(lengths[seed % 4], rate=100, seed=seed) for seed in range(230)]
        signals[31][:] = 0
        gains = ["1000(0)/mV"] * 230
        gains[90] = gains[200] = "100(0)/mV"
        described = write_records(tmp_path, signals, 100, gains)
        (tmp_path / "120.dat").write_bytes(b"short")
        settings = SETTINGS | {"duration_s": 2, "implausible_gain": {"ratio": 4.0, "action": "rescale"}}
        tables = [
            prepare_signals(described, tmp_path, settings, tmp_path / f"{n_workers}.npy", n_workers)
            for n_workers in (1, 2, 3)
        ]
        contents = {(tmp_path / f"{n_workers}.npy").read_bytes() for n_workers in (1, 2, 3)}
        assert len(contents) == 1
        for table in tables[1:]:
            pd.testing.assert_frame_equal(table, tables[0])
        assert tables[0].loc[[30, 31, 90, 119, 200], "usable"].tolist() == [1, 0, 1, 0, 1]
        array = np.load(tmp_path / "1.npy")
        for row in (0, 99, 100, 163, 164, 229):
            expected, _ = prepare_signal(np.rint(signals[row] * 1000) / 1000, 100, settings)
            np.testing.assert_array_equal(array[row], expected)

    def test_an_unreadable_record_becomes_a_row_of_zeros(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        described = write_records(tmp_path, [recording(6, seed=seed) for seed in range(4)])
        (tmp_path / "002.dat").write_bytes(b"short")
        (tmp_path / "003.hea").unlink()
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        array = np.load(tmp_path / "signals.npy")
        assert array.any(axis=(1, 2)).tolist() == [True, False, False, True]
        assert quality["usable"].tolist() == [1, 0, 0, 1]
        assert quality["reason"][1].startswith("not prepared: signal file 002.dat is truncated")
        assert quality["reason"][2] == "not prepared: header is missing"
        assert "2 records cannot be prepared, their rows are zeros; the first:" in caplog.text

    def test_a_record_that_grew_is_not_taken(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6), recording(6)])
        described.loc[1, "n_samples"] = 2999
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        assert quality["usable"].tolist() == [1, 0]
        assert "has 3000 samples per lead, expected 2999" in quality["reason"][1]

    def test_no_readable_record_at_all_is_an_error(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6), recording(6)])
        for path in tmp_path.glob("*.dat"):
            path.unlink()
        with pytest.raises(InputError, match=r"none of 2 records can be prepared, the first: .*001\.hea: signal file"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")

    def test_a_setting_that_no_record_can_meet_is_an_error(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6)])
        settings = SETTINGS | {"resampling": "slice", "sampling_rate_hz": 300}
        with pytest.raises(InputError, match=r"signals\.resampling: slice keeps every k-th sample"):
            prepare_signals(described, tmp_path, settings, tmp_path / "signals.npy")

    @pytest.mark.parametrize("n_workers", [1, 2])
    def test_an_error_leaves_the_former_file(self, tmp_path: Path, n_workers: int) -> None:
        described = write_records(tmp_path, [recording(2, seed=seed) for seed in range(70)])
        out = tmp_path / "out"
        prepare_signals(described, tmp_path, SETTINGS, out / "signals.npy", n_workers)
        former = (out / "signals.npy").read_bytes()
        for path in tmp_path.glob("*.dat"):
            path.unlink()
        with pytest.raises(InputError):
            prepare_signals(described, tmp_path, SETTINGS, out / "signals.npy", n_workers)
        assert (out / "signals.npy").read_bytes() == former
        assert list(out.iterdir()) == [out / "signals.npy"]

    def test_no_record_at_all(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6)]).iloc[:0]
        with pytest.raises(InputError, match="no usable record"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")

    def test_recipe_counts(self, tmp_path: Path) -> None:
        signals = [recording(8, seed=1), recording(3, seed=2), *(recording(6, seed=seed) for seed in range(3, 7))]
        signals[2][:] = 0.5
        signals[3][:8] = 0.5
        signals[4][:8] = 0.5
        signals[5] *= 0.2
        described = write_records(tmp_path, signals)
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        made = recipe(quality, SETTINGS)
        assert made["settings"] == SETTINGS
        assert made["unit"] == "1 µV per step"
        assert made["leads"] == list(LEADS)
        assert list(made["not_usable"].items()) == [("8 leads are flat", 2), ("12 leads are flat", 1)]
        assert {key: value for key, value in made.items() if isinstance(value, int)} == {
            "records": 6,
            "usable": 3,
            "with_missing_samples": 0,
            "with_missing_leads": 0,
            "with_rebuilt_leads": 0,
            "with_flat_leads": 3,
            "with_clipped_samples": 0,
            "padded": 1,
            "with_implausible_amplitude": 1,
            "rescaled": 0,
        }


class TestProcesses:
    """What several processes may do wrong."""

    @pytest.mark.skipif(sys.platform != "linux", reason="a forked process sees what the test replaced")
    def test_a_killed_process_is_one_clear_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        described = write_records(tmp_path, [recording(2, seed=seed) for seed in range(70)])
        read, this_process = module.read_recording, os.getpid()

        def killed_at_one(folder: str, path: str, *arguments: Any, **options: Any) -> Any:
            if path == "035.hea":
                assert os.getpid() != this_process
                os.kill(os.getpid(), signals_of_the_system.SIGKILL)
            return read(folder, path, *arguments, **options)

        monkeypatch.setattr(module, "read_recording", killed_at_one)
        with pytest.raises(InputError, match="was killed, perhaps because memory ran out"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "out/signals.npy", 2)
        assert list((tmp_path / "out").iterdir()) == []
        assert multiprocessing.active_children() == []

    def test_an_array_that_cannot_be_written_is_one_clear_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        described = write_records(tmp_path, [recording(2)])

        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(InputError, match=r"signals.* cannot be written \(No space left on device\)"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "out/signals.npy")
        assert list((tmp_path / "out").iterdir()) == []

    def test_too_large_for_the_disk(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(2)])
        with pytest.raises(InputError, match=r"the signals need \d+\.\d\d GB, .* GB are free"):
            prepare_signals(described, tmp_path, SETTINGS | {"duration_s": 1e12}, tmp_path / "out/signals.npy")

    @pytest.mark.parametrize("n_workers", [1, 2])
    def test_memory_does_not_grow_with_the_records(self, tmp_path: Path, n_workers: int) -> None:
        write_records(tmp_path, [recording(5)])
        code = f"""
import resource
from pathlib import Path
import pandas as pd
from ecgtransfer.prepare.signals import prepare_signals
for n in (200, 4000):
    described = pd.DataFrame(dict(record_id=[str(i) for i in range(n)], path="001.hea", sampling_rate_hz=500.0,
                                  n_samples=2500, unit="", leads=""))
    quality = prepare_signals(described, Path("."), {SETTINGS!r}, Path("out.npy"), {n_workers})
    assert quality["usable"].all()
    print(*(resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow_scripts")}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        few, many = (np.array(line.split(), dtype=float) for line in done.stdout.splitlines())
        assert (tmp_path / "out.npy").stat().st_size > 47e6
        assert (many - few).max() < 20  # MB


class TestUnit:
    """Amplitudes that hearts cannot make."""

    def test_the_unit_that_a_header_should_have_said(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6, seed=s) for s in range(3)], gains=["1(0)/mV"] * 3)
        with pytest.raises(InputError) as caught:
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "out/signals.npy")
        message = str(caught.value)
        assert message.startswith(f"{tmp_path}: the median amplitude of 3 recordings is ")
        assert message.endswith("the samples are probably in uV, not in mV; mend unit or gain in its headers")
        assert "\n" not in message
        assert list((tmp_path / "out").iterdir()) == []

    @pytest.mark.parametrize(
        ("factor", "said", "right"), [(1.0, "uV", "mV"), (10.0, "mV", "0.1 mV"), (1e-3, "mV", "V")]
    )
    def test_the_unit_that_an_entry_should_have_said(
        self, tmp_path: Path, factor: float, said: str, right: str
    ) -> None:
        np.save(tmp_path / "x.npy", factor * recording(6))
        described = pd.DataFrame(
            {
                "record_id": ["x"],
                "path": ["x.npy"],
                "sampling_rate_hz": [500],
                "n_samples": [3000],
                "unit": [said],
                "leads": ["|".join(LEADS)],
            }
        )
        with pytest.raises(InputError, match=f"probably in {right}, not in {said}; set the right `unit`"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")

    def test_it_is_checked_before_most_records_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        described = write_records(tmp_path, [recording(2)], gains=["1(0)/mV"])
        described = pd.concat([described] * 5000, ignore_index=True)
        n_read = []
        read = module.read_recording
        monkeypatch.setattr(module, "read_recording", lambda *a, **k: (n_read.append(1), read(*a, **k))[1])
        with pytest.raises(InputError, match="median amplitude of 100 recordings"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        assert len(n_read) == 100

    def test_one_record_in_another_unit_is_no_fault_of_the_data_set(self, tmp_path: Path) -> None:
        gains = ["1000(0)/mV", "1000(0)/mV", "1(0)/mV"]
        described = write_records(tmp_path, [recording(6, seed=seed) for seed in range(3)], gains=gains)
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        assert quality["gain_ratio"][2] > 500
        assert quality["usable"].tolist() == [1, 1, 1]


class TestImplausibleGain:
    """Records whose amplitude is out of line."""

    def settings(self, action: str, ratio: float = 4.0) -> dict[str, Any]:
        return SETTINGS | {"implausible_gain": {"ratio": ratio, "action": action}}

    def data_set(self, folder: Path) -> pd.DataFrame:
        """Write ten records: 4 and 5 with a wrong gain in the header, 6 and 7 too small and too large by themselves."""
        signals = [recording(6, seed=seed) for seed in range(10)]
        signals[6] *= 0.1
        signals[7] *= 9
        gains = ["1000(0)/mV"] * 10
        gains[4], gains[5] = "4880(0)/mV", "200(0)/mV"
        return write_records(folder, signals, gains=gains)

    def test_flag(self, tmp_path: Path) -> None:
        quality = prepare_signals(self.data_set(tmp_path), tmp_path, self.settings("flag"), tmp_path / "s.npy")
        assert (quality["usable"] == 1).all()
        np.testing.assert_allclose(
            quality["gain_ratio"], quality["amplitude_mv"] / quality["amplitude_mv"].median(), atol=1e-4
        )
        outside = (quality["gain_ratio"] > 4) | (quality["gain_ratio"] < 0.25)
        assert np.flatnonzero(outside).tolist() == [4, 5, 6, 7]

    def test_exclude(self, tmp_path: Path) -> None:
        quality = prepare_signals(self.data_set(tmp_path), tmp_path, self.settings("exclude"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [4, 5, 6, 7]
        for row in (4, 5, 6, 7):
            ratio = quality["gain_ratio"][row]
            assert quality["reason"][row] == f"implausible amplitude, {ratio:.3g} times the median of the data set"

    def test_rescale(self, tmp_path: Path) -> None:
        described = self.data_set(tmp_path)
        flagged = prepare_signals(described, tmp_path, self.settings("flag"), tmp_path / "flagged.npy")
        quality = prepare_signals(described, tmp_path, self.settings("rescale"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [6, 7]
        array = np.load(tmp_path / "s.npy")
        for row in (4, 5):
            assert np.abs(array[row] - in_microvolts(recording(6, seed=row))[:, :500]).max() <= 1.1
            assert quality["amplitude_mv"][row] == pytest.approx(np.median(np.ptp(array[row], axis=1)) / 1000, abs=1e-3)
        np.testing.assert_array_equal(quality["gain_ratio"], flagged["gain_ratio"])
        others = [row for row in range(10) if row not in (4, 5)]
        np.testing.assert_array_equal(array[others], np.load(tmp_path / "flagged.npy")[others])
        assert recipe(quality, self.settings("rescale"))["rescaled"] == 2

    def test_rescale_needs_a_gain_that_most_records_share(self, tmp_path: Path) -> None:
        gains = [f"{1000 + number}(0)/mV" for number in range(6)]
        gains[3] = "200(0)/mV"
        described = write_records(tmp_path, [recording(6, seed=seed) for seed in range(6)], gains=gains)
        quality = prepare_signals(described, tmp_path, self.settings("rescale"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [3]


@with_mirror
class TestRealRecordings:
    """Published recordings, as they are."""

    SETTINGS = SETTINGS | {
        "duration_s": 10,
        "band_pass": SETTINGS["band_pass"] | {"high_hz": 47},
        "implausible_gain": {"ratio": 4.0, "action": "rescale"},
    }

    def prepare(self, folder: Path, out: Path) -> pd.DataFrame:
        rows = []
        for path in sorted(folder.rglob("*.hea")):
            words = path.read_text().split("\n")[0].split()
            name = path.relative_to(folder)
            rows.append((path.stem, str(name), float(words[2]), int(words[3]), "", ""))
        described = pd.DataFrame(rows, columns=list(module.COLUMNS_READ))
        return prepare_signals(described, folder, self.SETTINGS, out).set_index("record_id")

    def test_ordinary_records_carry_no_flag(self, tmp_path: Path) -> None:
        quality = self.prepare(MIRROR / "ptb-xl/1.0.3/records500", tmp_path / "s.npy")
        assert len(quality) == 400
        flags = ["nan_fraction", "missing_leads", "rebuilt_leads", "flat_leads", "clipped_leads", "clipped_samples"]
        assert not quality[[*flags, "padded_s"]].to_numpy().any()
        assert quality["gain_ratio"].between(0.25, 4).all()
        assert (quality["usable"] == 1).all()

    @pytest.mark.parametrize(
        ("name", "record", "wrong", "right"),
        [("georgia", "E00015", 4880, 1000), ("ptb-xl", "HR00599", 200, 1000)],
    )
    def test_wrong_gains_are_found_and_mended(
        self, tmp_path: Path, name: str, record: str, wrong: int, right: int
    ) -> None:
        folder = MIRROR / "challenge-2021/1.0.3/training" / name
        quality = self.prepare(folder, tmp_path / "s.npy")
        outside = ~quality["gain_ratio"].between(0.25, 4)
        assert quality.index[outside].tolist() == [record]
        mended = quality.loc[record]
        others = quality["amplitude_mv"].drop(record)
        assert mended["usable"] == 1
        assert others.min() < mended["amplitude_mv"] < others.max()
        median = others.median()
        assert mended["amplitude_mv"] == pytest.approx(mended["gain_ratio"] * wrong / right * median, rel=0.05)

    def test_flat_leads_do_not_make_an_amplitude_implausible(self, tmp_path: Path) -> None:
        quality = self.prepare(MIRROR / "challenge-2021/1.0.3/training/ningbo", tmp_path / "s.npy")
        assert quality.loc[["JS11438", "JS20004", "JS45542"], "flat_leads"].tolist() == [6, 3, 6]
        assert (quality["flat_leads"] > 0).sum() == 3
        assert quality["gain_ratio"].between(0.25, 4).all()

    def test_every_data_set_passes_the_check_of_its_unit(self, tmp_path: Path) -> None:
        folders = [*(MIRROR / "challenge-2021/1.0.3/training").iterdir(), MIRROR / "ludb/1.0.1", MIRROR / "ptbdb/1.0.0"]
        low, high = PLAUSIBLE_MEDIAN_MV
        medians = []
        for folder in (folder for folder in folders if folder.is_dir()):
            quality = self.prepare(folder, tmp_path / "s.npy")
            medians.append(quality["amplitude_mv"].median())
        assert len(medians) == 9
        assert min(medians) > 2 * low
        assert max(medians) < high / 2

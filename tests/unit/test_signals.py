"""From the recordings of a data set to its signal array, by one or several processes."""

import multiprocessing
import os
import signal as signals_of_the_system
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_signals import SETTINGS, STEPS, as_read, in_microvolts, recording, write_records

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare import signals as module
from ecgtransfer.prepare.gains import out_of_line
from ecgtransfer.prepare.quality import key_of_reason
from ecgtransfer.prepare.rows import Quality, prepare_signal
from ecgtransfer.prepare.signals import prepare_signals
from ecgtransfer.prepare.summary import notices_of, recipe
from ecgtransfer.system_errors import in_words

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few records be enough for several processes to have work."""
    monkeypatch.setattr(module, "CHUNK", 8)


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
            expected, _ = prepare_signal(as_read(signal), 500, SETTINGS)
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
            expected, _ = prepare_signal(as_read(signals[row]), 100, settings)
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

        before = set(multiprocessing.active_children())
        monkeypatch.setattr(module, "read_recording", killed_at_one)
        with pytest.raises(InputError, match="was killed, perhaps because memory ran out"):
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "out/signals.npy", 2)
        assert list((tmp_path / "out").iterdir()) == []
        deadline = time.monotonic() + 20  # a process that was told to end may take a moment
        while set(multiprocessing.active_children()) - before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not set(multiprocessing.active_children()) - before

    def test_an_array_that_cannot_be_written_is_one_clear_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        described = write_records(tmp_path, [recording(2)])

        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OSError) as raised:
            prepare_signals(described, tmp_path, SETTINGS, tmp_path / "out/signals.npy")
        line = in_words(raised.value, "elsewhere")
        assert line is not None and line.startswith(f"{tmp_path / 'out/signals.npy'}: the disk is full; free some")
        assert list((tmp_path / "out").iterdir()) == []

    def test_too_large_for_the_disk(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(2)])
        with pytest.raises(InputError, match=r"TB are needed for the signals, .* are free on that disk; free"):
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
        assert quality["usable"].tolist() == [1, 1, 0]
        assert quality["reason"][2].endswith("% of the samples lie beyond 32.767 mV; look up its unit and gain")

    def test_a_gain_a_thousand_times_too_small_is_mended_though_int16_cannot_hold_it(self, tmp_path: Path) -> None:
        signals = [recording(6, seed=seed) for seed in range(3)]
        described = write_records(tmp_path, signals, gains=["1000(0)/mV", "1000(0)/mV", "1(0)/mV"])
        settings = SETTINGS | {"implausible_gain": {"ratio": 4.0, "action": "rescale"}}
        quality = prepare_signals(described, tmp_path, settings, tmp_path / "signals.npy")
        assert quality["usable"].tolist() == [1, 1, 1]
        assert quality["reason"].tolist() == ["", "", ""]
        row = np.load(tmp_path / "signals.npy")[2]
        assert np.abs(row - in_microvolts(as_read(signals[2]))[:, :500]).max() <= 2 * STEPS

    def test_an_improbable_amplitude_is_said(self, tmp_path: Path) -> None:
        """A gain that is wrong in all headers by less than what no heart can make."""
        described = write_records(tmp_path, [recording(6, seed=s) for s in range(3)], gains=["5000(0)/mV"] * 3)
        quality = prepare_signals(described, tmp_path, SETTINGS, tmp_path / "signals.npy")
        median = quality["amplitude_mv"].median()
        assert median == pytest.approx(0.35, abs=0.1)
        assert notices_of(quality, SETTINGS) == [
            f"the median amplitude is {median:.2g} mV, that of hearts is about 1 mV; check unit and gain"
        ]


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


class TestOddGain:
    """Records whose header states another gain than nearly all others, while their amplitude alone would pass."""

    def settings(self, action: str) -> dict[str, Any]:
        return SETTINGS | {"implausible_gain": {"ratio": 4.0, "action": action}}

    def data_set(self, folder: Path) -> tuple[pd.DataFrame, list[Any]]:
        """Write 60 records: 4 is twice as large as others, but for a gain of 4880; 5 is from a device of its own."""
        signals = [recording(6, seed=seed % 10) for seed in range(60)]
        signals[4] *= 2
        signals[5] *= 0.2
        gains = ["1000(0)/mV"] * 60
        gains[4], gains[5] = "4880(0)/mV", "200(0)/mV"
        return write_records(folder, signals, gains=gains), signals

    def test_flag(self, tmp_path: Path) -> None:
        described, _ = self.data_set(tmp_path)
        quality = prepare_signals(described, tmp_path, self.settings("flag"), tmp_path / "s.npy")
        assert (quality["usable"] == 1).all()
        assert quality["gain_ratio"].between(0.25, 4).all()
        assert quality["steps_per_mv"][[3, 4, 5]].tolist() == [1000, 4880, 200]
        assert np.flatnonzero(out_of_line(quality, 4.0)).tolist() == [4]
        assert notices_of(quality, self.settings("flag")) == [
            "the header of 1 of 60 recordings states a gain of 4880 per mV, those of nearly all others 1000, which"
            " their amplitude fits better or as well (signals.implausible_gain.action: flag)"
        ]

    def test_exclude(self, tmp_path: Path) -> None:
        described, _ = self.data_set(tmp_path)
        quality = prepare_signals(described, tmp_path, self.settings("exclude"), tmp_path / "s.npy")
        assert np.flatnonzero(quality["usable"] == 0).tolist() == [4]
        assert quality["reason"][4] == "implausible gain, 4880 per mV in its header, 1000 in others"

    def test_rescale(self, tmp_path: Path) -> None:
        described, signals = self.data_set(tmp_path)
        prepare_signals(described, tmp_path, self.settings("flag"), tmp_path / "flagged.npy")
        quality = prepare_signals(described, tmp_path, self.settings("rescale"), tmp_path / "s.npy")
        assert (quality["usable"] == 1).all()
        array, flagged = np.load(tmp_path / "s.npy"), np.load(tmp_path / "flagged.npy")
        assert np.abs(array[4] - in_microvolts(signals[4])[:, :500]).max() <= 1.1
        assert np.abs(array[5] - in_microvolts(5 * signals[5])[:, :500]).max() <= 5.1
        others = [row for row in range(60) if row != 4]
        np.testing.assert_array_equal(array[others], flagged[others])
        assert quality["steps_per_mv"][4] == 4880
        assert recipe(quality, self.settings("rescale"))["rescaled"] == 1


class TestNoneUsable:
    """A data set of which no recording can be used is told in the stage that finds it, with the key that decides."""

    def refused(self, described: pd.DataFrame, folder: Path, **settings: Any) -> str:
        with pytest.raises(InputError) as caught:
            prepare_signals(described, folder, SETTINGS | settings, folder / "out/signals.npy")
        assert list((folder / "out").iterdir()) == []
        message = str(caught.value)
        assert message.startswith(f"{folder}: 0 of {len(described)} usable: ")
        assert "\n" not in message
        return message.removeprefix(f"{folder}: ")

    def test_one_lead(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(6, seed=seed)[:1] for seed in range(3)], leads=("II",))
        assert self.refused(described, tmp_path) == (
            "0 of 3 usable: 11 leads are missing (`signals.max_flat_leads`); change the key or mend the recordings"
        )

    def test_shorter_than_the_window(self, tmp_path: Path) -> None:
        described = write_records(tmp_path, [recording(3, seed=seed) for seed in range(3)])
        message = self.refused(described, tmp_path, pad_short_records=False)
        assert "2 s too short (`signals.pad_short_records`)" in message

    def test_samples_missing(self, tmp_path: Path) -> None:
        signal = recording(6)
        signal[:, 1000:2000] = -32.768
        assert "33.3% of the samples are missing (`signals.max_nan_fraction`)" in self.refused(
            write_records(tmp_path, [signal]), tmp_path
        )

    def test_an_offset_that_no_filter_takes_off(self, tmp_path: Path) -> None:
        signals = [recording(6, seed=seed) for seed in range(3)]
        for name, signal in enumerate(signals):
            np.save(tmp_path / f"{name}.npy", signal + 150)
        described = pd.DataFrame(
            {
                "record_id": ["0", "1", "2"],
                "path": ["0.npy", "1.npy", "2.npy"],
                "sampling_rate_hz": 500,
                "n_samples": 3000,
                "unit": "mV",
                "leads": "|".join(LEADS),
            }
        )
        assert self.refused(described, tmp_path, band_pass=SETTINGS["band_pass"] | {"design": "none"}) == (
            "0 of 3 usable: 100.0% of the samples lie beyond 32.767 mV; set signals.band_pass or"
            " signals.remove_baseline (`signals.band_pass.design`); change the key or mend the recordings"
        )

    def test_leads_that_follow_one_another(self, tmp_path: Path) -> None:
        signals = []
        for seed in range(2):
            page = np.zeros((12, 5000))
            for lead, samples in enumerate(recording(10, seed=seed)):
                page[lead, lead // 3 * 1250 :][:1250] = samples[:1250]
            signals.append(page)
        assert self.refused(write_records(tmp_path, signals), tmp_path) == (
            "0 of 2 usable: 12 leads are flat in part (`signals.max_flat_leads`); change the key or mend the recordings"
        )

    def test_several_reasons(self, tmp_path: Path) -> None:
        signals = [recording(6, seed=1), recording(6, seed=2), recording(3, seed=3), recording(0.5, seed=4)]
        signals[0][:] = signals[1][:7] = 0.5
        message = self.refused(write_records(tmp_path, signals), tmp_path, pad_short_records=False)
        assert message == (
            "0 of 4 usable: 12 leads are flat (2 of 4, `signals.max_flat_leads`), only 0.5 s long (1 of 4),"
            " 2 s too short (1 of 4, `signals.pad_short_records`); change the key or mend the recordings"
        )

    @pytest.mark.parametrize(
        "findings",
        ["of the samples are missing", "leads are", "s too short", "implausible", "set signals.band_pass"],
    )
    def test_every_key_is_one_of_the_section(self, findings: str) -> None:
        section, _, key = key_of_reason(f"3 {findings} x").partition(".")
        assert key in SETTINGS[section] if key else section in SETTINGS

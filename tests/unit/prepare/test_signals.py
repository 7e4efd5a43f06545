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
from changed_section import changed
from tiny_signals import SETTINGS, STEPS, as_read, in_microvolts, recording, write_records

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare import signals as module
from ecgtransfer.prepare.rows import Quality, prepare_signal
from ecgtransfer.prepare.signals import prepare_signals
from ecgtransfer.prepare.summary import recipe
from ecgtransfer.system_errors import in_words

REPOSITORY = Path(__file__).parents[3]


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
        settings = changed(SETTINGS, {"duration_s": 2, "implausible_gain": {"ratio": 4.0, "action": "rescale"}})
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
        settings = changed(SETTINGS, {"resampling": "slice", "sampling_rate_hz": 300})
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
        assert made["settings"] == SETTINGS.model_dump()
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
            prepare_signals(described, tmp_path, changed(SETTINGS, {"duration_s": 1e12}), tmp_path / "out/signals.npy")

    @pytest.mark.parametrize("n_workers", [1, 2])
    def test_memory_does_not_grow_with_the_records(self, tmp_path: Path, n_workers: int) -> None:
        write_records(tmp_path, [recording(5)])
        code = f"""
import resource
from pathlib import Path
import pandas as pd
from ecgtransfer.config.signals import Signals
from ecgtransfer.prepare.signals import prepare_signals
for n in (200, 4000):
    described = pd.DataFrame(dict(record_id=[str(i) for i in range(n)], path="001.hea", sampling_rate_hz=500.0,
                                  n_samples=2500, unit="", leads=""))
    settings = Signals.model_validate({SETTINGS.model_dump()!r})
    quality = prepare_signals(described, Path("."), settings, Path("out.npy"), {n_workers})
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

"""`unit: none`: samples that were scaled by whoever made the files, in studies whose scaling takes amplitudes away."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from changed_config import mistakes_of, set_to
from changed_section import changed
from tiny_signals import SETTINGS, recording, write_records

from ecgtransfer.acquire.inventory import inventory
from ecgtransfer.errors import InputError
from ecgtransfer.files import files_there
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_headers import signal_files
from ecgtransfer.prepare.gains import out_of_line
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.records import describe_records
from ecgtransfer.prepare.signal_file import SignalFile
from ecgtransfer.prepare.signals import prepare_signals
from ecgtransfer.prepare.summary import notices_of, recipe
from ecgtransfer.report.ecg_page import draw_ecg_page
from ecgtransfer.report.quality_figure import draw_quality, quality_summary, with_gain_flag

Signal = npt.NDArray[np.float64]
ENTRY = {"folder": "/archive", "table": "/archive.csv", "unit": "none"}


def z_scored(signal: Signal) -> Signal:
    return np.asarray((signal - signal.mean(axis=1, keepdims=True)) / signal.std(axis=1, keepdims=True))


def min_maxed(signal: Signal) -> Signal:
    lowest = signal.min(axis=1, keepdims=True)
    return np.asarray((signal - lowest) / np.ptp(signal, axis=1)[:, None])


def described(folder: Path, signals: list[Signal], unit: str) -> pd.DataFrame:
    """Write signals as .npy files and return them described."""
    rows = []
    for number, signal in enumerate(signals):
        np.save(folder / f"{number}.npy", signal)
        rows.append((f"r{number}", f"{number}.npy", 500.0, signal.shape[1], unit, "|".join(LEADS)))
    columns = ["record_id", "path", "sampling_rate_hz", "n_samples", "unit", "leads"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("scaling", ["z-score", "min-max"])
@pytest.mark.parametrize("scaled", [z_scored, min_maxed, lambda x: 1e-7 * z_scored(x), lambda x: 1e7 * x - 3e7])
def test_rows_are_those_of_the_recordings_before_they_were_scaled(tmp_path: Path, scaling: str, scaled: Any) -> None:
    signals = [recording(6, seed=seed) for seed in range(4)]
    settings = changed(SETTINGS, {"scaling": scaling})
    (tmp_path / "mv").mkdir()
    prepare_signals(described(tmp_path / "mv", signals, "mV"), tmp_path / "mv", settings, tmp_path / "mv.npy")
    table = described(tmp_path, [scaled(signal) for signal in signals], "none")
    quality = prepare_signals(table, tmp_path, settings, tmp_path / "none.npy")
    expected = np.load(tmp_path / "mv.npy").astype(int)
    assert np.abs(np.load(tmp_path / "none.npy") - expected).max() <= (1 if scaling == "z-score" else 10)  # of 10,000
    assert (quality["usable"] == 1).all()
    assert quality[["amplitude_mv", "gain_ratio"]].isna().all(axis=None)
    assert not out_of_line(quality, 4.0).any()
    assert notices_of(quality, settings) == []
    assert recipe(quality, settings)["with_implausible_amplitude"] == 0


def test_without_the_word_the_message_names_it(tmp_path: Path) -> None:
    table = described(tmp_path, [20 * z_scored(recording(6))], "mV")
    with pytest.raises(InputError, match="or `unit: none` if they were scaled already"):
        prepare_signals(table, tmp_path, changed(SETTINGS, {"scaling": "z-score"}), tmp_path / "s.npy")
    with pytest.raises(InputError, match=r"set the right `unit` of the data set$"):
        prepare_signals(table, tmp_path, SETTINGS, tmp_path / "s.npy")


def test_some_recordings_may_have_a_unit(tmp_path: Path) -> None:
    signals = [recording(6, seed=seed) for seed in range(4)]
    table = described(tmp_path, [*signals[:3], z_scored(signals[3])], "mV")
    table.loc[3, "unit"] = "none"
    quality = prepare_signals(table, tmp_path, changed(SETTINGS, {"scaling": "z-score"}), tmp_path / "s.npy")
    assert quality["gain_ratio"].isna().tolist() == [False, False, False, True]


def test_where_amplitudes_are_kept_it_is_refused(tmp_path: Path) -> None:
    table = described(tmp_path, [recording(6), recording(6)], "mV")
    table.loc[1, "unit"] = "none"
    with pytest.raises(InputError, match=r"1 of 2 recordings have the unit 'none', and signals\.scaling: none keeps"):
        prepare_signals(table, tmp_path, SETTINGS, tmp_path / "s.npy")


@pytest.mark.parametrize("scaling", ["min-max", "z-score"])
def test_the_config_allows_it_where_the_scaling_takes_amplitudes_away(scaling: str) -> None:
    (mistake,) = mistakes_of(set_to("own/ours", ENTRY))
    assert mistake.startswith("`own.ours.unit` is 'none', and `signals.scaling: none` keeps amplitudes")
    assert mistakes_of(set_to("own/ours", ENTRY), set_to("signals/scaling", scaling)) == []


@pytest.mark.parametrize("in_table", [True, False])
def test_entry_or_table_can_say_it(tmp_path: Path, in_table: bool) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    np.save(folder / "a.npy", recording(6))
    table = tmp_path / "archive.csv"
    said = {"unit": ["None"]} if in_table else {}
    pd.DataFrame({"record": ["a"], "file": ["a.npy"], "labels": ["426783006"], **said}).to_csv(table, index=False)
    entry = {"reader": "table", "folder": str(folder), "table": str(table), "sampling_rate_hz": 500, "leads": [*LEADS]}
    if not in_table:
        entry["unit"] = "none"
    records, rejected, _ = describe_records(entry, folder, files_there(inventory(entry, signal_files)))
    assert rejected.empty
    assert records["unit"].tolist() == ["none"]


def test_a_reader_brings_it_to_one(tmp_path: Path) -> None:
    signal = 1e5 * recording(6)
    signal[3] = np.nan
    np.save(tmp_path / "a.npy", signal)
    read = read_recording(tmp_path, "a.npy", "none", "|".join(LEADS))
    alive = np.delete(read, 3, axis=0)
    assert np.median(np.ptp(alive, axis=1)) == pytest.approx(1)
    factor = alive[0, 7] / signal[0, 7]
    np.testing.assert_allclose(alive, factor * np.delete(signal, 3, axis=0), rtol=1e-5)
    assert np.isnan(read[3]).all()


def test_a_flat_one_stays_flat(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((12, 500), 7.0))
    assert (read_recording(tmp_path, "a.npy", "none", "|".join(LEADS)) == 7).all()


def test_no_drawing_claims_millivolts() -> None:
    page = draw_ecg_page(recording(10), 500, "x", has_unit=False).axes[0]
    assert "25 mm/s  scaled, no unit" in [text.get_text() for text in page.texts]
    assert not [line for line in page.lines if len(line.get_ydata()) == 6]  # pulses of 1 mV


def test_the_quality_figure_says_so(tmp_path: Path) -> None:
    signals = [z_scored(recording(6, seed=seed)) for seed in range(4)]
    table = described(tmp_path, signals, "none")
    quality = prepare_signals(table, tmp_path, changed(SETTINGS, {"scaling": "z-score"}), tmp_path / "s.npy")
    quality = with_gain_flag(quality, 4.0)
    summary = quality_summary(pd.DataFrame({"reason": pd.Series(dtype=str)}), quality)
    figure = draw_quality("ours", summary, quality, SignalFile(tmp_path / "s.npy").rows, 100, (0.25, 4))
    figure.canvas.draw()
    texts = [text.get_text() for part in figure.subfigs for axes in part.axes for text in axes.texts]
    assert "no unit:\nnot compared" in texts


def test_headers_that_say_a_unit_are_believed(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    write_records(folder, [recording(6)])
    table = tmp_path / "archive.csv"
    table.write_text("record,file,labels\na,001,426783006\n")
    entry = {"reader": "table", "folder": str(folder), "table": str(table), "unit": "none"}
    records, _, notices = describe_records(entry, folder, files_there(inventory(entry, signal_files)))
    assert records["unit"].tolist() == [""]
    assert any("`unit: none` of the entry is not used for 1 of 1 recordings" in notice for notice in notices)

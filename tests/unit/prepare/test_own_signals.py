"""Who says rate, unit and leads of a recording of your own: file, table or entry, and what if they differ."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
import wfdb
from tiny_own import described, own
from tiny_wfdb import SHUFFLED

from ecgtransfer.acquire.inventory import inventory
from ecgtransfer.errors import InputError
from ecgtransfer.files import files_there
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_headers import signal_files
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.prepare.records import describe_records

N_SAMPLES = 60
ONE = "record,file,labels\na,r,426783006\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "hospital"
    place.mkdir()
    return place


def write(folder: Path, names: tuple[str, ...], name: str = "r", unit: str = "mV") -> npt.NDArray[np.float64]:
    """Let wfdb write a record whose signals are called so, or not at all; return (signals, samples)."""
    digital = np.random.default_rng(4).integers(-900, 900, (N_SAMPLES, len(names)))
    wfdb.wrsamp(
        name, fs=500, units=[unit] * len(names), sig_name=[f"name{i}" for i in range(len(names))], d_signal=digital,
        fmt=["16"] * len(names), adc_gain=[100.0] * len(names), baseline=[0] * len(names), write_dir=str(folder),
    )  # fmt: skip
    header = folder / f"{name}.hea"
    text = header.read_text()
    for i, called in reversed(list(enumerate(names))):
        text = text.replace(f" name{i}\n", f" {called}\n" if called else "\n")
    header.write_text(text)
    return digital.T / 100


def notices_of(entry: dict[str, Any]) -> list[str]:
    _, _, notices = describe_records(entry, Path(entry["folder"]), files_there(inventory(entry, signal_files)))
    return notices


def read(entry: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Return the samples of the only recording, which must not be rejected."""
    records, rejected = described(entry)
    assert rejected == {}
    (record,) = records.to_dict("records")
    return read_recording(entry["folder"], record["path"], record["unit"], record["leads"])


class TestLeadsOfAWfdbRecord:
    """Its header says them; where it says nothing, table and entry count."""

    @pytest.mark.parametrize("names", [("",) * 12, tuple(f"ch{i}" for i in range(12))], ids=["none", "no leads"])
    def test_entry_and_table_count_where_the_header_names_none(self, folder: Path, names: tuple[str, ...]) -> None:
        samples = write(folder, names)
        expected = samples[[SHUFFLED.index(lead) for lead in LEADS]]
        np.testing.assert_allclose(read(own(folder, ONE, leads=list(SHUFFLED))), expected, rtol=1e-6)
        by_row = f"record,file,labels,leads\na,r,426783006,{'|'.join(SHUFFLED)}\n"
        np.testing.assert_allclose(read(own(folder, by_row)), expected, rtol=1e-6)
        np.testing.assert_allclose(read(own(folder, by_row, leads=list(LEADS))), expected, rtol=1e-6)

    def test_an_inverted_lead_of_the_entry(self, folder: Path) -> None:
        samples = write(folder, ("",) * 12)
        found = read(own(folder, ONE, leads=[*LEADS[:3], "-aVR", *LEADS[4:]]))
        np.testing.assert_allclose(found, np.where(np.arange(12)[:, None] == 3, -samples, samples), rtol=1e-6)

    def test_some_are_named(self, folder: Path) -> None:
        samples = write(folder, ("I", "II", *("",) * 10))
        np.testing.assert_allclose(read(own(folder, ONE, leads=list(LEADS))), samples, rtol=1e-6)

    def test_a_header_that_names_them_needs_no_key(self, folder: Path) -> None:
        samples = write(folder, (*LEADS, "vx"))
        records, _ = described(own(folder, ONE, leads=list(LEADS)))
        assert records["leads"].tolist() == [""]
        np.testing.assert_allclose(read(own(folder, ONE, leads=list(LEADS))), samples[:12], rtol=1e-6)

    @pytest.mark.parametrize("names", [SHUFFLED, ("", "I", *("",) * 10)], ids=["all named", "one named"])
    def test_a_contradiction_is_refused(self, folder: Path, names: tuple[str, ...]) -> None:
        write(folder, names)
        _, rejected = described(own(folder, ONE, leads=list(LEADS)))
        first = next((ours, theirs) for ours, theirs in zip(LEADS, names, strict=True) if theirs and ours != theirs)
        assert rejected["a"] == f"the signal named '{first[1]}' is lead '{first[0]}' by the entry of the data set"

    def test_another_number_of_leads_is_refused(self, folder: Path) -> None:
        write(folder, ("",) * 13)
        _, rejected = described(own(folder, ONE, leads=list(LEADS)))
        assert rejected["a"] == "has 13 signals, 12 leads are named"

    def test_nothing_says_them(self, folder: Path) -> None:
        write(folder, ("",) * 12)
        with pytest.raises(InputError, match="nothing states the leads of 'r'; add a column 'leads' to the table or"):
            described(own(folder, ONE))
        write(folder, ("ch1", "ch2"))
        _, rejected = described(own(folder, ONE))
        assert rejected["a"] == (
            "none of the twelve leads is there, found 'ch1', 'ch2'; give `leads` in the table or the entry where a"
            " header does not name them"
        )


class TestRateAndUnitOfAWfdbRecord:
    """Its header states them; if table or entry contradict it, that is refused or counted."""

    def test_a_unit_of_the_table_that_contradicts(self, folder: Path) -> None:
        write(folder, LEADS)
        table = "record,file,labels,unit\na,r,426783006,{}\n"
        _, rejected = described(own(folder, table.format("uV")))
        assert rejected["a"] == "the table says the unit uV, the file mV"
        for same in ("mV", "1000 uV", "0.001 V"):
            assert described(own(folder, table.format(same)))[1] == {}

    def test_keys_that_headers_overrule_are_counted(self, folder: Path) -> None:
        write(folder, LEADS)
        write(folder, LEADS, "s", unit="uV")
        table = "record,file,labels,rate\na,r,426783006,\nb,s,426783006,500\n"
        told = notices_of(own(folder, table, sampling_rate_hz=250, unit="uV"))
        used = [notice for notice in told if "not used" in notice]
        assert used == [
            "`sampling_rate_hz: 250` of the entry is not used for 1 of 2 recordings, whose WFDB headers differ, the"
            " first 500",
            "`unit: uV` of the entry is not used for 1 of 2 recordings, whose WFDB headers differ, the first mV",
        ]
        told = notices_of(own(folder, table, sampling_rate_hz=500))
        assert not [notice for notice in told if "not used" in notice]

    def test_matlab_files_beside_headers_are_counted(self, folder: Path) -> None:
        write(folder, LEADS)
        for name in ("r", "lone"):
            scipy.io.savemat(folder / f"{name}.mat", {"val": np.zeros((12, 40))}, format="4")
        table = "record,file,labels\na,r.mat,426783006\nb,lone.mat,426783006\n"
        told = notices_of(own(folder, table, sampling_rate_hz=500, unit="uV", leads=list(LEADS)))
        assert [notice for notice in told if "MATLAB" in notice] == [
            "1 of 2 recordings are MATLAB files with a WFDB header of the same name, whose gains, rate and leads are"
            " not used; name the .hea in the table to use them"
        ]

    @pytest.mark.parametrize("column", ["array", "row"])
    def test_an_array_or_row_of_a_record(self, folder: Path, column: str) -> None:
        write(folder, LEADS)
        _, rejected = described(own(folder, f"record,file,labels,{column}\na,r,426783006,0\n"))
        assert rejected["a"] == "a WFDB record has no arrays and rows; leave these cells empty"


class TestNamesOfLeads:
    """A name may have blanks where bars, semicolons or commas separate the names."""

    @pytest.mark.parametrize("between", ["|", ";", ", ", " ; "])
    def test_names_with_blanks(self, folder: Path, between: str) -> None:
        samples = np.arange(12 * 40.0).reshape(12, 40)
        np.save(folder / "r.npy", samples)
        names = between.join(f"Lead {lead}" for lead in LEADS)
        table = f'record,file,labels,leads\na,r.npy,426783006,"{names}"\n'
        np.testing.assert_array_equal(read(own(folder, table, sampling_rate_hz=500, unit="mV")), samples)

    def test_names_with_blanks_in_the_entry(self, folder: Path) -> None:
        samples = np.arange(12 * 40.0).reshape(12, 40)
        np.save(folder / "r.npy", samples)
        keys = {"sampling_rate_hz": 500, "unit": "mV", "leads": [f"MDC ECG LEAD {lead}" for lead in LEADS]}
        table = "record,file,labels\na,r.npy,426783006\n"
        np.testing.assert_array_equal(read(own(folder, table, **keys)), samples)


def test_rows_that_never_are_0_are_said(folder: Path) -> None:
    np.save(folder / "m.npy", np.zeros((9, 12, 40)))
    keys = {"sampling_rate_hz": 500, "unit": "mV", "leads": list(LEADS)}
    told = "no recording is row 0 of its array; if rows are counted from 1, subtract 1 from all"
    table = "record,file,row,labels\na,m.npy,{},426783006\nb,m.npy,4,426783006\n"
    assert told in notices_of(own(folder, table.format(1), **keys))
    assert told not in notices_of(own(folder, table.format(0), **keys))
    assert told not in notices_of(own(folder, table.format(3), **keys))

"""WFDB formats that the ``wfdb`` package reads for us: the sign of a lead, and records that unpack to too much."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from tiny_wfdb import N_SAMPLES, assert_same, edit_header, message_of, write_record

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_files import check_record, read_header, read_signal

SIGNS = ("-I", "II", "III", "-aVR", *LEADS[4:])


def write_flac(folder: Path, sample_format: str, leads: tuple[str, ...]) -> None:
    """Write r1 with the samples of `write_record`, compressed as FLAC."""
    digital = np.random.default_rng(7).integers(-100, 100, (N_SAMPLES, 12))
    wfdb.wrsamp(
        "r1", fs=500, units=["mV"] * 12, sig_name=list(leads), d_signal=digital, fmt=[sample_format] * 12,
        adc_gain=[100.0] * 12, baseline=[3] * 12, write_dir=str(folder),
    )  # fmt: skip


def write_other(folder: Path, sample_format: str, leads: tuple[str, ...]) -> None:
    """Write r1 with random bytes for samples, in a format that wfdb reads but does not write."""
    write_record(folder, sample_format="80", leads=leads)
    edit_header(folder, "r1.dat 80 ", f"r1.dat {sample_format} ")
    (folder / "r1.dat").write_bytes(np.random.default_rng(5).bytes(4 * N_SAMPLES * 12))


@pytest.mark.parametrize("sample_format", ["508", "516", "524", "8", "310", "311"])
def test_an_inverted_lead_is_turned_around(tmp_path: Path, sample_format: str) -> None:
    (write_flac if sample_format.startswith("5") else write_other)(tmp_path, sample_format, SIGNS)
    stored = wfdb.rdrecord(str(tmp_path / "r1"))
    assert tuple(stored.sig_name) == SIGNS
    expected = stored.p_signal.T * [[-1 if name.startswith("-") else 1] for name in SIGNS]
    found = read_signal(tmp_path / "r1.hea")
    assert_same(found, expected, stored.adc_gain)
    assert np.abs(expected[3]).max() > 10 / stored.adc_gain[3]  # the sign of zeros would show nothing


def test_a_negative_gain_is_not_turned_around_twice(tmp_path: Path) -> None:
    write_flac(tmp_path, "516", SIGNS)
    plain = read_signal(tmp_path / "r1.hea")
    edit_header(tmp_path, "516 100.0(3)/mV", "516 -100.0(3)/mV")
    assert_same(read_signal(tmp_path / "r1.hea"), -plain.astype(np.float64), 100.0)


@pytest.mark.parametrize(("header", "signals"), [(".HEA", ".dat"), (".hea", ".DAT"), (".HEA", ".DAT")])
def test_suffixes_in_capitals(tmp_path: Path, header: str, signals: str) -> None:
    write_flac(tmp_path, "516", LEADS)
    expected = read_signal(tmp_path / "r1.hea")
    stored = tmp_path / read_header(tmp_path / "r1.hea").file_names[0]
    stored.rename(stored.with_suffix(signals))
    path = (tmp_path / "r1.hea").rename(tmp_path / f"r1{header}")
    assert_same(read_signal(path), expected)


def test_silence_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    write_flac(tmp_path, "516", LEADS)
    path = edit_header(tmp_path, f"12 500 {N_SAMPLES}", f"12 500 {10**7}")
    with (tmp_path / "r1_1.dat").open("ab") as file:
        file.truncate(10**6)
    for call in (read_signal, lambda path: check_record(read_header(path), path)):
        told = message_of(lambda call=call: call(path))
        assert told == (
            f"{path}: unpacked, signal file r1_1.dat takes 0.64 GB of memory, more than 0.13 GB;"
            " cut the record into shorter ones"
        )

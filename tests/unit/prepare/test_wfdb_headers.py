"""What is in a WFDB header, and the message about one that cannot be read."""

from pathlib import Path

import pytest
from tiny_wfdb import N_SAMPLES, assert_same, edit_header, message_of, write_record

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_files import read_header, read_signal


def test_header(tmp_path: Path) -> None:
    write_record(tmp_path, gains=[250.0] * 12, baselines=[-4] * 12)
    header = read_header(tmp_path / "r1.hea")
    assert (header.sampling_rate_hz, header.n_samples) == (500.0, N_SAMPLES)
    assert header.comments == ("Age: 50", "Dx: 426783006")
    assert [lead.name for lead in header.leads] == list(LEADS)
    assert {(lead.gain, lead.baseline, lead.unit) for lead in header.leads} == {(250.0, -4, "mV")}
    assert header.file_names == ("r1.dat",) * 12


def test_missing_header(tmp_path: Path) -> None:
    path = tmp_path / "r1.hea"
    assert message_of(lambda: read_header(path)) == f"{path}: header is missing"
    assert "header cannot be read (it is no regular file)" in message_of(lambda: read_header(tmp_path))


@pytest.mark.parametrize("content", ["\n\n", "# only a comment\n"])
def test_empty_header(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r1.hea"
    path.write_text(content)
    assert message_of(lambda: read_header(path)) == f"{path}: the header is empty, expected a record line"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (f"r1 12 500 {N_SAMPLES}", "r1 12 500", "is not 'name signals sampling-rate samples'"),
        (f"r1 12 500 {N_SAMPLES}", "r1 twelve 500 9", "is not 'name signals sampling-rate samples'"),
        ("r1 12 500", "r1 12 0", "impossible number of signals, rate or samples"),
        ("r1 12 500", "r1 12 0.5", "0.5 Hz is not a sampling rate of an ECG, expected 20 to 50000 Hz"),  # in kHz
        ("r1 12 500", "r1 12 500000", "500000 Hz is not a sampling rate of an ECG, expected 20 to 50000 Hz"),
        ("r1 12 500", "r1 12 nan", "is not 'name signals sampling-rate samples'"),
        (f"r1 12 500 {N_SAMPLES}", "r1 12 500 0", "impossible number of signals, rate or samples"),
        ("r1 12 500", "r1 13 500", "announces 13 signals, 12 follow"),
        ("r1.dat 16 ", "r1.dat ", "cannot be read"),
        ("r1.dat 16 ", "r1.dat 16x4 ", "cannot be read (several samples per frame)"),
        ("r1.dat 16 ", "r1.dat 16:3 ", "cannot be read (skewed signals)"),
        ("1000.0(0)/mV", "1000.0(zero)/mV", "cannot be read (format, gain or ADC zero)"),
        ("1000.0(0)/mV", "1e999(0)/mV", "cannot be read (an impossible gain)"),
        ("1000.0(0)/mV", "nan(0)/mV", "cannot be read (format, gain or ADC zero)"),
        ("1000.0(0)/mV", "1e-40(0)/mV", "cannot be read (an impossible gain)"),
        (f"500 {N_SAMPLES}", f"500 {'9' * 5000}", "is not 'name signals sampling-rate samples'"),
        (f"500 {N_SAMPLES}", "500 \u00b2", "is not 'name signals sampling-rate samples'"),
        (f"500 {N_SAMPLES}", f"500 -{N_SAMPLES}", "impossible number of signals, rate or samples"),
        ("r1.dat 16 ", "../r1.dat 16 ", "its file does not lie in the folder of the record"),
        ("r1.dat 16 ", "/etc/passwd 16 ", "its file does not lie in the folder of the record"),
        ("r1.dat 16 ", "a/../../r1.dat 16 ", "its file does not lie in the folder of the record"),
        ("r1.dat 16 ", "r1\x00.dat 16 ", "the name of its file is too long or has unprintable characters"),
    ],
)
def test_header_that_cannot_be_read(tmp_path: Path, old: str, new: str, expected: str) -> None:
    write_record(tmp_path)
    path = edit_header(tmp_path, old, new, 1)
    message = message_of(lambda: read_header(path))
    assert message.startswith(f"{path}: ")
    assert expected in message


def test_line_ends_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    expected = write_record(tmp_path)
    path = tmp_path / "r1.hea"
    path.write_bytes(b"\r\n" + path.read_bytes().replace(b"\n", b" \r\n\r\n"))
    assert_same(read_signal(path), expected)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["", "\n", "# a comment\n"], ids=["record line", "blank line", "comment"])
def test_a_byte_order_mark(tmp_path: Path, encoding: str, first: str) -> None:
    expected = write_record(tmp_path)
    path = tmp_path / "r1.hea"
    path.write_bytes((first + path.read_text()).replace("\n", "\r\n").encode(encoding))
    assert_same(read_signal(path), expected)
    assert read_header(path).comments[-2:] == ("Age: 50", "Dx: 426783006")


def test_nul_bytes_behind_the_last_line(tmp_path: Path) -> None:
    expected = write_record(tmp_path)
    path = tmp_path / "r1.hea"
    path.write_bytes(path.read_bytes() + bytes(300))
    assert_same(read_signal(path), expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("r1 12 500", "\0\0\0\nr1 12 500", "record line '\\x00\\x00\\x00' is not 'name signals"),
        ("\nr1.dat", "\n\0\0\nr1.dat", "signal line '\\x00\\x00' cannot be read"),
        (" V6\n", " V6\0\0\n", r"lead V6 missing and lead name 'V6\x00\x00' unknown"),
        ("16 1000.0", "16\0 1000.0", "cannot be read (format, gain or ADC zero)"),
    ],
    ids=["before", "between", "in a name", "in a number"],
)
def test_nul_bytes_within(tmp_path: Path, old: str, new: str, expected: str) -> None:
    write_record(tmp_path)
    path = edit_header(tmp_path, old, new, 1)
    assert expected in message_of(lambda: read_signal(path))


@pytest.mark.parametrize("name", ["medians/00001", "00/00001", "a/b/3", "12/r1", "./r1", "/archive/r1", "r1/"])
def test_a_folder_in_the_name_of_the_record(tmp_path: Path, name: str) -> None:
    """Its signal files lie where its signal lines say."""
    expected = write_record(tmp_path)
    path = edit_header(tmp_path, "r1 12 500", f"{name} 12 500")
    assert_same(read_signal(path), expected)


@pytest.mark.parametrize("first", ["r1_1 150", "r1_layout 0", "~ 100"])
def test_segments(tmp_path: Path, first: str) -> None:
    path = tmp_path / "r1.hea"
    path.write_text(f"r1/3 12 500 {N_SAMPLES}\n{first}\nr1_2 100\nr1_3 51\n")
    told = message_of(lambda: read_header(path))
    assert told == f"{path}: multi-segment records are not supported; split the record into its segments"


def test_comments_in_any_encoding(tmp_path: Path) -> None:
    write_record(tmp_path)
    path = tmp_path / "r1.hea"
    path.write_bytes(path.read_bytes() + "# caf\u00e9\n".encode() + b"# caf\xe9\n#\x00\xff\n")
    assert read_header(path).comments[2:] == ("caf\u00e9", "caf\u00e9", "\x00\u00ff")

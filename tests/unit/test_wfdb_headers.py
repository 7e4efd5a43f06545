"""What stands in a WFDB header, and what is said of one that cannot be read."""

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


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n"])
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
        ("r1 12 500", "r1 12 0.5", "0.5 Hz is no rate of an ECG, expected 20 to 50000 Hz"),  # in kHz
        ("r1 12 500", "r1 12 500000", "500000 Hz is no rate of an ECG, expected 20 to 50000 Hz"),
        ("r1 12 500", "r1 12 nan", "is not 'name signals sampling-rate samples'"),
        (f"r1 12 500 {N_SAMPLES}", "r1 12 500 0", "impossible number of signals, rate or samples"),
        ("r1 12 500", "r1 13 500", "announces 13 signals, 12 follow"),
        ("r1 12 500", "r1/2 12 500", "multi-segment records are not supported"),
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


def test_comments_in_any_encoding(tmp_path: Path) -> None:
    write_record(tmp_path)
    path = tmp_path / "r1.hea"
    path.write_bytes(path.read_bytes() + "# caf\u00e9\n".encode() + b"# caf\xe9\n#\x00\xff\n")
    assert read_header(path).comments[2:] == ("caf\u00e9", "caf\u00e9", "\x00\u00ff")

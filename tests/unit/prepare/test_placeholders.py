"""What replaces a data file is reported: a git-lfs pointer, a page of a web server, a compressed file, nothing."""

import gzip
from pathlib import Path

import pytest
from test_formats_left_to_wfdb import write_flac
from test_prepare_recordings import ALL
from tiny_own import described, own
from tiny_wfdb import N_SAMPLES, assert_same, message_of, write_record

from ecgtransfer.csv_rows import read_rows
from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_files import check_record, read_header, read_signal
from ecgtransfer.prepare.recordings import read_recording, recording_metadata

HTML = "is an HTML page (a sign-in or error page in place of the file); download it again"
XML = "is XML (an error message of a server in place of the file?); download it again"
LFS = "is a git-lfs pointer, not the file itself; fetch it with git lfs pull"
PAGE = b"<!DOCTYPE html>\n<html lang='en'><body>Sign in, please</body></html>\n"
STAND_INS = {
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", LFS),
    "html": (PAGE, HTML),
    "html_with_blanks": (b"\xef\xbb\xbf\r\n  <HTML><head><title>429</title></head></HTML>", HTML),
    "xhtml": (b'<?xml version="1.0"?>\n' + PAGE, HTML),
    "xml": (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', XML),
    "gzip": (gzip.compress(b"record,file\n" * 50, mtime=0), "is compressed with gzip; unpack it"),
    "empty": (b"", "is empty; copy or download it again"),
}
each = pytest.mark.parametrize(("content", "said"), STAND_INS.values(), ids=STAND_INS)


@pytest.mark.parametrize("suffix", ["npy", "npz", "h5", "hdf5", "mat", "csv"])
@each
def test_in_place_of_an_array(tmp_path: Path, suffix: str, content: bytes, said: str) -> None:
    path = f"r.{suffix}"
    (tmp_path / path).write_bytes(content)
    for name in (path, f"{path}#ecg", f"{path}#ecg[3]"):
        assert message_of(lambda name=name: read_recording(tmp_path, name, "mV", ALL)) == f"{tmp_path}/{name}: {said}"
        assert message_of(lambda name=name: recording_metadata(tmp_path, name)) == f"{tmp_path}/{name}: {said}"


@pytest.mark.parametrize("leads", [{}, {"leads": list(LEADS)}], ids=["no leads", "leads"])
@each
def test_in_place_of_a_recording_of_ones_own(
    tmp_path: Path, leads: dict[str, list[str]], content: bytes, said: str
) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    table = "record,file,labels\na,r.csv,426783006\n"
    _, rejected = described(own(tmp_path, table, sampling_rate_hz=500, unit="mV", **leads))
    assert rejected == {"a": said}


@each
def test_in_place_of_a_header(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "r1.hea"
    path.write_bytes(content)
    assert message_of(lambda: read_header(path)) == f"{path}: {said}"


def test_a_page_longer_than_any_header(tmp_path: Path) -> None:
    path = tmp_path / "r1.hea"
    path.write_bytes(PAGE * 5000)
    assert message_of(lambda: read_header(path)) == f"{path}: {HTML}"


@each
def test_in_place_of_a_signal_file(tmp_path: Path, content: bytes, said: str) -> None:
    write_record(tmp_path)
    path = tmp_path / "r1.hea"
    (tmp_path / "r1.dat").write_bytes(content)
    told = f"{path}: signal file r1.dat {said}"
    assert message_of(lambda: read_signal(path)) == told
    assert message_of(lambda: check_record(read_header(path), path)) == told


def test_a_page_longer_than_a_signal_file(tmp_path: Path) -> None:
    """Its letters would be read as samples."""
    write_record(tmp_path)
    path = tmp_path / "r1.hea"
    (tmp_path / "r1.dat").write_bytes(PAGE * N_SAMPLES)
    assert message_of(lambda: read_signal(path)) == f"{path}: signal file r1.dat {HTML}"


def test_a_signal_file_that_is_longer_than_it_says(tmp_path: Path) -> None:
    expected = write_record(tmp_path)
    with (tmp_path / "r1.dat").open("ab") as file:
        file.write(PAGE)
    assert_same(read_signal(tmp_path / "r1.hea"), expected)


def test_a_page_in_place_of_a_compressed_signal_file(tmp_path: Path) -> None:
    write_flac(tmp_path, "516", LEADS)
    path = tmp_path / "r1.hea"
    name = read_header(path).file_names[0]
    (tmp_path / name).write_bytes(PAGE)
    assert message_of(lambda: read_signal(path)) == f"{path}: signal file {name} {HTML}"


@each
def test_in_place_of_a_table(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert message_of(lambda: read_rows(path, ["record"])) == f"{path}: {said}"
    (tmp_path / "hospital").mkdir()
    entry = own(tmp_path / "hospital", "")
    Path(str(entry["table"])).write_bytes(content)
    with pytest.raises(InputError) as caught:
        described(entry)
    assert str(caught.value) == f"{entry['table']}: {said}"

"""Our readers against wfdb, h5py and scipy on real recordings, sample by sample."""

import shutil
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
import wfdb

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.recordings import read_recording, recording_metadata

MIRROR = Path(__file__).parents[2].parent / "shared/mirror"
FILES = MIRROR / "files"
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="no real recordings beside the repository")

FOLDERS = {
    "ptb-xl/1.0.3/records500": 400,
    "ptb-xl/1.0.3/records100": 400,
    "challenge-2021/1.0.3/training/georgia": 55,
    "challenge-2021/1.0.3/training/ningbo": 49,
    "challenge-2021/1.0.3/training/ptb-xl": 26,
    "challenge-2021/1.0.3/training/cpsc_2018_extra": 22,
    "challenge-2021/1.0.3/training/chapman_shaoxing": 15,
    "challenge-2021/1.0.3/training/cpsc_2018": 12,
    "challenge-2021/1.0.3/training/ptb": 7,
    "ludb/1.0.1/data": 150,
    "ptbdb/1.0.0": 4,
}
"""Folder and how many records lie there."""


@cache
def headers_in(folder: str) -> list[Path]:
    """Return the header files of a folder."""
    return sorted((FILES / folder).rglob("*.hea"))


def carries_suffix(header: Path) -> bool:
    """Return whether the record name in the first line ends in .mat, which wfdb refuses."""
    return header.read_text().split(maxsplit=1)[0].endswith(".mat")


def assert_equals_wfdb(header: Path, record: Path) -> None:
    """Compare the twelve leads, which `record` holds as wfdb can read them: half a quantisation step at most."""
    names = [name.lower() for name in wfdb.rdheader(str(record)).sig_name]
    # Only the channels needed: PTB Diagnostic records may lack the file of the others.
    expected = wfdb.rdrecord(str(record), channels=[names.index(lead.lower()) for lead in LEADS])
    assert {unit.lower() for unit in expected.units} == {"mv"}
    assert [name.lower() for name in expected.sig_name] == [lead.lower() for lead in LEADS]
    found = read_recording(FILES, header.relative_to(FILES).as_posix())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected.p_signal.T), err_msg=str(header))
    steps = np.abs(found - expected.p_signal.T) * np.array(expected.adc_gain)[:, None]
    assert np.nanmax(steps) <= 0.5, header
    metadata = recording_metadata(FILES, header.relative_to(FILES).as_posix())
    assert metadata[:2] == (expected.fs, expected.sig_len)


def test_every_folder_is_compared() -> None:
    everything = set(FILES.rglob("*.hea"))
    assert everything == {header for folder in FOLDERS for header in headers_in(folder)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_record_that_wfdb_can_read_is_the_same(folder: str) -> None:
    headers = headers_in(folder)
    assert len(headers) == FOLDERS[folder]
    readable = [header for header in headers if not carries_suffix(header)]
    assert len(readable) == len(headers) - (31 if folder.endswith("georgia") else 0)
    for header in readable:
        assert_equals_wfdb(header, header.with_suffix(""))


def test_georgia_headers_that_wfdb_refuses(tmp_path: Path) -> None:
    refused = [header for header in headers_in("challenge-2021/1.0.3/training/georgia") if carries_suffix(header)]
    assert len(refused) == 31
    with pytest.raises(Exception, match="record line"):
        wfdb.rdheader(str(refused[0].with_suffix("")))
    for header in refused:
        first, rest = header.read_text().split(maxsplit=1)
        (tmp_path / header.name).write_text(f"{first.removesuffix('.mat')} {rest}")
        shutil.copy(header.with_suffix(".mat"), tmp_path)
        assert_equals_wfdb(header, tmp_path / header.stem)


def test_a_truncated_copy_is_refused(tmp_path: Path) -> None:
    header = headers_in("ptb-xl/1.0.3/records500")[0]
    shutil.copy(header, tmp_path)
    (tmp_path / header.with_suffix(".dat").name).write_bytes(header.with_suffix(".dat").read_bytes()[:-1])
    with pytest.raises(InputError, match="truncated, it has 119999 bytes of the 120000"):
        read_recording(tmp_path, header.name)


def assert_equals(path: str, expected: npt.NDArray[np.floating]) -> None:
    found = read_recording(MIRROR, path, "mV", "|".join(LEADS))
    assert expected.dtype in (np.float16, np.float32)  # both fit into a float32, so nothing may be lost
    np.testing.assert_array_equal(found, expected)
    assert recording_metadata(MIRROR, path).n_samples == expected.shape[1]


def test_sph_equals_h5py() -> None:
    paths = sorted((MIRROR / "samples/sph").glob("*.h5"))
    assert len(paths) == 7
    for path in paths:
        with h5py.File(path) as file:
            (dataset,) = file.values()
            assert_equals(path.relative_to(MIRROR).as_posix(), dataset[()])


def test_code15_equals_scipy() -> None:
    paths = sorted((MIRROR / "samples/code15").glob("*.mat"))
    assert len(paths) == 6
    for path in paths:
        expected = scipy.io.loadmat(path)["feats"]
        assert_equals(f"{path.relative_to(MIRROR).as_posix()}#feats", expected if len(expected) == 12 else expected.T)

"""Our reader against wfdb on real recordings, sample by sample."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import wfdb

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.wfdb_files import read_signal

MIRROR = Path(__file__).parents[2].parent / "shared/mirror/files"
pytestmark = pytest.mark.skipif(not MIRROR.is_dir(), reason="no real recordings beside the repository")

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
    return sorted((MIRROR / folder).rglob("*.hea"))


def carries_suffix(header: Path) -> bool:
    """Tell whether the record name in the first line ends in .mat, which wfdb refuses."""
    return header.read_text().split(maxsplit=1)[0].endswith(".mat")


def read_with_wfdb(record: Path) -> npt.NDArray[np.float64]:
    """Return the twelve leads as wfdb reads them, in standard order, in mV."""
    names = wfdb.rdheader(str(record)).sig_name
    lower = [name.lower() for name in names]
    columns = [lower.index(lead.lower()) for lead in LEADS]
    # Only the channels needed: PTB Diagnostic records may lack the file of the others.
    found = wfdb.rdrecord(str(record), channels=columns)
    assert {unit.lower() for unit in found.units} == {"mv"}
    assert [name.lower() for name in found.sig_name] == [lead.lower() for lead in LEADS]
    return found.p_signal.T


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_record_that_wfdb_can_read_is_the_same(folder: str) -> None:
    headers = headers_in(folder)
    assert len(headers) == FOLDERS[folder]
    compared = 0
    for header in headers:
        if carries_suffix(header):
            continue
        ours = read_signal(header)
        np.testing.assert_array_equal(ours, read_with_wfdb(header.with_suffix("")), err_msg=str(header))
        compared += 1
    assert compared == len(headers) - (31 if folder.endswith("georgia") else 0)


def test_georgia_headers_that_wfdb_refuses(tmp_path: Path) -> None:
    refused = [header for header in headers_in("challenge-2021/1.0.3/training/georgia") if carries_suffix(header)]
    assert len(refused) == 31
    with pytest.raises(Exception, match="record line"):
        wfdb.rdheader(str(refused[0].with_suffix("")))
    for header in refused:
        first, rest = header.read_text().split(maxsplit=1)
        (tmp_path / header.name).write_text(f"{first.removesuffix('.mat')} {rest}")
        shutil.copy(header.with_suffix(".mat"), tmp_path)
        mended = read_with_wfdb(tmp_path / header.stem)
        np.testing.assert_array_equal(read_signal(header), mended, err_msg=str(header))


def test_a_truncated_copy_is_refused(tmp_path: Path) -> None:
    header = headers_in("ptb-xl/1.0.3/records500")[0]
    shutil.copy(header, tmp_path)
    (tmp_path / header.with_suffix(".dat").name).write_bytes(header.with_suffix(".dat").read_bytes()[:-1])
    with pytest.raises(InputError, match="truncated, it has 119999 bytes of the 120000"):
        read_signal(tmp_path / header.name)

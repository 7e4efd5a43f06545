"""Which axis of an array is that of the recordings: MATLAB's order in every version, and rows that do not fit."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
from tiny_matlab import write_mat_7_3
from tiny_own import described, own

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats import hdf5_files
from ecgtransfer.prepare.recordings import read_recording

N_RECORDS, N_SAMPLES = 40, 90
KEYS = {"sampling_rate_hz": 250, "unit": "mV", "leads": list(LEADS)}
MANY = np.random.default_rng(3).integers(-900, 900, (N_RECORDS, 12, N_SAMPLES)) / 8
"""Shape (recordings, leads, samples)."""


def entry_of_rows(folder: Path, file: str, rows: range, **keys: object) -> dict[str, object]:
    """Return an entry whose table names rows of a file."""
    lines = [f"r{row},{file},{row},426783006" for row in rows]
    return own(folder, "\n".join(["record,file,row,labels", *lines, ""]), **{**KEYS, **keys})


def write_npy(path: Path, array: npt.NDArray) -> Path:
    np.save(path.with_suffix(".npy"), array)
    return path.with_suffix(".npy")


def write_h5(path: Path, array: npt.NDArray) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["ecg"] = array
    return path.with_suffix(".h5")


def write_v7(path: Path, array: npt.NDArray) -> Path:
    scipy.io.savemat(path.with_suffix(".mat"), {"ecg": array}, do_compression=True)
    return path.with_suffix(".mat")


def write_v7_3(path: Path, array: npt.NDArray) -> Path:
    write_mat_7_3(path.with_suffix(".mat"), ecg=array)
    return path.with_suffix(".mat")


WRITERS = [write_npy, write_h5, write_v7, write_v7_3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "hospital"
    place.mkdir()
    return place


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("leads_first", [True, False], ids=["leads_first", "samples_first"])
def test_an_array_of_many_recordings_is_the_same_in_every_format(
    folder: Path, write: Callable[[Path, npt.NDArray], Path], leads_first: bool
) -> None:
    path = write(folder / "all", MANY if leads_first else MANY.transpose(0, 2, 1))
    records, rejected = described(entry_of_rows(folder, path.name, range(N_RECORDS)))
    assert rejected == {}
    assert set(records["n_samples"]) == {N_SAMPLES}
    for row, record in records.iterrows():
        np.testing.assert_array_equal(
            read_recording(folder, record["path"], record["unit"], record["leads"]), MANY[row].astype(np.float32)
        )


def test_matlab_7_3_under_another_suffix(folder: Path) -> None:
    write_mat_7_3(folder / "all.mat", ecg=MANY)
    shutil.move(folder / "all.mat", folder / "all.h5")
    found = read_recording(folder, "all.h5#ecg[7]", "mV", "|".join(LEADS))
    np.testing.assert_array_equal(found, MANY[7].astype(np.float32))


def test_rows_of_matlab_7_3_that_do_not_fit_into_memory_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mat_7_3(folder / "all.mat", ecg=MANY, twice=2 * MANY)
    monkeypatch.setattr(hdf5_files, "LARGEST", 7 * MANY[0].nbytes)
    for row in (0, 6, 7, 39, 8, 3, 38):
        for name, factor in (("ecg", 1), ("twice", 2)):
            found = read_recording(folder, f"all.mat#{name}[{row}]", "mV", "|".join(LEADS))
            np.testing.assert_array_equal(found, factor * MANY[row].astype(np.float32))


def test_one_recording_of_matlab_7_3(folder: Path) -> None:
    write_mat_7_3(folder / "one.mat", ecg=MANY[0], turned=MANY[0].T)
    for name in ("ecg", "turned"):
        found = read_recording(folder, f"one.mat#{name}", "mV", "|".join(LEADS))
        np.testing.assert_array_equal(found, MANY[0].astype(np.float32))


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("axes", [(2, 1, 0), (1, 2, 0), (1, 0, 2), (2, 0, 1)], ids=str)
def test_recordings_on_another_axis_are_refused(
    folder: Path, write: Callable[[Path, npt.NDArray], Path], axes: tuple[int, int, int]
) -> None:
    array = MANY.transpose(axes)
    path = write(folder / "all", array)
    records, rejected = described(entry_of_rows(folder, path.name, range(N_RECORDS)))
    assert len(records) == 0
    assert set(rejected.values()) == {
        f"rows 0 to 39 fit the axis of 40 of the shape {array.shape}, but rows are those of its first axis; save it"
        " with an axis of the recordings that are named as the first"
    }


@pytest.mark.parametrize("axes", [(2, 1, 0), (1, 2, 0), (1, 0, 2), (2, 0, 1)], ids=str)
def test_recordings_on_another_axis_with_rows_that_count_from_1_are_refused(
    folder: Path, axes: tuple[int, int, int]
) -> None:
    array = MANY.transpose(axes)
    path = write_npy(folder / "all", array)
    records, rejected = described(entry_of_rows(folder, path.name, range(1, N_RECORDS + 1)))
    assert len(records) == 0
    fit = f"rows 1 to 40 fit the axis of 40 of the shape {array.shape}, but rows are those of its first axis"
    assert all(reason.startswith(fit) for reason in rejected.values())


def test_some_of_the_rows_are_enough(folder: Path) -> None:
    path = write_npy(folder / "all", MANY)
    records, rejected = described(entry_of_rows(folder, path.name, range(5, 9)))
    assert (len(records), rejected) == (4, {})


def test_as_many_rows_as_samples_of_real_recordings_are_taken(folder: Path) -> None:
    """Such as the first 1,000 of the 21,837 recordings of PTB-XL, each of 1,000 samples."""
    many = np.cumsum(MANY, axis=2)  # neighbours are alike, as in an ECG
    path = write_npy(folder / "all", np.concatenate([many, many, many]))
    records, rejected = described(entry_of_rows(folder, path.name, range(N_SAMPLES)))
    assert (len(records), rejected) == (N_SAMPLES, {})


def test_as_many_rows_as_leads_are_taken(folder: Path) -> None:
    path = write_npy(folder / "all", MANY)
    records, rejected = described(entry_of_rows(folder, path.name, range(12)))
    assert (len(records), rejected) == (12, {})


def test_rows_that_count_from_1_are_refused(folder: Path) -> None:
    path = write_npy(folder / "all", MANY)
    records, rejected = described(entry_of_rows(folder, path.name, range(1, N_RECORDS + 1)))
    assert len(records) == 0
    assert set(rejected.values()) == {
        "rows 1 to 40 are named of an array of 40 recordings; rows count from 0, subtract 1"
    }


def test_a_recording_with_fewer_samples_than_leads_is_refused(folder: Path) -> None:
    path = write_npy(folder / "all", MANY[:, :, :9])
    _, rejected = described(entry_of_rows(folder, path.name, range(3)))
    assert set(rejected.values()) == {
        "shape (12, 9) has fewer samples than leads; is one of its axes that of the recordings?"
    }

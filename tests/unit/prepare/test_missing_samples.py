"""A sample that was not recorded: the smallest value of a signed integer, in arrays as in the formats of WFDB."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
from tiny_matlab import write_mat_7_3

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.recordings import read_recording

N_SAMPLES = 60
ALL = "|".join(LEADS)
Writer = Callable[[Path, npt.NDArray], str]


def write_npy(folder: Path, array: npt.NDArray) -> str:
    np.save(folder / "r.npy", array)
    return "r.npy"


def write_npz(folder: Path, array: npt.NDArray) -> str:
    np.savez_compressed(folder / "r.npz", ecg=array)
    return "r.npz"


def write_h5(folder: Path, array: npt.NDArray) -> str:
    with h5py.File(folder / "r.h5", "w") as file:
        file["ecg"] = array
    return "r.h5"


def write_v7(folder: Path, array: npt.NDArray) -> str:
    scipy.io.savemat(folder / "r.mat", {"ecg": array}, do_compression=True)
    return "r.mat"


def write_v7_3(folder: Path, array: npt.NDArray) -> str:
    write_mat_7_3(folder / "r.mat", ecg=array)
    return "r.mat"


WRITERS = [write_npy, write_npz, write_h5, write_v7, write_v7_3]


def samples(dtype: str, smallest: float) -> npt.NDArray:
    """Return samples, shape (12, samples), some of them the smallest of their type."""
    array = np.random.default_rng(2).integers(-100, 100, (12, N_SAMPLES)).astype(dtype)
    array[7, 20:30] = smallest
    array[:, -3:] = smallest
    return array


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", "<i8", "i1"])
@pytest.mark.parametrize("samples_first", [False, True], ids=["leads first", "samples first"])
@pytest.mark.parametrize("write", WRITERS)
def test_the_smallest_value_of_a_signed_integer_is_missing(
    tmp_path: Path, write: Writer, samples_first: bool, dtype: str
) -> None:
    array = samples(dtype, np.iinfo(dtype).min)
    expected = array.astype(np.float64) / 1000
    expected[7, 20:30] = expected[:, -3:] = np.nan
    found = read_recording(tmp_path, write(tmp_path, array.T if samples_first else array), "uV", ALL)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_of_a_row_only_its_own_samples_count(tmp_path: Path) -> None:
    whole = samples("i2", 5)
    np.save(tmp_path / "r.npy", np.stack([samples("i2", -(2**15)), whole]))
    np.testing.assert_allclose(read_recording(tmp_path, "r.npy#[1]", "mV", ALL), whole, rtol=1e-6)
    assert np.isnan(read_recording(tmp_path, "r.npy#[0]", "mV", ALL)).sum() == 10 + 12 * 3


def test_an_inverted_lead(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", samples("i2", -(2**15)))
    found = read_recording(tmp_path, "r.npy", "uV", ALL.replace("V2", "-V2"))
    assert np.flatnonzero(np.isnan(found[7])).tolist() == [*range(20, 30), *range(N_SAMPLES - 3, N_SAMPLES)]


@pytest.mark.parametrize(("dtype", "value"), [("f4", -32768), ("f8", -(2.0**31)), ("u2", 0), ("i4", -32768)])
@pytest.mark.parametrize("write", WRITERS)
def test_other_values_are_samples(tmp_path: Path, write: Writer, dtype: str, value: float) -> None:
    array = np.abs(samples("i4", 3)).astype(dtype)
    array[3, 4] = value
    found = read_recording(tmp_path, write(tmp_path, array), "mV", ALL)
    np.testing.assert_allclose(found, array.astype(np.float64), rtol=1e-6)


@pytest.mark.parametrize(("kept", "stored"), [("i2", "i1"), ("f8", "i2")])
def test_matlab_stores_numbers_in_a_smaller_type(tmp_path: Path, kept: str, stored: str) -> None:
    """The smallest of the type that they are stored in is a number like others of the type that they have."""
    array = samples(stored, np.iinfo(stored).min)
    scipy.io.savemat(tmp_path / "r.mat", {"ecg": array})
    content = bytearray((tmp_path / "r.mat").read_bytes())
    assert content[144] == {"i1": 8, "i2": 10}[stored]  # the class of the array
    content[144] = {"i2": 10, "f8": 6}[kept]
    (tmp_path / "r.mat").write_bytes(content)
    expected = scipy.io.loadmat(tmp_path / "r.mat", mat_dtype=True)["ecg"]
    assert expected.dtype == kept
    np.testing.assert_array_equal(expected, array)
    np.testing.assert_allclose(read_recording(tmp_path, "r.mat", "mV", ALL), expected, rtol=1e-6)

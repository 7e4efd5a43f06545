"""Messages about MATLAB files that hold something other than an array of numbers, the same in every version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from test_prepare_recordings import ALL, N_SAMPLES, message_of, samples
from tiny_matlab import write_mat_7_3

from ecgtransfer.prepare.recordings import read_recording

Writer = Callable[..., None]
SAVE = "save the samples as an array of its own"
STRUCT = "a struct with the fields ecg, fs, name"


def write_v5(path: Path, **variables: Any) -> None:
    scipy.io.savemat(path, variables)


def write_v7(path: Path, **variables: Any) -> None:
    scipy.io.savemat(path, variables, do_compression=True)


@pytest.fixture(params=[write_v5, write_v7, write_mat_7_3])
def write(request: pytest.FixtureRequest) -> Writer:
    return request.param


def struct() -> dict[str, Any]:
    return {"ecg": samples(), "fs": 500.0, "name": "p1"}


def cells() -> Any:
    found = np.empty((1, 2), dtype=object)
    found[0, 0], found[0, 1] = samples(), np.zeros(3)
    return found


def told(path: Path, array: str = "") -> str:
    """Return the message about a file, after its path."""
    name = f"{path.name}#{array}" if array else path.name
    return message_of(lambda: read_recording(path.parent, name, "mV", ALL)).removeprefix(f"{path.parent}/{name}: ")


def test_a_struct(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "r.mat", data=struct())
    assert told(tmp_path / "r.mat") == f"holds no array of numbers, only 'data', {STRUCT}; {SAVE}"
    assert told(tmp_path / "r.mat", "data") == f"'data' is {STRUCT}, no array of numbers; {SAVE}"


def test_a_struct_beside_a_rate(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "r.mat", data=struct(), fs=500.0)
    assert told(tmp_path / "r.mat") == f"holds no array of numbers, only 'data', {STRUCT}; {SAVE}"


def test_a_struct_beside_the_samples(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "r.mat", info={"fs": 500.0}, ecg=samples())
    found = read_recording(tmp_path, "r.mat", "mV", ALL)
    np.testing.assert_array_equal(found, samples().astype(np.float32))


def test_a_cell_array(tmp_path: Path, write: Writer) -> None:
    held: Any = [samples(), np.zeros(3)] if write is write_mat_7_3 else cells()
    write(tmp_path / "r.mat", data=held)
    assert told(tmp_path / "r.mat") == f"holds no array of numbers, only 'data', a cell array; {SAVE}"
    assert told(tmp_path / "r.mat", "data") == f"'data' is a cell array, no array of numbers; {SAVE}"


def test_text_and_complex_numbers(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "r.mat", comment="a word", spectrum=samples() * 1j)
    said = told(tmp_path / "r.mat")
    assert "'comment', text" in said
    assert "'spectrum', an array of complex numbers" in said
    assert told(tmp_path / "r.mat", "comment").startswith("'comment' is text, no array of numbers")


def test_version_4(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "r.mat", {"comment": "a word", "spectrum": np.array([[1j]])}, format="4")
    assert told(tmp_path / "r.mat") == (
        f"holds no array of numbers, only 'comment', text, 'spectrum', an array of complex numbers; {SAVE}"
    )


def test_a_sparse_array(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "r.mat", {"ecg": scipy.sparse.csc_matrix(samples())})
    assert told(tmp_path / "r.mat") == f"holds no array of numbers, only 'ecg', a sparse array; {SAVE}"


def test_a_struct_with_more_fields_than_a_line_has_room_for(tmp_path: Path, write: Writer) -> None:
    fields = {f"a_long_name_of_a_field_{i:03}": 1.0 for i in range(300)}
    write(tmp_path / "r.mat", data=fields)
    said = told(tmp_path / "r.mat")
    assert "'data', a struct" in said
    assert len(said) < 400


def test_an_array_that_is_not_there(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "r.mat", ecg=samples())
    assert "'gone', only 'ecg'" in told(tmp_path / "r.mat", "gone")


def test_plain_hdf5_under_the_suffix_of_matlab(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "r.mat", "w") as file:
        file["ecg"] = np.stack([samples(), 2 * samples()])
    found = read_recording(tmp_path, "r.mat#ecg[1]", "mV", ALL)
    np.testing.assert_array_equal(found, 2 * samples().astype(np.float32))
    assert found.shape == (12, N_SAMPLES)


def test_hdf5_with_its_only_array_in_a_group(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["a/b/ecg"] = samples()
    np.testing.assert_array_equal(read_recording(tmp_path, "r.h5", "mV", ALL), samples().astype(np.float32))
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a/b/ecg"], file["a/c"] = samples(), samples()
    assert told(tmp_path / "two.h5") == "name one of its arrays: 'a/b/ecg', 'a/c'"


def test_hdf5_without_any_array(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["text"] = "a word"
        file.create_group("empty")
    assert told(tmp_path / "r.h5") == f"holds no array of numbers; {SAVE}"

"""The array of a data set's signals: read in parts, and refused where it is damaged."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.prepare import signal_file
from ecgtransfer.prepare.signal_file import SignalFile, extents


def test_rows_and_chunks_are_those_of_the_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).integers(-32767, 32767, (7, 12, 40)).astype(np.int16)
    np.save(tmp_path / "x.npy", array)
    file = SignalFile(tmp_path / "x.npy")
    monkeypatch.setattr(signal_file, "BYTES_AT_ONCE", 2 * 12 * 40 * 2)
    chunks = list(file.chunks())
    assert [first for first, _ in chunks] == [0, 2, 4, 6]
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in chunks]), array)
    numbers = np.array([5, 0, 5, 3])
    np.testing.assert_array_equal(file.rows(numbers), array[numbers])
    values = np.zeros((6, 12, 40), np.int16)
    file.read_into(values, np.array([4, 1]), np.array([2, 6]))
    np.testing.assert_array_equal(values[[4, 1]], array[[2, 6]])
    assert not values[[0, 2, 3, 5]].any()


@pytest.mark.parametrize(
    "array", [np.zeros((3, 11, 5), np.int16), np.zeros((3, 12, 5), np.int32), np.zeros((12, 5), np.int16)]
)
def test_other_arrays_are_refused(tmp_path: Path, array: npt.NDArray[np.int16]) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match="expected int16"):
        SignalFile(tmp_path / "x.npy")


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 12, 50), np.int16))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[:-2])
    file = SignalFile(tmp_path / "x.npy")
    with pytest.raises(InputError, match=r"ends before its 3 rows"):
        list(file.chunks())
    with pytest.raises(InputError, match=r"ends within row 2"):
        file.rows(np.array([2]))
    (tmp_path / "x.npy").write_bytes(b"")
    with pytest.raises(InputError, match="not a readable signal array"):
        SignalFile(tmp_path / "x.npy")


def test_extents_leave_out_padding() -> None:
    signals = np.zeros((3, 12, 9), np.int16)
    signals[0, 4, 2] = signals[0, 7, 6] = 1
    signals[1] = 5
    np.testing.assert_array_equal(extents(signals), [[2, 7], [0, 9], [0, 0]])

"""The signal array of a data set, as `prepare_signals` writes it: opened here alone, and read row by row."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecgtransfer.errors import InputError
from ecgtransfer.system_errors import stop_if_it_may_pass

BYTES_AT_ONCE = 4 << 20
"""Of the array file. Chunks that stay in the processor's cache are the fastest."""


class SignalFile:
    """An int16 array file of shape (records, 12, samples); its rows are read, as pages of a map count as memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                if version != (1, 0):
                    raise ValueError(f"npy version {version}")
                shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
                self._first_byte = file.tell()
        except (OSError, ValueError) as error:
            stop_if_it_may_pass(error, path)
            raise InputError(f"{path}: not a readable signal array ({error}); remove it and run again") from error
        if len(shape) != 3 or shape[1] != 12 or fortran_order or dtype != np.int16:
            raise InputError(f"{path}: {dtype} array of shape {shape}, expected int16 (records, 12, samples)")
        self.n_records, _, self.n_samples = shape

    def chunks(self) -> Iterator[tuple[int, npt.NDArray[np.int16]]]:
        """Yield all rows in order, some at a time, each lot with the number of its first row."""
        row_size = 12 * self.n_samples
        n_rows = max(1, BYTES_AT_ONCE // (2 * row_size))
        with self.path.open("rb") as file:
            file.seek(self._first_byte)
            for first in range(0, self.n_records, n_rows):
                n = min(n_rows, self.n_records - first)
                yield first, self._shaped(np.fromfile(file, dtype=np.int16, count=n * row_size), n)

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
        """Return the rows of these numbers, shape (numbers, 12, samples)."""
        values = np.empty((len(numbers), 12, self.n_samples), dtype=np.int16)
        self.read_into(values, np.arange(len(numbers)), numbers)
        return values

    def read_into(
        self, values: npt.NDArray[np.int16], places: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
    ) -> None:
        """Read the rows of these numbers into these places of an array of shape (any, 12, samples), in file order."""
        with self.path.open("rb", buffering=0) as file:
            for i in np.argsort(numbers, kind="stable"):
                row = values[places[i]]
                file.seek(self._first_byte + int(numbers[i]) * row.nbytes)
                if file.readinto(row.data) != row.nbytes:
                    raise InputError(f"{self.path}: ends within row {numbers[i]}; remove it and run again")

    def _shaped(self, values: npt.NDArray[np.int16], n_rows: int) -> npt.NDArray[np.int16]:
        if len(values) != n_rows * 12 * self.n_samples:
            raise InputError(f"{self.path}: ends before its {self.n_records} rows; remove it and run again")
        return values.reshape(n_rows, 12, self.n_samples)


def extents(signals: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
    """Return per row the first sample that is not 0 in all leads and the one behind the last; shape (rows, 2).

    Short recordings are padded with zeros; a row of zeros alone has extent (0, 0).
    """
    active: npt.NDArray[np.bool_] = np.any(signals, axis=1)
    first = active.argmax(axis=1)
    behind = active.shape[1] - active[:, ::-1].argmax(axis=1)
    found = np.stack([first, np.where(active.any(axis=1), behind, 0)], axis=1)
    return found.astype(np.int32)

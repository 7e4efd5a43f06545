"""What identifies a recording, whatever its gain and wherever a copy of it begins.

Landmarks are the peaks of the energy of the smoothed derivative, mostly the R peaks. A second and a half of signal
around each, in four leads, scaled to unit length, is projected onto a few fixed random directions, which keeps
distances (Johnson & Lindenstrauss 1984, "Extensions of Lipschitz mappings into a Hilbert space"). A copy has the same
landmarks with nearly the same projections; the next beat of the same heart is already further away.
"""

from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from ecgtransfer.audit.views import VIEWS, averaged, samples_per_step
from ecgtransfer.errors import InputError
from ecgtransfer.files import write_arrays
from ecgtransfer.prepare.signal_file import SignalFile, extents
from ecgtransfer.system_errors import stop_if_it_may_pass

N_DIRECTIONS = 32
SEED = 1
"""Of the random directions. Fingerprints made with different ones cannot be compared."""

BEFORE_S, AFTER_S = 0.6, 0.9
"""What a landmark's descriptor sees: with 3 s in common, at least one landmark of any rhythm above 40/min."""

SMOOTHING_S = 0.02
ENERGY_SMOOTHING_S = 0.04
LANDMARK_DISTANCE_S = 0.2
LANDMARK_SHARE = 0.2
"""Of the highest energy within a second: lower peaks are T waves or noise."""

LEAST_ENERGY = 0.25
"""µV² per step: below half a quantisation step there is nothing to find."""

LANDMARKS_AT_ONCE = 2048
"""Bounds the memory of the windows."""


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of a prepared array.

    Attributes
    ----------
    sampling_rate_hz
        Of the array.
    digests
        Shape (records,), uint64: equal for equal rows, 0 for rows that are constant and so have no signal.
    extents
        Shape (records, 2): first sample with a signal, and the one behind the last.
    record
        Shape (landmarks,): row of each landmark, ascending.
    position
        Shape (landmarks,): where it is, in steps of the working rate, with fractions.
    descriptor
        Shape (landmarks, `N_DIRECTIONS`), float16.
    """

    sampling_rate_hz: float
    digests: npt.NDArray[np.uint64]
    extents: npt.NDArray[np.int32]
    record: npt.NDArray[np.int32]
    position: npt.NDArray[np.float32]
    descriptor: npt.NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.digests)

    def save(self, path: Path) -> None:
        """Write an uncompressed ``.npz`` without pickles."""
        write_arrays({field.name: getattr(self, field.name) for field in fields(self)}, path)

    @classmethod
    def load(cls, path: Path) -> "Fingerprints":
        """Read what `save` wrote."""
        try:
            with np.load(path, allow_pickle=False) as saved:
                arrays = {field.name: saved[field.name] for field in fields(cls)}
        except (OSError, ValueError, KeyError) as error:
            stop_if_it_may_pass(error, path)
            raise InputError(f"{path}: not a file of fingerprints ({error}); remove it and run again") from error
        return cls(**{**arrays, "sampling_rate_hz": float(arrays["sampling_rate_hz"])})


def fingerprint_signals(signals_path: Path, sampling_rate_hz: float) -> Fingerprints:
    """Return the fingerprints of every row of a prepared array, read a few megabytes at a time.

    Parameters
    ----------
    signals_path
        An int16 ``.npy`` of shape (records, 12, samples), 1 µV per step.
    sampling_rate_hz
        Of the array.
    """
    signals = SignalFile(signals_path)
    digests = np.zeros(signals.n_records, dtype=np.uint64)
    spans = np.zeros((signals.n_records, 2), dtype=np.int32)
    records, positions, descriptors = [], [], []
    for first, rows in signals.chunks():
        lot = slice(first, first + len(rows))
        digests[lot] = _digests(rows)
        spans[lot] = extents(rows)
        record, position, descriptor = _landmarks(rows, spans[lot], sampling_rate_hz)
        records.append((record + first).astype(np.int32))
        positions.append(position)
        descriptors.append(descriptor)
    return Fingerprints(
        sampling_rate_hz=sampling_rate_hz,
        digests=digests,
        extents=spans,
        record=np.concatenate([np.empty(0, np.int32), *records]),
        position=np.concatenate([np.empty(0, np.float32), *positions]),
        descriptor=np.concatenate([np.empty((0, N_DIRECTIONS), np.float16), *descriptors]),
    )


def _digests(rows: npt.NDArray[np.int16]) -> npt.NDArray[np.uint64]:
    digests = [int.from_bytes(blake2b(row.data, digest_size=8).digest(), "little") for row in rows]
    constant = (rows == rows[:, :, :1]).all(axis=(1, 2))
    return np.where(constant, np.uint64(0), np.array(digests, dtype=np.uint64))


def _landmarks(
    rows: npt.NDArray[np.int16], spans: npt.NDArray[np.int32], sampling_rate_hz: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float16]]:
    """Return row, position and descriptor of every landmark whose window lies within the signal."""
    pooling = samples_per_step(sampling_rate_hz)
    rate = sampling_rate_hz / pooling
    views = averaged(rows[:, VIEWS].astype(np.float32), pooling)
    slope = gaussian_filter1d(views, SMOOTHING_S * rate, axis=2, order=1, mode="nearest", truncate=3)
    energy = gaussian_filter1d((slope**2).sum(axis=1), ENERGY_SMOOTHING_S * rate, axis=1, mode="constant", truncate=3)
    peaks = (
        (energy >= maximum_filter1d(energy, 2 * round(LANDMARK_DISTANCE_S * rate) + 1, axis=1))
        & (energy > LANDMARK_SHARE * maximum_filter1d(energy, 2 * round(rate) + 1, axis=1))
        & (energy > LEAST_ENERGY)
    )
    before, after = round(BEFORE_S * rate), round(AFTER_S * rate)
    record, at = np.nonzero(peaks)
    span = spans[record] // pooling
    inside = (at - before - 1 >= span[:, 0]) & (at + after + 1 < span[:, 1]) & (at + after + 1 < energy.shape[1])
    record, at = record[inside], at[inside]
    fraction = _peak_between_samples(energy, record, at)
    windows = np.lib.stride_tricks.sliding_window_view(slope, before + after + 3, axis=2)
    descriptor = np.empty((len(record), N_DIRECTIONS), dtype=np.float16)
    for first in range(0, len(record), LANDMARKS_AT_ONCE):
        lot = slice(first, first + LANDMARKS_AT_ONCE)
        descriptor[lot] = _describe(windows[record[lot], :, at[lot] - before - 1], fraction[lot])
    return record, (at + fraction).astype(np.float32), descriptor


def _peak_between_samples(
    energy: npt.NDArray[np.float32], record: npt.NDArray[np.int64], at: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Return how far from its sample each peak lies: the vertex of the parabola through three logarithms."""
    left, middle, right = (np.log(energy[record, at + i] + 1e-9) for i in (-1, 0, 1))
    bend = left - 2 * middle + right
    vertex = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0)
    return vertex.clip(-0.5, 0.5).astype(np.float32)


def _describe(windows: npt.NDArray[np.float32], fraction: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return projections, shape (landmarks, `N_DIRECTIONS`), of windows that reach one sample too far at both ends."""
    shift = fraction[:, None, None]
    left, middle, right = windows[..., :-2], windows[..., 1:-1], windows[..., 2:]
    centred = middle + shift * (0.5 * (right - left) + 0.5 * shift * (right - 2 * middle + left))
    n_samples = centred.shape[2]
    centred *= np.sin(np.pi * (np.arange(n_samples, dtype=np.float32) + 0.5) / n_samples)
    flat = centred.reshape(len(centred), -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6
    projected: npt.NDArray[np.float32] = flat @ _directions(flat.shape[1])
    return projected


def _directions(n_values: int) -> npt.NDArray[np.float32]:
    directions = np.random.default_rng(SEED).standard_normal((n_values, N_DIRECTIONS), dtype=np.float32)
    return directions / np.float32(np.sqrt(N_DIRECTIONS))

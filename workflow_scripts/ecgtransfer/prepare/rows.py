"""From recordings to rows of the signal array: examine, repair, filter, resample, window, scale, quantise."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ecgtransfer.config.signals import Signals
from ecgtransfer.kernels.block_filters import block_filter
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.quality import (
    LARGEST_MV,
    LARGEST_STEP,
    SHORTEST_S,
    STEPS_PER_MV,
    Findings,
    amplitude_of,
    examine,
    why_clipped,
    why_unusable,
)

Samples = npt.NDArray[np.float32]

STEPS_PER_UNIT = {"none": STEPS_PER_MV, "min-max": 10000, "z-score": 1000}
UNITS = {
    "none": "1 µV per step",
    "min-max": "1/10000 per step, -1 to 1 from each lead's smallest to its largest value",
    "z-score": "1/1000 standard deviation of the lead per step",
}


class Quality(NamedTuple):
    """What was found in one recording, and what came of it; a row of the quality table."""

    nan_fraction: float
    missing_leads: int
    rebuilt_leads: int
    flat_leads: int
    clipped_leads: int
    clipped_samples: int
    amplitude_mv: float
    gain_ratio: float
    steps_per_mv: float
    duration_s: float
    padded_s: float
    usable: int
    reason: str


def spread_rows(n_records: int, n_wanted: int) -> npt.NDArray[np.intp]:
    """Return at most `n_wanted` rows, spread evenly over all."""
    return np.unique(np.linspace(0, n_records - 1, min(n_wanted, n_records)).round().astype(np.intp))


def window(signal: Samples, n_samples: int, crop: str) -> Samples:
    """Return at most `n_samples` per lead: the start or the centre of a longer signal.

    Parameters
    ----------
    signal
        Shape (..., samples).
    n_samples
        Samples per lead of the window.
    crop
        ``start`` or ``centre``.
    """
    surplus = max(0, signal.shape[-1] - n_samples)
    first = surplus // 2 if crop == "centre" else 0
    return signal[..., first : first + n_samples]


def scale(signal: Samples, kept: Samples, scaling: str, dead: npt.NDArray[np.bool_]) -> Samples:
    """Return `kept` scaled per lead; a lead that is constant or dead becomes 0.

    Parameters
    ----------
    signal
        Whole recordings, prepared, shape (..., 12, samples).
    kept
        The windows of them.
    scaling
        ``none``; ``min-max``: to -1 to 1 over the window, as Nguyen and Do (2025) do; ``z-score``: to zero mean and
        unit standard deviation over the whole recording, before crop and padding, as Avetisyan et al. (2024) do.
    dead
        Shape (..., 12): leads that were flat or missing before they were filtered, which leaves rounding errors.
    """
    if scaling == "none":
        return kept
    if scaling == "min-max":
        lowest, highest = kept.min(axis=-1), kept.max(axis=-1)
        centre, extent = (lowest + highest) / 2, (highest - lowest) / 2
    else:
        centre, extent = signal.mean(axis=-1, dtype=np.float64), signal.std(axis=-1, dtype=np.float64)
    extent = np.where(dead | (extent == 0), np.inf, extent)
    scaled: Samples = ((kept - centre[..., None]) / extent[..., None]).astype(np.float32)
    return scaled


def prepare_signal(
    signal_mv: npt.NDArray[np.floating], sampling_rate_hz: float, settings: Signals
) -> tuple[npt.NDArray[np.int16], Quality]:
    """Return one recording as int16, shape (12, samples), and its quality, without ``gain_ratio`` and gain.

    Parameters
    ----------
    signal_mv
        Shape (12, samples), mV, NaN where samples are missing.
    sampling_rate_hz
        Of the recording.
    settings
        The config section ``signals``.
    """
    row = np.zeros((len(LEADS), settings.samples_per_lead), dtype=np.int16)
    batch = Batch(sampling_rate_hz, signal_mv.shape[1], settings)
    batch.input[:] = signal_mv
    batch.take(row)
    return row, batch.finish()[0]


class Batch:
    """Recordings of one rate and one length on their way to rows, some at a time for speed.

    Each is put into `input`, then taken; once the batch is finished, the rows are filled and the qualities known. What
    becomes of a recording does not depend on the others.

    Raises
    ------
    InputError
        If recordings of this rate and length cannot be filtered as the settings say.
    """

    def __init__(self, sampling_rate_hz: float, n_samples: int, settings: Signals, kernels: str = "fast") -> None:
        self._filter = block_filter(sampling_rate_hz, n_samples, settings, kernels)
        self._sampling_rate_hz = sampling_rate_hz
        self._settings = settings
        self._kernels = kernels
        self._findings: list[Findings] = []
        self._filled: dict[int, tuple[float, int, float]] = {}
        """By the order of taking: amplitude in mV, samples that int16 cannot hold, and their share."""
        self._waiting: dict[int, npt.NDArray[np.int16]] = {}
        """Rows of the recordings in the slots of the filter, by the order of taking."""
        self.input = self._filter.input

    def take(self, row: npt.NDArray[np.int16]) -> None:
        """Take the recording in `input`, which is changed, to be prepared into a row of zeros."""
        findings = examine(self.input, self._sampling_rate_hz)
        n_recorded, place = findings.stop - findings.first, len(self._findings)
        if n_recorded / self._sampling_rate_hz >= SHORTEST_S and findings.largest_mv <= LARGEST_MV:
            if n_recorded < self.input.shape[1]:
                shorter = block_filter(self._sampling_rate_hz, n_recorded, self._settings, self._kernels)
                prepared = shorter(self.input[:, findings.first : findings.stop])
                self._filled[place] = _fill([row], prepared[None], [findings], self._settings)[0]
            else:
                self._filter.take(len(self._waiting))
                self._waiting[place] = row
        self._findings.append(findings)
        if len(self._waiting) == self._filter.n_slots:
            self._empty_slots()

    def finish(self) -> list[Quality]:
        """Fill the rows that still wait, and return the qualities in the order of taking."""
        self._empty_slots()
        return [self._quality(place) for place in range(len(self._findings))]

    def _empty_slots(self) -> None:
        if not self._waiting:
            return
        prepared = self._filter.results(len(self._waiting))
        findings = [self._findings[place] for place in self._waiting]
        filled = _fill(list(self._waiting.values()), prepared, findings, self._settings)
        self._filled.update(zip(self._waiting, filled, strict=True))
        self._waiting.clear()

    def _quality(self, place: int) -> Quality:
        findings, (amplitude_mv, n_beyond, beyond) = self._findings[place], self._filled.get(place, (0.0, 0, 0.0))
        duration_s = (findings.stop - findings.first) / self._sampling_rate_hz
        reason = why_unusable(findings, duration_s, self._settings) or why_clipped(beyond, self._settings)
        return Quality(
            nan_fraction=round(findings.nan_fraction, 6),
            missing_leads=findings.missing_leads,
            rebuilt_leads=findings.rebuilt_leads,
            flat_leads=findings.flat_leads + findings.held_leads,
            clipped_leads=len(findings.clipped),
            clipped_samples=sum(findings.clipped) + n_beyond,
            amplitude_mv=round(amplitude_mv, 4),
            gain_ratio=math.nan,
            steps_per_mv=math.nan,
            duration_s=round(duration_s, 3),
            padded_s=round(max(0.0, self._settings.duration_s - duration_s), 3),
            usable=int(not reason),
            reason=reason,
        )


def _fill(
    rows: Sequence[npt.NDArray[np.int16]], prepared: Samples, findings: Sequence[Findings], settings: Signals
) -> list[tuple[float, int, float]]:
    """Fill rows from prepared recordings; return of each its amplitude, and of samples that int16 cannot hold how many
    there are and which share."""
    kept = window(prepared, settings.samples_per_lead, settings.crop)
    dead = np.stack([found.dead for found in findings])
    amplitudes_mv = amplitude_of(kept, dead).tolist()
    steps = scale(prepared, kept, settings.scaling, dead) * np.float32(STEPS_PER_UNIT[settings.scaling])
    np.rint(steps, out=steps)
    n_beyond = [0] * len(rows)
    if steps.max() > LARGEST_STEP or steps.min() < -LARGEST_STEP:
        n_beyond = np.count_nonzero(np.abs(steps) > LARGEST_STEP, axis=(1, 2)).tolist()
        np.clip(steps, -LARGEST_STEP, LARGEST_STEP, out=steps)
    for row, of_row in zip(rows, steps, strict=True):
        row[:, : steps.shape[-1]] = of_row
    shares = [n / steps[0].size for n in n_beyond]
    return list(zip(amplitudes_mv, n_beyond, shares, strict=True))

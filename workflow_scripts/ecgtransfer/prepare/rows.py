"""One recording to one row of the signal array: examine, mend, filter, resample, window, scale, quantise."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.kernel import Plan, plan
from ecgtransfer.prepare.quality import LARGEST_MV, SHORTEST_S, amplitude_of, examine, why_unusable

Samples = npt.NDArray[np.float32]

LARGEST_STEP = 32767
STEPS_PER_UNIT = {"none": 1000, "min-max": 10000, "z-score": 1000}
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
    duration_s: float
    padded_s: float
    usable: int
    reason: str


def samples_per_row(settings: Mapping[str, Any]) -> int:
    """Return the length of the window in samples."""
    n_samples: int = round(settings["duration_s"] * settings["sampling_rate_hz"])
    return n_samples


def window(signal: Samples, n_samples: int, crop: str) -> Samples:
    """Return at most `n_samples` per lead: the start or the centre of a longer signal.

    Parameters
    ----------
    signal
        Shape (12, samples).
    n_samples
        Samples per lead of the window.
    crop
        ``start`` or ``centre``.
    """
    surplus = max(0, signal.shape[1] - n_samples)
    first = surplus // 2 if crop == "centre" else 0
    return signal[:, first : first + n_samples]


def scale(signal: Samples, kept: Samples, scaling: str, dead: npt.NDArray[np.bool_]) -> Samples:
    """Return `kept` scaled per lead; a lead that is constant or dead becomes 0.

    Parameters
    ----------
    signal
        The whole recording, prepared, shape (12, samples).
    kept
        The window of it.
    scaling
        ``none``; ``min-max``: to -1 to 1 over the window, as Nguyen and Do (2025) do; ``z-score``: to zero mean and
        unit standard deviation over the whole recording, before crop and padding, as Avetisyan et al. (2024) do.
    dead
        Leads that were flat or missing before they were filtered, which leaves rounding errors.
    """
    if scaling == "none":
        return kept
    if scaling == "min-max":
        lowest, highest = kept.min(axis=1), kept.max(axis=1)
        centre, extent = (lowest + highest) / 2, (highest - lowest) / 2
    else:
        centre, extent = signal.mean(axis=1, dtype=np.float64), signal.std(axis=1, dtype=np.float64)
    extent = np.where(dead | (extent == 0), np.inf, extent)
    scaled: Samples = ((kept - centre[:, None]) / extent[:, None]).astype(np.float32)
    return scaled


def prepare_signal(
    signal_mv: npt.NDArray[np.floating], sampling_rate_hz: float, settings: Mapping[str, Any]
) -> tuple[npt.NDArray[np.int16], Quality]:
    """Return one recording as int16, shape (12, samples), and its quality; ``gain_ratio`` stays unknown (NaN).

    Parameters
    ----------
    signal_mv
        Shape (12, samples), mV, NaN where samples are missing.
    sampling_rate_hz
        Of the recording.
    settings
        The config section ``signals``.
    """
    row = np.zeros((len(LEADS), samples_per_row(settings)), dtype=np.int16)
    planned = plan(sampling_rate_hz, signal_mv.shape[1], settings)
    planned.input[:] = signal_mv
    return row, prepare_into(row, planned, sampling_rate_hz, settings)


def prepare_into(
    row: npt.NDArray[np.int16], planned: Plan, sampling_rate_hz: float, settings: Mapping[str, Any]
) -> Quality:
    """Fill a row of zeros from the recording in the input of its plan, which is changed."""
    findings = examine(planned.input, sampling_rate_hz)
    n_recorded = findings.stop - findings.first
    duration_s = n_recorded / sampling_rate_hz
    amplitude_mv, n_beyond = 0.0, 0
    if duration_s >= SHORTEST_S and findings.largest_mv <= LARGEST_MV:
        if n_recorded < planned.input.shape[1]:
            whole, planned = planned.input, plan(sampling_rate_hz, n_recorded, settings)
            planned.input[:] = whole[:, findings.first : findings.stop]
        prepared = planned.run()
        kept = window(prepared, row.shape[1], settings["crop"])
        amplitude_mv = amplitude_of(kept, findings.dead)
        n_beyond = _quantise(row, scale(prepared, kept, settings["scaling"], findings.dead), settings["scaling"])
    reason = why_unusable(findings, duration_s, settings)
    return Quality(
        nan_fraction=round(findings.nan_fraction, 6),
        missing_leads=findings.missing_leads,
        rebuilt_leads=findings.rebuilt_leads,
        flat_leads=findings.flat_leads,
        clipped_leads=len(findings.clipped),
        clipped_samples=sum(findings.clipped) + n_beyond,
        amplitude_mv=round(amplitude_mv, 4),
        gain_ratio=math.nan,
        duration_s=round(duration_s, 3),
        padded_s=round(max(0.0, settings["duration_s"] - duration_s), 3),
        usable=int(not reason),
        reason=reason,
    )


def _quantise(row: npt.NDArray[np.int16], kept: Samples, scaling: str) -> int:
    """Write the window to the start of a row; return how many samples int16 cannot hold, which it clips."""
    steps = np.multiply(kept, STEPS_PER_UNIT[scaling])
    np.rint(steps, out=steps)
    n_beyond = 0
    if steps.max() > LARGEST_STEP or steps.min() < -LARGEST_STEP:
        n_beyond = int(np.count_nonzero(np.abs(steps) > LARGEST_STEP))
        np.clip(steps, -LARGEST_STEP, LARGEST_STEP, out=steps)
    row[:, : steps.shape[1]] = steps
    return n_beyond

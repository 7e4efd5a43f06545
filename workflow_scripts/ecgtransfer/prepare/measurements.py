"""Heart rate, PR, QRS and QT of prepared signals: what a model can be pre-trained to predict by regression.

Waves begin and end where the spatial velocity of the typical beat, the root of the sum over leads of the squared slope,
comes close to rest; so no lead has to be chosen, and neither gain nor polarity matters. The values are targets for
learning, from a band that is narrower than a clinical electrocardiograph's: half of them lie within 5 ms (PR, QRS) and
7 ms (QT) of what cardiologists marked in LUDB, a tenth beyond 16, 13 and 26 ms. They are not for a patient.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.beats import (
    BEFORE,
    BEHIND,
    LEAST_BEATS,
    RATE_HZ,
    Positions,
    Samples,
    TypicalBeat,
    at_working_rate,
    find_beats,
    typical_beat,
)
from ecgtransfer.prepare.signal_file import SignalFile

COLUMNS = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms")
"""In addition to ``record_id``."""
LIMITS = {"heart_rate_bpm": (20, 300), "pr_ms": (70, 400), "qrs_ms": (40, 250), "qt_ms": (180, 700)}
"""Anything outside is a mistake, and left empty."""

QRS_WIDTH_S, WAVE_WIDTH_S = 0.006, 0.012
"""Of the Gaussians that smooth slopes: for QRS, and for P and T."""
QRS_SHARE, P_SHARE, T_SHARE = 0.08, 0.5, 0.25
"""Of the largest velocity of a wave, for P and T of its outer flank: below lies rest. Chosen for the least bias against
two references that define waves otherwise: the median over leads of what cardiologists marked in LUDB (-2, +4, +1 ms
for QRS, PR, QT), and the simulator, whose waves end 2.2 standard deviations from their centre (+14, -1, +3 ms)."""
SLOW_RATE_HZ, SLOW_EXPONENT = 100, 1.3
"""Below this rate the band ends so low that QRS slopes are blurred; `QRS_SHARE` rises with this power of the ratio.
At 50 Hz QRS is still unbiased, but narrow ones can hardly be distinguished (rank correlation 0.5 with LUDB's marks)."""
FLOOR = 1.3
"""Times the least velocity nearby: waves that merge do not come to rest between them."""
REST_STEPS = 3
"""So long rest must last."""
REST_REACH_S = 0.16
"""After so long a wave has come to rest, or never does."""

QRS_REACH_S = (0.10, 0.14)
"""How far from R steep parts of QRS may lie, before and behind."""
QRS_STEEP, FLANK_STEEP = 0.3, 0.5
"""Of the largest velocity: what is a steep part of QRS, and which maxima are flanks of P or T."""
P_REACH_S, P_GAP_S = 0.32, 0.02
"""Flanks of P lie between so long before QRS and so long before, and the latter behind the T wave before."""
T_GAP_S, T_REACH_S, NEXT_R_S = 0.06, 0.44, 0.12
"""Flanks of T lie so long behind the end of QRS; at most so long behind its onset at 60/min, at other rates times the
root of the RR interval in s (Bazett); and so long before the next R."""

P_AGREEMENT, T_AGREEMENT = 0.75, 0.5
"""Correlation of single beats with the mean of the others where P or T is looked for: below it there is no such wave.
In atrial fibrillation the beats agree on nothing before QRS."""


def measure_signals(signals_path: Path, record_ids: Sequence[str], sampling_rate_hz: float) -> pd.DataFrame:
    """Return the measurements of every row of a prepared array, read a few megabytes at a time.

    Parameters
    ----------
    signals_path
        An int16 ``.npy`` of shape (records, 12, samples).
    record_ids
        Of its rows.
    sampling_rate_hz
        Of the array, at least 50 Hz.

    Returns
    -------
    pandas.DataFrame
        ``record_id`` and `COLUMNS`, as by `measure`, rounded to a tenth.

    Raises
    ------
    InputError
        If the array cannot be read or has another number of rows.
    """
    signals = SignalFile(signals_path)
    if signals.n_records != len(record_ids):
        raise InputError(
            f"{signals_path}: {signals.n_records} rows, but {len(record_ids)} records in the table beside it; "
            "remove both and run again"
        )
    measured = [measure(rows, sampling_rate_hz) for _, rows in signals.chunks()]
    values = np.concatenate([np.empty((0, len(COLUMNS))), *measured]).round(1)
    return pd.DataFrame({"record_id": list(record_ids), **dict(zip(COLUMNS, values.T, strict=True))})


def measure(rows: npt.NDArray[np.int16], sampling_rate_hz: float) -> npt.NDArray[np.float64]:
    """Return the measurements of prepared records, shape (records, `COLUMNS`), NaN where there is none.

    There is none at all where fewer than three beats look alike, or too small a part of them; no PR where no P wave is
    found that the beats agree on, or no end of the T wave before it; no QT where no T wave is. The heart rate is
    60 over the mean RR interval, premature beats included.

    Parameters
    ----------
    rows
        Shape (records, 12, samples), in any unit.
    sampling_rate_hz
        Of them, at least 50 Hz.
    """
    measured = np.full((len(rows), len(COLUMNS)), np.nan)
    signals, spans = at_working_rate(rows, sampling_rate_hz)
    if signals.shape[2] < BEFORE + BEHIND:
        return measured
    qrs_share = QRS_SHARE * max(1.0, SLOW_RATE_HZ / sampling_rate_hz) ** SLOW_EXPONENT
    for row, signal, beats, quietness, span in zip(measured, signals, *find_beats(signals, spans), spans, strict=True):
        beat = typical_beat(quietness[:, None] * signal, beats, span) if len(beats) >= LEAST_BEATS else None
        if beat is not None:
            row[:] = _measurements(beat, beats, qrs_share)
    low, high = np.array([LIMITS[column] for column in COLUMNS]).T
    measured[~((measured >= low) & (measured <= high))] = np.nan
    return measured


def _measurements(beat: TypicalBeat, beats: Positions, qrs_share: float) -> tuple[float, float, float, float]:
    rr = (beats[-1] - beats[0]) / (len(beats) - 1)
    qrs_onset, qrs_end = _qrs(_velocity(beat, QRS_WIDTH_S), qrs_share)
    velocity = _velocity(beat, WAVE_WIDTH_S)
    t_end = _t_end(beat, velocity, qrs_onset, qrs_end, rr)
    p_onset = _p_onset(beat, velocity, qrs_onset, t_end)
    ms = 1000 / RATE_HZ
    return 60 * RATE_HZ / rr, ms * (qrs_onset - p_onset), ms * (qrs_end - qrs_onset), ms * (t_end - qrs_onset)


def _velocity(beat: TypicalBeat, width_s: float) -> Samples:
    """Return the spatial velocity of the typical beat."""
    slopes = beat.leads @ _slopes(width_s)
    return np.asarray(np.sqrt(np.einsum("ls,ls->s", slopes, slopes)))


@lru_cache
def _slopes(width_s: float) -> Samples:
    """Return what turns a typical beat into its smoothed slopes: as columns, the derivative of a Gaussian per step."""
    unit = np.eye(BEFORE + BEHIND, dtype=np.float32)
    return np.asarray(gaussian_filter1d(unit, width_s * RATE_HZ, axis=1, order=1, mode="nearest", truncate=3))


def _qrs(velocity: Samples, share: float) -> tuple[float, float]:
    """Return where QRS begins and ends."""
    before, behind = (round(reach * RATE_HZ) for reach in QRS_REACH_S)
    near = velocity[BEFORE - before : BEFORE + behind]
    steep = BEFORE - before + np.flatnonzero(near >= QRS_STEEP * near.max())
    level = share * float(near.max())
    return _rest(velocity, int(steep[0]), -1, level), _rest(velocity, int(steep[-1]), 1, level)


def _t_end(beat: TypicalBeat, velocity: Samples, qrs_onset: float, qrs_end: float, rr: float) -> float:
    """Return where the T wave ends, NaN if there is none or QRS has no bounds."""
    if np.isnan(qrs_onset + qrs_end):
        return np.nan
    reach = T_REACH_S * np.sqrt(RATE_HZ * rr)
    next_r = BEFORE + beat.shortest_behind
    first = max(BEFORE, int(qrs_end + T_GAP_S * RATE_HZ))
    stop = int(min(qrs_onset + reach, next_r - NEXT_R_S * RATE_HZ))
    flanks = _flanks(velocity, first, stop)
    if not len(flanks) or _agreement(beat.behind[:, :, first - BEFORE : stop - BEFORE]) < T_AGREEMENT:
        return np.nan
    return _rest(velocity, int(flanks[-1]), 1, T_SHARE * float(velocity[flanks[-1]]))


def _p_onset(beat: TypicalBeat, velocity: Samples, qrs_onset: float, t_end: float) -> float:
    """Return where the P wave begins, NaN if there is none."""
    if np.isnan(t_end):  # then nothing tells P from the T wave before
        return np.nan
    gap, t_end_before = P_GAP_S * RATE_HZ, t_end - beat.shortest_before
    first, stop = int(max(qrs_onset - P_REACH_S * RATE_HZ, t_end_before + gap, 1)), int(qrs_onset - gap)
    flanks = _flanks(velocity, first, stop)
    if not len(flanks) or len(beat.before) < LEAST_BEATS:  # two beats of fibrillation may agree by chance
        return np.nan
    if _agreement(beat.before[:, :, first:stop]) < P_AGREEMENT:
        return np.nan
    return _rest(velocity, int(flanks[0]), -1, P_SHARE * float(velocity[flanks[0]]))


def _flanks(velocity: Samples, first: int, stop: int) -> Positions:
    """Return the steep maxima of the velocity from `first` to before `stop`."""
    if stop <= first:
        return np.empty(0, dtype=np.int64)
    part = velocity[first - 1 : stop + 1]
    at = first + np.flatnonzero((part[1:-1] >= part[:-2]) & (part[1:-1] > part[2:]))
    flanks: Positions = at[velocity[at] >= FLANK_STEEP * velocity[at].max(initial=0)]
    return flanks


def _rest(velocity: Samples, start: int, direction: int, level: float) -> float:
    """Return where, from `start` on, the velocity comes to lasting rest below a level; NaN if it does not."""
    reach = round(REST_REACH_S * RATE_HZ)
    course = velocity[start : start + reach] if direction > 0 else velocity[max(0, start - reach + 1) : start + 1][::-1]
    level = max(level, FLOOR * float(course.min()))
    below = course < level
    lasting = np.logical_and.reduce([below[i : max(0, len(below) - REST_STEPS + 1) + i] for i in range(REST_STEPS)])
    first = int(lasting.argmax()) if len(lasting) else 0
    if first == 0:
        return np.nan
    above, under = float(course[first - 1]), float(course[first])
    return start + direction * (first - (level - under) / (above - under))


def _agreement(beats: Samples) -> float:
    """Return the median correlation of each beat with the mean of the others, all leads in one, without their trends.

    Parameters
    ----------
    beats
        Shape (beats, leads, samples).
    """
    if beats.shape[2] < 4:
        return 0.0
    trend = _trend(beats.shape[2])
    waves = (beats - (beats @ trend) @ trend.T).reshape(len(beats), -1)
    others = waves.sum(axis=0) - waves
    product, own, of_others = (
        np.einsum("bi,bi->b", a, b) for a, b in ((waves, others), (waves, waves), (others, others))
    )
    return float(np.median(product / np.sqrt(np.maximum(own * of_others, 1e-6))))


@lru_cache(maxsize=256)
def _trend(n_samples: int) -> Samples:
    """Return a constant and a straight line of length 1 as columns, at right angles."""
    columns, _ = np.linalg.qr(np.stack([np.ones(n_samples), np.arange(n_samples)], axis=1))
    return columns.astype(np.float32)

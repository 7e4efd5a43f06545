"""Where the heart beats in prepared signals, and what a typical beat of each record looks like.

Beats are prominent in the curvature of the signal, which P and T waves hardly have. Every lead adds to one curve of
energy by how quiet it is between beats, so that a noisy lead counts little. The beats that look like most others, moved
to where they fit best, are averaged into the typical beat. All this happens at `RATE_HZ`, whatever the rate of the
array.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.signal import resample_poly

from ecgtransfer.kernels.filters import resampling_ratio
from ecgtransfer.leads import INDEPENDENT
from ecgtransfer.prepare.signal_file import extents

RATE_HZ = 250
"""Steps of 4 ms; times in between come from interpolation."""

CURVATURE_S, ENERGY_S = 0.016, 0.03
"""Widths of the Gaussians: the second derivative of the first is a band-pass around 14 Hz."""
WINDOW_S = 1.5
"""Holds a beat at any rate above 40/min."""
QUIET_SHARE = 0.02
"""Of a lead's energy in beats: no lead is taken to be quieter than that between them."""
THRESHOLD = 0.35
"""Of the typical beat's height in the square root of the energy."""
RESTING = 0.7
"""Of that height, between beats at most: the curve of a pure tone is all but flat, that of a fast tachycardia not."""
REFRACTORY_S = 0.22
T_WAVE_S, T_WAVE_SHARE = 0.4, 0.5
"""A lower peak so soon after a beat is its T wave."""
QRS_BEFORE, QRS_BEHIND = round(0.07 * RATE_HZ), round(0.09 * RATE_HZ)
LARGEST_SHIFT = round(0.024 * RATE_HZ)
"""What is compared of a beat, and how far it is moved to fit. Nearer to an end of the recording than both together, the
end itself looks like a beat, and none is counted."""
ALIKE = 0.85
"""Correlation of two QRS complexes of one kind, all leads in one."""
LEAST_BEATS, LEAST_SHARE = 3, 0.4
"""Of the commonest kind, in a record that is more than noise; in bigeminy every other beat is of it."""

BEFORE, BEHIND = round(0.44 * RATE_HZ), round(0.64 * RATE_HZ)
"""What the typical beat shows around R."""
PREMATURE = 0.8
"""Of the median RR interval: P waves are those of beats that come later, T waves those of beats that have so much time,
or all that the typical beat shows."""

Samples = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TypicalBeat:
    """The commonest kind of beat of one record, around R at `BEFORE`, steps of 1 / `RATE_HZ`.

    Attributes
    ----------
    leads
        Shape (8, `BEFORE` + `BEHIND`): average of each lead, first that of the beats which are not premature, from R on
        that of the beats which no other disturbs.
    before, behind
        Shape (beats, 8, `BEFORE` or `BEHIND`): the beats that were averaged.
    shortest_before, shortest_behind
        Shortest RR interval before and behind these, in steps.
    """

    leads: Samples
    before: Samples
    behind: Samples
    shortest_before: float
    shortest_behind: float


def at_working_rate(rows: npt.NDArray[np.int16], sampling_rate_hz: float) -> tuple[Samples, Positions]:
    """Return eight independent leads at `RATE_HZ`, shape (records, 8, samples), and where in them each record lies.

    The latter has shape (records, 2): first sample and the one behind the last, without the zeros of padding.
    """
    signals = rows[:, INDEPENDENT].astype(np.float32)
    ratio = resampling_ratio(sampling_rate_hz, RATE_HZ)
    spans = (extents(rows) * float(ratio)).astype(np.int64)
    if ratio == 1:
        return signals, spans
    resampled = resample_poly(signals, ratio.numerator, ratio.denominator, axis=2, padtype="line")
    return resampled.astype(np.float32, copy=False), spans


def find_beats(signals: Samples, spans: Positions) -> tuple[list[Positions], Samples]:
    """Return by record where its beats are, and how quiet its leads are between them, shape (records, 8).

    The latter is 1 at best, and near 0 in leads of noise.

    Parameters
    ----------
    signals, spans
        As from `at_working_rate`.
    """
    energy, quietness = _energy(signals)
    height = np.sqrt(energy)
    typical = _typical_maximum(height)
    neighbourhood = 2 * round(REFRACTORY_S * RATE_HZ) + 1
    peaks = (height >= maximum_filter1d(height, neighbourhood, axis=1)) & (height > THRESHOLD * typical[:, None])
    peaks &= (np.median(height, axis=1) < RESTING * typical)[:, None]
    edge = max(QRS_BEFORE, QRS_BEHIND) + LARGEST_SHIFT
    beats = []
    for of_record, peak, (first, stop) in zip(height, peaks, spans, strict=True):
        at = np.flatnonzero(peak)
        at = at[(at >= first + edge) & (at <= stop - edge)]
        beats.append(_without_t_waves(at, of_record[at]))
    return beats, quietness


def _energy(signals: Samples) -> tuple[Samples, Samples]:
    """Return the energy of the curvature, shape (records, samples), and how quiet leads are, (records, 8)."""
    energy = gaussian_filter1d(signals, CURVATURE_S * RATE_HZ, axis=2, order=2, mode="nearest", truncate=3)
    np.square(energy, out=energy)
    of_beats = _typical_maximum(energy)
    between = np.median(energy[..., ::4], axis=2) + QUIET_SHARE * of_beats
    weights = np.where(of_beats > 0, 1 / np.maximum(between, 1e-9), 0).astype(np.float32)
    np.minimum(energy, 2 * of_beats[..., None], out=energy)  # a spike counts no more than a large beat
    combined = np.matmul(weights[:, None], energy)[:, 0]
    smoothed = gaussian_filter1d(combined, ENERGY_S * RATE_HZ, axis=1, mode="nearest", truncate=3)
    return np.asarray(smoothed), QUIET_SHARE * of_beats * weights


def _typical_maximum(curves: Samples) -> Samples:
    """Return the median over windows of the maximum, along the last axis."""
    width = min(round(WINDOW_S * RATE_HZ), curves.shape[-1])
    n_windows = curves.shape[-1] // width
    windows = curves[..., : n_windows * width].reshape(*curves.shape[:-1], n_windows, width)
    return np.asarray(np.median(windows.max(axis=-1), axis=-1))


def _without_t_waves(at: Positions, height: Samples) -> Positions:
    kept: list[int] = []
    for i in range(len(at)):
        if kept and at[i] - at[kept[-1]] < T_WAVE_S * RATE_HZ and height[i] < T_WAVE_SHARE * height[kept[-1]]:
            continue
        kept.append(i)
    return at[kept]


def typical_beat(signal: Samples, beats: Positions, span: Positions) -> TypicalBeat | None:
    """Return the typical beat of a record, None if too few beats are alike or lie whole within it.

    Parameters
    ----------
    signal
        Shape (8, samples), at `RATE_HZ`.
    beats
        Where its beats are.
    span
        Where the record begins, and the sample behind its end.
    """
    at, alike = _aligned(signal, beats)
    if alike.sum() < max(LEAST_BEATS, LEAST_SHARE * len(beats)):
        return None
    intervals = np.diff(beats)
    usual = PREMATURE * np.median(intervals)
    interval_before, interval_behind = np.append(np.inf, intervals), np.append(intervals, np.inf)
    before = alike & (interval_before >= usual) & (at - BEFORE >= span[0])
    behind = alike & (interval_behind >= min(usual, BEHIND)) & (at + BEHIND <= span[1])
    if min(before.sum(), behind.sum()) < 2:
        return None
    level = _cut(signal, at, -QRS_BEFORE, QRS_BEHIND).mean(axis=2, keepdims=True)
    beats_before = _cut(signal, at[before], -BEFORE, 0) - level[before]
    beats_behind = _cut(signal, at[behind], 0, BEHIND) - level[behind]
    return TypicalBeat(
        leads=np.concatenate([_average(beats_before), _average(beats_behind)], axis=1),
        before=beats_before,
        behind=beats_behind,
        shortest_before=float(min(interval_before[before].min(), intervals.max())),
        shortest_behind=float(min(interval_behind[behind].min(), intervals.max())),
    )


def _aligned(signal: Samples, beats: Positions) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """Return beats where they fit the commonest kind best, and which of them are of that kind."""
    complexes = _complexes(signal, beats)
    alike = complexes @ complexes.T > ALIKE
    template = complexes[alike.sum(axis=1).argmax()]
    longer = _cut(signal, beats, -QRS_BEFORE - LARGEST_SHIFT, QRS_BEHIND + LARGEST_SHIFT).reshape(len(beats), -1)
    for _ in range(2):
        at = beats + (longer @ _shifts(template)).argmax(axis=1) - LARGEST_SHIFT
        complexes = _complexes(signal, at)
        of_kind = complexes @ template > ALIKE
        template = complexes[of_kind].sum(axis=0)
        template /= np.linalg.norm(template) + 1e-6
    return at, complexes @ template > ALIKE


def _complexes(signal: Samples, at: Positions) -> Samples:
    """Return the QRS complexes as vectors of unit length, shape (beats, 8 * samples), each lead without its mean."""
    complexes = _cut(signal, at, -QRS_BEFORE, QRS_BEHIND)
    complexes -= complexes.mean(axis=2, keepdims=True)
    flat = complexes.reshape(len(at), -1)
    return np.asarray(flat / (np.sqrt(np.einsum("bi,bi->b", flat, flat))[:, None] + 1e-6))


def _shifts(template: Samples) -> Samples:
    """Return the template at every shift within a longer window, one per column."""
    by_lead = template.reshape(-1, QRS_BEFORE + QRS_BEHIND)
    n_leads, n_samples = by_lead.shape
    shifts = np.zeros((n_leads, n_samples + 2 * LARGEST_SHIFT, 2 * LARGEST_SHIFT + 1), dtype=np.float32)
    for shift in range(shifts.shape[2]):
        shifts[:, shift : shift + n_samples, shift] = by_lead
    return shifts.reshape(-1, shifts.shape[2])


def _cut(signal: Samples, at: Positions, first: int, stop: int) -> Samples:
    """Return the signal around some positions, shape (positions, leads, stop - first)."""
    return np.stack([signal[:, i + first : i + stop] for i in at.tolist()])


def _average(beats: Samples) -> Samples:
    """Return the mean of the middle half of the beats, sample by sample; of two or three their median."""
    if len(beats) < 4:
        return np.asarray(np.median(beats, axis=0))
    cut = len(beats) // 4
    return np.asarray(np.sort(beats, axis=0)[cut : len(beats) - cut].mean(axis=0))

"""When the heart beats: sinus rhythm with respiratory arrhythmia, atrial fibrillation, premature beats.

A rhythm is a train of QRS onsets. What each beat looks like is the business of `heart_model`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_LEAD_IN_S = 6.0  # the train starts this long before the recording, so that its first seconds are like its others
_ECTOPY_GAP_S = 4.2  # from one premature beat to the next at most: every 5 s window then shows one as a whole


class BeatKind(IntEnum):
    """Where a beat starts: in the sinus node (in fibrillation the AV node), elsewhere in the atria, in a ventricle."""

    NORMAL = 0
    ATRIAL = 1
    VENTRICULAR = 2


@dataclass(frozen=True)
class Rhythm:
    """The pace of one recording: mean RR interval, how it varies, which premature beats occur."""

    mean_rr_s: float
    fibrillating: bool
    respiration_hz: float
    respiratory_share: float
    premature: tuple[BeatKind, ...]


@dataclass(frozen=True)
class BeatTrain:
    """Beats in order of time: QRS onset in s, square root of the RR interval that sets the QT time, kind."""

    onset_s: FloatArray
    sqrt_rr: FloatArray
    kind: NDArray[np.int64]


def beat_train(rhythm: Rhythm, duration_s: float, rng: np.random.Generator) -> BeatTrain:
    """Return the beats that a recording of `duration_s` seconds shows, those at its edges included.

    Premature ventricular beats leave the sinus node alone, so a compensatory pause follows; atrial ones reset it,
    so the pause is incomplete. Premature beats of one kind come at most 4.2 s apart (at rates where a sinus beat fits
    between them): a recording that is labelled with them shows one in every 5 s.
    """
    onsets: list[float] = []
    intervals: list[float] = []
    kinds: list[BeatKind] = []
    respiration_phase = rng.uniform(0, 2 * np.pi)
    due = {kind: -_LEAD_IN_S + rng.uniform(1.0, 2.5) for kind in rhythm.premature}
    mean_rr_s = min(rhythm.mean_rr_s, 1.05) if len(due) > 1 else rhythm.mean_rr_s
    now, last_interval = -_LEAD_IN_S, mean_rr_s
    last_kind = BeatKind.NORMAL
    while now < duration_s + 1.0:
        onsets.append(now)
        intervals.append(last_interval)
        kinds.append(last_kind)
        rr = _next_interval(rhythm, mean_rr_s, now, respiration_phase, rng)
        candidates = [kind for kind in due if due[kind] < now + rr] if last_kind is BeatKind.NORMAL else []
        if candidates:
            last_kind = min(candidates, key=lambda kind: due[kind])
            rr = _coupling_interval(mean_rr_s if rhythm.fibrillating else rr, last_kind, rng)
            # When due, it still has to wait for a coupling interval (0.7 RR), and for the other kind's turn (2 RR).
            reserve = (0.9 + 2.0 * (len(due) - 1)) * mean_rr_s
            due[last_kind] = now + rr + rng.uniform(0.6, 1.0) * (_ECTOPY_GAP_S - reserve)
        else:
            rr *= _pause_factor(last_kind, last_interval / mean_rr_s, rhythm.fibrillating, rng)
            last_kind = BeatKind.NORMAL
        now, last_interval = now + rr, rr
    # QT follows the rate of the last minutes more than the last interval.
    qt_rr = np.clip(0.75 * mean_rr_s + 0.25 * np.array(intervals), 0.3, 1.7)
    onset_s = np.array(onsets)
    shown = onset_s > -1.0
    return BeatTrain(onset_s[shown], np.sqrt(qt_rr)[shown], np.array(kinds, dtype=np.int64)[shown])


def _next_interval(
    rhythm: Rhythm, mean_rr_s: float, now: float, respiration_phase: float, rng: np.random.Generator
) -> float:
    if rhythm.fibrillating:
        return float(np.clip(mean_rr_s * rng.lognormal(-0.03, 0.24), 0.34, 1.9))
    breath = rhythm.respiratory_share * np.sin(2 * np.pi * rhythm.respiration_hz * now + respiration_phase)
    return float(mean_rr_s * (1 + breath + 0.008 * rng.standard_normal()))


def _coupling_interval(rr: float, kind: BeatKind, rng: np.random.Generator) -> float:
    """Return the time from the beat before to a premature one; never inside the T wave's upstroke."""
    share = rng.uniform(0.62, 0.74) if kind is BeatKind.ATRIAL else rng.uniform(0.55, 0.68)
    return float(min(max(share * rr, 0.38 * np.sqrt(rr) + 0.05), 0.85 * rr))


def _pause_factor(before: BeatKind, coupling: float, fibrillating: bool, rng: np.random.Generator) -> float:
    """Return how many times the usual the interval is after a beat `before`, which itself came after `coupling` RR."""
    if before is BeatKind.VENTRICULAR:
        return 1.3 if fibrillating else 2.0 - coupling
    return float(rng.uniform(1.02, 1.12)) if before is BeatKind.ATRIAL else 1.0


def fibrillatory_waves(n_samples: int, sampling_rate_hz: float, rng: np.random.Generator) -> FloatArray:
    """Return the atrial dipole of fibrillation, shape (3, n_samples), mV along the Frank axes.

    Two wave fronts of 4.5-8 Hz whose frequency and strength drift, with a harmonic that sharpens them; strongest in V1,
    as the right atrium lies under it.
    """
    time_s = np.arange(n_samples) / sampling_rate_hz
    dipole = np.zeros((3, n_samples))
    main_hz, strength = rng.uniform(4.8, 7.5), rng.uniform(0.035, 0.085)
    for share, direction in ((1.0, (0.0, 0.35, -0.9)), (0.6, (0.35, 0.8, -0.1))):
        drift = rng.uniform(0.1, 0.5, 3)
        start = rng.uniform(0, 2 * np.pi, 4)
        hz = main_hz * rng.uniform(0.92, 1.08)
        phase = 2 * np.pi * hz * time_s + start[0]
        phase += 1.2 * np.sin(2 * np.pi * drift[0] * time_s + start[1])
        phase += 0.8 * np.sin(2 * np.pi * 2.3 * drift[1] * time_s + start[2])
        envelope = strength * share * (1 + 0.4 * np.sin(2 * np.pi * drift[2] * time_s + start[3]))
        wave = envelope * (np.sin(phase) + 0.35 * np.sin(2 * phase + 0.6))
        dipole += np.array(direction)[:, None] * wave
    return dipole

"""Whether two recordings that may share a stretch really do: from the samples of the eight independent leads.

One recording is predicted from the other by a filter of a few taps, the same for all leads: it represents the gain, the
shift by parts of a sample and a mildly different filter, and it cannot turn one heart's beat into another's. Two things
must hold. The prediction must leave little over the whole overlap. And it must leave less of each piece than a
prediction from anywhere else in the recording: what comes from one patient in a steady rhythm fits at any beat, a copy
knows its own beats, and its own noise between them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import gaussian_filter1d

from ecgtransfer.audit.views import VIEWS, averaged, samples_per_step
from ecgtransfer.leads import INDEPENDENT

LEAST_OVERLAP_S = 3.0

VIEW_ROWS = [INDEPENDENT.index(lead) for lead in VIEWS]

EDGE_S = 0.25
"""Left out at both ends of a recording, where its filter has not settled."""

SMOOTHING_S, BASELINE_S = 0.012, 0.1
"""Gaussians that take out noise above some 15 Hz and the baseline below some 2 Hz, which filters treat differently."""

TAPS_S = 0.03
"""Reach of the predicting filter to both sides."""

STABILISING_SHARE = 1e-4
"""Of the mean energy, added to the normal equations, as band-limited signals leave them nearly singular."""

LEAST_RANGE_UV = 5.0
"""A lead that stays within this range in either recording is flat and not compared."""

LEAST_LEADS = 2
"""Of the independent ones: some published recordings have only the limb leads."""

UNEXPLAINED_AT_LEAST_OVERLAP, UNEXPLAINED_PER_S, MOST_UNEXPLAINED = 0.01, 0.007, 0.06
"""Share of the energy that a prediction may leave: 1 % at 3 s, more where a longer overlap makes chance less likely."""

PIECE_S = 0.6
"""Pieces that hold one beat at most, so that nothing but the beat itself decides where it fits best."""

ALTERNATIVE_DISTANCE_S = 0.25
"""From here on another place is another beat."""

N_ALTERNATIVES, TRIED_DISTANCE_S = 3, 0.05
"""Other places tried for each piece, and how far they lie apart."""

MOST_OF_ELSEWHERE, LEAST_EVIDENCE = 0.5, 3.0
"""A copy leaves at most this share of what other beats leave, and minus its logarithm times the root of the number of
pieces is at least this evidence. Stretches of one patient's recordings that fit to the eye reach 2.6."""

ROUNDING_ENERGY = 1 / 12
"""µV² per sample that rounding to 1 µV alone leaves."""


def verify(
    signals_a: npt.NDArray[np.int16],
    signals_b: npt.NDArray[np.int16],
    extents_a: npt.NDArray[np.int32],
    extents_b: npt.NDArray[np.int32],
    lags_s: npt.NDArray[np.float64],
    sampling_rate_hz: float,
) -> pd.DataFrame:
    """Return ``same, correlation, gain, overlap_s, unexplained, of_elsewhere``, one row per pair.

    Parameters
    ----------
    signals_a, signals_b
        Shape (pairs, 12, samples), 1 µV per step.
    extents_a, extents_b
        Shape (pairs, 2): where the signal lies between the zeros of padding.
    lags_s
        Time in b plus the lag is time in a.
    sampling_rate_hz
        Of the signals.

    Returns
    -------
    pandas.DataFrame
        ``correlation`` of b with its prediction from a over the overlap and the leads that move; ``gain``, amplitude
        of b over that of a; ``unexplained``, 1 - correlation²; ``of_elsewhere``, what is left of pieces of b over what
        predictions from other places in a leave of them, NaN where that was not needed.
    """
    pooling = samples_per_step(sampling_rate_hz)
    rate = sampling_rate_hz / pooling
    lags = np.rint(lags_s * rate).astype(np.int64)
    pairs = _Pairs(
        *_detail(signals_a, extents_a, pooling, rate), *_detail(signals_b, extents_b, pooling, rate)
    ).without_flat_leads()
    overlap_s = _overlap(extents_a, extents_b, np.rint(lags_s * sampling_rate_hz).astype(np.int64)) / sampling_rate_hz
    unexplained, gain = _predict(pairs, lags, rate)
    allowed = UNEXPLAINED_AT_LEAST_OVERLAP + UNEXPLAINED_PER_S * (overlap_s - LEAST_OVERLAP_S)
    same = (unexplained <= np.minimum(allowed, MOST_UNEXPLAINED)) & (overlap_s >= LEAST_OVERLAP_S - 0.5 / rate)
    same &= pairs.a.any(axis=2).sum(axis=1) >= LEAST_LEADS
    of_elsewhere = np.full(len(same), np.nan)
    left = np.flatnonzero(same)
    if len(left):
        of_elsewhere[left], n_pieces = _compare_with_other_beats(pairs[left], lags[left], rate)
        evidence = -np.log(of_elsewhere[left]) * np.sqrt(n_pieces)
        same[left] = (of_elsewhere[left] <= MOST_OF_ELSEWHERE) & (evidence >= LEAST_EVIDENCE)
    return pd.DataFrame(
        {
            "same": same,
            "correlation": np.sqrt(1 - unexplained),
            "gain": gain,
            "overlap_s": overlap_s,
            "unexplained": unexplained,
            "of_elsewhere": of_elsewhere,
        }
    )


@dataclass(frozen=True)
class _Pairs:
    """Signals at the working rate, shape (pairs, 8, samples), and where they count, shape (pairs, samples)."""

    a: npt.NDArray[np.float32]
    inside_a: npt.NDArray[np.bool_]
    b: npt.NDArray[np.float32]
    inside_b: npt.NDArray[np.bool_]

    def __getitem__(self, which: npt.NDArray[np.int64]) -> "_Pairs":
        return _Pairs(self.a[which], self.inside_a[which], self.b[which], self.inside_b[which])

    def without_flat_leads(self) -> "_Pairs":
        """Return the pairs with leads at 0 that are flat in one of the two."""
        moves = (np.ptp(self.a, axis=2) > LEAST_RANGE_UV) & (np.ptp(self.b, axis=2) > LEAST_RANGE_UV)
        return _Pairs(self.a * moves[:, :, None], self.inside_a, self.b * moves[:, :, None], self.inside_b)


def _detail(
    signals: npt.NDArray[np.int16], extents: npt.NDArray[np.int32], pooling: int, rate: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return what identifies the signals, 0 outside their extents less the edges, and what lies inside."""
    pooled = averaged(signals[:, INDEPENDENT].astype(np.float32), pooling)
    smooth = gaussian_filter1d(pooled, SMOOTHING_S * rate, axis=2, mode="nearest", truncate=3)
    detail = smooth - gaussian_filter1d(smooth, BASELINE_S * rate, axis=2, mode="nearest", truncate=3)
    edge = round(EDGE_S * rate)
    at = np.arange(detail.shape[2])
    inside = (at >= extents[:, :1] // pooling + edge) & (at < extents[:, 1:] // pooling - edge)
    return detail * inside[:, None, :], inside


def _overlap(
    extents_a: npt.NDArray[np.int32], extents_b: npt.NDArray[np.int32], lags: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return how many samples both have."""
    first = np.maximum(extents_a[:, 0] - lags, extents_b[:, 0])
    behind = np.minimum(extents_a[:, 1] - lags, extents_b[:, 1])
    n_samples: npt.NDArray[np.int64] = np.maximum(behind - first, 0)
    return n_samples


def _reach(rate: float) -> int:
    return max(1, round(TAPS_S * rate))


def _seen(pairs: _Pairs, lags: npt.NDArray[np.int64], rate: float) -> npt.NDArray[np.bool_]:
    """Return which samples of b have all that predicts them in a."""
    reach = _reach(rate)
    at, there = _shifted(pairs, lags, reach)
    wide = np.take_along_axis(pairs.inside_a, at, axis=1) & there
    seen: npt.NDArray[np.bool_] = pairs.inside_b & wide[:, : -2 * reach] & wide[:, 2 * reach :]
    return seen


def _shifted(
    pairs: _Pairs, lags: npt.NDArray[np.int64], reach: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return which sample of a corresponds to each of b, `reach` more at both ends, and whether there is one."""
    n_samples = pairs.a.shape[2]
    at = np.arange(-reach, n_samples + reach) + lags[:, None]
    return at.clip(0, n_samples - 1), (at >= 0) & (at < n_samples)


def _predict(
    pairs: _Pairs, lags: npt.NDArray[np.int64], rate: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the share of b's energy over the overlap that its best prediction from a leaves, and the gain.

    The share is 1 where there is nothing to compare.
    """
    n_taps = 2 * _reach(rate) + 1
    n_pairs, n_leads, n_samples = pairs.a.shape
    at, _ = _shifted(pairs, lags, _reach(rate))
    wide = np.take_along_axis(pairs.a, at[:, None, :], axis=2)
    seen = _seen(pairs, lags, rate)[:, None, :]
    target = (pairs.b * seen).reshape(n_pairs, 1, -1)
    taps = np.empty((n_pairs, n_taps, n_leads, n_samples), dtype=np.float32)
    for i in range(n_taps):
        np.multiply(wide[:, :, i : i + n_samples], seen, out=taps[:, i])
    flat = taps.reshape(n_pairs, n_taps, -1)
    products = np.matmul(flat, flat.transpose(0, 2, 1)).astype(np.float64)
    moments = np.matmul(flat, target.transpose(0, 2, 1))[:, :, 0].astype(np.float64)
    energy = np.square(target).sum(axis=(1, 2), dtype=np.float64)
    power = np.trace(products, axis1=1, axis2=2) / n_taps
    usable = (energy > 0) & (power > 0)
    energy, power = np.where(usable, energy, 1.0), np.where(usable, power, 1.0)
    products += (STABILISING_SHARE * power)[:, None, None] * np.eye(n_taps)
    weights = np.linalg.solve(products, moments[:, :, None])[:, :, 0]
    explained = (weights * moments).sum(axis=1) / energy
    return np.where(usable, (1 - explained).clip(0, 1), 1.0), np.where(usable, np.sqrt(energy / power), 0.0)


def _compare_with_other_beats(
    pairs: _Pairs, lags: npt.NDArray[np.int64], rate: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return what predictions at `lags` leave over what the best from elsewhere leave, and of how many pieces.

    The first is the geometric mean over the pieces of b, so that the quiet pieces count as much as the beats.
    """
    size, reach = round(PIECE_S * rate), _reach(rate)
    starts, whole = _pieces_of_overlap(_seen(pairs, lags, rate), size)
    pieces = _pieces_at(pairs.b, starts, size)
    expected = starts + lags[:, None]
    similar = _similarity(pairs, pieces, size)
    at = np.arange(similar.shape[2])
    similar[np.abs(at - expected[:, :, None]) < ALTERNATIVE_DISTANCE_S * rate] = -1
    elsewhere = np.full(starts.shape, np.inf)
    for _ in range(N_ALTERNATIVES):
        best = similar.argmax(axis=2)
        there = np.take_along_axis(similar, best[:, :, None], axis=2)[:, :, 0] > -1
        left = _left(pieces, _pieces_at(pairs.a, best - reach, size + 2 * reach), reach)
        elsewhere = np.where(there, np.minimum(elsewhere, left), elsewhere)
        similar[np.abs(at - best[:, :, None]) < TRIED_DISTANCE_S * rate] = -1
    here = _left(pieces, _pieces_at(pairs.a, expected - reach, size + 2 * reach), reach)
    compared = whole & np.isfinite(elsewhere)
    n_compared = compared.sum(axis=1)
    rounding = pieces[0, 0].size * ROUNDING_ENERGY
    ratio = np.log(here + rounding) - np.log(np.where(compared, elsewhere, 1) + rounding)
    return np.exp(np.where(compared, ratio, 0).sum(axis=1) / np.maximum(n_compared, 1)), n_compared


def _pieces_of_overlap(seen: npt.NDArray[np.bool_], size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return where successive pieces of the overlap start, and which lie in it wholly; shape (pairs, pieces)."""
    starts = seen.argmax(axis=1)[:, None] + size * np.arange(seen.shape[1] // size)
    within = starts + size <= seen.shape[1]
    starts = np.where(within, starts, 0)
    total = np.pad(seen.cumsum(axis=1), ((0, 0), (1, 0)))
    n_seen = np.take_along_axis(total, starts + size, axis=1) - np.take_along_axis(total, starts, axis=1)
    return starts, within & (n_seen == size)


def _pieces_at(x: npt.NDArray[np.float32], starts: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.float32]:
    """Return stretches of x, shape (pairs, pieces, leads, size); beyond the ends the last samples are repeated."""
    at = (starts[:, :, None, None] + np.arange(size)).clip(0, x.shape[2] - 1)
    pair = np.arange(len(x))[:, None, None, None]
    stretches: npt.NDArray[np.float32] = x[pair, np.arange(x.shape[1])[:, None], at]
    return stretches


def _similarity(pairs: _Pairs, pieces: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Return the normalised correlation of each piece with a, by where it starts in a; -1 where a has no signal."""
    views, short = pairs.a[:, VIEW_ROWS], pieces[:, :, VIEW_ROWS]
    n_starts = views.shape[2] - size + 1
    n_padded = next_fast_len(views.shape[2] + size, real=True)
    spectrum = rfft(views, n_padded, axis=2)[:, None] * np.conj(rfft(short, n_padded, axis=3))
    products = irfft(spectrum.sum(axis=2), n_padded, axis=2)[:, :, :n_starts]
    sums = [
        np.pad(x.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        for x in (np.square(views).sum(axis=1), pairs.inside_a)
    ]
    energy, inside = (x[:, size:] - x[:, :-size] for x in sums)
    scale = np.sqrt(np.maximum(energy[:, None] * np.square(short).sum(axis=(2, 3))[:, :, None], 1.0))
    whole = (inside > size - 0.5)[:, None]
    return np.where(whole, products / scale, -1).astype(np.float32)


def _left(pieces: npt.NDArray[np.float32], wide: npt.NDArray[np.float32], reach: int) -> npt.NDArray[np.float64]:
    """Return the energy that the best prediction of each piece from its stretch of a leaves."""
    n_taps, size = 2 * reach + 1, pieces.shape[3]
    taps = np.stack([wide[..., i : i + size] for i in range(n_taps)], axis=2)
    flat = taps.reshape(*taps.shape[:3], -1)
    target = pieces.reshape(*pieces.shape[:2], -1, 1)
    products = np.matmul(flat, flat.swapaxes(2, 3)).astype(np.float64)
    moments = np.matmul(flat, target)[..., 0].astype(np.float64)
    power = np.trace(products, axis1=2, axis2=3) / n_taps
    products += (STABILISING_SHARE * np.maximum(power, 1e-6))[..., None, None] * np.eye(n_taps)
    weights = np.linalg.solve(products, moments[..., None])[..., 0]
    energy = np.square(target).sum(axis=(2, 3), dtype=np.float64)
    left: npt.NDArray[np.float64] = np.maximum(energy - (weights * moments).sum(axis=2), 0)
    return left

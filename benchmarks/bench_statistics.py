"""The bootstrap of the macro AUROC: all resamples at once against a loop over scikit-learn."""

import tracemalloc

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from benchmarks.measure import Result, interleaved
from ecgtransfer.statistics.metrics import auroc, macro
from ecgtransfer.statistics.resampling import patient_resamples

N_RESAMPLES = 1000
N_LABELS, N_RECORDS = 71, 2200  # the statements of PTB-XL and, about, its test fold
REPEATS = 5
SAMPLED_RESAMPLES = 4


def measure() -> list[Result]:
    """Return ``bootstrap_vs_sklearn``, how many times faster, draws included, and ``bootstrap_peak_mb``.

    The loop over scikit-learn would take minutes. It is timed on `SAMPLED_RESAMPLES` resamples, all labels each, and
    that time is multiplied up to `N_RESAMPLES`: a loop without state, every turn of it costs the same.
    """
    rng = np.random.default_rng(1)
    prevalence = np.geomspace(0.3, 0.002, N_LABELS)
    labels = rng.random((N_RECORDS, N_LABELS)) < prevalence
    scores = (rng.normal(size=labels.shape) + 1.5 * labels).astype(np.float32)

    np.testing.assert_allclose(_ours(labels, scores)[:SAMPLED_RESAMPLES], _loop(labels, scores), rtol=0, atol=1e-12)
    times = interleaved(lambda: _ours(labels, scores), lambda: _loop(labels, scores), REPEATS)
    return [
        Result("bootstrap_vs_sklearn", times.second_to_first * N_RESAMPLES / SAMPLED_RESAMPLES, "x", 100),
        Result("bootstrap_peak_mb", _peak_mb(labels, scores), "MB", 1000, at_most=True),
    ]


def _peak_mb(labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> float:
    """Return how much memory all resamples take at once."""
    tracemalloc.start()
    _ours(labels, scores)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def _ours(labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    weights = patient_resamples(np.arange(N_RECORDS), N_RESAMPLES, seed=1)
    return macro(np.stack([auroc(labels[:, i], scores[:, i], weights) for i in range(N_LABELS)]))


def _loop(labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the macro AUROC of the first resamples, the same as `_ours` draws, record by record as one writes it."""
    draws = patient_resamples(np.arange(N_RECORDS), SAMPLED_RESAMPLES, seed=1)
    macros = []
    for weights in draws:
        drawn = np.repeat(np.arange(N_RECORDS), weights)
        y, score = labels[drawn], scores[drawn]
        both_classes = np.flatnonzero(y.any(axis=0) & ~y.all(axis=0))
        macros.append(np.mean([roc_auc_score(y[:, i], score[:, i]) for i in both_classes]))
    return np.array(macros)

"""How wide an interval would be with more replicates or more test patients, by what the present ones vary by."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from ecgtransfer.statistics.inference import Variance, parts_of_patients

Array = NDArray[Any]

MOST_REPLICATES = 100
"""More are not asked for."""
MOST_PATIENTS = 1000.0
"""Times the test patients, beyond which none are asked for."""
_N_DRAWS = 1 << 12


@dataclass(frozen=True)
class Spread:
    """What moves the mean of a comparison, as standard deviations.

    Attributes
    ----------
    shared
        What test patients do to all replicates alike.
    single
        What they do to each replicate for itself: at least so far do replicates differ.
    replicate
        How far replicates differ, by test patients and by their trainings.
    degrees_of_freedom
        Of the latter.
    n_replicates
        From which it is known.
    """

    shared: float
    single: float
    replicate: float
    degrees_of_freedom: float
    n_replicates: int

    def with_patients(self, times: float) -> "Spread":
        """Return what it would be with so many times the test patients."""
        trainings = max(self.replicate**2 - self.single**2, 0.0)
        less = self.single / np.sqrt(times)
        return replace(
            self, shared=self.shared / np.sqrt(times), single=less, replicate=float(np.sqrt(trainings + less**2))
        )


def spread_of(values: Array, resampled: Array, variance: Variance | None = None) -> Spread:
    """Return what moves the mean of (R,) values with (R, B) resamples, R being 2 or more.

    `variance` is as for `ecgtransfer.statistics.inference.resampled_mean`, whose parts these are.
    """
    n_replicates = len(values)
    factor, smallest = parts_of_patients(resampled)
    known = variance or Variance(float(values.var(ddof=1)), n_replicates - 1)
    return Spread(
        factor * float(np.nanstd(resampled.mean(axis=0))), smallest * np.sqrt(n_replicates),
        float(np.sqrt(known.value)), known.degrees_of_freedom, n_replicates,
    )  # fmt: skip


def half_width(spread: Spread, n_replicates: int, confidence: float) -> float:
    """Return half the width that the interval of a mean over so many replicates should have.

    Each further replicate adds a degree of freedom to what is known of their variance, which is taken to stay.
    """
    normal, other, uniform = _draws()
    degrees = spread.degrees_of_freedom + n_replicates - spread.n_replicates
    divisor = np.sqrt(chdtri(degrees, uniform) / degrees) if np.isfinite(degrees) else 1.0
    deviations = np.maximum(spread.replicate / divisor, spread.single) / np.sqrt(n_replicates)
    low, high = np.quantile(
        spread.shared * normal + deviations * other, [0.5 - confidence / 2, 0.5 + confidence / 2], method="weibull"
    )
    return float(high - low) / 2


def replicates_for(spread: Spread, half: float, confidence: float) -> int | None:
    """Return the fewest replicates with which the interval reaches no farther than `half` from the mean.

    None if even `MOST_REPLICATES` would not do.
    """
    few, many = spread.n_replicates, MOST_REPLICATES
    if many <= few or half_width(spread, many, confidence) > half:
        return None
    while many - few > 1:
        between = (few + many) // 2
        few, many = (few, between) if half_width(spread, between, confidence) <= half else (between, many)
    return many


def patients_for(spread: Spread, n_replicates: int, half: float, confidence: float) -> float | None:
    """Return how many times the test patients it takes, with so many replicates, to reach no farther than `half`.

    None if even `MOST_PATIENTS` times would not do.
    """
    few, many = 1.0, MOST_PATIENTS
    if half_width(spread.with_patients(many), n_replicates, confidence) > half:
        return None
    while many / few > 1.01:
        between = float(np.sqrt(few * many))
        reached = half_width(spread.with_patients(between), n_replicates, confidence) <= half
        few, many = (few, between) if reached else (between, many)
    return many


@cache
def _draws() -> tuple[Array, Array, Array]:
    """Return two sequences of normal numbers and one of uniform ones, evenly spread and the same each time."""
    from scipy.stats.qmc import Sobol  # here, for it takes a second

    first, second, uniform = Sobol(3, seed=np.random.default_rng(0)).random(_N_DRAWS).T
    return ndtri(first), ndtri(second), uniform

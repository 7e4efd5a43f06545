"""What more replicates or patients would bring: against the intervals that they do bring, and closed forms."""

import numpy as np
import pytest
from scipy import stats

from ecgtransfer.compare.runs import mean_with_interval
from ecgtransfer.statistics.planning import (
    MOST_REPLICATES,
    Spread,
    half_width,
    patients_for,
    replicates_for,
    spread_of,
)

CONFIDENCE = 0.95


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_without_patients_it_is_students_interval(n: int) -> None:
    expected = stats.t(n - 1).ppf(0.975) * 0.3 / np.sqrt(n)
    assert half_width(Spread(0, 0, 0.3, 2, 3), n, CONFIDENCE) == pytest.approx(expected, rel=0.04)


def test_without_replicates_it_is_the_normal_interval() -> None:
    assert half_width(Spread(0.2, 0, 0, 4, 5), 5, CONFIDENCE) == pytest.approx(1.96 * 0.2, rel=0.02)
    assert half_width(Spread(0.2, 0, 0, np.inf, 5), 5, 0.9) == pytest.approx(1.645 * 0.2, rel=0.02)


def study(rng: np.random.Generator, n_replicates: int, shared: float, single: float, training: float):
    """Return values and resamples of a comparison, and the patients' part of all further replicates."""
    values = shared * rng.normal() + np.hypot(single, training) * rng.normal(size=n_replicates)
    resampled = values[:, None] + shared * rng.normal(size=400) + single * rng.normal(size=(n_replicates, 400))
    return values, resampled


@pytest.mark.parametrize(("shared", "single", "training"), [(1, 0.5, 1), (1, 0.2, 3), (0.2, 0.5, 1), (2, 1, 0.5)])
@pytest.mark.parametrize(("before", "after"), [(3, 8), (5, 12), (4, 30)])
def test_the_width_that_is_predicted_is_reached(
    shared: float, single: float, training: float, before: int, after: int
) -> None:
    rng = np.random.default_rng([before, after])
    ratios = []
    for number in range(120):
        values, resampled = study(rng, after, shared, single, training)
        predicted = half_width(spread_of(values[:before], resampled[:before]), after, CONFIDENCE)
        _, low, high = mean_with_interval(values, resampled, CONFIDENCE, number % 10)
        ratios.append(predicted / ((high - low) / 2))
    assert 0.8 <= np.median(ratios) <= 1.2


def test_the_fewest_replicates_are_found() -> None:
    spread = Spread(0.1, 0.05, 0.4, 2, 3)
    n = replicates_for(spread, 0.3, CONFIDENCE)
    assert n is not None
    assert half_width(spread, n, CONFIDENCE) <= 0.3 < half_width(spread, n - 1, CONFIDENCE)
    assert replicates_for(spread, 0.19, CONFIDENCE) is None  # test patients alone leave 0.196
    assert replicates_for(Spread(0, 0, 0.4, 2, MOST_REPLICATES), 0.3, CONFIDENCE) is None


def test_more_test_patients_narrow_what_they_make() -> None:
    spread = Spread(0.3, 0.2, 0.2, 4, 5)
    assert patients_for(spread, 5, half_width(spread, 5, CONFIDENCE) / 2, CONFIDENCE) == pytest.approx(4, rel=0.02)
    assert patients_for(Spread(0.3, 0.1, 1.0, 4, 5), 5, 0.3, CONFIDENCE) is None  # trainings alone leave more

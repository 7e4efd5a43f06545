"""Continued curves: which are, how far, and how the draws of their points go together."""

import numpy as np
import pandas as pd
import pytest

from ecgtransfer.compare.continuation import continuations, limit_of
from ecgtransfer.compare.curve_points import draws_of_points
from ecgtransfer.compare.runs import Run
from ecgtransfer.errors import InputError
from ecgtransfer.statistics.inference import Variance, percentile_interval, resampled_mean

METRIC, N_RESAMPLES, SEED = "macro_auroc", 200, 3


def run(n_train: int, score: float = 0.8, arm: str = "scratch", n_replicates: int = 3) -> Run:
    values = np.full(n_replicates, score) + 0.01 * np.arange(n_replicates)
    table = pd.DataFrame({"replicate": range(n_replicates), "value": values}).assign(label="macro", metric=METRIC)
    resamples = {METRIC: np.repeat(values[:, None], N_RESAMPLES, axis=1)}
    of_each = np.full(n_replicates, n_train)
    return Run("clinic", "gru", arm, n_train / 1000, table, resamples, of_each, of_each)


def curve(*sizes: int) -> list[Run]:
    return [run(size, 0.9 - 1 / size**0.5) for size in sizes]


def test_curves_of_fewer_than_five_numbers_of_recordings_are_not_continued() -> None:
    assert list(continuations(curve(50, 100, 200, 500), SEED, "own")) == []
    assert list(continuations([*curve(50, 100, 200, 500), run(500)], SEED, "own")) == []  # which is no fifth one
    (found,) = continuations(curve(1000, 50, 500, 100, 200), SEED, "own")
    assert found.sizes.tolist() == [50, 100, 200, 500, 1000]
    assert found.largest.n_train[0] == 1000
    assert found.points.shape == (5, 1 + N_RESAMPLES)
    assert found.points[:, 0] == pytest.approx(0.91 - found.sizes**-0.5)


@pytest.mark.parametrize(("sizes", "limit"), [((100, 300), 3), ((10, 100), 10), ((10, 1000), 10)])
def test_no_curve_goes_further_than_it_came_nor_beyond_ten_times(sizes: tuple[int, int], limit: float) -> None:
    assert limit_of(np.array(sizes)) == limit


def test_the_largest_number_is_predicted_by_the_others_where_they_reach_it() -> None:
    (found,) = continuations(curve(50, 100, 200, 500, 1000), SEED, "own")
    withheld = found.withheld()
    assert withheld is not None
    assert withheld[0] == pytest.approx(0.91 - 1000**-0.5, abs=1e-5)
    (found,) = continuations(curve(50, 60, 70, 80, 1000), SEED, "own")
    assert found.withheld() is None


def test_runs_of_other_replicates_are_of_no_curve() -> None:
    with pytest.raises(InputError, match="not of one learning curve"):
        list(continuations([*curve(50, 100, 200, 500), run(1000, n_replicates=4)], SEED, "own"))


@pytest.mark.parametrize("n_replicates", [3, 5])
def test_intervals_of_differences_between_points_hold_the_truth(n_replicates: int) -> None:
    # Of points whose replicates vary independently, with a variance that is known from many others: with the same draws
    # for all points the interval holds the truth 82 % of the time with 3 replicates, and 89 % with 5.
    generator, n_studies, held = np.random.default_rng(n_replicates), 600, 0
    weights = (1, -1, 1, -1)
    for study in range(n_studies):
        draws = draws_of_points(4, n_replicates, N_RESAMPLES, study % 20, "moderated")
        values = generator.normal(size=(4, n_replicates))
        drawn = sum(
            weight * resampled_mean(of_point, np.tile(of_point[:, None], N_RESAMPLES), of_draws, Variance(1.0, np.inf))
            for weight, of_point, of_draws in zip(weights, values, draws, strict=True)
        )
        low, high = percentile_interval(drawn, float(weights @ values.mean(axis=1)), 0.95)
        held += low <= 0 <= high
    assert 0.925 < held / n_studies < 0.975


def test_where_only_their_own_replicates_tell_points_go_together_as_these_do() -> None:
    # Replicate r has the same deviation at both points, so their difference does not vary at all.
    first, second = draws_of_points(2, 3, N_RESAMPLES, SEED, "own")
    values = np.array([0.7, 0.75, 0.77])
    resampled = np.tile(values[:, None], N_RESAMPLES)
    difference = resampled_mean(values + 0.1, resampled + 0.1, first) - resampled_mean(values, resampled, second)
    np.testing.assert_allclose(difference, 0.1)

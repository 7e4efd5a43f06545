"""Points of learning curves with their bootstrap draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.variances import How, KnownVariances
from ecgtransfer.errors import InputError
from ecgtransfer.statistics.inference import resampled_mean
from ecgtransfer.statistics.resampling import ReplicateDraws, replicate_draws, separate_replicate_draws

Array = NDArray[Any]


def point_with_draws(run: Run, other: Run, metric: str, draws: ReplicateDraws, known: KnownVariances) -> Array:
    """Return the mean over replicates and, behind it, its bootstrap draws, (1 + B,).

    Raises
    ------
    InputError
        If `other`, of the same curve, has other numbers of replicates or resamples.
    """
    values, resampled = run.macro_scores(metric), run.resamples[metric]
    if resampled.shape != other.resamples[metric].shape:
        raise InputError(
            f"{run.name} and {other.name}: numbers of replicates and resamples differ ({resampled.shape} and"
            f" {other.resamples[metric].shape}), so they are not of one learning curve; train and score both again"
        )
    return np.concatenate([[values.mean()], resampled_mean(values, resampled, draws, known[run.name, metric])])


def draws_of_points(
    n_points: int, n_replicates: int, n_resamples: int, seed: int, variance: How
) -> Sequence[ReplicateDraws]:
    """Return by what the replicates of each of several points are drawn.

    Where only the replicates of a point tell how far they vary, the same draws serve all points. Of whatever is made of
    several points each replicate has a value, too, and draws of a sum are Student's with R - 1 degrees of freedom, as
    they should be, whether or not the scores of a replicate go together.

    Where it is known better than that, such draws would take it from a few replicates how points go together, and the
    interval of a sum would be far too narrow or too wide by chance. So each point has draws of its own. Scores of a
    replicate do go together, as its larger subsets hold the smaller ones; but a continuation sets the later points of a
    curve against the earlier ones, and a gain or a label saving one curve against another, where that cancels:
    intervals are rather too wide for it than too narrow.
    """
    if variance == "own":
        return (replicate_draws(n_replicates, n_resamples, seed),) * n_points
    return separate_replicate_draws(n_points, n_replicates, n_resamples, seed)

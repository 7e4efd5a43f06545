"""Points of learning curves with their bootstrap draws."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.variances import KnownVariances
from ecgtransfer.errors import InputError
from ecgtransfer.statistics.inference import resampled_mean
from ecgtransfer.statistics.resampling import ReplicateDraws

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

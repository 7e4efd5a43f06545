"""How far replicates vary: known from each comparison alone, or from all comparisons of a study together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.compare.runs import Run
from ecgtransfer.statistics.inference import Variance
from ecgtransfer.statistics.moderation import moderated

Array = NDArray[Any]
How = Literal["moderated", "own"]
"""As `compare.variance` of the config."""
KnownVariances = Mapping[tuple[str, str], Variance | None]
"""By the name of a run and the metric; None where only its own replicates tell."""


@dataclass(frozen=True)
class Compared:
    """What was compared, and what was known of it before it was measured.

    Attributes
    ----------
    values
        Of each replicate, (R,).
    target, method
        Where and how: the variances of each have a level of their own.
    n_train
        Training records; the logarithm of variances is linear in theirs.
    partner
        What others are compared with, too, such as the run from scratch; empty without one.
    """

    values: Array
    target: str = ""
    method: str = ""
    n_train: float = 1.0
    partner: str = ""


def variances_of(compared: Sequence[Compared], how: How) -> list[Variance | None]:
    """Return the variance of each; None for that of its own values alone.

    They are of one kind, such as all gains of a metric in a study. Those whose values are not all known tell nothing,
    and neither do single replicates.
    """
    found: list[Variance | None] = [None] * len(compared)
    known = [place for place, each in enumerate(compared) if np.isfinite(each.values).all()]
    members = [compared[place] for place in known]
    if how == "own" or not members or len({len(each.values) for each in members}) > 1:
        return found
    deviations = np.stack([each.values - each.values.mean() for each in members])
    partners = [each.partner or str(place) for place, each in enumerate(members)]
    variances = moderated(deviations, _design_of(members), partners)
    for place, value, degrees in zip(known, variances.values, variances.degrees_of_freedom, strict=True):
        found[place] = Variance(float(value), float(degrees))
    return found


def score_variances(runs: Sequence[Run], how: How) -> KnownVariances:
    """Return the variance of the scores of each run, by its name and metric; all runs of a study tell of it."""
    found: dict[tuple[str, str], Variance | None] = {}
    for metric in dict.fromkeys(metric for run in runs for metric in run.resamples):
        scored = [run for run in runs if metric in run.resamples]
        compared = [
            Compared(run.macro_scores(metric), run.target, run.method, float(run.n_train.mean())) for run in scored
        ]
        for run, variance in zip(scored, variances_of(compared, how), strict=True):
            found[run.name, metric] = variance
    return found


def _design_of(members: Sequence[Compared]) -> Array:
    """Return what was known of each beforehand, (N, K)."""
    words = pd.DataFrame({"target": [each.target for each in members], "method": [each.method for each in members]})
    levels = pd.get_dummies(words, drop_first=True).to_numpy(dtype=np.float64)
    return np.hstack([levels, np.log([[each.n_train] for each in members])])

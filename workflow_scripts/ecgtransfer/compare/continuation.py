"""Learning curves of a study, continued beyond their largest number of recordings.

Each bootstrap draw of test patients and replicates has its own points, and so its own inverse power law. The test
patients of a draw are the same for all points and all curves.

What no draw holds is that a curve may go on differently from a power law. Draws are wider apart where the points show
that they are none, and the score at the largest number of recordings, predicted without it, tells whether that was
enough. Neither can see what only happens farther out.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.curve_points import draws_of_points, point_with_draws
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.variances import How, score_variances
from ecgtransfer.statistics.learning_curve import InversePowerLaws, fit_draws

Array = NDArray[Any]

FEWEST_POINTS = 5
"""Two more than a power law has numbers, so that a curve can differ from one."""
MOST_TIMES = 10.0
"""The largest number of recordings, and no further."""


@dataclass(frozen=True)
class Continuation:
    """A learning curve with its bootstrap draws.

    Attributes
    ----------
    largest
        The run with the most recordings.
    metric
        Of its scores.
    sizes
        (F,), recordings at its points, increasing.
    points
        (F, 1 + B), the scores there, the first column being those on the whole test set.
    """

    largest: Run
    metric: str
    sizes: Array
    points: Array

    @cached_property
    def laws(self) -> InversePowerLaws:
        """The power law of each column of the points."""
        return fit_draws(self.sizes, self.points)

    @property
    def limit(self) -> float:
        """How many times the largest number of recordings the curve is continued to."""
        return limit_of(self.sizes)

    def withheld(self) -> Array | None:
        """Return what the other points predict for the last one, (1 + B,); None where it is beyond their limit."""
        times = float(self.sizes[-1] / self.sizes[-2])
        if times > limit_of(self.sizes[:-1]):
            return None
        predicted: Array = fit_draws(self.sizes[:-1], self.points[:-1]).scores_at([times])[0]
        return predicted


def limit_of(sizes: Array) -> float:
    """Return how many times the largest number a curve is continued to: no further than from the smallest to it."""
    return min(float(sizes[-1] / sizes[0]), MOST_TIMES)


def continuations(runs: Sequence[Run], seed: int, variance: How) -> Iterator[Continuation]:
    """Yield the curve of each target, model and arm by each metric, where it has `FEWEST_POINTS` or more.

    Parameters
    ----------
    runs
        All cells of a study. Fractions too close to differ in recordings are one point.
    seed
        Of the draws of replicates.
    variance
        Whether the scores of all runs tell how far replicates vary, or each run's alone.

    Raises
    ------
    InputError
        If runs of a curve differ in the number of replicates or resamples.
    """
    curves = defaultdict(list)
    for run in runs:
        curves[run.target, run.model, run.arm].append(run)
    longest = max((len(members) for members in curves.values()), default=0)
    known = score_variances(runs, variance)
    for (_, _, arm), members in curves.items():
        sizes, first = np.unique([run.n_train.mean() for run in members], return_index=True)
        if len(sizes) < FEWEST_POINTS:
            continue
        at_points = [members[index] for index in first]
        for metric in at_points[0].resamples:
            n_replicates, n_resamples = at_points[0].resamples[metric].shape
            # Only curves from scratch are compared with others, so these can have the same draws.
            draws = draws_of_points(2 * longest, n_replicates, n_resamples, seed, variance)
            of_curve = draws[:longest] if arm == SCRATCH else draws[longest:]
            points = [
                point_with_draws(run, at_points[0], metric, of_point, known)
                for run, of_point in zip(at_points, of_curve, strict=False)
            ]
            yield Continuation(at_points[-1], metric, sizes, np.stack(points))

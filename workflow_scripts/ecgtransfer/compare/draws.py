"""How test patients and replicates are resampled, the same for all findings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgtransfer.compare.runs import mean_with_interval
from ecgtransfer.statistics.resampling import patient_resamples

Array = NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """How resamples are drawn: with the settings of scores and verdicts they are the same.

    Attributes
    ----------
    n_resamples, patient_seed
        Of test patients, as in the config section ``score``.
    replicate_seed, confidence
        Of replicates and of intervals, as in the config section ``compare``.
    """

    n_resamples: int
    patient_seed: int
    replicate_seed: int
    confidence: float

    def weights_of(self, patients: Array) -> Array:
        """Return (1 + B, n) draws of the records of `patients` (n,); the first row is the whole test set."""
        resamples = patient_resamples(patients, self.n_resamples, self.patient_seed)
        whole = np.ones((len(patients), 1), dtype=np.int32)
        weights: Array = np.concatenate([whole, resamples.T], axis=1).T
        return weights

    def interval_of(self, values: Array) -> tuple[float, float, float]:
        """Return mean over replicates, low and high of (R, 1 + B) values on the rows of `weights_of`."""
        return mean_with_interval(values[:, 0], values[:, 1:], self.confidence, self.replicate_seed)

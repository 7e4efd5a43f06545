"""Support vector machines on frozen features, one per label, in place of a model's head."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.svm import LinearSVC

from ecgtransfer.train.objectives import macro_auroc

Array = NDArray[Any]

_MAX_ITERATIONS = 10_000
_DUAL_BELOW = 2  # records per feature up to which liblinear's solver of the dual problem is the faster one, as measured


@dataclass(frozen=True)
class SvmHeads:
    """One linear support vector machine per label, on standardised features.

    Attributes
    ----------
    mean, deviation : (features,)
        Of the training records. A feature that is constant there has an infinite deviation, which makes it 0.
    coefficients : (labels, features)
    intercepts : (labels,)
    cost : float
        The one that was chosen.
    valid_macro_auroc : float
        Its score on the validation records, NaN where no label has both classes.
    """

    mean: Array
    deviation: Array
    coefficients: Array
    intercepts: Array
    cost: float
    valid_macro_auroc: float = math.nan

    def decide(self, features: Array) -> Array:
        """Return the decision values, float64 (records, labels): positive is on the side of the positives."""
        # Not a product of linear algebra: its last digits would depend on how many threads it has.
        products = np.einsum("rf,lf->rl", self._standardised(features), self.coefficients)
        decisions: Array = products + self.intercepts
        return decisions

    def predict(self, features: Array) -> Array:
        """Return the logistic function of `decide`: float64 scores between 0 and 1, (records, labels).

        Records are ranked as the support vector machines rank them. The scores are not calibrated: 0.8 does not mean
        that 80 % of such records are positive.
        """
        scores: Array = expit(self.decide(features))
        return scores

    def _standardised(self, features: Array) -> Array:
        standardised: Array = (features.astype(np.float64) - self.mean) / self.deviation
        return standardised


def fit_svm(
    features_train: Array, labels_train: Array, features_valid: Array, labels_valid: Array, costs: Sequence[float]
) -> SvmHeads:
    """Return support vector machines that separate each label from the rest.

    Parameters
    ----------
    features_train, features_valid : (records, features)
    labels_train, labels_valid : (records, labels)
        0, 1, or NaN where not known; such a record is left out of its label.
    costs
        Of margin violations. One is chosen for all labels, by macro AUROC on the validation records; among equals, or
        where it is undefined, the lowest, which regularises most.

    Notes
    -----
    They are linear with squared hinge loss (``sklearn.svm.LinearSVC``), as is usual on features of deep networks
    (Sharif Razavian et al. 2014, https://arxiv.org/abs/1403.6382): the time grows with the number of records, where
    that of a kernel grows with its square. A label with a single class in training has coefficients and scores of 0.
    """
    features = features_train.astype(np.float64)
    varies = features.max(axis=0) > features.min(axis=0)
    mean, deviation = features.mean(axis=0), np.where(varies, features.std(axis=0), np.inf)
    standardised = (features - mean) / deviation
    fitted = []
    for cost in sorted(costs):
        coefficients, intercepts = _fit_labels(standardised, labels_train, cost)
        heads = SvmHeads(mean, deviation, coefficients, intercepts, cost)
        fitted.append(replace(heads, valid_macro_auroc=macro_auroc(labels_valid, heads.decide(features_valid))))
    return max(fitted, key=lambda heads: round(heads.valid_macro_auroc, 9))  # NaN at one cost, NaN at all


def _fit_labels(standardised: Array, labels: Array, cost: float) -> tuple[Array, Array]:
    """Return coefficients (labels, features) and intercepts (labels,)."""
    coefficients = np.zeros((labels.shape[1], standardised.shape[1]))
    intercepts = np.zeros(labels.shape[1])
    for label in range(labels.shape[1]):
        known = np.isfinite(labels[:, label])
        positive = labels[known, label] == 1
        if positive.any() and not positive.all():
            dual = len(positive) < _DUAL_BELOW * standardised.shape[1]
            machine = LinearSVC(C=cost, dual=dual, max_iter=_MAX_ITERATIONS, random_state=0)
            machine.fit(standardised[known], positive)
            coefficients[label], intercepts[label] = machine.coef_[0], machine.intercept_[0]
    return coefficients, intercepts

"""How far resamples of a label are moved away from its value, counted patient by patient."""

import math


def widening(truth, patients):
    """Return the root of m / (m - 1), m being the patients of the rarer class, at least two; NaN is not known."""
    counts = [len({patient for patient, known in zip(patients, truth, strict=True) if known == of}) for of in (0, 1)]
    m = max(2, min(counts))
    return math.sqrt(m / (m - 1))

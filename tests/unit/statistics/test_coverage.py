"""Simulated studies with a known truth: how often the intervals hold it, and how often a verdict is wrong."""

import numpy as np
import pytest
from scipy.stats import norm

from ecgtransfer.statistics.inference import percentile_interval, resampled_mean, verdict
from ecgtransfer.statistics.metrics import auroc, macro_of_frequent
from ecgtransfer.statistics.resampling import (
    patient_resamples,
    patients_of_rarer_class,
    replicate_draws,
    widened_for_few_patients,
)

CONFIDENCE, N_STUDIES, N_RESAMPLES = 0.95, 1000, 200
N_DRAWINGS = 50  # drawing takes longest, so studies share their draws, which know nothing of the data, with others


def interval(values, resampled, study):
    draws = resampled_mean(values, resampled, replicate_draws(len(values), N_RESAMPLES, study % N_DRAWINGS))
    return percentile_interval(draws, values.mean(), CONFIDENCE)


@pytest.mark.parametrize("n_replicates", [3, 5, 10])
@pytest.mark.parametrize(
    ("of_patients", "of_replicates", "of_both"),
    [(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 1, 1), (0, 2, 1), (1, 1, 1), (1, 2, 1)],
)
def test_intervals_cover_the_truth_whichever_factor_varies(n_replicates, of_patients, of_replicates, of_both):
    # Normal effects of patients, of replicates, and of both together; the truth is 0. The effect of both shows in the
    # replicates' scores and in their resamples: counted twice, it would be covered by more than 99 %.
    covered, n_studies, generator = 0, 2 * N_STUDIES, np.random.default_rng(n_replicates)
    for study in range(n_studies):
        draws = of_patients * generator.normal(size=N_RESAMPLES)
        draws = draws + of_both * generator.normal(size=(n_replicates, N_RESAMPLES))
        values = of_patients * generator.normal() + np.hypot(of_replicates, of_both) * generator.normal(
            size=n_replicates
        )
        low, high = interval(values, values[:, None] + draws, study)
        covered += low <= 0 <= high
    # Where both vary, few replicates cover a little more: see `resampled_mean`.
    assert 0.93 <= covered / n_studies <= {3: 0.98, 5: 0.975, 10: 0.97}[n_replicates]


FREQUENT_AND_RARE, RARE = (0.3, 0.05), (0.06, 0.06)  # shares of patients: rare labels have some six or seven
N_PATIENTS = 120
MIN_POSITIVES = 5  # of score.min_positives
SHARED, OF_ARM, OF_RUN = 0.7, 0.4, 0.5  # deviations of a score: in all runs alike, in all runs of an arm, in one run
OF_QUALITY = 0.2  # deviation of how well a replicate has learned


def paired_study(generator, n_replicates, qualities, prevalence, patients, weights):
    """Return the difference of macro AUROC between two arms: (R,), and (R, B) on the resamples.

    Patients have one to three recordings with the same labels and, in part, the same scores. Every replicate of an arm
    separates positives from negatives by its own distance. Labels count that enough patients have.
    """
    n_labels = len(prevalence)
    n_patients = np.zeros(n_labels)
    while n_patients.max() < MIN_POSITIVES:
        ill = generator.random((N_PATIENTS, n_labels)) < prevalence
        n_patients = patients_of_rarer_class(ill, np.ones_like(ill), np.arange(N_PATIENTS))
    of_patient = SHARED * generator.normal(size=(N_PATIENTS, n_labels))
    of_arm = OF_ARM * generator.normal(size=(2, 1, N_PATIENTS, n_labels))
    distance = np.array(qualities)[:, None] + OF_QUALITY * generator.normal(size=(2, n_replicates))
    score = distance[:, :, None, None] * ill[patients] + (of_patient + of_arm)[:, :, patients]
    score = score + OF_RUN * generator.normal(size=score.shape)
    values, resampled = np.empty((2, n_replicates)), np.empty((2, n_replicates, len(weights)))
    for arm, replicate in np.ndindex(2, n_replicates):
        columns = [(ill[patients, label], score[arm, replicate, :, label]) for label in range(n_labels)]
        whole = np.stack([auroc(*column) for column in columns])
        drawn = widened_for_few_patients(
            whole[:, 0], np.stack([auroc(*column, weights) for column in columns]), n_patients
        )
        (values[arm, replicate],), _ = macro_of_frequent(whole, n_patients, MIN_POSITIVES)
        resampled[arm, replicate], _ = macro_of_frequent(drawn, n_patients, MIN_POSITIVES)
    return values[1] - values[0], resampled[1] - resampled[0]


def true_difference(qualities):
    """The area of two normal distributions, averaged over replicates: a closed form for every label."""
    spread = 2 * (SHARED**2 + OF_ARM**2 + OF_RUN**2) + OF_QUALITY**2
    return float(np.diff(norm.cdf(np.array(qualities) / np.sqrt(spread)))[0])


@pytest.mark.parametrize(
    ("n_replicates", "qualities", "prevalence"),
    [
        (3, (1.2, 1.2), FREQUENT_AND_RARE),
        (5, (0.8, 1.8), FREQUENT_AND_RARE),
        (3, (0.8, 1.8), RARE),
        (5, (1.2, 1.2), RARE),
        (10, (0.8, 1.8), RARE),
    ],
)
def test_the_paired_difference_is_covered_and_equal_arms_are_seldom_said_to_differ(n_replicates, qualities, prevalence):
    generator = np.random.default_rng(n_replicates)
    truth = true_difference(qualities)
    drawings = []
    for seed in range(N_DRAWINGS):
        patients = np.repeat(np.arange(N_PATIENTS), generator.integers(1, 4, size=N_PATIENTS))
        drawings.append((patients, patient_resamples(patients, N_RESAMPLES, seed)))
    n_covered, said = 0, []
    for study in range(N_STUDIES):
        patients, weights = drawings[study % N_DRAWINGS]
        values, resampled = paired_study(generator, n_replicates, qualities, prevalence, patients, weights)
        low, high = interval(values, resampled, study // N_DRAWINGS)
        assert low <= values.mean() <= high
        n_covered += low <= truth <= high
        said.append(verdict(low, high, margin=0.01))
    assert 0.93 <= n_covered / N_STUDIES <= 0.97
    if truth == 0:
        assert said.count("helps") / N_STUDIES <= 0.05
        assert said.count("hurts") / N_STUDIES <= 0.05
    else:
        assert said.count("helps") / N_STUDIES > 0.5  # an interval that says nothing would cover, too

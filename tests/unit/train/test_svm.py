"""Support vector machines on features: those of scikit-learn, whatever is unknown or constant."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ecgtransfer.train.svm import SvmHeads, fit_svm

COSTS = [0.01, 0.1, 1.0, 10.0]


def examples(seed: int, n_records: int, n_features: int = 6) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return features with rectified noise, as networks have them, on very different scales, and three labels."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n_records, n_features))
    noise = rng.normal(size=(n_records, 3))
    labels = hidden[:, :3] + 0.5 * hidden[:, 1:4] ** 2 + noise > (0.0, 0.7, 1.5)
    features = np.maximum(hidden + 1, 0) * 10.0 ** np.arange(-3, n_features - 3) + 5
    return features.astype(np.float32), labels.astype(np.float32)


TRAIN, VALID, TEST = examples(1, 300), examples(2, 150), examples(3, 80)


def reference(cost: float, features: NDArray[np.float32], labels: NDArray[np.float32], dual: bool = False) -> Pipeline:
    machine = LinearSVC(C=cost, dual=dual, random_state=0, max_iter=10_000)
    return make_pipeline(StandardScaler(), OneVsRestClassifier(machine)).fit(features.astype(np.float64), labels)


@pytest.mark.parametrize("cost", COSTS)
def test_equals_scikit_learn_on_the_same_features(cost: float) -> None:
    heads = fit_svm(*TRAIN, *VALID, [cost])
    assert heads.cost == cost
    expected = reference(cost, *TRAIN).decision_function(TEST[0].astype(np.float64))
    assert heads.decide(TEST[0]).dtype == np.float64
    np.testing.assert_allclose(heads.decide(TEST[0]), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(heads.predict(TEST[0]), 1 / (1 + np.exp(-expected)), rtol=1e-6)


@pytest.mark.parametrize("n_records", [20, 60, 100])
def test_few_records_of_many_features_have_the_same_optimum(n_records: int) -> None:
    """Both solvers end at the only optimum, so that which one is taken does not matter."""
    train, test = examples(1, n_records, 40), examples(2, 50, 40)
    heads = fit_svm(*train, *test, [0.01])
    for dual in (True, False):
        expected = reference(0.01, *train, dual=dual).decision_function(test[0].astype(np.float64))
        np.testing.assert_allclose(heads.decide(test[0]), expected, atol=0.01)


def test_cost_is_the_one_with_the_best_macro_auroc_on_validation() -> None:
    train, valid, costs = examples(4, 40, 30), examples(2, 300, 30), [0.0001, 0.01, 1.0, 10.0]
    scores = {}
    for cost in costs:
        decisions = reference(cost, *train, dual=True).decision_function(valid[0].astype(np.float64))
        scores[cost] = roc_auc_score(valid[1], decisions, average="macro")
    best = max(scores, key=lambda cost: scores[cost])
    assert min(costs) < best < max(costs)  # else an order would do in place of a comparison
    for order in (costs, costs[::-1]):
        heads = fit_svm(*train, *valid, order)
        assert heads.cost == best
        assert heads.valid_macro_auroc == pytest.approx(scores[best])


def test_lowest_cost_is_taken_where_validation_says_nothing() -> None:
    all_unknown = np.full_like(VALID[1], np.nan)
    heads = fit_svm(*TRAIN, VALID[0], all_unknown, [10.0, 0.1, 1.0])
    assert heads.cost == 0.1
    assert np.isnan(heads.valid_macro_auroc)
    separable = np.repeat(np.linspace(-1, 1, 40, dtype=np.float32)[:, None], 2, axis=1)
    labels = (separable[:, :1] > 0).astype(np.float32)
    assert fit_svm(separable, labels, separable, labels, [10.0, 0.1, 1.0]).cost == 0.1


def test_unknown_cells_are_left_out_of_their_label_alone() -> None:
    labels, valid_labels = TRAIN[1].copy(), VALID[1].copy()
    rng = np.random.default_rng(4)
    labels[rng.random(labels.shape) < 0.3] = np.nan
    valid_labels[rng.random(valid_labels.shape) < 0.3] = np.nan
    heads = fit_svm(TRAIN[0], labels, VALID[0], valid_labels, [1.0])
    scaler = StandardScaler().fit(TRAIN[0].astype(np.float64))  # features are known of all records
    aurocs = []
    for label in range(3):
        known, valid_known = ~np.isnan(labels[:, label]), ~np.isnan(valid_labels[:, label])
        machine = LinearSVC(C=1.0, dual=False, max_iter=10_000)
        machine.fit(scaler.transform(TRAIN[0][known].astype(np.float64)), labels[known, label])
        expected = machine.decision_function(scaler.transform(VALID[0].astype(np.float64)))
        np.testing.assert_allclose(heads.decide(VALID[0])[:, label], expected, rtol=1e-6, atol=1e-9)
        aurocs.append(roc_auc_score(valid_labels[valid_known, label], expected[valid_known]))
    assert heads.valid_macro_auroc == pytest.approx(np.mean(aurocs))


@pytest.mark.parametrize("only", [0.0, 1.0])
def test_label_with_one_class_scores_the_same_everywhere(only: float) -> None:
    labels = TRAIN[1].copy()
    labels[:, 1] = only
    labels[::3, 1] = np.nan
    heads = fit_svm(TRAIN[0], labels, *VALID, [1.0])
    assert (heads.decide(TEST[0])[:, 1] == 0).all()
    assert (heads.predict(TEST[0])[:, 1] == 0.5).all()
    complete = fit_svm(*TRAIN, *VALID, [1.0])
    np.testing.assert_array_equal(heads.decide(TEST[0])[:, ::2], complete.decide(TEST[0])[:, ::2])


def test_labels_that_nobody_knows_end_without_an_error() -> None:
    heads = fit_svm(TRAIN[0], np.full_like(TRAIN[1], np.nan), *VALID, COSTS)
    assert (heads.predict(TEST[0]) == 0.5).all()
    assert heads.cost == 0.01


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_feature_that_is_constant_in_training_says_nothing(value: float) -> None:
    train, valid, test = (
        np.insert(features, 2, value, axis=1).astype(np.float32) for features, _ in (TRAIN, VALID, TEST)
    )
    test[:, 2] = np.linspace(-9, 9, len(test))  # a unit that is dead on the target's training records, and only there
    heads = fit_svm(train, TRAIN[1], valid, VALID[1], [1.0])
    without = fit_svm(*TRAIN, *VALID, [1.0])
    assert (heads.coefficients[:, 2] == 0).all()
    np.testing.assert_allclose(heads.decide(test), without.decide(TEST[0]), rtol=1e-6, atol=1e-9)


def test_scores_rank_as_the_decisions_do() -> None:
    heads = fit_svm(*TRAIN, *VALID, COSTS)
    decisions, scores = heads.decide(TEST[0]), heads.predict(TEST[0])
    assert scores.dtype == np.float64
    assert scores.shape == (80, 3)
    assert ((scores > 0) & (scores < 1)).all()
    for label in range(3):
        np.testing.assert_array_equal(rankdata(scores[:, label]), rankdata(decisions[:, label]))
    np.testing.assert_array_equal(scores > 0.5, decisions > 0)


def test_same_bytes_however_many_threads_there_are() -> None:
    """A product of linear algebra this large differs with two threads, on processors without AVX-512."""
    rng = np.random.default_rng(4)
    heads = SvmHeads(np.zeros(256), np.ones(256), rng.normal(size=(26, 256)), np.zeros(26), cost=1.0)
    features, found = rng.normal(size=(2001, 256)).astype(np.float32), []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            found.append(heads.decide(features).tobytes())
    assert found[0] == found[1]


def test_same_input_gives_the_same_bytes_and_no_warning() -> None:
    for train in (TRAIN, examples(1, 30, 40)):
        valid = examples(2, 50, train[0].shape[1])
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            first, second = (fit_svm(*train, *valid, COSTS) for _ in range(2))
        assert first.coefficients.tobytes() == second.coefficients.tobytes()
        assert first.predict(valid[0]).tobytes() == second.predict(valid[0]).tobytes()

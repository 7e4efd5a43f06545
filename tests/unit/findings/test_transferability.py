import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tiny_tested import source_predictions, target
from tiny_verdicts import verdict_rows

from ecgtransfer.arms import Cell
from ecgtransfer.errors import InputError
from ecgtransfer.findings.transferability import (
    TRANSFERABILITY_COLUMNS,
    TRANSFERABILITY_CORRELATION_COLUMNS,
    melep,
    meleps,
    transferability,
    transferability_correlations,
)


def melep_in_loops(theta, labels):
    """The definition, one record, one pair of labels and one value at a time."""
    n_source, n_target = theta.shape[1], labels.shape[1]
    losses, prevalences = [], []
    for t in range(n_target):
        rows = [i for i in range(len(labels)) if not np.isnan(labels[i, t])]
        of_pairs = []
        for s in range(n_source):
            joint = {(y, z): 0.0 for y in (0, 1) for z in (0, 1)}
            for i in rows:
                joint[int(labels[i, t]), 1] += theta[i, s] / len(rows)
                joint[int(labels[i, t]), 0] += (1 - theta[i, s]) / len(rows)
            total = 0.0
            for i in rows:
                expected = 0.0
                for z, share in ((1, theta[i, s]), (0, 1 - theta[i, s])):
                    marginal = joint[0, z] + joint[1, z]
                    if marginal > 0:
                        expected += joint[int(labels[i, t]), z] / marginal * share
                total -= np.log(expected) / len(rows)
            of_pairs.append(total)
        losses.append(np.mean(of_pairs))
        prevalences.append(np.mean([labels[i, t] for i in rows]))
    return np.average(losses, weights=prevalences)


@pytest.mark.parametrize("seed", range(4))
def test_melep_equals_its_definition_in_loops(seed):
    generator = np.random.default_rng(seed)
    theta = generator.random((40, 5))
    theta[:3, 1], theta[:, 2] = 1.0, 0.0  # sure of a label, and never seeing one
    labels = (generator.random((40, 4)) < [0.5, 0.2, 0.1, 0.7]).astype(float)
    labels[0] = 1
    if seed % 2:
        labels[generator.random(labels.shape) < 0.3] = np.nan
    assert melep(theta, labels) == pytest.approx(melep_in_loops(theta, labels), rel=1e-12)


def test_a_source_that_knows_the_label_has_none_and_one_that_knows_nothing_its_entropy():
    labels = np.array([[1.0], [0.0], [0.0], [1.0], [0.0]])
    assert melep(labels, labels) == pytest.approx(0, abs=1e-12)
    assert melep(1 - labels, labels) == pytest.approx(0, abs=1e-12)  # to tell the opposite is to tell
    assert melep(np.full((5, 3), 0.3), labels) == pytest.approx(stats.entropy([0.4, 0.6]))


def test_labels_count_by_their_prevalence_and_those_without_positives_not_at_all():
    labels = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=float)
    one, three = stats.entropy([0.25, 0.75]), stats.entropy([0.75, 0.25])
    theta = np.full((4, 2), 0.5)
    assert melep(theta, labels) == pytest.approx((0.25 * one + 0.75 * three) / 1.0)
    assert np.isnan(melep(theta, np.zeros((4, 2))))
    assert np.isnan(melep(theta, np.full((4, 2), np.nan)))
    assert melep(theta.astype(np.float32), labels) == pytest.approx(melep(theta, labels))


def test_a_source_that_tells_more_has_a_lower_value():
    generator = np.random.default_rng(3)
    labels = (generator.random((500, 3)) < 0.3).astype(float)
    values = [melep(1 / (1 + np.exp(-strength * (labels - 0.5))), labels) for strength in (0, 1, 3, 9)]
    assert values == sorted(values, reverse=True)


def test_every_replicate_has_the_value_of_its_own_training_records():
    _, labels, splits, _ = target(n_patients=80, unknown=0.1)
    said = source_predictions(splits, ["SB", "AF"])
    found = meleps(said, labels, splits, 0.6)
    place = {record: number for number, record in enumerate(said["record_id"])}
    for replicate, value in enumerate(found):
        rows = splits[(splits["role"] == "train") & (splits[f"rank_{replicate}"] < 0.6)]
        truth = labels.set_index("record_id").loc[rows["record_id"]].to_numpy()
        theta = said["probability"][[place[record] for record in rows["record_id"]]].astype(float)
        assert value == pytest.approx(melep_in_loops(theta, truth), rel=1e-9)
    assert len(found) == 2
    assert found[0] != found[1]
    assert meleps(said, labels[::-1], splits[::-1], 0.6) == pytest.approx(found)


def test_a_training_record_without_prediction_is_named():
    _, labels, splits, _ = target()
    said = source_predictions(splits, ["AF"])
    first = splits.loc[splits["role"] == "train", "record_id"].iloc[0]
    kept = said["record_id"] != first
    fewer = said | {"record_id": said["record_id"][kept], "probability": said["probability"][kept]}
    with pytest.raises(InputError, match=f"predictions of the source: training record {first} missing"):
        meleps(fewer, labels, splits, 1.0)
    with pytest.raises(InputError, match=f"label table: training record {first} missing"):
        meleps(said, labels[labels["record_id"] != first], splits, 1.0)


def verdicts():
    """Verdicts of two sources and two methods at three fractions, in two metrics."""
    return pd.concat(
        verdict_rows(*((gain, gain - 0.01, gain + 0.01) for gain in gains), source=source, metric=metric, method=method)
        for metric in ("macro_auroc", "weighted_f1")
        for method in ("finetune", "probe")
        for source, gains in {"hospital": (0.09, 0.05, 0.01), "ward": (0.02, 0.01, -0.03)}.items()
    )


def test_melep_stands_beside_what_transfer_reached_and_gained():
    said = verdicts()
    said.loc[said["metric"] == "weighted_f1", "transfer"] -= 0.3
    cells = {
        Cell("clinic", "gru", "finetune-ward", 0.3): [0.2, 0.3],
        Cell("clinic", "gru", "probe-hospital", 1.0): [0.5],
    }
    table = transferability(cells, said)
    assert list(table) == TRANSFERABILITY_COLUMNS
    assert table["arm"].tolist() == ["probe-hospital", "finetune-ward"]
    assert table["n_train"].tolist() == [1296, 90]
    assert table["melep"].tolist() == [0.5, 0.25]
    assert table["delta"].tolist() == pytest.approx([0.01, 0.01])
    assert table["transfer_auroc"].tolist() == pytest.approx([0.71, 0.71])
    assert table["transfer_weighted_f1"].tolist() == pytest.approx([0.41, 0.41])
    without_f1 = transferability(cells, said[said["metric"] == "macro_auroc"])
    assert without_f1["transfer_weighted_f1"].isna().all()
    with pytest.raises(InputError, match=r"clinic/gru/finetune-other/0\.3: no verdict"):
        transferability({Cell("clinic", "gru", "finetune-other", 0.3): [0.1]}, said)


def test_the_correlation_of_every_method_is_spearmans():
    generator = np.random.default_rng(0)
    said = verdicts()
    cells = {
        Cell("clinic", "gru", f"{method}-{source}", fraction): [round(generator.random(), 1)]
        for method in ("finetune", "probe")
        for source in ("hospital", "ward")
        for fraction in (0.1, 0.3, 1.0)
    }
    table = transferability(cells, said)
    found = transferability_correlations(table)
    assert list(found) == TRANSFERABILITY_CORRELATION_COLUMNS
    assert len(found) == 6
    for row in found.itertuples():
        of_method = table[table["arm"].str.startswith(row.method)]
        assert row.spearman == pytest.approx(stats.spearmanr(of_method["melep"], of_method[row.measure])[0], abs=1e-6)
        assert row.n == 6


def test_too_few_cells_have_no_correlation_and_none_an_empty_table():
    table = transferability({Cell("clinic", "gru", "finetune-ward", 0.3): [0.2]}, verdicts())
    assert transferability_correlations(table)["spearman"].isna().all()
    assert list(transferability_correlations(table.iloc[:0])) == TRANSFERABILITY_CORRELATION_COLUMNS
    assert list(transferability({}, verdicts())) == TRANSFERABILITY_COLUMNS

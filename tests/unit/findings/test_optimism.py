import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ecgtransfer.arms import Cell
from ecgtransfer.errors import InputError
from ecgtransfer.findings.optimism import OPTIMISM_COLUMNS, optimism

CELL = Cell("ptb", "gru", "finetune-cpsc", 0.1)


def history(*replicates):
    """Validation macro AUROC of every replicate and epoch; weighted F1 is half of it. Rows need not come in order."""
    rows = [
        {"replicate": number, "epoch": epoch, "valid_macro_auroc": score, "valid_weighted_f1": score / 2}
        for number, scores in enumerate(replicates)
        for epoch, score in enumerate(scores, start=1)
    ]
    return pd.DataFrame(rows).iloc[::-1]


def metadata(*best_epochs, validation="test"):
    return {"validation": validation, "replicates": [{"best_epoch": epoch} for epoch in best_epochs]}


def test_the_chosen_epoch_is_laid_beside_the_last_with_students_interval():
    scores = history([0.6, 0.9, 0.8], [0.9, 0.7], [0.7, 0.75, 0.85])
    table = optimism({CELL: scores}, {CELL: metadata(2, 1, 3)}, 0.9)
    assert list(table) == OPTIMISM_COLUMNS
    assert table["metric"].tolist() == ["macro_auroc", "weighted_f1"]
    gaps = np.array([0.1, 0.2, 0.0])
    low, high = stats.ttest_1samp(gaps, 0).confidence_interval(0.9)
    for row, scale in zip(table.to_dict("records"), (1.0, 0.5), strict=True):
        assert (row["target"], row["source"], row["arm"], row["n_replicates"]) == ("ptb", "cpsc", "finetune-cpsc", 3)
        assert row["chosen_on_test"] == pytest.approx(scale * (0.9 + 0.9 + 0.85) / 3, abs=1e-6)
        assert row["last_epoch"] == pytest.approx(scale * (0.8 + 0.7 + 0.85) / 3, abs=1e-6)
        expected = [scale * gaps.mean(), scale * low, scale * high]
        assert [row["optimism"], row["ci_low"], row["ci_high"]] == pytest.approx(expected, abs=1e-6)


def test_one_replicate_has_no_interval():
    table = optimism({CELL: history([0.6, 0.9, 0.8])}, {CELL: metadata(2)}, 0.95)
    assert table["optimism"].tolist() == pytest.approx([0.1, 0.05])
    assert table[["ci_low", "ci_high"]].isna().all(axis=None)


@pytest.mark.parametrize("validation", ["budget", "full"])
def test_cells_that_chose_on_validation_records_are_left_out(validation):
    clean = Cell("ptb", "gru", "scratch", 0.1)
    scores = {clean: history([0.6, 0.9]), CELL: history([0.6, 0.9])}
    table = optimism(scores, {clean: metadata(2, validation=validation), CELL: metadata(2)}, 0.95)
    assert set(table["arm"]) == {"finetune-cpsc"}
    empty = optimism(scores, {clean: metadata(2, validation=validation)}, 0.95)
    assert list(empty) == OPTIMISM_COLUMNS
    assert empty.empty


def test_an_epoch_that_is_missing_is_named():
    with pytest.raises(InputError, match=r"ptb/gru/finetune-cpsc/0\.1: epoch 3 of replicate 1") as caught:
        optimism({CELL: history([0.6, 0.9], [0.6, 0.9])}, {CELL: metadata(1, 3)}, 0.95)
    assert "\n" not in str(caught.value)

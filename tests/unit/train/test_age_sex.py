"""Age and sex as a model's input."""

import pandas as pd
import pytest
import torch

from ecgtransfer.train.age_sex import age_sex_inputs
from ecgtransfer.train.models.base import AGE_SEX_INPUTS


def test_known_and_missing_values() -> None:
    inputs = age_sex_inputs(pd.Series([60, 100, 0, None, 50.5]), pd.Series(["F", "M", None, "F", float("nan")]))
    assert inputs.dtype == torch.float32
    assert inputs.shape == (5, AGE_SEX_INPUTS)
    assert inputs.tolist() == [
        [0, 1, 1, 1],
        [2, 1, -1, 1],
        [-3, 1, 0, 0],
        [0, 0, 1, 1],
        [pytest.approx(-0.475), 1, 0, 0],
    ]


def test_columns_without_a_value() -> None:
    """As CSV files give them: of objects, or of floating-point numbers."""
    for missing in (pd.Series([None, None]), pd.Series([float("nan")] * 2)):
        assert age_sex_inputs(missing, missing).tolist() == [[0] * 4] * 2


def test_a_record_has_the_same_input_whatever_the_others() -> None:
    age, sex = pd.Series([33, 81, None]), pd.Series(["M", None, "F"])
    together = age_sex_inputs(age, sex)
    alone = [age_sex_inputs(age[[row]], sex[[row]]) for row in range(3)]
    assert torch.equal(together, torch.cat(alone))

"""Age and sex as a model's input."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

_MIDDLE_YEARS, _SPREAD_YEARS = 60.0, 20.0  # of patients who get an ECG; fixed, so that sources and targets agree


def age_sex_inputs(age_years: pd.Series, sex: pd.Series) -> Tensor:
    """Return float32 (records, 4): age in units of 20 years from 60, whether it is known, sex, whether it is known.

    Parameters
    ----------
    age_years, sex
        As in the records table: years, and ``F`` or ``M``; missing where not known, which becomes 0 in both columns.
    """
    known_age, known_sex = age_years.notna().to_numpy(), sex.isin(["F", "M"]).to_numpy()
    age = np.where(known_age, (age_years.fillna(_MIDDLE_YEARS).to_numpy(np.float32) - _MIDDLE_YEARS) / _SPREAD_YEARS, 0)
    side = np.where(known_sex, np.where(sex.eq("F"), 1.0, -1.0), 0.0)
    return torch.from_numpy(np.stack([age, known_age, side, known_sex], axis=1).astype(np.float32))

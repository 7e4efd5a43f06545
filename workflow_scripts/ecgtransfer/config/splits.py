"""Config section of who trains, validates and tests."""

from typing import Annotated, Literal

from pydantic import Field

from ecgtransfer.config.keys import ONCE, OR_NULL, Number, Section, Seed, Text, Whole, key

Folds = Annotated[list[Annotated[Whole, Field(ge=1)]], ONCE]
Groups = Annotated[list[Text], ONCE]


class Splits(Section):
    """The section ``splits``."""

    by: Literal["patient", "site", "month", "record"] = key("patient")
    """what is assigned to roles: each `patient`, or whole `site`s or `month`s of recording (a patient then keeps one
    role, other records of the patient are left out); or, only for parity, single records (`record`): then a patient can
    be in training and test"""
    seed: Seed = key(1)
    """seed of the folds made here and of the order of patients"""
    n_folds: Whole = key(10, ge=3, le=1000)
    """folds to make where none are published"""
    valid_folds: Folds = key([3])
    """folds, from 1, whose patients are for validation; with `[]` and no `valid_groups` there are none: epochs and
    thresholds are then chosen on the test records, and the page says so"""
    test_folds: Folds = key([4, 5, 6, 7, 8, 9, 10], min_length=1)
    """folds whose patients are for testing; all others are for training, and in a source these, too"""
    valid_groups: Groups = key([])
    """sites or months (`2020-03`) for validation, where roles are assigned by them; without any, folds decide"""
    test_groups: Groups = key([])
    """sites or months for testing"""
    test_share: Annotated[Number | None, OR_NULL] = key(None, unit="0 to 1", gt=0, lt=1)
    """only with `by: record`, where folds do not apply: share of the records for testing, rounded up; all others are
    for training"""

    @property
    def has_validation(self) -> bool:
        """Whether any records are kept for validation; else epochs and thresholds are chosen on the test records."""
        return self.by != "record" and bool(self.valid_folds or self.valid_groups)

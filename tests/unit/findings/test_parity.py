import numpy as np
import pandas as pd
import pytest

from ecgtransfer.findings.claims import CLAIM_COLUMNS
from ecgtransfer.findings.parity import PARITY_COLUMNS, parity


def table(**claims):
    """A table of claims from (estimate, low, high, finding)."""
    rows = [
        {"claim": claim.replace("_", " "), "study": "Nguyen & Do 2025", "said": "So it is.", "measure": f"of {claim}"}
        | dict(zip(("estimate", "ci_low", "ci_high", "finding"), found, strict=True))
        for claim, found in claims.items()
    ]
    return pd.DataFrame(rows, columns=CLAIM_COLUMNS)


NOTHING = (np.nan, np.nan, np.nan, "not examined")


def test_two_studies_stand_side_by_side_in_the_order_of_the_claims():
    clean = table(small_sets=(0.03, 0.01, 0.05, "agrees"), declines=(0.01, -0.01, 0.03, "undecided"))
    theirs = table(small_sets=(0.08, 0.06, 0.1, "agrees"), declines=(-0.02, -0.03, -0.01, "contradicts"))
    found = parity(clean.iloc[::-1], theirs)
    assert list(found) == PARITY_COLUMNS
    assert found["claim"].tolist() == ["small sets", "declines"]
    assert found["measure"].tolist() == ["of small_sets", "of declines"]
    first = ["clean", "clean_low", "clean_high", "clean_finding", "parity", "parity_low", "parity_high"]
    assert found.loc[0, first].tolist() == [0.03, 0.01, 0.05, "agrees", 0.08, 0.06, 0.1]
    assert found["parity_finding"].tolist() == ["agrees", "contradicts"]
    assert found["moved"].tolist() == pytest.approx([0.05, -0.03])


def test_a_claim_that_one_study_does_not_examine_has_not_moved():
    found = parity(table(declines=NOTHING), table(declines=(0.01, 0.0, 0.02, "undecided")))
    assert found["moved"].isna().all()
    assert found.loc[0, ["clean_finding", "parity"]].tolist() == ["not examined", 0.01]


def test_without_a_study_to_lie_beside_the_table_is_empty():
    found = parity(table(), table(declines=(0.01, 0.0, 0.02, "undecided")))
    assert list(found) == PARITY_COLUMNS
    assert found.empty

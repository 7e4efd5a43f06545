"""Label counts on published tables at full size, against published counts.

The Challenge 2020 codes of 43,101 records in six data sets, the Challenge 2021 counts per code and data set, and the
counts that Nguyen & Do's notebooks name.
"""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ecgtransfer.config.labels import Labels
from ecgtransfer.prepare.labels import harmonize_labels, read_view
from ecgtransfer.prepare.statements import LabelTable, index_records, read_label_table

REFERENCE = Path(__file__).parents[2].parent / "shared/reference/labels"
TABLES = Path(__file__).parents[2] / "config/labels"
DATASET_OF_PREFIX = {"A": "CPSC", "Q": "CPSC_Extra", "I": "StPetersburg", "S": "PTB", "HR": "PTB_XL", "E": "Georgia"}
N_RECORDS = {"CPSC": 6877, "CPSC_Extra": 3453, "StPetersburg": 74, "PTB": 516, "PTB_XL": 21837, "Georgia": 10344}
CPSC = {
    "NSR": 918, "AF": 1221, "IAVB": 722, "LBBB": 236, "RBBB": 1857, "PAC": 616, "VEB": 700, "STD": 869, "STE": 220,
}  # fmt: skip
GEORGIA = {
    "NSR": 1752, "AF": 570, "IAVB": 769, "PAC": 639, "SB": 1677, "STach": 1261, "LAD": 940, "TAb": 2306, "TInv": 812,
    "LQT": 1391,
}  # fmt: skip

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs the shared reference tables")


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    """Return record_id, dataset and codes (as written, joined by commas) of every record."""
    table = pd.read_csv(REFERENCE / "cinc2020_reference.csv", names=["record_id", "codes"], dtype=str)
    table["dataset"] = table["record_id"].str.extract("^([A-Z]+)", expand=False).map(DATASET_OF_PREFIX)
    return table


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """Return the Challenge's counts per code, one column per data set."""
    tables = [pd.read_csv(REFERENCE / f"cinc2021_dx_mapping_{name}.csv") for name in ("scored", "unscored")]
    table = pd.concat(tables)
    table["SNOMEDCTCode"] = table["SNOMEDCTCode"].astype(str)
    return table.set_index("SNOMEDCTCode")


def records_of(reference: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the records table of a data set, through our code."""
    rows = reference[reference["dataset"] == dataset]
    described = pd.DataFrame(
        {"record_id": rows["record_id"], "statements": rows["codes"].str.replace(",", "|", regex=False)}
    )
    return index_records(described.assign(labelled=1), LabelTable())[0]


def counts_of(
    records: pd.DataFrame, view: str | None, top: int | None = None, merge: bool = True, named: bool = True
) -> dict[str, int]:
    """Return the number of records per label, with all tables of config/labels unless specified otherwise."""
    snomed = pd.read_csv(TABLES / "snomed.csv", dtype=str).set_index("snomed_ct")["abbreviation"]
    equivalent = pd.read_csv(TABLES / "equivalent.csv", dtype=str).set_index("snomed_ct")["counts_as"]
    labels, _ = harmonize_labels(
        records,
        snomed.to_dict() if named else {},
        equivalent.to_dict() if merge else {},
        Labels(top=top, min_records=1),
        "here",
        ["here"],
        read_view(TABLES / f"views/{view}.csv" if view else None),
    )
    assert labels["record_id"].tolist() == records["record_id"].tolist()
    return {str(label): int(count) for label, count in labels.drop(columns="record_id").sum().items()}


def test_records(reference: pd.DataFrame) -> None:
    assert reference["dataset"].value_counts().to_dict() == N_RECORDS
    assert len(reference) == 43101
    assert reference["record_id"].is_unique


@pytest.mark.parametrize(
    ("dataset", "view", "counts"), [("CPSC", "nguyen-cpsc", CPSC), ("Georgia", "nguyen-georgia", GEORGIA)]
)
def test_labels_of_nguyen_and_do(reference: pd.DataFrame, dataset: str, view: str, counts: dict[str, int]) -> None:
    records = records_of(reference, dataset)
    assert len(records) == N_RECORDS[dataset]
    assert counts_of(records, view) == counts


def test_top_ten_of_the_scored_labels_of_georgia_are_those_of_nguyen_and_do(reference: pd.DataFrame) -> None:
    top = counts_of(records_of(reference, "Georgia"), "scored", top=10)
    assert set(top) == set(GEORGIA)
    # Scored with its equivalent 63593006, one more record has premature atrial contractions.
    assert {label: top[label] - GEORGIA[label] for label in top if top[label] != GEORGIA[label]} == {"PAC": 1}


@pytest.mark.parametrize("dataset", N_RECORDS)
def test_every_code_as_often_as_the_challenge_says(
    reference: pd.DataFrame, published: pd.DataFrame, dataset: str
) -> None:
    counts = counts_of(records_of(reference, dataset), None, merge=False, named=False)
    assert len(published) == 133
    assert {code: counts.pop(code, 0) for code in published.index} == published[dataset].to_dict()
    assert counts == {}


@pytest.mark.parametrize("dataset", N_RECORDS)
@pytest.mark.parametrize("view", [None, "scored", "avetisyan"])
def test_every_merged_count_is_the_size_of_a_union(reference: pd.DataFrame, dataset: str, view: str | None) -> None:
    """Counted here from sets of record ids per code, by the tables as they are written."""
    with_code: dict[str, set[str]] = {}
    for row in reference[reference["dataset"] == dataset].itertuples():
        for code in str(row.codes).split(","):
            with_code.setdefault(code, set()).add(str(row.record_id))
    snomed = pd.read_csv(TABLES / "snomed.csv", dtype=str).set_index("snomed_ct")["abbreviation"]
    if view:
        rows = pd.read_csv(TABLES / f"views/{view}.csv", dtype=str)[["label", "snomed_ct"]].to_numpy().tolist()
    else:
        counts_as = pd.read_csv(TABLES / "equivalent.csv", dtype=str).set_index("snomed_ct")["counts_as"]
        rows = [[snomed[counts_as.get(code, code)], code] for code in with_code]
    unions: dict[str, set[str]] = {}
    for label, code in rows:
        unions.setdefault(label, set()).update(with_code.get(code, set()))
    counts = counts_of(records_of(reference, dataset), view)
    assert counts == {label: len(records) for label, records in unions.items() if 0 < len(records) < N_RECORDS[dataset]}


def test_labels_of_code_test() -> None:
    """None of the six is a label of its own: 827 records less those with any of the six."""
    gold = pd.read_csv(REFERENCE / "code_test_gold_standard.csv")
    described = pd.DataFrame(
        {
            "record_id": gold.index.astype(str),
            "statements": ["|".join(gold.columns[row == 1]) for row in gold.to_numpy()],
        }
    )
    counts = counts_of(
        index_records(described.assign(labelled=1), read_label_table(TABLES / "code.csv"))[0], "nguyen-code"
    )
    assert counts.pop("none-of-six") == int((gold.sum(axis=1) == 0).sum()) == round(0.823 * 827)
    assert counts == gold.sum().to_dict() == Counter(counts)


def test_rewards_are_those_of_the_challenge() -> None:
    published = pd.read_csv(REFERENCE / "cinc2021_weights.csv", index_col=0)
    label_of = pd.read_csv(TABLES / "views/scored.csv", dtype=str).set_index("snomed_ct")["label"]
    names = [label_of[codes.partition("|")[0]] for codes in published.columns]
    ours = pd.read_csv(TABLES / "rewards/scored.csv", index_col="label").loc[names, names]
    assert (ours.to_numpy() == published.to_numpy()).all()

"""Labels of a few records, by hand."""

import pandas as pd

from ecgtransfer.config.labels import Labels
from ecgtransfer.prepare.labels import View, harmonize_labels

ABBREVIATIONS = {"1": "AF", "2": "CLBBB", "22": "LBBB", "3": "NSR", "4": "PVC"}
COUNTS_AS = {"22": "2"}


def records_with(*codes: str) -> pd.DataFrame:
    """Return a records table with the codes given, one record each."""
    return pd.DataFrame({"record_id": [f"r{i}" for i in range(len(codes))], "codes": codes, "labelled": 1})


def labels_of(
    records: pd.DataFrame,
    include: str | list[str] = "all",
    min_records: int = 1,
    top: int | None = None,
    view: View | None = None,
    corpus: str = "here",
) -> pd.DataFrame:
    """Return the labels of a corpus."""
    settings = Labels.model_validate({"include": include, "min_records": min_records, "top": top})
    return harmonize_labels(records, ABBREVIATIONS, COUNTS_AS, settings, corpus, corpus.split("+"), view)[0]


def written(labels: pd.DataFrame) -> dict[str, list[str]]:
    """Return the cells of every label as they are in the file."""
    rows = [line.split(",") for line in labels.to_csv(index=False).splitlines()]
    return {label: list(column) for label, *column in zip(*rows, strict=True) if label != "record_id"}

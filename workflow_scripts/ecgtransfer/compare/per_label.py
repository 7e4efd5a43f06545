"""Which labels gain by transfer, and whether rare ones gain more than frequent ones."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ecgtransfer.compare.findings import CELL_COLUMNS, Run, cell_of, pairs, sorted_table
from ecgtransfer.compare.scores import LABEL_METRICS
from ecgtransfer.errors import InputError

TRAINING_POSITIVES_COLUMNS = ["target", "fraction", "label", "n_positive", "n_known"]
PER_LABEL_COLUMNS = [
    *(*CELL_COLUMNS, "label", "metric", "scratch", "transfer", "delta", "delta_sd", "n_replicates"),
    *("n_positive_train", "prevalence_train", "n_positive_test"),
]
PREVALENCE_COLUMNS = [*CELL_COLUMNS, "metric", "spearman", "n_labels"]

FEWEST_LABELS = 3
"""Of two labels, one always gains more: the correlation is then 1 or -1, whatever transfer does."""


def training_positives(
    target: str, labels: pd.DataFrame, splits: pd.DataFrame, fractions: Sequence[float]
) -> pd.DataFrame:
    """Return how often each label is among the training records of each fraction, mean over replicates.

    Parameters
    ----------
    target
        Whose tables they are.
    labels
        ``record_id`` and one column per label: 0, 1 or missing, where it is not known.
    splits
        ``record_id,patient_id,role,rank_<replicate>``.
    fractions
        Of the training patients.

    Returns
    -------
    pandas.DataFrame
        Columns `TRAINING_POSITIVES_COLUMNS`; ``n_known`` counts the records of which the label is known.
    """
    training = splits[splits["role"] == "train"]
    by_record = labels.assign(record_id=labels["record_id"].astype(str)).set_index("record_id")
    values = by_record.reindex(training["record_id"].astype(str)).astype("float64")
    ranks = training.filter(regex=r"^rank_\d+$").to_numpy()
    rows: list[dict[str, object]] = []
    for fraction in fractions:
        taken = (ranks < fraction).mean(axis=1)  # in which share of the replicates a record is trained on
        for label in values.columns:
            present = values[label].to_numpy()
            counts = {"n_positive": taken[present == 1].sum(), "n_known": taken[~np.isnan(present)].sum()}
            rows.append({"target": target, "fraction": fraction, "label": label, **counts})
    return sorted_table(rows, TRAINING_POSITIVES_COLUMNS, ["target", "fraction", "label"])


def per_label_gains(runs: Sequence[Run], positives: pd.DataFrame) -> pd.DataFrame:
    """Return what every label gains by transfer over training from scratch.

    Parameters
    ----------
    runs
        All cells of a study.
    positives
        The tables of `training_positives` of all targets, one below the other.

    Returns
    -------
    pandas.DataFrame
        Columns `PER_LABEL_COLUMNS`, a row per cell with transferred weights, label and metric.

        ``scratch``, ``transfer``, ``delta``
            Means over replicates on the test recordings; empty for a label that no test recording has, or all have.
        ``delta_sd``
            Standard deviation over replicates of the gain, paired by replicate; empty for one.
        ``n_positive_train``, ``prevalence_train``
            Training recordings with the label, mean over replicates, and their share of those of which it is known.
        ``n_positive_test``
            Test recordings with the label.

    Raises
    ------
    InputError
        If a partner from scratch is missing or differs in its replicates or labels, or a label has no row in
        `positives`.
    """
    counted = positives.set_index(["target", "fraction", "label"])[["n_positive", "n_known"]].T.to_dict()
    rows: list[dict[str, object]] = []
    for run, scratch in pairs(runs):
        transferred, plain = _label_scores(run), _label_scores(scratch)
        if not transferred.index.equals(plain.index):
            raise InputError(f"{run.name} and {scratch.name}: labels or replicates differ; score both again")
        beside = transferred.assign(value_scratch=plain["value"])
        for (label, metric), replicates in beside.groupby(level=["label", "metric"]):
            counts = counted.get((run.target, run.fraction, label))
            if counts is None:
                raise InputError(
                    f"{run.name}: label {label} is not among the counted training labels; harmonise labels again"
                )
            rows.append({**cell_of(run, str(metric)), "label": label, **_gain(replicates, counts)})
    return sorted_table(rows, PER_LABEL_COLUMNS, [*CELL_COLUMNS, "label", "metric"])


def _gain(replicates: pd.DataFrame, counts: Mapping[str, float]) -> dict[str, object]:
    """Return the columns on one label and metric from the rows of its replicates and its training records."""
    deltas = replicates["value"] - replicates["value_scratch"]
    return {
        **{"scratch": replicates["value_scratch"].mean(), "transfer": replicates["value"].mean()},
        **{"delta": deltas.mean(), "delta_sd": deltas.std(), "n_replicates": len(deltas)},
        "n_positive_train": counts["n_positive"],
        "prevalence_train": counts["n_positive"] / counts["n_known"] if counts["n_known"] else np.nan,
        "n_positive_test": int(replicates["n_positive"].iloc[0]),
    }


def prevalence_correlations(gains: pd.DataFrame) -> pd.DataFrame:
    """Return whether frequent labels gain more than rare ones: Spearman's rank correlation, for every cell and metric.

    Parameters
    ----------
    gains
        The table of `per_label_gains`.

    Returns
    -------
    pandas.DataFrame
        Columns `PREVALENCE_COLUMNS`; ``spearman`` is that of ``delta`` with ``prevalence_train`` over the ``n_labels``
        labels that have both, below 0 where rare labels gain more. Empty for fewer than `FEWEST_LABELS` labels, or
        where all gain the same or are equally frequent.
    """
    cell = [*CELL_COLUMNS, "metric"]
    rows: list[dict[str, object]] = []
    for key, labels in gains.groupby(cell, sort=False):
        known = labels.dropna(subset=["delta", "prevalence_train"])
        row: dict[str, object] = dict(zip(cell, key, strict=True))
        rows.append({**row, "spearman": spearman(known["delta"], known["prevalence_train"]), "n_labels": len(known)})
    return sorted_table(rows, PREVALENCE_COLUMNS, cell)


def spearman(x: pd.Series, y: pd.Series) -> float:
    """Return the correlation of the ranks, ties sharing their mean rank; NaN where it is not defined."""
    if len(x) < FEWEST_LABELS or x.nunique() < 2 or y.nunique() < 2:
        return float("nan")
    return float(np.corrcoef(x.rank(), y.rank())[0, 1])


def _label_scores(run: Run) -> pd.DataFrame:
    """Return the rows of a run's single labels, index ``replicate, label, metric``."""
    rows = run.scores[run.scores["metric"].isin(LABEL_METRICS)]
    return rows.set_index(["replicate", "label", "metric"]).sort_index()

"""Which labels gain by transfer, and whether rare ones gain more than frequent ones."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ecgtransfer.compare.runs import Run, cell_of, pairs
from ecgtransfer.compare.scores import LABEL_METRICS
from ecgtransfer.compare.tables import CELL_COLUMNS, CELL_MEANING, TableForm, sorted_table
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    NORMAL,
    arm_legend,
    arm_styles,
    dress,
    nothing_to_show,
    percent,
    target_model_panels,
)
from ecgtransfer.exhibits.tables import CELL, Columns, count, value, word
from ecgtransfer.statistics.correlation import spearman

TRAINING_POSITIVES_COLUMNS = ["target", "fraction", "label", "n_positive", "n_known"]
PER_LABEL_COLUMNS = [
    *(*CELL_COLUMNS, "label", "metric", "scratch", "transfer", "delta", "delta_sd", "n_replicates"),
    *("n_positive_train", "prevalence_train", "n_positive_test"),
]
PREVALENCE_COLUMNS = [*CELL_COLUMNS, "metric", "spearman", "n_labels"]
TABLES = {
    "per_label": TableForm(
        PER_LABEL_COLUMNS,
        "gain of every label",
        "One row per cell with transferred weights, `label` and metric.",
        {
            **CELL_MEANING,
            "label, metric": "`auroc`, `auprc`, `f1` or `f1_at_half` of a label",
            "scratch, transfer, delta": "means over replicates",
            "delta_sd, n_replicates": "standard deviation of `delta` over replicates, and their number",
            "n_positive_train, prevalence_train": "training recordings with the label, mean over replicates, and their"
            " share of those of which it is known",
            "n_positive_test": "test recordings with the label",
        },
    ),
    "prevalence": TableForm(
        PREVALENCE_COLUMNS,
        "whether rare ones gain more",
        "One row per cell with transferred weights and metric.",
        {
            **CELL_MEANING,
            "metric": "as in per_label.csv",
            "spearman, n_labels": "of `delta` with `prevalence_train` over `n_labels` labels, below 0 where rare labels"
            " gain more",
        },
    ),
}
CAPTION = """
What each label gains by transfer in AUROC against how frequent it is among the training recordings, at the smallest
fraction, mean over replicates. A negative Spearman correlation says that rare labels gain more. The numbers are in
``findings/per_label.csv`` and ``findings/prevalence.csv``.
"""


def compute(
    runs_with_labels: Sequence[Run], labels: Mapping[str, pd.DataFrame], splits: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return the tables of `per_label_gains` and `prevalence_correlations`."""
    fractions = sorted({run.fraction for run in runs_with_labels})
    positives = pd.concat(training_positives(name, labels[name], splits[name], fractions) for name in labels)
    gains = per_label_gains(runs_with_labels, positives)
    return {"per_label": gains, "prevalence": prevalence_correlations(gains)}


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
        labels that have both, below 0 where rare labels gain more. Empty for fewer than three labels, or where
        all gain the same or are equally frequent.
    """
    cell = [*CELL_COLUMNS, "metric"]
    rows: list[dict[str, object]] = []
    for key, labels in gains.groupby(cell, sort=False):
        known = labels.dropna(subset=["delta", "prevalence_train"])
        row: dict[str, object] = dict(zip(cell, key, strict=True))
        rows.append({**row, "spearman": spearman(known["delta"], known["prevalence_train"]), "n_labels": len(known)})
    return sorted_table(rows, PREVALENCE_COLUMNS, cell)


def _label_scores(run: Run) -> pd.DataFrame:
    """Return the rows of a run's single labels, index ``replicate, label, metric``."""
    rows = run.scores[run.scores["metric"].isin(LABEL_METRICS)]
    return rows.set_index(["replicate", "label", "metric"]).sort_index()


_METRIC = "auroc"
_PANEL_HEIGHT = 3.0  # inches
_NEVER = 0.5  # of the lowest prevalence: where labels are drawn that no training recording has


def draw(per_label: pd.DataFrame, prevalence: pd.DataFrame) -> Figure:
    """Return the figure from the tables of `per_label_gains` and `prevalence_correlations`."""
    table = per_label[per_label["metric"] == _METRIC].dropna(subset=["delta", "prevalence_train"])
    if table.empty:
        return nothing_to_show("No gains per label: nothing was transferred, or no label can be scored.")
    fraction = table["fraction"].min()
    rows = table[table["fraction"] == fraction]
    of_fraction = prevalence[(prevalence["metric"] == _METRIC) & (prevalence["fraction"] == fraction)]
    correlations = of_fraction.set_index(["target", "model", "arm"])["spearman"].to_dict()
    styles = arm_styles(rows["arm"])
    panels = target_model_panels(rows, _PANEL_HEIGHT)
    for target, by_model in panels.axes.items():
        of_target = rows[rows["target"] == target]
        shares = of_target["prevalence_train"]
        shown = shares.where(shares > 0, _NEVER * shares[shares > 0].min())
        for model, axes in by_model.items():
            axes.axhline(0, color="0.3", linewidth=0.8, zorder=1)
            for arm, style in styles.items():
                of_arm = of_target[(of_target["model"] == model) & (of_target["arm"] == arm)]
                axes.plot(shown[of_arm.index], of_arm["delta"], **{**style, "linestyle": "none"}, markersize=4)
            found = [correlations.get((target, model, arm), np.nan) for arm in styles]
            axes.set_title(f"{axes.get_title()}\n{_in_words(found)}", fontsize=NORMAL)
            dress(axes, "training recordings with the label", "gain in AUROC")
        _set_share_axis(next(iter(by_model.values())))
    note = f"One mark per label, at {percent(fraction)} of the training patients; below 0, transfer hurts the label."
    if len(styles) > 1:
        note += " Spearman's correlations of gain and frequency are in the order of the names."
    if (rows["prevalence_train"] == 0).any():
        note += " Furthest left: labels that no training recording has."
    if table["fraction"].nunique() > 1:
        note += " The other fractions are in the table."
    arm_legend(panels.figure, styles, note, linestyle="none")
    return panels.figure


def _in_words(correlations: list[float]) -> str:
    return "Spearman " + ", ".join("–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}" for value in correlations)


def _set_share_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.xaxis.set_minor_locator(NullLocator())


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with the numbers of the smallest fraction."""
    rows = tables["per_label"]
    rows = rows[(rows["metric"] == _METRIC) & (rows["fraction"] == rows["fraction"].min())]
    columns: Columns = {
        **CELL,
        "label": word("label"),
        "in training": count("n_positive_train"),
        "in test": count("n_positive_test"),
        "scratch": value("scratch"),
        "transfer": value("transfer"),
        "difference": value("delta"),
        "sd": value("delta_sd"),
    }
    caption = "Gain in AUROC of every label against its share of the training recordings, at the smallest fraction."
    return exhibit(rows, "per_label", caption, columns, "prevalence", n_words=5)

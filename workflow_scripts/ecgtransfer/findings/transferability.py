"""Whether it can be predicted before training how well a source will transfer: the measure MELEP against the outcome.

MELEP (Nguyen, Duong & Do 2024, J. Healthc. Inform. Res. 8:541-558, arXiv 2311.04224) measures how well the labels of
the target's training records can be predicted from the outputs of the source's model with its own head.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgtransfer.arms import Cell, method_name_of
from ecgtransfer.compare.predictions import Arrays, Meeting
from ecgtransfer.compare.runs import Run, cell_of, pairs
from ecgtransfer.compare.tables import CELL_COLUMNS, CELL_MEANING, KEY_COLUMNS, TableForm, key_of, sorted_table
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    WIDTH,
    dress,
    legend_below,
    mark,
    new_figure,
    nothing_to_show,
    series_styles,
    title_panel,
)
from ecgtransfer.exhibits.tables import CELL, Columns, named_rows, value
from ecgtransfer.statistics.correlation import spearman

Array = NDArray[Any]

MEASURES = {"delta": ("macro_auroc", "delta"), "transfer_auroc": ("macro_auroc", "transfer")}
MEASURES |= {"transfer_weighted_f1": ("weighted_f1", "transfer")}
"""What MELEP is compared with: metric and column of the verdicts."""
TRANSFERABILITY_COLUMNS = [*CELL_COLUMNS, "melep", *MEASURES]
TRANSFERABILITY_CORRELATION_COLUMNS = ["method", "measure", "spearman", "n"]
TABLES = {
    "transferability": TableForm(
        TRANSFERABILITY_COLUMNS,
        "MELEP against the gain that it should predict",
        "One row per cell with weights of a source that learnt its true labels here.",
        {
            **CELL_MEANING,
            "melep": "mean over replicates; lower: should transfer better",
            "delta": "gain in macro AUROC, as in verdicts.csv",
            "transfer_auroc, transfer_weighted_f1": "the score with transfer, as in verdicts.csv",
        },
    ),
    "transferability_correlation": TableForm(
        TRANSFERABILITY_CORRELATION_COLUMNS,
        "how well MELEP predicts it",
        "One row per method of transfer and measure.",
        {
            "method, measure": "`delta`, `transfer_auroc` or `transfer_weighted_f1` of a method",
            "spearman, n": "correlation of `melep` with it, over `n` cells",
        },
    ),
}
CAPTION = """
What transfer gains in macro AUROC against MELEP, which is computed from the source's model and the target's training
labels before any fine-tuning; lower is expected to transfer better. The title gives Spearman's correlation over all
cells. The numbers are in ``findings/transferability.csv`` and ``findings/transferability_correlation.csv``.
"""


def compute(
    source_predictions: Mapping[Meeting, Arrays],
    runs: Sequence[Run],
    labels: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    """Return the tables of `transferability` and `transferability_correlations`."""
    cells: defaultdict[Meeting, list[Cell]] = defaultdict(list)
    for run in runs:
        cells[run.target, run.model, run.source].append(run)
    values: dict[Cell, list[float]] = {}
    for meeting, predictions in source_predictions.items():
        target, by_fraction = meeting[0], {}
        for cell in cells[meeting]:
            if cell.fraction not in by_fraction:
                by_fraction[cell.fraction] = meleps(predictions, labels[target], splits[target], cell.fraction)
            values[Cell(cell.target, cell.model, cell.arm, cell.fraction)] = by_fraction[cell.fraction]
    table = transferability(values, gains(runs))
    return {"transferability": table, "transferability_correlation": transferability_correlations(table)}


def melep(source_probability: Array, target_labels: Array) -> float:
    """Return the multi-label expected log of empirical predictions, from 0; lower: should transfer better.

    Parameters
    ----------
    source_probability
        (n, S): the probability of each label of the source on n training records of the target.
    target_labels
        (n, T): 0 or 1; NaN where a label is not known, which leaves the record out for this label.

    Returns
    -------
    float
        NaN where no target label has a positive.

    Notes
    -----
    A label s of the source is a dummy label: it is 1 with the probability that the model gives. From its joint
    distribution with a target label t follows P(t | s), and from that the expected prediction of t for each record. The
    mean of its negative logarithm at the true value is phi(t, s). MELEP is its mean over s, then over t with the
    prevalence of t as weight.
    """
    present = np.asarray(source_probability, dtype=np.float64)
    labels = np.asarray(target_labels, dtype=np.float64)
    losses, prevalences = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
    for column, values in enumerate(labels.T):
        known = ~np.isnan(values)
        positive = values[known] == 1
        if positive.any():
            losses[column] = _log_loss(present[known], positive)
            prevalences[column] = positive.mean()
    return float(prevalences @ losses / prevalences.sum()) if prevalences.any() else float("nan")


def _log_loss(present: Array, positive: Array) -> float:
    """Return phi of one target label, (n,) bool, mean over the S dummy labels with probabilities (n, S)."""
    expected = np.zeros_like(present)  # what is predicted for the value that each record has
    for share in (present, 1 - present):
        total = share.sum(axis=0)
        conditional = np.divide(share[positive].sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
        expected += share * np.where(positive[:, None], conditional, 1 - conditional)
    return float(-np.log(np.clip(expected, np.finfo(np.float64).tiny, 1)).mean())


def meleps(source_predictions: Arrays, labels: pd.DataFrame, splits: pd.DataFrame, fraction: float) -> list[float]:
    """Return MELEP on the training records of every replicate of a cell.

    Parameters
    ----------
    source_predictions
        ``record_id`` (N,), ``probability`` (N, S) of all records of the target.
    labels
        ``record_id`` and one column per label of the target: 0, 1 or missing.
    splits
        ``record_id,role,rank_<replicate>`` of the target.
    fraction
        Of the cell.

    Raises
    ------
    InputError
        If a training record is missing from the predictions or from the labels.
    """
    training = splits[splits["role"] == "train"]
    ids = pd.Index(training["record_id"].astype(str))
    by_record = labels.assign(record_id=labels["record_id"].astype(str)).set_index("record_id")
    places = pd.Index(source_predictions["record_id"].astype(str)).get_indexer(ids)
    rows = by_record.index.get_indexer(ids)
    for name, found in {"predictions of the source": places, "label table": rows}.items():
        if (found < 0).any():
            raise InputError(f"{name}: training record {ids[found < 0][0]} missing; rebuild the file")
    probability = source_predictions["probability"][places]
    truth = by_record.iloc[rows].to_numpy(dtype=np.float64, na_value=np.nan)
    ranks = training.filter(regex=r"^rank_\d+$").to_numpy()
    return [melep(probability[rank < fraction], truth[rank < fraction]) for rank in ranks.T]


def gains(runs: Sequence[Run]) -> pd.DataFrame:
    """Return ``n_train``, ``transfer`` and ``delta`` as in the verdicts, of every cell with transferred weights."""
    rows = [
        {
            **cell_of(run, metric),
            "transfer": run.macro_scores(metric).mean(),
            "delta": (run.macro_scores(metric) - scratch.macro_scores(metric)).mean(),
        }
        for run, scratch in pairs(runs)
        for metric in {metric for metric, _ in MEASURES.values()}
    ]
    return sorted_table(rows, [*CELL_COLUMNS, "metric", "transfer", "delta"])


def transferability(meleps_of_cells: Mapping[Cell, Sequence[float]], verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return MELEP with what transfer reached and gained.

    Parameters
    ----------
    meleps_of_cells
        The values of `meleps` of each cell with transferred weights; the same for all methods of a source and fraction.
    verdicts
        The table of `gains`, or `ecgtransfer.compare.verdicts.verdicts`.

    Returns
    -------
    pandas.DataFrame
        Columns `TRANSFERABILITY_COLUMNS`, a row per cell. ``melep`` is a mean over replicates; ``delta`` the gain in
        macro AUROC over training from scratch, ``transfer_...`` the score itself; empty where there is none.

    Raises
    ------
    InputError
        If a cell has no verdict.
    """
    columns = dict.fromkeys(column for _, column in MEASURES.values())
    found = verdicts.set_index([*KEY_COLUMNS, "metric"])[[*columns, "n_train"]].to_dict("index")
    rows: list[dict[str, object]] = []
    for cell, values in meleps_of_cells.items():
        key = tuple(key_of(cell).values())
        if (*key, "macro_auroc") not in found:
            raise InputError(f"{cell.name}: no verdict to compare its transferability with; compare again")
        row: dict[str, object] = {**key_of(cell), "n_train": found[*key, "macro_auroc"]["n_train"]}
        row["melep"] = float(np.mean(values))
        row |= {name: found.get((*key, metric), {}).get(column, np.nan) for name, (metric, column) in MEASURES.items()}
        rows.append(row)
    return sorted_table(rows, TRANSFERABILITY_COLUMNS, KEY_COLUMNS)


def transferability_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's rank correlation of MELEP with what came of transfer.

    Parameters
    ----------
    table
        That of `transferability`.

    Returns
    -------
    pandas.DataFrame
        Columns `TRANSFERABILITY_CORRELATION_COLUMNS`, a row per method of transfer and measure, over all its ``n``
        cells that have both. Below 0 where MELEP predicts well. Empty for fewer than three cells, or where either is
        the same everywhere. Cells of a target share its recordings, so there is no p-value.
    """
    rows: list[dict[str, object]] = []
    for method, cells in table.groupby(table["arm"].map(method_name_of)):
        for measure in MEASURES:
            known = cells.dropna(subset=["melep", measure])
            correlation = spearman(known["melep"], known[measure])
            rows.append({"method": method, "measure": measure, "spearman": correlation, "n": len(known)})
    return sorted_table(rows, TRANSFERABILITY_CORRELATION_COLUMNS, ["method", "measure"])


_MEASURE = "delta"
_PANELS_PER_ROW = 2
_PANEL_HEIGHT = 3.6  # inches


def draw(transferability: pd.DataFrame, transferability_correlation: pd.DataFrame) -> Figure:
    """Return the figure from the tables ``transferability.csv`` and ``transferability_correlation.csv``."""
    rows = transferability[transferability["melep"].notna() & transferability["delta"].notna()]
    if rows.empty:
        return nothing_to_show("No MELEP to show: no source of the study has a model that predicts labels.")
    rows = rows.assign(method=rows["arm"].map(method_name_of))
    found = {row.method: row for row in named_rows(transferability_correlation) if row.measure == _MEASURE}
    methods = list(rows["method"].drop_duplicates())
    styles = series_styles(rows["target"])
    n_columns = min(len(methods), _PANELS_PER_ROW)
    figure = new_figure(-(-len(methods) // n_columns) * _PANEL_HEIGHT)
    grid = figure.add_gridspec(-(-len(methods) // n_columns), n_columns)
    first = None
    for number, method in enumerate(methods):
        axes = figure.add_subplot(grid[divmod(number, n_columns)], sharex=first, sharey=first)
        first = first or axes
        axes.axhline(0, color="0.3", linewidth=0.8, zorder=1)
        of_method = rows[rows["method"] == method]
        for target, style in styles.items():
            of_target = of_method[of_method["target"] == target]
            hollow = {**style, "linestyle": "none", "markerfacecolor": "none"}
            axes.plot(of_target["melep"], of_target["delta"], **hollow, markersize=3.5, markeredgewidth=0.8)
        title_panel(axes, [method, _in_words(found.get(method))], WIDTH / n_columns)
        dress(
            axes, "MELEP of the source's model on the training recordings", f"gain in {METRIC_NAMES[ANSWERED_METRIC]}"
        )
    note = "One mark per source, model and fraction. MELEP: lower is expected to transfer better."
    handles = [mark(style, linestyle="none", markerfacecolor="none") for style in styles.values()]
    legend_below(figure, handles, [f"target {target}" for target in styles], note)
    return figure


def _in_words(row: Any) -> str:
    """Return the correlation of a method over all its cells, in the words of a title."""
    if row is None or pd.isna(row.spearman):
        return "no correlation"
    return f"Spearman {round(row.spearman, 2) + 0.0:.2f} over {row.n:.0f} cells"


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        **CELL,
        "MELEP": value("melep"),
        "gain": value("delta"),
        "macro AUROC": value("transfer_auroc"),
    }
    caption = "Gain by transfer against MELEP."
    return exhibit(tables["transferability"], "transferability", caption, columns, "transferability_correlation")

"""Optimism: how much better a run looks whose epoch was chosen on the records that it is tested on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgtransfer.arms import Cell
from ecgtransfer.compare.convergence import mean_over_replicates
from ecgtransfer.compare.tables import KEY_COLUMNS, RUN_KEY_MEANING, TableForm, key_of, sorted_table
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.names import METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.exhibits.tables import Columns, fraction, interval, number, table_of, trained, value, word

OPTIMISM_COLUMNS = [
    *(*KEY_COLUMNS, "metric", "chosen_on_test", "last_epoch", "optimism"),
    *("ci_low", "ci_high", "n_replicates"),
]
TEST = "test"
"""What ``run.json`` names as validation where the test records took its place."""
METRICS = ("macro_auroc", "weighted_f1")
TABLES = {
    "optimism": TableForm(
        OPTIMISM_COLUMNS,
        "of leaky studies: what choosing on test adds",
        "Of studies without validation records: one row per cell and metric.",
        {
            **RUN_KEY_MEANING,
            "metric": "`macro_auroc` or `weighted_f1`",
            "chosen_on_test, last_epoch": "mean score over replicates of the epoch that was chosen on the test records,"
            " and of the last one",
            "optimism": "the difference of the two",
            "ci_low, ci_high": "interval of `optimism` over replicates",
            "n_replicates": "trainings",
        },
    )
}


def compute(
    metadata: Mapping[Cell, Mapping[str, Any]], histories: Mapping[Cell, pd.DataFrame], confidence: float
) -> dict[str, pd.DataFrame]:
    """Return the table of `optimism`."""
    return {"optimism": optimism(histories, metadata, confidence)}


def optimism(
    histories: Mapping[Cell, pd.DataFrame], metadata: Mapping[Cell, Mapping[str, Any]], confidence: float
) -> pd.DataFrame:
    """Return the score in the epoch that was chosen on the test records, and that in the last one.

    Parameters
    ----------
    histories
        The ``history.csv`` of every cell: ``replicate,epoch,valid_macro_auroc,valid_weighted_f1``.
    metadata
        The ``run.json`` of every cell. Those are left out that chose on validation records, where ``validation`` is not
        ``test``.
    confidence
        Of the interval over replicates, by Student's t; empty for one replicate.

    Returns
    -------
    pandas.DataFrame
        Columns `OPTIMISM_COLUMNS`, a row per cell and each of `METRICS`; ``optimism`` is ``chosen_on_test`` minus
        ``last_epoch``, all means over replicates.

    Raises
    ------
    InputError
        If the chosen epoch of a replicate is not in its history.
    """
    rows: list[dict[str, object]] = []
    for cell, of_cell in metadata.items():
        if of_cell["validation"] == TEST:
            rows += _of_cell(cell, histories[cell], of_cell["replicates"], confidence)
    return sorted_table(rows, OPTIMISM_COLUMNS)


def _of_cell(
    cell: Cell, history: pd.DataFrame, replicates: Sequence[Mapping[str, Any]], confidence: float
) -> list[dict[str, object]]:
    """Return the rows of one cell."""
    chosen, last = [], []
    for place, replicate in enumerate(replicates):
        epochs = history[history["replicate"] == place].set_index("epoch").sort_index()
        best = replicate["best_epoch"]
        if best not in epochs.index:
            raise InputError(f"{cell.name}: epoch {best} of replicate {place} is not in history.csv; train it again")
        chosen.append(epochs.loc[best])
        last.append(epochs.iloc[-1])
    rows: list[dict[str, object]] = []
    for metric in METRICS:
        at_best, at_end = (
            np.array([epoch[f"valid_{metric}"] for epoch in each], dtype=np.float64) for each in (chosen, last)
        )
        mean, low, high = mean_over_replicates(at_best - at_end, confidence)
        rows.append(
            {
                **{**key_of(cell), "metric": metric},
                **{"chosen_on_test": at_best.mean(), "last_epoch": at_end.mean(), "optimism": mean},
                **{"ci_low": low, "ci_high": high, "n_replicates": len(replicates)},
            }
        )
    return rows


_ON_PAGE = """
<h3>How much better the chosen epoch looks than an honest one</h3>
<p>The epoch was chosen on the test recordings. Without any choice, the last epoch counts; optimism is what the choice
adds to the score of the same trainings. <a href="../findings/optimism.csv">findings/optimism.csv</a></p>
{% if config.finetune.choose_by in its.means %}
<p><strong>Mean over all trainings: {{ its.means[config.finetune.choose_by] }} {{
its.names[config.finetune.choose_by] }}</strong>, by which the epoch was chosen.</p>
{% endif %}
{{ laid_out(its.table) }}
"""
_COLUMNS: Columns = {
    **{"target": word("target"), "model": word("model"), "trained": trained},
    "metric": lambda row: METRIC_NAMES.get(row.metric, row.metric),
    **{"fraction": fraction, "chosen on test": value("chosen_on_test"), "last epoch": value("last_epoch")},
    **{"optimism": value("optimism"), "interval": interval},
}


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the table, and its mean in the metric by which epochs were chosen; None where validation records chose."""
    table = tables["optimism"]
    if table.empty:
        return None
    means = {str(metric): number(rows["optimism"].mean()) for metric, rows in table.groupby("metric")}
    return Part(_ON_PAGE, {"table": table_of(table, _COLUMNS, n_words=4), "means": means, "names": METRIC_NAMES})

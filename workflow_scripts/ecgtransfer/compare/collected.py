"""What findings need of all cells, gathered once from thousands of small files into a few, and read back from there.

Values are copied as the text that they are, so that nothing is lost on the way. Scores over all labels have one row for
each cell, metric and replicate; row i of the array with resamples belongs to row i of that table.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import LABEL_METRICS, load_resamples
from ecgtransfer.csv_tables import TEXT, read_table
from ecgtransfer.errors import InputError
from ecgtransfer.files import read_json, write_csv, write_json, written_whole
from ecgtransfer.study import Cell

Array = NDArray[Any]
Facts = Mapping[str, Any]
FilePath = str | os.PathLike[str]

_CELL = ["target", "model", "arm", "fraction"]
_MACRO_COLUMNS = [*_CELL, "metric", "replicate", "value", "n_train", "n_train_patients"]
_LABEL_COLUMNS = [*_CELL, "replicate", "label", "metric", "value", "n_positive"]
_SIZES = ["n_train", "n_train_patients"]


def collect_scores(
    cells: Sequence[Cell],
    scores: Sequence[FilePath],
    resamples: Sequence[FilePath],
    table_path: FilePath,
    array_path: FilePath,
    label_path: FilePath,
) -> None:
    """Write the scores of all cells: over all labels with their resamples, and of single labels.

    Parameters
    ----------
    cells
        In the order of their files.
    scores, resamples
        The table and the resamples of each, as `ecgtransfer.compare.scores.score_run` makes them.
    table_path, array_path
        Scores over all labels, and their resamples: float64, (rows of the table, resamples).
    label_path
        Scores of single labels.

    Raises
    ------
    InputError
        If table and resamples of a cell differ in metrics or replicates, or cells in their number of resamples.
    """
    tables = []
    with written_whole(label_path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for number, (cell, path) in enumerate(zip(cells, scores, strict=True)):
            text = _with_cell(_as_text(path), cell)
            is_label = text["metric"].isin(LABEL_METRICS)
            text.loc[is_label, _LABEL_COLUMNS].to_csv(file, header=number == 0, index=False, lineterminator="\n")
            tables.append(text[~is_label])
    ordered: list[pd.DataFrame] = []
    with written_whole(array_path) as temporary, temporary.open("wb") as binary:
        n_rows, n_resamples = sum(map(len, tables)), 0
        for cell, table, path in zip(cells, tables, resamples, strict=True):
            drawn = load_resamples(path)
            sizes = {name: drawn.pop(name) for name in _SIZES}
            if not ordered:
                n_resamples = next(iter(drawn.values())).shape[1]
                form = {"descr": "<f8", "fortran_order": False, "shape": (n_rows, n_resamples)}
                np.lib.format.write_array_header_1_0(binary, form)
            for metric, values in drawn.items():
                rows = table[table["metric"] == metric]
                if values.shape != (len(rows), n_resamples) or len(table) != len(rows) * len(drawn):
                    raise InputError(
                        f"{cell.name}: {len(table)} scores over all labels, and resamples of {', '.join(drawn)} of"
                        f" shape {values.shape}, where {n_resamples} resamples are expected; score the run again"
                    )
                ordered.append(rows.sort_values("replicate", key=pd.to_numeric).assign(**sizes)[_MACRO_COLUMNS])
                binary.write(np.ascontiguousarray(values, dtype="<f8").tobytes())
    write_csv(pd.concat(ordered), table_path)


def collect_trainings(
    cells: Sequence[Cell],
    facts: Sequence[FilePath],
    histories: Sequence[FilePath],
    facts_path: FilePath,
    histories_path: FilePath,
) -> None:
    """Write ``run.json`` and ``history.csv`` of all cells, the cells in the order of their files."""
    named = [
        {**{name: getattr(cell, name) for name in _CELL}, "facts": read_json(path)}
        for cell, path in zip(cells, facts, strict=True)
    ]
    write_json({"runs": named}, facts_path)
    tables = [_with_cell(_as_text(path), cell) for cell, path in zip(cells, histories, strict=True)]
    write_csv(pd.concat(tables), histories_path)


def read_runs(table_path: FilePath, array_path: FilePath, label_path: FilePath | None = None) -> list[Run]:
    """Return all cells with their scores, in the order in which they were collected.

    Parameters
    ----------
    table_path, array_path
        What `collect_scores` wrote; resamples stay on the disk until they are used.
    label_path
        The scores of single labels, if they are to be among those of the runs.
    """
    array = np.load(array_path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    of_labels = {} if label_path is None else dict(_by_cell(_read(label_path)))
    runs = []
    for cell, rows in _by_cell(_read(table_path)):
        places = {str(metric): of_metric.index for metric, of_metric in rows.groupby("metric", sort=False)}
        scores = rows.assign(label="macro")
        sizes = scores.drop_duplicates("replicate").sort_values("replicate")
        resamples = {metric: array[place[0] : place[-1] + 1] for metric, place in places.items()}
        n_train, n_train_patients = (sizes[name].to_numpy() for name in _SIZES)
        scores = pd.concat([of_labels[cell], scores]) if cell in of_labels else scores
        key = cell.target, cell.model, cell.arm, cell.fraction
        runs.append(Run(*key, scores, resamples, n_train, n_train_patients))
    return runs


def read_facts(path: FilePath) -> dict[Cell, Facts]:
    """Return the ``run.json`` of all cells, from what `collect_trainings` wrote."""
    return {Cell(*(run[name] for name in _CELL)): run["facts"] for run in read_json(path)["runs"]}


def read_histories(path: FilePath) -> dict[Cell, pd.DataFrame]:
    """Return the ``history.csv`` of all cells, from what `collect_trainings` wrote."""
    return dict(_by_cell(_read(path)))


def _as_text(path: FilePath) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _with_cell(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return a table of text with the cell in its first columns."""
    named = {name: str(getattr(cell, name)) for name in _CELL}
    return table.assign(**named)[[*_CELL, *table.columns]]


def _read(path: FilePath) -> pd.DataFrame:
    """Return a table of all cells, fractions as text."""
    return read_table(path, (*TEXT, "fraction"))


def _by_cell(table: pd.DataFrame) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """Yield the rows of each cell, in the order of the table."""
    for key, rows in table.groupby(_CELL, sort=False):
        target, model, arm, fraction = map(str, key)
        yield Cell(target, model, arm, float(fraction)), rows

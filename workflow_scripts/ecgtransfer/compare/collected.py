"""What findings need of all cells, gathered once from thousands of small files into a few, and read back from there.

Values are copied as the text that they are, so that nothing is lost on the way. Scores over all labels have one row for
each cell, metric and replicate; row i of the array with resamples belongs to row i of that table.
"""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.arms import Cell
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import LABEL_METRICS, load_resamples
from ecgtransfer.csv_tables import TEXT, read_table
from ecgtransfer.errors import InputError
from ecgtransfer.files import read_json, write_csv, write_json, written_whole

Array = NDArray[Any]
Metadata = Mapping[str, Any]
FilePath = str | os.PathLike[str]

_CELL = ["target", "model", "arm", "fraction"]
_MACRO_COLUMNS = [*_CELL, "metric", "replicate", "value", "n_train", "n_train_patients"]
_LABEL_COLUMNS = ["replicate", "label", "metric", "value", "n_positive"]


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
    of_cells = []
    with written_whole(label_path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_CELL, *_LABEL_COLUMNS])
        for cell, path in zip(cells, scores, strict=True):
            of_labels, macro = _scores_of(path)
            writer.writerows([*_key(cell), *row] for row in of_labels)
            of_cells.append(macro)
    ordered: list[list[object]] = []
    with written_whole(array_path) as temporary, temporary.open("wb") as binary:
        n_rows, n_resamples = sum(map(len, of_cells)), 0
        for cell, macro, path in zip(cells, of_cells, resamples, strict=True):
            drawn = load_resamples(path)
            sizes = list(zip(drawn.pop("n_train"), drawn.pop("n_train_patients"), strict=True))
            if not ordered:
                n_resamples = next(iter(drawn.values())).shape[1]
                form = {"descr": "<f8", "fortran_order": False, "shape": (n_rows, n_resamples)}
                np.lib.format.write_array_header_1_0(binary, form)
            expected = {(metric, str(replicate)) for metric in drawn for replicate in range(len(sizes))}
            if macro.keys() != expected or {values.shape for values in drawn.values()} != {(len(sizes), n_resamples)}:
                raise InputError(
                    f"{cell.name}: {len(macro)} scores over all labels of {len(sizes)} replicates, which are not those"
                    f" of which there are {n_resamples} resamples ({', '.join(drawn)}); score the run again"
                )
            for metric, values in drawn.items():
                binary.write(np.ascontiguousarray(values, dtype="<f8").tobytes())
                for replicate, size in enumerate(sizes):
                    ordered.append([*_key(cell), metric, replicate, macro[metric, str(replicate)], *size])
    write_csv(pd.DataFrame(ordered, columns=_MACRO_COLUMNS), table_path)


def _scores_of(path: FilePath) -> tuple[list[list[str]], dict[tuple[str, str], str]]:
    """Return as text the `_LABEL_COLUMNS` of single labels, and values over all labels by metric and replicate."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        columns = [header.index(name) for name in _LABEL_COLUMNS]
        read = [[row[column] for column in columns] for row in rows]
    of_labels = [row for row in read if row[2] in LABEL_METRICS]
    return of_labels, {(row[2], row[0]): row[3] for row in read if row[2] not in LABEL_METRICS}


def collect_trainings(
    cells: Sequence[Cell],
    metadata: Sequence[FilePath],
    histories: Sequence[FilePath],
    metadata_path: FilePath,
    histories_path: FilePath,
) -> None:
    """Write ``run.json`` and ``history.csv`` of all cells, the cells in the order of their files."""
    named = [
        {**{name: getattr(cell, name) for name in _CELL}, "metadata": read_json(path)}
        for cell, path in zip(cells, metadata, strict=True)
    ]
    write_json({"runs": named}, metadata_path)
    tables = [_with_cell(path, cell) for cell, path in zip(cells, histories, strict=True)]
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
    for cell, rows in _by_cell(_read(table_path).assign(label="macro")):
        start, metrics = rows.index[0], list(dict.fromkeys(rows["metric"]))
        n_replicates = len(rows) // len(metrics)
        places = range(start, start + len(rows), n_replicates)
        resamples = {metric: array[at : at + n_replicates] for metric, at in zip(metrics, places, strict=True)}
        sizes = (rows[name].to_numpy()[:n_replicates] for name in ("n_train", "n_train_patients"))
        scores = pd.concat([of_labels[cell], rows]) if cell in of_labels else rows
        runs.append(Run(cell.target, cell.model, cell.arm, cell.fraction, scores, resamples, *sizes))
    return runs


def read_metadata(path: FilePath) -> dict[Cell, Metadata]:
    """Return the ``run.json`` of all cells, from what `collect_trainings` wrote."""
    return {Cell(*(run[name] for name in _CELL)): run["metadata"] for run in read_json(path)["runs"]}


def read_histories(path: FilePath) -> dict[Cell, pd.DataFrame]:
    """Return the ``history.csv`` of all cells, from what `collect_trainings` wrote."""
    return dict(_by_cell(_read(path)))


def _key(cell: Cell) -> list[str]:
    """Return the values of the columns that name a cell."""
    return [str(getattr(cell, name)) for name in _CELL]


def _with_cell(path: FilePath, cell: Cell) -> pd.DataFrame:
    """Return a table as the text that it is, with the cell in its first columns."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table.assign(**dict(zip(_CELL, _key(cell), strict=True)))[[*_CELL, *table.columns]]


def _read(path: FilePath) -> pd.DataFrame:
    """Return a table of all cells, fractions as text."""
    return read_table(path, (*TEXT, "fraction"))


def _by_cell(table: pd.DataFrame) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """Yield the rows of each cell, which are adjacent, in the order of the table."""
    keys = table[_CELL]
    starts = np.flatnonzero((keys != keys.shift()).any(axis=1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(table)], strict=True):
        target, model, arm, fraction = (str(keys[name].iat[start]) for name in _CELL)
        yield Cell(target, model, arm, float(fraction)), table.iloc[start:end]

"""Scores and trainings of all cells: gathered into few files, and read back as they were."""

import json

import numpy as np
import pandas as pd
import pytest

from ecgtransfer.arms import Cell
from ecgtransfer.compare.collected import (
    collect_scores,
    collect_trainings,
    read_histories,
    read_metadata,
    read_runs,
)
from ecgtransfer.compare.scores import CHALLENGE_SCORE, LABEL_METRICS, MACRO_METRICS
from ecgtransfer.csv_tables import read_table
from ecgtransfer.errors import InputError
from ecgtransfer.files import write_arrays, write_csv, write_json

CELLS = [Cell("NA", "gru", "scratch", 0.1), Cell("NA", "gru", "finetune-a+b", 0.35), Cell("01", "gru", "scratch", 1.0)]
N_RESAMPLES = 6


def scored(random, metrics=MACRO_METRICS, n_replicates=2):
    """The table and the arrays of a cell, its replicates backwards; a label without positives has no value."""
    rows = [
        {"replicate": replicate, "label": label, "metric": metric, "value": value, "n_positive": 3, "n_records": 9}
        for replicate in range(n_replicates)[::-1]
        for label, of_label in {"macro_auroc": LABEL_METRICS, "NA": LABEL_METRICS, "macro": metrics}.items()
        for metric, value in zip(of_label, random.random(len(of_label)), strict=True)
    ]
    table = pd.DataFrame(rows)
    table.loc[0, "value"] = np.nan
    arrays = {metric: random.random((n_replicates, N_RESAMPLES)) for metric in metrics}
    arrays["macro_auprc"][0, 0] = np.nan
    sizes = {"n_train": np.array([7, 8][:n_replicates]), "n_train_patients": np.array([5, 6][:n_replicates])}
    return table, arrays | sizes


@pytest.fixture
def collected(tmp_path):
    """Return what is written of three cells, the third with one metric more, and where it was gathered."""
    random = np.random.default_rng(0)
    written = [scored(random), scored(random), scored(random, (*MACRO_METRICS, CHALLENGE_SCORE))]
    for number, (table, arrays) in enumerate(written):
        write_csv(table, tmp_path / f"{number}.csv")
        write_arrays(arrays, tmp_path / f"{number}.npz")
    paths = [[tmp_path / f"{number}.{form}" for number in range(3)] for form in ("csv", "npz")]
    out = [tmp_path / name for name in ("scores.csv", "resamples.npy", "label_scores.csv")]
    collect_scores(CELLS, *paths, *out)
    return written, out


def test_runs_come_back_as_they_were_scored(collected):
    written, (table, array, _) = collected
    runs = read_runs(table, array)
    assert [(run.target, run.model, run.arm, run.fraction) for run in runs] == [
        tuple(vars(cell).values()) for cell in CELLS
    ]
    for run, (scores, arrays) in zip(runs, written, strict=True):
        assert list(run.resamples) == [name for name in arrays if not name.startswith("n_")]
        for metric, resampled in run.resamples.items():
            np.testing.assert_array_equal(resampled, arrays[metric])
            of_macro = scores[(scores["metric"] == metric) & (scores["label"] == "macro")].sort_values("replicate")
            np.testing.assert_array_equal(run.macro_scores(metric), of_macro["value"])
        assert run.n_train.tolist() == [7, 8]
        assert run.n_train_patients.tolist() == [5, 6]


def test_resamples_stay_on_the_disk_until_they_are_used(collected):
    _, (table, array, _) = collected
    run = read_runs(table, array)[0]
    assert isinstance(run.resamples["macro_auroc"].base.base, np.memmap)


def test_scores_of_labels_come_back_where_they_are_asked_for(collected):
    written, (table, array, labels) = collected
    for run, (scores, _) in zip(read_runs(table, array, labels), written, strict=True):
        columns = ["replicate", "label", "metric", "value", "n_positive"]
        found = run.scores[run.scores["metric"].isin(LABEL_METRICS)][columns].reset_index(drop=True)
        expected = scores[scores["metric"].isin(LABEL_METRICS)][columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize("spoil", ["replicate", "metric", "resamples"])
def test_a_cell_whose_files_do_not_belong_together_is_named(tmp_path, spoil):
    random = np.random.default_rng(1)
    table, arrays = scored(random)
    if spoil == "replicate":
        table = table[(table["replicate"] == 0) | table["metric"].isin(LABEL_METRICS)]
    elif spoil == "metric":
        table = table[table["metric"] != "macro_f1"]
    else:
        arrays["weighted_f1"] = arrays["weighted_f1"][:, 1:]
    write_csv(table, tmp_path / "0.csv")
    write_arrays(arrays, tmp_path / "0.npz")
    with pytest.raises(InputError, match=r"NA/gru/scratch/0\.1: .*score the run again") as caught:
        collect_scores(
            CELLS[:1], [tmp_path / "0.csv"], [tmp_path / "0.npz"], *(tmp_path / name for name in ("a", "b", "c"))
        )
    assert "\n" not in str(caught.value)
    assert not any((tmp_path / name).exists() for name in ("a", "b"))


def test_trainings_come_back_as_they_went(tmp_path):
    histories = [
        pd.DataFrame({"replicate": [0, 0], "epoch": [1, 2], "valid_loss": [0.1 + 0.2, np.nan], "joules": [None, None]}),
        pd.DataFrame({"replicate": [0], "epoch": [1], "valid_loss": [1 / 3], "joules": [2.5]}),
    ]
    metadata = [
        {"arm": "scratch", "wall_seconds": 0.1 + 0.2, "replicates": [{"n_train": 7}]},
        {"arm": "x", "none": None},
    ]
    for number, (history, of_cell) in enumerate(zip(histories, metadata, strict=True)):
        write_csv(history, tmp_path / f"{number}.csv")
        write_json(of_cell, tmp_path / f"{number}.json")
    paths = [[tmp_path / f"{number}.{form}" for number in range(2)] for form in ("json", "csv")]
    collect_trainings(CELLS[:2], *paths, tmp_path / "runs.json", tmp_path / "histories.csv")
    assert read_metadata(tmp_path / "runs.json") == dict(zip(CELLS, metadata, strict=False))
    found = read_histories(tmp_path / "histories.csv")
    assert list(found) == CELLS[:2]
    for cell, path in zip(CELLS, paths[1], strict=False):
        pd.testing.assert_frame_equal(
            found[cell].drop(columns=list(vars(cell))).reset_index(drop=True), read_table(path), check_dtype=False
        )
    assert json.loads((tmp_path / "runs.json").read_text())["runs"][1]["arm"] == "finetune-a+b"

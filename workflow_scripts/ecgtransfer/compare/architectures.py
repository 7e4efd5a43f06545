"""Convolutional against recurrent models: which gain more by transfer, and how much of them is transferred at all.

A recurrent model whose head reads the outputs of all time steps (``head: flatten``) has most of its weights there, and
a head is new when the model is fine-tuned: it may gain little because little of it came from the source. So recurrent
models are compared head by head, and the share of transferred weights stands beside the gain: where a study has both
heads, they show whether this is the reason.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.findings import (
    KEY_COLUMNS,
    Run,
    cell_of,
    check_pair,
    key_of,
    mean_with_interval,
    pairs,
    sorted_table,
)
from ecgtransfer.errors import InputError
from ecgtransfer.study import Cell

Array = NDArray[Any]

CONVOLUTIONAL, RECURRENT = "convolutional", "recurrent"
PUBLISHED_HEAD = "flatten"
"""Of recurrent models of which the config says nothing."""

_COMPARED = ["target", "source", "arm", "fraction"]
SHARE_COLUMNS = [*KEY_COLUMNS, "family", "head", "transferred_weights", "new_weights", "transferred_share"]
ARCHITECTURE_COLUMNS = [
    *(*_COMPARED, "n_train", "metric", "convolutional_models", "recurrent_models", "recurrent_head"),
    *("convolutional_delta", "recurrent_delta", "difference", "ci_low", "ci_high"),
    *("convolutional_share", "recurrent_share"),
]
BETWEEN_MODELS = "|"


_Members = list[tuple[Run, Run]]
"""Runs with transferred weights, each with its partner from scratch."""


def transferred_shares(cells: Mapping[Cell, Mapping[str, Any]], families: Mapping[str, str]) -> pd.DataFrame:
    """Return which share of each model's weights came from its source.

    Parameters
    ----------
    cells
        The ``run.json`` of every cell.
    families
        The family of each model that has one: `CONVOLUTIONAL`, `RECURRENT` or another.

    Returns
    -------
    pandas.DataFrame
        Columns `SHARE_COLUMNS`, a row per cell with transferred weights. ``family`` is empty for a model without one,
        ``head`` is the option of that name of recurrent models, ``flatten`` or ``pool``, else empty.
    """
    rows: list[dict[str, object]] = []
    for cell, facts in cells.items():
        if cell.arm == SCRATCH:
            continue
        first = facts["replicates"][0]  # they differ in values, not in layers
        transferred, new = first["transferred_weights"], first["new_weights"]
        rows.append(
            {
                **key_of(cell),
                "family": (family := families.get(cell.model, "")),
                "head": facts["options"].get("head", PUBLISHED_HEAD) if family == RECURRENT else "",
                **{"transferred_weights": transferred, "new_weights": new},
                "transferred_share": transferred / (transferred + new),
            }
        )
    return sorted_table(rows, SHARE_COLUMNS, KEY_COLUMNS)


def architectures(
    runs: Sequence[Run], families: Mapping[str, str], shares: pd.DataFrame, confidence: float, seed: int
) -> pd.DataFrame:
    """Return how much more convolutional models gain by transfer than recurrent ones: a difference of differences.

    The gain of a model is its score with transferred weights minus that from scratch; the gain of a family is the mean
    over its models in the study, replicate by replicate and resample by resample, since all models of a target are
    trained on the same subsets and tested on the same patients. So the interval covers test patients and replicates. It
    holds for these models and does not cover the choice of the models that stand for a family.

    Parameters
    ----------
    runs
        All cells of a study.
    families
        As for `transferred_shares`; models of other families are left out.
    shares
        The table of `transferred_shares`.
    confidence, seed
        Of the interval, and of its draws of replicates.

    Returns
    -------
    pandas.DataFrame
        Columns `ARCHITECTURE_COLUMNS`, a row per target, source, arm, fraction, head of recurrent models and metric for
        which there are models of both families.

        ``..._models``
            Their names, joined by ``|``.
        ``..._delta``
            The gain of the family.
        ``difference``, ``ci_low``, ``ci_high``
            Of the convolutional models over the recurrent ones.
        ``..._share``
            Which share of a model's weights was transferred, mean over the models of the family.

    Raises
    ------
    InputError
        If a partner from scratch or a share is missing, or models differ in replicates, training subsets or resamples.
    """
    by_family: defaultdict[tuple[str, str, str, float], dict[str, _Members]] = defaultdict(
        lambda: {CONVOLUTIONAL: [], RECURRENT: []}
    )
    for run, scratch in pairs(runs):
        compared = by_family[run.target, run.source, run.arm, run.fraction]
        if families.get(run.model) in compared:
            compared[families[run.model]].append((run, scratch))
    of_cell = shares.set_index(KEY_COLUMNS)
    share_of, head_of = of_cell["transferred_share"].to_dict(), of_cell["head"].to_dict()
    rows: list[dict[str, object]] = []
    for family in by_family.values():
        convolutional, recurrent = (sorted(family[name], key=_model) for name in (CONVOLUTIONAL, RECURRENT))
        by_head: defaultdict[str, _Members] = defaultdict(list)
        for member in recurrent if convolutional else []:
            by_head[_of_cell(member, head_of)].append(member)
        for head, members in by_head.items():
            for row in _compared(convolutional, members, share_of, confidence, seed):
                rows.append(row | {"recurrent_head": head})
    return sorted_table(rows, ARCHITECTURE_COLUMNS, [*_COMPARED, "recurrent_head", "metric"])


def _model(member: tuple[Run, Run]) -> str:
    return member[0].model


def _compared(
    convolutional: _Members, recurrent: _Members, share_of: Mapping[Any, float], confidence: float, seed: int
) -> list[dict[str, object]]:
    """Return the rows of one target, arm and fraction."""
    first = convolutional[0][0]
    for run, _ in (*convolutional, *recurrent):
        check_pair(run, first)
    rows = []
    for metric in first.resamples:
        (gains, resampled), (other_gains, other_resampled) = (
            _gains(members, metric) for members in (convolutional, recurrent)
        )
        difference, low, high = mean_with_interval(gains - other_gains, resampled - other_resampled, confidence, seed)
        rows.append(
            {
                **cell_of(first, metric),
                "convolutional_models": BETWEEN_MODELS.join(map(_model, convolutional)),
                "recurrent_models": BETWEEN_MODELS.join(map(_model, recurrent)),
                **{"convolutional_delta": gains.mean(), "recurrent_delta": other_gains.mean()},
                **{"difference": difference, "ci_low": low, "ci_high": high},
                "convolutional_share": _mean_share(convolutional, share_of),
                "recurrent_share": _mean_share(recurrent, share_of),
            }
        )
    return rows


def _gains(members: _Members, metric: str) -> tuple[Array, Array]:
    """Return what transfer gains, mean over models: per replicate, (R,), and on every resample, (R, B)."""
    gains = [run.macro_scores(metric) - scratch.macro_scores(metric) for run, scratch in members]
    resampled = [run.resamples[metric] - scratch.resamples[metric] for run, scratch in members]
    return np.mean(gains, axis=0), np.mean(resampled, axis=0)


def _mean_share(members: _Members, share_of: Mapping[Any, float]) -> float:
    return float(np.mean([_of_cell(member, share_of) for member in members]))


def _of_cell(member: tuple[Run, Run], column: Mapping[Any, Any]) -> Any:
    """Return what a column of `transferred_shares` says of a run."""
    run, _ = member
    key = tuple(key_of(run).values())
    if key not in column:
        raise InputError(f"{run.name}: no share of transferred weights; train the run again")
    return column[key]

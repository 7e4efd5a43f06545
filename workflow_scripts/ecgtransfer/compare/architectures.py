"""Convolutional against recurrent models: which gain more by transfer, and how much of them is transferred at all.

A recurrent model whose head reads the outputs of all time steps (``head: flatten``) has most of its weights there, and
a head is new when the model is fine-tuned: it may gain little because little of it came from the source. The share of
transferred weights, beside the gain, shows where this can be the reason.
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
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.errors import InputError
from ecgtransfer.study import Cell

Array = NDArray[Any]

CONVOLUTIONAL, RECURRENT = "convolutional", "recurrent"

_COMPARED = ["target", "source", "arm", "fraction"]
SHARE_COLUMNS = [*KEY_COLUMNS, "family", "head", "transferred_weights", "new_weights", "transferred_share"]
ARCHITECTURE_COLUMNS = [
    *(*_COMPARED, "n_train", "metric", "convolutional_models", "recurrent_models"),
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
        ``head`` is the option of that name, ``flatten`` or ``pool``, empty where the cell sets none.
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
                "family": families.get(cell.model, ""),
                "head": facts["options"].get("head", ""),
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
        Columns `ARCHITECTURE_COLUMNS`, a row per target, source, arm, fraction and metric for which there are models of
        both families.

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
    share_of = shares.set_index(KEY_COLUMNS)["transferred_share"].to_dict()
    rows: list[dict[str, object]] = []
    for family in by_family.values():
        convolutional, recurrent = (sorted(family[name], key=_model) for name in (CONVOLUTIONAL, RECURRENT))
        if convolutional and recurrent:
            rows += _compared(convolutional, recurrent, share_of, confidence, seed)
    return sorted_table(rows, ARCHITECTURE_COLUMNS, [*_COMPARED, "metric"])


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
    for metric in MACRO_METRICS:
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
    shares = []
    for run, _ in members:
        key = tuple(key_of(run).values())
        if key not in share_of:
            raise InputError(f"{run.name}: no share of transferred weights; train the run again")
        shares.append(share_of[key])
    return float(np.mean(shares))

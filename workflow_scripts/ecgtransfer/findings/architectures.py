"""Convolutional against recurrent models: which gain more by transfer, and how much of them is transferred at all.

A recurrent model whose head reads the outputs of all time steps (``head: flatten``) has most of its weights there, and
a head is new when the model is fine-tuned: it may gain little because little of it came from the source. So recurrent
models are compared head by head, and the share of transferred weights is shown next to the gain: where a study has both
heads, they show whether this is the reason.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgtransfer.arms import SCRATCH, Cell
from ecgtransfer.compare.gains import CONVOLUTIONAL, RECURRENT
from ecgtransfer.compare.runs import Run, cell_of, check_pair, mean_with_interval, pairs
from ecgtransfer.compare.tables import KEY_COLUMNS, KEY_MEANING, TableForm, key_of, sorted_table
from ecgtransfer.compare.variances import Compared, How, variances_of
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES, series_name
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    LINE_HEIGHT,
    SMALL,
    Style,
    answered,
    arm_styles,
    bars,
    draw_points,
    dress,
    legend_below,
    mark,
    new_figure,
    nothing_to_show,
    percent,
)
from ecgtransfer.exhibits.tables import Columns, fraction, interval, trained, value, word

Array = NDArray[Any]

PUBLISHED_HEAD = "flatten"
"""Of recurrent models that are not in the config."""

_COMPARED = ["target", "source", "arm", "fraction"]
SHARE_COLUMNS = [*KEY_COLUMNS, "family", "head", "transferred_weights", "new_weights", "transferred_share"]
ARCHITECTURE_COLUMNS = [
    *(*_COMPARED, "n_train", "metric", "convolutional_models", "recurrent_models", "recurrent_head"),
    *("convolutional_delta", "recurrent_delta", "difference", "ci_low", "ci_high"),
    *("convolutional_share", "recurrent_share"),
]
BETWEEN_MODELS = "|"
TABLES = {
    "architectures": TableForm(
        ARCHITECTURE_COLUMNS,
        "convolutional against recurrent",
        "One row per target, source, arm, fraction, `recurrent_head` (`flatten` or `pool`) and metric.",
        {
            "target, source, arm, fraction, n_train, metric": "as in verdicts.csv",
            "convolutional_models, recurrent_models": "joined by `|`, the recurrent ones with this head",
            "recurrent_head": "what the head of the recurrent models reads: all time steps or their mean",
            "convolutional_delta, recurrent_delta": "gain of the family, mean over its models",
            "difference, ci_low, ci_high": "of the two, with interval",
            "convolutional_share, recurrent_share": "share of the weights that was transferred",
        },
    ),
    "transferred_shares": TableForm(
        SHARE_COLUMNS,
        "how much was transferred at all",
        "One row per cell with transferred weights.",
        {
            **KEY_MEANING,
            "family, head": "of the model",
            "transferred_weights, new_weights": "how many came from the source, and how many did not",
            "transferred_share": "the first over both",
        },
    ),
}
CAPTION = """
What convolutional and recurrent models gain by transfer in macro AUROC, and the difference of these gains with
{percent} interval against the share of weights that was transferred at all. The models represent their families only as
they are in this study. The numbers are in ``findings/architectures.csv`` and ``findings/transferred_shares.csv``.
"""

_Members = list[tuple[Run, Run]]
"""Runs with transferred weights, each with its partner from scratch."""


def compute(
    runs: Sequence[Run],
    metadata: Mapping[Cell, Mapping[str, Any]],
    families: Mapping[str, str],
    confidence: float,
    seed: int,
    variance: How,
) -> dict[str, pd.DataFrame]:
    """Return the tables of `architectures` and `transferred_shares`."""
    shares = transferred_shares(metadata, families)
    return {
        "architectures": architectures(runs, families, shares, confidence, seed, variance),
        "transferred_shares": shares,
    }


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
    for cell, metadata in cells.items():
        if cell.arm == SCRATCH:
            continue
        first = metadata["replicates"][0]  # they differ in values, not in layers
        transferred, new = first["transferred_weights"], first["new_weights"]
        rows.append(
            {
                **key_of(cell),
                "family": (family := families.get(cell.model, "")),
                "head": metadata["options"].get("head", PUBLISHED_HEAD) if family == RECURRENT else "",
                **{"transferred_weights": transferred, "new_weights": new},
                "transferred_share": transferred / (transferred + new),
            }
        )
    return sorted_table(rows, SHARE_COLUMNS, KEY_COLUMNS)


def architectures(
    runs: Sequence[Run],
    families: Mapping[str, str],
    shares: pd.DataFrame,
    confidence: float,
    seed: int,
    variance: How = "own",
) -> pd.DataFrame:
    """Return how much more convolutional models gain by transfer than recurrent ones: a difference of differences.

    The gain of a model is its score with transferred weights minus that from scratch; the gain of a family is the mean
    over its models in the study, replicate by replicate and resample by resample, since all models of a target are
    trained on the same subsets and tested on the same patients. So the interval covers test patients and replicates. It
    holds for these models and does not cover the choice of the models that represent a family.

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
    variance
        Whether the differences of a metric together tell how far replicates vary, or each one's alone.

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
    differences: list[_Difference] = []
    for family in by_family.values():
        convolutional, recurrent = (sorted(family[name], key=_model) for name in (CONVOLUTIONAL, RECURRENT))
        by_head: defaultdict[str, _Members] = defaultdict(list)
        for member in recurrent if convolutional else []:
            by_head[_of_cell(member, head_of)].append(member)
        for head, members in by_head.items():
            differences += _compared(convolutional, members, head, share_of)
    rows: list[dict[str, object]] = []
    for metric in dict.fromkeys(each.row["metric"] for each in differences):
        together = [each for each in differences if each.row["metric"] == metric]
        variances = variances_of([each.compared for each in together], variance)
        for each, known in zip(together, variances, strict=True):
            ends = mean_with_interval(each.compared.values, each.resampled, confidence, seed, known)
            rows.append(each.row | dict(zip(("difference", "ci_low", "ci_high"), ends, strict=True)))
    return sorted_table(rows, ARCHITECTURE_COLUMNS, [*_COMPARED, "recurrent_head", "metric"])


@dataclass(frozen=True)
class _Difference:
    """A row of the table without its difference, and what that is made of: per replicate, and on resamples (R, B)."""

    row: dict[str, object]
    compared: Compared
    resampled: Array


def _model(member: tuple[Run, Run]) -> str:
    return member[0].model


def _compared(
    convolutional: _Members, recurrent: _Members, head: str, share_of: Mapping[Any, float]
) -> list[_Difference]:
    """Return the differences of one target, arm, fraction and head, by each metric."""
    first = convolutional[0][0]
    for run, _ in (*convolutional, *recurrent):
        check_pair(run, first)
    differences = []
    for metric in first.resamples:
        (gains, resampled), (other_gains, other_resampled) = (
            _gains(members, metric) for members in (convolutional, recurrent)
        )
        row = {
            **cell_of(first, metric),
            "convolutional_models": BETWEEN_MODELS.join(map(_model, convolutional)),
            "recurrent_models": BETWEEN_MODELS.join(map(_model, recurrent)),
            "recurrent_head": head,
            **{"convolutional_delta": gains.mean(), "recurrent_delta": other_gains.mean()},
            "convolutional_share": _mean_share(convolutional, share_of),
            "recurrent_share": _mean_share(recurrent, share_of),
        }
        compared = Compared(gains - other_gains, first.target, first.method, float(first.n_train.mean()))
        differences.append(_Difference(row, compared, resampled - other_resampled))
    return differences


def _gains(members: _Members, metric: str) -> tuple[Array, Array]:
    """Return what transfer gains, mean over models: per replicate, (R,), and on every resample, (R, B)."""
    gains = [run.macro_scores(metric) - scratch.macro_scores(metric) for run, scratch in members]
    resampled = [run.resamples[metric] - scratch.resamples[metric] for run, scratch in members]
    return np.mean(gains, axis=0), np.mean(resampled, axis=0)


def _mean_share(members: _Members, share_of: Mapping[Any, float]) -> float:
    return float(np.mean([_of_cell(member, share_of) for member in members]))


def _of_cell(member: tuple[Run, Run], column: Mapping[Any, Any]) -> Any:
    """Return the value of a column of `transferred_shares` for a run."""
    run, _ = member
    key = tuple(key_of(run).values())
    if key not in column:
        raise InputError(f"{run.name}: no share of transferred weights; train the run again")
    return column[key]


_HEIGHT = 4.0  # inches
_SMALL, _LARGE = 4.0, 7.0  # marks, points
_SAME_PLACE = 0.03  # of the width of the right panel: nearer points are moved apart
_LEAST_POINTS = 10  # percentage points that the right panel shows: less would look like a difference
_NOTE = (
    "Left: above the dashed line, convolutional models gain more. Right: their difference with interval over replicates"
    " and test patients; at 0 points, both families took the same share of their weights from the source. Points at the"
    " same share are drawn side by side."
)


def draw(architectures: pd.DataFrame) -> Figure:
    """Return the figure from the table of `architectures`."""
    table = answered(architectures)
    if table.empty:
        return nothing_to_show(
            "Nothing to compare: the study has no convolutional and recurrent models with transferred weights."
        )
    fractions = sorted(table["fraction"].unique())
    ends = list(dict.fromkeys([fractions[0], fractions[-1]]))
    rows = table[table["fraction"].isin(ends)]
    rows = rows.assign(
        share=100 * (rows["convolutional_share"] - rows["recurrent_share"]), is_open=rows["fraction"] != ends[0]
    ).sort_values(["share", "target", "arm", "fraction"], ignore_index=True)
    rows["x"] = side_by_side(rows["share"])
    styles = arm_styles(rows["arm"])
    figure = new_figure(_HEIGHT)
    gains, differences = figure.subplots(1, 2)
    _draw_gains(gains, rows, styles)
    differences.axhline(0, color="0.3", linewidth=0.8, zorder=1)
    for of_mark, style in _by_mark(rows, styles):
        reach = bars(of_mark["difference"], of_mark["ci_low"], of_mark["ci_high"])
        draw_points(differences, of_mark["x"], of_mark["difference"], style, yerr=reach)
    low, high = float(rows["x"].min()), float(rows["x"].max())
    room = max(_LEAST_POINTS - (high - low), 0) / 2 + 0.05 * (high - low)
    differences.set_xlim(low - room, high + room)
    dress(differences, "share of weights transferred: convolutional\nminus recurrent, percentage points", "")
    differences.set_ylabel("difference of the gains", fontsize=SMALL)
    differences.tick_params(labelleft=True)
    left_out = " Small: recurrent models with a flattened head; large: pooled." if _both_heads(rows) else ""
    if len(fractions) > 1:
        left_out += f" Filled: {percent(ends[0])} of the training patients; open: {percent(ends[1])}."
    if len(fractions) > len(ends):
        left_out += " The fractions between are in the table."
    handles = [mark(style, linestyle="none") for style in styles.values()]
    legend_below(figure, handles, list(map(series_name, styles)), _NOTE + left_out)
    figure.set_figheight(figure.get_figheight() + LINE_HEIGHT)
    return figure


def _by_mark(rows: pd.DataFrame, styles: dict[str, Style]) -> list[tuple[pd.DataFrame, Style]]:
    """Return the rows of each arm, fraction and head with their style: open marks for the largest fraction."""
    return [
        (
            rows[(rows["arm"] == arm) & (rows["is_open"] == is_open) & (rows["recurrent_head"] == head)],
            {
                **{**style, "linestyle": "none", "markerfacecolor": "white" if is_open else style["color"]},
                "markersize": _LARGE if head == "pool" and _both_heads(rows) else _SMALL,
            },
        )
        for arm, style in styles.items()
        for is_open in (False, True)
        for head in rows["recurrent_head"].unique()
    ]


def _both_heads(rows: pd.DataFrame) -> bool:
    """Return whether recurrent models have flattened heads and pooled ones, so that marks must distinguish them."""
    return rows["recurrent_head"].nunique() > 1


def _draw_gains(axes: Axes, rows: pd.DataFrame, styles: dict[str, Style]) -> None:
    both = rows[["convolutional_delta", "recurrent_delta"]]
    axes.axline((0, 0), slope=1, color="0.3", linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    for of_mark, style in _by_mark(rows, styles):
        axes.plot(of_mark["recurrent_delta"], of_mark["convolutional_delta"], **style)
    room = 0.06 * max(float(np.nanmax(both) - np.nanmin(both)), 0.01)
    limits = (float(np.nanmin(both)) - room, float(np.nanmax(both)) + room)
    axes.set(xlim=limits, ylim=limits)
    gain = f"gain in {METRIC_NAMES[ANSWERED_METRIC]},"
    dress(axes, f"{gain} recurrent models", f"{gain} convolutional models")
    axes.locator_params(nbins=6)


def side_by_side(shares: pd.Series) -> pd.Series:
    """Return places for sorted shares: those within `_SAME_PLACE` of their neighbour are spread about their mean."""
    reach = max(float(shares.max() - shares.min()), float(_LEAST_POINTS))
    cluster = (shares.diff() > _SAME_PLACE * reach).cumsum()
    centres = shares.groupby(cluster).transform("mean")
    position = shares.groupby(cluster).cumcount() - (shares.groupby(cluster).transform("size") - 1) / 2
    gaps = np.diff(centres.unique())
    most = int(shares.groupby(cluster).size().max())
    step = min(0.012 * reach, 0.8 * float(gaps.min()) / most) if len(gaps) else 0.03 * reach
    return centres + step * position


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        "target": word("target"),
        "convolutional": word("convolutional_models"),
        "recurrent": word("recurrent_models"),
        "head": word("recurrent_head"),
        "trained": trained,
        "fraction": fraction,
        "convolutional gain": value("convolutional_delta"),
        "recurrent gain": value("recurrent_delta"),
        "difference": value("difference"),
        "interval": interval,
        "share taken over": lambda row: f"{100 * row.convolutional_share:.0f} % and {100 * row.recurrent_share:.0f} %",
    }
    caption = "Gain by transfer of convolutional and of recurrent models, and the difference."
    return exhibit(tables["architectures"], "architectures", caption, columns, "transferred_shares", n_words=5)

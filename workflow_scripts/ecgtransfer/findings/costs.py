"""What pre-training and trainings cost, and after how many targets a pre-training has paid for itself."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ecgtransfer.arms import SCRATCH, Cell
from ecgtransfer.compare.convergence import mean_over_replicates, replicate_convergence, trainings_of
from ecgtransfer.compare.tables import KEY_COLUMNS, KEY_MEANING, TableForm, key_of, sorted_table
from ecgtransfer.exhibits.names import method_words, series_name
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    BLUE,
    NORMAL,
    SKY,
    SMALL,
    YELLOW,
    Style,
    arm_styles,
    legend_below,
    mark,
    new_figure,
    nothing_to_show,
    set_ratio_axis,
)
from ecgtransfer.exhibits.tables import Columns, count, fraction, named_rows, word

Metadata = Mapping[str, Any]

COST_COLUMNS = [
    *("stage", *KEY_COLUMNS, "n_trainings", "wall_seconds", "device_seconds", "joules"),
    *("device", "threads", "processes"),
]
BREAK_EVEN_COLUMNS = [
    *(*KEY_COLUMNS, "pretraining_seconds", "saved_seconds", "ci_low", "ci_high"),
    *("break_even", "n_targets", "n_targets_low", "n_targets_high"),
]

PRETRAINING, TRAINING = "pretraining", "training"
AFTER, NEVER, UNKNOWN = "after", "never", "unknown"

TABLES = {
    "costs": TableForm(
        COST_COLUMNS,
        "what trainings took",
        "One row per cell (`stage` is `training`) and per pre-training (`pretraining`, with source and model only).",
        {
            "stage": "`training` or `pretraining`",
            "target, source, model, arm, fraction": "what was trained",
            "n_trainings": "replicates, or pre-trainings",
            "wall_seconds, device_seconds, joules": "of all their epochs, empty where the device does not report it",
            "device, threads, processes": "what they ran on",
        },
    ),
    "break_even": TableForm(
        BREAK_EVEN_COLUMNS,
        "after how many targets pre-training pays",
        "One row per cell with transferred weights.",
        {
            **KEY_MEANING,
            "pretraining_seconds": "wall time of the pre-training; empty for weights from outside",
            "saved_seconds, ci_low, ci_high": "how much sooner one target reaches the goal of convergence.csv than from"
            " scratch",
            "break_even": "`after` that many targets, `never`, or `unknown`",
            "n_targets, n_targets_low, n_targets_high": "targets after which no more time was spent than without"
            " pre-training; the higher end is empty where that end saves nothing",
        },
    ),
}
CAPTION = """
Device time of pre-trainings and trainings of each model, and after how many targets like each one a pre-training has
paid for itself by the time that fine-tuning saves. Times on different devices cannot be compared. The numbers are in
``findings/costs.csv`` and ``findings/break_even.csv``.
"""


def compute(
    metadata: Mapping[Cell, Metadata],
    histories: Mapping[Cell, pd.DataFrame],
    pretraining: Sequence[Metadata],
    confidence: float,
) -> dict[str, pd.DataFrame]:
    """Return the tables of `costs` and `break_even`."""
    pretrainings = by_source_and_model(pretraining)
    return {
        "costs": costs(metadata, pretrainings),
        "break_even": break_even(replicate_convergence(trainings_of(metadata, histories)), pretrainings, confidence),
    }


def costs(cells: Mapping[Cell, Metadata], pretrainings: Mapping[tuple[str, str], Sequence[Metadata]]) -> pd.DataFrame:
    """Return what each cell and each pre-training cost.

    Parameters
    ----------
    cells
        The ``run.json`` of every cell.
    pretrainings
        Those of the pre-trainings by source and model, one per replicate of the pre-training. Sources whose weights
        come from outside have none.

    Returns
    -------
    pandas.DataFrame
        Columns `COST_COLUMNS`; ``stage`` is ``training`` for a cell, or ``pretraining``, which has a source and a model
        but no target, arm and fraction.

        ``n_trainings``
            Replicates.
        ``wall_seconds``, ``device_seconds``
            Of all epochs of all replicates, validation included. Side by side, in ``processes``, they took less
            together.
        ``joules``
            Of the device; empty where it does not report it.
        ``device``, ``threads``, ``processes``
            On what they ran. Costs on different devices do not compare.
    """
    rows = [
        {"stage": TRAINING, **key_of(cell), **_sums([metadata], len(metadata["replicates"]))}
        for cell, metadata in cells.items()
    ]
    rows += [
        {"stage": PRETRAINING, "target": "", "source": source, "model": model, "arm": "", "fraction": math.nan}
        | _sums(replicates, len(replicates))
        for (source, model), replicates in pretrainings.items()
    ]
    return sorted_table(rows, COST_COLUMNS, ["stage", *KEY_COLUMNS])


def by_source_and_model(pretrainings: Iterable[Metadata]) -> dict[tuple[str, str], list[Metadata]]:
    """Return the ``run.json`` of pre-trainings as `costs` takes them; weights from outside are left out."""
    grouped: dict[tuple[str, str], list[Metadata]] = {}
    for metadata in pretrainings:
        if metadata["task"] != "outside":
            grouped.setdefault((metadata["source"], metadata["model"]), []).append(metadata)
    return grouped


def break_even(
    by_replicate: pd.DataFrame, pretrainings: Mapping[tuple[str, str], Sequence[Metadata]], confidence: float
) -> pd.DataFrame:
    """Return after how many targets each pre-training has paid for itself, in wall time.

    Fine-tuning saves a target the time by which it reaches the goal, the same validation score, sooner than training
    from scratch does. Targets are taken to be like this one, each trained once.

    Parameters
    ----------
    by_replicate
        The table of `ecgtransfer.compare.convergence.replicate_convergence`.
    pretrainings
        As for `costs`. Of several replicates of a pre-training one is needed: the mean counts.
    confidence
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        Columns `BREAK_EVEN_COLUMNS`, a row per cell with transferred weights.

        ``pretraining_seconds``
            What the pre-training took; empty for weights from outside.
        ``saved_seconds``, ``ci_low``, ``ci_high``
            Per target, mean over replicates with Student's interval, which is empty for one replicate; below 0 where
            fine-tuning takes longer. Empty where fine-tuning never reached the goal in some replicate.
        ``break_even``
            ``after`` so many targets; ``never`` where nothing is saved or the goal is not reached; ``unknown`` where
            the cost of the pre-training is, or where there is no goal.
        ``n_targets``
            The first number of number of targets after which no more time was spent than without pre-training.
        ``n_targets_low``, ``n_targets_high``
            The same at the ends of the interval; the higher one is empty where that end saves nothing.
    """
    rows: list[dict[str, object]] = []
    for key, replicates in by_replicate.groupby(KEY_COLUMNS, sort=False):
        cell = dict(zip(KEY_COLUMNS, key, strict=True))
        pretraining = _wall_seconds(pretrainings.get((str(cell["source"]), str(cell["model"])), []))
        seconds = (replicates["seconds_scratch"] - replicates["seconds_transfer"]).to_numpy(dtype=np.float64)
        saved, low, high = mean_over_replicates(seconds, confidence)
        if replicates["goal"].isna().any() or (saved > 0 and math.isnan(pretraining)):
            answer = UNKNOWN
        else:
            answer = AFTER if saved > 0 else NEVER
        ends = {"n_targets": saved, "n_targets_low": high, "n_targets_high": low}
        rows.append(
            {
                **{**cell, "pretraining_seconds": pretraining},
                **{"saved_seconds": saved, "ci_low": low, "ci_high": high, "break_even": answer},
                **{name: _targets_to_pay(pretraining, each) for name, each in ends.items()},
            }
        )
    table = sorted_table(rows, BREAK_EVEN_COLUMNS, KEY_COLUMNS)
    return table.astype(dict.fromkeys(("n_targets", "n_targets_low", "n_targets_high"), "Int64"))


def _targets_to_pay(pretraining: float, saved: float) -> float:
    """Return after how many targets the savings reach the price; NaN where they never do or a number is missing."""
    if math.isnan(pretraining) or not saved > 0:
        return math.nan
    return math.ceil(round(pretraining / saved, 9))  # 100.00000000000001 is 100


def _wall_seconds(replicates: Sequence[Metadata]) -> float:
    """Return the mean wall time of one pre-training; NaN where there is none."""
    return float(np.mean([metadata["wall_seconds"] for metadata in replicates])) if replicates else math.nan


def _sums(metadata: Sequence[Metadata], n_trainings: int) -> dict[str, object]:
    """Return the combined costs of one or several files; their device is that of the first one."""
    joules = [each["energy_joules"] for each in metadata]
    return {
        "n_trainings": n_trainings,
        "wall_seconds": float(sum(each["wall_seconds"] for each in metadata)),
        "device_seconds": float(sum(each["device_seconds"] for each in metadata)),
        "joules": math.nan if None in joules else float(sum(joules)),
        **{name: metadata[0][name] for name in ("device", "threads", "processes")},
    }


_PRETRAINING, _FROM_SCRATCH = "pre-training", "trainings from scratch"
_FACES = (("0.75", ""), ("white", ""), (SKY, "////"), (YELLOW, "...."), (BLUE, ""), ("white", "xxxx"), ("0.4", "\\\\"))
_EDGE: Style = {"edgecolor": "black", "linewidth": 0.7}
_BAR_HEIGHT, _BETWEEN_MODELS = 0.22, 0.24  # inches
_WITHOUT_NUMBER = ("never", "unknown")  # words of the table
_UNITS = ((2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def draw(costs: pd.DataFrame, break_even: pd.DataFrame) -> Figure:
    """Return the figure from the tables: device time, and next to it break-even where something was transferred."""
    if costs.empty:
        return nothing_to_show("No costs: nothing was trained in this study.")
    rows = costs.assign(kind=[_kind(row.stage, row.arm) for row in named_rows(costs)])
    spent = rows.groupby(["model", "kind"])["device_seconds"].sum()
    kinds = _in_order(set(rows["kind"]))
    models = sorted(rows["model"].unique())
    has_break_even = not break_even.empty
    band = len(kinds) * _BAR_HEIGHT + _BETWEEN_MODELS
    figure = new_figure(len(models) * band + 1.2)
    faces = {kind: _FACES[number % len(_FACES)] for number, kind in enumerate(kinds)}
    ratios = [1.0, 1.0] if has_break_even else [1.0]
    bars, *others = figure.subplots(1, len(ratios), sharey=True, squeeze=False)[0]
    _draw_spent(bars, spent, kinds, models, faces, _BAR_HEIGHT / band)
    handles: list[Artist] = [Patch(facecolor=face, hatch=hatch, **_EDGE) for face, hatch in faces.values()]
    names = list(faces)
    note = "Device time of all targets, sources, fractions and replicates together, validation included."
    if len(rows["device"].dropna().unique()) > 1:
        note += f" Seconds cannot be compared between devices: {', '.join(sorted(rows['device'].dropna().unique()))}."
    if has_break_even:
        styles = arm_styles(break_even["arm"])
        _draw_break_even(others[0], break_even, models, styles)
        handles += [mark(style, linestyle="none", markersize=4) for style in styles.values()]
        names += [series_name(arm) for arm in styles]
        note += " Right: one mark per target and fraction; next to them, how many never pay off or are unknown."
    legend_below(figure, handles, names, note)
    return figure


def _kind(stage: str, arm: object) -> str:
    """Return in words what a row was spent on."""
    if stage == "pretraining":
        return _PRETRAINING
    return _FROM_SCRATCH if arm == SCRATCH else "trainings after pre-training" + method_words(str(arm))


def _in_order(kinds: set[str]) -> list[str]:
    first = [kind for kind in (_PRETRAINING, _FROM_SCRATCH) if kind in kinds]
    return [*first, *sorted(kinds - set(first))]


def _draw_spent(
    axes: Axes,
    spent: "pd.Series[float]",
    kinds: list[str],
    models: list[str],
    faces: dict[str, tuple[str, str]],
    height: float,
) -> None:
    """Draw a bar for each model and kind, in the unit that suits the longest, with its number behind it."""
    longest = float(spent.max())
    _, seconds, unit = next(row for row in _UNITS if longest >= row[0])
    for order, kind in enumerate(kinds):
        face, hatch = faces[kind]
        for number, model in enumerate(models):
            if (model, kind) in spent.index:
                place, length = number + height * (order - (len(kinds) - 1) / 2), float(spent[model, kind]) / seconds
                axes.barh(place, length, 0.85 * height, facecolor=face, hatch=hatch, **_EDGE)
                text = f" {length:,.1f}" if length < 100 else f" {length:,.0f}"
                axes.text(length, place, text, va="center", fontsize=SMALL)
    axes.set_xlim(0, 1.22 * longest / seconds)
    axes.set_yticks(range(len(models)), models, fontsize=SMALL)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.set_title("spent", fontsize=NORMAL)
    _dress(axes, f"device time, {unit}")


def _draw_break_even(axes: Axes, table: pd.DataFrame, models: list[str], styles: dict[str, Style]) -> None:
    step = 0.7 / len(styles)
    for number, model in enumerate(models):
        of_model = table[table["model"] == model]
        for order, (arm, style) in enumerate(styles.items()):
            of_arm = of_model[(of_model["arm"] == arm) & of_model["n_targets"].notna()]
            n_targets = of_arm["n_targets"].to_numpy(dtype=float)
            places = [number + step * (order - (len(styles) - 1) / 2)] * len(n_targets)
            axes.plot(n_targets, places, **{**style, "linestyle": "none", "markerfacecolor": "none"}, markersize=4)
        words = [f"{word}: {(of_model['break_even'] == word).sum()}" for word in _WITHOUT_NUMBER]
        text = "\n".join([*words, f"of {len(of_model)}"])
        axes.text(1.02, number, text, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL)
    axes.axvline(1, color="0.3", linewidth=0.8, zorder=1)
    set_ratio_axis(axes, "x", table["n_targets"].to_numpy(dtype=float), most_ticks=5)
    axes.set_title("paid for itself", fontsize=NORMAL)
    _dress(axes, "after so many targets like this one")
    axes.tick_params(axis="y", labelleft=False, length=0)


def _dress(axes: Axes, x_label: str) -> None:
    axes.set_xlabel(x_label, fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        "stage": word("stage"),
        "target": word("target"),
        "model": word("model"),
        "trained": lambda row: series_name(row.arm) if row.arm else f"on {row.source}",
        "fraction": lambda row: "–" if pd.isna(row.fraction) else fraction(row),
        "trainings": count("n_trainings"),
        "wall seconds": count("wall_seconds"),
        "device seconds": count("device_seconds"),
        "joules": count("joules"),
    }
    caption = "What training took, pre-training included."
    return exhibit(tables["costs"], "costs", caption, columns, "break_even", n_words=4)

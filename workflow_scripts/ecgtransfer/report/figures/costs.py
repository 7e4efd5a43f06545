"""What pre-training and trainings cost, and after how many targets a pre-training has paid for itself."""

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ecgtransfer.arms import SCRATCH
from ecgtransfer.report.figures.style import (
    BLUE,
    NORMAL,
    SKY,
    SMALL,
    WIDTH,
    YELLOW,
    Style,
    arm_styles,
    legend_below,
    mark,
    named_rows,
    new_figure,
    nothing_to_show,
    set_ratio_axis,
)
from ecgtransfer.report.names import series_name, way_name

_PRETRAINING, _FROM_SCRATCH = "pre-training", "trainings from scratch"
_FACES = (("0.75", ""), ("white", ""), (SKY, "////"), (YELLOW, "...."), (BLUE, ""), ("white", "xxxx"), ("0.4", "\\\\"))
_EDGE: Style = {"edgecolor": "black", "linewidth": 0.7}
_BAR_HEIGHT, _BETWEEN_MODELS = 0.2, 0.22  # inches
_WITHOUT_NUMBER = ("never", "unknown")  # words of the table
_UNITS = ((2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def draw(costs: pd.DataFrame, break_even: pd.DataFrame | None = None) -> Figure:
    """Return the figure from the tables of `ecgtransfer.compare.cost`: device time, and break-even if it is given."""
    if costs.empty:
        return nothing_to_show("No costs: nothing was trained in this study.")
    rows = costs.assign(kind=[_kind(row.stage, row.arm) for row in named_rows(costs)])
    spent = rows.groupby(["model", "kind"])["device_seconds"].sum()
    kinds = _in_order(set(rows["kind"]))
    models = sorted(rows["model"].unique())
    has_break_even = break_even is not None and not break_even.empty
    band = len(kinds) * _BAR_HEIGHT + _BETWEEN_MODELS
    figure = new_figure(WIDTH, len(models) * band + 1.1)
    faces = {kind: _FACES[number % len(_FACES)] for number, kind in enumerate(kinds)}
    ratios = [1.0, 1.0] if has_break_even else [1.0]
    bars, *others = figure.subplots(1, len(ratios), sharey=True, squeeze=False)[0]
    _draw_spent(bars, spent, kinds, models, faces, _BAR_HEIGHT / band)
    handles: list[Artist] = [Patch(facecolor=face, hatch=hatch, **_EDGE) for face, hatch in faces.values()]
    names = list(faces)
    note = "Device time of all targets, sources, fractions and replicates together, validation included."
    if len(rows["device"].dropna().unique()) > 1:
        note += f" Seconds do not compare between devices: {', '.join(sorted(rows['device'].dropna().unique()))}."
    if has_break_even and break_even is not None:
        styles = arm_styles(break_even["arm"])
        _draw_break_even(others[0], break_even, models, styles)
        handles += [mark(style, linestyle="none", markersize=4) for style in styles.values()]
        names += [series_name(arm) for arm in styles]
        note += " Right: one mark per target and fraction; how many never pay off, or cannot be told, stands beside."
    legend_below(figure, handles, names, note)
    return figure


def _kind(stage: str, arm: object) -> str:
    """Return in words what a row was spent on."""
    if stage == "pretraining":
        return _PRETRAINING
    return _FROM_SCRATCH if arm == SCRATCH else "trainings after pre-training" + way_name(str(arm))


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

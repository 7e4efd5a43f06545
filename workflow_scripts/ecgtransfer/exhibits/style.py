"""What the figures share: sizes, colours, marks, axes, legends, and what is drawn where a table has no rows.

The page is 61.5rem wide between its margins on a screen, which is `WIDTH` inches. Every figure is just as wide, so that
letters are there as large as they are set. Colours are Okabe & Ito's, safe for colour-blind
readers.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from ecgtransfer.arms import SCRATCH
from ecgtransfer.exhibits.names import ANSWERED_METRIC, series_name

Style = dict[str, Any]

WIDTH = 10.25  # inches
SMALL, NORMAL = 9, 10  # points
LINE_HEIGHT, CHARACTER = 0.2, 0.072  # inches, of the small size
BLUE, RED, GREEN, PINK, SKY, YELLOW = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
BARS = "points: mean over replicates; bars: confidence interval over replicates and test patients"

_COLOURS = (BLUE, RED, GREEN, PINK, SKY, YELLOW)
_MARKERS = ("s", "^", "D", "v", "P", "X", "<")
_DASHES = ("-", (0, (6, 1.5, 1, 1.5)), (0, (1, 1.2)), (0, (6, 1.2, 1, 1.2, 1, 1.2)), (0, (9, 1.5)))
_SCRATCH_STYLE = {"color": "black", "linestyle": (0, (4, 2)), "marker": "o", "markerfacecolor": "white"}
_PANELS_PER_ROW = 3
_TITLE_CHARACTER, _HANDLE = 0.082, 0.8  # inches
_WIDEST_RATIO = 20.0  # by which a ratio axis goes beyond its outermost points to hold intervals
_TURNED_LABEL = 0.21  # inches between labels at 45 degrees


def answered(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the metric `ANSWERED_METRIC`, or all rows of a table without metrics."""
    return table[table["metric"] == ANSWERED_METRIC] if "metric" in table else table


def series_styles(names: Iterable[str]) -> dict[str, Style]:
    """Return a style per name, in sorted order; lists of different lengths keep combinations apart."""
    return {
        name: {
            "color": _COLOURS[number % len(_COLOURS)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "linestyle": _DASHES[number % len(_DASHES)],
        }
        for number, name in enumerate(sorted(set(names)))
    }


def arm_styles(arms: Iterable[str]) -> dict[str, Style]:
    """Return the style of each arm: black with open circles from scratch, which comes first, then the others."""
    names = set(arms)
    plain: dict[str, Style] = {SCRATCH: dict(_SCRATCH_STYLE)} if SCRATCH in names else {}
    return plain | series_styles(names - {SCRATCH})


def percent(share: float) -> str:
    """Return a share as text that stays on one line, such as ``2.5 %``."""
    return f"{100 * share:.4g}\N{NO-BREAK SPACE}%"


def nothing_to_show(why: str) -> Figure:
    """Return a figure that states in one sentence why there is nothing to show."""
    figure = Figure((WIDTH, 1.2))
    text = textwrap.fill(why, int(0.9 * WIDTH / CHARACTER))
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=NORMAL, color="0.3")
    return figure


class Panels(NamedTuple):
    """A figure with a panel per target and model."""

    figure: Figure
    axes: dict[str, dict[str, Axes]]  # by target and model
    width: float  # inches, of a panel


def target_model_panels(rows: pd.DataFrame, height: float) -> Panels:
    """Return empty panels for the targets and models of `rows`; those of a target share both axes.

    Parameters
    ----------
    rows
        With columns ``target`` and ``model``.
    height
        Of a panel, in inches.
    """
    targets, models = sorted(rows["target"].unique()), sorted(rows["model"].unique())
    n_columns = min(len(models), _PANELS_PER_ROW)
    bands = -(-len(models) // n_columns)  # rows of panels for one target
    figure = new_figure(len(targets) * bands * height)
    grid = figure.add_gridspec(len(targets) * bands, n_columns)
    axes: dict[str, dict[str, Axes]] = {}
    for band, target in enumerate(targets):
        panels: dict[str, Axes] = {}
        for number, model in enumerate(models):
            row, column = divmod(number, n_columns)
            first = next(iter(panels.values()), None)
            panels[model] = figure.add_subplot(grid[band * bands + row, column], sharex=first, sharey=first)
            title_panel(panels[model], [target, model], WIDTH / n_columns)
        axes[target] = panels
    return Panels(figure, axes, WIDTH / n_columns)


def new_figure(height: float) -> Figure:
    """Return an empty figure as wide as the page, `height` in inches, with room for what is beside its panels."""
    return Figure((WIDTH, height), layout=ConstrainedLayoutEngine(h_pad=0.08))


def title_panel(axes: Axes, names: Sequence[str], width: float) -> None:
    """Set the title of a panel of `width` inches: the names in one line, or in one line each."""
    length = int(width / _TITLE_CHARACTER)
    title = ", ".join(names)
    if len(title) > length:
        title = "\n".join(textwrap.fill(name, length) for name in names)
    axes.set_title(title, fontsize=NORMAL)


def dress(axes: Axes, x_label: str, y_label: str) -> None:
    """Set labels, those of y next to the first column only, and a light grid."""
    specification = axes.get_subplotspec()
    is_first = specification is None or specification.is_first_col()
    axes.set_xlabel(x_label, fontsize=SMALL)
    if is_first:
        axes.set_ylabel(y_label, fontsize=SMALL)
    axes.tick_params(labelsize=SMALL, labelleft=is_first)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def bars(values: pd.Series, low: pd.Series, high: pd.Series) -> NDArray[Any]:
    """Return how far an interval reaches below and above its values, (2, n), for matplotlib's error bars."""
    ends = [(values - low).to_numpy(dtype=float), (high - values).to_numpy(dtype=float)]
    reach: NDArray[Any] = np.clip(ends, 0, None)  # rounding of the table may leave -1e-6
    return reach


def draw_points(axes: Axes, x: ArrayLike, y: ArrayLike, style: Style, **options: Any) -> ErrorbarContainer:
    """Draw points with error bars (`xerr`, `yerr` as from `bars`) in the sizes of all figures."""
    sizes = {"markersize": 4.5, "linewidth": 1.3, "elinewidth": 0.9, "capsize": 2}
    return axes.errorbar(x, y, **{**sizes, **style, **options})


def dodges(n_train: pd.Series, names: Iterable[str]) -> dict[str, float]:
    """Return the factor by which each series moves on a log axis: all within a third of the narrowest gap."""
    counts, series = np.log(np.unique(n_train)), list(names)
    spread = min(0.35 * np.diff(counts).min(), 0.06 * np.ptp(counts)) if len(counts) > 1 else 0.2
    steps = np.linspace(-spread / 2, spread / 2, len(series)) if len(series) > 1 else np.zeros(1)
    return dict(zip(series, np.exp(steps).tolist(), strict=True))


def set_count_axis(panels: Iterable[Axes], n_train: pd.Series, panel_width: float) -> None:
    """Set the x axis that the panels of a target share: logarithmic, one tick per number of recordings.

    Where the numbers would overlap even when they are turned, the last one keeps its number, and of the others those
    that leave room.
    """
    sharing = list(panels)
    counts, axes = np.unique(n_train), sharing[0]
    axes.set_xscale("log")
    _set_ticks(axes.xaxis, counts.tolist(), "{:,.0f}")
    margin = (counts[-1] / counts[0]) ** 0.08 if len(counts) > 1 else 2.0
    axes.set_xlim(counts[0] / margin, counts[-1] * margin)
    if len(counts) > 1:
        places = 0.8 * panel_width * np.log(counts) / np.log(margin**2 * counts[-1] / counts[0])  # inches
        if np.diff(places).min() < len(f"{counts[-1]:,}") * CHARACTER + 0.1:
            for panel in sharing:
                panel.tick_params(axis="x", rotation=45)
        numbered = [len(counts) - 1]
        for number in range(len(counts) - 2, -1, -1):
            if places[numbered[-1]] - places[number] >= _TURNED_LABEL:
                numbered.append(number)
        axes.xaxis.set_major_formatter(
            FixedFormatter([f"{count:,.0f}" if number in numbered else "" for number, count in enumerate(counts)])
        )


def set_ratio_axis(
    axes: Axes, name: Literal["x", "y"], points: ArrayLike, ends: ArrayLike = (), most_ticks: int = 6
) -> None:
    """Make a logarithmic axis with round ticks, from 0.5 to 2 at least, that holds all points.

    Ends of intervals can be very far away with few replicates; those more than a factor of 20 beyond the outermost
    points are cut by the frame, so that the points stay apart.
    """
    known = _positive(points)
    low, high = min(0.5, *known), max(2.0, *known)
    reach = _positive(ends)
    low = max(min(low, *reach), low / _WIDEST_RATIO) / 1.25
    high = min(max(high, *reach), high * _WIDEST_RATIO) * 1.25
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
    exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{digit}e{exponent}") for exponent in exponents for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most_ticks:
            break
    _set_ticks(axes.xaxis if name == "x" else axes.yaxis, ticks[:: -(-len(ticks) // most_ticks)], "{:,g}")


def _positive(values: ArrayLike) -> list[float]:
    """Return the finite values above 0, with 1 as one of them, so that `min` and `max` have two."""
    numbers = np.asarray(values, dtype=float).ravel()
    return [1.0, 1.0, *numbers[np.isfinite(numbers) & (numbers > 0)].tolist()]


def _set_ticks(axis: Axis, ticks: list[float], form: str) -> None:
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))
    axis.set_minor_locator(NullLocator())


def mark(style: Style, **options: Any) -> Line2D:
    """Return the mark that a legend shows for a style."""
    return Line2D([], [], **{"markersize": 5, "linewidth": 1.5, **style, **options})


def arm_legend(figure: Figure, styles: Mapping[str, Style], note: str, **options: Any) -> None:
    """Set below the panels what the arms are called, and the note; `options` are of the marks."""
    handles = [mark(style, **options) for style in styles.values()]
    legend_below(figure, handles, [series_name(arm) for arm in styles], note)


def legend_below(figure: Figure, handles: Sequence[Any], names: Sequence[str], note: str) -> None:
    """Set a legend below the panels, and make the figure higher by as much; the note is above the names."""
    width = figure.get_figwidth()
    wrapped = [textwrap.fill(name, int((width - _HANDLE) / CHARACTER)) for name in names]
    longest = max((len(line) for name in wrapped for line in name.split("\n")), default=0)
    n_columns = max(1, min(len(names), int(width / (longest * CHARACTER + _HANDLE))))
    lines = -(-len(names) // n_columns) * max((name.count("\n") + 1 for name in wrapped), default=0)
    title = textwrap.fill(note, int(width / CHARACTER) - 4)
    figure.set_figheight(figure.get_figheight() + (lines + title.count("\n") + 2) * LINE_HEIGHT)
    figure.legend(
        handles,
        wrapped,
        loc="outside lower center",
        ncols=n_columns,
        title=title,
        fontsize=SMALL,
        title_fontsize=SMALL,
        frameon=False,
        handlelength=3.5,
    )

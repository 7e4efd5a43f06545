"""The quality page of a data set: what was kept, why the rest was not, and how typical and rejected recordings look."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ecgtransfer.exhibits.names import one_line, short_id
from ecgtransfer.exhibits.style import SMALL, WIDTH
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.gains import out_of_line

FLAGS = {
    "nan_fraction": "with missing samples, bridged",
    "rebuilt_leads": "with limb leads rebuilt from others",
    "missing_leads": "with missing leads, at 0 mV",
    "flat_leads": "with flat leads",
    "clipped_leads": "with clipped leads",
    "padded_s": "shorter than the window, padded",
    "gain_flag": "with an implausible amplitude or gain",
}
"""Columns of the quality table that mark a recording where they are above 0, in words."""

_KEPT, _FLAGGED, _LEFT_OUT = "#0072B2", "#E69F00", "#D55E00"
_SNAPSHOTS = 3  # of each kind
_COUNTS_INCHES, _SNAPSHOT_INCHES = 2.6, 3.0
_LEAST_BARS = 6  # so that a few bars do not become slabs
_SNAPSHOT_S = 5.0
_MOST_REASONS = 8
_REASON_LENGTH, _TITLE_LENGTH = 38, 44  # characters in a line
_ROWS_PER_SNAPSHOT = 6
_COUNT = FuncFormatter(lambda count, _: f"{count:,.0f}")
_CUT = re.compile(r"[,;(]|: ")
_PARTICULAR = re.compile(r"'[^']*'|\S*\d\S*|\S+\.\S+")


def reason_class(reason: str) -> str:
    """Return a reason without what is particular to a record: its first clause, names and numbers as dots."""
    return _CUT.split(_PARTICULAR.sub("…", reason), maxsplit=1)[0].strip()


def with_gain_flag(quality: pd.DataFrame, largest_ratio: float) -> pd.DataFrame:
    """Return the table of the signals with a column ``gain_flag``: 1 where amplitude or gain is implausible."""
    return quality.assign(gain_flag=out_of_line(quality, largest_ratio).astype(int))


def quality_summary(rejected: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Return ``step, what, records, share``: from all recordings found to those kept, and the flags of those.

    Parameters
    ----------
    rejected
        The ``.rejected.csv`` of the data set, column ``reason``.
    quality
        As from `with_gain_flag`.

    Returns
    -------
    pandas.DataFrame
        ``step`` is ``found``, ``rejected`` (because of what the files state), ``not usable`` (because of the signal),
        ``kept`` or ``flag`` (among those kept); ``share`` is of all found, for flags of all kept.
    """
    n_found = len(rejected) + len(quality)
    kept = quality[quality["usable"] == 1]
    unusable = quality.loc[quality["usable"] == 0, "reason"]
    rows: list[tuple[str, str, int, int]] = [("found", "recordings found", n_found, n_found)]
    for step, reasons in (("rejected", rejected["reason"]), ("not usable", unusable)):
        counts = reasons.astype(str).map(reason_class).value_counts()
        rows += [(step, str(what), int(n), n_found) for what, n in counts.items()]
    rows.append(("kept", "recordings kept", len(kept), n_found))
    rows += [("flag", words, int((kept[column] > 0).sum()), len(kept)) for column, words in FLAGS.items()]
    table = pd.DataFrame(rows, columns=["step", "what", "records", "of"])
    table["share"] = (table["records"] / table["of"].clip(lower=1)).round(6)
    return table.drop(columns="of")


def draw_quality(
    dataset: str,
    summary: pd.DataFrame,
    quality: pd.DataFrame,
    rows: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int16]],
    sampling_rate_hz: float,
    amplitude_bounds: tuple[float, float],
) -> Figure:
    """Return the one-page figure of a data set.

    Parameters
    ----------
    dataset
        Its name.
    summary
        As from `quality_summary`.
    quality
        As from `with_gain_flag`, row i for row i of the prepared signals.
    rows
        Returns some rows of these, shape (numbers, 12, samples): `SignalFile.rows`, so that only what is drawn is read.
    sampling_rate_hz
        Of the signals.
    amplitude_bounds
        Smallest and largest plausible ratio to the median amplitude.
    """
    shown = [("typical", typical_records(quality), _KEPT)]
    odd = odd_records(quality)
    if odd:
        shown.append(("left out or flagged", odd, _LEFT_OUT))
    places_drawn = np.array([place for _, places, _ in shown for place in places], dtype=np.int64)
    signals = dict(zip(places_drawn.tolist(), rows(places_drawn), strict=True))
    figure = Figure((WIDTH, _COUNTS_INCHES + _SNAPSHOT_INCHES * len(shown)), layout="constrained")
    heights = [_COUNTS_INCHES, *[_SNAPSHOT_INCHES] * len(shown)]
    counts, *bands = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    kept, found = (int(summary.loc[summary["step"] == step, "records"].sum()) for step in ("kept", "found"))
    figure.suptitle(f"{dataset}: {kept:,} of {found:,} recordings kept", fontsize=12)
    grid = counts.add_gridspec(1, 12)
    _draw_reasons(counts.add_subplot(grid[:7]), summary)
    _draw_amplitudes(counts.add_subplot(grid[7:10]), quality, amplitude_bounds)
    _draw_durations(counts.add_subplot(grid[10:]), quality)
    ranges = [np.ptp(signals[place], axis=1) for _, places, _ in shown[:1] for place in places]
    pitch = max(1.1 * float(np.percentile(ranges, 75)), 1.0) if ranges else 2000.0
    for band, (kind, places, colour) in zip(bands, shown, strict=True):
        panels = band.subplots(1, _SNAPSHOTS)
        for number, axes in enumerate(panels):
            axes.set_axis_off()
            if number < len(places):
                title = _snapshot_title(kind, quality.iloc[places[number]])
                _draw_snapshot(axes, signals[places[number]], sampling_rate_hz, pitch, title, colour)
    return figure


def typical_records(quality: pd.DataFrame) -> list[int]:
    """Return the rows without any flag that are nearest to the quartiles of the amplitude."""
    clean = np.flatnonzero((quality["usable"] == 1) & ~_flagged(quality))
    if not len(clean):
        clean = np.flatnonzero(quality["usable"] == 1)
    ordered = clean[np.argsort(quality["amplitude_mv"].to_numpy()[clean], kind="stable")]
    if not len(ordered):
        return []
    places = np.linspace(0, len(ordered) - 1, _SNAPSHOTS + 2)[1:-1].round().astype(int)
    return list(dict.fromkeys(int(ordered[place]) for place in places))


def odd_records(quality: pd.DataFrame) -> list[int]:
    """Return rows that were left out, one per class of reason first, then flagged ones."""
    reasons = quality["reason"].fillna("").astype(str).map(reason_class).where(quality["usable"] == 0, "")
    kinds = reasons.where(reasons != "", _flag_words(quality))
    odd = np.flatnonzero(kinds != "")
    first = [place for place in odd if place == odd[np.argmax(kinds.iloc[odd] == kinds.iloc[place])]]
    first.sort(key=lambda place: (quality["usable"].iloc[place], -int((kinds == kinds.iloc[place]).sum())))
    return [int(place) for place in [*first, *(place for place in odd if place not in set(first))][:_SNAPSHOTS]]


def _flagged(quality: pd.DataFrame) -> "pd.Series[bool]":
    flagged: pd.Series[bool] = (quality[list(FLAGS)] > 0).any(axis=1)
    return flagged


def _flag_words(quality: pd.DataFrame) -> "pd.Series[str]":
    words = pd.Series("", index=quality.index, dtype=object)
    for column, text in FLAGS.items():
        words = words.where((quality[column] <= 0) | (words != ""), text)
    return words


def _draw_reasons(axes: Axes, summary: pd.DataFrame) -> None:
    colours = {"found": "0.6", "rejected": _LEFT_OUT, "not usable": _LEFT_OUT, "kept": _KEPT, "flag": _FLAGGED}
    shown = summary[(summary["records"] > 0) | summary["step"].isin(["found", "kept"])]
    reasons = shown[shown["step"].isin(["rejected", "not usable"])].nlargest(_MOST_REASONS, "records")
    shown = shown[~shown["step"].isin(["rejected", "not usable"]) | shown.index.isin(reasons.index)]
    heights = np.arange(len(shown))[::-1]
    axes.barh(heights, np.maximum(shown["records"], 0), color=[colours[step] for step in shown["step"]], height=0.7)
    axes.set_xscale("symlog", linthresh=10)
    axes.set_yticks(
        heights,
        [one_line(_bar_name(row), _REASON_LENGTH) for row in shown.itertuples()],
        fontsize=SMALL,
    )
    for height, n in zip(heights, shown["records"], strict=True):
        axes.annotate(f"{n:,}", (n, height), (3, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axes.set_xlim(0, 3 * max(10, shown["records"].max()))
    axes.set_ylim(min(-0.6, len(shown) - _LEAST_BARS - 0.4), len(shown) - 0.4)
    axes.xaxis.set_major_formatter(_COUNT)
    _dress(axes, "recordings (logarithmic above 10)")


def _bar_name(row: Any) -> str:
    before = {"rejected": "rejected: ", "not usable": "not usable: ", "flag": "kept, "}.get(row.step, "")
    return f"{before}{row.what}"


def _draw_amplitudes(axes: Axes, quality: pd.DataFrame, bounds: tuple[float, float]) -> None:
    ratio = quality["gain_ratio"].to_numpy(dtype=float)
    ratio = ratio[np.isfinite(ratio) & (ratio > 0)]
    edges = np.geomspace(1 / 20, 20, 49)
    axes.hist(np.clip(ratio, edges[0], edges[-1]), bins=edges.tolist(), color=_KEPT)
    if not len(ratio):
        axes.text(0.5, 0.5, "no unit:\nnot compared", transform=axes.transAxes, ha="center", fontsize=SMALL)
    for bound in bounds:
        axes.axvline(bound, color=_FLAGGED, linestyle="--", linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xticks([0.25, 1, 4], ["0.25", "1", "4"])
    axes.minorticks_off()
    axes.set_yscale("symlog", linthresh=10)
    axes.yaxis.set_major_formatter(_COUNT)
    axes.set_ylabel("recordings", fontsize=SMALL)
    _dress(axes, "amplitude / median of all")


def _draw_durations(axes: Axes, quality: pd.DataFrame) -> None:
    durations = quality["duration_s"].to_numpy(dtype=float)
    axes.hist(durations[np.isfinite(durations)], bins=24, color=_KEPT)
    axes.set_yscale("symlog", linthresh=10)
    axes.yaxis.set_major_formatter(_COUNT)
    _dress(axes, "length in s")


def _dress(axes: Axes, x_label: str) -> None:
    axes.set_xlabel(x_label, fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)


def _snapshot_title(kind: str, record: "pd.Series[Any]") -> str:
    reason = record["reason"] if isinstance(record["reason"], str) else ""
    flags = [text.removeprefix("with ") for column, text in FLAGS.items() if record[column] > 0]
    about = reason or ", ".join(flags) or kind
    return one_line(f"{short_id(record['record_id'])}: {about}", _TITLE_LENGTH)


def _draw_snapshot(
    axes: Axes, signal: npt.NDArray[np.int16], rate_hz: float, pitch: float, title: str, colour: str
) -> None:
    n_samples = min(signal.shape[1], round(_SNAPSHOT_S * rate_hz))
    seconds = np.arange(n_samples) / rate_hz
    width = 1.3 * n_samples / rate_hz  # the leads' names are between the columns
    for number, lead in enumerate(LEADS):
        column, row = divmod(number, _ROWS_PER_SNAPSHOT)
        baseline = -row * pitch
        trace = np.clip(signal[number, :n_samples], -pitch, pitch)
        axes.plot(column * width + seconds, baseline + trace, color="black", linewidth=0.5)
        left = column * width - 0.035 * width
        axes.text(left, baseline, lead, fontsize=SMALL, fontweight="bold", color=colour, ha="right", va="center")
    axes.set_ylim((0.3 - _ROWS_PER_SNAPSHOT) * pitch, 0.9 * pitch)
    axes.set_xlim(-0.2 * width, width + n_samples / rate_hz)
    axes.set_title(title, fontsize=SMALL, color=colour, loc="left")

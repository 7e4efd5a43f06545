"""A recording on ECG paper: the page that a cardiologist reads, at 25 mm/s and 10 mm/mV."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from ecgtransfer.leads import LEADS

MM_PER_S = 25.0
MM_PER_MV = 10.0

_PAGE_MM = (285.0, 185.0)  # both multiples of 5, so that the paper ends on a thick line
_LEFT_MM = 20.0  # where time 0 is; the calibration pulse is before it
_BASELINES_MM = (145.0, 105.0, 65.0, 25.0)  # height of 0 mV in each row, from the page's lower edge
_COLUMN_S = 2.5
_STRIP_S = 10.0
_DRAWN_HZ = 250  # finer than a printer shows; keeps a vector file small
_COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
_MM_PER_INCH = 25.4


def draw_ecg_page(signal: NDArray[np.floating], sampling_rate_hz: float, title: str, has_unit: bool = True) -> Figure:
    """Draw a 12-lead recording in the standard layout: three rows of four leads, 2.5 s each, and 10 s of lead II below.

    The figure is in true scale (25 mm/s, 10 mm/mV) when printed at its own size, 285 x 185 mm. Each lead is centred on
    its median, as an ECG machine's high-pass would. A recording shorter than 10 s shows what it has: columns that would
    begin too late show its last 2.5 s. Of a longer one the first 10 s are drawn. NaN samples are gaps in the trace.

    Parameters
    ----------
    signal : shape (12, n_samples), mV, leads in standard order.
    sampling_rate_hz : samples per second.
    title : header line, such as record and diagnoses.
    has_unit : whether `signal` is in mV; otherwise no height is claimed, and 10 mm show the number 1.
    """
    if signal.ndim != 2 or len(signal) != len(LEADS):
        raise ValueError(f"expected a signal of shape (12, n_samples), found {signal.shape}")
    step = max(1, round(sampling_rate_hz / _DRAWN_HZ))
    drawn = np.asarray(signal[:, ::step], dtype=float)
    drawn_hz = sampling_rate_hz / step
    figure = Figure(figsize=(_PAGE_MM[0] / _MM_PER_INCH, _PAGE_MM[1] / _MM_PER_INCH), facecolor="white")
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, _PAGE_MM[0]), ylim=(0, _PAGE_MM[1]))
    page.set_axis_off()
    _draw_paper(page)
    _draw_leads(page, _centred(drawn), drawn_hz)
    if has_unit:
        _draw_calibration(page)
    page.text(5, _PAGE_MM[1] - 6, title, fontsize=11, va="center")
    scale = f"{MM_PER_S:g} mm/s  {f'{MM_PER_MV:g} mm/mV' if has_unit else 'scaled, no unit'}"
    page.text(_PAGE_MM[0] - 5, _PAGE_MM[1] - 6, scale, fontsize=10.5, va="center", ha="right")
    return figure


def _draw_paper(page: Axes) -> None:
    for spacing_mm, colour, width in ((1.0, "#fadadd", 0.4), (5.0, "#f0a3ab", 0.7)):
        x = np.arange(0, _PAGE_MM[0] + 0.5, spacing_mm)
        y = np.arange(0, _PAGE_MM[1] + 0.5, spacing_mm)
        ends = [[(a, 0.0), (a, _PAGE_MM[1])] for a in x] + [[(0.0, b), (_PAGE_MM[0], b)] for b in y]
        codes = [Path.MOVETO, Path.LINETO] * len(ends)
        # One path for all lines: a few kB in an SVG.
        grid = Path(np.array(ends).reshape(-1, 2), codes)
        page.add_patch(PathPatch(grid, facecolor="none", edgecolor=colour, linewidth=width, zorder=0))


def _draw_leads(page: Axes, signal_mv: NDArray[np.float64], rate_hz: float) -> None:
    n_samples = signal_mv.shape[1]
    column_samples = round(_COLUMN_S * rate_hz)
    for column, leads in enumerate(_COLUMNS):
        start = max(0, min(column * column_samples, n_samples - column_samples))
        left = _LEFT_MM + column * _COLUMN_S * MM_PER_S
        # One sample more than the column holds, so that a trace meets the next lead's start.
        for lead, baseline in zip(leads, _BASELINES_MM[:3], strict=True):
            _draw_trace(page, signal_mv[LEADS.index(lead), start : start + column_samples + 1], rate_hz, left, baseline)
            page.text(left + 1.5, baseline + 15, lead, fontsize=10.5, fontweight="bold")
            if column:
                page.plot([left, left], [baseline - 3, baseline + 3], color="black", linewidth=0.6)
    strip = signal_mv[LEADS.index("II"), : round(_STRIP_S * rate_hz) + 1]
    _draw_trace(page, strip, rate_hz, _LEFT_MM, _BASELINES_MM[3])
    page.text(_LEFT_MM + 1.5, _BASELINES_MM[3] + 15, "II", fontsize=10.5, fontweight="bold")


def _draw_calibration(page: Axes) -> None:
    for baseline in _BASELINES_MM:
        pulse = np.array([(0, 0), (2.5, 0), (2.5, MM_PER_MV), (7.5, MM_PER_MV), (7.5, 0), (10, 0)])
        page.plot(_LEFT_MM - 12.5 + pulse[:, 0], baseline + pulse[:, 1], color="black", linewidth=0.7)


def _draw_trace(page: Axes, trace_mv: NDArray[np.float64], rate_hz: float, left: float, baseline: float) -> None:
    x = left + np.arange(len(trace_mv)) / rate_hz * MM_PER_S
    page.plot(x, baseline + trace_mv * MM_PER_MV, color="black", linewidth=0.7, solid_joinstyle="round")


def _centred(signal_mv: NDArray[np.float64]) -> NDArray[np.float64]:
    median = np.array([np.median(lead[np.isfinite(lead)]) if np.isfinite(lead).any() else 0.0 for lead in signal_mv])
    return np.asarray(signal_mv - median[:, None])

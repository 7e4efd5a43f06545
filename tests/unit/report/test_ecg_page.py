"""The ECG page: true scale, standard layout, gaps, and a file that stays small."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ecgtransfer.acquire.simulate import simulate_corpus
from ecgtransfer.leads import LEADS
from ecgtransfer.report.ecg_page import draw_ecg_page

RATE = 500


def pulses(duration_s=10.0, rate=RATE):
    """Return leads with a pulse 1 s into every 2.5 s, as many tenths of a mV high as the lead's number."""
    time_s = np.arange(round(duration_s * rate)) / rate
    signal = np.zeros((12, len(time_s)))
    for row in range(12):
        signal[row] += np.where(np.abs((time_s % 2.5) - 1.0) < 0.02, (row + 1) / 10, 0.0)
    return signal


def traces(figure):
    """Return the lines that are leads: the long ones, as (x in mm, y in mm)."""
    return [line.get_data() for line in figure.axes[0].lines if len(line.get_xdata()) > 20]


def test_figure_is_in_true_scale():
    figure = draw_ecg_page(pulses(), RATE, "x")
    width_mm, height_mm = figure.get_size_inches() * 25.4
    page = figure.axes[0]
    assert page.get_position().bounds == (0, 0, 1, 1)
    np.testing.assert_allclose(page.get_xlim(), (0, width_mm))
    np.testing.assert_allclose(page.get_ylim(), (0, height_mm))
    x, _ = max(traces(figure), key=lambda trace: len(trace[0]))
    assert np.ptp(x) == pytest.approx(250, abs=0.2)  # 10 s at 25 mm/s


def test_each_lead_is_where_its_name_is_and_ten_mm_high_per_mv():
    figure = draw_ecg_page(pulses(), RATE, "x")
    names = [(text.get_text(), *text.get_position()) for text in figure.axes[0].texts if text.get_text() in LEADS]
    assert sorted(name for name, _, _ in names) == sorted([*LEADS, "II"])
    for name, left, height in names:
        x, y = min(traces(figure), key=lambda trace: np.hypot(trace[0][0] - left, trace[1][0] + 15 - height))
        assert np.ptp(y) == pytest.approx(LEADS.index(name) + 1)
        assert x[y.argmax()] - x[0] == pytest.approx(25, abs=0.6)  # the spike, 1 s after the start
    columns = [["I", "II", "III"], ["aVR", "aVL", "aVF"], ["V1", "V2", "V3"], ["V4", "V5", "V6"]]
    top_rows = sorted((left, -height, name) for name, left, height in names if height > 60)
    assert [name for _, _, name in top_rows] == [name for column in columns for name in column]


def test_calibration_pulse_is_ten_mm_high_and_texts_name_the_scale():
    figure = draw_ecg_page(pulses(), RATE, "patient 7")
    calibration = [line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) == 6]
    assert len(calibration) == 4 and all(np.ptp(pulse) == 10 for pulse in calibration)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "patient 7" in texts and "25 mm/s  10 mm/mV" in texts


def test_offsets_are_taken_off_and_missing_samples_are_gaps():
    signal = pulses() + 3.0
    signal[1, 2000:2500] = np.nan
    signal[4] = np.nan
    figure = draw_ecg_page(signal, RATE, "x")
    x, y = max(traces(figure), key=lambda trace: len(trace[0]))
    gap = np.isnan(y)
    assert x[gap].min() - x[0] == pytest.approx(4 * 25) and gap.sum() == pytest.approx(1 * 250, abs=1)
    assert np.nanmedian(y) == pytest.approx(25)
    figure.savefig(io.BytesIO(), format="png", dpi=40)


@pytest.mark.parametrize(("duration_s", "rate"), [(5.0, 500), (1.0, 500), (30.0, 1000), (10.0, 100)])
def test_other_lengths_and_rates(duration_s, rate):
    figure = draw_ecg_page(pulses(duration_s, rate), rate, "x")
    assert len(traces(figure)) == 13
    strip = max(traces(figure), key=lambda trace: len(trace[0]))[0]
    assert np.ptp(strip) == pytest.approx(25 * min(duration_s, 10), abs=0.3)
    for x, y in traces(figure):  # each lead shows its spike at 1 s or 3.5 s, none is empty
        assert len(x) > 20 and np.isfinite(y).all()


def test_svg_is_small_the_same_twice_and_leaves_pyplot_alone():
    record = next(simulate_corpus("west", {"layout": "ptb-xl", "n_patients": 1, "noise": 2.0}, 1))

    def svg():
        file = io.BytesIO()
        with plt.rc_context({"svg.hashsalt": "ecg"}):
            draw_ecg_page(record.signal, RATE, "x").savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    first = svg()
    assert len(first) < 600_000 and first == svg()
    assert plt.get_fignums() == []


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match="12"):
        draw_ecg_page(np.zeros((5000, 12)), RATE, "x")

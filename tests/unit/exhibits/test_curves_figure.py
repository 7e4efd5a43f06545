import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.figure_files import save_figure
from ecgtransfer.exhibits.style import WIDTH
from ecgtransfer.findings.curves import draw

ARMS = ("scratch", "finetune-cpsc", "finetune-sim-hospital", "finetune-sim-hospital-shuffled")
COUNTS = (174, 522, 1742, 17418)
EVERY_METHOD = ("finetune", "probe", "svm", "gradual", "discriminative", "partial:2")
LONG = "a-network-of-regional-hospitals-with-a-name-that-goes-on-and-on"


def curves(targets=("chapman", "ptbxl"), models=("gru", "xresnet1d101"), arms=ARMS, counts=COUNTS):
    generator = np.random.default_rng(0)
    rows = []
    for target, model, arm, count in itertools.product(targets, models, arms, counts):
        score = generator.uniform(0.6, 0.9) - (0.1 if target == targets[0] else 0.0)
        rows.append(
            {
                "target": target,
                "model": model,
                "arm": arm,
                "n_train": count,
                "metric": "macro_auroc",
                "score": score,
                "ci_low": score - 0.04,
                "ci_high": score + 0.02,
            }
        )
    return pd.DataFrame(rows)


CASES = {
    "two targets, two models": curves(),
    "one fraction": curves(targets=("ptbxl",), models=("gru",), counts=(17418,)),
    "seven models": curves(targets=("ptb",), models=tuple(f"model{number}" for number in range(7)), arms=ARMS[:2]),
    "long names": curves(targets=(LONG,), models=("resnet1d",), arms=(*ARMS[:2], f"finetune-{LONG}-shuffled")),
    "six methods": curves(
        targets=("ptbxl",), arms=("scratch", *(f"{method}-sim-hospital-intervals" for method in EVERY_METHOD))
    ),
    "crowded counts": curves(models=("gru", "lstm", "cnn"), counts=(10000, 11000, 12500, 14000, 17418)),
}


def drawn(figure):
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize("table", CASES.values(), ids=CASES.keys())
def test_no_text_lies_on_another_or_leaves_the_page(table):
    figure = drawn(draw(table))
    texts = [text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    legend = figure.legends[0]
    texts += [*legend.get_texts(), legend.get_title()]
    shown = [text for text in texts if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent() for text in shown]
    for text, box in zip(shown, boxes, strict=True):
        assert figure.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1, text
        assert figure.bbox.y0 - 1 <= box.y0 and box.y1 <= figure.bbox.y1 + 1, text
    rotated = any(text.get_rotation() == 45 for text in shown)
    for (one, box), (other, other_box) in itertools.combinations(zip(shown, boxes, strict=True), 2):
        if rotated and {one.get_rotation(), other.get_rotation()} == {45}:
            continue  # boxes of slanted labels overlap, their letters do not
        assert not box.overlaps(other_box), f"{one.get_text()} / {other.get_text()}"


def test_there_is_a_panel_per_target_and_model_with_axes_shared_within_the_target():
    figure = drawn(draw(CASES["two targets, two models"]))
    assert [axes.get_title() for axes in figure.axes] == [
        "chapman, gru",
        "chapman, xresnet1d101",
        "ptbxl, gru",
        "ptbxl, xresnet1d101",
    ]
    chapman, chapman_too, ptbxl, ptbxl_too = (axes.get_ylim() for axes in figure.axes)
    assert chapman == chapman_too and ptbxl == ptbxl_too and chapman != ptbxl


def test_ticks_are_the_numbers_of_recordings_that_were_used():
    axes = drawn(draw(CASES["two targets, two models"])).axes[1]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["174", "522", "1,742", "17,418"]
    assert len(axes.xaxis.get_minorticklocs()) == 0


def test_points_and_intervals_are_those_of_the_table_and_stay_near_their_tick():
    table = CASES["two targets, two models"]
    axes = draw(table.sample(frac=1, random_state=0)).axes[0]
    for container, arm in zip(axes.containers, ARMS, strict=True):
        rows = table[(table["target"] == "chapman") & (table["model"] == "gru") & (table["arm"] == arm)]
        line, _, (bars,) = container.lines
        np.testing.assert_allclose(line.get_ydata(orig=False), rows["score"])
        assert np.abs(np.log(line.get_xdata(orig=False) / rows["n_train"].to_numpy())).max() < np.log(522 / 174) / 4
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, rows[["ci_low", "ci_high"]])


FOUR_METHODS = ("scratch", *(f"{method}-cpsc" for method in EVERY_METHOD[:4]))


@pytest.mark.parametrize("arms", [ARMS, FOUR_METHODS], ids=["three sources", "four methods"])
def test_series_differ_in_colour_marker_and_line_and_scratch_is_black_with_open_circles(arms):
    axes = draw(curves(arms=arms)).axes[0]
    lines = [container.lines[0] for container in axes.containers]
    assert len({line.get_color() for line in lines}) == len(arms)
    assert len({line.get_marker() for line in lines}) == len(arms)
    # get_linestyle says "--" for every dash pattern of one's own
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(arms)
    assert (lines[0].get_color(), lines[0].get_marker(), lines[0].get_linestyle()) == ("black", "o", "--")
    assert to_rgb(lines[0].get_markerfacecolor()) == (1, 1, 1)


def test_the_legend_speaks_the_readers_language():
    legend = draw(CASES["two targets, two models"]).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [
        "from scratch",
        "pre-trained on cpsc",
        "pre-trained on sim-hospital",
        "pre-trained on sim-hospital, labels shuffled (control)",
    ]


def test_scores_that_are_missing_leave_a_gap():
    table = CASES["one fraction"].copy()
    table.loc[table["arm"] == "scratch", ["score", "ci_low", "ci_high"]] = np.nan
    axes = drawn(draw(table)).axes[0]
    assert np.isnan(axes.containers[0].lines[0].get_ydata(orig=False)).all()


def test_a_metric_that_the_table_lacks_is_named():
    with pytest.raises(InputError, match="no row of metric macro_f1, found macro_auroc"):
        draw(CASES["one fraction"], metric="macro_f1")


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        figure = draw(CASES["two targets, two models"])
        save_figure(figure, tmp_path / f"{name}.svg", tmp_path / f"{name}.png")
    for suffix in ("svg", "png"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
    assert "<dc:date>" not in (tmp_path / "one.svg").read_text()
    assert imread(tmp_path / "one.png").shape[1] == pytest.approx(WIDTH * 200, abs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "one.svg", "two.png", "two.svg"]

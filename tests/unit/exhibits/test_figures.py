"""Figures: the numbers of a table are drawn where they should be."""

import itertools
import textwrap

import numpy as np
import pytest
from drawn_figures import EVERY_METHOD, LARGEST, ONE, SOME, draw
from finding_tables import CLAIMS, MARGIN, Study, parity

from ecgtransfer.exhibits.forest import MOST_ROWS
from ecgtransfer.exhibits.names import series_name


def test_one_fraction_has_no_learning_curve_to_read_a_saving_off():
    figure = draw("label_saving", Study(("ptb",), ("gru",), ("cpsc",), (1.0,)).label_saving())
    assert not figure.axes
    assert "single fraction" in " ".join(figure.texts[0].get_text().split())


def points(container):
    """Return x, y and the ends of the bars of an errorbar, (n, 2)."""
    line, _, bars = container.lines
    (segments,) = bars
    ends = [segment if len(segment) == 2 else np.full((2, 2), np.nan) for segment in segments.get_segments()]
    return line.get_xdata(orig=False), line.get_ydata(orig=False), np.array(ends).reshape(-1, 2, 2)


def rows_named(axes):
    return {label.get_text(): place for label, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}


def test_verdicts_have_a_row_per_cell_with_interval_and_marks_by_word():
    table = SOME.verdicts()
    figure = draw("verdicts", table)
    rows = table[table["metric"] == "macro_auroc"]
    assert [axes.get_title() for axes in figure.axes] == ["chapman", "ptbxl"]
    markers = {"helps": "^", "hurts": "v", "equivalent": "s", "undecided": "o"}
    for axes in figure.axes:
        drawn = []
        for container, (word, marker) in zip(axes.containers, markers.items(), strict=True):
            x, y, segments = points(container)
            assert container.lines[0].get_marker() == marker
            drawn += (
                [(word, *row) for row in np.column_stack([x, segments[:, 0, 0], segments[:, 1, 0]]).round(6)]
                if (len(x))
                else []
            )
            assert len(set(y)) == len(y)
        of_target = rows[rows["target"] == axes.get_title()]
        expected = of_target[["verdict", "delta", "ci_low", "ci_high"]].round(6).itertuples(index=False)
        assert sorted(drawn) == sorted(map(tuple, expected))
        (band,) = [patch for patch in axes.patches if patch.get_width() > 0]
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((-MARGIN, MARGIN))


def test_a_row_of_the_forest_stands_at_its_name():
    table = SOME.verdicts()
    axes = draw("verdicts", table).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    rows = table[(table["metric"] == "macro_auroc") & (table["target"] == "chapman")]
    place_of = dict(zip(axes.get_yticks(), names, strict=True))
    delta_at = {}
    for container in axes.containers:
        x, y, _ = points(container)
        delta_at |= dict(zip(y, x, strict=True))
    (control,) = [place for place, name in place_of.items() if "shuffled" in name]
    assert " ".join(place_of[control].split()) == series_name("finetune-cpsc-shuffled")
    for row in rows.itertuples():
        name = f"{row.model}, {100 * row.fraction:g}\N{NO-BREAK SPACE}%"
        (place,) = [
            place for place in delta_at if place_of[place] == name and (place > control) == ("shuffled" in row.arm)
        ]
        assert delta_at[place] == row.delta


@pytest.mark.parametrize(("study", "shown"), [(SOME, 3), (LARGEST, 2)])
def test_fractions_are_left_out_where_there_are_too_many_rows_and_that_is_said(study, shown):
    table = study.verdicts()
    figure = draw("verdicts", table)
    n_rows = sum(len(points(container)[0]) for container in figure.axes[0].containers)
    pairs = len(study.models) * len(study.sources)
    assert n_rows == pairs * shown <= MOST_ROWS
    note = " ".join(figure.legends[0].get_title().get_text().split())
    assert ("Only 1 % and 100 % of the training patients" in note) == (shown == 2)


def test_label_savings_stand_at_their_number_or_at_the_end_of_the_curve():
    table = SOME.label_saving()
    assert set(table["relation"]) == {"equals", "more_than", "less_than"}
    figure = draw("label_saving", table)
    assert [axes.get_yscale() for axes in figure.axes] == ["log"] * 4
    for axes in figure.axes:
        target, model = axes.get_title().split(", ")
        for container, arm in zip(axes.containers, sorted(table["arm"].unique()), strict=True):
            rows = table[(table["target"] == target) & (table["model"] == model) & (table["arm"] == arm)]
            x, y, segments = points(container)
            for row, *drawn in zip(rows.itertuples(), y, segments[:, 0, 1], segments[:, 1, 1], strict=True):
                relations = (row.relation, row.ci_low_relation, row.ci_high_relation)
                values = (row.saving, row.ci_low, row.ci_high)
                bounds = {"more_than": row.most, "less_than": row.least}
                expected = [bounds.get(*pair) for pair in zip(relations, values, strict=True)]
                np.testing.assert_allclose(drawn, expected)
            assert np.abs(np.log(x / rows["n_train"].to_numpy())).max() < np.log(10) / 4
        open_ends = table[(table["target"] == target) & (table["model"] == model)]
        arrows = [line for line in axes.lines if str(line.get_marker()).startswith("$")]
        n_open = (open_ends[["ci_low_relation", "ci_high_relation"]] != "equals").to_numpy().sum()
        assert sum(len(line.get_xdata()) for line in arrows) == n_open
        hollow = [line for line in axes.lines if line.get_markerfacecolor() == "w"]
        assert sum(len(line.get_xdata()) for line in hollow) == (open_ends["relation"] != "equals").sum()


def test_convergence_shows_ratios_of_epochs_and_seconds_and_who_reached_the_score():
    table = SOME.convergence()
    figure = draw("convergence", table)
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        of_target = table[table["target"] == axes.get_title()]
        for container, measure in zip(axes.containers, ("epochs", "seconds"), strict=True):
            rows = of_target[of_target["measure"] == measure]
            x, _, segments = points(container)
            np.testing.assert_allclose(np.sort(x), np.sort(rows["ratio"]))
            known = np.isfinite(rows["ratio"].to_numpy())
            assert 0 < known.sum() < len(known)
            np.testing.assert_allclose(
                np.sort(segments[np.isfinite(segments).all(axis=(1, 2)), :, 0], 0),
                np.sort(rows.loc[known, ["ci_low", "ci_high"]], 0),
            )
            low, high = axes.get_xlim()
            assert ((x > low) & (x < high) | np.isnan(x)).all()
        reached = sorted(text.get_text() for text in axes.texts)
        assert reached == sorted(f"{n}/5" for n in of_target.loc[of_target["measure"] == "epochs", "n_reached"])


def test_architectures_show_both_gains_and_their_difference_at_the_share():
    table = LARGEST.architectures()
    gains, differences = draw("architectures", table).axes
    ends = table[table["fraction"].isin([0.01, 1.0])]
    drawn = [line.get_xydata() for line in gains.lines if line.get_marker() not in ("None", None)]
    expected = ends[["recurrent_delta", "convolutional_delta"]].to_numpy()
    np.testing.assert_allclose(np.sort(np.concatenate(drawn), 0), np.sort(expected, 0))
    found = [points(container) for container in differences.containers]
    x, y = np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])
    share_of = dict(
        zip(ends["difference"].round(6), ends["convolutional_share"] - ends["recurrent_share"], strict=True)
    )
    assert np.abs(x - [100 * share_of[round(value, 6)] for value in y]).max() < 5  # shares are 10 points apart
    assert len(set(x)) == len(x) == len(ends)
    reach = np.concatenate([each[2][:, :, 1] for each in found])
    np.testing.assert_allclose(np.sort(reach, 0), np.sort(ends[["ci_low", "ci_high"]], 0), atol=2e-6)


def test_labels_stand_at_their_prevalence_at_the_smallest_fraction():
    table, correlations = SOME.per_label(), SOME.prevalence()
    figure = draw("per_label", table, correlations)
    smallest = table[(table["fraction"] == 0.01) & table["delta"].notna()]
    for axes in figure.axes:
        (target, model), spearman = axes.get_title().split("\n")[0].split(", "), axes.get_title().split("\n")[1]
        arms = sorted(table["arm"].unique())
        rows = smallest[(smallest["target"] == target) & (smallest["model"] == model)]
        marks = [line for line in axes.lines if line.get_marker() not in ("None", None)]
        for line, arm in zip(marks, arms, strict=True):
            of_arm = rows[rows["arm"] == arm]
            np.testing.assert_allclose(line.get_ydata(orig=False), of_arm["delta"])
            present = of_arm["prevalence_train"].to_numpy() > 0
            np.testing.assert_allclose(line.get_xdata(orig=False)[present], of_arm["prevalence_train"][present])
            lowest = of_arm["prevalence_train"][present].min()
            assert present.sum() == len(of_arm) - 1 and 0 < line.get_xdata(orig=False)[~present][0] < lowest
        keys = correlations.set_index(["target", "model", "fraction", "arm"])["spearman"]
        assert spearman == "Spearman " + ", ".join(
            f"{keys[target, model, 0.01, arm].round(2) + 0.0:.2f}" for arm in arms
        )


def test_controls_show_both_gains_of_a_cell_one_above_the_other():
    table = SOME.controls()
    figure = draw("controls", table)
    panels = {axes.get_title(): axes for axes in figure.axes}
    for target in SOME.targets:
        drawn = {}
        for line in panels[target].lines:
            if line.get_marker() in ("o", "s"):
                drawn[{"o": "label-specific", "s": "general"}[line.get_marker()]] = line
        for gain, line in drawn.items():
            of_gain = table[(table["target"] == target) & (table["gain"] == gain)]
            np.testing.assert_allclose(np.sort(line.get_xdata(orig=False)), np.sort(of_gain["delta"]))
        places = {gain: np.sort(line.get_ydata(orig=False)) for gain, line in drawn.items()}
        assert (places["label-specific"] < places["general"]).all()


def test_zero_shot_cells_hold_their_numbers_beside_scratch():
    table = SOME.zero_shot()
    *panels, _bar = draw("zero_shot", table).axes
    assert [axes.get_title() for axes in panels] == list(SOME.models)
    cells = table.set_index(["source", "target", "model"])
    for axes in panels:
        targets = [label.get_text() for label in axes.get_xticklabels()]
        sources = ["".join(label.get_text().split()) for label in axes.get_yticklabels()]
        assert len(axes.texts) == 4
        for text in axes.texts:
            column, row = text.get_position()
            cell = cells.loc[(sources[row], targets[column], axes.get_title())]
            words = f"{cell['score']:.3f}\nscratch 0.870\n9 labels"
            assert text.get_text() == ("no label\nin common" if np.isnan(cell["score"]) else words)
            drawn = axes.images[0].get_array()[row, column]
            assert np.ma.is_masked(drawn) if np.isnan(cell["score"]) else drawn == cell["score"]


def test_subgroups_show_scores_and_gaps_of_the_largest_fraction():
    table = SOME.subgroups()
    figure = draw("subgroups", table)
    largest = table[table["fraction"] == 1.0]
    cells = itertools.product(SOME.targets, SOME.models)
    order = ["women", "men", "under 40", "40 to 64", "65 and over"]
    for (target, model), (scores, gaps) in zip(
        cells, zip(figure.axes[::2], figure.axes[1::2], strict=True), strict=True
    ):
        assert [label.get_text() for label in scores.get_yticklabels()] == order
        assert scores.get_title("left") == f"{target}, {model}"
        rows = largest[(largest["target"] == target) & (largest["model"] == model)]
        arms = ["scratch", *sorted(set(rows["arm"]) - {"scratch"})]
        for axes, columns in ((scores, ["score", "ci_low", "ci_high"]), (gaps, ["gap", "gap_low", "gap_high"])):
            for container, arm in zip(axes.containers, arms, strict=True):
                x, y, segments = points(container)
                groups = [order[round(place)] for place in y]
                named = [{"women": "F", "men": "M"}.get(group, group) for group in groups]
                of_arm = rows[rows["arm"] == arm].set_index("group").loc[named, columns]
                np.testing.assert_allclose(np.column_stack([x, segments[:, :, 0]]), of_arm, atol=2e-6)


def test_calibration_shows_shares_against_probabilities_with_the_error():
    calibration, reliability = SOME.calibration(), SOME.reliability()
    figure = draw("calibration", calibration, reliability)
    for axes in figure.axes:
        target, model = axes.get_title().split(", ")
        _diagonal, *lines = axes.lines
        arms = ["scratch", *sorted(set(reliability["arm"]) - {"scratch"})]
        for line, arm, text in zip(lines, arms, axes.get_legend().get_texts(), strict=True):
            key = f"target == '{target}' and model == '{model}' and arm == '{arm}' and fraction == 1"
            rows = reliability.query(key).dropna()
            np.testing.assert_allclose(line.get_xydata(), rows[["probability", "observed"]])
            (error,) = calibration.query(f"{key} and metric == 'macro_ece'")["score"]
            assert text.get_text() == f"{error:.3f}"


def test_costs_are_sums_of_each_model_in_a_unit_that_suits():
    costs, break_even = SOME.costs(), SOME.break_even()
    spent, paid = draw("costs", costs, break_even).axes
    assert spent.get_xlabel() == "device time, hours"
    kinds = {"pre-training": costs["stage"] == "pretraining", "trainings from scratch": costs["arm"] == "scratch"}
    kinds["trainings after pre-training"] = ~(kinds["pre-training"] | kinds["trainings from scratch"])
    expected = [
        costs.loc[of_kind & (costs["model"] == model), "device_seconds"].sum() / 3600
        for of_kind in kinds.values()
        for model in SOME.models
    ]
    np.testing.assert_allclose([bar.get_width() for bar in spent.patches], expected)
    marks = [line.get_xdata() for line in paid.lines if line.get_marker() not in ("None", None)]
    np.testing.assert_allclose(np.sort(np.concatenate(marks)), np.sort(break_even["n_targets"].dropna()))
    for text, model in zip(paid.texts, SOME.models, strict=True):
        answers = break_even.loc[break_even["model"] == model, "break_even"].value_counts()
        assert text.get_text() == f"never: {answers['never']}\nunknown: {answers['unknown']}\nof {answers.sum()}"


def test_costs_alone_need_no_break_even():
    (axes,) = draw("costs", ONE.costs(), ONE.break_even().iloc[:0]).axes
    assert axes.get_title() == "spent"


def test_transferability_has_a_panel_per_method_with_its_correlation():
    table = EVERY_METHOD.transferability()
    figure = draw("transferability", table, EVERY_METHOD.transferability_correlation())
    for axes in figure.axes:
        method, correlation = axes.get_title().replace("\n", ", ").split(", ")
        assert correlation == "Spearman -0.42 over 4 cells"
        assert axes.get_ylim() == figure.axes[0].get_ylim()
        rows = table[table["arm"].str.startswith(f"{method}-")]
        drawn = np.concatenate([line.get_xydata() for line in axes.lines[1:]])
        np.testing.assert_allclose(np.sort(drawn, 0), np.sort(rows[["melep", "delta"]], 0))
    assert len(figure.axes) == 4


def test_claims_stand_with_their_interval_on_a_scale_of_their_own():
    figure = draw("claims", CLAIMS)
    for axes, row in zip(figure.axes, CLAIMS.itertuples(), strict=True):
        if row.finding == "not examined":
            assert [text.get_text() for text in axes.texts] == ["no such cells in this study"]
            continue
        (container,) = axes.containers
        x, _, segments = points(container)
        np.testing.assert_allclose([*x, *segments[0][:, 0]], [row.estimate, row.ci_low, row.ci_high])
        is_ratio = row.claim == "converges faster"
        assert axes.get_xscale() == ("log" if is_ratio else "linear")
        lines = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1]
        assert float(is_ratio) in lines
        low, high = axes.get_xlim()
        assert low < min(row.ci_low, is_ratio) and high > max(row.ci_high, is_ratio)
    texts = [" ".join(text.get_text().split()) for text in figure.texts]
    for row in CLAIMS.itertuples():
        assert f"{row.study}: {row.said}" in texts
        assert any(text.startswith(row.finding) for text in texts)


def test_parity_shows_both_estimates_of_a_claim_and_how_far_it_moved():
    table = parity()
    figure = draw("parity", table)
    words = {textwrap.dedent(text.get_text()) for text in figure.texts}
    for axes, row in zip(figure.axes, table.itertuples(), strict=True):
        known = [row._asdict()[name] for name in ("clean", "parity") if not np.isnan(row._asdict()[name])]
        np.testing.assert_allclose([points(container)[0][0] for container in axes.containers], known)
        heights = [points(container)[1][0] for container in axes.containers]
        assert len(set(heights)) == len(heights)
        moved = "" if np.isnan(row.moved) else f"\nmoved by {row.moved:+.3f}"
        assert f"clean: {row.clean_finding}\nparity: {row.parity_finding}{moved}" in words

"""A mean over models and sources is a run like any other: by hand, and with what must not count."""

import numpy as np
import pytest
from test_findings import CONFIDENCE, MARGIN, N_RESAMPLES, SEED, run

from ecgtransfer.compare.runs import ALL_MODELS, ALL_SOURCES
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.compare.verdicts import verdicts
from ecgtransfer.errors import InputError
from ecgtransfer.findings.headlines import mean_runs

NOISE = np.random.default_rng(1).normal(scale=0.02, size=(4, N_RESAMPLES))


def study():
    """Two models, of which gru has two sources and lstm one; a control and another method in addition."""
    return [
        run("scratch", [0.6, 0.7], NOISE[0]),
        run("finetune-a", [0.7, 0.7], NOISE[1]),
        run("finetune-b", [0.8, 0.9], NOISE[2]),
        run("finetune-b-shuffled", [0.0, 0.0], NOISE[3]),
        run("probe-a", [0.0, 0.0], NOISE[3]),
        run("scratch", [0.3, 0.1], NOISE[0], model="lstm"),
        run("finetune-a", [0.6, 0.8], NOISE[3], model="lstm"),
    ]


def test_every_comparison_counts_once():
    transfer, scratch = mean_runs(study(), "finetune")
    assert (transfer.model, transfer.arm, transfer.source) == (ALL_MODELS, f"finetune-{ALL_SOURCES}", ALL_SOURCES)
    assert scratch.arm == "scratch"
    for metric in MACRO_METRICS:
        assert transfer.macro_scores(metric) == pytest.approx([0.7, 0.8])
        assert scratch.macro_scores(metric) == pytest.approx([0.5, 0.5])
        expected = np.array([[0.7], [0.8]]) + NOISE[1:].mean(axis=0)
        assert np.allclose(transfer.resamples[metric], expected)
        assert np.allclose(scratch.resamples[metric], 0.5 + NOISE[0])


def test_the_headline_is_the_mean_of_the_verdicts():
    runs = study()
    every = verdicts(runs, CONFIDENCE, MARGIN, SEED).query("metric == 'macro_auroc' and arm.str.startswith('finetune')")
    every = every[~every["source"].str.endswith("shuffled")]
    (row,) = (
        verdicts(mean_runs(runs, "finetune"), CONFIDENCE, MARGIN, SEED).query("metric == 'macro_auroc'").itertuples()
    )
    assert row.delta == pytest.approx(every["delta"].mean())
    assert row.ci_low <= row.delta <= row.ci_high


def test_targets_and_fractions_stay_apart():
    others = [run(arm, [0.5, 0.5], NOISE[0], fraction=0.5, target="cpsc") for arm in ("scratch", "finetune-a")]
    found = mean_runs([*study(), *others], "finetune")
    assert [(each.target, each.fraction) for each in found] == [("ptbxl", 0.1)] * 2 + [("cpsc", 0.5)] * 2


def test_comparisons_that_do_not_match_are_refused():
    more = [run(arm, [0.5, 0.5], NOISE[0], model="lstm", n_train=[50, 50]) for arm in ("scratch", "finetune-a")]
    with pytest.raises(InputError, match="train and score both again"):
        mean_runs([*study()[:3], *more], "finetune")

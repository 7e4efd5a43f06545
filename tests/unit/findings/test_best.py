"""Which source, model and method is the best: who is compared with whom, in words, and how often it is wrong."""

import numpy as np
import pandas as pd
import pytest
from test_findings import CONFIDENCE, N_RESAMPLES, SEED, run

from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.scores import MACRO_METRICS
from ecgtransfer.errors import InputError
from ecgtransfer.findings.best import BEST_COLUMNS, best, choices, on_page

NOISE = np.random.default_rng(1).normal(scale=0.02, size=N_RESAMPLES)
A, B, C = [0.80, 0.82, 0.81], [0.70, 0.72, 0.71], [0.79, 0.83, 0.81]


def of_auroc(runs, **options):
    table = best(runs, "finetune", CONFIDENCE, SEED, **options)
    return table[table["metric"] == "macro_auroc"].set_index(["choice", "model", "candidate"])


def test_sources_are_compared_for_each_model_and_controls_are_no_candidates():
    runs = [run("scratch", [0.99] * 3, NOISE), run("finetune-a-shuffled", [0.99] * 3, NOISE)]
    runs += [run("finetune-a", A, NOISE), run("finetune-b", B, NOISE), run("finetune-a-untrained", [0.99] * 3, NOISE)]
    runs += [run("finetune-a", B, NOISE, model="lstm"), run("finetune-b", A, NOISE, model="lstm")]
    table = best(runs, "finetune", CONFIDENCE, SEED)
    assert list(table) == BEST_COLUMNS
    assert set(table["metric"]) == set(MACRO_METRICS)
    found = of_auroc(runs).loc["source"]
    assert found["standing"].to_dict() == {
        ("gru", "a"): "best", ("gru", "b"): "behind", ("lstm", "a"): "behind", ("lstm", "b"): "best",
    }  # fmt: skip
    assert found.loc[("gru", "a"), "difference"] == pytest.approx(0.1)
    assert found.loc[("gru", "b"), "difference"] == pytest.approx(-0.1)


def test_models_are_means_over_the_sources_that_all_have():
    runs = [run("finetune-a", A, NOISE), run("finetune-b", B, NOISE), run("finetune-c", [0.1] * 3, NOISE)]
    runs += [run("finetune-a", C, NOISE, model="lstm"), run("finetune-b", B, NOISE, model="lstm")]
    found = of_auroc(runs).loc["model", "all models"]
    assert found["score"].to_dict() == pytest.approx({"gru": 0.76, "lstm": 0.76})
    assert found["n_cells"].tolist() == [2, 2]
    assert found["standing"].tolist() == ["tie", "tie"]


def test_methods_are_means_over_models_and_sources_and_sources_are_those_of_the_first_method():
    runs = [
        run("finetune-a", A, NOISE),
        run("finetune-b", A, NOISE),
        run("probe-a", A, NOISE),
        run("probe-b", B, NOISE),
    ]
    found = of_auroc(runs)
    assert found.loc["method", "all models"]["score"].to_dict() == pytest.approx({"finetune": 0.81, "probe": 0.76})
    assert found.loc["source", "gru"]["standing"].tolist() == ["tie", "tie"]


def test_where_there_is_one_of_each_nothing_can_be_chosen():
    table = best([run("scratch", A, NOISE), run("finetune-a", A, NOISE)], "finetune", CONFIDENCE, SEED)
    assert list(table) == BEST_COLUMNS
    assert on_page({"best": table}) is None


def test_candidates_that_do_not_match_are_refused_and_unknown_scores_are_not_compared():
    with pytest.raises(InputError, match="replicates or training subsets differ"):
        list(choices([run("finetune-a", A, NOISE), run("finetune-b", B, NOISE, n_train=[50] * 3)], "finetune"))
    assert of_auroc([run("finetune-a", A, NOISE), run("finetune-b", [np.nan] * 3, NOISE)]).empty


def test_the_page_names_the_best_or_says_what_ties():
    def said(**scores):
        runs = [run(f"finetune-{source}", values, NOISE) for source, values in scores.items()]
        more = [run(f"finetune-{source}", B, NOISE, fraction=1.0) for source in scores]
        return on_page({"best": best([*runs, *more], "finetune", CONFIDENCE, SEED)})

    part = said(a=A, b=B)
    (sentence,) = part.values["sentences"]
    assert sentence.startswith("Best source for gru on ptbxl with 100 recordings: a, 0.100 [0.100, 0.100] macro AUROC")
    assert "behind: b (-0.100 [" in sentence
    assert len(part.values["table"].rows) == 4
    (sentence,) = said(a=A, b=B, c=C).values["sentences"]
    assert ": a and c tie: " in sentence and "behind: b (" in sentence


@pytest.mark.parametrize("n_replicates", [3, 6])
def test_of_equal_sources_few_are_behind_with_variances_known_from_all_choices(n_replicates):
    # A study has four sources at three numbers of labels; the rate is that of choices in which any is behind.
    generator, n_wrong, n_choices = np.random.default_rng(n_replicates), 0, 0
    n_train = np.full(n_replicates, 100)
    for study in range(250):
        runs = []
        for fraction in (0.1, 0.3, 1.0):
            of_patients = 0.02 * generator.normal(size=N_RESAMPLES)
            for source in "abcd":
                own = 0.01 * generator.normal(size=(1, N_RESAMPLES))
                values = 0.8 + 0.01 * generator.normal() + 0.02 * generator.normal(size=n_replicates)
                rows = {"replicate": range(n_replicates), "label": "macro", "metric": "macro_auroc", "value": values}
                resamples = {"macro_auroc": values[:, None] + of_patients + own}
                arm = f"finetune-{source}"
                runs.append(Run("clinic", "gru", arm, fraction, pd.DataFrame(rows), resamples, n_train, n_train))
        table = best(runs, "finetune", CONFIDENCE, study % 20, "moderated")
        behind = (table["standing"] == "behind").groupby(table["fraction"]).any()
        n_wrong, n_choices = n_wrong + behind.sum(), n_choices + len(behind)
    assert n_choices == 750
    assert n_wrong / n_choices <= 0.07

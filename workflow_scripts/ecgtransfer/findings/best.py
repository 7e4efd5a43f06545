"""Which source, model and method of transfer is the best, or which ones tie.

Whoever takes the candidate with the highest test score as the best one, and reports its score, reports chance, too. So
the differences have intervals that hold for all candidates at once, and those that chance can tell apart tie. What is
chosen on validation records, such as epochs, needs none of this.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.arms import SCRATCH
from ecgtransfer.compare.runs import ALL_MODELS, Run, check_pair
from ecgtransfer.compare.tables import TableForm, sorted_table
from ecgtransfer.compare.variances import Compared, How, variances_of
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.exhibits.style import answered
from ecgtransfer.exhibits.tables import Columns, count, fraction, interval, named_rows, number, table_of, value, word
from ecgtransfer.source import Source
from ecgtransfer.statistics.best import Pair, from_the_best
from ecgtransfer.statistics.inference import Variance

Array = NDArray[Any]

SOURCE, MODEL, METHOD = "source", "model", "method"
BEST, TIE, BEHIND = "best", "tie", "behind"
BEST_COLUMNS = [
    *("target", "fraction", "n_train", "metric", "choice", "model", "candidate", "n_cells"),
    *("score", "difference", "ci_low", "ci_high", "standing"),
]
TABLES = {
    "best": TableForm(
        BEST_COLUMNS,
        "which source, model and method is best, and which tie",
        "One row per target, choice, fraction, metric and candidate, where there are several. Controls are no"
        " candidates.",
        {
            "target, fraction, n_train, metric": "as in verdicts.csv",
            "choice": "`source`, for each model; `model`, mean over sources, or `method`, mean over models and sources",
            "model": "for which the source is chosen, else `all models`",
            "candidate": "name of the source, model or method; sources and models by the first of `transfer.methods`",
            "n_cells": "cells that its score is the mean of: only those count that all candidates have",
            "score": "mean over replicates on the test recordings",
            "difference": "`score` minus that of the best other candidate, paired by replicate",
            "ci_low, ci_high": "of `difference`, at `compare.confidence` for all candidates at once",
            "standing": "`behind`: the interval lies below 0, another one is better; `tie` where several are left, or"
            " `best` where one is",
        },
    )
}


@dataclass(frozen=True)
class Choice:
    """Candidates of a target and fraction, each with the cells whose mean score counts for it."""

    choice: str
    model: str
    candidates: Mapping[str, Sequence[Run]]

    @property
    def first(self) -> Run:
        """One of the cells; all have the same target, fraction, subsets and resamples."""
        return next(iter(self.candidates.values()))[0]


def compute(runs: Sequence[Run], method: str, confidence: float, seed: int, variance: How) -> dict[str, pd.DataFrame]:
    """Return the table of `best`."""
    return {"best": best(runs, method, confidence, seed, variance)}


def best(runs: Sequence[Run], method: str, confidence: float, seed: int, variance: How = "own") -> pd.DataFrame:
    """Return how far each source, model and method is from the best of the others, and which may be the best.

    Parameters
    ----------
    runs
        All cells of a study.
    method
        The method of transfer by which sources and models are compared, such as ``finetune``.
    confidence, seed
        Of the intervals, for all candidates of a choice at once, and of their draws of replicates.
    variance
        Whether all differences of a kind of choice and metric tell how far replicates vary, or each one's alone.

    Returns
    -------
    pandas.DataFrame
        Columns `BEST_COLUMNS`. Scores that are not known in every replicate are not compared.

    Raises
    ------
    InputError
        If candidates differ in replicates, training subsets or resamples.
    """
    found, rows = list(choices(runs, method)), []
    for kind in (SOURCE, MODEL, METHOD):
        of_kind = [each for each in found if each.choice == kind]
        for metric in dict.fromkeys(metric for each in of_kind for metric in each.first.resamples):
            rows += _rows(of_kind, metric, confidence, seed, variance)
    return sorted_table(rows, BEST_COLUMNS, ["target", "choice", "model", "fraction", "metric", "candidate"])


def choices(runs: Sequence[Run], method: str) -> Iterator[Choice]:
    """Yield all choices among two or more candidates."""
    groups: defaultdict[tuple[Any, ...], defaultdict[str, dict[Any, Run]]] = defaultdict(lambda: defaultdict(dict))
    for run in runs:
        if run.arm == SCRATCH or Source.of(run.source).is_control:
            continue
        place = (run.target, run.fraction)
        groups[METHOD, ALL_MODELS, *place][run.method][run.model, run.source] = run
        if run.method == method:
            groups[SOURCE, run.model, *place][run.source][None] = run
            groups[MODEL, ALL_MODELS, *place][run.model][run.source] = run
    for (choice, model, *_), candidates in groups.items():
        common = set.intersection(*map(set, candidates.values()))
        if len(candidates) > 1 and common:
            of_each = {name: [run for key, run in cells.items() if key in common] for name, cells in candidates.items()}
            found = Choice(choice, model, of_each)
            for run in (run for cells in of_each.values() for run in cells):
                check_pair(run, found.first)
            yield found


def _rows(of_kind: Sequence[Choice], metric: str, confidence: float, seed: int, how: How) -> list[dict[str, object]]:
    """Return the rows of all choices of a kind by one metric."""
    scored = []
    for choice in of_kind:
        cells = choice.candidates.values()
        values = np.array([np.mean([run.macro_scores(metric) for run in each], axis=0) for each in cells])
        if np.isfinite(values).all():
            resampled = np.array([np.mean([run.resamples[metric] for run in each], axis=0) for each in cells])
            scored.append((choice, values, resampled))
    rows: list[dict[str, object]] = []
    known = _variances([(choice, values) for choice, values, _ in scored], how)
    for (choice, values, resampled), of_pairs in zip(scored, known, strict=True):
        found = from_the_best(values, resampled, confidence, seed, of_pairs)
        left = TIE if found.may_be_best.sum() > 1 else BEST
        for place, (candidate, of_candidate) in enumerate(choice.candidates.items()):
            rows.append(
                {
                    **{"target": choice.first.target, "choice": choice.choice, "model": choice.model},
                    **{"fraction": choice.first.fraction, "n_train": round(float(choice.first.n_train.mean()))},
                    **{"metric": metric, "candidate": candidate, "n_cells": len(of_candidate)},
                    **{"score": values[place].mean(), "difference": found.difference[place]},
                    **{"ci_low": found.low[place], "ci_high": found.high[place]},
                    "standing": left if found.may_be_best[place] else BEHIND,
                }
            )
    return rows


def _variances(scored: Sequence[tuple[Choice, Array]], how: How) -> list[dict[Pair, Variance | None]]:
    """Return the variance of each difference of two candidates, which those of all choices tell of."""
    places = [(place, pair) for place, (_, values) in enumerate(scored) for pair in combinations(range(len(values)), 2)]
    compared = []
    for place, (i, j) in places:
        choice, values = scored[place]
        first = choice.first
        method = "" if choice.choice == METHOD else first.method
        n_train = float(first.n_train.mean())
        compared.append(Compared(values[i] - values[j], first.target, method, n_train, f"{place} {i}"))
    found: list[dict[Pair, Variance | None]] = [{} for _ in scored]
    for (place, pair), variance in zip(places, variances_of(compared, how), strict=True):
        found[place][pair] = variance
    return found


_ON_PAGE = """
<details{% if its.sentences | length <= 12 %} open{% endif %}>
<summary>With the fewest labels</summary>
<ul>
{% for sentence in its.sentences %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
</details>
<details>
<summary>All numbers of labels</summary>
{{ laid_out(its.table) }}
<p class="note">The difference is from the best other candidate. Intervals of all pairs of candidates are longer than
single ones, so that they hold at once (studentised maximum of joint draws; Romano &amp; Wolf 2005); from them follow
those of the difference from the best (Hsu 1981). One that lies below 0 is behind. Other metrics:
<a href="../findings/best.csv">findings/best.csv</a></p>
</details>
"""
_COLUMNS: Columns = {
    **{"target": word("target"), "choice": word("choice"), "for": word("model"), "candidate": word("candidate")},
    **{"fraction": fraction, "recordings": count("n_train"), "score": value("score")},
    **{"difference": value("difference"), "interval": interval, "standing": word("standing")},
}


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the choices at the fewest labels in words, and the numbers of all; None where nothing can be chosen."""
    rows = answered(tables["best"])
    if rows.empty:
        return None
    keys = ["target", "choice", "model", "fraction"]
    rows = rows.sort_values([*keys, "score"], ascending=[True, False, True, True, False])
    fewest = rows[rows["fraction"] == rows.groupby("target")["fraction"].transform("min")]
    sentences = [_sentence(of_choice) for _, of_choice in fewest.groupby(keys, sort=False)]
    return Part(_ON_PAGE, {"sentences": sentences, "table": table_of(rows, _COLUMNS, n_words=4)})


def _sentence(rows: pd.DataFrame) -> str:
    """Return what is the best of a choice, or what ties; the rows are in the order of their scores."""
    first, *others = named_rows(rows)
    among = f" for {first.model}" if first.choice == SOURCE else ""
    where = f"{first.choice}{among} on {first.target} with {first.n_train:,} recordings"
    ahead = f"{number(first.difference)} {interval(first)} {METRIC_NAMES[ANSWERED_METRIC]} ahead of the next"
    tied = [row.candidate for row in (first, *others) if row.standing == TIE]
    behind = [f"{row.candidate} ({number(row.difference)} {interval(row)})" for row in others if row.standing == BEHIND]
    said = f"{_listed(tied)} tie: {first.candidate} is {ahead}" if tied else f"{first.candidate}, {ahead}"
    return f"Best {where}: {said}{'; behind: ' + ', '.join(behind) if behind else ''}."


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"

"""What a study finds on published claims: four of Nguyen & Do and one of Avetisyan et al.

A claim is agreed with where the interval of its measure lies on its side of no difference, contradicted where it lies
on the other side, undecided where it holds no difference, and not examined where the study has no cells for it.
Fine-tuning is what was published, so other methods of transfer do not count, nor do sources whose labels are shuffled
or that are learnt from in other ways than by labels.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgtransfer.arms import FINETUNE, Cell, method_name_of, source_of
from ecgtransfer.compare.convergence import mean_over_replicates, replicate_convergence, trainings_of
from ecgtransfer.compare.gains import CONVOLUTIONAL, RECURRENT, Gain, mean_gain, mean_over_targets
from ecgtransfer.compare.runs import Run, mean_with_interval, pairs
from ecgtransfer.compare.tables import KEY_COLUMNS, TableForm, sorted_table
from ecgtransfer.compare.variances import Compared, How, variances_of
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.claim_rows import NOT_EXAMINED, claim_rows, say_nothing, set_scale
from ecgtransfer.exhibits.page_parts import Part
from ecgtransfer.exhibits.style import BLUE, RED, SMALL, Style, bars, draw_points, nothing_to_show
from ecgtransfer.exhibits.tables import Columns, count, interval, named_rows, table_of, value, word
from ecgtransfer.source import LABELS, Source

CLAIM_COLUMNS = ["claim", "study", "said", "measure", "estimate", "ci_low", "ci_high", "n_cells", "finding"]
METRIC = "macro_auroc"
AGREES, CONTRADICTS, UNDECIDED = "agrees", "contradicts", "undecided"


@dataclass(frozen=True)
class Claim:
    """A published claim: in which study, what it claims, and how it is measured here."""

    study: str
    said: str
    measure: str


_NGUYEN, _AVETISYAN = "Nguyen & Do 2025", "Avetisyan et al. 2024"
CLAIMS = {
    "small sets": Claim(
        _NGUYEN,
        "Where the target is small, fine-tuning a pre-trained model is the better choice.",
        "gain in macro AUROC at the smallest fraction",
    ),
    "declines": Claim(
        _NGUYEN,
        "The larger the target, the less is gained by fine-tuning.",
        "gain in macro AUROC at the smallest fraction minus that at the largest",
    ),
    "converges faster": Claim(
        _NGUYEN,
        "Fine-tuning gets to a good score in fewer epochs than training from scratch.",
        "ratio of epochs to the same validation score, fine-tuned to from scratch",
    ),
    "CNN over RNN": Claim(
        _NGUYEN,
        "Convolutional models gain more by transfer than recurrent ones.",
        "gain in macro AUROC at the smallest fraction, convolutional minus recurrent models",
    ),
    "several sources": Claim(
        _AVETISYAN,
        "Models pre-trained on recordings of many hospitals beat those trained on the target alone.",
        "gain in macro AUROC at the largest fraction, from sources that join data sets",
    ),
}
TABLES = {
    "claims": TableForm(
        CLAIM_COLUMNS,
        "what the two studies concluded, as numbers of this one",
        "One row per claim.",
        {
            "claim, study, said": "what was concluded, and by whom",
            "measure, estimate, ci_low, ci_high": "what it is as a number of this study",
            "n_cells": "comparisons behind it",
            "finding": "`agrees`, `contradicts`, `undecided`, or `not examined` where the study has no such runs",
        },
    )
}
CAPTION = """
What earlier studies concluded, and what this one finds on the same question: an estimate over all its cells with
{percent} interval, and whether it agrees, contradicts or leaves the claim undecided. The numbers are in
``findings/claims.csv``.
"""


def compute(
    runs: Sequence[Run],
    metadata: Mapping[Cell, Mapping[str, Any]],
    histories: Mapping[Cell, pd.DataFrame],
    families: Mapping[str, str],
    joined: Collection[str],
    confidence: float,
    seed: int,
    variance: How,
) -> dict[str, pd.DataFrame]:
    """Return the table of `claims`."""
    by_replicate = replicate_convergence(trainings_of(metadata, histories))
    return {"claims": claims(runs, by_replicate, families, joined, confidence, seed, variance)}


def claims(
    runs: Sequence[Run],
    by_replicate: pd.DataFrame,
    families: Mapping[str, str],
    joined: Collection[str],
    confidence: float,
    seed: int,
    variance: How = "own",
) -> pd.DataFrame:
    """Return for every published claim whether this study agrees.

    Parameters
    ----------
    runs
        All cells of the study.
    by_replicate
        The table of `ecgtransfer.compare.convergence.replicate_convergence`.
    families
        The family of each model.
    joined
        The sources that join data sets.
    confidence, seed
        Of the intervals, and of their draws.
    variance
        Whether the gains of all claims tell how far replicates vary, or each one's alone.

    Returns
    -------
    pandas.DataFrame
        Columns `CLAIM_COLUMNS`, a row for each of `CLAIMS`, in their order. ``estimate``, ``ci_low`` and ``ci_high``
        are of the ``measure``, ``n_cells`` counts the cells with transferred weights behind it; all are empty where a
        claim is not examined.

    Raises
    ------
    InputError
        If a partner from scratch is missing, or runs differ in replicates, training subsets or resamples.

    Notes
    -----
    Each estimate is a mean over cells. Gains vary with test patients, who are the same for all cells of a target and
    others for another target, and with replicates. Patients are so drawn for each target for itself, replicates for all
    targets together, which holds whether or not replicate r of two targets has the same pre-trained weights. Targets
    are taken to share no patients. The smallest and largest fractions are those of each target.

    Of convergence the mean is that of the logarithms of the ratios, and its interval is Student's over replicates. A
    training that never reaches the goal counts as slowest: as if it had needed one epoch more than either training had,
    and the one from scratch a single epoch. No ratio in the pair could be larger, so leaving the goal unreached never
    makes transfer look faster (worst-rank scores; Lachin 1999, Control. Clin. Trials 20:408-422). Replicates that all
    have the same ratio leave it undecided, as they show no spread.
    """
    gains = [Gain.of(run, scratch, METRIC) for run, scratch in pairs(runs) if _counts(run.arm)]
    fractions: defaultdict[str, set[float]] = defaultdict(set)
    for gain in gains:
        fractions[gain.target].add(gain.fraction)
    smallest = [gain for gain in gains if gain.fraction == min(fractions[gain.target])]
    largest = [gain for gain in gains if gain.fraction == max(fractions[gain.target])]
    differences = {
        "small sets": smallest,
        "declines": _declines(smallest, largest),
        "CNN over RNN": _between_families(smallest, families),
        "several sources": [gain for gain in largest if source_of(gain.arm) in joined],
    }
    found = _differences(differences, confidence, seed, variance)
    found["converges faster"] = _ratio(by_replicate, confidence)
    rows: list[dict[str, object]] = [
        {"claim": name, "study": claim.study, "said": claim.said, "measure": claim.measure, **found[name]}
        for name, claim in CLAIMS.items()
    ]
    return sorted_table(rows, CLAIM_COLUMNS, []).astype({"n_cells": "Int64"})


def _counts(arm: str) -> bool:
    """Return whether an arm is what was published: fine-tuned from a source that was learnt by its true labels."""
    source = source_of(arm)
    return method_name_of(arm) == FINETUNE and Source.of(source).task == LABELS and not Source.of(source).shuffled


def _declines(smallest: Sequence[Gain], largest: Sequence[Gain]) -> list[Gain]:
    """Return the gain at the smallest fraction minus that at the largest, of every model and arm that has both."""
    at_end = {(gain.target, gain.model, gain.arm): gain for gain in largest}
    beside = [(gain, at_end.get((gain.target, gain.model, gain.arm))) for gain in smallest]
    return [gain.minus(end) for gain, end in beside if end is not None and end.fraction > gain.fraction]


def _between_families(gains: Sequence[Gain], families: Mapping[str, str]) -> list[Gain]:
    """Return the mean gain of convolutional models minus that of recurrent ones, wherever an arm has both."""
    members: defaultdict[tuple[str, str], dict[str, list[Gain]]] = defaultdict(
        lambda: {CONVOLUTIONAL: [], RECURRENT: []}
    )
    for gain in gains:
        of_arm = members[gain.target, gain.arm]
        if families.get(gain.model) in of_arm:
            of_arm[families[gain.model]].append(gain)
    return [
        mean_gain(each[CONVOLUTIONAL]).minus(mean_gain(each[RECURRENT]))
        for each in members.values()
        if all(each.values())
    ]


def _differences(
    by_claim: Mapping[str, Sequence[Gain]], confidence: float, seed: int, variance: How
) -> dict[str, dict[str, object]]:
    """Return the columns on the mean gain of each claim, larger than 0 where the claim holds."""
    found: dict[str, dict[str, object]] = {claim: {"n_cells": pd.NA, "finding": NOT_EXAMINED} for claim in by_claim}
    known = {claim: [gain for gain in gains if np.isfinite(gain.values).all()] for claim, gains in by_claim.items()}
    means = {claim: mean_over_targets(gains, seed) for claim, gains in known.items() if gains}
    variances = variances_of([Compared(mean.values) for mean in means.values()], variance)
    for (claim, mean), of_claim in zip(means.items(), variances, strict=True):
        estimate, low, high = mean_with_interval(mean.values, mean.resampled, confidence, seed, of_claim)
        finding = AGREES if low > 0 else CONTRADICTS if high < 0 else UNDECIDED
        n_cells = sum(gain.n_cells for gain in known[claim])
        found[claim] = {"estimate": estimate, "ci_low": low, "ci_high": high, "n_cells": n_cells, "finding": finding}
    return found


def _ratio(by_replicate: pd.DataFrame, confidence: float) -> dict[str, object]:
    """Return the columns on the ratio of epochs to the same score, below 1 where the claim holds."""
    rows = by_replicate[by_replicate["arm"].map(_counts).astype(bool)]
    cells = [
        _log_ratios(replicates)
        for _, replicates in rows.groupby(KEY_COLUMNS, sort=True)
        if replicates["goal"].notna().all()
    ]
    if not cells:
        return {"n_cells": pd.NA, "finding": NOT_EXAMINED}
    if len({len(cell) for cell in cells}) > 1:
        raise InputError("histories: replicates of the cells differ in number; train all again")
    ends = mean_over_replicates(np.mean(cells, axis=0), confidence)
    estimate, low, high = (math.exp(end) for end in ends)
    certain = not math.isclose(low, high)  # whole epochs of short trainings can agree by chance
    finding = AGREES if certain and high < 1 else CONTRADICTS if certain and low > 1 else UNDECIDED
    return {"estimate": estimate, "ci_low": low, "ci_high": high, "n_cells": len(cells), "finding": finding}


def _log_ratios(replicates: pd.DataFrame) -> NDArray[np.float64]:
    """Return the logarithms of epochs with transferred weights over those from scratch, (R,)."""
    ordered = replicates.sort_values("replicate")
    scratch, transfer, *run = (
        ordered[f"epochs_{name}"].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("scratch", "transfer", "run_scratch", "run_transfer")
    )
    logs: NDArray[np.float64] = np.log(np.where(np.isnan(transfer), np.max(run, axis=0) + 1, transfer / scratch))
    return logs


STYLES: dict[str, Style] = {
    AGREES: {"color": BLUE, "marker": "o"},
    CONTRADICTS: {"color": RED, "marker": "X"},
    UNDECIDED: {"color": "0.35", "marker": "o", "markerfacecolor": "white"},
}


def draw(claims: pd.DataFrame) -> Figure:
    """Return the figure from the table ``claims.csv``; a claim on a ratio is drawn on a logarithmic scale around 1."""
    if claims.empty:
        return nothing_to_show("No claims to compare with.")
    texts = [f"{row.study}: {row.said}" for row in named_rows(claims)]
    figure, rows = claim_rows(texts, list(claims["measure"]))
    for row, claim in zip(rows, named_rows(claims), strict=True):
        if claim.finding in STYLES:
            of_claim = claims.loc[[claim.Index]]
            reach = bars(of_claim["estimate"], of_claim["ci_low"], of_claim["ci_high"])
            draw_points(row.axes, of_claim["estimate"], [0], STYLES[claim.finding], xerr=reach, markersize=6)
            set_scale(row.axes, claim.measure, of_claim[["estimate", "ci_low", "ci_high"]])
            figure.text(*row.found, f"{claim.finding}\n({claim.n_cells:.0f} cells)", fontsize=SMALL, va="center")
        else:
            say_nothing(row.axes)
            figure.text(*row.found, NOT_EXAMINED, fontsize=SMALL, va="center")
    return figure


_ON_PAGE = """
<p>The conclusions of two studies (Nguyen &amp; Do, doi:10.1371/journal.pone.0316043; Avetisyan et al.,
arXiv 2305.18592), each as a number of this
study. The finding is agrees or contradicts where the {{ percent }} interval excludes the number at which there is no
effect, otherwise undecided; not examined where this study has no such runs.</p>
<div class="claims">
{{ laid_out(its.table, True) }}
</div>
{% if its.examined %}
<figure>
{{ drawn("claims", "Each claim as a number with its interval. The table above holds the same.") }}
<figcaption>Each claim as a number, with its interval.
<a href="../findings/claims.csv">findings/claims.csv</a></figcaption>
</figure>
{% endif %}
"""
_COLUMNS: Columns = {
    **{"study": word("study"), "conclusion": word("said"), "measured as": word("measure"), "found": value("estimate")},
    "interval": lambda row: "–" if pd.isna(row.ci_low) else interval(row),
    **{"comparisons": count("n_cells"), "finding": word("finding")},
}


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Return the claims with what came out, which the page colours, and the figure if any was examined."""
    found = tables["claims"]
    values = {"table": table_of(found, _COLUMNS, n_words=3), "examined": found["estimate"].notna().any()}
    return Part(_ON_PAGE, values)

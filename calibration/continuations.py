"""Does the interval of a continued learning curve hold the score that is reached with more labels?

Simulated studies of several arms whose true curves are known: some are inverse power laws, as which they are continued,
and some are not. Test patients move all points of a study, and replicates each point.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from ecgtransfer.compare.continuation import continuations
from ecgtransfer.compare.runs import Run
from ecgtransfer.compare.variances import How
from ecgtransfer.statistics.inference import percentile_interval

Array = NDArray[Any]

KINDS = {
    "power law": "inverse power law, exponent 0.25 to 1",
    "slow power law": "inverse power law, exponent 0.1 to 0.25",
    "exponential": "the rest to the asymptote falls exponentially with recordings, to 5 to 50 % of what it was",
    "logistic": "logistic in the logarithm of recordings, half way between the smallest share and 25 % at that",
}
"""The true curves, from a score of 0.55 to 0.8 at the smallest share to an asymptote of 0.85 to 1."""
POWER_LAWS = ("power law", "slow power law")
SHARES = {5: (0.05, 0.1, 0.2, 0.5, 1.0), 7: (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)}
REPLICATES = (3, 5)
TIMES = (2.0, 5.0, 10.0)
CONFIDENCE, N_RESAMPLES = 0.95, 400
N_RECORDINGS, METRIC = 10_000, "macro_auroc"
ARMS = ("scratch", "finetune-a", "finetune-b", "finetune-c")
OF_REPLICATES, OF_PATIENTS = (0.002, 0.008), (0.004, 0.012)
"""Standard deviations at the largest share, from and to."""
FALL = 0.35
"""Power of the share with which the standard deviation of replicates falls."""
SHARED = 0.8
"""Of the variance of test patients, what they do to all points alike."""
TOGETHER = (0.0, 0.5)
"""Correlation of a replicate's scores at different shares, of which larger ones hold the smaller: in turn."""


@dataclass(frozen=True)
class Setting:
    """A kind of simulated studies: one of `KINDS`, with so many shares and replicates."""

    kind: str
    n_shares: int
    n_replicates: int


def settings() -> Iterator[Setting]:
    """Yield all settings, in the order of the table."""
    for kind in KINDS:
        for n_shares in SHARES:
            for n_replicates in REPLICATES:
                yield Setting(kind, n_shares, n_replicates)


def true_scores(kind: str, least: float, times: Array, generator: np.random.Generator) -> Array:
    """Return the scores of a curve drawn from a kind, at multiples of the largest share, `least` being the smallest."""
    asymptote, first = generator.uniform(0.85, 1), generator.uniform(0.55, 0.8)
    match kind:
        case "exponential":
            left = generator.uniform(0.05, 0.5) ** ((times - least) / (1 - least))
        case "logistic":
            steepness, half_way = generator.uniform(0.6, 1.2), np.log(least) * generator.uniform(0.5, 1)
            begin, rest = (1 - expit(steepness * (np.log(each) - half_way)) for each in (least, times))
            left = rest / begin
        case _:
            exponent = generator.uniform(*((0.25, 1) if kind == "power law" else (0.1, 0.25)))
            left = (times / least) ** -exponent
    scores: Array = asymptote - (asymptote - first) * left
    return scores


def simulated_study(setting: Setting, together: float, generator: np.random.Generator) -> tuple[list[Run], Array]:
    """Return the runs of a study, and the true scores of its arms at `TIMES`, (arms, times)."""
    shares, n_replicates = np.array(SHARES[setting.n_shares]), setting.n_replicates
    times = np.append(shares, TIMES)
    true = np.stack([true_scores(setting.kind, shares[0], times, generator) for _ in ARMS])
    of_replicates = np.exp(generator.uniform(*np.log(OF_REPLICATES))) * shares**-FALL
    of_patients = generator.uniform(*OF_PATIENTS)

    def patients(n: int) -> Array:
        alike, own = generator.normal(size=(n, 1, 1)), generator.normal(size=(n, len(ARMS), len(shares)))
        moved: Array = of_patients * (np.sqrt(SHARED) * alike + np.sqrt(1 - SHARED) * own)
        return moved

    present, resampled = patients(1)[0], patients(N_RESAMPLES)
    runs = []
    for arm, name in enumerate(ARMS):
        alike, own = generator.normal(size=(n_replicates, 1)), generator.normal(size=(n_replicates, len(shares)))
        scores = true[arm, : len(shares)] + present[arm]
        scores = scores + of_replicates * (np.sqrt(together) * alike + np.sqrt(1 - together) * own)
        for place, share in enumerate(shares):
            values = scores[:, place]
            table = pd.DataFrame(
                {"replicate": range(n_replicates), "label": "macro", "metric": METRIC, "value": values}
            )
            resamples = {METRIC: values[:, None] + resampled[:, arm, place]}
            n_train = np.full(n_replicates, round(share * N_RECORDINGS))
            runs.append(Run("target", "model", name, float(share), table, resamples, n_train, n_train))
    return runs, true[:, len(shares) :]


def simulated(setting: Setting, n_studies: int, seed: int) -> dict[str, object]:
    """Return a row of the table: what came out of so many studies of a setting.

    Of all curves the shares whose interval holds the true score at each of `TIMES`, with `compare.variance: moderated`
    and ``own``; ``above``: whose true score lies above it at the last of them; ``withheld``: whose largest share,
    withheld, is as predicted; ``width``: the median width at each of `TIMES`.
    """
    generator = np.random.default_rng([seed, list(KINDS).index(setting.kind), setting.n_shares, setting.n_replicates])
    found: list[Mapping[str, float]] = []
    for study in range(n_studies):
        runs, true = simulated_study(setting, TOGETHER[study % len(TOGETHER)], generator)
        found += [
            {**moderated, **own}
            for moderated, own in zip(
                _held(runs, true, study % 20, "moderated"), _held(runs, true, study % 20, "own"), strict=True
            )
        ]
    table = pd.DataFrame(found)
    widths = table.filter(like="width")
    return {
        **{"curve": setting.kind, "shares": setting.n_shares, "replicates": setting.n_replicates},
        **{str(name): float(share) for name, share in table.drop(columns=widths.columns).mean().items()},
        **{str(name): float(width) for name, width in widths.median().items()},
    }


def _held(runs: list[Run], true: Array, seed: int, variance: How) -> Iterator[dict[str, float]]:
    """Yield what is true of the interval of each curve, in the order of the arms."""
    suffix = "" if variance == "moderated" else " own"
    for curve, of_curve in zip(continuations(runs, seed, variance), true, strict=True):
        row: dict[str, float] = {}
        for times, drawn, score in zip(TIMES, curve.laws.scores_at(TIMES), of_curve, strict=True):
            low, high = percentile_interval(drawn[1:], drawn[0], CONFIDENCE)
            row[f"{times:g}x{suffix}"] = low <= score <= high
            if variance == "moderated":
                row[f"width {times:g}x"] = high - low
        if variance == "moderated":
            row["above"] = score > high
            withheld = curve.withheld()
            assert withheld is not None
            off = curve.points[-1] - withheld
            low, high = percentile_interval(off[1:], off[0], CONFIDENCE)
            row["withheld"] = low <= 0 <= high
        yield row


def failures(table: pd.DataFrame) -> list[str]:
    """Return where the coverage of power laws, of all shares and replicates, is not between 90 and 97 %, in words."""
    of_kind = table[table["curve"].isin(POWER_LAWS)].groupby("curve")[[f"{times:g}x" for times in TIMES]].mean()
    return [
        f"{kind}, {times}: {coverage:.3f}"
        for kind, row in of_kind.iterrows()
        for times, coverage in row.items()
        if not 0.90 <= coverage <= 0.97
    ]

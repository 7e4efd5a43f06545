"""Do intervals hold the truth as often as they say, where comparisons of a study tell one another how replicates vary?

Simulated studies without any difference: arms that share the replicates from scratch and the test patients, whose own
replicates vary by variances of several kinds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgtransfer.compare.runs import mean_with_interval
from ecgtransfer.compare.variances import Compared, variances_of

Array = NDArray[Any]

KINDS = {
    "equal": "all equal",
    "inverse-chi-square": "4 over a chi-square number with 4 degrees of freedom",
    "log-normal": "logarithms with standard deviation 0.7",
    "groups": "two known groups, ten times apart",
    "odd": "one of them ten times the others",
}
"""How the variances of the comparisons' replicates differ."""
SIZES, REPLICATES, PATIENTS = (4, 12, 24, 100), (3, 5), (0.0, 1.0)
CONFIDENCE, N_RESAMPLES = 0.95, 400
OF_SCRATCH = 0.5
"""Variance of a replicate from scratch, a part of every comparison's, in the smallest of these."""
ODD = 10.0
LOOKED_AT = 12
"""Comparisons of a study whose intervals are made; the others only tell how far replicates vary."""


@dataclass(frozen=True)
class Setting:
    """A kind of simulated studies.

    Attributes
    ----------
    kind
        One of `KINDS`.
    n_comparisons, n_replicates
        Of a study.
    patients
        Standard deviation that test patients give all comparisons alike, in that of a replicate.
    """

    kind: str
    n_comparisons: int
    n_replicates: int
    patients: float


def settings() -> Iterator[Setting]:
    """Yield all settings, in the order of the table."""
    for kind in KINDS:
        for n_comparisons in SIZES:
            for n_replicates in REPLICATES:
                for patients in PATIENTS:
                    yield Setting(kind, n_comparisons, n_replicates, patients)


def true_variances(setting: Setting, generator: np.random.Generator) -> Array:
    """Return the variance of each comparison's replicates, (N,)."""
    n = setting.n_comparisons
    match setting.kind:
        case "inverse-chi-square":
            drawn: Array = 4 / generator.chisquare(4, size=n)
        case "log-normal":
            drawn = np.exp(generator.normal(scale=0.7, size=n))
        case "groups":
            drawn = np.where(_second_group(n), 10.0, 1.0)
        case "odd":
            drawn = np.where(np.arange(n) == 0, ODD, 1.0)
        case _:
            drawn = np.ones(n)
    return drawn


def simulated(setting: Setting, n_studies: int, seed: int) -> dict[str, object]:
    """Return a row of the table: what came out of so many studies of a setting.

    ``coverage`` and ``helps`` are shares of all comparisons, ``own`` is the coverage with each comparison's variance
    alone, ``width`` the median of the ratio of the two widths. ``worst_group`` is the coverage of the known group that
    has less of it, ``odd`` that of the odd one; empty in other kinds.
    """
    n, n_replicates = setting.n_comparisons, setting.n_replicates
    generator = np.random.default_rng([seed, list(KINDS).index(setting.kind), n, n_replicates])
    covered, covered_alone, helps, widths = (np.zeros((n_studies, min(n, LOOKED_AT))) for _ in range(4))
    for study in range(n_studies):
        of_each = true_variances(setting, generator)
        of_scratch = OF_SCRATCH * of_each.min()
        own = np.sqrt(of_each - of_scratch)[:, None] * generator.normal(size=(n, n_replicates))
        scratch = np.sqrt(of_scratch) * generator.normal(size=n_replicates)
        values = own - scratch + setting.patients * generator.normal()
        patients = setting.patients * generator.normal(size=N_RESAMPLES)
        methods = np.where(_second_group(n) & (setting.kind == "groups"), "partial", "finetune")
        compared = [
            Compared(of_arm, "target", method, 1.0, "scratch") for of_arm, method in zip(values, methods, strict=True)
        ]
        variances = variances_of(compared, "moderated")
        for place, (each, variance) in enumerate(zip(compared[:LOOKED_AT], variances[:LOOKED_AT], strict=True)):
            resampled = np.tile(each.values.mean() + patients, (n_replicates, 1))
            _, low, high = mean_with_interval(each.values, resampled, CONFIDENCE, study % 20, variance)
            _, low_alone, high_alone = mean_with_interval(each.values, resampled, CONFIDENCE, study % 20)
            covered[study, place], covered_alone[study, place] = low <= 0 <= high, low_alone <= 0 <= high_alone
            helps[study, place], widths[study, place] = low > 0, (high - low) / (high_alone - low_alone)
    groups = [covered[:, members].mean() for members in (slice(0, None, 2), slice(1, None, 2))]
    return {
        **{"variances": setting.kind, "comparisons": n, "replicates": n_replicates, "patients": setting.patients},
        **{"coverage": covered.mean(), "own": covered_alone.mean(), "helps": helps.mean(), "width": np.median(widths)},
        "worst_group": min(groups) if setting.kind == "groups" else np.nan,
        "odd": covered[:, 0].mean() if setting.kind == "odd" else np.nan,
    }


def failures(table: pd.DataFrame) -> list[str]:
    """Return which gates a table of `simulated` does not pass, in words."""
    gates = {"coverage": (0.93, np.inf), "worst_group": (0.90, np.inf), "helps": (0.0, 0.035)}
    return [
        f"{row['variances']}, {row['comparisons']} comparisons, {row['replicates']} replicates: {name} {row[name]:.3f}"
        for name, (least, most) in gates.items()
        for _, row in table.iterrows()
        if row[name] < least or row[name] > most
    ]


def _second_group(n: int) -> Array:
    second: Array = np.arange(n) % 2 == 1
    return second

"""`make calibrate`: simulate how often intervals and verdicts are right, and write docs/calibration.md.

What was simulated is kept in ``calibration/results/`` and ``results/calibration-*``, so a run that was stopped goes on.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from calibration import continuations, variances
from calibration.studies import N_STUDIES, error_rates, read, run
from ecgtransfer.code_fingerprint import code_fingerprint
from ecgtransfer.files import written_whole

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
SCRIPTS = FOLDER.parent / "workflow_scripts"
PAGE = FOLDER.parent / "docs" / "calibration.md"
SEED = 1


@dataclass(frozen=True)
class Simulation:
    """A simulation of many settings, each of which gives a row of a table.

    Attributes
    ----------
    module
        Where its code is, of `calibration`.
    finding
        Whose intervals they are.
    settings, simulated
        As in the module.
    n_studies
        Of each setting.
    """

    module: str
    finding: str
    settings: Callable[[], Iterator[Any]]
    simulated: Callable[[Any, int, int], dict[str, object]]
    n_studies: int


VARIANCES = Simulation("variances", "verdicts", variances.settings, variances.simulated, 1000)
CONTINUATIONS = Simulation("continuations", "more_labels", continuations.settings, continuations.simulated, 75)


def simulate(simulation: Simulation) -> pd.DataFrame:
    """Return the table of all settings, simulating those of which there is no result."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        rows = list(processes.map(partial(_kept, simulation), simulation.settings()))
    return pd.DataFrame(rows)


def _kept(simulation: Simulation, setting: Any) -> dict[str, object]:
    """Return the row of a setting, from the file with its name where this code has made one."""
    name = "-".join(value if isinstance(value, str) else f"{value:g}" for value in astuple(setting))
    path = RESULTS / simulation.module / _code(simulation) / f"{name.replace(' ', '-')}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(simulation.simulated(setting, simulation.n_studies, SEED)))
    row: dict[str, object] = json.loads(path.read_text())
    return row


@cache
def _code(simulation: Simulation) -> str:
    """Return what changes with the code that simulates, or that computes the finding."""
    finding = code_fingerprint(SCRIPTS / "compute_finding.py", [f"ecgtransfer.findings.{simulation.finding}:compute"])
    files = [Path(__file__), FOLDER / f"{simulation.module}.py"]
    return hashlib.sha256(b"".join([finding.encode(), *(path.read_bytes() for path in files)])).hexdigest()[:16]


def page(of_variances: pd.DataFrame, continued: pd.DataFrame, rates: pd.DataFrame) -> str:
    """Return the text of docs/calibration.md."""
    return f"""# How often intervals and verdicts are right

Written by `make calibrate`. Nothing in the workflow is chosen by these tables.

## Trainings included

{int(rates["studies"].max())} small studies, each with data, splits, trainings and draws of its own seeds
([study.yaml](../calibration/study.yaml)), in which untrained weights are fine-tuned and compared with training from
scratch. There is no difference between the two, so helps and hurts are errors, and intervals should hold 0 at least
95 % of the time. In brackets: 95 % intervals over studies.

{_table(_with_intervals(rates))}

## Variances that comparisons know of one another

{VARIANCES.n_studies:,} simulated studies of each kind, without any difference: arms that share the replicates from
scratch and the test patients. `coverage`: how often 95 % intervals with `compare.variance: moderated` hold 0; `own`:
with each comparison's variance alone; `helps`: how often the verdict is helps; `width`: the median of the ratio of the
two widths. `patients`: the standard deviation that test patients give all comparisons alike, in that of a replicate
where variances are equal.

Variances of the comparisons' replicates:

{_listed(variances.KINDS)}

To be the default, coverage had to be at least 93 %, that of each known group at least 90 %, and helps at most 3.5 %.
{_passed(variances.failures(of_variances))}

{_table(_rounded(of_variances))}

## Continued learning curves

{CONTINUATIONS.n_studies:,} simulated studies of each kind, of {len(continuations.ARMS)} arms each, whose curves are
known; in every second one scores of a replicate go together, as its larger subsets hold the smaller ones. `2x`, `5x`,
`10x`: how often 95 % intervals hold the score that is reached with so many times the labels, with `compare.variance:
moderated`, and with `own`; `above`: how often it lies above the interval at 10x; `withheld`: how often the largest
share, withheld, is as the others predict; `width`: the median width of intervals.

True curves:

{_listed(continuations.KINDS)}

Of power laws, coverage of all studies of a kind had to be from 90 to 97 % at each multiple.
{_passed(continuations.failures(continued))} Curves that are none show what intervals are worth where that is wrong.

{_table(_in_percent(continued))}
"""


def _listed(kinds: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {meaning}" for name, meaning in kinds.items())


def _passed(failed: list[str]) -> str:
    return "All of them pass." if not failed else f"These do not pass: {'; '.join(failed)}."


def _in_percent(continued: pd.DataFrame) -> pd.DataFrame:
    shown = continued.copy()
    for name in shown.columns.drop(["curve", "shares", "replicates"]):
        form = "{:.3f}" if name.startswith("width") else "{:.1%}"
        shown[name] = [form.format(number) for number in shown[name]]
    return shown


def _with_intervals(rates: pd.DataFrame) -> pd.DataFrame:
    shown = rates[["comparisons of", "comparisons", "studies"]].copy()
    for name in ("helps", "hurts", "covered"):
        shown[name] = [
            f"{rate:.1%} [{low:.1%}, {high:.1%}]"
            for rate, low, high in zip(rates[name], rates[f"{name}_low"], rates[f"{name}_high"], strict=True)
        ]
    return shown


def _rounded(of_variances: pd.DataFrame) -> pd.DataFrame:
    shown = of_variances.rename(columns={"worst_group": "worst group", "odd": "odd one"})
    for name in ("coverage", "own", "helps", "worst group", "odd one"):
        shown[name] = ["" if pd.isna(share) else f"{share:.1%}" for share in shown[name]]
    return shown.assign(width=[f"{ratio:.2f}" for ratio in shown["width"]])


def _table(table: pd.DataFrame) -> str:
    def line(cells: Iterable[object]) -> str:
        return f"| {' | '.join(map(str, cells))} |"

    rows = [line(table.columns), line("---" for _ in table.columns)]
    return "\n".join([*rows, *(line(row) for row in table.itertuples(index=False))])


def main() -> None:
    """Simulate, run the studies, and write the page."""
    of_variances, continued = simulate(VARIANCES), simulate(CONTINUATIONS)
    studies = {number: run(number, RESULTS) for number in range(1, N_STUDIES + 1)}
    with written_whole(PAGE) as temporary:
        temporary.write_text(page(of_variances, continued, error_rates(read(studies))), encoding="utf-8")


if __name__ == "__main__":
    main()

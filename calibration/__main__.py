"""`make calibrate`: simulate how often intervals and verdicts are right, and write docs/calibration.md.

What was simulated is kept in ``calibration/results/`` and ``results/calibration-*``, so a run that was stopped goes on.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from calibration.studies import N_STUDIES, error_rates, read, run
from calibration.variances import KINDS, Setting, failures, settings, simulated
from ecgtransfer.code_fingerprint import code_fingerprint
from ecgtransfer.files import written_whole

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
SCRIPTS = FOLDER.parent / "workflow_scripts"
PAGE = FOLDER.parent / "docs" / "calibration.md"
N_SIMULATED = 1000
SEED = 1


def simulate_variances() -> pd.DataFrame:
    """Return the table of all settings, simulating those of which there is no result."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        rows = list(processes.map(_kept, settings()))
    return pd.DataFrame(rows)


def _kept(setting: Setting) -> dict[str, object]:
    """Return the row of a setting, from the file with its name where this code has made one."""
    name = f"{setting.kind}-{setting.n_comparisons}-{setting.n_replicates}-{setting.patients:g}"
    path = RESULTS / "variances" / _code() / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            temporary.write_text(json.dumps(simulated(setting, N_SIMULATED, SEED)))
    row: dict[str, object] = json.loads(path.read_text())
    return row


@cache
def _code() -> str:
    """Return what changes with the code that simulates, or that computes verdicts."""
    verdicts = code_fingerprint(SCRIPTS / "compute_finding.py", ["ecgtransfer.findings.verdicts:compute"])
    simulation = [Path(__file__), FOLDER / "variances.py"]
    return hashlib.sha256(b"".join([verdicts.encode(), *(path.read_bytes() for path in simulation)])).hexdigest()[:16]


def page(variances: pd.DataFrame, rates: pd.DataFrame) -> str:
    """Return the text of docs/calibration.md."""
    failed = failures(variances)
    verdict = "All of them pass." if not failed else f"These do not pass: {'; '.join(failed)}."
    kinds = "\n".join(f"- {name}: {meaning}" for name, meaning in KINDS.items())
    return f"""# How often intervals and verdicts are right

Written by `make calibrate`. Nothing in the workflow is chosen by these tables.

## Trainings included

{int(rates["studies"].max())} small studies, each with data, splits, trainings and draws of its own seeds
([study.yaml](../calibration/study.yaml)), in which untrained weights are fine-tuned and compared with training from
scratch. There is no difference between the two, so helps and hurts are errors, and intervals should hold 0 at least
95 % of the time. In brackets: 95 % intervals over studies.

{_table(_with_intervals(rates))}

## Variances that comparisons know of one another

{N_SIMULATED:,} simulated studies of each kind, without any difference: arms that share the replicates from scratch
and the test patients. `coverage`: how often 95 % intervals with `compare.variance: moderated` hold 0; `own`: with each
comparison's variance alone; `helps`: how often the verdict is helps; `width`: the median of the ratio of the two
widths. `patients`: the standard deviation that test patients give all comparisons alike, in that of a replicate where
variances are equal.

Variances of the comparisons' replicates:

{kinds}

To be the default, coverage had to be at least 93 %, that of each known group at least 90 %, and helps at most 3.5 %.
{verdict}

{_table(_rounded(variances))}
"""


def _with_intervals(rates: pd.DataFrame) -> pd.DataFrame:
    shown = rates[["comparisons of", "comparisons", "studies"]].copy()
    for name in ("helps", "hurts", "covered"):
        shown[name] = [
            f"{rate:.1%} [{low:.1%}, {high:.1%}]"
            for rate, low, high in zip(rates[name], rates[f"{name}_low"], rates[f"{name}_high"], strict=True)
        ]
    return shown


def _rounded(variances: pd.DataFrame) -> pd.DataFrame:
    shown = variances.rename(columns={"worst_group": "worst group", "odd": "odd one"})
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
    variances = simulate_variances()
    studies = {number: run(number, RESULTS) for number in range(1, N_STUDIES + 1)}
    with written_whole(PAGE) as temporary:
        temporary.write_text(page(variances, error_rates(read(studies))), encoding="utf-8")


if __name__ == "__main__":
    main()

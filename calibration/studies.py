"""Error rates that are really reached, trainings included: many small studies without any difference.

In each, untrained weights are fine-tuned and compared with training from scratch (see ``study.yaml``), so `helps` and
`hurts` are errors. Data, splits, trainings and draws have new seeds in each study. Nothing may be tuned on what comes
out.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy.special import stdtrit

from ecgtransfer.compare.tables import read_findings
from ecgtransfer.files import written_whole

STUDY = Path(__file__).with_name("study.yaml")
N_STUDIES = 13
"""Of 16 comparisons each."""


def config_of(number: int) -> dict[str, Any]:
    """Return the config of one of the studies, counted from 1."""
    config: dict[str, Any] = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    seed = 1000 * number
    simulated = {
        name: {**entry, "seed": seed + place} for place, (name, entry) in enumerate(config["simulate"].items())
    }
    config |= {"study": name_of(number), "simulate": simulated, "splits": {"seed": seed}, "compare": {"seed": seed}}
    config["transfer"]["seed"] = config["score"]["seed"] = seed
    return config | {"pretrain": {"seed": seed}}


def name_of(number: int) -> str:
    """Return the name of one of the studies."""
    return f"calibration-{number:02}"


def run(number: int, results: Path) -> Path:
    """Run a study to its verdicts, as far as that was not done before, and return where they are.

    Raises
    ------
    subprocess.CalledProcessError
        If the workflow fails.
    """
    written, config = results / f"{name_of(number)}.yaml", yaml.safe_dump(config_of(number))
    results.mkdir(parents=True, exist_ok=True)
    with written_whole(written) as temporary:
        temporary.write_text(config, encoding="utf-8")
    verdicts = Path("results", name_of(number), "findings", "verdicts.csv")
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--quiet", "all", "--configfile", str(written)]
    subprocess.run([*command, "--", str(verdicts)], check=True)
    return verdicts


def error_rates(verdicts: Mapping[str, pd.DataFrame], confidence: float = 0.95) -> pd.DataFrame:
    """Return how often verdicts of macro AUROC are wrong where there is no difference.

    Parameters
    ----------
    verdicts
        The verdicts of each study, by its name.
    confidence
        Of the interval of each rate: Student's, over the rates of studies, whose comparisons share what they are from.

    Returns
    -------
    pandas.DataFrame
        A row for all comparisons, and for those of each fraction and model: ``comparisons``, ``studies``; of ``helps``,
        ``hurts`` and ``covered`` the share, with ``_low`` and ``_high``.
    """
    table = pd.concat(each.assign(study=name) for name, each in verdicts.items())
    table = table[table["metric"] == "macro_auroc"]
    groups = {"all": table}
    groups |= {f"fraction {fraction:g}": rows for fraction, rows in table.groupby("fraction")}
    groups |= {f"{model}": rows for model, rows in table.groupby("model")}
    return pd.DataFrame([{"comparisons of": name, **_rates(rows, confidence)} for name, rows in groups.items()])


def _rates(rows: pd.DataFrame, confidence: float) -> dict[str, float]:
    said = {
        "helps": rows["verdict"] == "helps",
        "hurts": rows["verdict"] == "hurts",
        "covered": (rows["ci_low"] <= 0) & (rows["ci_high"] >= 0),
    }
    found: dict[str, float] = {"comparisons": len(rows), "studies": rows["study"].nunique()}
    for name, happened in said.items():
        of_studies = happened.astype(float).groupby(rows["study"]).mean()
        half = _half_width(np.asarray(of_studies, dtype=np.float64), confidence)
        rate = float(happened.mean())
        found |= {name: rate, f"{name}_low": max(rate - half, 0.0), f"{name}_high": min(rate + half, 1.0)}
    return found


def _half_width(rates: NDArray[np.float64], confidence: float) -> float:
    if len(rates) < 2:
        return float("nan")
    return float(stdtrit(len(rates) - 1, 0.5 + confidence / 2) * rates.std(ddof=1) / np.sqrt(len(rates)))


def read(paths: Mapping[int, Path]) -> dict[str, pd.DataFrame]:
    """Return the verdicts of studies by name."""
    return {name_of(number): read_findings(path) for number, path in paths.items()}

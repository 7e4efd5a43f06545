"""`make plan`: print what a study takes, and what of it would run now and why, before anything runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from snakemake.utils import update_config

from ecgtransfer.forecast import data_table, hours_of, past_speeds, samples_per_lead, trainings_table
from ecgtransfer.train.accounting import device_name
from ecgtransfer.train.hardware import training_device
from ecgtransfer.train.probe import probed_speed

PROBE_S = 30  # for all models together
REPOSITORY = Path(__file__).parents[1]


def main(config_file: str, *arguments: str) -> None:
    """Print the plan of a study; `arguments` go to Snakemake's dry run."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", config_file, *arguments]
    run = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        sys.exit(run.stdout.strip().splitlines()[-1])
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    update_config(config, yaml.safe_load(Path(config_file).read_text()))
    data = data_table(config, yaml.safe_load((REPOSITORY / "config/datasets.yaml").read_text()))
    trainings = trainings_table(config, dict(zip(data["data set"], data["records"], strict=True)))
    speeds, origin = speeds_of(config)
    trainings["hours"] = hours_of(trainings, samples_per_lead(config), speeds)
    print(f"Study {config['study']}\n")
    print(table(data), "\n")
    print(table(trainings), "\n")
    print(f"{trainings['jobs'].sum():,} jobs with {trainings['trainings'].sum():,} trainings on one device at most:")
    print(f"{trainings['hours'].sum():,.2f} hours, {origin}; early stopping takes less.\n")
    print("Now to do, by Snakemake's dry run:\n")
    print(to_do(run.stdout))


def speeds_of(config: dict[str, Any]) -> tuple[dict[str, float], str]:
    """Return the speed of each model, and where it was found: in past runs, else measured now."""
    models = config["transfer"]["models"]
    past = past_speeds(REPOSITORY / "results")
    if all(model in past for model in models):
        devices = sorted({past[model][1] for model in models})
        return {model: past[model][0] for model in models}, f"by past runs on {', '.join(devices)}"
    n_samples, batch_size = samples_per_lead(config), config["scratch"]["batch_size"]
    speeds = {
        model: probed_speed(model, config["models"].get(model, {}), n_samples, batch_size, PROBE_S / len(models))
        for model in models
    }
    return speeds, f"by a probe of {PROBE_S} seconds on {device_name(training_device())}"


def table(rows: pd.DataFrame) -> str:
    """Return a table as text, whole numbers with separators."""
    return rows.to_string(
        index=False, na_rep="unknown", float_format=lambda number: f"{number:,.2f}" if number < 10 else f"{number:,.0f}"
    )


def to_do(dry_run: str) -> str:
    """Return from the output of a dry run how many jobs of which rule would run, and why."""
    _, found, rest = dry_run.rpartition("Job stats:")
    return (
        rest.partition("Some jobs were triggered")[0].partition("This was a dry-run")[0].strip() if found else "nothing"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

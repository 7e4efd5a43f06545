"""`make plan`: print what a study needs, and what would run now and why, before anything runs."""

import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from ecgtransfer.config.reading import read_config
from ecgtransfer.config.study import Study
from ecgtransfer.forecast import (
    data_table,
    hours_of,
    metadata_in,
    mistake_in,
    past_speeds,
    plan_text,
    records_of_own,
    trainings_table,
)
from ecgtransfer.in_utf8 import begin_in_utf8
from ecgtransfer.study import named_corpora
from ecgtransfer.system_errors import reported_in_one_line
from ecgtransfer.train.speed import measured_speeds
from snakemake_plan import REPOSITORY, Command, command_of

RUNS = ("*/pretrained/*/*/run.json", "*/runs/*/*/*/*/run.json")


def main(*given: str) -> None:
    """Print the plan of the study of a config file; the other arguments go to Snakemake's dry run."""
    if not given:
        sys.exit(
            "error: no config file is named; `make plan CONFIG=config/config.yaml` names that of the default study"
        )
    command = command_of(["--configfile", *given])
    config = _config_of(command)
    dry_run = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", *command.arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if dry_run.returncode:
        sys.exit(mistake_in(dry_run.stdout))
    study = Study.of(config)
    published = yaml.safe_load((REPOSITORY / "config/datasets.yaml").read_text(encoding="utf-8"))
    with chdir(command.folder):
        n_own = records_of_own(study)
        paths = [path for pattern in RUNS for path in Path("results").glob(pattern)]
        paths.sort(key=lambda path: path.stat().st_mtime)
        past = past_speeds(metadata_in(paths))
    data = data_table(study, published, n_own)
    trainings = trainings_table(study, dict(zip(data["data set"], data["records"], strict=True)))
    models = study.transfer.models
    if past.keys() >= set(models):
        speeds = {model: past[model][0] for model in models}
        origin = f"by past runs on {', '.join(sorted({past[model][1] for model in models}))}"
    else:
        speeds, origin = measured_speeds(study)
    trainings["hours"] = hours_of(trainings, study, speeds)
    print(plan_text(study.study, named_corpora(study), data, trainings, origin, dry_run.stdout))


def _config_of(command: Command) -> dict[str, Any]:
    """Return the config that Snakemake would see."""
    config = read_config(REPOSITORY / "config/config.yaml")
    for file in command.config_files:
        update_config(config, read_config(file))
    update_config(config, command.overrides)
    return config


if __name__ == "__main__":
    with reported_in_one_line():
        begin_in_utf8(Path.cwd())
        main(*sys.argv[1:])

"""`make plan`: print what a study takes, and what of it would run now and why, before anything runs."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from ecgtransfer.config_reading import read_config
from ecgtransfer.forecast import data_table, hours_of, past_speeds, plan_text, trainings_table
from ecgtransfer.in_utf8 import begin_in_utf8
from ecgtransfer.prepare.separators import BETWEEN_LABELS
from ecgtransfer.prepare.table_rows import rows_by_recording
from ecgtransfer.study import named_corpora, samples_per_lead, studied_datasets
from ecgtransfer.system_errors import said_in_one_line
from ecgtransfer.train.probe import probed_speeds
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
    published = yaml.safe_load((REPOSITORY / "config/datasets.yaml").read_text(encoding="utf-8"))
    with chdir(command.folder):
        n_own = records_of_own(config)
        paths = [path for pattern in RUNS for path in Path("results").glob(pattern)]
        paths.sort(key=lambda path: path.stat().st_mtime)
        past = past_speeds(facts_in(paths))
    data = data_table(config, published, n_own)
    trainings = trainings_table(config, dict(zip(data["data set"], data["records"], strict=True)))
    models = config["transfer"]["models"]
    if past.keys() >= set(models):
        speeds = {model: past[model][0] for model in models}
        origin = f"by past runs on {', '.join(sorted({past[model][1] for model in models}))}"
    else:
        speeds, origin = probed_speeds(config)
    trainings["hours"] = hours_of(trainings, samples_per_lead(config), speeds, config["models"])
    print(plan_text(config["study"], named_corpora(config), data, trainings, origin, dry_run.stdout))


def mistake_in(printed: str) -> str:
    """Return what of the output of a dry run that failed says why: lines that begin with an error, or the last ones."""
    lines = [line for line in printed.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("error")]
    if errors:
        return "\n".join(lines[errors[-1] :])
    affected = [number for number, line in enumerate(lines) if line.strip() == "affected files:"]
    if affected:
        missing = ", ".join(line.strip() for line in lines[affected[-1] + 1 :])
        return f"error: {missing}: no such file, and no rule makes it; bring it back"
    return lines[-1] if lines else "error: Snakemake's dry run failed without a word"


def _config_of(command: Command) -> dict[str, Any]:
    """Return the config that Snakemake would see."""
    config = read_config(REPOSITORY / "config/config.yaml")
    for file in command.config_files:
        update_config(config, read_config(file))
    update_config(config, command.overrides)
    return config


def records_of_own(config: Mapping[str, Any]) -> dict[str, int]:
    """Return how many recordings the table of each data set of one's own names, as the study reads it."""
    own = {name: config["own"][name] for name in studied_datasets(config) if name in config["own"]}
    separators = {name: entry.get("label_separator", BETWEEN_LABELS) for name, entry in own.items()}
    return {name: len(rows_by_recording(entry, separators[name])[0]) for name, entry in own.items()}


def facts_in(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield what past trainings say of themselves; files that are damaged are left out."""
    for path in paths:
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict) and "model" in facts and "device" in facts:
            yield facts


if __name__ == "__main__":
    with said_in_one_line():
        begin_in_utf8(Path.cwd())
        main(*sys.argv[1:])

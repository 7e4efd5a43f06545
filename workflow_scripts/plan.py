"""`make plan`: print what a study takes, and what of it would run now and why, before anything runs."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from snakemake.utils import update_config

from ecgtransfer.forecast import data_table, hours_of, past_speeds, plan_text, trainings_table
from ecgtransfer.study import named_corpora, samples_per_lead
from ecgtransfer.train.probe import probed_speeds

REPOSITORY = Path(__file__).parents[1]
RUNS = ("*/pretrained/*/*/run.json", "*/runs/*/*/*/*/run.json")


def main(config_file: str, *arguments: str) -> None:
    """Print the plan of a study; `arguments` go to Snakemake's dry run."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", config_file, *arguments]
    dry_run = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if dry_run.returncode:
        sys.exit(dry_run.stdout.strip().splitlines()[-1])
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    update_config(config, yaml.safe_load(Path(config_file).read_text()))
    published = yaml.safe_load((REPOSITORY / "config/datasets.yaml").read_text())
    n_own = {name: len(pd.read_csv(own["table"], usecols=[0])) for name, own in config["own"].items()}
    data = data_table(config, published, n_own)
    trainings = trainings_table(config, dict(zip(data["data set"], data["records"], strict=True)))
    paths = [path for pattern in RUNS for path in (REPOSITORY / "results").glob(pattern)]
    paths.sort(key=lambda path: path.stat().st_mtime)
    past = past_speeds(json.loads(path.read_text(encoding="utf-8")) for path in paths)
    models = config["transfer"]["models"]
    if past.keys() >= set(models):
        speeds = {model: past[model][0] for model in models}
        origin = f"by past runs on {', '.join(sorted({past[model][1] for model in models}))}"
    else:
        speeds, origin = probed_speeds(config)
    trainings["hours"] = hours_of(trainings, samples_per_lead(config), speeds, config["models"])
    print(plan_text(config["study"], named_corpora(config), data, trainings, origin, dry_run.stdout))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`make verify`: read everything that a study depends on, and name what is damaged or stale."""

import sys
from contextlib import chdir
from pathlib import Path

from ecgtransfer.config.keys import SHARED
from ecgtransfer.in_utf8 import begin_in_utf8
from ecgtransfer.provenance.digests import Digests
from ecgtransfer.provenance.judge import State, judge
from ecgtransfer.system_errors import reported_in_one_line
from ecgtransfer.train.finished import FinishedTrainings
from snakemake_plan import asked_of_snakemake, command_of


def main(*arguments: str) -> None:
    """Print a line for each artefact that does not match the current config, code and files; exit 1 if any."""
    command = command_of(arguments)
    asked = asked_of_snakemake(command.arguments)
    if asked is None:
        return
    with chdir(command.folder):
        verdicts = judge(asked.plan, Digests(None))
        damaged = list(FinishedTrainings(Path(asked.plan.results).with_name(SHARED)).damaged())
    for verdict in verdicts:
        if verdict.state in (State.STALE, State.LOST):
            print(f"{verdict.reason}; {asked.make_run} rebuilds it")
    for path in damaged:
        print(f"{path}: is damaged, its bytes are not those that were written; delete it, it is made again when needed")
    n_waiting = sum(verdict.state is State.WAITING for verdict in verdicts)
    if any(verdict.state is not State.CURRENT for verdict in verdicts):
        sys.exit(
            f"error: not all artefacts are up to date, and {n_waiting} jobs depend on these; {asked.make_run} rebuilds"
            " them"
        )
    if damaged:
        sys.exit("error: finished trainings are damaged; delete the files named above")
    print(f"{len(verdicts)} jobs: every byte matches the current config, code and files")


if __name__ == "__main__":
    with reported_in_one_line():
        begin_in_utf8(Path.cwd())
        main(*sys.argv[1:])

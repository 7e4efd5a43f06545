"""`make run`: settle by records what is up to date, then let Snakemake make the rest, until everything is."""

import logging
import subprocess
import sys
from pathlib import Path

from ecgtransfer.locks import JOBS_LOCK, RUN_LOCK, exclusive
from ecgtransfer.provenance.digests import MEMORY, Digests
from ecgtransfer.provenance.settle import forget_set_aside, settle, to_make
from snakemake_plan import asked_of_snakemake

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
SNAKEMAKES_LOCKS = Path(".snakemake", "locks")
ROUNDS = 6  # so many times what a run rests on may change under its hands


def main(*arguments: str) -> None:
    """Run Snakemake with its arguments, alone in this folder; a dry run, a report and the like are passed through."""
    logging.basicConfig(format="%(message)s")
    with exclusive(RUN_LOCK, "another run in this folder"):
        with exclusive(JOBS_LOCK, "the last jobs of a killed run"):
            pass
        if SNAKEMAKES_LOCKS.is_dir() and any(SNAKEMAKES_LOCKS.iterdir()):  # of a killed run, for this one is alone
            _run([*SNAKEMAKE, "--unlock", *arguments])
        _run_until_settled(arguments)


def _run_until_settled(arguments: tuple[str, ...]) -> None:
    for _ in range(ROUNDS):
        asked = asked_of_snakemake(arguments)
        if asked is None:
            return
        targets = to_make(asked.plan, settle(asked.plan, Digests(MEMORY), asked.is_whole), asked.is_whole)
        if not targets:
            print("Nothing to be done: all of it is what the config, the code and the files of now make.")
            if asked.is_whole:
                forget_set_aside(asked.plan)
                print(f"report: {Path(asked.plan.results, 'report', 'index.html')}")
            return
        sys.stdout.flush()
        if _run([*SNAKEMAKE, *targets, *arguments]):
            sys.exit(1)
    sys.exit("error: files that the study rests on change while it runs; run again when nothing edits them")


def _run(command: list[str]) -> int:
    """Run a command to its end and return its status.

    It holds the lock of this run, too, and hears of Ctrl-C itself.
    """
    with subprocess.Popen(command, close_fds=False) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


if __name__ == "__main__":
    main(*sys.argv[1:])

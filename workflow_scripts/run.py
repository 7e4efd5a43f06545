"""`make run`: settle by records what is up to date, then let Snakemake make the rest, until everything is."""

import logging
import subprocess
import sys
from contextlib import ExitStack, chdir
from pathlib import Path

from ecgtransfer.in_utf8 import begin_in_utf8
from ecgtransfer.locks import alone_in_this_folder
from ecgtransfer.provenance.digests import MEMORY, Digests
from ecgtransfer.provenance.judge import State, judge
from ecgtransfer.provenance.settle import forget_set_aside, settle, to_make
from ecgtransfer.system_errors import reported_in_one_line
from snakemake_plan import Asked, Command, asked_of_snakemake, command_of

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
SNAKEMAKES_LOCKS = Path(".snakemake", "locks")
ROUNDS = 6  # how often what a run depends on may change while it works


def main(*arguments: str) -> None:
    """Run Snakemake with its arguments, alone in its folder; a dry run, a report and the like are passed through."""
    logging.basicConfig(format="%(message)s")
    command = command_of(arguments)
    if command.is_dry_run:
        asked = asked_of_snakemake(command.arguments)
        if asked is not None:
            with chdir(command.folder):
                _say_what_snakemake_does_not_see(asked)
        return
    with ExitStack() as until_done:
        with chdir(command.folder):
            until_done.enter_context(alone_in_this_folder())
            is_locked = SNAKEMAKES_LOCKS.is_dir() and any(SNAKEMAKES_LOCKS.iterdir())
        if is_locked:  # of a killed run, for this one is alone
            _run([*SNAKEMAKE, "--unlock", *command.arguments])
        _run_until_settled(command)


def _run_until_settled(command: Command) -> None:
    for _ in range(ROUNDS):
        asked = asked_of_snakemake(command.arguments)
        if asked is None:
            return
        with chdir(command.folder):
            targets = to_make(asked.plan, settle(asked.plan, Digests(MEMORY), asked.is_whole), asked.is_whole)
        if not targets and not asked.is_forced and not asked.has_others:
            of_what = "everything" if asked.is_whole else "what was requested"
            print(f"Nothing to be done: {of_what} matches the current config, code and files.")
            if asked.is_whole:
                with chdir(command.folder):
                    forget_set_aside(asked.plan)
                print(f"report: {command.folder / asked.plan.results / 'report' / 'index.html'}")
            return
        sys.stdout.flush()
        if _run([*SNAKEMAKE, *targets, *command.arguments]):
            sys.exit(1)
        if asked.is_forced:
            return
    sys.exit("error: files that the study depends on change while it runs; run again when nothing edits them")


def _say_what_snakemake_does_not_see(asked: Asked) -> None:
    verdicts = judge(asked.plan, Digests(MEMORY), asked.running)
    unseen = [verdict.reason for verdict in verdicts if verdict.state in (State.STALE, State.LOST)]
    if unseen:
        print(f"In addition, {asked.make_run} would rebuild, with everything that depends on it:", *unseen, sep="\n")


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
    try:
        with reported_in_one_line():
            begin_in_utf8(Path.cwd())
            main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)

"""What Snakemake would be asked to do, without doing it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import DAGApi
from snakemake.cli import args_to_api, parse_args

from ecgtransfer.code_fingerprint import forget_fingerprints
from ecgtransfer.config_files import check_files
from ecgtransfer.provenance.graph import plan_of
from ecgtransfer.provenance.plan import Plan

QUIET = ["--quiet", "host", "progress", "rules", "reason"]


@dataclass(frozen=True)
class Asked:
    """What a command line asks of Snakemake.

    Attributes
    ----------
    plan
        All jobs that its targets need.
    running
        Records of the jobs that Snakemake would run.
    is_whole
        Whether this is the plan of the whole study.
    is_forced
        Whether jobs are to run that are up to date.
    make_run
        The command of make that does the same.
    """

    plan: Plan
    running: frozenset[str]
    is_whole: bool
    is_forced: bool
    make_run: str


def is_dry_run(arguments: Sequence[str]) -> bool:
    """Tell whether nothing is to run."""
    return bool(parse_args(arguments)[1].dryrun)


def asked_of_snakemake(arguments: Sequence[str]) -> Asked | None:
    """Return what a run with these arguments of Snakemake would do, or None where they ask for something else.

    A dry run, a report and the like are done here and now. A mistake ends the process, after Snakemake's own words.
    """
    forget_fingerprints()
    workflows: list[Any] = []
    execute = DAGApi.execute_workflow

    def note(api: DAGApi, *given: Any, pseudo_executor: str | None = None, **settings: Any) -> None:
        workflow = api.workflow_api._workflow
        if pseudo_executor is not None:
            execute(api, *given, pseudo_executor=pseudo_executor, **settings)
        else:
            workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
            workflow._build_dag()
        if pseudo_executor != "touch":
            workflows.append(workflow)

    parser, parsed = parse_args(arguments)
    if not parsed.dryrun:
        parser, parsed = parse_args([*QUIET, *arguments])
    check_files(path for path in parsed.configfile or () if Path(path).is_file())
    DAGApi.execute_workflow = note  # the one way to hear of Snakemake's graph with all that a command line can say
    try:
        succeeded = args_to_api(parsed, parser)
    finally:
        DAGApi.execute_workflow = execute
    if not succeeded:
        sys.exit(1)
    if not workflows:
        return None
    graph = workflows[0].dag
    cut = (parsed.targets, parsed.until, parsed.omit_from, parsed.batch, parsed.allowed_rules)
    return Asked(
        plan=plan_of(graph, workflows[0].globals["RESULTS"]),
        running=frozenset(str(job.output.get("record")) for job in graph.needrun_jobs()),
        is_whole=not any(cut),
        is_forced=bool(parsed.forceall or parsed.forcerun or parsed.force),
        make_run=_make_run(parsed.configfile, parsed.config),
    )


def _make_run(config_files: Sequence[Any], overrides: Any) -> str:
    given = f" CONFIG={config_files[0]}" if config_files else ""
    return f"`make run{given}`{' with the same ARGS' if overrides or len(config_files or ()) > 1 else ''}"

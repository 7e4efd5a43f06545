"""What Snakemake would be asked to do, without doing it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snakemake.api import DAGApi
from snakemake.cli import args_to_api, parse_args

from ecgtransfer.code_fingerprint import forget_fingerprints
from ecgtransfer.provenance.graph import plan_of
from ecgtransfer.provenance.plan import Plan


@dataclass(frozen=True)
class Asked:
    """What a command line asks of Snakemake: the plan, whether it is that of the whole study, and the config's file."""

    plan: Plan
    is_whole: bool
    config_file: str


def asked_of_snakemake(arguments: Sequence[str]) -> Asked | None:
    """Return what a run with these arguments of Snakemake would do, or None where they ask for something else.

    A dry run, a report and the like are done here and now. A mistake ends the process, after Snakemake's own words.
    """
    forget_fingerprints()
    workflows: list[Any] = []
    execute = DAGApi.execute_workflow

    def note(api: DAGApi, *given: Any, pseudo_executor: str | None = None, **settings: Any) -> None:
        if pseudo_executor is not None:
            execute(api, *given, pseudo_executor=pseudo_executor, **settings)
            return
        workflow = api.workflow_api._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        workflows.append(workflow)

    parser, parsed = parse_args([*arguments, "--quiet", "host", "progress", "rules", "reason"])
    DAGApi.execute_workflow = note  # the one way to hear of Snakemake's graph with all that a command line can say
    try:
        succeeded = args_to_api(parsed, parser)
    finally:
        DAGApi.execute_workflow = execute
    if not succeeded:
        sys.exit(1)
    if not workflows:
        return None
    plan = plan_of(workflows[0].dag, workflows[0].globals["RESULTS"])
    return Asked(plan, not (parsed.targets or parsed.until or parsed.omit_from), str(parsed.configfile[0]))

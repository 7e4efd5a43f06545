"""What Snakemake would do, without doing it."""

import shlex
import sys
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from snakemake.api import DAGApi
from snakemake.cli import args_to_api, parse_args, parse_config

from ecgtransfer.code_fingerprint import forget_fingerprints
from ecgtransfer.config.reading import read_config
from ecgtransfer.config.repeated_keys import require_keys_once
from ecgtransfer.errors import InputError
from ecgtransfer.provenance.graph import plan_of
from ecgtransfer.provenance.plan import Plan

REPOSITORY = Path(__file__).resolve().parents[1]
QUIET = ["--quiet", "host", "progress", "rules", "reason"]


@dataclass(frozen=True)
class Asked:
    """What a command line requests of Snakemake.

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
    has_others
        Whether Snakemake would run jobs of a workflow that imports this one.
    make_run
        The command of make that does the same.
    """

    plan: Plan
    running: frozenset[str]
    is_whole: bool
    is_forced: bool
    has_others: bool
    make_run: str


@dataclass(frozen=True)
class Command:
    """A command line of Snakemake.

    Attributes
    ----------
    arguments
        With the workflow in it, where it is started in another folder.
    folder
        Where a run works: results and data are there.
    is_dry_run
        Whether nothing is to run.
    config_files, overrides
        Its part of the config.
    """

    arguments: list[str]
    folder: Path
    is_dry_run: bool
    config_files: list[Path]
    overrides: dict[str, Any]


def command_of(arguments: Sequence[str]) -> Command:
    """Return what arguments of Snakemake mean for this workflow; the folder is there.

    Raises
    ------
    InputError
        If what follows ``--config`` is not a list of ``key=value``.
    """
    parsed = parse_args(["--workflow-profile", "none", *arguments])[1]  # without a word on the profile
    folder = Path(parsed.directory or ".")
    folder.mkdir(parents=True, exist_ok=True)
    is_at_home = Path.cwd() == REPOSITORY or parsed.snakefile is not None
    workflow = [] if is_at_home else ["--snakefile", str(REPOSITORY / "Snakefile")]
    try:
        overrides = parse_config(parsed.config)
    except ValueError as error:
        raise InputError(f"--config: {error}; write --config key=value") from error
    return Command([*workflow, *arguments], folder, bool(parsed.dryrun), list(parsed.configfile), overrides)


def asked_of_snakemake(arguments: Sequence[str]) -> Asked | None:
    """Return what a run with these arguments of Snakemake would do, or None where they request something else.

    A dry run, a report and the like are done here and now. A mistake ends the process, after Snakemake's own words.

    Raises
    ------
    InputError
        If a config file cannot be read.
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
    for file in parsed.configfile or ():
        read_config(Path(file))
    require_keys_once(parsed.configfile or ())
    if not parsed.dryrun:
        parser, parsed = parse_args([*QUIET, *arguments])
    DAGApi.execute_workflow = note  # the only way to get Snakemake's graph with everything that a command line can set
    try:
        succeeded = args_to_api(parsed, parser)
    finally:
        DAGApi.execute_workflow = execute
    if not succeeded:
        sys.exit(1)
    if not workflows:
        return None
    graph, results = workflows[0].dag, _results_in(workflows[0].globals)
    cut = (parsed.targets, parsed.until, parsed.omit_from, parsed.batch, parsed.allowed_rules)
    with chdir(parsed.directory or "."):
        plan = plan_of(graph, results)
    running = frozenset(str(job.output.get("record")) for job in graph.needrun_jobs() if job.output)
    return Asked(
        plan=plan,
        running=running,
        is_whole=not any(cut),
        is_forced=bool(parsed.forceall or parsed.forcerun or parsed.force),
        has_others=not all(record.startswith(f"{results}/provenance/") for record in running),
        make_run=_make_run(parsed.configfile, parsed.config, is_elsewhere=bool(parsed.directory)),
    )


def _results_in(names: dict[str, Any]) -> str:
    """Return where the results of the study are, by the names of a Snakefile, which may import the workflow."""
    spaces = [names, *(vars(value) for value in names.values() if isinstance(value, ModuleType))]
    found = {space["RESULTS"] for space in spaces if "RESULTS" in space and "MAKE_RUN" in space}
    if len(found) != 1:
        raise InputError(f"the Snakefile is about {len(found)} studies, expected one; run it with Snakemake")
    return str(found.pop())


def _make_run(config_files: Sequence[Any], overrides: Any, is_elsewhere: bool) -> str:
    if Path.cwd() != REPOSITORY:
        return "`workflow_scripts/run.py` with the same arguments"
    given = f" CONFIG={shlex.quote(str(config_files[0]))}" if config_files else ""
    more = overrides or len(config_files or ()) > 1 or is_elsewhere
    return f"`make run{given}`{' with the same ARGS' if more else ''}"

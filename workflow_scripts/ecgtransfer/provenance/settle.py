"""Before a run: what does not fit is set aside, what fits counts as up to date whatever its dates."""

import logging
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from ecgtransfer.errors import InputError
from ecgtransfer.provenance.digests import Digests
from ecgtransfer.provenance.judge import Judge, State, Verdict
from ecgtransfer.provenance.plan import Plan, PlannedJob
from ecgtransfer.provenance.record import Record

logger = logging.getLogger(__name__)

TRAININGS = ("pretrain", "scratch", "finetune")

_CLOCKS_DIFFER_S = 5

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.part")


def settle(plan: Plan, digests: Digests, is_whole: bool) -> list[Verdict]:
    """Make files tell Snakemake, which knows only dates, what records tell; return the state of the artefacts.

    Artefacts that do not fit are moved away, so that they are missing. If the edit is taken back before a run has
    ended, they are put back. Those that fit are dated in the order of the graph. With the plan of a whole study,
    findings and figures that it does not have are removed.

    Raises
    ------
    InputError
        If a file of the user's is dated in the future, or the plan requires a file that no rule makes.
    """
    judge, verdicts = Judge(plan, digests), []
    _require_past(plan)
    if is_whole:
        _remove_others(plan)
    for job in plan.jobs:
        verdict = judge.verdict(job)
        if verdict.state in (State.STALE, State.LOST):
            record = Record.read(_aside(job.record, plan))
            if record is not None and judge.rests_on_current(job) and not judge.misfit(job, record):
                _put_back(job, plan)
                verdict = judge.verdict(job)
        if verdict.state in (State.STALE, State.LOST):
            _set_aside(job, plan)
        if verdict.state is State.CURRENT:
            _date(job, digests)
        verdicts.append(verdict)
    return verdicts


def to_make(plan: Plan, verdicts: Sequence[Verdict], is_whole: bool) -> list[str]:
    """Return arguments for Snakemake in addition to the user's own; nothing if all is current.

    Snakemake does not make a missing file again whose successors are there, so the last ones missing are named. Of a
    whole study, first only what got lost is rebuilt, then what trainings depend on: where it comes out unchanged,
    nothing that follows is repeated.
    """
    first = _first(verdicts) if is_whole else []
    jobs = plan.upstream_of(first).jobs if first else plan.jobs
    missing = {verdict.job.record for verdict in verdicts if verdict.state in (State.STALE, State.LOST)}
    read = {path for job in jobs if job.record in missing for path in job.inputs}
    last = [job.outputs[0] for job in jobs if job.record in missing and read.isdisjoint(job.outputs)]
    return [*first, "--forcerun", *last] if last else []


def _first(verdicts: Sequence[Verdict]) -> list[str]:
    lost = [verdict.job.outputs[0] for verdict in verdicts if verdict.state is State.LOST]
    if lost:
        return lost
    makers = {path: verdict for verdict in verdicts for path in verdict.job.outputs}
    rests_on = {
        path
        for verdict in verdicts
        if verdict.state is State.WAITING and verdict.job.rule in TRAININGS
        for path in verdict.job.inputs
        if path in makers and makers[path].state is not State.CURRENT and makers[path].job.rule not in TRAININGS
    }
    return sorted(rests_on)


def forget_set_aside(plan: Plan) -> None:
    """Remove what was set aside."""
    shutil.rmtree(_aside(plan.results, plan), ignore_errors=True)


def remove_leftovers(results: Path) -> None:
    """Remove files that killed jobs did not finish."""
    for path in results.rglob(".*.part"):
        if _LEFTOVER.fullmatch(path.name):
            logger.info(f"{path}: left by a killed job, removed")
            path.unlink(missing_ok=True)


def _remove_others(plan: Plan) -> None:
    """Remove findings and figures that the study had before an edit, so that nobody takes them for current ones."""
    planned = {path for job in plan.jobs for path in (*job.outputs, job.record)}
    shown = (path for name in ("findings", "figures") for path in Path(plan.results, name).rglob("*"))
    others = {str(path) for path in shown if path.is_file()} - planned
    if not others:
        return
    for path in Path(plan.results, "provenance").rglob("*.json"):
        record = Record.read(path) if str(path) not in planned else None
        if record is not None and others & record.outputs.keys():  # else it is the user's own
            for output in (*record.outputs, str(path)):
                Path(output).unlink(missing_ok=True)


def _require_past(plan: Plan) -> None:
    made = {path for job in plan.jobs for path in job.outputs}
    for path in {path for job in plan.jobs for path in job.inputs} - made:
        ahead_s = Path(path).stat().st_mtime - time.time() if Path(path).exists() else 0
        if ahead_s > _CLOCKS_DIFFER_S:
            raise InputError(
                f"{path}: is dated {ahead_s / 3600:.1f} hours in the future, and Snakemake would take it for newer than"
                " all that is made from it; `touch` it, or set the clock of this machine"
            )


def _aside(path: str, plan: Plan) -> Path:
    return Path(plan.results, "set-aside", Path(path).relative_to(plan.results))


def _set_aside(job: PlannedJob, plan: Plan) -> None:
    """Move the artefacts of a job away, in place of what was set aside of it before."""
    if not any(Path(path).exists() for path in (*job.outputs, job.record)):
        return
    _aside(job.record, plan).unlink(missing_ok=True)
    for path in (*job.outputs, job.record):  # the record last: killed in between, the next run does the rest
        _move(Path(path), _aside(path, plan))


def _put_back(job: PlannedJob, plan: Plan) -> None:
    for path in (*job.outputs, job.record):
        _move(_aside(path, plan), Path(path))


def _move(path: Path, target: Path) -> None:
    """Move a file, if there is one, in place of another, be it on another disk."""
    if path.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)


def _date(job: PlannedJob, digests: Digests) -> None:
    """Let no input be newer than an output, and no output be dated in the future, as Snakemake requires."""
    now = time.time_ns()
    newest = max((max(Path(path).lstat().st_mtime_ns, Path(path).stat().st_mtime_ns) for path in job.inputs), default=0)
    for path in (*job.outputs, job.record, job.benchmark):
        if Path(path).exists() and not newest <= Path(path).stat().st_mtime_ns <= now:
            digests.redate(path, max(newest, min(Path(path).stat().st_mtime_ns, now)))

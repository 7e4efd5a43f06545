"""Which artefacts match the current config, code and files; for the others, why not."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import cache

from ecgtransfer.errors import InputError
from ecgtransfer.provenance.digests import Digests
from ecgtransfer.provenance.plan import Plan, PlannedJob
from ecgtransfer.provenance.record import Record


class State(Enum):
    """The state of the artefacts of a job."""

    CURRENT = "current"
    STALE = "stale"  # made by other code or settings or from other files, or never
    LOST = "lost"  # made as now, but missing or damaged since
    WAITING = "waiting"  # what they depend on is not current: once it is, it will show whether they fit


@dataclass(frozen=True)
class Verdict:
    """The state of the artefacts of a job; where they do not fit, a line that names one of them and tells why."""

    job: PlannedJob
    state: State
    reason: str = ""


class Judge:
    """Compares the records of a plan's jobs with the plan and with the current files.

    Parameters
    ----------
    plan
        What the current config, tables and code require. Its jobs are judged in its order.
    digests
        The current files.

    Raises
    ------
    InputError
        If the plan requires a file that no rule makes.
    """

    def __init__(self, plan: Plan, digests: Digests) -> None:
        if plan.unmade:
            raise InputError(
                f"{plan.unmade[0]}: no rule can make it now, because a table or another file of the workflow that its"
                " rule reads is gone; bring that back, `git status` lists it"
            )
        self.digests = digests
        self.states: dict[str, State] = {}
        self._digest_of_input = cache(digests.of)  # a table is an input of many jobs

    def verdict(self, job: PlannedJob) -> Verdict:
        """Return the state of the artefacts of a job, and note it for the jobs that depend on them."""
        state, reason = self._judged(job, Record.read(job.record))
        self.note(job, state)
        return Verdict(job, state, reason)

    def note(self, job: PlannedJob, state: State) -> None:
        """Accept the artefacts of a job as what they are recorded to be."""
        self.states |= dict.fromkeys(job.outputs, state)

    def misfit(self, job: PlannedJob, record: Record) -> str:
        """Return why a record does not fit the plan and the current files; empty if it does, as far as known.

        Files that are not current are left out: they are going to change.
        """
        if record.code != job.code:  # not the rule's name, which is another one where a workflow imports it
            return f"was made by other code of the rule {job.rule}"
        names = sorted({*record.params, *job.params})
        others = [name for name in names if record.params.get(name) != job.params.get(name)]
        if others:
            return f"was made with other settings: {', '.join(others)} of the rule {job.rule}"
        if set(record.inputs) != set(job.inputs):
            path = min(set(record.inputs) ^ set(job.inputs))
            return f"was made {'with' if path in record.inputs else 'without'} {path}"
        if set(record.outputs) != set(job.outputs):
            return f"was made with other files of the rule {job.rule}"
        for path in job.inputs:
            if self._is_known(path) and self._digest_of_input(path) != record.inputs[path]:
                return f"was made from another content of {path}"
        return ""

    def rests_on_current(self, job: PlannedJob) -> bool:
        """Return whether everything that a job reads is current."""
        return all(map(self._is_known, job.inputs))

    def _is_known(self, path: str) -> bool:
        return self.states.get(path, State.CURRENT) is State.CURRENT

    def _judged(self, job: PlannedJob, record: Record | None) -> tuple[State, str]:
        first = job.outputs[0]
        if record is None:
            there = any(self.digests.of(path) is not None for path in job.outputs)
            if there and self.rests_on_current(job):
                return State.LOST, f"{first}: its record {job.record} is missing or damaged"
            return State.STALE, f"{first}: is missing, or its record is"
        misfit = self.misfit(job, record)
        if misfit:
            return State.STALE, f"{first}: {misfit}"
        if State.STALE in self._upstream(job) or State.WAITING in self._upstream(job):
            return State.WAITING, ""
        lost = self._lost(job, record)
        if lost:
            return State.LOST, lost
        return (State.CURRENT if self.rests_on_current(job) else State.WAITING), ""

    def _upstream(self, job: PlannedJob) -> set[State]:
        return {self.states[path] for path in job.inputs if path in self.states}

    def _lost(self, job: PlannedJob, record: Record) -> str:
        """Return which of the files that a job wrote is not as it was written; empty if all are."""
        for path in job.outputs:
            found = self.digests.of(path)
            if found is None:
                return f"{path}: is missing"
            if found != record.outputs[path]:
                return f"{path}: is damaged, its bytes are not those that were written"
            unlike = self.digests.first_unlike(path, job.folder) if job.folder is not None else None
            if unlike is not None:
                return f"{path}: {job.folder}/{unlike} is missing or is not the file that is listed there"
        return ""


def judge(plan: Plan, digests: Digests, running: Collection[str] = ()) -> list[Verdict]:
    """Return a verdict for each job of a plan; those whose records are `running` wait."""
    judge_of_plan, verdicts = Judge(plan, digests), []
    for job in plan.jobs:
        if job.record in running:
            judge_of_plan.note(job, State.WAITING)
            verdicts.append(Verdict(job, State.WAITING))
        else:
            verdicts.append(judge_of_plan.verdict(job))
    return verdicts


def require_current(plan: Plan, digests: Digests, running: Collection[str] = (), remedy: str = "`make run`") -> None:
    """Stop unless the artefacts of all jobs except the running ones match the current config and files.

    Raises
    ------
    InputError
        With the first artefact that does not fit, and the command that heals it, `remedy`.
    """
    for verdict in judge(plan, digests, running):
        if verdict.state in (State.STALE, State.LOST):
            raise InputError(f"{verdict.reason}; {remedy} rebuilds it")

"""From Snakemake's graph of jobs to a plan."""

from collections.abc import Iterable
from typing import Any

from ecgtransfer.provenance.plan import Plan, PlannedJob
from ecgtransfer.provenance.record import param_digests


def plan_of(levels: Iterable[Iterable[Any]], results: str) -> Plan:
    """Return the plan of Snakemake's jobs, which come level by level from the first to the last.

    Jobs without record, as that of the rule ``all``, are left out.
    """
    jobs = (job for level in levels for job in level)
    return Plan(results, tuple(_planned(job) for job in jobs if job.output.get("record")))


def _planned(job: Any) -> PlannedJob:
    record = str(job.output.record)
    return PlannedJob(
        record=record,
        rule=job.rule.name,
        code=job.params.code,
        params=param_digests(job.params.items()),
        inputs=tuple(dict.fromkeys(map(str, job.input))),
        outputs=tuple(path for path in map(str, job.output) if path != record),
        folder=job.params.folder if job.output.get("manifest") else None,
    )

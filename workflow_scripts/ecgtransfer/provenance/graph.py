"""From Snakemake's graph of jobs to a plan."""

from typing import Any

from ecgtransfer.provenance.plan import Plan, PlannedJob
from ecgtransfer.provenance.record import param_digests


def plan_of(graph: Any, results: str) -> Plan:
    """Return the plan of the jobs in Snakemake's graph that its targets need.

    Jobs without record, as that of the rule ``all``, are left out.
    """
    waiting, needed = list(graph.targetjobs), set(graph.targetjobs)  # with --until, the graph holds more
    while waiting:
        found = set(graph.dependencies[waiting.pop()]) - needed
        needed |= found
        waiting += found
    in_order = (job for level in graph.toposorted() for job in level if job in needed and job.output.get("record"))
    jobs = tuple(map(_planned, in_order))
    asked_for = {str(path) for job in needed for path in job.input} | set(map(str, graph.targetfiles))
    unmade = asked_for - {path for job in jobs for path in (*job.outputs, job.record)}
    return Plan(results, jobs, tuple(sorted(path for path in unmade if path.startswith(f"{results}/"))))


def _planned(job: Any) -> PlannedJob:
    record = str(job.output.record)
    return PlannedJob(
        record=record,
        rule=job.rule.name,
        code=job.params.code,
        params=param_digests(job.params.items()),
        inputs=tuple(dict.fromkeys(map(str, job.input))),
        outputs=tuple(path for path in map(str, job.output) if path != record),
        benchmark=str(job.benchmark),
        folder=job.params.folder if job.output.get("manifest") else None,
    )

"""From Snakemake's graph of jobs to a plan."""

from typing import Any

from ecgtransfer.provenance.plan import Plan, PlannedJob
from ecgtransfer.provenance.record import param_digests


def plan_of(graph: Any, results: str) -> Plan:
    """Return the plan of the jobs in Snakemake's graph that its targets need.

    Jobs without record in the folder of results are left out: that of the rule ``all``, and those of a workflow that
    imports this one.
    """
    waiting, needed = list(graph.targetjobs), set(graph.targetjobs)  # with --until, the graph holds more
    while waiting:
        found = set(graph.dependencies[waiting.pop()]) - needed
        needed |= found
        waiting += found
    records = f"{results}/provenance/"
    in_order = (job for level in graph.toposorted() for job in level if job in needed)
    jobs = tuple(_planned(job) for job in in_order if str(job.output.get("record")).startswith(records))
    asked_for = {str(path) for job in needed for path in job.input} | set(map(str, graph.targetfiles))
    unmade = asked_for - {str(path) for job in needed for path in job.output}
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

"""The plan of a run as a file: every job with what the current config requires of it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from ecgtransfer.files import read_json, write_json


@dataclass(frozen=True)
class PlannedJob:
    """A job of the study, as the current config, tables and code require it.

    `benchmark` is the file with what it took, which has a date that counts. `folder` is where the files of a manifest
    lie that this job writes, else None.
    """

    record: str
    rule: str
    code: str
    params: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    benchmark: str
    folder: str | None = None


@dataclass(frozen=True)
class Plan:
    """The jobs of a study, each after those whose files it reads, and the folder of all that they write.

    `unmade` are files in that folder that are required and that no job makes: Snakemake takes a file that is there for
    one of the user's where a table that its rule reads is gone.
    """

    results: str
    jobs: tuple[PlannedJob, ...]
    unmade: tuple[str, ...] = ()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as JSON."""
        write_json(asdict(self), path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Plan":
        """Return a plan that was written."""
        content = read_json(path)
        jobs = ({**job, "inputs": tuple(job["inputs"]), "outputs": tuple(job["outputs"])} for job in content["jobs"])
        return cls(content["results"], tuple(PlannedJob(**job) for job in jobs), tuple(content["unmade"]))

    def upstream_of(self, paths: Iterable[str]) -> "Plan":
        """Return the plan of the jobs that files depend on, directly or not."""
        wanted = set(paths)
        kept = []
        for job in reversed(self.jobs):
            if not wanted.isdisjoint(job.outputs):
                kept.append(job)
                wanted.update(job.inputs)
        return replace(self, jobs=tuple(reversed(kept)))

"""Rule `collect_runs`: what findings need of all cells, in a few files."""

from ecgtransfer.arms import Cell
from ecgtransfer.compare.collected import collect_scores, collect_trainings
from ecgtransfer.job import Job, job

snakemake: Job

with job(snakemake):
    files, out = snakemake.input, snakemake.output
    cells = [Cell(*key) for key in snakemake.params.cells]
    collect_scores(cells, files.scores, files.resamples, out.scores, out.resamples, out.label_scores)
    collect_trainings(cells, files.metadata, files.histories, out.metadata, out.histories)

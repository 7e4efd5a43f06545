"""Rule `report`: one page with the answer of the study and what is behind it."""

from pathlib import Path

from ecgtransfer.files import written_whole
from ecgtransfer.job import Job, job
from ecgtransfer.provenance.digests import MEMORY, Digests
from ecgtransfer.provenance.judge import require_current
from ecgtransfer.provenance.plan import Plan
from ecgtransfer.report.page import render_page
from ecgtransfer.report.reading import read_results

snakemake: Job

with job(snakemake):
    files, settings = snakemake.input, snakemake.params
    require_current(Plan.read(settings.plan).upstream_of(files), Digests(MEMORY))
    results = read_results(dict(files.items()), dict(settings.items()))
    page = render_page(Path(files.template).read_text(encoding="utf-8"), results)
    with written_whole(snakemake.output.page) as temporary:
        temporary.write_text(page, encoding="utf-8")

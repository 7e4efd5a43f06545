"""Rule `report`: one page with the answer of the study and what stands behind it."""

from pathlib import Path

import pandas as pd

from ecgtransfer.compare.collected import read_facts
from ecgtransfer.compare.tables import read_findings
from ecgtransfer.csv_tables import read_labels
from ecgtransfer.files import read_json, written_whole
from ecgtransfer.job import job
from ecgtransfer.notices import read_notices
from ecgtransfer.prepare.code_tables import read_code_table
from ecgtransfer.prepare.corpora import read_tables
from ecgtransfer.provenance.digests import MEMORY, Digests
from ecgtransfer.provenance.judge import require_current
from ecgtransfer.provenance.plan import Plan
from ecgtransfer.report.embedded import image_uri, svg_uri
from ecgtransfer.report.inputs import (
    drawn_recordings,
    read_names,
    software_versions,
)
from ecgtransfer.report.page import StudyResults, render_page

with job(snakemake):
    files, plan = snakemake.input, snakemake.params
    require_current(Plan.read(plan.plan).upstream_of(files), Digests(MEMORY))
    snomed = read_code_table(files.snomed, ["snomed_ct", "abbreviation"], ["name"])
    records = read_tables(plan.drawn, files.records)
    runs = read_facts(files.runs)
    results = StudyResults(
        config=plan.config,
        published=plan.published,
        findings=dict(zip(plan.findings, map(read_findings, files.findings), strict=True)),
        figures=dict(zip(plan.figures, map(svg_uri, files.figures), strict=True)),
        recordings=drawn_recordings(records, snomed, files.recordings),
        records=records,
        rejected=read_tables(plan.drawn, files.rejected),
        quality_figures={name: image_uri(path) for name, path in zip(plan.studied, files.quality_figures, strict=True)},
        leakage=pd.read_csv(files.leakage, dtype=str, keep_default_na=False),
        notices=read_notices(files.notices),
        recipes=dict(zip(plan.studied, map(read_json, files.recipes), strict=True)),
        label_names=read_names(snomed),
        labels=read_tables(plan.corpora, files.labels, read_labels),
        splits=read_tables(plan.corpora, files.splits),
        cells=[(cell.target, cell.model, cell.arm, cell.fraction) for cell in runs],
        runs=list(runs.values()),
        pretraining=list(map(read_json, files.pretraining)),
        versions=software_versions(),
    )
    page = render_page(Path(files.template).read_text(encoding="utf-8"), results)
    with written_whole(snakemake.output.page) as temporary:
        temporary.write_text(page, encoding="utf-8")

"""Everything that the page shows, read from the files of a study."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ecgtransfer.compare.collected import read_metadata
from ecgtransfer.compare.tables import read_findings
from ecgtransfer.config.study import Study
from ecgtransfer.csv_tables import read_labels
from ecgtransfer.files import read_json
from ecgtransfer.notices import read_notices
from ecgtransfer.prepare.code_tables import read_code_table
from ecgtransfer.prepare.corpora import read_tables
from ecgtransfer.report.embedded import image_uri, svg_uri
from ecgtransfer.report.inputs import drawn_recordings, read_names, software_versions
from ecgtransfer.report.page import StudyResults


def read_results(files: Mapping[str, Any], settings: Mapping[str, Any]) -> StudyResults:
    """Return what the page of a study shows.

    Parameters
    ----------
    files, settings
        The inputs and the params of the rule `report`, by name.
    """
    drawn, studied, corpora = (settings[name] for name in ("drawn", "studied", "corpora"))
    snomed = read_code_table(files["snomed"], ["snomed_ct", "abbreviation"], ["name"])
    records, runs = read_tables(drawn, files["records"]), read_metadata(files["runs"])
    return StudyResults(
        study=Study.of(settings["config"]),
        published=settings["published"],
        findings=dict(zip(settings["findings"], map(read_findings, files["findings"]), strict=True)),
        figures=dict(zip(settings["figures"], map(svg_uri, files["figures"]), strict=True)),
        recordings=drawn_recordings(records, snomed, files["recordings"]),
        records=records,
        rejected=read_tables(drawn, files["rejected"]),
        quality_figures=dict(zip(studied, map(image_uri, files["quality_figures"]), strict=True)),
        leakage=pd.read_csv(files["leakage"], dtype=str, keep_default_na=False),
        notices=read_notices(files["notices"]),
        recipes=dict(zip(studied, map(read_json, files["recipes"]), strict=True)),
        label_names=read_names(snomed),
        labels=read_tables(corpora, files["labels"], read_labels),
        splits=read_tables(corpora, files["splits"]),
        cells=[(cell.target, cell.model, cell.arm, cell.fraction) for cell in runs],
        runs=list(runs.values()),
        pretraining=list(map(read_json, files["pretraining"])),
        versions=software_versions(),
    )

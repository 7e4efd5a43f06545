"""Rule `plot_recordings`: some recordings of a data set as published, on ECG paper."""

from pathlib import Path

from ecgtransfer.csv_tables import read_table
from ecgtransfer.exhibits.figure_files import FEWER_DOTS_PER_INCH, save_figure
from ecgtransfer.job import Job, job
from ecgtransfer.prepare.code_tables import read_translation
from ecgtransfer.prepare.formats.units import NO_UNIT
from ecgtransfer.prepare.recordings import read_recording
from ecgtransfer.report.ecg_page import draw_ecg_page
from ecgtransfer.report.recordings import choose_recordings, recording_title

snakemake: Job

with job(snakemake):
    records = read_table(snakemake.input.records)
    abbreviations = read_translation(snakemake.input.snomed, "snomed_ct", "abbreviation")
    stored = read_table(snakemake.input.described).fillna({"unit": "", "leads": ""}).set_index("record_id")
    chosen = choose_recordings(records, len(snakemake.output.svg))
    for record, svg, png in zip(chosen, snakemake.output.svg, snakemake.output.png, strict=True):
        unit, leads = stored.loc[record["record_id"], ["unit", "leads"]]
        signal = read_recording(Path(snakemake.params.folder), record["path"], unit, leads)
        title = recording_title(snakemake.wildcards.dataset, record, abbreviations)
        page = draw_ecg_page(signal, record["sampling_rate_hz"], title, has_unit=unit != NO_UNIT)
        save_figure(page, svg, png, FEWER_DOTS_PER_INCH)

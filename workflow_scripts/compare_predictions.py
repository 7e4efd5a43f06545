"""Rule `compare_predictions`: scores by sex and age, and calibration, from the predictions of a study's cells."""

import pandas as pd

from ecgtransfer.compare.calibration import calibration, reliability
from ecgtransfer.compare.scores import load_predictions
from ecgtransfer.compare.subgroups import subgroups
from ecgtransfer.compare.tested import Draws
from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import join_records, read_tables
from ecgtransfer.study import Cell

with job(snakemake):
    files, out, plan = snakemake.input, snakemake.output, snakemake.params
    labels, splits = read_tables(plan.targets, files.labels), read_tables(plan.targets, files.splits)
    paths = dict(zip(plan.datasets, files.records, strict=True))
    records = {name: join_records(joined, [paths[each] for each in joined]) for name, joined in plan.members.items()}
    draws = Draws(**plan.draws)
    by_group, calibrated, reliable = [], [], []
    for key, path in zip(plan.cells, files.predictions, strict=True):
        cell, predictions = Cell(*key), load_predictions(path)
        truth = labels[cell.target], splits[cell.target]
        by_group.append(subgroups(cell, predictions, *truth, records[cell.target], draws))
        calibrated.append(calibration(cell, predictions, *truth, draws))
        reliable.append(reliability(cell, predictions, labels[cell.target]))
    write_csv(pd.concat(by_group), out.subgroups)
    write_csv(pd.concat(calibrated), out.calibration)
    write_csv(pd.concat(reliable), out.reliability)

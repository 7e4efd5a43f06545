"""Rule `compare_sources`: how the sources' models do on the targets unchanged, and whether that tells the gain."""

from ecgtransfer.arms import FINETUNE, SCRATCH, arm_of
from ecgtransfer.compare.findings import read_findings
from ecgtransfer.compare.scores import load_predictions
from ecgtransfer.compare.tested import Draws
from ecgtransfer.compare.transferability import meleps, transferability, transferability_correlations
from ecgtransfer.compare.zero_shot import load_source_predictions, zero_shot, zero_shot_table
from ecgtransfer.csv_tables import read_labels
from ecgtransfer.files import write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import read_tables
from ecgtransfer.study import Cell

with job(snakemake):
    files, out, plan = snakemake.input, snakemake.output, snakemake.params
    labels = read_tables(plan.targets, files.labels, read_labels)
    splits = read_tables(plan.targets, files.splits)
    verdicts = read_findings(files.verdicts)
    trained = {Cell(*key): path for key, path in zip(plan.cells, files.predictions, strict=True)}
    draws = Draws(**plan.draws)

    rows, values = [], {}
    for (target, model, source), path in zip(plan.sources, files.zero_shot, strict=True):
        predictions = load_source_predictions(path)
        paths = {
            name: trained.get(Cell(target, model, arm, max(plan.fractions)))
            for name, arm in (("scratch", SCRATCH), ("finetune", arm_of(FINETUNE, source)))
        }
        beside = {name: load_predictions(path) for name, path in paths.items() if path}
        tables = labels[target], splits[target]
        rows.append(zero_shot(target, source, model, predictions, *tables, draws, plan.min_positives, **beside))
        for fraction in plan.fractions:
            of_fraction = meleps(predictions, labels[target], splits[target], fraction)
            for arm in plan.arms:
                values[Cell(target, model, arm_of(arm, source), fraction)] = of_fraction
    write_csv(zero_shot_table(rows), out.zero_shot)
    table = transferability(values, verdicts)
    write_csv(table, out.transferability)
    write_csv(transferability_correlations(table), out.correlation)

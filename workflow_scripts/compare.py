"""Rule `compare`: what the scores and the course of all trainings say, as one table per finding."""

import pandas as pd

from ecgtransfer.compare.architectures import architectures, transferred_shares
from ecgtransfer.compare.claims import claims
from ecgtransfer.compare.convergence import convergence, replicate_convergence, training_of
from ecgtransfer.compare.cost import break_even, by_source_and_model, costs
from ecgtransfer.compare.findings import learning_curves, load_run, verdicts
from ecgtransfer.compare.headlines import mean_runs
from ecgtransfer.compare.label_saving import label_savings
from ecgtransfer.compare.optimism import optimism
from ecgtransfer.compare.parity import parity
from ecgtransfer.compare.per_label import per_label_gains, prevalence_correlations, training_positives
from ecgtransfer.compare.significance import significance
from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.files import read_json, write_csv
from ecgtransfer.job import job
from ecgtransfer.prepare.corpora import read_tables
from ecgtransfer.study import Cell

with job(snakemake):
    files, out, plan = snakemake.input, snakemake.output, snakemake.params
    confidence, margin, seed = (plan.settings[key] for key in ("confidence", "margin", "seed"))

    runs = [load_run(*key, *paths) for key, *paths in zip(plan.cells, files.scores, files.resamples, strict=True)]
    write_csv(learning_curves(runs, confidence, seed), out.curves)
    write_csv(verdicts(runs, confidence, margin, seed), out.verdicts)
    write_csv(significance(runs, confidence, margin, seed), out.significance)
    write_csv(label_savings(runs, confidence, seed), out.label_saving)

    all_together = mean_runs(runs, plan.way)
    write_csv(verdicts(all_together, confidence, margin, seed), out.headlines)
    write_csv(label_savings(all_together, confidence, seed), out.headline_savings)

    facts = {Cell(*key): fact for key, fact in zip(plan.cells, map(read_json, files.facts), strict=True)}
    histories = {cell: read_table(path) for cell, path in zip(facts, files.histories, strict=True)}
    by_replicate = replicate_convergence([training_of(cell, histories[cell], fact) for cell, fact in facts.items()])
    pretraining = by_source_and_model(map(read_json, files.pretraining))
    write_csv(convergence(by_replicate, confidence), out.convergence)
    write_csv(costs(facts, pretraining), out.costs)
    write_csv(break_even(by_replicate, pretraining, confidence), out.break_even)
    write_csv(optimism(histories, facts, confidence), out.optimism)

    shares = transferred_shares(facts, plan.families)
    by_family = architectures(runs, plan.families, shares, confidence, seed)
    write_csv(shares, out.transferred_shares)
    write_csv(by_family, out.architectures)

    fractions = sorted({cell.fraction for cell in facts})
    labels = read_tables(plan.targets, files.labels, read_labels)
    splits = read_tables(plan.targets, files.splits)
    positives = pd.concat(training_positives(name, labels[name], splits[name], fractions) for name in plan.targets)
    gains = per_label_gains(runs, positives)
    write_csv(gains, out.per_label)
    write_csv(prevalence_correlations(gains), out.prevalence)

    found = claims(runs, by_replicate, plan.families, plan.joined, confidence, seed)
    write_csv(found, out.claims)
    write_csv(parity(read_table(files.beside[0]) if files.beside else found.iloc[:0], found), out.parity)

# What findings are made from: the files and the settings for what they request by name.

FINDING_TABLES = list(tables_of_findings(FINDINGS))
DRAWN_FINDINGS = list(drawn_findings(FINDINGS))
IN_REPORT = ["verdicts"]  # tables that Snakemake's report shows with the figures

PREDICTIONS = "<results>/runs/{target}/{model}/{arm}/{fraction}/predictions.npz"
SCORES = {
    "scores": "<results>/collected/scores.csv",
    "resamples": "<results>/collected/resamples.npy",
}
GIVEN_FILES = {
    "runs": SCORES,
    "runs_with_labels": {
        **SCORES,
        "label_scores": "<results>/collected/label_scores.csv",
    },
    "metadata": {"metadata": "<results>/collected/runs.json"},
    "histories": {"histories": "<results>/collected/histories.csv"},
    "pretraining": {"pretraining": pretraining_metadata()},
    "labels": {"labels": of_every_target("<results>/labels/{target}.csv")},
    "splits": {"splits": of_every_target("<results>/splits/{target}.csv")},
    "records": {
        "records": expand(
            "<results>/records/{dataset}.csv", dataset=datasets_of_all_targets()
        )
    },
    "beside": {"beside": claims_beside()},
    "predictions_at_ends": {
        "predictions_at_ends": files_of(PREDICTIONS, AT_ENDS_OF_CURVES)
    },
    "predictions_at_largest": {
        "predictions_at_largest": files_of(PREDICTIONS, AT_LARGEST_FRACTION)
    },
    "source_predictions": {"source_predictions": zero_shot_predictions()},
    **{table: {table: f"<results>/findings/{table}.csv"} for table in FINDING_TABLES},
}
GIVEN_SETTINGS = {
    **{
        name: {name: config["compare"][name]}
        for name in ("confidence", "margin", "seed", "variance")
    },
    "method": {"method": STUDY.transfer.methods[0]},
    "families": {"families": families_of_models()},
    "joined": {"joined": sources_that_join()},
    "min_positives": {"min_positives": STUDY.score.min_positives},
    "draws": {"draws": settings_of_draws()},
    "labels": {"targets": STUDY.transfer.targets},
    "splits": {"targets": STUDY.transfer.targets},
    "records": {
        "datasets": datasets_of_all_targets(),
        "members": members_by_name(STUDY.transfer.targets),
    },
    "beside": {"beside_study": config["compare"]["beside"]},
    "predictions_at_ends": {"cells_at_ends": keys_of(AT_ENDS_OF_CURVES)},
    "predictions_at_largest": {"cells_at_largest": keys_of(AT_LARGEST_FRACTION)},
    "source_predictions": {"meetings": zero_shots_of(STUDY)},
}


def asked_by(finding, given):
    """Return what of `given` a finding is computed from."""
    wanted = [given.get(name, {}) for name in asked(finding).computed_from]
    return {name: value for each in wanted for name, value in each.items()}


def tables_of_finding(finding):
    """Return the tables that a finding makes."""
    return {table: f"<results>/findings/{table}.csv" for table in asked(finding).tables}


def tables_in_report(finding):
    """Return the tables that a finding makes, with a flag on those that Snakemake's report shows."""
    shown = {
        table: report(
            path,
            caption=f"captions/{table}.rst",
            category="Findings",
            labels={"what": f"{table}, as a table"},
        )
        for table, path in tables_of_finding(finding).items()
        if table in IN_REPORT
    }
    return tables_of_finding(finding) | shown


def tables_of_figure(wildcards):
    """Return the tables that a figure is drawn from."""
    return {
        name: f"<results>/findings/{name}.csv"
        for name in asked(wildcards.finding).drawn_from
        if name in FINDING_TABLES
    }


def margin_in_figure(wildcards):
    """Return the margin of equivalence, if a figure shows it."""
    shown = "margin" in asked(wildcards.finding).drawn_from
    return STUDY.compare.margin if shown else None


def caption_of_figure(wildcards):
    """Return what a figure shows, as Snakemake's report says it."""
    return asked(wildcards.finding).caption.format(
        percent=f"{100 * STUDY.compare.confidence:g} %",
        margin=STUDY.compare.margin,
        replicates=STUDY.transfer.replicates,
    )

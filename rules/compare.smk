# From predictions to scores, and from scores to findings. Test labels are read here and nowhere else.


rule score_run:
    input:
        predictions="<results>/runs/{target}/{model}/{arm}/{fraction}/predictions.npz",
        labels="<results>/labels/{target}.csv",
        splits="<results>/splits/{target}.csv",
        rewards=rewards_of_target,
    output:
        scores="<results>/scores/{target}/{model}/{arm}/{fraction}.csv",
        resamples="<results>/scores/{target}/{model}/{arm}/{fraction}.resamples.npz",
        record="<results>/provenance/score_run/{target}/{model}/{arm}/{fraction}.json",
    log:
        "<logs>/score_run/{target}/{model}/{arm}/{fraction}.log",
    benchmark:
        "<benchmarks>/score_run/{target}/{model}/{arm}/{fraction}.tsv"
    group:
        "scores"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        bootstrap=config["score"],
        code=code_of("score_run"),
    script:
        "../workflow_scripts/score_run.py"


# What findings need of all cells, once in a few files: else each of them would have thousands.
rule collect_runs:
    input:
        scores=of_every_cell("<results>/scores/{target}/{model}/{arm}/{fraction}.csv"),
        resamples=of_every_cell(
            "<results>/scores/{target}/{model}/{arm}/{fraction}.resamples.npz"
        ),
        metadata=of_every_cell(
            "<results>/runs/{target}/{model}/{arm}/{fraction}/run.json"
        ),
        histories=of_every_cell(
            "<results>/runs/{target}/{model}/{arm}/{fraction}/history.csv"
        ),
    output:
        scores="<results>/collected/scores.csv",
        resamples="<results>/collected/resamples.npy",
        label_scores="<results>/collected/label_scores.csv",
        metadata="<results>/collected/runs.json",
        histories="<results>/collected/histories.csv",
        record="<results>/provenance/collect_runs.json",
    log:
        "<logs>/collect_runs.log",
    benchmark:
        "<benchmarks>/collect_runs.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        cells=cell_keys(),
        code=code_of("collect_runs"),
    script:
        "../workflow_scripts/collect_runs.py"


# A rule for each finding, `compute_verdicts` and so on: each reads only what it needs. Those that read predictions
# do so of some cells only, for resamples of every group of patients take their time.
for finding in FINDINGS:

    rule:
        name:
            f"compute_{finding}"
        input:
            **asked_by(finding, GIVEN_FILES),
        output:
            **tables_in_report(finding),
            record=f"<results>/provenance/compute_finding/{finding}.json",
        log:
            f"<logs>/compute_finding/{finding}.log",
        benchmark:
            f"<benchmarks>/compute_finding/{finding}.tsv"
        conda:
            "../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=720,
        params:
            **asked_by(finding, GIVEN_SETTINGS),
            finding=finding,
            code=finding_code_of("compute_finding", finding, "compute"),
        script:
            "../workflow_scripts/compute_finding.py"

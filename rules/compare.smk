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


# All that can be said from scores and from how the trainings went.
rule compare:
    input:
        scores=of_every_cell("<results>/scores/{target}/{model}/{arm}/{fraction}.csv"),
        resamples=of_every_cell(
            "<results>/scores/{target}/{model}/{arm}/{fraction}.resamples.npz"
        ),
        facts=of_every_cell("<results>/runs/{target}/{model}/{arm}/{fraction}/run.json"),
        histories=of_every_cell(
            "<results>/runs/{target}/{model}/{arm}/{fraction}/history.csv"
        ),
        pretraining=pretraining_facts(),
        labels=of_every_target("<results>/labels/{target}.csv"),
        splits=of_every_target("<results>/splits/{target}.csv"),
        beside=claims_beside(),
    output:
        curves="<results>/findings/curves.csv",
        verdicts=report(
            "<results>/findings/verdicts.csv",
            caption="captions/verdicts.rst",
            category="Findings",
            labels={"what": "verdicts, as a table"},
        ),
        headlines="<results>/findings/headlines.csv",
        headline_savings="<results>/findings/headline_savings.csv",
        significance="<results>/findings/significance.csv",
        label_saving="<results>/findings/label_saving.csv",
        convergence="<results>/findings/convergence.csv",
        costs="<results>/findings/costs.csv",
        break_even="<results>/findings/break_even.csv",
        architectures="<results>/findings/architectures.csv",
        transferred_shares="<results>/findings/transferred_shares.csv",
        per_label="<results>/findings/per_label.csv",
        prevalence="<results>/findings/prevalence.csv",
        optimism="<results>/findings/optimism.csv",
        claims="<results>/findings/claims.csv",
        parity="<results>/findings/parity.csv",
        record="<results>/provenance/compare.json",
    log:
        "<logs>/compare.log",
    benchmark:
        "<benchmarks>/compare.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        cells=cell_keys(),
        targets=STUDY.transfer.targets,
        way=STUDY.transfer.arms[0],
        families=families_of_models(),
        joined=sources_that_join(),
        settings=config["compare"],
        code=code_of("compare"),
    script:
        "../workflow_scripts/compare.py"


# Who is served how well: test predictions again, by sex and age, and as probabilities. At both ends of the curves only,
# for resamples of every group take their time.
rule compare_predictions:
    input:
        predictions=files_of(
            "<results>/runs/{target}/{model}/{arm}/{fraction}/predictions.npz",
            AT_ENDS_OF_CURVES,
        ),
        labels=of_every_target("<results>/labels/{target}.csv"),
        splits=of_every_target("<results>/splits/{target}.csv"),
        records=expand(
            "<results>/records/{dataset}.csv", dataset=datasets_of_all_targets()
        ),
    output:
        subgroups="<results>/findings/subgroups.csv",
        calibration="<results>/findings/calibration.csv",
        reliability="<results>/findings/reliability.csv",
        record="<results>/provenance/compare_predictions.json",
    log:
        "<logs>/compare_predictions.log",
    benchmark:
        "<benchmarks>/compare_predictions.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        cells=keys_of(AT_ENDS_OF_CURVES),
        targets=STUDY.transfer.targets,
        datasets=datasets_of_all_targets(),
        members=members_by_name(STUDY.transfer.targets),
        draws=settings_of_draws(),
        code=code_of("compare_predictions"),
    script:
        "../workflow_scripts/compare_predictions.py"


# What the model of a source says of a target before any training on it, and whether that tells how well it transfers.
rule compare_sources:
    input:
        zero_shot=zero_shot_predictions(),
        predictions=files_of(
            "<results>/runs/{target}/{model}/{arm}/{fraction}/predictions.npz",
            AT_LARGEST_FRACTION,
        ),
        labels=of_every_target("<results>/labels/{target}.csv"),
        splits=of_every_target("<results>/splits/{target}.csv"),
        verdicts="<results>/findings/verdicts.csv",
    output:
        zero_shot="<results>/findings/zero_shot.csv",
        transferability="<results>/findings/transferability.csv",
        correlation="<results>/findings/transferability_correlation.csv",
        record="<results>/provenance/compare_sources.json",
    log:
        "<logs>/compare_sources.log",
    benchmark:
        "<benchmarks>/compare_sources.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        sources=zero_shots_of(STUDY),
        cells=keys_of(AT_LARGEST_FRACTION),
        targets=STUDY.transfer.targets,
        fractions=FRACTIONS,
        arms=STUDY.transfer.arms,
        draws=settings_of_draws(),
        min_positives=STUDY.score.min_positives,
        code=code_of("compare_sources"),
    script:
        "../workflow_scripts/compare_sources.py"

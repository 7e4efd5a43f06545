# From predictions to scores, and from scores to findings. Test labels are read here and nowhere else.


rule score_run:
    input:
        predictions="<results>/runs/{target}/{model}/{arm}/{fraction}/predictions.npz",
        labels="<results>/labels/{target}.csv",
        splits="<results>/splits/{target}.csv",
    output:
        scores="<results>/scores/{target}/{model}/{arm}/{fraction}.csv",
        resamples="<results>/scores/{target}/{model}/{arm}/{fraction}.resamples.npz",
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


rule compare:
    input:
        scores=of_every_cell("<results>/scores/{target}/{model}/{arm}/{fraction}.csv"),
        resamples=of_every_cell(
            "<results>/scores/{target}/{model}/{arm}/{fraction}.resamples.npz"
        ),
    output:
        curves="<results>/findings/curves.csv",
        verdicts=report(
            "<results>/findings/verdicts.csv",
            caption="captions/verdicts.rst",
            category="Findings",
            labels={"figure": "verdicts"},
        ),
        label_savings="<results>/findings/label_saving.csv",
    log:
        "<logs>/compare.log",
    benchmark:
        "<benchmarks>/compare.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        cells=cell_keys(),
        settings=config["compare"],
        code=code_of("compare"),
    script:
        "../workflow_scripts/compare.py"

# Figures, each beside the findings table of the same name, and the page.


rule plot_curves:
    input:
        curves="<results>/findings/curves.csv",
    output:
        svg=report(
            "<results>/figures/curves.svg",
            caption="captions/curves.rst",
            category="Findings",
            labels={"figure": "learning curves"},
        ),
        png="<results>/figures/curves.png",
    log:
        "<logs>/plot_curves.log",
    benchmark:
        "<benchmarks>/plot_curves.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=code_of("plot_curves"),
    script:
        "../workflow_scripts/plot_curves.py"


rule plot_recordings:
    input:
        records="<results>/records/{dataset}.csv",
        snomed="config/labels/snomed.csv",
    output:
        svg=report(
            recording_figures("svg"),
            caption="captions/recordings.rst",
            category="Recordings",
            labels={"data set": "{dataset}"},
        ),
        png=recording_figures("png"),
    log:
        "<logs>/plot_recordings/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_recordings/{dataset}.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        folder="data/{dataset}",
        code=code_of("plot_recordings"),
    script:
        "../workflow_scripts/plot_recordings.py"

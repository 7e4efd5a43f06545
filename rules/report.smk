# Figures, each beside the findings table of the same name, and the page.


# Which tables each figure shows; it is named after the first.
FIGURES = {
    "claims": ["claims"],
    "parity": ["parity"],
    "curves": ["curves"],
    "verdicts": ["verdicts"],
    "label_saving": ["label_saving"],
    "convergence": ["convergence"],
    "costs": ["costs", "break_even"],
    "architectures": ["architectures"],
    "per_label": ["per_label", "prevalence"],
    "zero_shot": ["zero_shot"],
    "transferability": ["transferability", "transferability_correlation"],
    "subgroups": ["subgroups"],
    "calibration": ["calibration", "reliability"],
}
CAPTIONS = {"verdicts": "verdicts_figure"}  # the table has one of its own
TABLES_ON_PAGE = [
    *FIGURES,
    "headlines",
    "headline_savings",
    "significance",
    "optimism",
]


rule plot_findings:
    input:
        tables=expand("<results>/findings/{table}.csv", table=drawn_tables()),
    output:
        svg=[
            report(
                f"<results>/figures/{finding}.svg",
                caption=f"captions/{CAPTIONS.get(finding, finding)}.rst",
                category="Findings",
                labels={"what": finding},
            )
            for finding in FIGURES
        ],
        png=expand("<results>/figures/{finding}.png", finding=FIGURES),
        record="<results>/provenance/plot_findings.json",
    log:
        "<logs>/plot_findings.log",
    benchmark:
        "<benchmarks>/plot_findings.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        figures=FIGURES,
        tables=drawn_tables(),
        margin=config["compare"]["margin"],
        stamp="leaky by design" if leaks(STUDY) else "",
        code=figures_code_of("plot_findings"),
    script:
        "../workflow_scripts/plot_findings.py"


rule plot_recordings:
    input:
        manifest="<results>/raw/{dataset}.csv",
        records="<results>/records/{dataset}.csv",
        described="<results>/records/{dataset}.described.csv",
        snomed=of_workflow("config/labels/snomed.csv"),
    output:
        svg=report(
            recording_figures("svg"),
            caption="captions/recordings.rst",
            category="Recordings",
            labels={"data set": "{dataset}"},
        ),
        png=recording_figures("png"),
        record="<results>/provenance/plot_recordings/{dataset}.json",
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
        folder=data_folder,
        code=code_of("plot_recordings"),
    script:
        "../workflow_scripts/plot_recordings.py"


rule plot_quality:
    input:
        rejected="<results>/records/{dataset}.rejected.csv",
        quality="<results>/signals/{dataset}.csv",
        signals="<results>/signals/{dataset}.npy",
    output:
        summary="<results>/findings/quality/{dataset}.csv",
        svg=report(
            "<results>/figures/quality/{dataset}.svg",
            caption="captions/quality.rst",
            category="Data",
            labels={"what": "quality of {dataset}"},
        ),
        png="<results>/figures/quality/{dataset}.png",
        record="<results>/provenance/plot_quality/{dataset}.json",
    log:
        "<logs>/plot_quality/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_quality/{dataset}.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        sampling_rate_hz=config["signals"]["sampling_rate_hz"],
        implausible_gain=config["signals"]["implausible_gain"],
        code=code_of("plot_quality"),
    script:
        "../workflow_scripts/plot_quality.py"


# The template is an input, so that an edit of it makes the page again. The mirror changes no result, hence no page.
rule report:
    input:
        findings=expand("<results>/findings/{finding}.csv", finding=TABLES_ON_PAGE),
        figures=expand("<results>/figures/{finding}.svg", finding=FIGURES),
        recordings=drawn_recordings("png"),
        records=expand("<results>/records/{dataset}.csv", dataset=drawn_datasets(STUDY)),
        rejected=expand(
            "<results>/records/{dataset}.rejected.csv", dataset=drawn_datasets(STUDY)
        ),
        notices=notices_on_page(),
        recipes=expand(
            "<results>/signals/{dataset}.json", dataset=studied_datasets(STUDY)
        ),
        quality_figures=expand(
            "<results>/figures/quality/{dataset}.png", dataset=studied_datasets(STUDY)
        ),
        leakage="<results>/audit/leakage.csv",
        labels=expand("<results>/labels/{corpus}.csv", corpus=corpora_of(STUDY)),
        splits=expand("<results>/splits/{corpus}.csv", corpus=corpora_of(STUDY)),
        runs=of_every_cell("<results>/runs/{target}/{model}/{arm}/{fraction}/run.json"),
        pretraining=pretraining_facts(),
        snomed=of_workflow("config/labels/snomed.csv"),
        template=of_workflow("workflow_scripts/ecgtransfer/report/page.html.j2"),
        version=of_workflow("workflow_scripts/ecgtransfer/VERSION"),
    output:
        page=report(
            "<results>/report/index.html",
            caption="captions/page.rst",
            category="Findings",
            labels={"what": "the whole page"},
        ),
        record="<results>/provenance/report.json",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        config={
            key: value
            for key, value in config.items()
            if key not in ("mirror", "mirrors")
        },
        published=published_facts(),
        findings=TABLES_ON_PAGE,
        figures=list(FIGURES),
        drawn=drawn_datasets(STUDY),
        studied=studied_datasets(STUDY),
        corpora=corpora_of(STUDY),
        cells=cell_keys(),
        plan=PLAN,
        code=code_of("report"),
    script:
        "../workflow_scripts/report.py"

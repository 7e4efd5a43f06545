# Figures, each with the findings table of the same name, and the page.


rule plot_finding:
    input:
        unpack(tables_of_figure),
    output:
        svg=report(
            "<results>/figures/{finding}.svg",
            caption="captions/finding.rst",
            category="Findings",
            labels={"what": "{finding}"},
        ),
        png="<results>/figures/{finding}.png",
        record="<results>/provenance/plot_finding/{finding}.json",
    log:
        "<logs>/plot_finding/{finding}.log",
    benchmark:
        "<benchmarks>/plot_finding/{finding}.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        margin=margin_in_figure,
        caption=caption_of_figure,
        stamp="leaky by design" if leaks(STUDY) else "",
        code=figure_code_of("plot_finding"),
    script:
        "../workflow_scripts/plot_finding.py"


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


# The template is an input, so that an edit of it rebuilds the page. The mirror changes no result, hence no page.
rule report:
    input:
        findings=expand("<results>/findings/{table}.csv", table=FINDING_TABLES),
        figures=expand("<results>/figures/{finding}.svg", finding=DRAWN_FINDINGS),
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
        runs="<results>/collected/runs.json",
        pretraining=pretraining_metadata(),
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
        published=published_metadata(),
        findings=FINDING_TABLES,
        figures=DRAWN_FINDINGS,
        drawn=drawn_datasets(STUDY),
        studied=studied_datasets(STUDY),
        corpora=corpora_of(STUDY),
        plan=PLAN,
        code=page_code_of("report"),
    script:
        "../workflow_scripts/report.py"

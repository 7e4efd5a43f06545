# From verified files to signals, labels and measured values.


rule describe_records:
    input:
        manifest="<results>/raw/{dataset}.csv",
        own_table=table_of_own,
    output:
        described="<results>/records/{dataset}.described.csv",
        rejected="<results>/records/{dataset}.rejected.csv",
        notices="<results>/notices/describe_records/{dataset}.csv",
        record="<results>/provenance/describe_records/{dataset}.json",
    log:
        "<logs>/describe_records/{dataset}.log",
    benchmark:
        "<benchmarks>/describe_records/{dataset}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        entry=described_entry,
        limit=limit_of,
        folder=data_folder,
        code=layout_code_of("describe_records"),
    script:
        "../workflow_scripts/describe_records.py"


rule index_records:
    input:
        described="<results>/records/{dataset}.described.csv",
        label_table=label_table_of,
    output:
        records="<results>/records/{dataset}.csv",
        notices="<results>/notices/index_records/{dataset}.csv",
        record="<results>/provenance/index_records/{dataset}.json",
    log:
        "<logs>/index_records/{dataset}.log",
    benchmark:
        "<benchmarks>/index_records/{dataset}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        min_likelihood=config["labels"]["min_likelihood"],
        separator=label_separator_of,
        code=code_of("index_records"),
    script:
        "../workflow_scripts/index_records.py"


# It reads what files say, not the records table: an edit of labels must not filter the signals again.
rule prepare_signals:
    input:
        manifest="<results>/raw/{dataset}.csv",
        described="<results>/records/{dataset}.described.csv",
    output:
        signals="<results>/signals/{dataset}.npy",
        quality="<results>/signals/{dataset}.csv",
        recipe="<results>/signals/{dataset}.json",
        notices="<results>/notices/prepare_signals/{dataset}.csv",
        record="<results>/provenance/prepare_signals/{dataset}.json",
    log:
        "<logs>/prepare_signals/{dataset}.log",
    benchmark:
        "<benchmarks>/prepare_signals/{dataset}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 8
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        settings=config["signals"],
        kernels=config["hardware"]["kernels"],
        folder=data_folder,
        code=code_of("prepare_signals"),
    script:
        "../workflow_scripts/prepare_signals.py"


rule harmonize_labels:
    input:
        records=of_corpus("<results>/records/{dataset}.csv", "corpus"),
        view=view_of_labels,
        snomed=of_workflow("config/labels/snomed.csv"),
        equivalent=of_workflow("config/labels/equivalent.csv"),
    output:
        labels="<results>/labels/{corpus}.csv",
        notices="<results>/notices/harmonize_labels/{corpus}.csv",
        record="<results>/provenance/harmonize_labels/{corpus}.json",
    log:
        "<logs>/harmonize_labels/{corpus}.log",
    benchmark:
        "<benchmarks>/harmonize_labels/{corpus}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        datasets=members_by_wildcard("corpus"),
        settings=label_settings,
        learnt=labels_are_learnt,
        code=code_of("harmonize_labels"),
    script:
        "../workflow_scripts/harmonize_labels.py"


rule measure_signals:
    input:
        signals="<results>/signals/{dataset}.npy",
        quality="<results>/signals/{dataset}.csv",
    output:
        measurements="<results>/measurements/{dataset}.csv",
        record="<results>/provenance/measure_signals/{dataset}.json",
    log:
        "<logs>/measure_signals/{dataset}.log",
    benchmark:
        "<benchmarks>/measure_signals/{dataset}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        sampling_rate_hz=config["signals"]["sampling_rate_hz"],
        code=code_of("measure_signals"),
    script:
        "../workflow_scripts/measure_signals.py"

# The same signal twice: found within corpora and between sources and targets, left out of training, and reported.


rule fingerprint_signals:
    input:
        signals="<results>/signals/{dataset}.npy",
    output:
        fingerprints="<results>/audit/fingerprints/{dataset}.npz",
        record="<results>/provenance/fingerprint_signals/{dataset}.json",
    log:
        "<logs>/fingerprint_signals/{dataset}.log",
    benchmark:
        "<benchmarks>/fingerprint_signals/{dataset}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        sampling_rate_hz=config["signals"]["sampling_rate_hz"],
        code=code_of("fingerprint_signals"),
    script:
        "../workflow_scripts/fingerprint_signals.py"


rule find_duplicates:
    input:
        fingerprints=of_corpus("<results>/audit/fingerprints/{dataset}.npz", "joined"),
        signals=of_corpus("<results>/signals/{dataset}.npy", "joined"),
        quality=of_corpus("<results>/signals/{dataset}.csv", "joined"),
    output:
        pairs="<results>/audit/duplicates/{joined}.csv",
        record="<results>/provenance/find_duplicates/{joined}.json",
    log:
        "<logs>/find_duplicates/{joined}.log",
    benchmark:
        "<benchmarks>/find_duplicates/{joined}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        datasets=members_by_wildcard("joined"),
        code=code_of("find_duplicates"),
    script:
        "../workflow_scripts/find_duplicates.py"


# What it finds decides whether a source is trained again: jobs that follow are planned again when it is done.
checkpoint find_overlaps:
    input:
        fingerprints=of_corpus("<results>/audit/fingerprints/{dataset}.npz", "joined"),
        signals=of_corpus("<results>/signals/{dataset}.npy", "joined"),
        quality=of_corpus("<results>/signals/{dataset}.csv", "joined"),
        target_fingerprints=of_its_targets("<results>/audit/fingerprints/{dataset}.npz"),
        target_signals=of_its_targets("<results>/signals/{dataset}.npy"),
        target_quality=of_its_targets("<results>/signals/{dataset}.csv"),
    output:
        pairs="<results>/audit/overlaps/{joined}.csv",
        record="<results>/provenance/find_overlaps/{joined}.json",
    log:
        "<logs>/find_overlaps/{joined}.log",
    benchmark:
        "<benchmarks>/find_overlaps/{joined}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        datasets=members_by_wildcard("joined"),
        target_datasets=datasets_of_its_targets,
        code=code_of("find_overlaps"),
    script:
        "../workflow_scripts/find_overlaps.py"

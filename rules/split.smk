# Who trains, who validates and who tests, without what the audit found twice; and what leaks nonetheless.


rule split_records:
    input:
        records=of_corpus("<results>/records/{dataset}.csv", "corpus"),
        quality=of_corpus("<results>/signals/{dataset}.csv", "corpus"),
        duplicates=of_joined("<results>/audit/duplicates/{joined}.csv", "corpus"),
        labels="<results>/labels/{corpus}.csv",
    output:
        splits="<results>/splits/{corpus}.csv",
        notices="<results>/notices/split_records/{corpus}.csv",
        record="<results>/provenance/split_records/{corpus}.json",
    log:
        "<logs>/split_records/{corpus}.log",
    benchmark:
        "<benchmarks>/split_records/{corpus}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        datasets=members_by_wildcard("corpus"),
        settings=config["splits"],
        n_replicates=replicates_of,
        labels_are_learnt=labels_are_learnt,
        code=code_of("split_records"),
    script:
        "../workflow_scripts/split_records.py"


rule audit_leakage:
    input:
        splits=expand("<results>/splits/{corpus}.csv", corpus=corpora_of(STUDY)),
        duplicates=expand(
            "<results>/audit/duplicates/{joined}.csv", joined=joined_corpora()
        ),
        overlaps=expand(
            "<results>/audit/overlaps/{joined}.csv", joined=joined_sources()
        ),
        records=expand(
            "<results>/records/{dataset}.csv", dataset=studied_datasets(STUDY)
        ),
    output:
        leakage=report(
            "<results>/audit/leakage.csv",
            caption="captions/leakage.rst",
            category="Data",
            labels={"what": "recordings and patients that occur twice"},
        ),
        notices="<results>/notices/audit_leakage.csv",
        record="<results>/provenance/audit_leakage.json",
    log:
        "<logs>/audit_leakage.log",
    benchmark:
        "<benchmarks>/audit_leakage.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        corpora=corpora_of(STUDY),
        datasets=studied_datasets(STUDY),
        joined=joined_corpora(),
        sources=joined_sources(),
        pairs=transfers_of(STUDY),
        members=members_by_name(corpora_of(STUDY)),
        patient_numberings=patient_numberings(),
        own=[name for name in studied_datasets(STUDY) if name in STUDY.own],
        code=code_of("audit_leakage"),
    script:
        "../workflow_scripts/audit_leakage.py"

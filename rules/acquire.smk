# Recordings: downloaded and verified or simulated into data/, or your own where they lie. Their manifest is the output;
# data/ outlives every run, and your own files are only read.


# On a cluster, the head node downloads: compute nodes often have no way out.
# The directive of that name forgets that a workflow which imports this one may rename its rules.
workflow.localrules(workflow.modifier.modify_rulename("download"))


rule simulate:
    output:
        manifest="<results>/raw/{simulated}.csv",
        record="<results>/provenance/simulate/{simulated}.json",
    log:
        "<logs>/simulate/{simulated}.log",
    benchmark:
        "<benchmarks>/simulate/{simulated}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=simulation_settings,
        folder=simulated_folder,
        code=code_of("simulate"),
    script:
        "../workflow_scripts/simulate.py"


rule download:
    output:
        manifest="<results>/raw/{published}.csv",
        record="<results>/provenance/download/{published}.json",
    log:
        "<logs>/download/{published}.log",
    benchmark:
        "<benchmarks>/download/{published}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=1440,
        downloads=1,
    params:
        entry=download_entry,
        limit=limit_of,
        folder="data/{published}",
        code=code_of("download"),
    script:
        "../workflow_scripts/download.py"


rule inventory:
    input:
        table=own_table,
    output:
        manifest="<results>/raw/{own}.csv",
        record="<results>/provenance/inventory/{own}.json",
    log:
        "<logs>/inventory/{own}.log",
    benchmark:
        "<benchmarks>/inventory/{own}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        entry=own_entry,
        folder=own_folder,
        code=code_of("inventory"),
    script:
        "../workflow_scripts/inventory.py"

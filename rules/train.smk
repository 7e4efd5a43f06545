# Pre-training on sources; then, per cell of the study, all replicates from scratch or from pre-trained weights.

# On a cluster, cells that are one submission take turns (see profiles/slurm).
workflow.register_resource("turn", 1)


# The first pre-training has no number in its path, further ones have @1, @2, ...
rule pretrain:
    input:
        signals=of_corpus("<results>/signals/{dataset}.npy", "source"),
        values=values_of_source,
        splits=of_source("<results>/splits/{corpus}.csv"),
        overlaps=overlaps_of_source,
        records=of_age_and_sex("source"),
    output:
        weights="<results>/pretrained/{source}/{model}{pretraining}/weights.safetensors",
        history="<results>/pretrained/{source}/{model}{pretraining}/history.csv",
        metadata="<results>/pretrained/{source}/{model}{pretraining}/run.json",
        record="<results>/provenance/pretrain/{source}/{model}{pretraining}.json",
    log:
        "<logs>/pretrain/{source}/{model}{pretraining}.log",
    benchmark:
        "<benchmarks>/pretrain/{source}/{model}{pretraining}.tsv"
    wildcard_constraints:
        source=any_of(trained_sources(STUDY)),
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=16000,
        runtime=1440,
        gpu=1,
    params:
        datasets=members_by_wildcard("source"),
        options=model_options,
        settings=settings_of_pretraining,
        hardware=config["hardware"],
        sampling_rate_hz=config["signals"]["sampling_rate_hz"],
        unfinished=unfinished("pretrained/{source}/{model}{pretraining}"),
        finished=FINISHED,
        code=training_code_of("pretrain"),
    script:
        "../workflow_scripts/pretrain.py"


rule import_weights:
    input:
        weights=outside_file,
        names=outside_names,
    output:
        weights="<results>/pretrained/{outside}/{model}/weights.safetensors",
        metadata="<results>/pretrained/{outside}/{model}/run.json",
        record="<results>/provenance/import_weights/{outside}/{model}.json",
    log:
        "<logs>/import_weights/{outside}/{model}.log",
    benchmark:
        "<benchmarks>/import_weights/{outside}/{model}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        options=model_options,
        trained_on=outside_datasets,
        n_samples=STUDY.signals.samples_per_lead,
        code=training_code_of("import_weights"),
    script:
        "../workflow_scripts/import_weights.py"


rule scratch:
    input:
        signals=of_corpus("<results>/signals/{dataset}.npy", "target"),
        labels="<results>/labels/{target}.csv",
        splits="<results>/splits/{target}.csv",
        records=of_age_and_sex("target"),
    output:
        predictions="<results>/runs/{target}/{model}/scratch/{fraction}/predictions.npz",
        history="<results>/runs/{target}/{model}/scratch/{fraction}/history.csv",
        metadata="<results>/runs/{target}/{model}/scratch/{fraction}/run.json",
        record="<results>/provenance/scratch/{target}/{model}/{fraction}.json",
    log:
        "<logs>/scratch/{target}/{model}/{fraction}.log",
    benchmark:
        "<benchmarks>/scratch/{target}/{model}/{fraction}.tsv"
    group:
        "scratch"
    conda:
        "../envs/train.yaml"
    threads: threads_of_cells()
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=1,
    params:
        options=model_options,
        transfer=replicate_settings(),
        settings=config["scratch"],
        hardware=config["hardware"],
        sampling_rate_hz=config["signals"]["sampling_rate_hz"],
        unfinished=unfinished("runs/{target}/{model}/scratch/{fraction}"),
        finished=FINISHED,
        code=training_code_of("scratch"),
    script:
        "../workflow_scripts/scratch.py"


rule finetune:
    input:
        signals=of_corpus("<results>/signals/{dataset}.npy", "target"),
        labels="<results>/labels/{target}.csv",
        splits="<results>/splits/{target}.csv",
        records=of_age_and_sex("target"),
        weights=weights_of_source,
    output:
        predictions="<results>/runs/{target}/{model}/{method}-{source}/{fraction}/predictions.npz",
        history="<results>/runs/{target}/{model}/{method}-{source}/{fraction}/history.csv",
        metadata="<results>/runs/{target}/{model}/{method}-{source}/{fraction}/run.json",
        record="<results>/provenance/finetune/{target}/{model}/{method}-{source}/{fraction}.json",
    log:
        "<logs>/finetune/{target}/{model}/{method}-{source}/{fraction}.log",
    benchmark:
        "<benchmarks>/finetune/{target}/{model}/{method}-{source}/{fraction}.tsv"
    group:
        "transfer-{source}-{model}"
    conda:
        "../envs/train.yaml"
    threads: threads_of_cells()
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=1,
    params:
        options=model_options,
        transfer=replicate_settings(),
        settings=settings_of_method,
        method_settings=added_by_method,
        hardware=config["hardware"],
        sampling_rate_hz=config["signals"]["sampling_rate_hz"],
        unfinished=unfinished("runs/{target}/{model}/{method}-{source}/{fraction}"),
        finished=FINISHED,
        code=training_code_of("finetune"),
    script:
        "../workflow_scripts/finetune.py"


# Not a cell: nothing is trained. For the zero-shot matrix, and for how well a source should transfer. By the
# first pre-training alone.
rule predict_with_source:
    input:
        signals=of_corpus("<results>/signals/{dataset}.npy", "target"),
        labels="<results>/labels/{target}.csv",
        splits="<results>/splits/{target}.csv",
        records=of_age_and_sex("target"),
        weights="<results>/pretrained/{source}/{model}/weights.safetensors",
    output:
        predictions="<results>/zero_shot/{target}/{model}/{source}.npz",
        record="<results>/provenance/predict_with_source/{target}/{model}/{source}.json",
    log:
        "<logs>/predict_with_source/{target}/{model}/{source}.log",
    benchmark:
        "<benchmarks>/predict_with_source/{target}/{model}/{source}.tsv"
    wildcard_constraints:
        source=any_of(trained_sources(STUDY)),
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1,
    params:
        options=model_options,
        crop_s=config["pretrain"]["crop_s"],
        precision=config["hardware"]["precision"],
        kernels=config["hardware"]["kernels"],
        sampling_rate_hz=config["signals"]["sampling_rate_hz"],
        code=training_code_of("predict_with_source"),
    script:
        "../workflow_scripts/predict_with_source.py"

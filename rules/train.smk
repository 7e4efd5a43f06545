# Pre-training on sources; then, per cell of the study, all replicates from scratch or from pre-trained weights.


rule pretrain:
    input:
        signals=of_corpus("<results>/signals/{dataset}.npy", "source"),
        labels="<results>/labels/{source}.csv",
        splits="<results>/splits/{source}.csv",
        overlaps=of_joined("<results>/audit/overlaps/{joined}.csv", "source"),
    output:
        weights="<results>/pretrained/{source}/{model}/weights.safetensors",
        history="<results>/pretrained/{source}/{model}/history.csv",
        facts="<results>/pretrained/{source}/{model}/run.json",
    log:
        "<logs>/pretrain/{source}/{model}.log",
    benchmark:
        "<benchmarks>/pretrain/{source}/{model}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=1440,
        gpu=1,
    params:
        options=model_options,
        settings=config["pretrain"],
        code=training_code_of("pretrain"),
    script:
        "../workflow_scripts/pretrain.py"


rule scratch:
    input:
        signals=of_corpus("<results>/signals/{dataset}.npy", "target"),
        labels="<results>/labels/{target}.csv",
        splits="<results>/splits/{target}.csv",
    output:
        predictions="<results>/runs/{target}/{model}/scratch/{fraction}/predictions.npz",
        history="<results>/runs/{target}/{model}/scratch/{fraction}/history.csv",
        facts="<results>/runs/{target}/{model}/scratch/{fraction}/run.json",
    log:
        "<logs>/scratch/{target}/{model}/{fraction}.log",
    benchmark:
        "<benchmarks>/scratch/{target}/{model}/{fraction}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=1,
    params:
        options=model_options,
        transfer=replicate_settings(),
        settings=config["scratch"],
        code=training_code_of("scratch"),
    script:
        "../workflow_scripts/scratch.py"


rule finetune:
    input:
        signals=of_corpus("<results>/signals/{dataset}.npy", "target"),
        labels="<results>/labels/{target}.csv",
        splits="<results>/splits/{target}.csv",
        weights="<results>/pretrained/{source}/{model}/weights.safetensors",
    output:
        predictions="<results>/runs/{target}/{model}/finetune-{source}/{fraction}/predictions.npz",
        history="<results>/runs/{target}/{model}/finetune-{source}/{fraction}/history.csv",
        facts="<results>/runs/{target}/{model}/finetune-{source}/{fraction}/run.json",
    log:
        "<logs>/finetune/{target}/{model}/{source}/{fraction}.log",
    benchmark:
        "<benchmarks>/finetune/{target}/{model}/{source}/{fraction}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=1,
    params:
        options=model_options,
        transfer=replicate_settings(),
        settings=config["finetune"],
        code=training_code_of("finetune"),
    script:
        "../workflow_scripts/finetune.py"

# Params of rules: what of the config and of the tables decides a job, so that no other edit makes it run again.


def dataset_entry(dataset):
    """Return how a data set is read, be it published or simulated."""
    if dataset in STUDY.simulate:
        return LAYOUT_READERS[STUDY.simulate[dataset].layout]
    if dataset in STUDY.own:
        return {"reader": "table", **config["own"][dataset]}
    return DATASETS[dataset]


def simulation_settings(wildcards):
    """Return the config of a simulated corpus."""
    return config["simulate"][wildcards.simulated]


def download_entry(wildcards):
    """Return what decides which files of a published data set are fetched."""
    entry = DATASETS[wildcards.published]
    kept = ("version", "host", "path", "listing", "folders", "suffixes", "tables")
    parts = ("archives", "records_per_part", "n_records")
    return {key: entry[key] for key in (*kept, *parts) if key in entry}


def limit_of(wildcards):
    """Return how many records of a published data set the study requests; None for all."""
    return STUDY.limits.get(wildcards.get("published", wildcards.get("dataset")))


def own_entry(wildcards):
    """Return which files of your own recordings are listed."""
    entry = config["own"][wildcards.own]
    return {key: entry.get(key, {}) for key in ("folder", "table", "columns")}


def reader_of(wildcards):
    """Return the name of a data set's layout."""
    return dataset_entry(wildcards.dataset)["reader"]


def described_entry(wildcards):
    """Return what decides how a data set is described; how it is fetched and what reports say of it is left out."""
    entry = dataset_entry(wildcards.dataset)
    if wildcards.dataset in STUDY.own:
        # Whether there is a table of labels, which `index_records` reads.
        return {**entry, "label_table": bool(entry.get("label_table"))}
    return {key: entry[key] for key in ("reader", "unit", "leads") if key in entry}


def label_separator_of(wildcards):
    """Return the configured separator between the labels of your own recordings, None for other data sets."""
    own = STUDY.own.get(wildcards.dataset)
    return None if own is None else own.label_separator or BETWEEN_LABELS


def label_settings(wildcards):
    """Return what of the section `labels` decides the labels of a corpus; views are inputs."""
    keys = ["include", "top", "min_records"]
    if Source.of(wildcards.corpus).shuffled:
        keys.append("shuffle_seed")
    return {key: config["labels"][key] for key in keys}


def labels_are_learnt(wildcards):
    """Return whether labels of a corpus are learnt, so that records without any are of no use."""
    return learns_labels(STUDY, wildcards.corpus)


def members_by_wildcard(wildcard):
    """Return a function of the wildcards: the data sets of the corpus that one of them names."""

    def members(wildcards):
        return members_of(wildcards[wildcard])

    return members


def members_by_name(corpora):
    """Return the data sets of each of some corpora."""
    return {corpus: members_of(corpus) for corpus in corpora}


def sources_that_join():
    """Return the sources that join data sets."""
    return [source for source in trained_sources(STUDY) if len(members_of(source)) > 1]


def datasets_of_its_targets(wildcards):
    """Return the data sets of all targets that a source serves."""
    return datasets_of_targets(STUDY, wildcards.joined)


def patient_numberings():
    """Return by data set which numbering its patients have: that of all that say the same of their patients."""
    return {
        name: DATASETS[name]["patients"]
        for name in studied_datasets(STUDY)
        if name in DATASETS
        and "overlaps" in DATASETS[name]
        and not patients_unknown(DATASETS[name])
    }


def outside_datasets(wildcards):
    """Return on which data sets weights from outside were trained."""
    return STUDY.outside_weights[wildcards.outside].trained_on


def settings_of_pretraining(wildcards):
    """Return the section `pretrain`, each pre-training with a seed of its own."""
    settings, number = config["pretrain"], pretraining_number(wildcards.pretraining)
    return {**settings, "seed": settings["seed"] + number}


def settings_of_method(wildcards):
    """Return how an arm with transfer is trained: the section `finetune`, with what its method sets otherwise."""
    added = added_by_method(wildcards)
    return {key: added.get(key, value) for key, value in config["finetune"].items()}


def added_by_method(wildcards):
    """Return what the section `methods` says of a method of transfer."""
    return config["methods"].get(method_of(wildcards.method).name, {})


def threads_of_cells():
    """Return how many replicates of a cell are trained at a time: on a GPU all, else cells go side by side."""
    on_gpus = "gpu" in workflow.global_resources
    return STUDY.transfer.replicates if on_gpus else 1


def replicates_of(wildcards):
    """Return how many ranks the patients of a corpus need: none, if it is only a source."""
    transfer = STUDY.transfer
    return transfer.replicates if wildcards.corpus in transfer.targets else 0


def model_options(wildcards):
    """Return what the config says of a model beyond its name."""
    return STUDY.options_of(wildcards.model)


def replicate_settings():
    """Return what decides the replicates of a cell, whatever its arm."""
    return {
        key: config["transfer"][key] for key in ("replicates", "seed", "validation")
    }


def cell_keys():
    """Return target, model, arm and fraction of every cell, in the order of the plan."""
    return keys_of(cells_of(STUDY))


def keys_of(cells):
    """Return target, model, arm and fraction of some cells."""
    return [(cell.target, cell.model, cell.arm, cell.fraction) for cell in cells]


def datasets_of_all_targets():
    """Return the data sets behind all targets, each once."""
    targets = STUDY.transfer.targets
    return list(
        dict.fromkeys(dataset for target in targets for dataset in members_of(target))
    )


def settings_of_draws():
    """Return how test patients and replicates are resampled, the same for all findings."""
    return {
        "n_resamples": STUDY.score.n_resamples,
        "patient_seed": STUDY.score.seed,
        "replicate_seed": STUDY.compare.seed,
        "confidence": STUDY.compare.confidence,
    }


def families_of_models():
    """Return the family of each model of the study, such as convolutional."""
    return {
        model: REGISTRY[registry_name(model, STUDY.options_of(model))].family
        for model in STUDY.transfer.models
    }


def published_metadata():
    """Return what the report says of each published data set; how it is fetched and read is left out."""
    keys = ("title", "version", "licence", "citation", "n_records", "patients")
    return {
        name: {key: DATASETS[name][key] for key in keys}
        for name in drawn_datasets(STUDY)
        if name in DATASETS
    }

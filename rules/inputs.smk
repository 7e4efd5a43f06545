# Input functions: which files a rule reads, by its wildcards and the config.


def folder_of(dataset):
    """Return where the files of a data set lie; those of a simulated corpus under what decides them."""
    if dataset in STUDY.own:
        return STUDY.own[dataset].folder
    if dataset in STUDY.simulate:
        return f"data/{dataset}/{digest_of_value(config['simulate'][dataset])}"
    return f"data/{dataset}"


def data_folder(wildcards):
    """Return where the files of the data set lie that a job is about."""
    return folder_of(wildcards.dataset)


def simulated_folder(wildcards):
    """Return where a simulated corpus goes."""
    return folder_of(wildcards.simulated)


def own_folder(wildcards):
    """Return the folder of your own recordings."""
    return folder_of(wildcards.own)


def own_table(wildcards):
    """Return the table of your own recordings."""
    return STUDY.own[wildcards.own].table


def table_of_own(wildcards):
    """Return the table of a data set, if it is your own; other tables are in the manifest."""
    own = STUDY.own.get(wildcards.dataset)
    return own.table if own else []


def label_table_of(wildcards):
    """Return the table that translates a data set's statements, if it needs one."""
    table = dataset_entry(wildcards.dataset).get("label_table", [])
    if wildcards.dataset in STUDY.own or not table:
        return table
    return of_workflow(f"config/labels/{table}")


def view_of_labels(wildcards):
    """Return the table that says which codes make which label of a corpus, if it takes one."""
    view = view_of(STUDY, wildcards.corpus)
    return [] if view == "all" else of_workflow(f"config/labels/views/{view}.csv")


def rewards_of_target(wildcards):
    """Return the table of the Challenge's score, if a target's labels are its classes."""
    in_challenge = view_of(STUDY, wildcards.target) == "scored"
    return of_workflow("config/labels/rewards/scored.csv") if in_challenge else []


def of_corpus(pattern, wildcard):
    """Return an input function: a file per data set of the corpus that a wildcard names."""

    def files(wildcards):
        return expand(pattern, dataset=members_of(wildcards[wildcard]))

    return files


def of_its_targets(pattern):
    """Return an input function: a file per data set of the targets that a source serves."""

    def files(wildcards):
        return expand(pattern, dataset=datasets_of_its_targets(wildcards))

    return files


def of_joined(pattern, wildcard):
    """Return an input function: the file of the corpus that a wildcard names, whether its labels are shuffled or not."""

    def file(wildcards):
        return pattern.format(joined=Source.of(wildcards[wildcard]).joined)

    return file


def values_of_source(wildcards):
    """Return the tables with what is learnt from a source: its labels, what was measured, or what is known of it."""
    task = Source.of(wildcards.source).task
    if task == "labels":
        return [f"<results>/labels/{wildcards.source}.csv"]
    kind = "measurements" if task == "intervals" else "records"
    return expand(
        f"<results>/{kind}/{{dataset}}.csv", dataset=members_of(wildcards.source)
    )


def of_source(pattern):
    """Return an input function: the file of the corpus that a source is, whatever is learnt from it."""

    def file(wildcards):
        return pattern.format(corpus=Source.of(wildcards.source).corpus)

    return file


def overlaps_of_source(wildcards):
    """Return what of a source is in a target, too."""
    joined = Source.of(wildcards.source).joined
    return checkpoints.find_overlaps.get(joined=joined).output.pairs


def of_age_and_sex(wildcard):
    """Return an input function: the tables with age and sex, if the model takes them."""

    def files(wildcards):
        if not model_options(wildcards).get("age_sex"):
            return []
        datasets = members_of(wildcards[wildcard])
        return expand("<results>/records/{dataset}.csv", dataset=datasets)

    return files


def of_pretrainings(source, model, name):
    """Return a file of every pre-training of a model on a source."""
    tags = map(pretraining_tag, pretrainings_of(STUDY, source))
    return [f"<results>/pretrained/{source}/{model}{tag}/{name}" for tag in tags]


def weights_of_source(wildcards):
    """Return the weights that the replicates of a cell start from in turn."""
    return of_pretrainings(wildcards.source, wildcards.model, "weights.safetensors")


def outside_file(wildcards):
    """Return the file with weights from outside."""
    return STUDY.outside_weights[wildcards.outside].files[wildcards.model]


def outside_names(wildcards):
    """Return the table that translates the names of layers, if there is one."""
    return STUDY.outside_weights[wildcards.outside].names or []


def unfinished(pattern):
    """Return a function of the wildcards: the folder with the state of a training that was killed."""

    def folder(wildcards):
        return f"{RESULTS}/unfinished/{pattern.format(**wildcards)}"

    return folder


def of_every_cell(pattern):
    """Return a file of every cell of the study, in the order of the plan."""
    return files_of(pattern, cells_of(STUDY))


def files_of(pattern, cells):
    """Return a file of each of some cells."""
    return [pattern.format(**vars(cell)) for cell in cells]


def of_every_target(pattern):
    """Return a file of every target."""
    return expand(pattern, target=STUDY.transfer.targets)


def zero_shot_predictions():
    """Return what each source says of each target before any training there."""
    return [
        f"<results>/zero_shot/{target}/{model}/{source}.npz"
        for target, model, source in zero_shots_of(STUDY)
    ]


def claims_beside():
    """Return the claims of the study that this one is compared with, if that has run."""
    beside = STUDY.compare.beside
    path = f"results/{beside}/findings/claims.csv"
    return [path] if beside and Path(path).exists() else []


def recording_figures(form):
    """Return the pattern of the drawn recordings of a data set, one file each."""
    numbers = range(1, STUDY.report.recordings.per_dataset + 1)
    return [
        f"<results>/figures/recordings/{{dataset}}/{number}.{form}"
        for number in numbers
    ]


def drawn_recordings(form):
    """Return the drawn recordings of all data sets, data set by data set."""
    return [
        path
        for dataset in drawn_datasets(STUDY)
        for path in expand(recording_figures(form), dataset=dataset)
    ]


def notices_on_page():
    """Return the tables of what data sets and corpora gave and the study did not use."""
    drawn, studied, corpora = (
        drawn_datasets(STUDY),
        studied_datasets(STUDY),
        corpora_of(STUDY),
    )
    return [
        *expand("<results>/notices/describe_records/{dataset}.csv", dataset=drawn),
        *expand("<results>/notices/index_records/{dataset}.csv", dataset=drawn),
        *expand("<results>/notices/prepare_signals/{dataset}.csv", dataset=studied),
        *expand("<results>/notices/harmonize_labels/{corpus}.csv", corpus=corpora),
        *expand("<results>/notices/split_records/{corpus}.csv", corpus=corpora),
        "<results>/notices/audit_leakage.csv",
    ]


def pretraining_metadata():
    """Return the metadata of every pre-training that some cell starts from."""
    starts = [
        (cell.source, cell.model) for cell in cells_of(STUDY) if cell.arm != SCRATCH
    ]
    return [
        path
        for source, model in dict.fromkeys(starts)
        for path in of_pretrainings(source, model, "run.json")
    ]

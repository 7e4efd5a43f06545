# From the config to the plan: which data sets, which corpora, which cells, and the code that each rule runs.
# Rules stand in the other files, and all knowledge of ECGs in the library.
import re
import yaml
from pathlib import Path

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
sys.path.insert(0, str(SCRIPTS))

from ecgtransfer.code_fingerprint import code_fingerprint
from ecgtransfer.config import check_config, in_key_order
from ecgtransfer.errors import InputError
from ecgtransfer.arms import SCRATCH
from ecgtransfer.prepare.corpora import (
    datasets_of,
    task_of,
    without_shuffling,
    without_task,
)
from ecgtransfer.prepare.layouts import LAYOUTS
from ecgtransfer.report.figures import FIGURE_MODULES
from ecgtransfer.study import (
    cells_at,
    cells_of,
    corpora_of,
    datasets_of_targets,
    leaks,
    patients_unknown,
    samples_per_lead,
    studied_datasets,
    trained_sources,
    transfers_of,
    view_of,
    zero_shots_of,
)
from ecgtransfer.train.registry import REGISTRY, registry_name
from ecgtransfer.train.ways import parse_way


def read_yaml(path):
    """Return the content of a YAML file of the workflow."""
    return yaml.safe_load((Path(workflow.basedir) / path).read_text())


DATASETS = read_yaml("config/datasets.yaml")
VIEWS = sorted(
    path.stem for path in Path(workflow.basedir, "config/labels/views").glob("*.csv")
)
try:
    options = {model: entry.options for model, entry in REGISTRY.items()}
    check_config(config, read_yaml("config/schema.yaml"), DATASETS, options, VIEWS)
except InputError as mistakes:
    sys.exit(f"error in the config: {mistakes}")
sections = in_key_order(config)
config.clear()
config.update(sections)

LAYOUT_READERS = {
    "ptb-xl": {"reader": "ptbxl", "label_table": "scp.csv"},
    "challenge-2021": {"reader": "challenge2021"},
}


def joined_corpora(corpora=None):
    """Return corpora, by default all of the study, without the shuffling of labels and each once."""
    return list(dict.fromkeys(map(without_shuffling, corpora or corpora_of(config))))


def joined_sources():
    """Return the sources without task and without the shuffling of labels, each once."""
    return joined_corpora(trained_sources(config))


def any_of(names):
    """Return a pattern for exactly these names; one that matches nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    simulated=any_of(config["simulate"]),
    published=any_of(DATASETS),
    own=any_of(config["own"]),
    dataset=any_of([*config["simulate"], *config["own"], *DATASETS]),
    corpus=any_of(corpora_of(config)),
    joined=any_of(joined_corpora()),
    source=any_of(config["transfer"]["sources"]),
    outside=any_of(config["outside_weights"]),
    target=any_of(config["transfer"]["targets"]),
    model=any_of(config["transfer"]["models"]),
    way=any_of(config["transfer"]["arms"]),
    arm=any_of(dict.fromkeys(cell.arm for cell in cells_of(config))),
    fraction=r"[0-9.]+",


def code_of(rule_name):
    """Return the fingerprint of what a rule runs."""
    return code_fingerprint(SCRIPTS / f"{rule_name}.py")


def training_code_of(rule_name):
    """Return a function of the wildcards: the fingerprint of a training rule with the one model that it trains."""

    def code(wildcards):
        model = registry_name(wildcards.model, model_options(wildcards))
        return code_fingerprint(SCRIPTS / f"{rule_name}.py", [REGISTRY[model].module])

    return code


def figures_code_of(rule_name):
    """Return the fingerprint of a rule with all the figures that it draws."""
    modules = [f"{FIGURE_MODULES}.{finding}" for finding in FIGURES]
    return code_fingerprint(SCRIPTS / f"{rule_name}.py", modules)


def layout_code_of(rule_name):
    """Return a function of the wildcards: the fingerprint of a rule with the one layout that it reads."""

    def code(wildcards):
        return code_fingerprint(
            SCRIPTS / f"{rule_name}.py", [f"{LAYOUTS}.{reader_of(wildcards)}"]
        )

    return code


def dataset_entry(dataset):
    """Return how a data set is read, be it published or simulated."""
    if dataset in config["simulate"]:
        return LAYOUT_READERS[config["simulate"][dataset]["layout"]]
    if dataset in config["own"]:
        return {"reader": "table", **config["own"][dataset]}
    return DATASETS[dataset]


def data_folder(wildcards):
    """Return where the files of a data set lie."""
    own = config["own"].get(wildcards.dataset)
    return own["folder"] if own else f"data/{wildcards.dataset}"


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
    """Return how many records of a published data set the study asks for; None for all."""
    return config["limits"].get(wildcards.get("published", wildcards.get("dataset")))


def own_table(wildcards):
    """Return the table of your own recordings."""
    return config["own"][wildcards.own]["table"]


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
    if wildcards.dataset in config["own"]:
        return entry
    return {key: entry[key] for key in ("reader", "unit", "leads") if key in entry}


def label_table_of(wildcards):
    """Return the table that translates a data set's statements, if it needs one."""
    table = dataset_entry(wildcards.dataset).get("label_table", [])
    if wildcards.dataset in config["own"] or not table:
        return table
    return f"config/labels/{table}"


def view_of_labels(wildcards):
    """Return the table that says which codes make which label of a corpus, if it takes one."""
    view = view_of(config, wildcards.corpus)
    return [] if view == "all" else f"config/labels/views/{view}.csv"


def rewards_of_target(wildcards):
    """Return the table of the Challenge's score, if a target's labels are its classes."""
    in_challenge = view_of(config, wildcards.target) == "scored"
    return "config/labels/rewards/scored.csv" if in_challenge else []


def label_settings():
    """Return the section `labels` without the views, which are inputs."""
    return {
        key: value
        for key, value in config["labels"].items()
        if key not in ("view", "views")
    }


def of_corpus(pattern, wildcard):
    """Return an input function: a file per data set of the corpus that a wildcard names."""

    def files(wildcards):
        return expand(pattern, dataset=datasets_of(wildcards[wildcard]))

    return files


def datasets_of_joined(wildcards):
    """Return the data sets of a corpus."""
    return datasets_of(wildcards.joined)


def datasets_of_its_targets(wildcards):
    """Return the data sets of all targets that a source serves."""
    return datasets_of_targets(config, wildcards.joined)


def of_its_targets(pattern):
    """Return an input function: a file per data set of the targets that a source serves."""

    def files(wildcards):
        return expand(pattern, dataset=datasets_of_its_targets(wildcards))

    return files


def of_joined(pattern, wildcard):
    """Return an input function: the file of the corpus that a wildcard names, whether its labels are shuffled or not."""

    def file(wildcards):
        return pattern.format(joined=without_shuffling(wildcards[wildcard]))

    return file


def patient_numberings():
    """Return by data set which numbering its patients have: that of all that say the same of their patients."""
    return {
        name: DATASETS[name]["patients"]
        for name in studied_datasets(config)
        if name in DATASETS
        and "overlaps" in DATASETS[name]
        and not patients_unknown(DATASETS[name])
    }


def values_of_source(wildcards):
    """Return the tables with what is learnt from a source: its labels, what was measured, or what is known of it."""
    task = task_of(wildcards.source)
    if task == "labels":
        return [f"<results>/labels/{wildcards.source}.csv"]
    kind = "measurements" if task == "intervals" else "records"
    return expand(
        f"<results>/{kind}/{{dataset}}.csv", dataset=datasets_of(wildcards.source)
    )


def of_source(pattern):
    """Return an input function: the file of the corpus that a source is, whatever is learnt from it."""

    def file(wildcards):
        return pattern.format(corpus=without_task(wildcards.source))

    return file


def of_age_and_sex(wildcard):
    """Return an input function: the tables with age and sex, if the model takes them."""

    def files(wildcards):
        if not model_options(wildcards).get("age_sex"):
            return []
        datasets = datasets_of(wildcards[wildcard])
        return expand("<results>/records/{dataset}.csv", dataset=datasets)

    return files


def outside_file(wildcards):
    """Return the file with weights from outside."""
    return config["outside_weights"][wildcards.outside]["files"][wildcards.model]


def outside_names(wildcards):
    """Return the table that translates the names of layers, if there is one."""
    return config["outside_weights"][wildcards.outside].get("names", [])


def outside_datasets(wildcards):
    """Return on which data sets weights from outside were trained."""
    return config["outside_weights"][wildcards.outside]["trained_on"]


def settings_of_way(wildcards):
    """Return how an arm with transfer is trained: the section `finetune`, with what its way sets otherwise."""
    added = added_by_way(wildcards)
    return {key: added.get(key, value) for key, value in config["finetune"].items()}


def added_by_way(wildcards):
    """Return what the section `arms` says of a way to transfer."""
    return config["arms"].get(parse_way(wildcards.way).name, {})


def threads_of_cells():
    """Return how many replicates of a cell are trained at a time: on a GPU all, else cells go side by side."""
    on_gpus = "gpu" in workflow.global_resources
    return config["transfer"]["replicates"] if on_gpus else 1


def unfinished(pattern):
    """Return a function of the wildcards: the folder with the state of a training that was killed."""

    def folder(wildcards):
        return f"results/{config['study']}/unfinished/{pattern.format(**wildcards)}"

    return folder


def replicates_of(wildcards):
    """Return how many ranks the patients of a corpus need: none, if it is only a source."""
    transfer = config["transfer"]
    return transfer["replicates"] if wildcards.corpus in transfer["targets"] else 0


def model_options(wildcards):
    """Return what the config says of a model beyond its name."""
    return config["models"].get(wildcards.model, {})


def replicate_settings():
    """Return what decides the replicates of a cell, whatever its arm."""
    return {
        key: config["transfer"][key] for key in ("replicates", "seed", "validation")
    }


def of_every_cell(pattern):
    """Return a file of every cell of the study, in the order of the plan."""
    return files_of(pattern, cells_of(config))


def cell_keys():
    """Return target, model, arm and fraction of every cell, in the order of the plan."""
    return keys_of(cells_of(config))


FRACTIONS = config["transfer"]["fractions"]
AT_LARGEST_FRACTION = cells_at(config, max(FRACTIONS))
AT_ENDS_OF_CURVES = cells_at(config, min(FRACTIONS), max(FRACTIONS))


def files_of(pattern, cells):
    """Return a file of each of some cells."""
    return [pattern.format(**vars(cell)) for cell in cells]


def keys_of(cells):
    """Return target, model, arm and fraction of some cells."""
    return [(cell.target, cell.model, cell.arm, cell.fraction) for cell in cells]


def of_every_target(pattern):
    """Return a file of every target."""
    return expand(pattern, target=config["transfer"]["targets"])


def datasets_of_all_targets():
    """Return the data sets behind all targets, each once."""
    targets = config["transfer"]["targets"]
    return list(
        dict.fromkeys(dataset for target in targets for dataset in datasets_of(target))
    )


def zero_shot_predictions():
    """Return what each source says of each target before any training there."""
    return [
        f"<results>/zero_shot/{target}/{model}/{source}.npz"
        for target, model, source in zero_shots_of(config)
    ]


def settings_of_draws():
    """Return how test patients and replicates are resampled, the same for all findings."""
    return {
        "n_resamples": config["score"]["n_resamples"],
        "patient_seed": config["score"]["seed"],
        "replicate_seed": config["compare"]["seed"],
        "confidence": config["compare"]["confidence"],
    }


def families_of_models():
    """Return the family of each model of the study, such as convolutional."""
    options = config["models"]
    return {
        model: REGISTRY[registry_name(model, options.get(model))].family
        for model in config["transfer"]["models"]
    }


def claims_beside():
    """Return the claims of the study that this one is laid beside, if that has run."""
    beside = config["compare"]["beside"]
    path = f"results/{beside}/findings/claims.csv"
    return [path] if beside and Path(path).exists() else []


def drawn_tables():
    """Return the findings that figures show, each once."""
    return list(dict.fromkeys(table for tables in FIGURES.values() for table in tables))


def recording_figures(form):
    """Return the pattern of the drawn recordings of a data set, one file each."""
    numbers = range(1, config["report"]["recordings"]["per_dataset"] + 1)
    return [
        f"<results>/figures/recordings/{{dataset}}/{number}.{form}"
        for number in numbers
    ]


def drawn_datasets():
    """Return the data sets of which the report shows recordings."""
    return list(
        dict.fromkeys(
            [*studied_datasets(config), *config["report"]["recordings"]["datasets"]]
        )
    )


def drawn_recordings(form):
    """Return the drawn recordings of all data sets, data set by data set."""
    return [
        path
        for dataset in drawn_datasets()
        for path in expand(recording_figures(form), dataset=dataset)
    ]


def published_facts():
    """Return what the report says of each published data set; how it is fetched and read is left out."""
    keys = ("title", "version", "licence", "citation", "n_records", "patients")
    return {
        name: {key: DATASETS[name][key] for key in keys}
        for name in drawn_datasets()
        if name in DATASETS
    }


def pretraining_facts():
    """Return the facts of every pre-training that some cell starts from."""
    starts = [
        (cell.source, cell.model) for cell in cells_of(config) if cell.arm != SCRATCH
    ]
    return [
        f"<results>/pretrained/{source}/{model}/run.json"
        for source, model in dict.fromkeys(starts)
    ]

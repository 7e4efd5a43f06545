# From the config to the plan: which data sets, which corpora, which cells, and the code that each rule runs.
# Rules are in the other files, and all knowledge of ECGs is in the library.
import gc
import os
import re
import sys

# For jobs: glibc asks for pages of 2 MiB, with which a CPU trains convolutional networks a tenth faster or more.
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")

# The objects of a plan live until the end: looking for garbage among them took a tenth of a dry run of 800 cells.
gc.set_threshold(100_000)

from ecgtransfer.arms import SCRATCH
from ecgtransfer.code_fingerprint import code_fingerprint
from ecgtransfer.config.consistency import read_study
from ecgtransfer.config.keys import SHARED
from ecgtransfer.config.paths import check_paths
from ecgtransfer.config.repeated_keys import require_keys_once
from ecgtransfer.errors import InputError
from ecgtransfer.findings.asked import ROOMS, asked
from ecgtransfer.findings.contents import drawn_findings, tables_of_findings
from ecgtransfer.prepare.corpora import datasets_of
from ecgtransfer.prepare.layouts import LAYOUTS
from ecgtransfer.prepare.separators import BETWEEN_LABELS
from ecgtransfer.locks import as_snakemake
from ecgtransfer.methods import method_module, method_of
from ecgtransfer.provenance.digests import MEMORY, Digests
from ecgtransfer.provenance.graph import plan_of
from ecgtransfer.provenance.judge import require_current
from ecgtransfer.provenance.record import digest_of_value
from ecgtransfer.provenance.settle import remove_leftovers
from ecgtransfer.source import (
    PRETRAINING,
    Source,
    pretraining_number,
    pretraining_tag,
)
from ecgtransfer.study import (
    cells_at,
    cells_of,
    corpora_of,
    datasets_of_targets,
    drawn_datasets,
    findings_of,
    leaks,
    learns_labels,
    patients_unknown,
    pretrainings_of,
    studied_datasets,
    trained_sources,
    transfers_of,
    view_of,
    zero_shots_of,
)
from ecgtransfer.train.registry import REGISTRY, registry_name


def read_yaml(path):
    """Return the content of a YAML file of the workflow."""
    with reported_in_one_line():
        return read_config(Path(of_workflow(path)))


DATASETS = read_yaml("config/datasets.yaml")
VIEWS = sorted(path.stem for path in Path(HOME, "config/labels/views").glob("*.csv"))
with reported_in_one_line():
    try:
        require_keys_once(workflow.configfiles)
        options = {model: entry.options for model, entry in REGISTRY.items()}
        STUDY = read_study(config, DATASETS, options, VIEWS)
        check_paths(STUDY, RESULTS)
        if workflow.is_main_process:
            require_listable(RESULTS)
    except InputError as mistakes:
        sys.exit(f"error in the config: {mistakes}")
# From here on `config` holds the same as plain values, for params of jobs.
config.clear()
config.update(STUDY.as_config())
FINDINGS = findings_of(STUDY)

LAYOUT_READERS = {
    "ptb-xl": {"reader": "ptbxl", "label_table": "scp.csv"},
    "challenge-2021": {"reader": "challenge2021"},
}


def members_of(corpus):
    """Return the data sets of a corpus."""
    return datasets_of(corpus, STUDY.corpora)


def joined_corpora(corpora=None):
    """Return corpora, by default all of the study, without the shuffling of labels and each once."""
    return list(
        dict.fromkeys(Source.of(name).joined for name in corpora or corpora_of(STUDY))
    )


def joined_sources():
    """Return the sources without task and without the shuffling of labels, each once."""
    return joined_corpora(trained_sources(STUDY))


def any_of(names):
    """Return a pattern for exactly these names; one that matches nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


moved = workflow.modifier.path_modifier
if (
    moved.prefix
    or moved.modifies_prefixes
    or workflow.pathvars.get("results") != RESULTS
):
    sys.exit(
        "error: `prefix`, `replace_prefix` and `pathvars` of a module are not supported: a study always has its files"
        " in results/<study> and data; leave them out, and give each study another name"
    )


report: "captions/workflow.rst"


wildcard_constraints:
    simulated=any_of(STUDY.simulate),
    published=any_of(DATASETS),
    own=any_of(STUDY.own),
    dataset=any_of([*STUDY.simulate, *STUDY.own, *DATASETS]),
    corpus=any_of(corpora_of(STUDY)),
    joined=any_of(joined_corpora()),
    source=any_of(STUDY.transfer.sources),
    outside=any_of(STUDY.outside_weights),
    target=any_of(STUDY.transfer.targets),
    model=any_of(STUDY.transfer.models),
    pretraining=PRETRAINING,
    method=any_of(STUDY.transfer.methods),
    arm=any_of(dict.fromkeys(cell.arm for cell in cells_of(STUDY))),
    fraction=any_of(map(str, STUDY.transfer.fractions)),
    finding=any_of(drawn_findings(FINDINGS)),


def modules_of_methods(texts):
    """Return the modules of some methods of transfer."""
    return list(dict.fromkeys(method_module(method_of(text).name) for text in texts))


def code_of(rule_name):
    """Return the fingerprint of what a rule runs."""
    return code_fingerprint(SCRIPTS / f"{rule_name}.py")


def training_code_of(rule_name):
    """Return a function of the wildcards: the fingerprint of a training rule with the one model that it trains, and the
    method by which it transfers, if any.
    """

    def code(wildcards):
        model = registry_name(wildcards.model, model_options(wildcards))
        methods = modules_of_methods(
            [wildcards.method] if "method" in wildcards.keys() else []
        )
        return code_fingerprint(
            SCRIPTS / f"{rule_name}.py", [REGISTRY[model].module, *methods]
        )

    return code


def finding_code_of(rule_name, finding, function):
    """Return the fingerprint of a rule with what one function of a finding's module needs."""
    return code_fingerprint(
        SCRIPTS / f"{rule_name}.py",
        [f"{ROOMS}.{finding}:{function}", *modules_of_methods(STUDY.transfer.methods)],
    )


def figure_code_of(rule_name):
    """Return a function of the wildcards: the fingerprint of a rule with the one figure that it draws."""

    def code(wildcards):
        return finding_code_of(rule_name, wildcards.finding, "draw")

    return code


def page_code_of(rule_name):
    """Return the fingerprint of a rule with what all findings say on the page."""
    speaking = [finding for finding in FINDINGS if asked(finding).speaks]
    return code_fingerprint(
        SCRIPTS / f"{rule_name}.py",
        [
            *(f"{ROOMS}.{finding}:on_page" for finding in speaking),
            *modules_of_methods(STUDY.transfer.methods),
        ],
    )


def layout_code_of(rule_name):
    """Return a function of the wildcards: the fingerprint of a rule with the one layout that it reads."""

    def code(wildcards):
        return code_fingerprint(
            SCRIPTS / f"{rule_name}.py", [f"{LAYOUTS}.{reader_of(wildcards)}"]
        )

    return code


PLAN = f"{RESULTS}/provenance/plan.json"
FINISHED = f"results/{SHARED}"
FRACTIONS = STUDY.transfer.fractions
AT_LARGEST_FRACTION = cells_at(STUDY, max(FRACTIONS))
AT_ENDS_OF_CURVES = cells_at(STUDY, min(FRACTIONS), max(FRACTIONS))

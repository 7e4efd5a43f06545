# The study as a table of contents: from recordings to an answer. Each stage is one file under rules/.
from snakemake.utils import min_version

min_version("9.18.1")  # with which pathvars of a module reach its input functions


include: "rules/config.smk"
include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/settings.smk"
include: "rules/findings.smk"
include: "rules/acquire.smk"
include: "rules/prepare.smk"
include: "rules/audit.smk"
include: "rules/split.smk"
include: "rules/train.smk"
include: "rules/compare.smk"
include: "rules/report.smk"
include: "rules/provenance.smk"


rule all:
    default_target: True
    input:
        promised(),

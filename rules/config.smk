# The config: the defaults of the workflow, wherever it is started, and over them the files of the command line.
import os
import sys
from pathlib import Path

from snakemake.utils import update_config

RULES = str(workflow.current_basedir)
if not os.path.isdir(RULES):
    sys.exit(f"error: {RULES}: is no folder; name `workflow/Snakefile`, or a clone")
if "{" in RULES or "}" in RULES:
    sys.exit(f"error: {RULES}: braces are wildcards to Snakemake; rename the folder")
HOME = Path(RULES).parent  # the workflow's own folder, whoever imports it
SCRIPTS = HOME / "workflow_scripts"
sys.path.insert(0, str(SCRIPTS))

from ecgtransfer.config.reading import read_config
from ecgtransfer.in_utf8 import begin_in_utf8
from ecgtransfer.files import require_listable, require_writable
from ecgtransfer.system_errors import reported_in_one_line

MAKE_RUN = (
    "`make run`"
    if workflow.modifier.parent_modifier is None
    else f"`python {SCRIPTS}/run.py --snakefile {workflow.main_snakefile}` with the same arguments"
)


def of_workflow(path):
    """Return where a file of the workflow lies: from the working folder, if that is the workflow's own."""
    return path if os.path.samefile(HOME, os.curdir) else str(HOME / path)


DEFAULTS = of_workflow("config/config.yaml")
if workflow.is_main_process:  # Snakemake itself would end in a traceback
    with reported_in_one_line():
        begin_in_utf8(None if workflow.overwrite_workdir else Path.cwd())
        require_writable(".snakemake")
        read_config(Path(DEFAULTS))


configfile: DEFAULTS


if (
    workflow.modifier.skip_configfile
):  # `config:` of a module is a study, too: what differs from the defaults
    study, config = config, read_config(Path(DEFAULTS))
    update_config(config, study)
RESULTS = f"results/{config.get('study')}"

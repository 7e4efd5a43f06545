"""Rule `all`: look whether everything up to the page is what the config, the code and the files of now make."""

from ecgtransfer.job import logged
from ecgtransfer.provenance.digests import MEMORY, Digests
from ecgtransfer.provenance.judge import require_current
from ecgtransfer.provenance.plan import Plan

with logged(snakemake.log[0]):
    require_current(Plan.read(snakemake.params.plan), Digests(MEMORY))

"""What `make bench` measures: the workflow's fast paths against a plain way to do the same, ratios taken in one run.

A benchmark is a module ``bench_*`` with a function ``measure() -> list[Result]``; `__main__` finds and runs them.
"""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

sys.path.insert(0, str(REPOSITORY / "workflow_scripts"))  # the library is not installed

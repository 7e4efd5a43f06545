"""How often the intervals and verdicts of the workflow are right, by simulation: `make calibrate`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow_scripts"))  # the library is not installed

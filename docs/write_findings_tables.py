"""`make docs`: write what results/README.md says of the tables of findings."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "workflow_scripts"))

from ecgtransfer.findings.readme import with_findings  # noqa: E402


def main() -> None:
    """Write the file."""
    readme = REPOSITORY / "results" / "README.md"
    readme.write_text(with_findings(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

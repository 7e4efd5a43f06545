"""`make docs`: write the table of models in docs/models.md from the registry."""

import csv
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "models.md"
REGISTRY = REPOSITORY / "workflow_scripts" / "ecgtransfer" / "train" / "registry.csv"
SAMPLES_PER_SECOND = 100
WHAT_OPTIONS_SAY = {"head": "`head`: `flatten` or `pool`"}
_TABLE = re.compile(r"<!-- models -->\n.*?<!-- end -->", re.DOTALL)


def with_table(page: str) -> str:
    """Return the page with a table of the models that the registry has now."""
    with REGISTRY.open(encoding="utf-8", newline="") as file:
        rows = [_row(**row) for row in csv.DictReader(file)]
    head = ["| name | paper | parameters | MFLOP | receptive field | options |", "|---|---|---|---|---|---|"]
    table = "\n".join(["<!-- models -->", *head, *rows, "<!-- end -->"])
    return _TABLE.sub(lambda _: table, page)


def _row(name: str, paper: str, parameters: str, mflops: str, receptive_field: str, options: str, **_: str) -> str:
    seen = receptive_field
    if seen != "all":
        seen = f"{seen} samples = {int(seen) / SAMPLES_PER_SECOND:.2f} s"
    said = ", ".join(WHAT_OPTIONS_SAY[option] for option in options.split())
    return f"| `{name}` | {paper} | {int(parameters):,} | {mflops} | {seen} | {said} |"


def main() -> None:
    """Write the file."""
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

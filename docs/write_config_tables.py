"""`make docs`: write the tables of keys in config/README.md, and config/schema.json, from the sections of the config.

The column "reruns" is what Snakemake's graph shows: a dry run before and after an edit of every key.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / folder) for folder in (".", "workflow_scripts", "tests/workflow")]

from config_edits import KEYS, planner, reruns_of  # noqa: E402

from ecgtransfer.config.tables import json_schema, with_tables  # noqa: E402


def main() -> None:
    """Write both files."""
    config = REPOSITORY / "config"
    with TemporaryDirectory() as folder, planner(Path(folder)) as plan:
        reruns = {name: reruns_of(plan, name).in_words for name, key in KEYS.items() if not key.taken_over}
    default = yaml.safe_load((config / "config.yaml").read_text(encoding="utf-8"))
    readme = (config / "README.md").read_text(encoding="utf-8")
    (config / "README.md").write_text(with_tables(readme, default, reruns), encoding="utf-8")
    (config / "schema.json").write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

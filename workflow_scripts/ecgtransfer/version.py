"""The version of the workflow. It is in a text file next to this one: a new version is no new code, and trains
nothing again.
"""

from pathlib import Path


def version_of_workflow() -> str:
    """Return the version of the workflow, such as ``1.0.0``."""
    return Path(__file__).with_name("VERSION").read_text(encoding="utf-8").strip()

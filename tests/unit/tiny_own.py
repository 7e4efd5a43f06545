"""Own data for tests: a table next to a folder of recordings, and what comes of describing them."""

from pathlib import Path
from typing import Any

from ecgtransfer.acquire.inventory import inventory
from ecgtransfer.files import files_there
from ecgtransfer.prepare.formats.wfdb_headers import signal_files
from ecgtransfer.prepare.records import describe_records


def own(folder: Path, text: str, **keys: Any) -> dict[str, Any]:
    """Write a table next to a folder of recordings and return its entry."""
    table = folder.parent / "table.csv"
    table.write_text(text)
    return {"reader": "table", "folder": str(folder), "table": str(table), **keys}


def described(entry: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    """Return the described table and the reasons by record id, through the inventory of the folder."""
    records, rejected, _ = describe_records(entry, Path(entry["folder"]), files_there(inventory(entry, signal_files)))
    return records, dict(zip(rejected["record_id"], rejected["reason"], strict=True))

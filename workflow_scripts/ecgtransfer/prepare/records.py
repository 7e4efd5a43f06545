"""The index of a data set: which recordings can be used, whose they are, what they show; and which cannot, and why."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import pandas as pd

from ecgtransfer.errors import InputError
from ecgtransfer.prepare.layouts import LAYOUTS, Layout
from ecgtransfer.prepare.wfdb_files import check_record, read_header

logger = logging.getLogger(__name__)

DESCRIBED_COLUMNS = [
    "record_id", "patient_id", "path", "sampling_rate_hz", "n_samples", "age_years", "sex", "statements", "fold",
]  # fmt: skip
REJECTED_COLUMNS = ["record_id", "path", "reason"]


def describe_records(reader: str, folder: Path, manifest_paths: Iterable[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the usable records of a data set and the rejected ones; every header of the manifest is in one of them.

    Parameters
    ----------
    reader
        A module of `ecgtransfer.prepare.layouts`.
    folder
        Where the data set lies.
    manifest_paths
        The files that were verified, relative to `folder`.

    Returns
    -------
    described : pandas.DataFrame
        The columns `DESCRIBED_COLUMNS`; ``statements`` are the data set's own, joined by ``|``.
    rejected : pandas.DataFrame
        The columns `REJECTED_COLUMNS`.
    """
    describe = _layout(reader)(folder)
    described, rejected = [], []
    seen: dict[str, str] = {}
    for relative in (path for path in manifest_paths if path.endswith(".hea")):
        path = folder / relative
        try:
            header = read_header(path)
            check_record(header, path)
            description = asdict(describe(path, header))
            record_id = description["record_id"]
            if record_id in seen:
                raise InputError(f"{path}: record id {record_id} is also that of {seen[record_id]}")
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ")
            rejected.append({"record_id": path.stem, "path": relative, "reason": reason})
            continue
        seen[record_id] = relative
        description["statements"] = "|".join(description["statements"])
        rate = header.sampling_rate_hz
        described.append({**description, "path": relative, "sampling_rate_hz": rate, "n_samples": header.n_samples})
    logger.info("%d records can be used", len(described))
    if rejected:
        first = rejected[0]
        logger.warning("%d records rejected, the first: %s: %s", len(rejected), first["path"], first["reason"])
    table = pd.DataFrame(described, columns=DESCRIBED_COLUMNS)
    table["fold"] = table["fold"].astype("Int64")
    return table, pd.DataFrame(rejected, columns=REJECTED_COLUMNS)


def _layout(reader: str) -> Layout:
    """Return the layout of a name. It is loaded by name, so that an edit of one layout leaves the others alone."""
    try:
        layout: Layout = import_module(f"{LAYOUTS}.{reader}").layout
    except ModuleNotFoundError as error:
        raise InputError(
            f"config/datasets.yaml: reader '{reader}' is no module of {LAYOUTS}; mend the name or write it"
        ) from error
    return layout


def index_records(described: pd.DataFrame, snomed_by_statement: Mapping[str, str]) -> pd.DataFrame:
    """Return the described records with SNOMED CT ``codes``, joined by ``|``, in place of ``statements``.

    Statements that the label table does not have are left out; the log counts them.

    Parameters
    ----------
    described
        As from `describe_records`.
    snomed_by_statement
        The data set's label table; empty where its statements are SNOMED CT codes already.
    """
    stated = [[s for s in str(cell).split("|") if s] for cell in described["statements"].fillna("")]
    if snomed_by_statement:
        unknown = Counter(s for row in stated for s in row if s not in snomed_by_statement)
        if unknown:
            counts = ", ".join(f"{statement} ({n})" for statement, n in unknown.most_common())
            logger.info("statements without a SNOMED CT code in the label table, left out: %s", counts)
        stated = [
            list(dict.fromkeys(snomed_by_statement[s] for s in row if s in snomed_by_statement)) for row in stated
        ]
    codes = pd.Series(["|".join(row) for row in stated], index=described.index, dtype=str)
    return described.assign(statements=codes).rename(columns={"statements": "codes"})


def read_label_table(path: str | Path | None) -> dict[str, str]:
    """Return SNOMED CT code by published statement from a table under config/labels; empty without a table.

    Raises
    ------
    InputError
        If a column is missing or a code is no number.
    """
    if not path:
        return {}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in ("statement", "snomed_ct"):
        if column not in table:
            raise InputError(f"{path}: column {column} is missing; the table needs statement and snomed_ct")
    wrong = table[~table["snomed_ct"].str.isdecimal()]
    if len(wrong):
        row = wrong.iloc[0]
        raise InputError(f"{path}: '{row['snomed_ct']}' beside '{row['statement']}' is not a SNOMED CT code")
    return dict(zip(table["statement"], table["snomed_ct"], strict=True))

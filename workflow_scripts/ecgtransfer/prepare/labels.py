"""From SNOMED CT codes to one 0/1 column per label: equivalent codes merged, rare labels dropped.

All knowledge about codes stands in tables under config/labels, none of it here.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ecgtransfer.errors import InputError

logger = logging.getLogger(__name__)


def harmonize_labels(
    records: pd.DataFrame,
    abbreviations: Mapping[str, str],
    counts_as: Mapping[str, str],
    settings: Mapping[str, Any],
    corpus: str,
) -> pd.DataFrame:
    """Return ``record_id`` and a 0/1 column per label, rows as in `records`.

    A record that has none of the labels stays, as a row of zeros.

    Parameters
    ----------
    records
        Columns ``record_id`` and ``codes`` (SNOMED CT joined by ``|``).
    abbreviations
        Label name by SNOMED CT code; a code without one is its own name.
    counts_as
        The code that stands for an equivalent one.
    settings
        The config section ``labels``: ``include`` (``all`` or a list of abbreviations or codes) and ``min_records``,
        the number of records that must have a label, and that must lack it, for it to stay.
    corpus
        For messages.

    Raises
    ------
    InputError
        If no label stays, or a label asked for is not a known one.
    """
    codes = [[counts_as.get(c, c) for c in str(cell).split("|") if c] for cell in records["codes"].fillna("")]
    all_codes = sorted({code for row in codes for code in row})
    present = pd.DataFrame(
        np.array([[code in set(row) for code in all_codes] for row in codes], dtype=np.int8).reshape(
            len(codes), len(all_codes)
        ),
        columns=[abbreviations.get(code, code) for code in all_codes],
    )
    asked_for = _asked_for([str(name) for name in present.columns], settings["include"], abbreviations, counts_as)
    asked_for.sort(key=str.casefold)
    present = present[asked_for]
    positives = present.sum()
    enough = (positives >= settings["min_records"]) & (len(present) - positives >= settings["min_records"])
    if not enough.any():
        most = f"the most frequent is {positives.idxmax()} with {positives.max()}" if len(positives) else "it has none"
        raise InputError(
            f"labels of {corpus}: no label is in and out of at least labels.min_records = {settings['min_records']} of"
            f" {len(records)} records, {most}; lower labels.min_records, widen labels.include or use more records"
        )
    dropped = [f"{label} ({count})" for label, count in positives[~enough].items()]
    logger.info("%s: %d labels kept, too few records: %s", corpus, enough.sum(), ", ".join(dropped) or "none")
    table: pd.DataFrame = pd.concat([records["record_id"].reset_index(drop=True), present.loc[:, enough]], axis=1)
    return table


def _asked_for(
    present: list[str], include: str | list[str], abbreviations: Mapping[str, str], counts_as: Mapping[str, str]
) -> list[str]:
    if include == "all":
        return present
    code_of = {abbreviation: code for code, abbreviation in abbreviations.items()}
    unknown = [label for label in include if label not in code_of and label not in abbreviations]
    if unknown:
        raise InputError(
            f"labels.include: {', '.join(unknown)} is neither an abbreviation nor a SNOMED CT code of"
            " config/labels/snomed.csv; add it there or mend the spelling"
        )
    codes = [code_of.get(label, label) for label in include]
    wanted = {abbreviations[counts_as.get(code, code)] for code in codes}
    return [label for label in present if label in wanted]


def shuffle_labels(labels: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the table with its label rows dealt out anew at random: same prevalences, nothing left to learn."""
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels.iloc[order].reset_index(drop=True)
    shuffled["record_id"] = labels["record_id"].to_numpy()
    return shuffled

"""What a table of your own gives that no recording takes, and what in it can be misunderstood."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecgtransfer.acquire.own_table import WrongEntry, columns_by_field, unused_columns
from ecgtransfer.errors import did_you_mean
from ecgtransfer.prepare.layouts import Notice
from ecgtransfer.prepare.people import says_unknown

_MOST_CHARACTERS = 300
_MANY_RECORDINGS, _MANY_SHARE, _MANY_TIMES = 5, 0.1, 5
"""A patient with so many recordings, such a share of them and so many times those of the next is not a person."""


def table_notices(entry: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> Iterator[Notice]:
    """Yield notices on columns that are not used, and on recordings without a patient or without labels.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``.
    rows
        Those of its table, one per recording.

    Raises
    ------
    InputError
        If the table is broken, or cells of labels are empty and the entry does not state what that means.
    """
    columns, unused = columns_by_field(entry), unused_columns(entry)
    n_unlabelled = sum(not row["labels"] for row in rows)
    if unused:
        yield Notice(f"columns of the table that are not used: {', '.join(unused)[:_MOST_CHARACTERS]}")
    if "patient" not in columns:
        yield Notice(
            "no column 'patient', every record counts as its own patient, so a person can be on both sides of a split"
            f"{did_you_mean('patient', unused)}"
        )
    else:
        yield from _patients(Counter(row["patient"] for row in rows), len(rows))
    if "labels" not in columns:
        yield Notice(f"no column 'labels', the labels of all {len(rows)} recordings are unknown")
    elif n_unlabelled:
        yield Notice(_unlabelled(entry, f"{n_unlabelled} of {len(rows)}"))


def _patients(n_recordings: Counter[str], n_rows: int) -> Iterator[Notice]:
    """Yield patients who may not be persons, and ids that may be of one person."""
    n_without = n_recordings.pop("", 0)
    if n_without:
        yield Notice(f"{n_without} of {n_rows} recordings have no patient, each counts as a patient of its own")
    most_common = n_recordings.most_common(2)
    of_second = most_common[1][1] if len(most_common) > 1 else 0
    for patient, count in n_recordings.items():
        many = count >= max(_MANY_RECORDINGS, _MANY_SHARE * n_rows, _MANY_TIMES * of_second)
        if count > 1 and (says_unknown(patient) or many):
            yield Notice(
                f"{count} of {n_rows} recordings have the patient {patient[:40]!r} and count as one person; leave"
                " these cells empty if it stands for an unknown patient"
            )
    spellings = defaultdict[str, list[str]](list)
    for patient in n_recordings:
        spellings["".join(patient.split()).casefold().lstrip("0")].append(patient)
    alike = [patients for patients in spellings.values() if len(patients) > 1]
    if alike:
        shown = " and ".join(map(repr, alike[0][:3]))
        yield Notice(
            f"{sum(map(len, alike))} patients differ in capitals, blanks or leading zeros alone, such as {shown[:120]},"
            " and count as different people"
        )


def _unlabelled(entry: Mapping[str, Any], how_many: str) -> str:
    """Return how recordings with an empty cell of labels count, according to the entry."""
    match entry.get("empty_labels"):
        case "negative":
            return f"{how_many} recordings have an empty cell of labels and count as negative for every label"
        case "unknown":
            return f"{how_many} recordings have an empty cell of labels, so their labels are unknown"
    raise WrongEntry(
        f"{entry['table']}: {how_many} cells of labels are empty; say in the entry in the section `own` whether these"
        " recordings have none of the labels (`empty_labels: negative`) or were not examined (`empty_labels: unknown`)"
    )

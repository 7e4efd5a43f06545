"""What a table of your own gives that no recording takes, and what in it can be misunderstood."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ecgtransfer.acquire.own_table import WrongEntry, columns_by_field, rows_of, unused_columns
from ecgtransfer.errors import did_you_mean
from ecgtransfer.prepare.layouts import Notice
from ecgtransfer.prepare.people import says_unknown

_MOST_CHARACTERS = 300


def table_notices(entry: Mapping[str, Any]) -> Iterator[Notice]:
    """Yield notices on columns that are not used, and on recordings without a patient or without labels.

    Parameters
    ----------
    entry
        An entry of the config's section ``own``.

    Raises
    ------
    InputError
        If the table is broken, or cells of labels are empty and the entry does not say what that means.
    """
    columns, unused = columns_by_field(entry), unused_columns(entry)
    cells = [(row["patient"], row["labels"]) for row in rows_of(entry)]
    n_unlabelled = sum(not labels for _, labels in cells)
    if unused:
        yield Notice(f"columns of the table that are not used: {', '.join(unused)[:_MOST_CHARACTERS]}")
    if "patient" not in columns:
        yield Notice(
            "no column 'patient', every record counts as its own patient, so one can be on both sides of a split"
            f"{did_you_mean('patient', unused)}"
        )
    else:
        yield from _without_patient(Counter(patient for patient, _ in cells), len(cells))
    if "labels" not in columns:
        yield Notice(f"no column 'labels', the labels of all {len(cells)} recordings are unknown")
    elif n_unlabelled:
        yield Notice(_unlabelled(entry, f"{n_unlabelled} of {len(cells)}"))


def _without_patient(n_recordings: Counter[str], n_rows: int) -> Iterator[Notice]:
    if n_recordings[""]:
        yield Notice(f"{n_recordings['']} of {n_rows} recordings have no patient, each counts as a patient of its own")
    for patient, count in n_recordings.items():
        if patient and count > 1 and says_unknown(patient):
            yield Notice(
                f"{count} of {n_rows} recordings have the patient {patient!r} and count as one person's; leave these"
                " cells empty if that means that nobody knows"
            )


def _unlabelled(entry: Mapping[str, Any], how_many: str) -> str:
    """Return how recordings with an empty cell of labels are taken, as the entry says."""
    match entry.get("empty_labels"):
        case "negative":
            return f"{how_many} recordings have an empty cell of labels and count as negative for every label"
        case "unknown":
            return f"{how_many} recordings have an empty cell of labels, so that theirs are unknown"
    raise WrongEntry(
        f"{entry['table']}: {how_many} cells of labels are empty; say in the entry in the section `own` whether these"
        " recordings have none of the labels (`empty_labels: negative`) or nobody has looked (`empty_labels: unknown`)"
    )

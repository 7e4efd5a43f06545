"""What must come of a spelling, from the truth alone, and whether it did."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from diagnoses import Empty
from numpy.typing import NDArray
from people import AGE_LEFT_EMPTY, SEX_LEFT_EMPTY
from spelling import Choice, DataSet, Expected, expected_of, way_of
from stages import Outcome, Table
from truth import Recording, labels_of, prepared
from ways import Cells

_AGE_TOLERANCE = 0.02
"""In years: a year has not quite 365 days, nor 52 weeks."""
_ROUNDING_UV = 0.52
"""Half a step of the array, and what single precision adds in the filter."""
_LEFT_EMPTY = {"age": AGE_LEFT_EMPTY, "sex": SEX_LEFT_EMPTY}


def faults_of(choice: Choice, recordings: Sequence[Recording], data: DataSet, outcome: Outcome) -> list[str]:
    """Return what is wrong with an outcome, one line each; none if all is as expected."""
    if outcome.traceback:
        return [f"traceback: {outcome.traceback}"]
    expected = expected_of(choice, recordings)
    kept = [recordings[number] for number in data.order if number not in expected.left_out]
    reasons = dict(outcome.rejected)
    for number, lines in expected.left_out.items():
        record = _text(data, "record", recordings[number]) or f"row {list(data.order).index(number) + 1}"
        reason = reasons.pop(record, "")
        if not expected.refused and not any(_says(reason, line) for line in lines):
            return [f"not left out with {' or '.join(lines)}: {reason or 'taken'}; {_seen(outcome)}"]
    said = [line for line in (outcome.refused, *reasons.values()) if line]
    if expected.refused:
        if any(_says(line, wanted) for wanted in expected.refused for line in said):
            return _not_one_line(outcome.refused.replace(data.written.folder, ""))
        if expected.must_be_refused or said:
            return [f"not refused with {' or '.join(expected.refused)}, but {_seen(outcome)}"]
    elif said:
        return [_seen(outcome)]
    roles = _Roles(choice, kept, outcome.records)
    return [
        fault
        for some in (
            _of_signals(kept, data, outcome),
            _of_cells(choice, kept, data, outcome),
            _of_labels(choice, kept, data, outcome),
            _of_roles(roles, outcome),
            _of_notices(choice, kept, expected, roles, outcome),
        )
        for fault in some
    ]


def _says(said: str, line: str) -> re.Match[str] | None:
    return re.search(line, said, re.IGNORECASE)


def _seen(outcome: Outcome) -> str:
    rejected = next((f"{record}: {reason}" for record, reason in outcome.rejected.items()), "")
    parts = [f"refused: {outcome.refused}" if outcome.refused else "taken"]
    if rejected:
        parts.append(f"{len(outcome.rejected)} rejected, the first {rejected}")
    return ", ".join(parts)


def _not_one_line(line: str) -> list[str]:
    return [f"not one line: {line!r}"] if "\n" in line else []


def _of_signals(in_order: Sequence[Recording], data: DataSet, outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with signals, where they were read in this run."""
    if outcome.raw is None or outcome.signals is None:
        return
    held = data.written.microvolts[[recording.number for recording in in_order]]
    if outcome.raw.shape != held.shape:
        yield f"signals of shape {outcome.raw.shape} in place of {held.shape}"
        return
    absent = np.isnan(held)
    if not np.array_equal(np.isnan(outcome.raw), absent):
        yield "other leads are missing than in the files"
    error = np.nanmax(np.abs(outcome.raw - held) / (1e-6 * np.abs(held) + 1e-3), axis=(1, 2))
    if error.max() > 1:
        worst = int(error.argmax())
        yield f"{int((error > 1).sum())} signals are not read as written, the worst that of row {worst}"
    off = np.abs(outcome.signals - prepared(_with_all_leads(held))).max(axis=(1, 2))
    if off.max() > _ROUNDING_UV:
        yield f"{int((off > _ROUNDING_UV).sum())} signals are not prepared right, by up to {off.max():.4g} µV"


def _with_all_leads(held: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return signals with the limb leads that are missing, made of those that are there."""
    whole = held.copy()
    of_one_and_two = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]])
    there = np.flatnonzero(~np.isnan(held[0, :6, 0]))
    one_and_two = np.linalg.pinv(of_one_and_two[there[:2]]) @ held[:, there[:2]]
    for lead in set(range(6)) - set(there.tolist()):
        whole[:, lead] = np.tensordot(of_one_and_two[lead], one_and_two, axes=(0, 1))
    return whole


def _of_cells(choice: Choice, in_order: Sequence[Recording], data: DataSet, outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with ids, patients, sites, months, folds, ages and sexes."""
    read = outcome.records
    record_ids = [_text(data, "record", recording) for recording in in_order]
    names = {"record": "record_id", "patient": "patient_id", "age": "age_years"}
    for axis in data.cells:
        way: Cells = way_of(choice, axis)
        if way.read:
            wanted = [way.read(recording) for recording in in_order]
        else:
            wanted = [_text(data, axis, recording) for recording in in_order]
        if axis == "patient":  # one that is not known is a patient of its own
            wanted = [
                record if patient is None else patient for patient, record in zip(wanted, record_ids, strict=True)
            ]
        name = names.get(axis, axis)
        found = read.get(name, [""] * len(in_order))
        wrong = [
            (theirs, ours)
            for theirs, ours in zip(found, wanted, strict=True)
            if not _same(axis, theirs, ours) and not (way.or_unread and theirs == "")
        ]
        if wrong:
            yield f"{axis} of {len(wrong)} recordings wrong, the first {wrong[0][0]!r} in place of {wrong[0][1]!r}"


def _text(data: DataSet, axis: str, recording: Recording) -> str:
    """Return what a cell says: without blanks at its ends, with one kind of line ends within."""
    column = data.cells[axis]
    return "" if column is None else "\n".join(column[recording.number].strip().splitlines())


def _same(axis: str, found: str, wanted: Any) -> bool:
    if wanted is None or found == "":
        return found == "" and wanted in (None, "")
    if axis in ("age", "fold"):
        try:
            return abs(float(found) - float(wanted)) <= (_AGE_TOLERANCE if axis == "age" else 0)
        except ValueError:
            return False
    return bool(found == wanted)


def _of_labels(choice: Choice, in_order: Sequence[Recording], data: DataSet, outcome: Outcome) -> Iterator[str]:
    known = [_is_labelled(choice, recording) for recording in in_order]
    names, wanted, _ = labels_of([recording.codes for recording in in_order if _is_labelled(choice, recording)])
    table = outcome.labels
    if table["record_id"] != [_text(data, "record", recording) for recording in in_order]:
        yield "labels have other record ids than the table"
    if list(table)[1:] != names:
        yield f"labels are {', '.join(list(table)[1:])} in place of {', '.join(names)}"
        return
    found = np.array([table[name] for name in names], dtype=object).T
    expected = np.full(found.shape, "", dtype=object)
    expected[np.array(known)] = wanted.astype(str)
    if (wrong := found != expected).any():
        label = names[int(wrong.any(axis=0).argmax())]
        yield f"labels of {int(wrong.any(axis=1).sum())} recordings wrong, {label} among them"


def _is_labelled(choice: Choice, recording: Recording) -> bool:
    empty: Empty = way_of(choice, "no label")
    return bool(recording.codes) or empty.means_none


class _Roles:
    """Who must have which role: by published folds, or by the sites or months that the config names.

    Attributes
    ----------
    kept
        Record and role of those that have one, in order; the role is None where anyone is right, its fold not known.
    n, n_left_out
        How many may have one, and how many of these have none, because their patient occurs in a role that comes first.
    """

    def __init__(self, choice: Choice, in_order: Sequence[Recording], records: Table) -> None:
        if not way_of(choice, "no label").means_none:  # what shows nobody knows what has no role
            known = [place for place, recording in enumerate(in_order) if recording.codes]
            in_order = [in_order[place] for place in known]
            records = {name: [column[place] for place in known] for name, column in records.items()}
        roles = way_of(choice, "roles")
        units = [roles.unit(recording) for recording in in_order]
        if roles.by == "patient":
            read = way_of(choice, "fold").read
            said = [int(fold) if (fold := read(recording)) else None for recording in in_order]
            of_patient = {patient: fold for patient, fold in zip(records["patient_id"], said, strict=True) if fold}
            units = [of_patient.get(patient) for patient in records["patient_id"]]
        wanted = ["test" if unit in roles.test else "valid" if unit in roles.valid else "train" for unit in units]
        before = {"test": 0, "valid": 1, "train": 2}
        first: dict[str, int] = {}
        patients = records["patient_id"]
        for patient, role in zip(patients, wanted, strict=True):
            first[patient] = min(first.get(patient, 2), before[role])
        self.kept = [
            (record, None if unit is None else role)
            for record, patient, role, unit in zip(records["record_id"], patients, wanted, units, strict=True)
            if before[role] == first[patient] or unit is None
        ]
        self.n, self.n_left_out = len(in_order), len(in_order) - len(self.kept)


def _of_roles(wanted: _Roles, outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with roles."""
    splits = outcome.splits
    if splits["record_id"] != [record for record, _ in wanted.kept]:
        yield f"{len(splits['record_id'])} recordings have a role in place of {len(wanted.kept)}, or they are others"
        return
    wrong = sum(role not in (None, found) for found, (_, role) in zip(splits["role"], wanted.kept, strict=True))
    if wrong:
        yield f"roles of {wrong} recordings are wrong"
    if len(set(zip(splits["patient_id"], splits["role"], strict=True))) > len(set(splits["patient_id"])):
        yield "a patient has two roles"


def _of_notices(
    choice: Choice, recordings: Sequence[Recording], expected: Expected, roles: _Roles, outcome: Outcome
) -> Iterator[str]:
    """Yield what was not reported, what was reported without reason, and counts that are wrong."""
    missing = [line for line in expected.told if not any(_says(notice, line) for notice in outcome.notices)]
    if missing:
        yield f"not told: {' and '.join(missing)}; said is {outcome.notices}"
    allowed = list(expected.told)
    *_, rare = labels_of([recording.codes for recording in recordings if _is_labelled(choice, recording)])
    if rare:
        named = "".join(rf"(?=.*\b{name} \({n}\))" for name, n in rare.items())
        allowed.append(rf"^\d+ of \d+ labels are not used, {named}")
        if not any(_says(notice, allowed[-1]) for notice in outcome.notices):
            yield f"not told that {len(rare)} labels are not used"
    if roles.n_left_out:
        allowed.append(f"^{roles.n_left_out} of {roles.n} recordings are left out")
        if not any(_says(notice, allowed[-1]) for notice in outcome.notices):
            yield f"not told that {roles.n_left_out} recordings are left out"
    for axis, line in _LEFT_EMPTY.items():
        way: Cells = way_of(choice, axis)
        name = {"age": "age_years"}.get(axis, axis)
        n_empty = outcome.records[name].count("")
        n_unknown = sum(way.read(recording) is None for recording in recordings) if way.read else 0
        counted = [int(found[1]) for notice in outcome.notices if (found := _says(notice, line))]
        if way.or_unread:
            allowed.append(line)
            if n_empty > n_unknown and not counted:
                yield f"{n_empty} recordings have no {axis}, which is not told"
        if counted and counted[0] not in (n_empty, n_empty - n_unknown):
            yield f"the {axis} of {counted[0]} recordings is said to be left empty, it is that of {n_empty}"
    surplus = [notice for notice in outcome.notices if not any(_says(notice, line) for line in allowed)]
    if surplus:
        yield f"said without reason: {surplus}"

"""A spelling: which way is chosen of every axis; how the corpus is written so, and what is expected of it then."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from diagnoses import DIAGNOSES, EMPTY, words_of
from ids import PATIENTS, RECORDS, SITES
from leads import LEADS, LEADS_SAID
from names import FOLDERS, NAMINGS
from people import AGES, FOLDS, MONTHS, SEXES
from recordings import FORMATS, GAINS, NUMBERS, SHAPES, Written, write_recordings
from said import LABEL_COLUMNS, RATES_SAID, ROLES, ROWS_SAID, UNITS_SAID
from tables import COLUMNS, ENCODINGS, LINE_ENDS, QUOTINGS, ROW_ORDERS, SEPARATORS, TABLE_NAMES, text_of
from truth import RATE_HZ, Recording
from ways import NotWritable, Way

AXES: dict[str, Mapping[str, Way]] = {
    "format": FORMATS,
    "shape": SHAPES,
    "numbers": NUMBERS,
    "gain": GAINS,
    "leads": LEADS,
    "file names": NAMINGS,
    "folder": FOLDERS,
    "rate said": RATES_SAID,
    "unit said": UNITS_SAID,
    "leads said": LEADS_SAID,
    "rows said": ROWS_SAID,
    "record": RECORDS,
    "patient": PATIENTS,
    "site": SITES,
    "month": MONTHS,
    "fold": FOLDS,
    "age": AGES,
    "sex": SEXES,
    "labels": DIAGNOSES,
    "no label": EMPTY,
    "roles": ROLES,
    "encoding": ENCODINGS,
    "line ends": LINE_ENDS,
    "separator": SEPARATORS,
    "quotes": QUOTINGS,
    "columns": COLUMNS,
    "rows": ROW_ORDERS,
    "table name": TABLE_NAMES,
    "label table encoding": ENCODINGS,
    "label table line ends": LINE_ENDS,
    "label table separator": SEPARATORS,
    "label table columns": LABEL_COLUMNS,
}
"""The ways of every axis; the first one is plain."""

PLAIN = {axis: next(iter(ways)) for axis, ways in AXES.items()}
OF_FILES = ("format", "shape", "numbers", "gain", "leads", "file names", "folder")
"""Axes that decide what lies in the folder."""
CELLS = ("record", "patient", "site", "month", "fold", "age", "sex")
"""Axes that are columns of the same name."""

_NOT_ASCII = {"patient": "umlauts", "labels": "German words"}
_WANTS: Mapping[str, Mapping[str, str]] = {
    "shape": {"format": "npy for all"},
    "encoding": _NOT_ASCII,
    **{axis: {"labels": "German words"} for axis in AXES if axis.startswith("label table")},
}
"""What lets the ways of an axis show, unless a choice says otherwise."""

Choice = Mapping[str, str]
"""Axis -> way, all axes or only those that are not plain."""


def way_of(choice: Choice, axis: str) -> Any:
    """Return the way that is chosen of an axis."""
    return AXES[axis][choice.get(axis, PLAIN[axis])]


def as_text(choice: Choice) -> str:
    """Return what is not plain, as one line from which it can be chosen again."""
    return json.dumps({axis: way for axis, way in choice.items() if way != PLAIN[axis]}, ensure_ascii=False)


def with_needs(choice: Choice) -> dict[str, str]:
    """Return a choice with the ways that its ways need.

    Raises
    ------
    NotWritable
        If it says something else of these axes.
    """
    needs: dict[str, str] = {}
    for axis in choice:
        for needed, way in way_of(choice, axis).needs.items():
            if {**needs, **choice}.get(needed, way) != way:
                raise NotWritable(f"{axis}: {choice[axis]} needs {needed}: {way}")
            needs[needed] = way
    wanted = {needed: way for axis in choice for needed, way in _WANTS.get(axis, {}).items()}
    return {**wanted, **needs, **choice}


@dataclass(frozen=True)
class Expected:
    """What must come of a spelling.

    Attributes
    ----------
    refused
        Lines by one of which it may be refused.
    must_be_refused
        Whether it must be.
    left_out
        Recordings that must be left out, and with which lines.
    told
        What must be reported.
    """

    refused: tuple[str, ...]
    must_be_refused: bool
    left_out: Mapping[int, tuple[str, ...]]
    told: tuple[str, ...]


def expected_of(choice: Choice, recordings: Sequence[Recording]) -> Expected:
    """Return what is expected of a choice, of these recordings."""
    ways: list[Way] = [way_of(choice, axis) for axis in AXES]
    refusing = [way for way in ways if way.refused and way.leaves_out is None]
    choosing = [(way.refused, way.leaves_out) for way in ways if way.leaves_out is not None]
    left_out = {
        recording.number: lines
        for recording in recordings
        if (lines := tuple(line for line, leaves_out in choosing if leaves_out(recording)))
    }
    return Expected(
        refused=tuple(way.refused for way in refusing),
        must_be_refused=any(not way.or_taken for way in refusing),
        left_out=left_out,
        told=tuple(
            line
            for axis, way in zip(AXES, ways, strict=True)
            for line in way.told
            if axis != "no label" or not all(recording.codes for recording in recordings)
        ),
    )


@dataclass(frozen=True)
class DataSet:
    """A data set as it was written: what the entry says of it, and which recordings its rows are about, in order."""

    entry: Mapping[str, Any]
    order: Sequence[int]
    cells: Mapping[str, Sequence[str] | None] = field(repr=False)
    """What the table says, by axis of `CELLS`, in the order of the truth; None for a column that is not there."""
    written: Written = field(repr=False)


def files_of(choice: Choice, recordings: Sequence[Recording], root: Path) -> Written:
    """Write the files of the recordings into an empty folder.

    Raises
    ------
    NotWritable
        If nobody could write such files.
    """
    return write_recordings({**PLAIN, **choice}, recordings, root)


def table_of(choice: Choice, recordings: Sequence[Recording], written: Written, root: Path) -> DataSet:
    """Write table and table of labels into a folder, and return the data set.

    Raises
    ------
    NotWritable
        If nobody could write such tables.
    """
    choice = {**PLAIN, **choice}
    by = way_of(choice, "roles").by
    if by != "patient" and way_of(choice, by).write is None:
        raise NotWritable(f"roles cannot go by {by}")
    entry: dict[str, Any] = {"folder": written.folder}
    fields: dict[str, Sequence[str]] = {
        "file": [
            way_of(choice, "file names").of_recording(recording, cells["file"])
            for recording, cells in zip(recordings, written.cells, strict=True)
        ],
        **{name: said for name in ("array", "row") if any(said := [cells.get(name, "") for cells in written.cells])},
    }
    if "row" in fields:
        fields["row"] = [way_of(choice, "rows said").write(int(row)) for row in fields["row"]]
    elif choice["rows said"] != PLAIN["rows said"]:
        raise NotWritable("there are no rows to say")
    fields |= _said(choice, written, len(recordings), entry)
    cells: dict[str, Sequence[str] | None] = {}
    for axis in CELLS:
        write = way_of(choice, axis).write
        cells[axis] = None if write is None else [write(recording) for recording in recordings]
    fields |= {axis: column for axis, column in cells.items() if column is not None}
    diagnoses, empty = way_of(choice, "labels"), way_of(choice, "no label")
    fields["labels"] = [words_of(diagnoses, recording, empty) for recording in recordings]
    order = way_of(choice, "rows").order(len(recordings))
    all_labelled = all(recording.codes for recording in recordings)
    entry |= {
        **_keys(choice, ("no label",) if all_labelled else ()),
        "table": str(_write_table(choice, fields, order, root, entry)),
    }
    if diagnoses.table is not None:
        entry["label_table"] = str(_write_label_table(choice, diagnoses.table, root))
    elif any(choice[axis] != PLAIN[axis] for axis in AXES if axis.startswith("label table")):
        raise NotWritable("there is no table of labels")
    return DataSet(entry, order, cells, written)


def _keys(choice: Choice, without: Sequence[str]) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for axis in AXES:
        if axis not in without:
            keys |= way_of(choice, axis).keys
    return keys


def _said(choice: Choice, written: Written, n: int, entry: dict[str, Any]) -> dict[str, Sequence[str]]:
    """Return the columns of rate, unit and leads, and let the entry say the rest."""
    columns: dict[str, Sequence[str]] = {}
    rate, unit, leads = (way_of(choice, axis) for axis in ("rate said", "unit said", "leads said"))
    if rate.cell is not None:
        columns["rate"] = [rate.cell] * n
    elif not written.rate_said:
        entry["sampling_rate_hz"] = RATE_HZ
    if unit.another:
        columns["unit"] = [unit.another] * n
    elif not written.unit and choice["unit said"] != PLAIN["unit said"]:
        raise NotWritable("the files say the unit")
    if not written.leads and choice["leads said"] != PLAIN["leads said"]:
        raise NotWritable("the files say the leads")
    if written.unit and unit.in_table:
        columns["unit"] = [written.unit] * n
    elif written.unit:
        entry["unit"] = written.unit
    if written.leads and leads.joined_by is not None:
        if leads.joined_by.isspace() and any(" " in name for name in written.leads):
            raise NotWritable("blanks stand within the names of leads")
        columns["leads"] = [leads.joined_by.join(written.leads)] * n
    elif written.leads:
        entry["leads"] = list(written.leads)
    return columns


def _write_table(
    choice: Choice, fields: Mapping[str, Sequence[str]], order: Sequence[int], root: Path, entry: dict[str, Any]
) -> Path:
    columns = way_of(choice, "columns")
    called = {name: columns.called(name) for name in fields}
    if columns.said:
        entry["columns"] = {name: " ".join(own.split("\n")) for name, own in called.items() if name != own}
    more = columns.more or {}
    names = columns.order([*called.values(), *more])
    cells = {**{own: fields[name] for name, own in called.items()}}
    if set(more) & set(cells):  # a column that is there twice: theirs comes behind
        header = [*called.values(), *more]
        contents = [*cells.values(), *([cell] * len(order) for cell in more.values())]
    else:
        header = names
        contents = [cells[name] if name in cells else [more[name]] * len(order) for name in names]
    rows = [[content[number] for content in contents] for number in order]
    if columns.row_names:
        rows = [[str(number), *row] for number, row in enumerate(rows, start=1)]
    way = way_of(choice, "table name")
    content = _bytes(choice, header, rows, "", columns.above)
    path = root / way.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(way.pack(content))
    return path


def _write_label_table(choice: Choice, table: Sequence[tuple[str, str]], root: Path) -> Path:
    columns = way_of(choice, "label table columns")
    path = root / "labels of ours.csv"
    path.write_bytes(_bytes(choice, columns.header, [columns.row(*pair) for pair in table], "label table "))
    return path


def _bytes(
    choice: Choice, header: Sequence[str], rows: Sequence[Sequence[str]], whose: str = "", above: str = ""
) -> bytes:
    separator, ends, encoding = (way_of(choice, f"{whose}{axis}") for axis in ("separator", "line ends", "encoding"))
    text = text_of(header, rows, separator, way_of(choice, "quotes"), ends)
    return encoding.bytes_of(above + ends.mark + text if above else text)  # type: ignore[no-any-return]


def values_alone() -> Iterator[tuple[str, str]]:
    """Yield every way but the plain ones, by its axis."""
    for axis, ways in AXES.items():
        yield from ((axis, way) for way in list(ways)[1:])


def draw(rng: np.random.Generator, axes: Sequence[str], n: int, refused: float = 0.1) -> dict[str, str]:
    """Return a random choice of `n` of these axes, each with the chance `refused` that its way may be one to refuse."""
    choice: dict[str, str] = {}
    for axis in rng.permutation(list(axes))[:n].tolist():
        ways = list(AXES[axis])[1:]
        taken = [name for name in ways if not AXES[axis][name].refused]
        choice[axis] = str(rng.choice(ways if rng.random() < refused else taken))
    return choice


def shrunk(choice: Choice, fails: Callable[[Choice], bool]) -> dict[str, str]:
    """Return as few of the chosen ways as still fail."""
    kept = dict(choice)
    for axis in list(choice):
        fewer = {other: way for other, way in kept.items() if other != axis}
        try:
            if fails(fewer):
                kept = fewer
        except NotWritable:
            continue
    return kept

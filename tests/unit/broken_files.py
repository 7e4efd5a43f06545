"""Sound files of every format and table, how they are broken, and independent readers that judge what is read."""

import csv
import io
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.io
import wfdb
from mutations import break_bytes, break_text
from tiny_records import write_hdf5, write_record

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS, lead_columns
from ecgtransfer.prepare.formats.wfdb_files import FORMATS, check_record, read_header
from ecgtransfer.prepare.recordings import read_recording, recording_metadata
from ecgtransfer.prepare.records import DESCRIBED_COLUMNS, REJECTED_COLUMNS, describe_records

N_SAMPLES = 25
ALL = "|".join(LEADS)


class Wrong(AssertionError):
    """A case that was neither read rightly nor refused properly."""


class Kind(NamedTuple):
    """A kind of file: how many cases, how a sound one is made, and how a broken one is judged."""

    n_cases: int
    write: Callable[[Path], dict[str, Callable[[random.Random, bytes], bytes]]]
    """Writes files and returns how each that is to be broken is broken."""
    judge: Callable[[Path], bool]
    """Returns whether it was read; raises `Wrong`, or what the reader should not have raised."""


def write_wfdb(sample_format: int, byte_offset: int = 0) -> Callable[[Path], dict[str, Any]]:
    """Return what writes a record in a format, with gains and baselines, a lead inverted and one beyond twelve."""

    def write(folder: Path) -> dict[str, Any]:
        rng = random.Random(sample_format)
        n_bytes = int(FORMATS[sample_format].bytes_per_value * 13 * N_SAMPLES + 1)
        missing = {16: b"\x00\x80", 24: b"\x00\x00\x80", 32: b"\x00\x00\x00\x80", 212: b"\x00\x08"}[sample_format]
        content = (rng.randbytes(byte_offset) + missing + rng.randbytes(n_bytes))[: byte_offset + n_bytes]
        layout = f"{sample_format}+{byte_offset}" if byte_offset else f"{sample_format}"
        lines = [f"r.dat {layout} {1000 + i}({i - 3})/mV 16 0 0 0 0 {lead}" for i, lead in enumerate([*LEADS, "vx"])]
        lines[3] = lines[3].replace("aVR", "-aVR")
        (folder / "r.dat").write_bytes(content)
        (folder / "r.hea").write_text("\n".join([f"r 13 500 {N_SAMPLES}", *lines, "# Age: 50", "# Dx: 1,2", ""]))
        return {"r.hea": break_text(b" "), "r.dat": break_bytes}

    return write


def plain_values(content: bytes, sample_format: int, n_values: int) -> list[int]:
    """Return the values of a signal file one by one, as the specification words it."""
    values = []
    for i in range(n_values):
        if sample_format == 212:
            low, middle, high = (*content[i // 2 * 3 : i // 2 * 3 + 3], 0, 0)[:3]
            value = high | (middle & 0xF0) << 4 if i % 2 else low | (middle & 0x0F) << 8
            values.append(value - 4096 if value >= 2048 else value)
        elif sample_format in (80, 160):
            width = sample_format // 80
            values.append(int.from_bytes(content[i * width : (i + 1) * width], "little") - (1 << 8 * width - 1))
        else:
            width = {16: 2, 61: 2, 24: 3, 32: 4}[sample_format]
            order = "big" if sample_format == 61 else "little"
            values.append(int.from_bytes(content[i * width : (i + 1) * width], order, signed=True))
    return values


def judge_wfdb(folder: Path) -> bool:
    path = folder / "r.hea"
    try:
        header = read_header(path)
        check_record(header, path)
        metadata = recording_metadata(folder, "r.hea")
    except InputError as error:
        refused_properly(lambda: read_recording(folder, "r.hea"), str(error))
        return refusal(error)
    try:
        found = read_recording(folder, "r.hea")
    except InputError as error:
        if {lead.sample_format for lead in header.leads} <= set(FORMATS):
            raise Wrong(f"what check_record lets through is refused: {error}") from error
        return refusal(error)
    if found.shape != (12, header.n_samples) or metadata[:2] != (header.sampling_rate_hz, header.n_samples):
        raise Wrong("shape and metadata differ")
    columns, signs = lead_columns(tuple(lead.name for lead in header.leads))
    by_wfdb = read_by_wfdb(folder, header, [column for column in columns if column >= 0])
    for lead, column, sign in zip(found, columns, signs, strict=True):
        if column < 0:
            same(lead, np.full(lead.size, np.nan), 1)
            continue
        specification = header.leads[column]
        step = unit_in_mv(specification.unit) / specification.gain
        if specification.sample_format in FORMATS:
            same(lead, sign * plain_column(folder, header, column) * step, step)
        if by_wfdb is not None:
            same(lead, sign * by_wfdb[column], step)
    return True


def plain_column(folder: Path, header: Any, column: int) -> npt.NDArray[np.float64]:
    specification, name = header.leads[column], header.file_names[column]
    in_file = [i for i, other in enumerate(header.file_names) if other == name]
    content = (folder / name).read_bytes()[specification.byte_offset :]
    values = plain_values(content, specification.sample_format, header.n_samples * len(in_file))
    samples = np.array(values[in_file.index(column) :: len(in_file)], dtype=float)
    samples[samples == FORMATS[specification.sample_format].missing] = np.nan
    return samples - specification.baseline


def read_by_wfdb(folder: Path, header: Any, columns: list[int]) -> dict[int, npt.NDArray[np.float64]] | None:
    """Return the columns in mV as wfdb reads them; None where it refuses the record, or reads its header otherwise."""
    try:
        record = wfdb.rdrecord(str(folder / "r"), channels=columns)
        named = wfdb.rdheader(str(folder / "r"))
    except Exception:
        return None
    # wfdb takes the longest start of a line that it understands, and drops what is not ASCII: 1e3_0 is 1e3 to it.
    understood = [(lead.gain, lead.baseline, lead.unit) for lead in header.leads]
    by_both = understood == list(zip(named.adc_gain, named.baseline, named.units, strict=True))
    if not by_both or list(header.file_names) != named.file_name:
        return None
    if (header.n_samples, header.sampling_rate_hz) != (record.sig_len, record.fs):
        raise Wrong(f"wfdb reads {record.sig_len} samples at {record.fs} Hz")
    units = (unit_in_mv(header.leads[column].unit) for column in columns)
    return {column: samples * unit for column, samples, unit in zip(columns, record.p_signal.T, units, strict=True)}


def unit_in_mv(unit: str) -> float:
    return {"v": 1e3, "mv": 1, "uv": 1e-3, "\u00b5v": 1e-3, "\u03bcv": 1e-3, "nv": 1e-6}[unit.lower()]


# Arrays


def sound_array() -> npt.NDArray[np.float32]:
    array = np.random.default_rng(4).normal(size=(N_SAMPLES, 12)).astype(np.float32)
    array[3, 4] = np.nan
    return array


def write_h5(folder: Path) -> dict[str, Any]:
    with h5py.File(folder / "r.h5", "w") as file:
        file.create_dataset("ecg", data=sound_array(), chunks=(10, 12), compression="gzip", shuffle=True)
        file.create_dataset("plain", data=np.stack([sound_array()] * 2))
    return {"r.h5": break_bytes}


def write_npy(folder: Path) -> dict[str, Any]:
    np.save(folder / "r.npy", sound_array())
    return {"r.npy": break_bytes}


def write_npz(folder: Path) -> dict[str, Any]:
    np.savez_compressed(folder / "r.npz", ecg=sound_array(), other=np.zeros(3))
    return {"r.npz": break_bytes}


def write_mat(version: str) -> Callable[[Path], dict[str, Any]]:
    def write(folder: Path) -> dict[str, Any]:
        array = sound_array().T if version == "5" else np.nan_to_num(1000 * sound_array()).astype(np.int16)
        scipy.io.savemat(folder / "r.mat", {"ecg": array}, format=version[0], do_compression="z" in version)
        return {"r.mat": break_bytes}

    return write


def write_csv(folder: Path) -> dict[str, Any]:
    pd.DataFrame(sound_array(), columns=LEADS).to_csv(folder / "r.csv", index=False)
    return {"r.csv": break_text(b",")}


def by_h5py(folder: Path, name: str) -> npt.NDArray[Any]:
    with h5py.File(folder / "r.h5") as file:
        return file[name][()]


def by_zipfile(folder: Path, name: str) -> npt.NDArray[Any]:
    with zipfile.ZipFile(folder / "r.npz") as archive:
        return np.load(io.BytesIO(archive.read(f"{name}.npy")))


def by_scipy(folder: Path, name: str) -> npt.NDArray[Any]:
    return scipy.io.loadmat(folder / "r.mat")[name]


def by_csv_module(folder: Path, _name: str) -> npt.NDArray[Any]:
    content = (folder / "r.csv").read_bytes().removeprefix(b"\xef\xbb\xbf")
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1").removeprefix("\ufeff")
    text = text if "\n" in text else text.replace("\r", "\n")
    separator = next((sign for sign in "\t;," if sign in text.partition("\n")[0]), ",")
    rows = [
        row
        for row in csv.reader(io.StringIO(text), delimiter=separator, quoting=csv.QUOTE_NONE)
        if any(cell.strip() for cell in row)
    ]
    named = not any(re.fullmatch(r"\s*[-+]?[\d.]*\d[\d.e+-]*", cell) for cell in rows[0])
    return np.array([[float("nan" if cell in ("", "NA") else cell) for cell in row] for row in rows[named:]])


def judge_array(path: str, independent: Callable[[Path, str], npt.NDArray[Any]]) -> Callable[[Path], bool]:
    """Return what judges a recording in an array against another reader of the same file."""
    name, _, row = path.partition("#")[2].partition("[")

    def judge(folder: Path) -> bool:
        try:
            found = read_recording(folder, path, "mV", ALL)
        except InputError as error:
            return refusal(error)
        expected = np.asarray(independent(folder, name))
        if row:
            expected = expected[int(row[:-1])]
        expected = with_gaps(expected if expected.shape[0] == 12 else expected.T)
        with np.errstate(over="ignore"):
            same(found, np.where(np.abs(expected) > np.finfo(np.float32).max, np.nan, expected), 0)
        if recording_metadata(folder, path, ALL).n_samples != found.shape[1]:
            raise Wrong("metadata differ")
        return True

    return judge


def with_gaps(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return an array in which the smallest value of a signed integer is a sample that is missing."""
    missing = array == np.iinfo(array.dtype).min if array.dtype.kind == "i" else False
    return np.where(missing, np.nan, array.astype(np.float64))


# Tables: another one is another line in TABLES.


class Table(NamedTuple):
    """A table that a layout reads."""

    reader: str
    name: str
    text: str
    entry: dict[str, Any] = {}  # noqa: RUF012 - never changed


TABLES = [
    Table("ptbxl", "ptbxl_database.csv",
          "ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr,site,recording_date\n"
          "1,15709.0,56.0,1,\"{'NORM': 100.0, 'SR': 0.0}\",3,r/1,h/1,0.0,1984-11-09 09:17:34\n"
          "2,13243.0,300.0,0,{'IMI': 35.0},2,r/2,h/2,,1984-11-14\n3,,,,{},10,r/3,h/3,1,\n"),
    Table("mimic_iv_ecg", "record_list.csv",
          "subject_id,study_id,file_name,ecg_time,path\n1,11,11,2180-07-23,r/1\n1,12,12,,r/2\n2,13,13,2180-07-23,r/3\n"),
    Table("mimic_iv_ecg", "machine_measurements.csv",
          "subject_id,study_id,report_0,report_1\n1,11,Sinus rhythm,\"a, b | c\"\n1,12,,\n2,13,Normal ECG,\n"),
    Table("sph", "metadata.csv",
          "ECG_ID,AHA_Code,Patient_ID,Age,Sex,N,Date\n1,22;23,S1,55,M,20,2020-03-04\n2,50+346,S2,32,F,20,2019-09-03\n"),
    Table("code15", "exams.csv",
          "exam_id,age,is_male,1dAVb,RBBB,LBBB,SB,ST,AF,patient_id,normal_ecg,trace_file\n"
          "1,46,True,True,False,False,False,False,False,18,False,exams_part0.hdf5\n"
          "2,54,False,False,True,False,False,False,True,12,False,exams_part0.hdf5\n", {"unit": "mV"}),
    Table("code_test", "attributes.csv", "age,sex\n34,M\n70,F\n", {"unit": "mV", "leads": LEADS}),
    Table("table", "own.csv",
          "record,file,labels,patient,array,row,age,sex,unit,rate,leads,site,month,fold\n"
          "a,r/1.hea,426783006|164889003,p1,,,50,F,,500,,s,2020-01,1\n"
          f"b,exams_part0.hdf5,426783006,p2,tracings,1,,M,mV,400,{ALL},,2020-02,2\n"
          f"c,exams_part0.hdf5,,p3,tracings,0,1,,uV,500,{ALL},,,\n", {"empty_labels": "unknown"}),
]  # fmt: skip


def write_tables(table: Table) -> Callable[[Path], dict[str, Any]]:
    def write(folder: Path) -> dict[str, Any]:
        for number in (1, 2, 3):
            write_record(folder, f"r/{number}", ["Age: 5", "Sex: Male", "Dx: 1,2"])
            write_hdf5(folder / f"{number}.h5", ecg=np.zeros((12, 20), np.float16))
        part = "ecg_tracings.hdf5" if table.reader == "code_test" else "exams_part0.hdf5"
        write_hdf5(folder / part, exam_id=np.array([1, 2]), tracings=np.zeros((2, 20, 12), np.float32))
        (folder / "annotations").mkdir()
        (folder / "annotations/gold_standard.csv").write_text("1dAVb,RBBB,LBBB,SB,AF,ST\n0,1,0,0,0,0\n0,0,0,0,1,1\n")
        for other in TABLES:
            (folder / other.name).write_text(other.text)
        return {table.name: break_text(b",")}

    return write


def judge_table(table: Table) -> Callable[[Path], bool]:
    """Return what judges a layout: every recording in one of two tables, both fit to be written and read again."""

    def judge(folder: Path) -> bool:
        entry = {"reader": table.reader, "table": str(folder / table.name), **table.entry}
        paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        try:
            described, rejected, _ = describe_records(entry, folder, paths)
        except InputError as error:
            return refusal(error)
        if list(described) != DESCRIBED_COLUMNS or list(rejected) != REJECTED_COLUMNS:
            raise Wrong("columns")
        found = [*described["path"], *rejected["path"]]
        suffix = {"sph": ".h5", "ptbxl": ".hea", "mimic_iv_ecg": ".hea"}.get(table.reader)
        if suffix and sorted(path.partition("#")[0] for path in found) != [p for p in paths if p.endswith(suffix)]:
            raise Wrong(f"not every recording is in one table: {found}")
        if described["record_id"].duplicated().any():
            raise Wrong("a record id occurs twice")
        if not described["age_years"].dropna().between(0, 120).all() or not set(described["sex"]) <= {"F", "M", ""}:
            raise Wrong("age or sex")
        for reason in rejected["reason"]:
            one_line(reason)
        for index in (described, rejected):
            again = pd.read_csv(io.StringIO(index.to_csv(index=False)), dtype=str, keep_default_na=False)
            if again["path"].tolist() != index["path"].tolist():
                raise Wrong("the table cannot be written and read again")
            index.to_csv(index=False).encode()
        for row in described.to_dict("records"):
            read_recording(folder, row["path"], row["unit"], row["leads"])
        return True

    return judge


# What every kind needs


def same(found: npt.NDArray[Any], expected: npt.NDArray[Any], step: float) -> None:
    """Compare within half a step, or within what a float32 resolves."""
    if found.shape != expected.shape or not np.array_equal(np.isnan(found), np.isnan(expected)):
        raise Wrong(f"other shape or other gaps: {found.shape}, {expected.shape}")
    bound = np.maximum(abs(step) / 2, np.abs(expected) * 2.0**-23)
    if np.any(np.abs(found - expected) > np.maximum(bound, 1e-44)):
        raise Wrong(f"other samples: {found[:3]} in place of {expected[:3]}")


def one_line(text: str) -> None:
    if not text or "\n" in text or "\r" in text or len(text) > 1000:
        raise Wrong(f"not one line: {text!r}")
    text.encode()


def refusal(error: InputError) -> bool:
    """Return False for a proper refusal: one line, and not because memory ran out."""
    if isinstance(error.__cause__, MemoryError):
        raise Wrong("memory ran out") from error
    one_line(str(error))
    return False


def refused_properly(read: Callable[[], object], message: str) -> None:
    try:
        read()
    except InputError as error:
        if str(error) != message:
            raise Wrong(f"two reasons: {message} / {error}") from error
    else:
        raise Wrong(f"is read although refused before: {message}")


KINDS = {
    "wfdb_16": Kind(1200, write_wfdb(16), judge_wfdb),
    "wfdb_16_matlab": Kind(1200, write_wfdb(16, 24), judge_wfdb),
    "wfdb_212": Kind(1000, write_wfdb(212), judge_wfdb),
    "wfdb_24": Kind(800, write_wfdb(24), judge_wfdb),
    "wfdb_32": Kind(800, write_wfdb(32), judge_wfdb),
    "hdf5_chunked": Kind(600, write_h5, judge_array("r.h5#ecg", by_h5py)),
    "hdf5_row": Kind(400, write_h5, judge_array("r.h5#plain[1]", by_h5py)),
    "npy": Kind(500, write_npy, judge_array("r.npy", lambda folder, _: np.load(folder / "r.npy"))),
    "npz": Kind(500, write_npz, judge_array("r.npz#ecg", by_zipfile)),
    "mat4": Kind(400, write_mat("4"), judge_array("r.mat#ecg", by_scipy)),
    "mat5": Kind(400, write_mat("5"), judge_array("r.mat#ecg", by_scipy)),
    "mat5_deflated": Kind(300, write_mat("5z"), judge_array("r.mat#ecg", by_scipy)),
    "csv": Kind(500, write_csv, judge_array("r.csv", by_csv_module)),
    **{f"{table.reader}_{table.name}": Kind(200, write_tables(table), judge_table(table)) for table in TABLES},
}

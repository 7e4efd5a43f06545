"""How a table may spell the paths of files, files that it cannot mean, and links that leave the folder."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_own import described, own
from tiny_records import write_record

from ecgtransfer.acquire.inventory import inventory
from ecgtransfer.acquire.own_files import SUFFIXES
from ecgtransfer.errors import InputError
from ecgtransfer.files import files_there
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_headers import signal_files
from ecgtransfer.prepare.recordings import _PATH, read_recording
from ecgtransfer.prepare.records import describe_records

KEYS = {"sampling_rate_hz": 500, "unit": "mV", "leads": list(LEADS)}
SAMPLES = np.arange(12 * 40.0).reshape(12, 40)
COMPOSED, IN_PARTS = (unicodedata.normalize(form, "Müller-é") for form in ("NFC", "NFD"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "hospital"
    (place / "x").mkdir(parents=True)
    return place


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def entry_of(folder: Path, *cells: str, **keys: object) -> dict[str, object]:
    """Return an entry whose table names files."""
    lines = [f"r{i},{quoted(cell)},426783006" for i, cell in enumerate(cells)]
    return own(folder, "\n".join(["record,file,labels", *lines, ""]), **{**KEYS, **keys})


def paths_of(entry: dict[str, object]) -> list[str]:
    """Return the paths of the recordings described; none may be rejected, and each must be readable."""
    records, rejected = described(entry)
    assert rejected == {}
    for record in records.to_dict("records"):
        read_recording(str(entry["folder"]), record["path"], record["unit"], record["leads"])
    return records["path"].tolist()


SPELLINGS: dict[str, Callable[[Path], str]] = {
    "plain": lambda _: "x/1.npy",
    "from here": lambda _: "./x/1.npy",
    "doubled slashes": lambda _: "x//.//1.npy",
    "backslashes": lambda _: "x\\1.npy",
    "from here with backslashes": lambda _: ".\\x\\1.npy",
    "absolute": lambda folder: f"{folder}/x/1.npy",
    "absolute with doubled slashes": lambda folder: f"/{folder}//x/1.npy",
    "absolute through a link": lambda folder: f"{folder.parent}/link/x/1.npy",
    "capitals": lambda _: "x/1.NPY",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", ["hospital", "link"])
def test_spellings_of_a_path(tmp_path: Path, folder: Path, spelling: str, place: str) -> None:
    np.save(folder / "x/1.npy", SAMPLES)
    (tmp_path / "link").symlink_to(folder)
    cell = SPELLINGS[spelling](folder)
    assert paths_of(entry_of(folder, cell) | {"folder": str(tmp_path / place)}) == ["x/1.npy"]


def test_absolute_paths_and_a_folder_that_is_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(folder / "x/1.npy", SAMPLES)
    monkeypatch.chdir(folder.parent / "hospital/x")
    assert paths_of(entry_of(folder, f"{folder}/x/1.npy") | {"folder": ".."}) == ["x/1.npy"]


@pytest.mark.parametrize("on_disk", [COMPOSED, IN_PARTS], ids=["composed", "in parts"])
@pytest.mark.parametrize("in_table", [COMPOSED, IN_PARTS], ids=["composed", "in parts"])
def test_names_in_another_normalisation(folder: Path, on_disk: str, in_table: str) -> None:
    place = folder / on_disk
    place.mkdir()
    np.save(place / f"{on_disk}.npy", SAMPLES)
    write_record(folder, f"{on_disk}/w")
    text = (place / "w.hea").read_text().replace("w.dat", f"{in_table}.dat")  # the header spells as the table does
    (place / f"{on_disk}.hea").write_text(text)
    (place / "w.dat").rename(place / f"{on_disk}.dat")
    entry = entry_of(folder, f"{in_table}/{in_table}.npy", f"{in_table}/{in_table}")
    assert paths_of(entry) == [f"{on_disk}/{on_disk}.npy", f"{on_disk}/{on_disk}.hea"]
    there = files_there(inventory(entry, signal_files))
    assert there == [f"{on_disk}/{on_disk}{suffix}" for suffix in (".dat", ".hea", ".npy")]


@pytest.mark.parametrize("cell", ["x/1", "x/1.hea", "x/1.HEA", "x/1.dat", "x/1.DAT", "x\\1"])
@pytest.mark.parametrize("suffix", [".hea", ".HEA"])
def test_a_wfdb_record_by_any_name(folder: Path, cell: str, suffix: str) -> None:
    write_record(folder, "x/1")
    (folder / "x/1.hea").rename(folder / f"x/1{suffix}")
    assert paths_of(entry_of(folder, cell)) == [f"x/1{suffix}"]


def test_a_signal_file_in_capitals(folder: Path) -> None:
    write_record(folder, "x/1")
    (folder / "x/1.dat").rename(folder / "x/1.DAT")
    entry = entry_of(folder, "x/1")
    assert paths_of(entry) == ["x/1.hea"]
    assert files_there(inventory(entry, signal_files)) == ["x/1.DAT", "x/1.hea"]


@pytest.mark.parametrize("suffix", [".CSV", ".MAT", ".H5", ".Npy", ".NPZ", ".hdf5"])
def test_suffixes_in_capitals(folder: Path, suffix: str) -> None:
    import h5py
    import scipy.io

    path = folder / f"1{suffix}"
    match suffix.lower():
        case ".csv":
            np.savetxt(path, SAMPLES.T, delimiter=",")
        case ".mat":
            with path.open("wb") as file:
                scipy.io.savemat(file, {"ecg": SAMPLES})
        case ".h5" | ".hdf5":
            with h5py.File(path, "w") as file:
                file["ecg"] = SAMPLES
        case ".npy":
            with path.open("wb") as file:
                np.save(file, SAMPLES)
        case ".npz":
            with path.open("wb") as file:
                np.savez(file, ecg=SAMPLES)
    for cell in (f"1{suffix}", f"1{suffix.lower()}", f"1{suffix.upper()}"):
        assert paths_of(entry_of(folder, cell)) == [f"1{suffix}"]


def test_names_of_records_with_a_dot(folder: Path) -> None:
    for name in ("100.5", "p1.v2", "a.txt"):
        write_record(folder, "x/1")
        header = (folder / "x/1.hea").read_text().replace("1.dat", "x/1.dat")
        (folder / f"{name}.hea").write_text(header)
    assert paths_of(entry_of(folder, "100.5", "p1.v2", "a.txt")) == ["100.5.hea", "p1.v2.hea", "a.txt.hea"]


@pytest.mark.parametrize("suffix", [".xml", ".dcm", ".scp", ".edf", ".txt", ".npy.gz", ".XML", ".zip", ".parquet"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_format_that_is_not_read(folder: Path, suffix: str, is_there: bool) -> None:
    np.save(folder / "good.npy", SAMPLES)
    if is_there:
        (folder / f"0{suffix}").write_bytes(b"<?xml")
    entry = entry_of(folder, "good.npy", f"0{suffix}")
    records, rejected = described(entry)
    assert records["path"].tolist() == ["good.npy"]
    assert rejected["r1"] == (
        f"file '0{suffix}' is of a format that is not read, those that are have the suffix .hea, .h5, .hdf5, .npy,"
        f" .npz, .csv, .mat; convert it (of a WFDB record, 0{suffix}.hea is missing)"
    )
    with pytest.raises(
        InputError, match=r"none of the 1 rows of .*table\.csv names a file, the first: file '0"
    ) as caught:
        inventory(entry_of(folder, f"0{suffix}"), signal_files)
    assert rejected["r1"] in str(caught.value)


def test_suffixes_are_those_that_are_read() -> None:
    for suffix in SUFFIXES:
        assert suffix == ".hea" or _PATH.fullmatch(f"x{suffix}")


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("../hospital/x/1.npy", "is not a path within the folder"),
        ("/elsewhere/1.npy", "is not a path within the folder"),
        ("C:\\data\\1.npy", "is a path of another computer; write it relative to the folder of the data set"),
        ("\\\\server\\share\\1.npy", "is a path of another computer"),
        ("x/1#2.npy", "has a '#' in its name; rename it, or name array and row in columns of their own"),
        ("", "the cell of the file is empty"),
        ("x/2.npy", "file x/2.npy is missing"),
        ("x/2", "file x/2.hea is missing"),
        ("100.5", "file 100.5.hea is missing"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_meant(folder: Path, cell: str, reason: str) -> None:
    np.save(folder / "x/1.npy", SAMPLES)
    records, rejected = described(entry_of(folder, "x/1.npy", cell))
    assert records["path"].tolist() == ["x/1.npy"]
    assert reason in rejected["r1"]


def test_none_of_the_files(folder: Path) -> None:
    np.save(folder / "x/1.npy", SAMPLES)

    def told(*cells: str) -> str:
        with pytest.raises(InputError) as caught:
            inventory(entry_of(folder, *cells), signal_files)
        return str(caught.value)

    table = folder.parent / "table.csv"
    remedy = "fix `folder`, `table` or the column of files in the section `own`"
    assert told() == f"{table}: has no rows, expected one per recording; fix the table"
    assert told("/elsewhere/1.npy", "/elsewhere/2.npy") == (
        f"{folder}: none of the 2 rows of {table} names a file, the first: file '/elsewhere/1.npy' is not a path within"
        f" the folder of the data set; {remedy}"
    )
    assert told("2.npy", "x\\3", "C:\\4.npy") == (
        f"{folder}: none of the 2 files that {table} names is there, the first is '2.npy'; rows that name no file: 1,"
        " the first: file 'C:\\\\4.npy' is a path of another computer; write it relative to the folder of the data set;"
        f" {remedy}"
    )
    assert told("hospital/x/1.npy") == (
        f"{folder}: none of the 1 files that {table} names is there, the first is 'hospital/x/1.npy', which is there as"
        f" seen from {folder.parent}; {remedy}"
    )


def test_links_that_leave_the_folder_are_followed_and_counted(tmp_path: Path, folder: Path) -> None:
    outside = tmp_path / "archive"
    outside.mkdir()
    np.save(outside / "a.npy", SAMPLES)
    np.save(folder / "x/in.npy", SAMPLES)
    write_record(outside, "w")
    (folder / "a.npy").symlink_to(outside / "a.npy")
    (folder / "far").symlink_to(outside)
    (folder / "near").symlink_to(folder / "x")
    (folder / "near.npy").symlink_to(folder / "x/in.npy")
    cells = ("a.npy", "far/w", "near/in.npy", "near.npy", "x/in.npy")
    entry = entry_of(folder, *cells)
    assert paths_of(entry) == ["a.npy", "far/w.hea", *cells[2:]]
    there = files_there(inventory(entry, signal_files))
    _, _, notices = describe_records(entry, folder, there)
    assert [notice for notice in notices if "link" in notice] == [
        "3 of 6 files are links that leave the folder of the data set, or lie behind one; they are read where the links"
        " point to"
    ]
    assert str(outside) not in " ".join(notices)
    inside = entry_of(folder, *cells[2:])
    _, _, notices = describe_records(inside, folder, files_there(inventory(inside, signal_files)))
    assert not [notice for notice in notices if "link" in notice]

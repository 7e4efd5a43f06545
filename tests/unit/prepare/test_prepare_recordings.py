"""Recordings of every format against h5py, numpy, pandas and scipy, and messages about those that cannot be read."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import scipy.io
from tiny_matlab import write_mat_7_3
from tiny_own import described, own

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare import recordings
from ecgtransfer.prepare.formats.units import millivolts_per_unit
from ecgtransfer.prepare.recordings import RecordingMetadata, read_recording, recording_metadata

N_SAMPLES = 50
ALL = "|".join(LEADS)
Writer = Callable[[Path, npt.NDArray], str]


def samples(n_leads: int = 12) -> npt.NDArray[np.float64]:
    """Return random samples that a float16 holds exactly, shape (leads, samples)."""
    return np.random.default_rng(1).integers(-900, 900, (n_leads, N_SAMPLES)) / 8


def write_h5(folder: Path, array: npt.NDArray) -> str:
    with h5py.File(folder / "r.h5", "w") as file:
        file.create_dataset("ecg", data=array, compression="gzip")
    return "r.h5#ecg"


def write_npy(folder: Path, array: npt.NDArray) -> str:
    np.save(folder / "r.npy", array)
    return "r.npy#"


def write_npz(folder: Path, array: npt.NDArray) -> str:
    np.savez_compressed(folder / "r.npz", ecg=array, other=np.zeros(3))
    return "r.npz#ecg"


def write_mat(version: str) -> Writer:
    def write(folder: Path, array: npt.NDArray) -> str:
        scipy.io.savemat(folder / "r.mat", {"ecg": array, "other": 1.0}, format=version, do_compression=version == "5")
        return "r.mat#ecg"

    return write


def write_mat_7_3_file(folder: Path, array: npt.NDArray) -> str:
    write_mat_7_3(folder / "r.mat", ecg=array, other=1.0)
    return "r.mat#ecg"


def write_csv(folder: Path, array: npt.NDArray) -> str:
    pd.DataFrame(array).to_csv(folder / "r.csv", index=False, header=False)
    return "r.csv"


WRITERS = [
    pytest.param(writer, id=name)
    for name, writer in {
        "hdf5": write_h5,
        "npy": write_npy,
        "npz": write_npz,
        "mat5": write_mat("5"),
        "mat4": write_mat("4"),
        "mat7.3": write_mat_7_3_file,
        "csv": write_csv,
    }.items()
]
MANY_WRITERS = [pytest.param(w, id=w.__name__) for w in (write_h5, write_npy, write_npz)] + WRITERS[3:6:2]


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("leads_first", [True, False], ids=["leads_first", "samples_first"])
@pytest.mark.parametrize(("unit", "factor"), [("mV", 1.0), ("0.1 mV", 0.1), ("uV", 1e-3)])
def test_one_recording(tmp_path: Path, write: Writer, leads_first: bool, unit: str, factor: float) -> None:
    if write is write_csv and leads_first:
        pytest.skip("a row of CSV is a sample")
    expected = samples()
    path = write(tmp_path, expected if leads_first else expected.T)
    found = read_recording(tmp_path, path, unit, ALL)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected * factor, rtol=1e-6)
    assert recording_metadata(tmp_path, path) == RecordingMetadata(None, N_SAMPLES, 12)


@pytest.mark.parametrize("write", MANY_WRITERS)
@pytest.mark.parametrize("leads_first", [True, False], ids=["leads_first", "samples_first"])
def test_a_row_of_many(tmp_path: Path, write: Writer, leads_first: bool) -> None:
    many = np.stack([samples(), 2 * samples(), 3 * samples()])
    path = write(tmp_path, many if leads_first else many.transpose(0, 2, 1))
    out = np.zeros((12, N_SAMPLES), np.float32)
    assert read_recording(tmp_path, f"{path}[2]", "V", ALL, out) is out
    np.testing.assert_allclose(out, many[2] * 1000, rtol=1e-6)
    assert recording_metadata(tmp_path, f"{path}[0]", ALL) == RecordingMetadata(None, N_SAMPLES, 12, n_rows=3)
    read = lambda row: message_of(lambda: read_recording(tmp_path, path + row, "V", ALL))  # noqa: E731
    assert "row 3 is not there, it has 3" in read("[3]")
    assert "name a row" in read("")


@pytest.mark.parametrize("write", [write_npz, write_mat("5")], ids=["npz", "mat5"])
def test_what_is_unpacked_whole_is_unpacked_once_for_all_rows(
    tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = np.stack([samples(), 2 * samples(), 3 * samples()])
    path = write(tmp_path, many)
    name = f"open_{path.partition('#')[0].removeprefix('r.')}"
    opened: list[str] = []
    read = getattr(recordings, name)
    monkeypatch.setattr(recordings, name, lambda *of: (opened.append(of[0]), read(*of))[1])
    for row in (0, 2, 1):
        np.testing.assert_allclose(read_recording(tmp_path, f"{path}[{row}]", "mV", ALL), many[row], rtol=1e-6)
    assert len(opened) == 1
    write(tmp_path, 5 * many)
    np.testing.assert_allclose(read_recording(tmp_path, f"{path}[1]", "mV", ALL), 5 * many[1], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "f8", "i1", ">i2", "u2", "i4", "i8"])
@pytest.mark.parametrize("write", [write_h5, write_npy], ids=["hdf5", "npy"])
def test_every_type_of_number(tmp_path: Path, write: Writer, dtype: str) -> None:
    array = np.random.default_rng(2).integers(0, 120, (N_SAMPLES, 12)).astype(dtype)
    found = read_recording(tmp_path, write(tmp_path, array), "4.88 uV", ALL)
    np.testing.assert_allclose(found, array.T.astype(float) * 4.88e-3, rtol=1e-6)


def test_names_of_the_leads_decide_their_order(tmp_path: Path) -> None:
    array = samples(6)
    path = write_npy(tmp_path, array)
    found = read_recording(tmp_path, path, "mV", "v1|II|-AVR|vx|lead_i|V7")
    rows = {"V1": array[0], "II": array[1], "aVR": -array[2], "I": array[4]}
    for lead, row in zip(LEADS, found, strict=True):
        np.testing.assert_allclose(row, rows.get(lead, np.full(N_SAMPLES, np.nan)), rtol=1e-6)


def test_samples_that_are_no_number_or_infinite_are_missing(tmp_path: Path) -> None:
    array = samples()
    array[0, 0], array[1, 1], array[2, 2], array[3, 3] = np.nan, np.inf, -np.inf, 1e300
    found = read_recording(tmp_path, write_npy(tmp_path, array), "mV", ALL)
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("I,II,V1\n1,2,3\n4,5,6\n", []),
        ("I;II;V1\r\n1;2;3\r\n4;5;6\r\n", []),
        ('"I"\t"II"\t"V1"\n1\t2\t3\n4\t5\t6', []),
        ("\ufeffI;II;V1\n1,0;2,0;3,0\n4,0;5,0;6,0\n", []),
        ("I,II,V1\n1,,3\n4,5,nan\n", [(0, 1), (1, 6)]),
        ("I,II,V1\n1,2,3\n\n4e0,5.0,+6\n\n", []),
        ("I\tII\tV1\n1,0\t2,0\t3,0\n4,0\t5,0\t6,0\n", []),
        ("I, mV;II, mV;V1, mV\n1.0;2.0;3.0\n4.0;5.0;6.0\n", []),
        ("I,II,V1\r1,2,3\r4,5,6\r", []),
    ],
    ids=[
        "comma",
        "semicolon",
        "tab",
        "decimal_comma",
        "gaps",
        "blank_lines",
        "decimal_comma_and_tab",
        "comma_in_names",
        "lines_of_old_macintoshes",
    ],
)
def test_csv_with_names(tmp_path: Path, text: str, missing: list[tuple[int, int]]) -> None:
    (tmp_path / "r.csv").write_text(text, newline="")
    expected = np.full((2, 12), np.nan)
    expected[:, [0, 1, 6]] = [[1, 2, 3], [4, 5, 6]]
    for place in missing:
        expected[place] = np.nan
    leads = "I|II|V1" if " mV" in text else ""
    np.testing.assert_array_equal(read_recording(tmp_path, "r.csv", "mV", leads), expected.T)
    assert recording_metadata(tmp_path, "r.csv", leads) == RecordingMetadata(None, 2, 3)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_csv_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    names = ",".join([*LEADS, "temps écoulé"])
    rows = "\n".join(",".join(map(repr, row)) for row in np.vstack([samples(), np.zeros(N_SAMPLES)]).T.tolist())
    (tmp_path / "r.csv").write_text(f"{names}\n{rows}\n", encoding=encoding)
    np.testing.assert_allclose(read_recording(tmp_path, "r.csv", "mV"), samples(), rtol=1e-6)


@pytest.mark.parametrize("first", [0, 1])
def test_csv_with_numbered_columns(tmp_path: Path, first: int) -> None:
    pd.DataFrame(samples().T, columns=range(first, first + 12)).to_csv(tmp_path / "r.csv", index=False)
    np.testing.assert_allclose(read_recording(tmp_path, "r.csv", "mV", ALL), samples(), rtol=1e-6)


def write_as_r(folder: Path, array: npt.NDArray) -> None:
    """Write samples of shape (leads, samples) as R writes columns without names."""
    pd.DataFrame(array.T, columns=[f"V{i + 1}" for i in range(len(array))]).to_csv(
        folder / "r.csv", index=False, quoting=csv.QUOTE_NONNUMERIC
    )


@pytest.mark.parametrize("n_leads", [7, 8, 12, 15])
def test_csv_with_the_names_of_r(tmp_path: Path, n_leads: int) -> None:
    """V1, V2, ... of more columns than there are such leads name none: read as I, II, V1, ..., or asked for."""
    leads = {7: LEADS[5:], 8: ("I", "II", *LEADS[6:]), 12: LEADS, 15: (*LEADS, "V7", "V8", "V9")}[n_leads]
    array = samples(n_leads)
    write_as_r(tmp_path, array)
    found = read_recording(tmp_path, "r.csv", "mV", "|".join(leads))
    for lead, row in zip(LEADS, found, strict=True):
        expected = array[leads.index(lead)] if lead in leads else np.full(N_SAMPLES, np.nan)
        np.testing.assert_allclose(row, expected, rtol=1e-6)
    told = f"the columns are called V1 to V{n_leads}, as R calls columns without names; name the leads with `leads`"
    for call in (read_recording, recording_metadata):
        arguments = (tmp_path, "r.csv", "mV") if call is read_recording else (tmp_path, "r.csv")
        assert message_of(lambda call=call, said=arguments: call(*said)) == f"{tmp_path}/r.csv: {told}"
    table = "record,file,labels\na,r.csv,426783006\n"
    (tmp_path / "x").mkdir()
    shutil.move(tmp_path / "r.csv", tmp_path / "x/r.csv")
    _, rejected = described(own(tmp_path / "x", table, sampling_rate_hz=500, unit="mV"))
    assert rejected == {"a": told}


@pytest.mark.parametrize("n_leads", [3, 6])
def test_csv_of_chest_leads_alone(tmp_path: Path, n_leads: int) -> None:
    write_as_r(tmp_path, samples(n_leads))
    np.testing.assert_allclose(read_recording(tmp_path, "r.csv", "mV")[6 : 6 + n_leads], samples(n_leads), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "leads", "message"),
    [
        ("I,II\n1,2\n3\n", "", "another number of cells"),
        ("I,II\n1,2\n3,4,5\n", "", "Expected 2 fields in line 2, saw 3"),
        ("I,II\n1,2\n3,x\n", "", "could not convert string to float: 'x'"),
        ("I,II\n", "", "no samples"),
        ("", "I|II", "is empty"),
        ("1,2\n3,4\n5,6\n", "", "set `leads` of the data set"),
        ("1,2\n3,4\n5,6\n", "I|II|III", "has 2 columns, 3 leads are named"),
        ("I,II\n1,2\n3,4\n5,6\n", "II|I", "the column named 'I' is lead 'II' by the entry"),
        ("I,-aVR\n1,2\n3,4\n5,6\n", "I|aVR", "the column named '-aVR' is lead 'aVR' by the entry"),
        ("I,II\n1,2\n3,4\n5,6\n", "I|II|III", "has 2 columns, 3 leads are named"),
        ("1,O,2\n3,4,5\n", "I|II|III", "neither names nor numbers"),
        ("time,I,II\n1,2,3\n", "", "lead name 'time' unknown"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path: Path, text: str, leads: str, message: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    assert message in message_of(lambda: read_recording(tmp_path, "r.csv", "mV", leads))


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_wrong_is_reported_in_one_line(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path, samples().T)
    read = lambda *said: message_of(lambda: read_recording(tmp_path, path, *said))  # noqa: E731
    assert read().startswith(f"{tmp_path}/{path}: the unit is not known")
    assert "unit 'mmHg' is not one of mV" in read("mmHg", ALL)
    assert "2 leads" in read("mV", "I|II")
    assert "lead I occurs more than once" in read("mV", f"I|{ALL}"[: -len("|V6")])
    file = tmp_path / path.partition("#")[0]
    whole = file.read_bytes()
    half = whole[: len(whole) // 2] if write is not write_csv else whole[: whole.rindex(b",")]
    for broken in (b"", b"\x00" * 600, half, b"\x00" * 4 + whole[:-4]):
        file.write_bytes(broken)
        assert read("mV", ALL).startswith(f"{tmp_path}/{path}: ")
    file.unlink()
    assert read("mV", ALL) == f"{tmp_path}/{path}: file is missing"
    os.mkfifo(file)
    assert read("mV", ALL).endswith("it is no regular file)")


@pytest.mark.parametrize("write", [write_h5, write_npz, write_mat("5")], ids=["hdf5", "npz", "mat"])
def test_an_array_must_be_named_where_there_are_several(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path, samples()).removesuffix("#ecg")
    if write is write_h5:
        np.testing.assert_allclose(read_recording(tmp_path, path, "mV", ALL), samples(), rtol=1e-6)
        path = "two.h5"
        with h5py.File(tmp_path / path, "w") as file:
            file["ecg"], file["other"] = samples(), 1.0
    assert "name one of its arrays: 'ecg', 'other'" in message_of(lambda: read_recording(tmp_path, path, "mV", ALL))
    assert "'gone'" in message_of(lambda: read_recording(tmp_path, f"{path}#gone", "mV", ALL))


def test_as_many_samples_as_leads_is_ambiguous(tmp_path: Path) -> None:
    path = write_npy(tmp_path, np.zeros((12, 12)))
    assert "does not say which axis" in message_of(lambda: read_recording(tmp_path, path, "mV", ALL))
    assert "does not say which axis" in message_of(lambda: recording_metadata(tmp_path, path))


@pytest.mark.parametrize(
    "path",
    ["../r.npy", "/r.npy", "a/../../r.npy", "../r.hea", "/r.hea", "r.txt", "r.hea#x", "r.npy#a[x]", "r.npy#a[-1]", ""],
)
def test_paths_that_are_refused(tmp_path: Path, path: str) -> None:
    assert message_of(lambda: read_recording(tmp_path, path, "mV", ALL)).startswith(f"{path}: is no")
    assert message_of(lambda: recording_metadata(tmp_path, path, ALL)).startswith(f"{path}: is no")


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "r.npz", ecg=np.array([[{}], [[]]], dtype=object))
    for path in ("r.npy", "r.npz"):
        assert "Python objects" in message_of(lambda path=path: read_recording(tmp_path, path, "mV", ALL))


def test_hdf5_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    write_h5(tmp_path, samples())
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["external"] = h5py.ExternalLink("r.h5", "ecg")
        layout = h5py.VirtualLayout((12, N_SAMPLES), "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "r.h5", "ecg", (12, N_SAMPLES))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("outside", (12, N_SAMPLES), "f8", external=[(str(tmp_path / "raw"), 0, 12 * N_SAMPLES * 8)])
        file.create_dataset("huge", (12, 10**12), "f8", chunks=(12, 100))
        file["text"] = "abc"
        file.create_group("group")["ecg"] = samples()
    read = lambda name: message_of(lambda: read_recording(tmp_path, f"x.h5#{name}", "mV", ALL))  # noqa: E731
    assert "is a link" in read("external")
    assert "in another file" in read("virtual")
    assert "in another file" in read("outside")
    assert "more than it stores" in read("huge")
    assert "not a dataset of numbers" in read("text")
    assert "not a dataset of numbers" in read("group")
    np.testing.assert_allclose(read_recording(tmp_path, "x.h5#group/ecg", "mV", ALL), samples(), rtol=1e-6)


def test_a_file_that_is_replaced_is_opened_anew(tmp_path: Path) -> None:
    path = write_h5(tmp_path, samples())
    read_recording(tmp_path, path, "mV", ALL)
    (tmp_path / "r.h5").unlink()
    write_h5(tmp_path, 2 * samples())
    np.testing.assert_allclose(read_recording(tmp_path, path, "mV", ALL), 2 * samples(), rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("mV", 1), ("MV", 1), ("uv", 1e-3), ("\u00b5V", 1e-3), ("\u03bcV", 1e-3), ("V", 1000), ("nV", 1e-6), (" mV ", 1),
     ("0.1 mV", 0.1), ("0.1mV", 0.1), ("4.88 uV", 4.88e-3), ("1e-4 V", 0.1), ("5 \u00b5V", 5e-3)],
)  # fmt: skip
def test_units(unit: str, expected: float) -> None:
    assert millivolts_per_unit(unit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "unit",
    ["", "m", "mmHg", "-1 mV", "0 mV", "0.1", "nan mV", "1e999 mV", "9" * 5000 + " mV", "\u00b2 mV", "pV"],
)
def test_units_that_are_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        millivolts_per_unit(unit)

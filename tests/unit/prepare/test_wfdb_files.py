"""The samples of WFDB records against the wfdb package, and records that cannot be used."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
import wfdb
from tiny_wfdb import (
    LARGEST_AND_MISSING,
    N_SAMPLES,
    SHUFFLED,
    assert_same,
    edit_header,
    message_of,
    write_record,
)

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.formats.wfdb_files import check_record, read_header, read_signal


@pytest.mark.parametrize(
    ("gains", "baselines"),
    [
        (None, None),
        ([200.0, 4880.0, 1000.5, 1.0, 1e-2, 333.333, 7.0, 1e6, 819.2, 204.8, 3, 2000.0], None),
        ([1716.0] * 12, [6, -2, 0, 1000, -32768, 32767, 5, 4, 3, 2, 1, -1]),
    ],
    ids=["plain", "gains", "baselines"],
)
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
def test_format_16_equals_wfdb(
    tmp_path: Path, gains: list[float] | None, baselines: list[int] | None, gaps: bool
) -> None:
    expected = write_record(tmp_path, gains=gains, baselines=baselines, gaps=gaps)
    found = read_signal(tmp_path / "r1.hea")
    assert_same(found, expected, gains or 1000.0)
    assert np.isnan(found).sum() == (4 + N_SAMPLES if gaps else 0)


@pytest.mark.parametrize("sample_format", LARGEST_AND_MISSING)
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize("baseline", [0, 7, -(2**24) - 1])
def test_every_format_equals_wfdb(tmp_path: Path, sample_format: str, gaps: bool, baseline: int) -> None:
    gains = [100.0 + i for i in range(12)]
    expected = write_record(tmp_path, "r1", sample_format, SHUFFLED, "mV", gains, [baseline] * 12, gaps)
    rows = [SHUFFLED.index(lead) for lead in LEADS]
    found = read_signal(tmp_path / "r1.hea")
    # A step of a 32-bit or far shifted sample is finer than what a float32 resolves.
    rounding = np.abs(expected[rows]) * 2**-24
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected[rows]))
    half_steps = 0.5 / np.array(gains)[rows, None]
    assert np.nanmax(np.abs(found - expected[rows]) - np.maximum(half_steps, rounding)) <= 0
    assert np.isnan(found).sum() == (4 + N_SAMPLES if gaps else 0)


@pytest.mark.parametrize("sample_format", ["8", "310", "311"])
def test_formats_left_to_wfdb(tmp_path: Path, sample_format: str) -> None:
    write_record(tmp_path, sample_format="80")
    path = edit_header(tmp_path, "r1.dat 80 ", f"r1.dat {sample_format} ")
    (tmp_path / "r1.dat").write_bytes(np.random.default_rng(5).bytes(4 * N_SAMPLES * 12))
    assert_same(read_signal(path), wfdb.rdrecord(str(tmp_path / "r1")).p_signal.T)


@pytest.mark.parametrize("leads", [LEADS, SHUFFLED, LEADS[:3] + LEADS[6:]], ids=["plain", "shuffled", "few"])
def test_a_given_array_is_filled(tmp_path: Path, leads: tuple[str, ...]) -> None:
    write_record(tmp_path, leads=leads, gaps=True)
    whole = np.zeros((12, 2 * N_SAMPLES), np.float32)
    strided = whole[:, :N_SAMPLES]
    assert read_signal(tmp_path / "r1.hea", out=strided) is strided
    np.testing.assert_array_equal(strided, read_signal(tmp_path / "r1.hea"))
    assert not whole[:, N_SAMPLES:].any()
    wrong = np.zeros((12, N_SAMPLES + 1), np.float32)
    assert "has 301 samples per lead, expected 302" in message_of(lambda: read_signal(tmp_path / "r1.hea", out=wrong))


def test_a_result_is_no_view_of_the_next(tmp_path: Path) -> None:
    expected = write_record(tmp_path)
    first = read_signal(tmp_path / "r1.hea")
    write_record(tmp_path, gains=[10.0] * 12)
    read_signal(tmp_path / "r1.hea")
    assert_same(first, expected)


def test_signals_over_several_files(tmp_path: Path) -> None:
    expected = write_record(tmp_path)
    frames = np.fromfile(tmp_path / "r1.dat", "<i2").reshape(-1, 12)
    (tmp_path / "r1.dat").unlink()
    (tmp_path / "low").mkdir()
    lines = (tmp_path / "r1.hea").read_text().splitlines()
    for column, name in enumerate(["a.dat"] * 5 + ["b.dat"] + ["low/c.dat"] * 6):
        lines[1 + column] = lines[1 + column].replace("r1.dat 16", f"{name} 16+{len(name)}")
    for name, columns in {"a.dat": slice(5), "b.dat": slice(5, 6), "low/c.dat": slice(6, 12)}.items():
        (tmp_path / name).write_bytes(b"x" * len(name) + np.ascontiguousarray(frames[:, columns]).tobytes())
    (tmp_path / "r1.hea").write_text("\n".join(lines))
    assert_same(read_signal(tmp_path / "r1.hea"), expected)


def write_matlab_record(folder: Path, record_name: str, order: tuple[str, ...] = LEADS) -> npt.NDArray[np.int16]:
    """Write r1 as the Challenge does: a MATLAB v4 file and a header that skips its first 24 bytes."""
    samples = np.random.default_rng(3).integers(-3000, 3000, (12, N_SAMPLES)).astype(np.int16)
    scipy.io.savemat(folder / "r1.mat", {"val": samples}, format="4")
    lines = [f"r1.mat 16+24 1000/mV 16 0 {samples[i, 0]} 0 0 {lead}" for i, lead in enumerate(order)]
    (folder / "r1.hea").write_text("\n".join([f"{record_name} 12 500 {N_SAMPLES} 05-May-2020 09:49:17", *lines, ""]))
    return samples


def test_matlab_file_equals_wfdb_and_scipy(tmp_path: Path) -> None:
    samples = write_matlab_record(tmp_path, "r1")
    found = read_signal(tmp_path / "r1.hea")
    assert_same(found, wfdb.rdrecord(str(tmp_path / "r1")).p_signal.T)
    assert_same(found, samples / 1000)


def test_record_name_that_carries_its_suffix(tmp_path: Path) -> None:
    samples = write_matlab_record(tmp_path, "r1.mat")
    with pytest.raises(Exception, match="record line"):
        wfdb.rdrecord(str(tmp_path / "r1"))
    assert_same(read_signal(tmp_path / "r1.hea"), samples / 1000)


def test_leads_are_found_by_name(tmp_path: Path) -> None:
    order = ("v1", "V2", "v3", "V4", "V5", "V6", "AVR", "avl", "aVF", "i", "Iii", "II")
    samples = write_matlab_record(tmp_path, "r1", order)
    rows = [[name.lower() for name in order].index(lead.lower()) for lead in LEADS]
    assert_same(read_signal(tmp_path / "r1.hea"), samples[rows] / 1000)


def test_further_signals_are_left_out_and_their_file_may_be_missing(tmp_path: Path) -> None:
    expected = write_record(tmp_path, leads=("vx", *LEADS))
    assert_same(read_signal(tmp_path / "r1.hea"), expected[1:])
    write_record(tmp_path)
    path = edit_header(tmp_path, "r1 12 500", "r1 13 500")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:13], "gone.xyz 16 2000 16 0 0 0 0 vx", *lines[13:]]))
    check_record(read_header(path), path)
    assert read_signal(path).shape == (12, N_SAMPLES)


@pytest.mark.parametrize("unit", ["uV", "\u00b5V", "\u03bcV"])
def test_microvolts_become_millivolts(tmp_path: Path, unit: str) -> None:
    in_millivolts = write_record(tmp_path, gains=[2.0] * 12)
    path = edit_header(tmp_path, "/mV", f"/{unit}")
    assert_same(read_signal(path), in_millivolts / 1000, 2000.0)


def test_microvolts_in_latin_1(tmp_path: Path) -> None:
    in_millivolts = write_record(tmp_path, gains=[2.0] * 12)
    path = edit_header(tmp_path, "/mV", "/\u00b5V")
    path.write_bytes(path.read_text().encode("latin-1"))
    assert_same(read_signal(path), in_millivolts / 1000, 2000.0)


def test_volts_become_millivolts(tmp_path: Path) -> None:
    in_millivolts = write_record(tmp_path)
    assert_same(read_signal(edit_header(tmp_path, "/mV", "/V")), in_millivolts * 1000, 1.0)


@pytest.mark.parametrize("gain", ["0(0)/mV", "0"])
def test_a_gain_of_zero_means_the_default_of_the_specification(tmp_path: Path, gain: str) -> None:
    write_record(tmp_path)
    path = edit_header(tmp_path, "1000.0(0)/mV", gain, 1)
    expected = wfdb.rdrecord(str(tmp_path / "r1"))
    assert expected.adc_gain[:2] == [200, 1000]
    assert_same(read_signal(path), expected.p_signal.T)


def test_a_signal_line_without_gain_has_no_name_either(tmp_path: Path) -> None:
    write_record(tmp_path)
    path = tmp_path / "r1.hea"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "r1.dat 16", *lines[2:]]))
    assert message_of(lambda: read_signal(path)) == f"{path}: lead I missing and lead name '' unknown"


def test_baseline_falls_back_to_the_adc_zero(tmp_path: Path) -> None:
    write_record(tmp_path)
    path = edit_header(tmp_path, "1000.0(0)/mV 16 0 ", "1000.0/mV 16 77 ")
    expected = wfdb.rdrecord(str(tmp_path / "r1"))
    assert expected.baseline == [77] * 12
    assert_same(read_signal(path), expected.p_signal.T)


@pytest.mark.parametrize(
    "call", [read_signal, lambda path: check_record(read_header(path), path)], ids=["read", "check"]
)
class TestRecordsThatCannotBeUsed:
    """Each is found without reading samples, and by reading them."""

    def test_missing_signal_file(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        (tmp_path / "r1.dat").unlink()
        path = tmp_path / "r1.hea"
        assert message_of(lambda: call(path)) == f"{path}: signal file r1.dat is missing"

    @pytest.mark.parametrize(
        ("sample_format", "n_bytes"), [("16", 7224), ("212", 5418), ("24", 10836)], ids=["16", "212", "24"]
    )
    def test_truncated(self, tmp_path: Path, call: Callable[[Path], object], sample_format: str, n_bytes: int) -> None:
        write_record(tmp_path, sample_format=sample_format)
        data = (tmp_path / "r1.dat").read_bytes()
        path = tmp_path / "r1.hea"
        call(path)
        (tmp_path / "r1.dat").write_bytes(data[: n_bytes - 1])
        expected = f"{path}: signal file r1.dat is truncated, it has {n_bytes - 1} bytes of the {n_bytes} that"
        assert message_of(lambda: call(path)).startswith(expected)

    def test_truncated_matlab_file(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_matlab_record(tmp_path, "r1.mat")
        data = (tmp_path / "r1.mat").read_bytes()
        assert len(data) == 24 + 2 * 12 * N_SAMPLES
        (tmp_path / "r1.mat").write_bytes(data[:-2])
        path = tmp_path / "r1.hea"
        assert "r1.mat is truncated" in message_of(lambda: call(path))

    def test_no_lead_at_all(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path, leads=("vx", "vy", "vz"))
        path = tmp_path / "r1.hea"
        expected = f"{path}: none of the twelve leads is there, found 'vx', 'vy', 'vz'"
        assert message_of(lambda: call(path)) == expected

    def test_a_misspelt_lead(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path, leads=(*LEADS[:4], "aLV", *LEADS[5:]))
        path = tmp_path / "r1.hea"
        assert message_of(lambda: call(path)) == f"{path}: lead aVL missing and lead name 'aLV' unknown"

    def test_more_samples_than_the_file_can_hold(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        path = edit_header(tmp_path, f"500 {N_SAMPLES}", f"500 {2**39}")
        assert f"bytes of the {24 * 2**39} that" in message_of(lambda: call(path))
        edit_header(tmp_path, "r1.dat 16 ", f"r1.dat 16+{10**14} ")
        assert "r1.dat is truncated" in message_of(lambda: call(path))

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        (tmp_path / "r1.dat").unlink()
        os.mkfifo(tmp_path / "r1.dat")
        path = tmp_path / "r1.hea"
        assert message_of(lambda: call(path)).endswith("r1.dat cannot be read (it is no regular file)")

    def test_a_loop_of_links(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        (tmp_path / "r1.dat").unlink()
        (tmp_path / "r1.dat").symlink_to(tmp_path / "r1.dat")
        assert "r1.dat cannot be read (" in message_of(lambda: call(tmp_path / "r1.hea"))

    def test_signals_of_one_file_that_differ(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        path = edit_header(tmp_path, "r1.dat 16 ", "r1.dat 212 ", 1)
        assert message_of(lambda: call(path)) == f"{path}: signals of one file differ in format or byte offset"

    def test_signals_of_one_file_that_stand_apart(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        path = tmp_path / "r1.hea"
        lines = path.read_text().splitlines()
        lines[5] = lines[5].replace("r1.dat", "r2.dat")
        path.write_text("\n".join(lines))
        (tmp_path / "r2.dat").write_bytes(bytes(2 * N_SAMPLES))
        assert message_of(lambda: call(path)) == f"{path}: signals of one file are not listed one after the other"

    def test_an_unknown_format(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        path = edit_header(tmp_path, "r1.dat 16 ", "r1.dat 999 ")
        assert message_of(lambda: call(path)) == f"{path}: signal format 999 is unknown"

    def test_doubled_lead(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path, leads=(*LEADS, "x"))
        path = edit_header(tmp_path, " x\n", " avl\n")
        assert message_of(lambda: call(path)) == f"{path}: lead aVL occurs more than once"

    def test_a_unit_that_is_no_voltage(self, tmp_path: Path, call: Callable[[Path], object]) -> None:
        write_record(tmp_path)
        path = edit_header(tmp_path, "/mV", "/mmHg", 1)
        assert (
            message_of(lambda: call(path))
            == f"{path}: unit 'mmHg' is not one of mV, uV, V, nV, or a number of them such as '0.1 mV'"
        )


def test_leads_that_are_not_there_are_nan(tmp_path: Path) -> None:
    leads = LEADS[:4] + LEADS[5:]
    expected = write_record(tmp_path, leads=leads)
    found = read_signal(tmp_path / "r1.hea")
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), [lead == "aVL" for lead in LEADS])
    np.testing.assert_allclose(found[[0, 5]], expected[[0, 4]], rtol=1e-6)


def test_an_inverted_lead_is_turned_around(tmp_path: Path) -> None:
    expected = write_record(tmp_path, leads=(*LEADS[:3], "-aVR", *LEADS[4:]), baselines=[9] * 12)
    assert_same(read_signal(tmp_path / "r1.hea"), np.where(np.arange(12)[:, None] == 3, -expected, expected))


def test_a_file_that_wfdb_cannot_read_either(tmp_path: Path) -> None:
    write_record(tmp_path)
    path = edit_header(tmp_path, "r1.dat 16 ", "r1.dat 516 ")
    assert message_of(lambda: read_signal(path)).startswith(f"{path}: wfdb cannot read the signals")

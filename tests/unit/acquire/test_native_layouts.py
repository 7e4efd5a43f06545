"""Simulated corpora as files: read back by wfdb, scipy and pandas, and held against published ones."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb
from scipy.io import loadmat

from ecgtransfer.acquire.native_layouts import simulate, write_challenge, write_ptbxl
from ecgtransfer.acquire.simulate import SNOMED_CODES, simulate_corpus
from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of
from ecgtransfer.leads import LEADS

PTBXL = {"layout": "ptb-xl", "n_patients": 6, "records_per_patient": 1.5}
CHALLENGE = {"layout": "challenge-2021", "n_patients": 5}
PUBLISHED = Path(__file__).parents[3].parent / "shared/mirror/files"
needs_published = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="no real recordings here")


def checksums_agree(record):
    return np.array_equal(np.array(record.checksum) % 65536, record.d_signal.sum(axis=0, dtype=np.int64) % 65536)


def test_ptbxl_signals_read_by_wfdb_are_those_simulated(tmp_path):
    simulated = list(simulate_corpus("west", PTBXL, 7))
    paths = write_ptbxl(simulated, tmp_path)
    table = pd.read_csv(tmp_path / "ptbxl_database.csv")
    assert len(simulated) == len(table) > 6
    for record, (_, row) in zip(simulated, table.iterrows(), strict=True):
        read = wfdb.rdrecord(str(tmp_path / row.filename_hr), physical=False)
        assert (read.fs, read.fmt, read.adc_gain, read.units) == (500, ["16"] * 12, [1000.0] * 12, ["mV"] * 12)
        assert [name.lower() for name in read.sig_name] == [lead.lower() for lead in LEADS]
        np.testing.assert_array_equal(read.d_signal, np.rint(record.signal.T * 1000).astype(int))
        assert read.init_value == read.d_signal[0].tolist() and checksums_agree(read)
    found = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert found == set(paths) and len(paths) == 2 * len(simulated) + 1


def test_ptbxl_table_holds_patients_folds_and_statements(tmp_path):
    settings = PTBXL | {"n_patients": 60, "duration_s": 1}
    simulated = list(simulate_corpus("west", settings, 7))
    write_ptbxl(simulated, tmp_path)
    table = pd.read_csv(tmp_path / "ptbxl_database.csv")
    assert table.groupby("patient_id").strat_fold.nunique().max() == 1
    assert set(table.strat_fold) == set(range(1, 11))
    assert table.age.tolist() == [record.age_years for record in simulated]
    assert table.sex.tolist() == [{"male": 0, "female": 1}[record.sex] for record in simulated]
    assert table.filename_lr.isna().all()
    by_statement = {"AFIB": "AF", "1AVB": "IAVB", "STD_": "STD", "INVT": "TInv", "SR": "NSR", "CLBBB": "CLBBB"}
    for record, text in zip(simulated, table.scp_codes, strict=True):
        statements = ast.literal_eval(text)
        for statement, diagnosis in by_statement.items():
            assert (statement in statements) == (SNOMED_CODES[diagnosis] in record.codes)
        assert ("NORM" in statements) == (record.codes == (SNOMED_CODES["NSR"],))
        assert len(statements) == len(record.codes) + ("NORM" in statements)


def test_challenge_signals_read_by_wfdb_and_scipy_are_those_simulated(tmp_path):
    simulated = list(simulate_corpus("sim_east", CHALLENGE, 7))
    paths = write_challenge(simulated, tmp_path, "sim_east")
    assert paths[:2] == ["training/sim_east/g1/SE00001.mat", "training/sim_east/g1/SE00001.hea"]
    for number, record in enumerate(simulated, start=1):
        stem = tmp_path / f"training/sim_east/g1/SE{number:05d}"
        steps = np.rint(record.signal * 1000).astype(int)
        read = wfdb.rdrecord(str(stem), physical=False)
        np.testing.assert_array_equal(read.d_signal.T, steps)
        np.testing.assert_array_equal(loadmat(stem.with_suffix(".mat"))["val"], steps)
        assert tuple(read.sig_name) == LEADS and checksums_agree(read)
        assert read.byte_offset == [24] * 12 and max(map(abs, read.checksum)) <= 32768
        comments = dict(comment.split(": ") for comment in read.comments)
        assert comments["Dx"].split(",") == list(record.codes)
        assert (comments["Age"], comments["Sex"]) == (str(record.age_years), record.sex.capitalize())


def test_a_thousand_records_to_a_folder(tmp_path):
    settings = CHALLENGE | {"n_patients": 1001, "duration_s": 1, "sampling_rate_hz": 100, "noise": 0.0}
    paths = simulate("east", settings, 1, tmp_path / "east")
    assert paths[1998].startswith("training/east/g1/E01000.") and paths[2000].startswith("training/east/g2/E01001.")
    paths = simulate("west", settings | {"layout": "ptb-xl"}, 1, tmp_path / "west")
    assert "records100/00000/00999_hr.dat" in paths and "records100/01000/01000_hr.hea" in paths


@pytest.mark.parametrize("settings", [PTBXL, CHALLENGE])
def test_the_same_bytes_for_the_same_seed_only(tmp_path, settings):
    def contents(folder, seed):
        return [sha256_of(tmp_path / folder / path) for path in simulate("west", settings, seed, tmp_path / folder)]

    once, again, other = contents("once", 1), contents("again", 1), contents("other", 2)
    assert once == again and once != other


def test_the_challenge_layout_cannot_hold_patients(tmp_path):
    with pytest.raises(InputError, match=r"simulate\.east\.records_per_patient"):
        simulate("east", CHALLENGE | {"records_per_patient": 1.5}, 1, tmp_path)


def shape_of(header):
    """Return a header's lines without what differs between recordings, lead names in lower case."""
    lines = []
    for line in header.splitlines():
        words = line.split()
        if line.startswith("#"):
            lines.append(words[0])
        elif len(words) > 8:
            lines.append(" ".join([words[0].split(".")[1], *words[1:5], words[7], words[8].lower()]))
        else:
            lines.append(" ".join(words[1:4]))
    return lines


@needs_published
def test_files_look_like_those_published(tmp_path):
    real = PUBLISHED / "ptb-xl/1.0.3"
    paths = simulate("west", PTBXL, 1, tmp_path)
    columns = pd.read_csv(real / "ptbxl_database.csv", nrows=0).columns
    assert pd.read_csv(tmp_path / "ptbxl_database.csv").columns.tolist() == columns.tolist()
    path = "records500/00000/00001_hr.hea"
    assert path in paths and shape_of((tmp_path / path).read_text()) == shape_of((real / path).read_text())

    simulate("east", CHALLENGE, 1, tmp_path)
    real_header = next((PUBLISHED / "challenge-2021/1.0.3/training/chapman_shaoxing").rglob("*.hea"))
    header = tmp_path / "training/east/g1/E00001.hea"
    assert shape_of(header.read_text()) == shape_of(real_header.read_text())
    assert header.with_suffix(".mat").read_bytes()[:24] == real_header.with_suffix(".mat").read_bytes()[:24]

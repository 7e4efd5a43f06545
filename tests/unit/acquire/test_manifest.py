"""What is to be fetched: SHA256SUMS.txt and RECORDS, flat and nested."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from ecgtransfer.acquire.manifest import choose_files, choose_listed, parse_sums
from ecgtransfer.errors import InputError

HASH = hashlib.sha256(b"x").hexdigest()


def entry(folders, tables=(), suffixes=(".hea", ".dat")):
    return {"folders": list(folders), "tables": list(tables), "suffixes": list(suffixes)}


class Records:
    """RECORDS files by path; remembers which were read."""

    def __init__(self, texts):
        self.texts, self.read = texts, []

    def __call__(self, name):
        self.read.append(name)
        return self.texts[name]


def sums_of(*records, suffixes=(".hea", ".dat")):
    return {record + suffix: HASH for record in records for suffix in suffixes}


@pytest.mark.parametrize("between", [" ", "  ", " *", "  *", "\t"])
def test_sums_accepts_the_spellings_that_occur(between):
    assert parse_sums(f"{HASH.upper()}{between}data/1.hea\r\n\n", "sums") == {"data/1.hea": HASH}


def test_sums_keeps_spaces_and_leading_dot_slash_is_dropped():
    assert parse_sums(f"{HASH} ./a file.csv\n", "sums") == {"a file.csv": HASH}


@pytest.mark.parametrize("line", ["<!DOCTYPE html>", HASH, f"{HASH[:-1]} a.hea", f"{HASH}a.hea", f"\\{HASH} a\\nb"])
def test_sums_refuses_other_lines_by_number(line):
    with pytest.raises(InputError, match=r"^sums, line 2: expected a SHA-256"):
        parse_sums(f"{HASH} ok.hea\n{line}\n", "sums")


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "a/..", "a//b", "..\\a", "./../a"])
def test_unsafe_paths_are_refused_in_both_lists(path):
    with pytest.raises(InputError, match=r"line 1: path .* leaves its folder"):
        parse_sums(f"{HASH}  {path}\n", "sums")
    with pytest.raises(InputError, match=r"^RECORDS: path .* leaves its folder"):
        choose_files(entry(["a"]), {"a/1.hea": HASH}, Records({"RECORDS": path}), None, "here")


@pytest.mark.parametrize("line", ["/", "./", "../", "a/../../"])
def test_unsafe_folder_in_records_is_refused(line):
    with pytest.raises(InputError, match="leaves its folder"):
        choose_files(entry(["a"]), {"a/1.hea": HASH}, Records({"RECORDS": line}), None, "here")


def test_records_of_the_folder_in_order_with_published_suffixes_only():
    sums = sums_of("r500/2", "r500/1", "r100/1") | {"r500/3.hea": HASH, "r500/1.qrs": HASH, "t.csv": HASH}
    records = Records({"RECORDS": "r100/1\nr500/2\r\n\nr500/1\nr500/3\nr5000/9\n"})
    choice = choose_files(entry(["r500"], ["t.csv"]), sums, records, None, "here")
    assert choice.files == ["r500/1.dat", "r500/1.hea", "r500/2.dat", "r500/2.hea", "r500/3.hea", "t.csv"]
    assert (choice.n_records, choice.n_unlisted) == (3, 0)
    assert choose_files(entry(["r500"]), sums, records, 1, "here").files == ["r500/2.dat", "r500/2.hea"]


def test_nested_records_are_read_only_where_wanted_and_needed():
    sums = sums_of("training/georgia/g1/E1", "training/georgia/g2/E2", "training/ningbo/g1/N1")
    texts = {
        "RECORDS": "training/\n",
        "training/RECORDS": "ningbo/g1/\ngeorgia/\n",
        "training/georgia/RECORDS": "g1/\ng2/\n",
        "training/georgia/g1/RECORDS": "E1\n",
        "training/georgia/g2/RECORDS": "E2\n",
    }
    records = Records(texts)
    choice = choose_files(entry(["training/georgia"]), sums, records, None, "here")
    assert choice.files == sorted(path for path in sums if "georgia" in path)
    assert records.read == list(texts)
    records = Records(texts)
    assert choose_files(entry(["training/georgia/"]), sums, records, 1, "here").n_records == 1
    assert "training/georgia/g2/RECORDS" not in records.read


def test_point_stands_for_the_whole_data_set():
    sums = sums_of("patient001/a", "patient002/b", "c")
    choice = choose_files(entry(["."]), sums, Records({"RECORDS": "patient001/a\npatient002/b\nc"}), None, "here")
    assert choice.n_records == 3


def test_mirror_with_fewer_records_serves_what_its_sums_list():
    sums = sums_of("d/1", "d/g1/7") | {"d/2.dat": HASH}
    records = Records({"RECORDS": "d/0\nd/1\nd/2\nd/1\nd/g1/\nd/g2/\n", "d/g1/RECORDS": "7\n8\n"})
    choice = choose_files(entry(["d"]), sums, records, 5, "here")
    assert choice.files == ["d/1.dat", "d/1.hea", "d/g1/7.dat", "d/g1/7.hea"]
    assert (choice.n_records, choice.n_unlisted) == (2, 4)  # d/0, d/2, d/g1/8 and the folder d/g2/


def test_no_record_and_no_table_are_errors():
    with pytest.raises(InputError, match=r"^here: no record under nowhere, d2 .*check `folders`"):
        choose_files(entry(["nowhere", "d2"]), sums_of("d/1"), Records({"RECORDS": "d/1"}), None, "here")
    with pytest.raises(InputError, match=r"^here: table 'ludb.csv' is not listed there; "):
        choose_files(entry(["d"], ["ludb.csv"]), sums_of("d/1"), Records({"RECORDS": "d/1"}), None, "here")
    with pytest.raises(InputError, match="no record"):
        choose_files(entry(["d"]), sums_of("d/1"), Records({"RECORDS": "d/1"}), 0, "here")


CODE = {"folders": ["."], "suffixes": [".hdf5"], "tables": ["exams.csv"], "archives": ["exams_part*.zip"]}
CODE["records_per_part"] = 20_000
PARTS = [f"exams_part{number}.zip" for number in range(18)]


@pytest.mark.parametrize(("limit", "n_parts"), [(1, 1), (20_000, 1), (20_001, 2), (60_000, 3), (10**9, 18), (None, 18)])
def test_limit_takes_the_first_archives_that_cover_it(limit, n_parts):
    choice = choose_listed(CODE, ["exams.csv", "LICENSE", *sorted(PARTS)], limit, "here")
    assert choice.archives == PARTS[:n_parts] and choice.n_records is None
    assert choice.files == sorted([*PARTS[:n_parts], "exams.csv"])


def test_limit_takes_all_archives_if_nobody_knows_what_one_holds():
    one = {key: value for key, value in CODE.items() if key != "records_per_part"}
    assert choose_listed(one, ["exams.csv", *PARTS], 5, "here").archives == PARTS


def test_copy_may_hold_the_members_in_place_of_the_archives():
    listed = ["exams.csv", *(f"exams_part{number}.hdf5" for number in range(18))]
    choice = choose_listed(CODE, listed, 50_000, "here")
    assert choice.files == ["exams.csv", "exams_part0.hdf5", "exams_part1.hdf5", "exams_part2.hdf5"]
    assert (choice.archives, choice.n_records) == ([], None)


def test_files_of_one_record_each():
    sph = {"folders": ["records"], "suffixes": [".h5", ".txt"], "tables": ["metadata.csv"], "archives": ["*.tar"]}
    listed = ["metadata.csv", "records/A10.h5", "records/A9.h5", "records/A9.txt", "recordsX/A1.h5", "records/A11.h5"]
    choice = choose_listed(sph, listed, 2, "here")
    assert choice.files == ["metadata.csv", "records/A10.h5", "records/A9.h5", "records/A9.txt"]
    assert (choice.archives, choice.n_records) == ([], 2)


def test_list_without_archive_record_or_table():
    with pytest.raises(InputError, match=r"^here: no file under \. is one of exams_part\*\.zip, \.hdf5; check"):
        choose_listed(CODE, ["exams.csv"], None, "here")
    with pytest.raises(InputError, match=r"^here: table 'exams.csv' is not listed there"):
        choose_listed(CODE, ["exams_part0.hdf5"], None, "here")
    # An archive may hold the table.
    assert choose_listed(CODE, ["exams_part0.zip"], None, "here").files == ["exams_part0.zip"]


def test_list_as_long_as_that_of_mimic_iv_ecg_takes_little_memory():
    code = """
import resource
from ecgtransfer.acquire.manifest import choose_files, parse_sums
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
records = [f"files/p{n % 1000:04d}/p{n:08d}/s{n:08d}/{n:08d}" for n in range(400_000)]
text = "".join(f"{n:064x} {record}{suffix}\\n" for n, record in enumerate(records) for suffix in (".dat", ".hea"))
sums = parse_sums(text, "sums")
entry = {"folders": ["files"], "suffixes": [".hea", ".dat"], "tables": []}
choice = choose_files(entry, sums, lambda name: "\\n".join(records), None, "here")
print(len(sums), len(choice.files), choice.n_records, choice.n_unlisted)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "workflow_scripts")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    counts, kilobytes = done.stdout.splitlines()
    assert counts == "800000 800000 400000 0" and int(kilobytes) < 1_000_000

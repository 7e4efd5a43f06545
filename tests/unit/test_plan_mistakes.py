"""What `make plan` says where Snakemake's dry run fails, or what past runs wrote is damaged."""

import pytest

from ecgtransfer.config.study import Study
from ecgtransfer.errors import InputError
from ecgtransfer.forecast import metadata_in, mistake_in, records_of_own

NOISE = "Using workflow specific profile x\nConfig file config/config.yaml is extended by additional config.\n"
MISSING = """MissingInputException in rule harmonize_labels in file "rules/prepare.smk", line 68:
Missing input files for rule harmonize_labels:
    output: results/micro/labels/clinic.csv
    affected files:
        config/labels/equivalent.csv
        config/labels/snomed.csv
"""


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("error: a: is wrong; fix it\n", "error: a: is wrong; fix it"),
        ("error in the config: `a` is wrong\n`b` is, too\n\n", "error in the config: `a` is wrong\n`b` is, too"),
        (
            MISSING,
            "error: config/labels/equivalent.csv, config/labels/snomed.csv: no such file, and no rule makes it; bring "
            "it back",
        ),
        ("WorkflowError:\nNo rule to produce nope.csv.\n", "No rule to produce nope.csv."),
        ("", "error: Snakemake's dry run failed without a message"),
    ],
)
def test_the_line_that_helps_is_printed(printed, said):
    assert mistake_in((NOISE if printed else "") + printed) == said


def test_damaged_metadata_of_past_runs_are_left_out(tmp_path):
    good = '{"model": "gru", "device": "cpu"}'
    for name, text in {"a": "", "b": "[]", "c": '{"model": "gru"', "d": "{}", "e": good}.items():
        (tmp_path / name).write_text(text)
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "gone", tmp_path]
    assert list(metadata_in(paths)) == [{"model": "gru", "device": "cpu"}]


HEADER, ROWS = "record,file,patient,labels\n", ["1,a.npy,Müller,AF|LVH\n", "2,b.npy,x,\n", '3,c.npy,y,"AF\nLVH"\n']
PLAIN = HEADER + "".join(ROWS)


def records_of(table):
    """Return how many recordings the plan counts in a table."""
    transfer = {"sources": ["ptb-xl"], "targets": ["ward"], "models": ["gru"]}
    own = {"ward": str(table), "not-in-the-study": "/no/such/table.csv"}
    entries = {name: {"folder": "/data", "table": path} for name, path in own.items()}
    return records_of_own(Study.of({"own": entries, "transfer": transfer}))["ward"]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("latin-1"),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").replace("\n", "\r\n").encode(),
        PLAIN.replace("LVH\n2", "LVH\n1,a.npy,Müller,PVC\n,,,\n\n2").encode(),  # a row per label, and empty rows
    ],
    ids=["plain", "mark", "latin-1", "utf-16", "semicolon", "tab", "row per label"],
)
def test_recordings_of_a_table_are_counted_as_the_study_reads_them(tmp_path, content):
    (tmp_path / "ward.csv").write_bytes(content)
    assert records_of(tmp_path / "ward.csv") == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN[:-2].encode(), r"row 4 is not CSV \(.*\); fix the table or the entry in the section `own`$"),
        (b"", "is empty; copy or download it again$"),
        (None, r"cannot be read \(No such file or directory\); fix the table or the entry"),
        (b"PK\x03\x04\x00\x00", "cannot be read|column record"),
    ],
    ids=["within a quote", "empty", "missing", "zip"],
)
def test_table_that_cannot_be_read_is_one_line(tmp_path, content, said):
    table = tmp_path / "ward.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{table}: {said}") as raised:
        records_of(table)
    assert "\n" not in str(raised.value)

"""What `make plan` says where Snakemake's dry run fails, or what past runs wrote is damaged."""

import pytest

from plan import facts_in, mistake_in

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
        ("error: a: is wrong; mend it\n", "error: a: is wrong; mend it"),
        ("error in the config: `a` is wrong\n`b` is, too\n\n", "error in the config: `a` is wrong\n`b` is, too"),
        (
            MISSING,
            "error: config/labels/equivalent.csv, config/labels/snomed.csv: no such file, and no rule makes it; bring "
            "it back",
        ),
        ("WorkflowError:\nNo rule to produce nope.csv.\n", "No rule to produce nope.csv."),
        ("", "error: Snakemake's dry run failed without a word"),
    ],
)
def test_the_line_that_helps_is_printed(printed, said):
    assert mistake_in((NOISE if printed else "") + printed) == said


def test_damaged_facts_of_past_runs_are_left_out(tmp_path):
    good = '{"model": "gru", "device": "cpu"}'
    for name, text in {"a": "", "b": "[]", "c": '{"model": "gru"', "d": "{}", "e": good}.items():
        (tmp_path / name).write_text(text)
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "gone", tmp_path]
    assert list(facts_in(paths)) == [{"model": "gru", "device": "cpu"}]

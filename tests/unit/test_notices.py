"""What was not used is reported on the terminal, and read back in order for the page."""

import logging

from ecgtransfer.notices import read_notices, tell


def test_notices_are_said_and_read_back_in_order(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        tell("ward", ["3 ages are empty", "NA", "3 ages are empty"], tmp_path / "a.csv")
        tell("clinic+ward", ["the word 'x, y'\nis unknown"], tmp_path / "b.csv")
        tell("quiet", [], tmp_path / "c.csv")
    read = read_notices([tmp_path / "b.csv", tmp_path / "c.csv", tmp_path / "a.csv"])
    assert read == ["clinic+ward: the word 'x, y' is unknown", "ward: 3 ages are empty", "ward: NA"]
    assert sorted(record.getMessage() for record in caplog.records) == sorted(read)


def test_what_a_terminal_would_obey_is_said_as_an_escape(tmp_path, caplog):
    tell("ward", ["the age '\x1b[2J\u202e65' is not understood"], tmp_path / "a.csv")
    (said,) = read_notices([tmp_path / "a.csv"])
    assert said == "ward: the age '\\x1b[2J\\u202e65' is not understood"
    assert caplog.messages == [said]

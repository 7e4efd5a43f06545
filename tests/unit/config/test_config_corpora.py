"""The config: names of what is joined."""

from collections.abc import Callable
from typing import Any

import pytest
from changed_config import mistakes_of, set_to


def named(**corpora: str) -> Callable[[dict[str, Any]], None]:
    """Return a change of the names of corpora."""
    return set_to("corpora", corpora)


def test_a_corpus_may_have_a_name() -> None:
    hospitals = named(hospitals="georgia+ningbo", unused="code-15")
    sources = ["hospitals", "hospitals-shuffled", "hospitals-age", "ludb+hospitals-masked"]
    views = set_to("labels/views", {"hospitals": "scored"})
    assert mistakes_of(hospitals, set_to("transfer/sources", sources), views) == []
    assert mistakes_of(hospitals, set_to("report/recordings/datasets", ["hospitals"])) == []
    assert mistakes_of(named(clinics="sim-clinic"), set_to("transfer/targets", ["clinics"])) == []


@pytest.mark.parametrize(
    ("corpora", "mistake"),
    [
        ({"ptb-xl": "georgia+ningbo"}, "`corpora.ptb-xl` has the name of a data set; choose another"),
        ({"sim-clinic": "georgia+ningbo"}, "`corpora.sim-clinic` has the name of a data set; choose another"),
        ({"theirs": "georgia"}, "`corpora.theirs` has the name of weights from outside; choose another"),
        ({"two": "georgia+nigbo"}, "`corpora.two`: 'nigbo' is neither in config/datasets.yaml nor in `simulate` or"),
        ({"two": "georgia-shuffled"}, "`corpora.two`: 'georgia-shuffled' is neither in config/datasets.yaml"),
        ({"two": "georgia+georgia"}, "`corpora.two` names a data set twice"),
        ({"two": "georgia+ludb", "three": "two+ningbo"}, "`corpora.three`: 'two' is itself a name of this section"),
        ({"two": "georgia+"}, "`corpora.two` is 'georgia+', expected data sets with + between, such as georgia+ningbo"),
        ({"two": ["georgia", "ningbo"]}, "`corpora.two` is ['georgia', 'ningbo'], expected text"),
        ({"a+b": "georgia+ningbo"}, "a key of `corpora` is 'a+b', expected letters, digits"),
        ({"two-age": "georgia+ningbo"}, "a key of `corpora` is 'two-age', expected letters, digits"),
        ({2022: "georgia+ningbo"}, "a key of `corpora` is 2022, expected text; YAML reads it as a number"),
    ],
)
def test_a_name_that_says_nothing_or_two_things(corpora: dict[Any, Any], mistake: str) -> None:
    outside = set_to("outside_weights/theirs", {"trained_on": ["code-15"], "files": {"gru": "gru.pt"}})
    (found,) = mistakes_of(outside, set_to("corpora", corpora))
    assert found.startswith(mistake)


def test_what_is_joined_has_one_name() -> None:
    two = named(two="georgia+ningbo")
    assert mistakes_of(two, set_to("transfer/sources", ["two", "ningbo+georgia-shuffled"])) == [
        "`transfer`: 'two' and 'ningbo+georgia' join the same data sets; keep to one name"
    ]
    assert mistakes_of(two, set_to("transfer/sources", ["two+georgia"])) == [
        "`transfer`: 'two+georgia' names a data set twice"
    ]


def test_a_name_is_looked_through_where_a_source_meets_a_target() -> None:
    target = set_to("transfer/targets", ["clinics"])
    assert mistakes_of(named(clinics="sim-clinic+sim-hospital"), target) == [
        "`transfer.targets`: every source shares a data set with 'clinics'; add a source that does not"
    ]


def test_a_misspelt_name() -> None:
    (mistake,) = mistakes_of(named(hospitals="georgia+ningbo"), set_to("transfer/sources", ["hospitls"]))
    assert mistake.endswith("did you mean `hospitals`?")
    (mistake,) = mistakes_of(named(hospitals="georgia+ningbo"), set_to("transfer/sources", ["hospitals-mskd"]))
    assert mistake.startswith("`transfer.sources`: 'hospitals-mskd' is neither in config/datasets.yaml")


def test_a_name_that_no_file_can_have() -> None:
    own = {f"hospital-number-{number}": {"folder": "a", "table": "a.csv"} for number in range(12)}
    joined = set_to("transfer/sources", ["+".join(own)])
    assert mistakes_of(set_to("own", own), joined) == [
        "`transfer.sources`: 'hospital-number-0+hospital-number-1+hosp…' is too long for a file name; name what it"
        " joins in `corpora`"
    ]
    named_so = set_to("corpora", {"hospitals": "+".join(own)}), set_to("transfer/sources", ["hospitals"])
    assert mistakes_of(set_to("own", own), *named_so) == []
    (mistake,) = mistakes_of(set_to("corpora", {"h" * 101: "georgia"}))
    assert mistake.endswith("hhh..., expected at most 100 characters")
    (mistake,) = mistakes_of(set_to("study", "h" * 101))
    assert mistake.endswith("hhh..., expected at most 100 characters")

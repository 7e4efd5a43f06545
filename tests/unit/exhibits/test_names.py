"""What readers see in place of the names that files have."""

import pytest

from ecgtransfer.exhibits.names import series_name
from ecgtransfer.methods import METHODS


@pytest.mark.parametrize(
    ("arm", "name"),
    [
        ("probe-cpsc", "pre-trained on cpsc, frozen (probe)"),
        ("svm-cpsc-shuffled", "pre-trained on cpsc, labels shuffled (control), frozen (svm)"),
        ("partial:12-a+b", "pre-trained on a+b, lowest 12 layer groups frozen (partial)"),
        ("finetune-cpsc-age", "pre-trained on cpsc, regression of age"),
        ("gradual-a+b-masked", "pre-trained on a+b, masked patches, unfrozen from the top (gradual)"),
    ],
)
def test_a_series_says_source_task_and_method(arm, name):
    assert series_name(arm) == name


def test_every_series_has_another_name():
    sources = ("a", "a-shuffled", "a-age", "a-intervals", "a-masked", "b")
    arms = [f"{method}-{source}" for method in ({*METHODS, "partial:3"} - {"partial"}) for source in sources]
    assert len({series_name(arm) for arm in arms}) == len(arms)

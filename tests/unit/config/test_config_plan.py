"""The config: corpora, models and weights that a study names must exist and fit together."""

from collections.abc import Callable
from typing import Any

import pytest
from changed_config import mistakes_of, set_to


def test_unknown_data_set() -> None:
    assert mistakes_of(set_to("transfer/sources", ["georgai"])) == [
        "`transfer.sources`: 'georgai' is neither in config/datasets.yaml nor in `simulate` or `own`; did you mean"
        " `georgia`?"
    ]
    (message,) = mistakes_of(set_to("transfer/targets", ["ptb-xl+qqqq"]))
    assert message.startswith("`transfer.targets`: 'qqqq' is neither")
    assert "; known are sim-clinic, sim-hospital, ptb-xl, " in message
    assert mistakes_of(set_to("transfer/sources", ["georgia+ningbo", "georgia-shuffled"])) == []


def test_unknown_data_sets_outside_the_plan() -> None:
    (message,) = mistakes_of(set_to("report/recordings/datasets", ["lubd"]))
    assert message.startswith("`report.recordings.datasets`: 'lubd'") and message.endswith("did you mean `ludb`?")
    # A limit on a simulated corpus would silently do nothing.
    (message,) = mistakes_of(set_to("limits", {"sim-clinic": 5}))
    assert message.startswith("`limits`: 'sim-clinic' is not a data set of config/datasets.yaml")


def test_unknown_model() -> None:
    assert mistakes_of(set_to("transfer/models", ["grru"])) == [
        "`transfer.models`: 'grru' is not a model; did you mean `gru`?"
    ]
    assert mistakes_of(set_to("transfer/models", ["transformer"])) == [
        "`transfer.models`: 'transformer' is not a model; known are resnet1d18, gru"
    ]


def test_every_target_needs_a_source_of_other_recordings() -> None:
    assert mistakes_of(set_to("transfer/sources", ["sim-clinic", "georgia+sim-clinic"])) == [
        "`transfer.targets`: every source shares a data set with 'sim-clinic'; add a source that does not"
    ]
    assert mistakes_of(set_to("transfer/sources", ["sim-clinic", "georgia"])) == []


def test_a_data_set_joined_to_itself() -> None:
    assert mistakes_of(set_to("transfer/sources", ["georgia+georgia"])) == [
        "`transfer`: 'georgia+georgia' names a data set twice"
    ]


def test_a_source_can_say_what_is_learnt_from_it() -> None:
    assert mistakes_of(set_to("transfer/sources", ["georgia-age", "georgia+ningbo-intervals", "ptb-xl-masked"])) == []
    (mistake,) = mistakes_of(set_to("transfer/sources", ["georgia-masekd"]))
    assert mistake.startswith("`transfer.sources`: 'georgia-masekd' is neither in config/datasets.yaml")
    assert mistakes_of(set_to("transfer/targets", ["ptb-xl-age"])) == [
        "`transfer.targets`: 'ptb-xl-age' names a task to pre-train on, which only a source can have"
    ]


@pytest.mark.parametrize(
    "corpus", ["ludb-shuffled-age", "ludb-age-shuffled", "ludb-age-masked", "ludb-shuffled+incart"]
)
def test_suffixes_are_not_combined(corpus: str) -> None:
    for place in ("sources", "targets"):
        assert mistakes_of(set_to(f"transfer/{place}", [corpus])) == [
            f"`transfer.{place}`: '{corpus}' can end in one of -shuffled, -age, -intervals, -masked, -untrained, and"
            " contain none of them elsewhere"
        ]


def test_every_task_shares_the_data_sets_of_its_corpus() -> None:
    assert mistakes_of(set_to("transfer/sources", ["sim-clinic-age", "sim-clinic-masked"])) == [
        "`transfer.targets`: every source shares a data set with 'sim-clinic'; add a source that does not"
    ]


def test_options_of_models() -> None:
    assert mistakes_of(set_to("models/resnet1d18", {"age_sex": True})) == []
    assert mistakes_of(set_to("models/resnet1d18", {"head": "pool"})) == [
        "`models.resnet1d18.head` is no option of this model; it has age_sex"
    ]
    assert mistakes_of(set_to("models/grru", {"head": "pool"})) == [
        "`models`: 'grru' is not a model; did you mean `gru`?"
    ]


def test_a_model_that_is_told_the_age_cannot_learn_to_tell_it() -> None:
    told, asked = set_to("models/gru/age_sex", True), set_to("transfer/sources", ["sim-hospital-age"])
    assert mistakes_of(told, asked) == [
        "`models.gru.age_sex` would give the model the answer that 'sim-hospital-age' trains it to predict; leave out"
        " one of the two"
    ]
    assert mistakes_of(told) == mistakes_of(asked) == []
    assert mistakes_of(told, asked, set_to("transfer/models", ["resnet1d18"])) == []


class TestOutsideWeights:
    """Weights that were trained elsewhere."""

    @staticmethod
    def given(
        trained_on: list[str], models: list[str], name: str = "theirs", sources: list[str] | None = None
    ) -> Callable[[dict[str, Any]], None]:
        """Return a change that adds weights for some models and makes them the source."""

        def change(config: dict[str, Any]) -> None:
            files = {model: f"/archive/{model}.safetensors" for model in models}
            config["outside_weights"][name] = {"trained_on": trained_on, "files": files}
            config["transfer"]["sources"] = sources or [name]

        return change

    def test_as_the_only_source(self) -> None:
        assert mistakes_of(self.given(["code-15"], ["gru", "resnet1d18"])) == []
        assert mistakes_of(self.given([], ["gru", "resnet1d18"])) == []

    def test_a_model_without_a_source(self) -> None:
        assert mistakes_of(self.given(["code-15"], ["gru"])) == [
            "`transfer.sources`: none has weights of 'resnet1d18' for 'sim-clinic'; add a corpus, or a file to"
            " `outside_weights`"
        ]
        assert mistakes_of(self.given(["code-15"], ["gru"], sources=["theirs", "sim-hospital"])) == []

    def test_a_target_that_they_have_seen(self) -> None:
        assert mistakes_of(self.given(["georgia", "sim-clinic"], ["gru", "resnet1d18"])) == [
            "`transfer.targets`: every source shares a data set with 'sim-clinic'; add a source that does not"
        ]

    def test_a_target_whose_recordings_they_have_seen_under_another_name(self) -> None:
        target = set_to("transfer/targets", ["ptb-xl"])
        assert mistakes_of(self.given(["ptb-xl-challenge"], ["gru", "resnet1d18"]), target) == [
            "`outside_weights.theirs.trained_on`: 'ptb-xl-challenge' holds the same recordings as 'ptb-xl', a target;"
            " add 'ptb-xl' to the list, and no target that holds it starts from these weights"
        ]
        both = self.given(["ptb-xl-challenge", "ptb-xl"], ["gru"], sources=["theirs", "georgia"])
        assert mistakes_of(both, target) == []

    def test_names(self) -> None:
        assert mistakes_of(self.given([], ["gru", "resnet1d18"], name="georgia")) == [
            "`outside_weights.georgia` has the name of a data set; choose another"
        ]
        assert mistakes_of(self.given(["goergia"], ["gru", "grru", "resnet1d18"])) == [
            "`outside_weights.theirs.trained_on`: 'goergia' is neither in config/datasets.yaml nor in `simulate` or"
            " `own`; did you mean `georgia`?",
            "`outside_weights.theirs.files`: 'grru' is not a model; did you mean `gru`?",
        ]

    def test_files_of_no_model_of_the_study(self) -> None:
        weights = self.given([], ["resnet1d18"], sources=["theirs", "sim-hospital"])
        assert mistakes_of(weights, set_to("transfer/models", ["gru"])) == [
            "`outside_weights.theirs.files` has none of `transfer.models`; add a file, or leave 'theirs' out of the"
            " sources"
        ]

    @pytest.mark.parametrize("source", ["theirs+georgia", "theirs-shuffled", "theirs-age"])
    def test_only_alone(self, source: str) -> None:
        assert mistakes_of(self.given([], ["gru", "resnet1d18"], sources=["theirs", source])) == [
            "`transfer.sources`: 'theirs' is weights from outside; only `transfer.sources` can name them, and alone"
        ]

    def test_no_target(self) -> None:
        weights = self.given([], ["gru", "resnet1d18"], sources=["sim-hospital"])
        assert mistakes_of(weights, set_to("transfer/targets", ["theirs"])) == [
            "`transfer.targets`: 'theirs' is weights from outside; only `transfer.sources` can name them, and alone"
        ]

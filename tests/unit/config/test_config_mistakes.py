"""The config: every mistake is one line that names the key."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from changed_config import DEFAULT, OWN_CHOICES, PUBLISHED, mistakes_of, set_to

from ecgtransfer.acquire.simulate import SNOMED_CODES
from ecgtransfer.config.study import Study
from ecgtransfer.methods import METHODS
from ecgtransfer.source import SUFFIXES

NUMBER, TRUTH, DATE = (
    f"YAML reads it as {kind}: put it in quotes, as you wrote it" for kind in ("a number", "yes or no", "a date")
)
NOTHING = "it is empty, or a word that YAML reads as null: put it in quotes"


def test_unknown_key_is_named_with_the_one_that_was_meant() -> None:
    expected = ["`fractoins` is not a key of `transfer`; did you mean `fractions`?"]
    assert mistakes_of(set_to("transfer/fractoins", [0.5])) == expected

    def misspell(config: dict[str, Any]) -> None:
        config["transfer"]["fractoins"] = config["transfer"].pop("fractions")

    assert mistakes_of(misspell) == expected


def test_unknown_keys_elsewhere() -> None:
    assert mistakes_of(set_to("trasnfer", {})) == ["`trasnfer` is not a key of the config; did you mean `transfer`?"]
    assert mistakes_of(set_to("score/qqqq", 1)) == ["`qqqq` is not a key of `score`"]
    assert mistakes_of(set_to("simulate/sim-clinic/nois", 1)) == [
        "`nois` is not a key of `simulate.sim-clinic`; did you mean `noise`?"
    ]


def test_missing_keys_are_named_once() -> None:
    def drop(config: dict[str, Any]) -> None:
        del config["transfer"]["sources"], config["transfer"]["targets"]

    assert mistakes_of(drop) == ["`transfer` lacks the key `sources`, `targets`"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("study", 2025, f"`study` is 2025, expected text; {NUMBER}"),
        ("limits", None, "`limits` is None, expected a section"),
        ("signals/pad_short_records", "yes", "`signals.pad_short_records` is 'yes', expected true or false"),
        ("transfer/replicates", 2.5, "`transfer.replicates` is 2.5, expected a whole number"),
        ("transfer/replicates", 3.0, "`transfer.replicates` is 3.0, expected a whole number; write 3"),
        ("score/seed", "7.5", "`score.seed` is 7.5, expected a whole number"),
        ("signals/notch_hz", "nothing", "`signals.notch_hz` is 'nothing', expected a number or null"),
        ("pretrain/learning_rate", float("nan"), "`pretrain.learning_rate` is nan, expected a number"),
        ("pretrain/learning_rate", "nan", "`pretrain.learning_rate` is 'nan', expected a number"),
        ("pretrain/learning_rate", float("inf"), "`pretrain.learning_rate` is inf, expected a number"),
        (
            "study",
            "mine\n",
            "`study` is 'mine\\n', expected letters, digits, '.', '_' and '-', a letter or digit first and not"
            " 'trainings', where those of all studies are",
        ),
        ("transfer/replicates", True, "`transfer.replicates` is True, expected a whole number"),
        ("transfer/models", "gru", "`transfer.models` is 'gru', expected a list"),
        ("pretrain/learning_rate", "fast", "`pretrain.learning_rate` is 'fast', expected a number"),
        ("compare/confidence", 1, "`compare.confidence` is 1, expected more than 0 and less than 1"),
        ("compare/margin", -0.1, "`compare.margin` is -0.1, expected at least 0 and at most 1"),
        ("score/n_resamples", 99, "`score.n_resamples` is 99, expected at least 100 and at most 100000"),
        ("signals/max_flat_leads", 13, "`signals.max_flat_leads` is 13, expected at least 0 and at most 12"),
        ("transfer/fractions", [0.5, 0], "`transfer.fractions[1]` is 0, expected more than 0 and at most 1"),
        ("transfer/fractions", [], "`transfer.fractions` is [], expected at least 1 entry"),
        ("transfer/models", ["gru", "gru"], "`transfer.models` is ['gru', 'gru'], expected every entry once"),
        ("limits", {"ptb-xl": 0}, "`limits.ptb-xl` is 0, expected at least 1"),
        ("signals/crop", "center", "`signals.crop` is 'center', expected one of start, centre; did you mean `centre`?"),
        ("transfer/validation", "all", "`transfer.validation` is 'all', expected one of budget, full"),
        ("transfer/methods", [], "`transfer.methods` is [], expected at least 1 entry"),
        ("models/gru", {"hed": "pool"}, "`hed` is not a key of `models.gru`; did you mean `head`?"),
        ("models/gru/age_sex", 1, "`models.gru.age_sex` is 1, expected true or false"),
        (
            "models/gru",
            {"of": "lstm"},
            "`models.gru.of`: 'gru' is a model itself; choose another name for one with other options",
        ),
        ("models/mine", {"of": "grue"}, "`models.mine.of`: 'grue' is not a model; did you mean `gru`?"),
        (
            "models/mine",
            {"of": "resnet1d18", "head": "pool"},
            "`models.mine.head` is no option of this model; it has age_sex",
        ),
        ("finetune/crop_s", "all", "`finetune.crop_s` is 'all', expected a number or null"),
        ("pretrain/crop_s", 0, "`pretrain.crop_s` is 0, expected more than 0"),
        ("scratch/optimizer", "sgd", "`scratch.optimizer` is 'sgd', expected one of adamw, adam"),
        ("methods/svm/costs", [1, 0], "`methods.svm.costs[1]` is 0, expected more than 0"),
        ("methods/partial", {"k": 1}, "`partial` is not a key of `methods`"),
        ("arms", {"svm": {}}, "`arms` is now called `methods`"),
        ("transfer/arms", ["finetune"], "`transfer.arms` is now called `transfer.methods`"),
        (
            "hardware/precision",
            "float16",
            "`hardware.precision` is 'float16', expected one of auto, float32; did you mean `float32`?",
        ),
        ("outside_weights/w", {"files": {"gru": "w.pt"}}, "`outside_weights.w` lacks the key `trained_on`"),
        (
            "outside_weights/w",
            {"trained_on": [], "files": {}},
            "`outside_weights.w.files` is {}, expected at least 1 entry",
        ),
        (
            "study",
            "../elsewhere",
            "`study` is '../elsewhere', expected letters, digits, '.', '_' and '-', a letter or digit first and not"
            " 'trainings', where those of all studies are",
        ),
        (
            "study",
            "trainings",
            "`study` is 'trainings', expected letters, digits, '.', '_' and '-', a letter or digit first and not"
            " 'trainings', where those of all studies are",
        ),
        ("labels/include", "AF", "`labels.include` is 'AF', expected 'all' or a list of labels such as [AF, CLBBB]"),
        (
            "mirror",
            "physionet.org",
            "`mirror` is 'physionet.org', expected https://host, http://host or file:///folder",
        ),
        (
            "simulate/sim-clinic/prevalence",
            {"STac": 0.1},
            "a key of `simulate.sim-clinic.prevalence` is 'STac', expected one of"
            f" {', '.join(SNOMED_CODES)}; did you mean `STach`?",
        ),
        (
            "simulate/sim-clinic/prevalence",
            {"AF": 1.2},
            "`simulate.sim-clinic.prevalence.AF` is 1.2, expected at least 0 and at most 1",
        ),
    ],
)
def test_a_value_of_the_wrong_form(path: str, value: object, message: str) -> None:
    assert mistakes_of(set_to(path, value)) == [message]


@pytest.mark.parametrize("name", ["a+b", "sim-shuffled", "sim-age", "sim-intervals", "sim-masked", "-x", "a/b"])
def test_a_simulated_corpus_needs_a_name_that_says_one_thing(name: str) -> None:
    (message,) = mistakes_of(add_corpus(name))
    assert message.startswith(f"a key of `simulate` is '{name}', expected letters, digits")


def add_corpus(name: str) -> Callable[[dict[str, Any]], None]:
    """Return a change that adds a simulated corpus."""
    return lambda config: config["simulate"].update({name: config["simulate"]["sim-clinic"]})


def test_one_study_may_have_a_model_with_several_options() -> None:
    def change(config: dict[str, Any]) -> None:
        config["models"] = {"gru": {"head": "flatten"}, "gru-pooled": {"of": "gru", "head": "pool"}}
        config["transfer"]["models"] = ["gru", "gru-pooled"]

    assert mistakes_of(change) == []


def test_all_mistakes_are_told_at_once() -> None:
    def change(config: dict[str, Any]) -> None:
        config["score"]["n_resamples"] = 1
        config["signals"]["crop"] = "end"

    assert len(mistakes_of(change)) == 2


def test_a_simulated_corpus_must_not_hide_a_published_one() -> None:
    (message,) = mistakes_of(add_corpus("ptb-xl"))
    assert message.startswith("`simulate.ptb-xl` has the name of a data set")


def test_a_simulated_corpus_that_contradicts_itself() -> None:
    (message,) = mistakes_of(set_to("simulate/sim-hospital/records_per_patient", 2))
    assert message.startswith("simulate.sim-hospital.records_per_patient: expected 1, found 2")


def folds(n_folds: int, valid: list[int], test: list[int]) -> Callable[[dict[str, Any]], None]:
    """Return a change of the folds."""
    return lambda config: config["splits"].update(n_folds=n_folds, valid_folds=valid, test_folds=test)


def test_folds() -> None:
    assert mistakes_of(folds(4, [2], [3, 4])) == []
    assert mistakes_of(folds(10, [6], [6, 7])) == [
        "`splits.valid_folds` and `splits.test_folds` share a fold; a patient can only have one role"
    ]
    assert mistakes_of(folds(10, [11], [6])) == ["`splits.valid_folds` names fold 11, there are 10 (`splits.n_folds`)"]
    assert mistakes_of(folds(3, [1, 2], [3])) == [
        "`splits.valid_folds` and `splits.test_folds` leave no fold to train on; raise `splits.n_folds`"
    ]


def test_nobody_validates_if_so_said() -> None:
    assert mistakes_of(folds(4, [], [3, 4])) == []
    named = set_to("splits/by", "site"), set_to("splits/test_groups", ["north"])
    assert mistakes_of(*named, set_to("splits/valid_folds", [])) == []
    assert mistakes_of(*named) == [
        "`splits.valid_groups` is empty; with named groups, name those for validation, or set `splits.valid_folds` to"
        " [] for no validation"
    ]


def test_roles_by_record() -> None:
    by_record, share = set_to("splits/by", "record"), set_to("splits/test_share", 0.33)
    assert mistakes_of(by_record, share) == []
    assert mistakes_of(by_record, share, folds(3, [9], [9])) == []  # folds mean nothing then
    assert mistakes_of(by_record) == [
        "`splits.test_share` is null; state the share of the records for testing, such as 0.33"
    ]
    assert mistakes_of(share) == [
        "`splits.test_share` is only for `splits.by: record`; set it to null, folds or groups decide here"
    ]
    assert mistakes_of(by_record, set_to("splits/test_share", 1)) == [
        "`splits.test_share` is 1, expected more than 0 and less than 1"
    ]
    (mistake,) = mistakes_of(by_record, share, set_to("splits/test_groups", ["north"]))
    assert "set `splits.by` to site or month" in mistake


def test_only_a_leaky_study_is_laid_beside_a_clean_one() -> None:
    beside = set_to("compare/beside", "clean")
    assert mistakes_of(beside, set_to("splits/valid_folds", [])) == []
    assert mistakes_of(beside) == [
        "`compare.beside` compares a leaky study with a clean one, and this one is not leaky; set it to null"
    ]
    assert mistakes_of(set_to("compare/beside", "default")) == [
        "`compare.beside`: 'default' is this study; name another one, or set it to null"
    ]


def band(rate: int, low: float, high: float) -> Callable[[dict[str, Any]], None]:
    """Return a change of the band-pass and the sampling rate."""

    def change(config: dict[str, Any]) -> None:
        config["signals"]["sampling_rate_hz"] = rate
        config["signals"]["band_pass"].update(low_hz=low, high_hz=high)

    return change


def test_band() -> None:
    assert mistakes_of(band(80, 0.5, 40)) == []
    assert mistakes_of(band(79, 0.5, 40)) == [
        "`signals.band_pass.high_hz` is 40, at most half of `signals.sampling_rate_hz` = 79 can be kept"
    ]
    assert mistakes_of(band(80, 40, 40)) == ["`signals.band_pass`: low_hz 40 must lie below high_hz 40"]


def test_pretrainings_are_one_or_one_for_each_replicate() -> None:
    for n_pretrainings in (1, 3):
        assert mistakes_of(set_to("transfer/pretrainings", n_pretrainings)) == []
    (message,) = mistakes_of(set_to("transfer/pretrainings", 2))
    assert message.startswith("`transfer.pretrainings` is 2: one for all replicates or one for each, that is 1 or 3")


def test_order_of_keys_and_spelling_of_numbers_are_no_difference() -> None:
    """Text is what Snakemake hands over of ``--config``, where YAML takes 1e-3 for text, too."""
    simulate = {"b": {"amplitude": 2, "noise": 1}, "a": {"seed": 2, "prevalence": {"STE": 0.1, "AF": 0.1}}}
    first = OWN_CHOICES | {"score": {"seed": 7, "n_resamples": 100}, "simulate": simulate}
    again = {"a": {"prevalence": {"AF": "1e-1", "STE": 0.1}, "seed": "2"}, "b": {"noise": 1.0, "amplitude": "2.0"}}
    second = {"simulate": again, "score": {"n_resamples": "100", "seed": "7"}} | {
        key: OWN_CHOICES[key] for key in reversed(OWN_CHOICES) if key != "simulate"
    }
    assert repr(Study.of(first).as_config()) == repr(Study.of(second).as_config())


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("transfer/replicates", "4", 4),
        ("transfer/fractions", ["0.5", "1"], [0.5, 1.0]),
        ("training/learning_rate", "1e-3", 0.001),
        ("hardware/deterministic", "false", False),
        ("signals/notch_hz", "null", None),
        ("signals/notch_hz", "50", 50.0),
        ("limits", {"ptb-xl": "9"}, {"ptb-xl": 9}),
    ],
)
def test_text_of_the_command_line_is_what_it_spells(path: str, text: object, value: object) -> None:
    config = copy.deepcopy(DEFAULT)
    set_to(path, text)(config)
    found: Any = Study.of(config)
    for part in path.split("/"):
        found = getattr(found, part)
    assert found == value and type(found) is type(value)


def test_label_view() -> None:
    assert mistakes_of(set_to("labels/view", "superclass")) == []
    (mistake,) = mistakes_of(set_to("labels/view", "superclas"))
    assert mistake == "`labels.view`: 'superclas' is no table in config/labels/views; did you mean `superclass`?"


def test_label_views_of_corpora() -> None:
    assert mistakes_of(set_to("labels/views", {"sim-hospital": "superclass", "sim-clinic": "all"})) == []
    assert mistakes_of(set_to("labels/views", {"sim-hospitl": "superclas"})) == [
        "`labels.views.sim-hospitl`: 'superclas' is no table in config/labels/views; did you mean `superclass`?",
        "`labels.views.sim-hospitl`: no source or target of `transfer` has this name; did you mean `sim-hospital`?",
    ]


def test_own_data_has_a_name_of_its_own() -> None:
    entry = {"folder": "/archive", "table": "/archive/table.csv"}
    assert mistakes_of(set_to("own/ours", entry)) == []
    assert mistakes_of(set_to("own/sim-clinic", entry)) == [
        "`own.sim-clinic` has the name of another data set; choose another"
    ]
    assert mistakes_of(set_to("own/ours", {"folder": "/archive"})) == ["`own.ours` lacks the key `table`"]
    (mistake,) = mistakes_of(set_to("own/ours", {**entry, "columns": {"patent": "pid"}}))
    assert "`own.ours.columns` is 'patent', expected one of record, patient" in mistake


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        ({"by": "site", "valid_groups": ["a"], "test_groups": ["b"]}, []),
        ({"valid_groups": ["a"], "test_groups": ["b"]}, ["set `splits.by` to site or month"]),
        ({"by": "site", "valid_groups": ["a"], "test_groups": ["a"]}, ["share a group"]),
        ({"by": "month", "valid_groups": [], "test_groups": ["2020-01"]}, ["`splits.valid_groups` is empty"]),
    ],
)
def test_groups_of_sites_or_months(splits: dict[str, Any], told: list[str]) -> None:
    found = mistakes_of(lambda config: config["splits"].update(splits))
    assert len(found) == len(told)
    for mistake, expected in zip(found, told, strict=True):
        assert expected in mistake


def test_without_a_band_pass_its_band_does_not_matter() -> None:
    def none(config: dict[str, Any]) -> None:
        config["signals"]["band_pass"] |= {"design": "none", "high_hz": 400}

    assert mistakes_of(none) == []


@pytest.mark.parametrize("method", ["finetune", "probe", "svm", "gradual", "discriminative", "partial:1", "partial:12"])
def test_a_method_of_transfer(method: str) -> None:
    assert mistakes_of(set_to("transfer/methods", ["finetune", method] if method != "finetune" else [method])) == []
    assert method.partition(":")[0] in METHODS


@pytest.mark.parametrize(
    "method", ["partial", "partial:0", "partial:-1", "partial:1.5", "probe:1", "scratch", "probed", ""]
)
def test_what_is_no_method_of_transfer(method: str) -> None:
    (mistake,) = mistakes_of(set_to("transfer/methods", ["finetune", method]))
    assert mistake.startswith(
        f"`transfer.methods[1]` is '{method}', expected discriminative, finetune, gradual, partial:k (the lowest k"
    )
    assert "partial:k" in mistake


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_data_sets_do_not_end_in_what_says_something_of_a_corpus(suffix: str) -> None:
    entries = {
        "own": {"folder": "/archive", "table": "/archive/table.csv"},
        "outside_weights": {"trained_on": [], "files": {"gru": "/archive/gru.pt"}},
    }
    for section, entry in entries.items():
        (mistake,) = mistakes_of(set_to(f"{section}/ours{suffix}", entry))
        assert mistake.startswith(f"a key of `{section}` is 'ours{suffix}', expected letters, digits")
        assert f"'{suffix}'" in mistake
    assert not [name for name in PUBLISHED if name.endswith(suffix)]


@pytest.mark.parametrize("section", ["pretrain", "scratch", "finetune"])
def test_a_crop_is_no_longer_than_a_recording(section: str) -> None:
    assert mistakes_of(set_to(f"{section}/crop_s", 5)) == []
    assert mistakes_of(set_to(f"{section}/crop_s", 5.5)) == [
        f"`{section}.crop_s` is 5.5, at most `signals.duration_s` = 5 can be cut out"
    ]

"""The config of a study as one object: all its sections, and the plan that they define."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from ecgtransfer.config.data import Own, Simulated
from ecgtransfer.config.hardware import Hardware
from ecgtransfer.config.keys import (
    ONCE,
    OR_NULL,
    Matching,
    Mirror,
    Name,
    Number,
    Section,
    Seed,
    StudyName,
    Text,
    Truth,
    Whole,
    key,
)
from ecgtransfer.config.labels import Labels
from ecgtransfer.config.methods import Methods
from ecgtransfer.config.models import ModelOptions, OutsideWeights
from ecgtransfer.config.signals import Signals
from ecgtransfer.config.splits import Splits
from ecgtransfer.config.training import Pretrain, Training
from ecgtransfer.methods import METHODS, method_class, spellings

_Method = Annotated[str, Matching("|".join(method_class(name).pattern for name in METHODS), spellings())]
_Joined = Annotated[str, Matching(r"[^+]+([+][^+]+)*", "data sets with + between, such as georgia+ningbo")]
_Names = Annotated[list[str], ONCE]


class Transfer(Section):
    """The section ``transfer``."""

    sources: _Names = key(min_length=1)
    """corpora to pre-train on, and names of `outside_weights`; none serves a target with which it shares a data set"""
    targets: _Names = key(min_length=1)
    """corpora for which labels are few; a source that shares recordings with one is trained without them"""
    methods: Annotated[list[_Method], ONCE] = key(["finetune"], min_length=1)
    """methods of transfer, see below; training from scratch is always included"""
    models: _Names = key(min_length=1)
    """models of the registry"""
    fractions: Annotated[list[Annotated[Number, Field(gt=0, le=1)]], ONCE] = key(
        [0.2, 0.5, 1.0], unit="above 0, to 1", min_length=1
    )
    """shares of the training patients (by record, of the training records)"""
    replicates: Whole = key(3, ge=1, le=1000)
    """trainings per cell, each with its own subset of patients, head and order of batches; where there are more than
    before, only these are trained"""
    pretrainings: Whole = key(1, ge=1, le=1000)
    """pre-trainings of each model on each source: 1 for all replicates, or as many as replicates; then each starts from
    its own, and intervals include the variance of pre-training"""
    seed: Seed = key(1)
    """seed of the replicates"""
    validation: Literal["budget", "full"] = key("budget")
    """validation patients of a fraction: the same share of them (`budget`) or all (`full`)"""


class Score(Section):
    """The section ``score``."""

    n_resamples: Whole = key(1000, ge=100, le=100000)
    """bootstrap resamples of the test patients"""
    seed: Seed = key(1)
    """seed of the resamples"""
    min_positives: Whole = key(5, unit="patients", ge=1)
    """labels that fewer test patients have, or fewer lack, are left out of macro scores; with fewer than 5, intervals
    are too narrow"""


class Compare(Section):
    """The section ``compare``."""

    confidence: Number = key(0.95, unit="0 to 1", gt=0, lt=1)
    """of the intervals"""
    margin: Number = key(0.01, ge=0, le=1)
    """largest difference of a macro metric that counts as none (`equivalent`)"""
    variance: Literal["moderated", "own"] = key("moderated")
    """how far replicates vary is known from all comparisons of the study together (`moderated`), or from those of each
    alone (`own`)"""
    seed: Seed = key(1)
    """seed of the draws of replicates"""
    beside: Annotated[Text | None, OR_NULL] = key(None)
    """clean study in this folder, already run with `report.claims: true`, whose claims the page shows next to those of
    this leaky one"""


class DrawnRecordings(Section):
    """The section ``report.recordings``."""

    datasets: _Names = key([])
    """data sets to draw from in addition to the study's own"""
    per_dataset: Whole = key(3, ge=1, le=20)
    """recordings to draw per data set"""


class Report(Section):
    """The section ``report``."""

    claims: Truth = key(False)
    """whether the page says of five conclusions of Nguyen & Do and Avetisyan et al. what this study finds on them"""
    recordings: DrawnRecordings = DrawnRecordings()
    """recordings drawn on ECG paper"""


class Study(Section):
    """The whole config of a study."""

    study: StudyName = key("default")
    """name of the study; results go to `results/<study>/`"""
    mirror: Mirror = key("https://physionet.org")
    """where published data sets come from: a web server, or `file:///folder` laid out like physionet.org"""
    mirrors: dict[str, Mirror] = key({})
    """other places for single data sets, `{code-15: file:///copies/code-15}`: the exact folder that holds a copy,
    laid out as published, and its `SHA256SUMS.txt`"""
    limits: dict[str, Annotated[Whole, Field(ge=1)]] = key({}, unit="records")
    """first records of a published data set, `{ptb-xl: 400}`; all without an entry"""
    own: dict[Name, Own] = key({})
    """data sets of your own, by name"""
    simulate: dict[Name, Simulated] = key({})
    """simulated corpora, by name; only those that the study names are made"""
    corpora: dict[Name, _Joined] = key({})
    """names for joined data sets, used in `transfer`, in `labels.views`, in paths and on the page"""
    signals: Signals = Signals()
    """from recordings to arrays"""
    labels: Labels = Labels()
    """from diagnosis codes to labels; signals stay"""
    splits: Splits = Splits()
    """who trains, validates and tests, by patient; published folds are kept"""
    models: dict[Name, ModelOptions] = key({})
    """options of models, by name; without an entry, and for each option that it leaves out, a model is as published"""
    outside_weights: dict[Name, OutsideWeights] = key({})
    """weights that were trained elsewhere, by a name of your choice, which `transfer.sources` can name"""
    transfer: Transfer = key()
    """the plan of the study; every target is trained from scratch and, by every method, from every source"""
    training: Training = Training()
    """what all trainings share; `pretrain`, `scratch` and `finetune` hold what differs there"""
    pretrain: Pretrain = Pretrain()
    """trainings on a source"""
    scratch: Training = Training()
    """trainings on a fraction of a target from random weights"""
    finetune: Training = Training()
    """trainings on a fraction of a target from pre-trained weights, by all methods of transfer"""
    methods: Methods = Methods()
    """settings of methods of transfer beyond the section `finetune`"""
    hardware: Hardware = Hardware()
    """how training uses the machine"""
    score: Score = Score()
    """scores on the test records and on resamples of their patients"""
    compare: Compare = Compare()
    """intervals and verdicts"""
    report: Report = Report()
    """the page"""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Return the study of a config; its sections of trainings have all that they take over from ``training``.

        Raises
        ------
        pydantic.ValidationError
            If a key is unknown, or a value is not valid for its key.
        """
        study = cls.model_validate(config)
        sections = {"pretrain": study.pretrain, "scratch": study.scratch, "finetune": study.finetune}
        return study.model_copy(
            update={
                name: section.model_copy(
                    update={
                        shared: getattr(study.training, shared)
                        for shared in section.taken_over()
                        if shared not in section.model_fields_set
                    }
                )
                for name, section in sections.items()
            }
        )

    def options_of(self, model: str) -> dict[str, Any]:
        """Return the options of a model in the section ``models``."""
        options = self.models.get(model)
        return options.as_given() if options else {}

    def as_config(self) -> dict[str, Any]:
        """Return the study as plain values, keys in alphabetical order; options that are left out are not there."""
        plain = self.model_dump()
        for section in ("own", "models", "outside_weights"):
            plain[section] = {name: entry.as_given() for name, entry in getattr(self, section).items()}
        in_order: dict[str, Any] = _in_key_order(plain)
        return in_order


def _in_key_order(value: Any) -> Any:
    """Return plain values with the keys of every section sorted: their order in the file must rerun nothing."""
    if isinstance(value, dict):
        return {name: _in_key_order(value[name]) for name in sorted(value)}
    return [_in_key_order(item) for item in value] if isinstance(value, list) else value

"""Config sections that take recordings to arrays, labels and roles."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ecgtransfer.config.keys import ONCE, OR_NULL, Number, Section, Seed, Text, Truth, Whole, expected, key


class BandPass(Section):
    """The section ``signals.band_pass``."""

    design: Literal["butterworth", "fir", "none"] = key("butterworth")
    """`butterworth` (forward and backward), `fir` (linear phase) or `none`"""
    low_hz: Number = key(0.5, unit="Hz", ge=0.01)
    """lower half-power frequency of one pass"""
    high_hz: Number = key(20.0, unit="Hz", gt=0)
    """upper one, at most half of `sampling_rate_hz`"""
    order: Whole = key(3, ge=1, le=10)
    """order of the Butterworth filter"""
    edge_s: Number = key(1.0, unit="s", ge=0, le=60)
    """odd extension at both ends, against edge effects"""


class ImplausibleGain(Section):
    """The section ``signals.implausible_gain``."""

    ratio: Number = key(4.0, gt=1)
    """how many times larger or smaller than the data set's median an amplitude may be"""
    action: Literal["flag", "exclude", "rescale"] = key("flag")
    """`flag` a recording whose amplitude, or gain in the header, is out of line with its data set, `exclude` it, or
    `rescale` it where the gain in its header is the cause"""


class Signals(Section):
    """The section ``signals``."""

    sampling_rate_hz: Whole = key(50, unit="Hz", ge=20, le=2000)
    """rate to which every recording is resampled"""
    duration_s: Number = key(5.0, unit="s", gt=0, le=600)
    """length that is kept"""
    band_pass: BandPass = BandPass()
    """band-pass without delay, before resampling"""
    notch_hz: Annotated[Number | None, OR_NULL] = key(None, unit="Hz", ge=40, le=70)
    """mains frequency that a notch filter removes, 50 or 60; `null` for no notch"""
    remove_baseline: Truth = key(False)
    """first subtract a baseline from two moving medians (0.2 s, then 0.6 s)"""
    resampling: Literal["polyphase", "fft", "slice"] = key("polyphase")
    """`polyphase` (anti-aliased); `fft` (as Avetisyan et al.) or `slice` (every k-th sample, as Nguyen & Do) for
    parity"""
    scaling: Literal["none", "min-max", "z-score"] = key("none")
    """`none`; per record and lead `min-max` to -1..1 (as Nguyen & Do) or `z-score` (as Avetisyan et al.) for parity"""
    crop: Literal["start", "centre"] = key("start")
    """`start` or `centre` of a longer recording"""
    pad_short_records: Truth = key(True)
    """pad a shorter recording with 0 mV; `false` leaves it out"""
    max_flat_leads: Whole = key(6, unit="leads", ge=0, le=12)
    """a recording with more missing or constant leads is left out; constant for 2 s and a fifth of the recording
    counts"""
    max_nan_fraction: Number = key(0.2, unit="0 to 1", ge=0, le=1)
    """a recording with more missing samples is left out"""
    implausible_gain: ImplausibleGain = ImplausibleGain()
    """recordings whose amplitude, or gain in the header, is out of line with their data set"""


def _all_or_some(value: Any) -> Any:
    if value == "all" or not isinstance(value, str):
        return value
    raise expected("'all' or a list of labels such as [AF, CLBBB]")


_AllOrSome = Annotated[Literal["all"] | Annotated[list[str], Field(min_length=1), ONCE], BeforeValidator(_all_or_some)]


class Labels(Section):
    """The section ``labels``."""

    view: str = key("all")
    """which codes make which label: `all`, or a table of `labels/views/`"""
    views: dict[str, str] = key({})
    """views of single corpora instead of `view`, `{ptb-xl: superclass, georgia: nguyen-georgia}`"""
    include: _AllOrSome = key("all")
    """`all`, or a list of abbreviations or SNOMED CT codes of `labels/snomed.csv`"""
    top: Annotated[Whole | None, OR_NULL] = key(None, ge=1)
    """keep only this many labels, the most frequent ones; `null` for all"""
    min_likelihood: Number = key(0.0, unit="%", ge=0, le=100)
    """likelihood that a diagnostic statement of PTB-XL needs to count"""
    min_records: Whole = key(20, unit="records", ge=1)
    """a label is kept if at least this many records have it, and at least this many are known to lack it"""
    shuffle_seed: Seed = key(1)
    """seed of the corpora whose name ends in `-shuffled`"""


Folds = Annotated[list[Annotated[Whole, Field(ge=1)]], ONCE]
Groups = Annotated[list[Text], ONCE]


class Splits(Section):
    """The section ``splits``."""

    by: Literal["patient", "site", "month", "record"] = key("patient")
    """what is assigned to roles: each `patient`, or whole `site`s or `month`s of recording (a patient then keeps one
    role, other records of the patient are left out); or, only for parity, single records (`record`): then a patient can
    be in training and test"""
    seed: Seed = key(1)
    """seed of the folds made here and of the order of patients"""
    n_folds: Whole = key(10, ge=3, le=1000)
    """folds to make where none are published"""
    valid_folds: Folds = key([3])
    """folds, from 1, whose patients are for validation; with `[]` and no `valid_groups` there are none: epochs and
    thresholds are then chosen on the test records, and the page says so"""
    test_folds: Folds = key([4, 5, 6, 7, 8, 9, 10], min_length=1)
    """folds whose patients are for testing; all others are for training, and in a source these, too"""
    valid_groups: Groups = key([])
    """sites or months (`2020-03`) for validation, where roles are assigned by them; without any, folds decide"""
    test_groups: Groups = key([])
    """sites or months for testing"""
    test_share: Annotated[Number | None, OR_NULL] = key(None, unit="0 to 1", gt=0, lt=1)
    """only with `by: record`, where folds do not apply: share of the records for testing, rounded up; all others are
    for training"""

    @property
    def has_validation(self) -> bool:
        """Whether any records are kept for validation; else epochs and thresholds are chosen on the test records."""
        return self.by != "record" and bool(self.valid_folds or self.valid_groups)

"""Config section of how recordings become arrays."""

from typing import Annotated, Literal

from ecgtransfer.config.keys import OR_NULL, Number, Section, Truth, Whole, key


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

    @property
    def samples_per_lead(self) -> int:
        """The length of prepared recordings."""
        return round(self.duration_s * self.sampling_rate_hz)

"""Rules on amplitudes and gains that are out of line with their data set."""

import math

import numpy as np
import pytest

from ecgtransfer.prepare.formats.wfdb_headers import LeadSpecification
from ecgtransfer.prepare.gains import (
    EXPLAINS,
    FITS,
    common_gain,
    correction_factors,
    gain_of,
    gain_ratios,
    implausible,
    misfit_of_gains,
    nearly_common_gain,
)

NAN = math.nan


class TestAmplitude:
    """Amplitudes against the median of their data set."""

    def test_ratios(self) -> None:
        amplitudes = np.array([1.0, 2.0, 0.4, 9.0, 0.0, 50.0])
        usable = np.array([True, True, True, True, True, False])
        ratios = gain_ratios(amplitudes, usable)
        np.testing.assert_allclose(ratios, [1 / 1.5, 2 / 1.5, 0.4 / 1.5, 6, NAN, 50 / 1.5])
        assert implausible(ratios, 4.0).tolist() == [False, False, False, True, False, True]

    def test_no_usable_record(self) -> None:
        ratios = gain_ratios(np.array([1.0, 2.0]), np.array([False, False]))
        assert np.isnan(ratios).all()
        assert not implausible(ratios, 4.0).any()

    def test_the_common_gain_is_that_of_most(self) -> None:
        assert common_gain(np.array([1000.0, 1000.0, 200.0])) == 1000
        assert common_gain(np.array([1000.0, 1000.0, 200.0, NAN])) is None
        assert common_gain(np.array([1000.0, 200.0])) is None
        assert common_gain(np.array([])) is None

    @pytest.mark.parametrize(
        ("ratio", "gain", "factor"),
        [(0.13, 4880.0, 4.88), (4.6, 200.0, 0.2), (0.13, 1000.0, NAN), (0.13, NAN, NAN), (0.13, 200.0, NAN)],
    )
    def test_a_gain_that_explains_the_amplitude(self, ratio: float, gain: float, factor: float) -> None:
        factors = correction_factors(np.array([gain, 1000, 1000]), np.array([ratio, 1, 0.1]), 4.0)
        np.testing.assert_array_equal(factors, [factor, NAN, NAN])
        assert np.isnan(correction_factors(np.array([gain, 1000, 900]), np.array([ratio, 1, 1]), 4.0)).all()

    def test_a_wrong_gain_is_corrected_where_the_amplitude_alone_would_pass(self) -> None:
        gains, ratios = np.full(40, 1000.0), np.ones(40)
        gains[:2], ratios[:2] = (4880, 200), (0.5, 1.1)
        factors = correction_factors(gains, ratios, 4.0)
        assert np.flatnonzero(factors > 0).tolist() == [0]
        assert factors[0] == 4.88


def lead(gain: float, unit: str = "mV") -> LeadSpecification:
    return LeadSpecification(sample_format=16, byte_offset=0, gain=gain, baseline=0, unit=unit, name="I")


class TestGainOfHeader:
    """The gain that a header states."""

    def test_in_steps_per_millivolt(self) -> None:
        assert gain_of((lead(1000), lead(1000))) == 1000
        assert gain_of((lead(1, "uV"), lead(1000))) == 1000

    def test_none_where_leads_differ_or_hold_no_voltage(self) -> None:
        assert math.isnan(gain_of((lead(1000), lead(200))))
        assert math.isnan(gain_of((lead(1000), lead(1000, "bpm"))))


class TestOddGains:
    """Another gain than nearly all of a data set have."""

    @staticmethod
    def misfit(odd: list[tuple[float, float]], n: int = 75) -> dict[int, float]:
        """Return the misfits that are not 0 among `n` records, the first of which have an odd gain and such a ratio."""
        gains, ratios = np.full(n, 1000.0), np.exp(np.linspace(-0.9, 0.9, n))
        for row, (gain, ratio) in enumerate(odd):
            gains[row], ratios[row] = gain, ratio
        found = misfit_of_gains(gains, ratios)
        return {int(row): float(found[row]) for row in np.flatnonzero(found)}

    @pytest.mark.parametrize(("gain", "ratio"), [(4880, 0.13), (4880, 0.5), (200, 4.6), (200, 2.0), (1e6, 0.001)])
    def test_wrong_where_the_amplitude_agrees(self, gain: float, ratio: float) -> None:
        misfit = self.misfit([(gain, ratio)])
        assert misfit == {0: pytest.approx(-math.log(ratio) / math.log(gain / 1000))}
        assert misfit[0] > EXPLAINS

    def test_suspicious_where_the_amplitude_does_not_tell(self) -> None:
        assert FITS < self.misfit([(4880, 0.7)])[0] < EXPLAINS

    @pytest.mark.parametrize(("gain", "ratio"), [(4880, 0.9), (4880, 3.0), (200, 1.1), (200, 0.5), (500, 1.1)])
    def test_a_gain_that_fits_its_amplitude_is_of_another_device(self, gain: float, ratio: float) -> None:
        assert self.misfit([(gain, ratio)])[0] < FITS

    def test_records_of_one_odd_gain_are_judged_together(self) -> None:
        assert min(self.misfit([(4880, 0.2), (4880, 0.3), (4880, 0.9)]).values()) > EXPLAINS
        assert max(self.misfit([(200, 0.9), (200, 1.1), (200, 2.5)]).values()) < FITS

    def test_gains_that_hardly_differ(self) -> None:
        assert self.misfit([(1024, 0.9), (1800, 0.4)]) == {}

    def test_only_where_nearly_all_have_one_gain(self) -> None:
        assert list(self.misfit([(4880, 0.3)] * 3, n=60)) == [0, 1, 2]  # 95 %
        assert self.misfit([(4880, 0.3)] * 4, n=60) == {}

    def test_records_without_a_gain_or_amplitude(self) -> None:
        assert list(self.misfit([(NAN, 0.1), (4880, NAN), (4880, 0.2)])) == [2]
        assert nearly_common_gain(np.array([NAN, NAN])) is None
        assert not misfit_of_gains(np.full(9, NAN), np.ones(9)).any()

"""Where leads lie, from what they have to do with each other: constructed leads whose order is known."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.lead_order import (
    CHEST_IN_ORDER,
    IN_ORDER,
    Order,
    in_words,
    limb_misfit,
    off_by_mv,
    order_of_chest_leads,
    order_of_limb_leads,
)

Signal = npt.NDArray[np.float64]


def leads(seed: int = 0) -> Signal:
    """Return twelve leads of noise in mV, of which the limb leads add up and chest leads resemble their neighbours."""
    rng = np.random.default_rng(seed)
    one, two = rng.standard_normal((2, 2000)) * [[0.3], [0.4]]
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return np.array([*limb, *np.cumsum(0.3 * rng.standard_normal((6, 2000)), axis=0)])


def covariance(signal: Signal) -> Signal:
    centred = signal - signal.mean(axis=1, keepdims=True)
    return np.asarray(centred @ centred.T / signal.shape[1])


def scaled(signal: Signal) -> Signal:
    """Return leads that were each scaled to a range of their own."""
    return signal * np.random.default_rng(9).uniform(0.2, 5, (len(signal), 1))


def called(signal: Signal, names: str) -> Signal:
    """Return a signal as it is read where its leads, in standard order, are given other names, -aVR for inverted."""
    said = names.split()
    signs = {name.removeprefix("-"): -1 if name.startswith("-") else 1 for name in said}
    at = {name.removeprefix("-"): row for row, name in enumerate(said)}
    return np.array([signs[lead] * signal[at[lead]] for lead in LEADS])


CHEST = "V1 V2 V3 V4 V5 V6"
MISTAKES = [
    (f"I II III aVR aVF aVL {CHEST}", "aVL and aVF seem swapped"),
    (f"I II III aVL aVR aVF {CHEST}", "aVR and aVL seem swapped"),
    (f"II I III aVR aVL aVF {CHEST}", "I and II seem swapped"),
    (f"I III II aVR aVL aVF {CHEST}", "II and III seem swapped"),
    (f"I II III -aVR aVL aVF {CHEST}", "aVR seems inverted"),
    (f"I II -III aVR aVL aVF {CHEST}", "III seems inverted"),
    (f"I II III aVL aVF aVR {CHEST}", "what is called aVR, aVL, aVF seems to be aVF, aVR, aVL"),
    (f"I II III -aVL aVR aVF {CHEST}", "what is called aVR, aVL seems to be aVL, -aVR"),
]


class TestLimbLeads:
    """The identities of Einthoven and Goldberger."""

    @pytest.mark.parametrize("is_scaled", [False, True])
    def test_leads_that_are_called_right(self, is_scaled: bool) -> None:
        signal = scaled(leads()) if is_scaled else leads()
        assert limb_misfit(covariance(signal), is_scaled) == pytest.approx(0, abs=1e-12)
        assert order_of_limb_leads(covariance(signal), is_scaled) == IN_ORDER

    @pytest.mark.parametrize("is_scaled", [False, True])
    @pytest.mark.parametrize(("names", "words"), MISTAKES)
    def test_the_least_change_that_explains_it_is_named(self, names: str, words: str, is_scaled: bool) -> None:
        for seed in range(5):
            signal = called(scaled(leads(seed)) if is_scaled else leads(seed), names)
            order = order_of_limb_leads(covariance(signal), is_scaled)
            assert order is not None
            assert in_words(order, range(6)) == words
            right = np.array([sign * signal[column] for column, sign in order])
            if not is_scaled:
                np.testing.assert_allclose(right, leads(seed)[:6], atol=1e-12)

    @pytest.mark.parametrize(("a", "b"), list(itertools.combinations(range(6), 2)))
    def test_every_swap_of_two(self, a: int, b: int) -> None:
        columns = [b if lead == a else a if lead == b else lead for lead in range(6)]
        signal = leads()[[*columns, *range(6, 12)]]
        assert order_of_limb_leads(covariance(signal), is_scaled=False) == tuple((column, 1) for column in columns)

    def test_limb_leads_among_chest_leads(self) -> None:
        v_first = covariance(leads()[[*range(6, 12), *range(6)]])
        order = order_of_limb_leads(v_first, is_scaled=False)
        assert order == tuple((lead + 6, 1) for lead in range(6))
        swapped = leads()
        swapped[[5, 8]] = swapped[[8, 5]]
        order = order_of_limb_leads(covariance(swapped), is_scaled=False)
        assert order is not None
        assert order[5] == (8, 1)
        assert in_words(order, range(6)) == "what is called V3 seems to be aVF"

    def test_chest_leads_that_are_not_there(self) -> None:
        cov = covariance(called(leads(), MISTAKES[0][0]))
        cov[6:], cov[:, 6:] = np.nan, np.nan
        order = order_of_limb_leads(cov, is_scaled=False)
        assert order is not None
        assert in_words(order, range(6)) == MISTAKES[0][1]

    @pytest.mark.parametrize("is_scaled", [False, True])
    def test_exchanged_electrodes_add_up_as_well(self, is_scaled: bool) -> None:
        signal = leads()
        arms = signal[[0, 2, 1, 4, 3, 5]] * np.array([-1, 1, 1, 1, 1, 1])[:, None]
        cov = covariance(np.concatenate([arms, signal[6:]]))
        assert order_of_limb_leads(cov, is_scaled) == IN_ORDER

    @pytest.mark.parametrize("is_scaled", [False, True])
    def test_leads_that_add_up_in_no_order(self, is_scaled: bool) -> None:
        noise = np.random.default_rng(1).standard_normal((12, 2000))
        assert limb_misfit(covariance(noise), is_scaled) == pytest.approx(4 / 6, abs=0.05)
        assert order_of_limb_leads(covariance(noise), is_scaled) is None

    def test_steps_of_a_converter_still_add_up(self) -> None:
        coarse = np.rint(leads() / 0.005) * 0.005
        assert order_of_limb_leads(covariance(coarse), is_scaled=False) == IN_ORDER

    def test_copies_of_one_curve_tell_nothing(self) -> None:
        one = leads()
        one[:6] = one[0] * np.array([1, 1, 0.001, -1, 0.5, 0.5])[:, None]
        assert order_of_limb_leads(covariance(one), is_scaled=True) == IN_ORDER

    def test_by_how_much_identities_are_off(self) -> None:
        signal = leads()
        assert max(off_by_mv(covariance(signal)).values()) < 1e-7
        swapped = called(signal, MISTAKES[0][0])
        found = off_by_mv(covariance(swapped))
        expected = np.std(swapped[4] - (swapped[0] - swapped[1] / 2))
        assert found[4] == pytest.approx(expected)
        assert found[2] < 1e-7
        assert found[3] < 1e-7


class TestChestLeads:
    """Neighbours resemble each other."""

    @staticmethod
    def order(signal: Signal) -> Order:
        return order_of_chest_leads(np.corrcoef(signal))

    def test_in_order(self) -> None:
        assert self.order(leads()) == CHEST_IN_ORDER
        assert self.order(np.concatenate([leads()[:6], leads()[:5:-1]])) == CHEST_IN_ORDER  # nothing tells

    @pytest.mark.parametrize(
        ("chest", "words"),
        [
            ("V2 V1 V3 V4 V5 V6", "V1 and V2 seem swapped"),
            ("V1 V3 V2 V4 V5 V6", "V2 and V3 seem swapped"),
            ("V1 V2 V3 V4 V6 V5", "V5 and V6 seem swapped"),
            ("V1 V2 V3 -V4 V5 V6", "V4 seems inverted"),
            ("V1 -V2 V3 V4 V5 -V6", "V2, V6 seem inverted"),
            ("V3 V1 V2 V4 V5 V6", "what is called V1, V2, V3 seems to be V2, V3, V1"),
        ],
    )
    def test_out_of_order(self, chest: str, words: str) -> None:
        signal = called(leads(), f"I II III aVR aVL aVF {chest}")
        assert in_words(self.order(signal), range(6, 12)) == words

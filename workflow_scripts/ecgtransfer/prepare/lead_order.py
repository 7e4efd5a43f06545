"""Whether leads are what their names say, judged by how leads depend on each other.

Two of the six limb leads give the other four (Einthoven, Goldberger), so a swapped or inverted one does not add up, and
the one order that adds up shows what was swapped. No such identity holds between chest leads, but over many recordings
neighbours resemble each other most. An order is a (column, sign) for each lead: where it seems to be, and whether
inverted. Leads of exchanged electrodes cannot be distinguished from the right ones: they add up as well.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.quality import LIMB_LEADS

Array = npt.NDArray[np.float64]
Order = tuple[tuple[int, int], ...]

N_LIMB, N_CHEST = 6, 6
IN_ORDER: Order = tuple((lead, 1) for lead in range(N_LIMB))
CHEST_IN_ORDER: Order = tuple((lead, 1) for lead in range(N_LIMB, N_LIMB + N_CHEST))

IDENTITIES = {2: "III = II - I", 3: "aVR = -(I + II) / 2", 4: "aVL = I - II / 2", 5: "aVF = II - I / 2"}
"""What the other limb leads are of I and II."""

ADDS_UP = 0.003
"""Share of the energy of the limb leads that contradicts the identities, at most. In published recordings it is below
0.0002 except for two of 1,400, and with a lead swapped or inverted 0.01 to 0.7."""
BETTER = 10
"""Times less of it in the order that a record seems to have than in the one that it should have."""
DOES_NOT = 0.1
"""Share from which on leads do not add up, whatever their names."""

PARALLEL = 3e-5
"""Mean squared sine between the directions of leads whose amplitudes are unknown and those that they should have. In
published recordings it is below 0.00001, and with leads swapped 0.0002 to 0.02."""
FLAT_PLANE = 1e-3
"""Share of the second direction below which the limb leads are copies of one curve, and show nothing."""

OUT_OF_CHAIN = 0.03
"""Sum of correlations between neighbours by which another order of the chest leads must beat the one called so. Of the
published data sets none has a better order than its own, and most lose twice as much with V5 and V6 swapped."""
UPSIDE_DOWN = -0.3
"""Correlation with its neighbours below which a chest lead is inverted; 0.3 to 0.98 in published data sets."""

_CONTRADICTION = np.eye(N_LIMB) - LIMB_LEADS @ np.linalg.pinv(LIMB_LEADS)
_DIRECTIONS = LIMB_LEADS / np.linalg.norm(LIMB_LEADS, axis=1, keepdims=True)
_ORDERS = np.array(list(itertools.permutations(range(N_LIMB))))
_CHAINS = np.array([chain for chain in itertools.permutations(range(N_CHEST)) if chain[0] < chain[-1]])
_PAIRS = np.array([(a, b, s) for a in range(len(LEADS)) for b in range(len(LEADS)) if a != b for s in (1, -1)])


def limb_misfit(covariance: Array, is_scaled: bool) -> float:
    """Return the share of the energy of the limb leads that the identities do not allow, 0 if all add up.

    Parameters
    ----------
    covariance
        Of the twelve leads, shape (12, 12); the six limb leads are there.
    is_scaled
        Whether each lead was scaled by itself. Then only the share outside of a plane counts, which no scale changes.
    """
    limb = covariance[:N_LIMB, :N_LIMB]
    if is_scaled:
        return float(np.linalg.eigvalsh(_correlations(limb))[:-2].sum()) / N_LIMB
    return float(np.sum(_CONTRADICTION * limb) / np.trace(limb))


def order_of_limb_leads(covariance: Array, is_scaled: bool) -> Order | None:
    """Return where the six limb leads are, `IN_ORDER` if in the order of their names, None if no order adds up.

    Of the orders that add up equally well it is the one that differs least from `IN_ORDER`.

    Parameters
    ----------
    covariance
        As in `limb_misfit`, with NaN in the rows and columns of chest leads that are not there.
    is_scaled
        As in `limb_misfit`; then they are looked for among the limb leads alone.
    """
    if is_scaled:
        return _order_of_directions(covariance[:N_LIMB, :N_LIMB])
    misfit = limb_misfit(covariance, is_scaled)
    if misfit < ADDS_UP:
        return IN_ORDER
    shares, columns, signs = _candidates(covariance)
    best = float(shares.min())
    if not best < min(ADDS_UP, misfit / BETTER):
        return None
    good = shares <= max(4 * best, ADDS_UP / 30)
    return _least_changed(columns[good], signs[good])


def _candidates(covariance: Array) -> tuple[Array, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return orders by which pair of columns I and II are: energy that contradicts, columns and signs of the six."""
    there = ~np.isnan(np.diag(covariance))
    known = np.nan_to_num(covariance)
    n_pairs, n_columns = len(_PAIRS), len(known)
    every = np.arange(n_pairs)
    predicted = np.zeros((n_pairs, N_LIMB, n_columns))
    for lead, (of_one, of_two) in enumerate(LIMB_LEADS):
        predicted[every, lead, _PAIRS[:, 0]] += of_one
        predicted[every, lead, _PAIRS[:, 1]] += of_two * _PAIRS[:, 2]
    products = predicted @ known
    energies = np.einsum("plc,plc->pl", predicted, products)
    columns, signs = np.zeros((2, n_pairs, N_LIMB), dtype=np.int64)
    columns[:, :2], signs[:, 0], signs[:, 1] = _PAIRS[:, :2], 1, _PAIRS[:, 2]
    taken = np.tile(~there, (n_pairs, 1))
    pair_there = ~taken[every, columns[:, 0]] & ~taken[every, columns[:, 1]]
    taken[every[:, None], columns[:, :2]] = True
    off = np.zeros(n_pairs)
    for lead in range(2, N_LIMB):
        cost = energies[:, lead, None] - 2 * np.abs(products[:, lead]) + np.diag(known)
        cost[taken] = np.inf
        nearest = cost.argmin(axis=1)
        columns[:, lead], signs[:, lead] = nearest, np.where(products[every, lead, nearest] < 0, -1, 1)
        taken[every, nearest] = True
        off += cost[every, nearest]
    total = np.diag(known)[columns].sum(axis=1)
    shares = np.where(pair_there & (total > 0), off / np.where(total > 0, total, 1), np.inf)
    return shares, columns, signs


def _order_of_directions(limb: Array) -> Order | None:
    """Return the order in which leads of unknown amplitudes point where they should, seen from some side of the heart.

    Six directions in a plane, each of its own length, are those of the limb leads if one linear map of the plane brings
    all of them to parallel ones.
    """
    shares, vectors = np.linalg.eigh(_correlations(limb))
    if shares[-2] < FLAT_PLANE * N_LIMB:
        return IN_ORDER
    if shares[:-2].sum() / N_LIMB > DOES_NOT:
        return None
    points = vectors[:, -2:] * np.sqrt(shares[-2:])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for orders in (_ORDERS[:1], _ORDERS):  # nearly always the first will do
        good, signs = _parallel(points[orders])
        if good.any():
            found = _least_changed(orders[good], signs[good])
            if found == IN_ORDER or len(orders) > 1:
                return found
    return None


def _parallel(points: Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return which orders one linear map makes parallel to the directions of the limb leads, and with which signs.

    Parameters
    ----------
    points
        Shape (orders, 6, 2): directions of the leads, of length 1.
    """
    x, y = points[..., 0], points[..., 1]
    across = np.stack(
        [-y * _DIRECTIONS[:, 0], x * _DIRECTIONS[:, 0], -y * _DIRECTIONS[:, 1], x * _DIRECTIONS[:, 1]], -1
    )
    values, maps = np.linalg.eigh(np.swapaxes(across, 1, 2) @ across)
    along = np.einsum("oli,oli->ol", points, _DIRECTIONS @ maps[:, :, 0].reshape(-1, 2, 2))
    return values[:, 0] / N_LIMB < PARALLEL, np.where(along < 0, -1, 1)


def _least_changed(columns: npt.NDArray[np.int64], signs: npt.NDArray[np.int64]) -> Order:
    """Return the order that differs least from `IN_ORDER`; the common sign of all leads cannot be known."""
    columns, signs = np.concatenate([columns, columns]), np.concatenate([signs, -signs])
    moved = columns != np.arange(N_LIMB)
    n_changed, n_inverted = (moved | (signs < 0)).sum(axis=1), (signs < 0).sum(axis=1)
    least = np.lexsort((n_inverted, n_changed))[0]
    return tuple(zip(columns[least].tolist(), signs[least].tolist(), strict=True))


def _correlations(covariance: Array) -> Array:
    deviations = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviations, deviations))


def off_by_mv(covariance: Array) -> dict[int, float]:
    """Return by how many mV (root mean square) each of `IDENTITIES` is off, by the lead that it gives."""
    limb = covariance[:N_LIMB, :N_LIMB]
    differences = {lead: np.eye(N_LIMB)[lead] - np.array([*LIMB_LEADS[lead], 0, 0, 0, 0]) for lead in IDENTITIES}
    return {lead: float(np.sqrt(max(0.0, weights @ limb @ weights))) for lead, weights in differences.items()}


def order_of_chest_leads(correlations: Array) -> Order:
    """Return where V1 to V6 are, `CHEST_IN_ORDER` if in the order of their names.

    Parameters
    ----------
    correlations
        Between the twelve leads, shape (12, 12): medians over many recordings.
    """
    chest = correlations[N_LIMB:, N_LIMB:]
    neighbours = np.diag(chest, 1)
    signs = np.cumprod([1, *np.where(neighbours < UPSIDE_DOWN, -1, 1)])
    signs = signs if signs.sum() >= 0 else -signs
    likeness = chest[_CHAINS[:, :-1], _CHAINS[:, 1:]].sum(axis=1)
    if (signs < 0).any() and np.sum(neighbours * signs[:-1] * signs[1:]) >= likeness.max():
        return tuple((N_LIMB + lead, int(sign)) for lead, sign in enumerate(signs))
    if likeness.max() - neighbours.sum() < OUT_OF_CHAIN:
        return CHEST_IN_ORDER
    chain = _CHAINS[likeness.argmax()]
    chain = max(chain, chain[::-1], key=lambda way: int((way == np.arange(N_CHEST)).sum()))
    return tuple((N_LIMB + int(column), 1) for column in chain)


def in_words(order: Order, leads: Sequence[int]) -> str:
    """Return what an order implies for the names of leads: which are swapped, inverted or misnamed.

    Parameters
    ----------
    order
        Another one than that of `leads`.
    leads
        Numbers of the leads that it places.
    """
    seems = {column: ("-" if sign < 0 else "") + LEADS[lead] for lead, (column, sign) in zip(leads, order, strict=True)}
    wrong = {LEADS[column]: lead for column, lead in sorted(seems.items()) if lead != LEADS[column]}
    if len(wrong) == 2 and set(wrong) == set(wrong.values()):
        return f"{' and '.join(wrong)} seem swapped"
    if all(lead == f"-{name}" for name, lead in wrong.items()):
        return f"{', '.join(wrong)} {'seems' if len(wrong) == 1 else 'seem'} inverted"
    return f"what is called {', '.join(wrong)} seems to be {', '.join(wrong.values())}"

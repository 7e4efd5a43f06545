"""Which pairs of recordings may be the same, from their fingerprints: nearest neighbours among all landmarks.

Where two recordings share a stretch, it begins with the beginning of one of them and ends with the end of one of them.
So it is enough to look up the first landmarks and the last one of every recording among all landmarks.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

N_COMPONENTS = 10
"""Principal components of the descriptors that a search compares; the others hold mostly noise."""

RADIUS = 0.1
"""How far apart landmarks of the same signal may lie. 20 µV of noise moves them by half of that; of landmarks of
different recordings, one pair in about a million lies so close."""

N_NEIGHBOURS = 24
"""Of one landmark: a few beats of the same recording, and its copies."""

N_FIRST, N_LAST = 3, 1
"""Landmarks of each recording that are looked up."""

ROWS_AT_ONCE = 20_000
"""Bounds the memory of copies and answers."""

LAGS_PER_PAIR, LAG_STEP_S = 6, 0.02
"""How many lags of two recordings are tried, and what counts as another one."""

Landmarks = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float32]]
"""Recording (ascending), position in seconds, and place in the space of `principal_components` of each landmark."""


def principal_components(descriptors: list[npt.NDArray[np.float16]]) -> npt.NDArray[np.float32]:
    """Return the directions in which descriptors differ most, shape (directions, `N_COMPONENTS`)."""
    n, n_directions = sum(map(len, descriptors)), descriptors[0].shape[1]
    if n == 0:
        return np.zeros((n_directions, N_COMPONENTS), dtype=np.float32)
    total, products = np.zeros(n_directions), np.zeros((n_directions, n_directions))
    for descriptor in descriptors:
        for first in range(0, len(descriptor), ROWS_AT_ONCE):
            lot = descriptor[first : first + ROWS_AT_ONCE].astype(np.float64)
            total += lot.sum(axis=0)
            products += lot.T @ lot
    mean = total / n
    _, vectors = np.linalg.eigh(products / n - np.outer(mean, mean))
    return np.ascontiguousarray(vectors[:, : -N_COMPONENTS - 1 : -1]).astype(np.float32)


def candidates_within(landmarks: Landmarks, n_workers: int) -> pd.DataFrame:
    """Return ``a, b, lag_s, rank`` of recordings a < b that may share a stretch: time in b plus the lag is time in a.

    The lag of rank 0 is the likeliest of a pair.
    """
    hits = _neighbours(landmarks, landmarks, n_workers)
    hits = hits[hits["a"] != hits["b"]]
    turned = hits["a"] > hits["b"]
    swapped = hits.rename(columns={"a": "b", "b": "a"}).assign(lag_s=-hits["lag_s"])
    return _best_lags(pd.concat([hits[~turned], swapped[turned]]))


def candidates_between(side_a: Landmarks, side_b: Landmarks, n_workers: int) -> pd.DataFrame:
    """Return the same of pairs with one recording on each side."""
    hits = _neighbours(side_a, side_b, n_workers)
    back = _neighbours(side_b, side_a, n_workers)
    back = back.rename(columns={"a": "b", "b": "a"}).assign(lag_s=-back["lag_s"])
    return _best_lags(pd.concat([hits, back]))


def _neighbours(asking: Landmarks, answering: Landmarks, n_workers: int) -> pd.DataFrame:
    """Return ``a`` (asking), ``b`` (answering), ``lag_s`` and ``distance`` of landmarks within `RADIUS`."""
    record, time, place = asking
    other_record, other_time, other_place = answering
    found = [pd.DataFrame({"a": record[:0], "b": record[:0], "lag_s": time[:0], "distance": time[:0]})]
    if len(record) and len(other_record):
        tree = cKDTree(other_place, balanced_tree=False)
        asked = _ends(record)
        for first in range(0, len(asked), ROWS_AT_ONCE):
            lot = asked[first : first + ROWS_AT_ONCE]
            answer = tree.query(place[lot], k=N_NEIGHBOURS, distance_upper_bound=RADIUS, workers=n_workers)
            distance, neighbour = (np.asarray(part) for part in answer)
            near = np.isfinite(distance)
            i, j = np.repeat(lot, near.sum(axis=1)), neighbour[near]
            found.append(
                pd.DataFrame(
                    {"a": record[i], "b": other_record[j], "lag_s": time[i] - other_time[j], "distance": distance[near]}
                )
            )
    return pd.concat(found, ignore_index=True)


def _ends(record: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return which landmarks are among the first or the last of their recording."""
    _, first, size = np.unique(record, return_index=True, return_counts=True)
    place = np.arange(len(record)) - np.repeat(first, size)
    left = np.repeat(size, size) - place
    return np.flatnonzero((place < N_FIRST) | (left <= N_LAST))


def _best_lags(hits: pd.DataFrame) -> pd.DataFrame:
    """Return at most `LAGS_PER_PAIR` lags of each pair, ranked by how close landmarks lie; lags within a step agree."""
    hits = hits.assign(step=(hits["lag_s"] / LAG_STEP_S).round())
    hits = hits.sort_values(["a", "b", "distance", "lag_s"], ignore_index=True)
    hits = hits.drop_duplicates(["a", "b", "step"])
    hits["rank"] = hits.groupby(["a", "b"], sort=False).cumcount()
    return hits.loc[hits["rank"] < LAGS_PER_PAIR, ["a", "b", "lag_s", "rank"]].reset_index(drop=True)

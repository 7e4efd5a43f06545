"""Recordings that are the same signal, exactly or nearly: within a corpus, and between sources and targets."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.audit.candidates import Landmarks, candidates_between, candidates_within, principal_components
from ecgtransfer.audit.fingerprints import Fingerprints
from ecgtransfer.audit.verification import verify
from ecgtransfer.audit.views import samples_per_step
from ecgtransfer.csv_tables import read_table
from ecgtransfer.errors import InputError
from ecgtransfer.prepare.signal_file import SignalFile

logger = logging.getLogger(__name__)

PAIR_COLUMNS = [
    "dataset_a", "record_a", "dataset_b", "record_b", "shift_s", "overlap_s", "correlation", "gain",
]  # fmt: skip

FOUND_COLUMNS = ["a", "b", "shift_s", "overlap_s", "correlation", "gain"]

PAIR_BYTES_AT_ONCE = 8 << 20
"""Of the samples of the pairs that are verified together."""


@dataclass(frozen=True)
class AuditedDataset:
    """A prepared data set: its fingerprints, its array file, and the ids and the usability of its rows."""

    name: str
    fingerprints: Fingerprints
    signals_path: Path
    record_ids: Sequence[str]
    usable: npt.NDArray[np.bool_]


def audited(
    names: Sequence[str],
    fingerprints: Sequence[str | Path],
    signals: Sequence[str | Path],
    quality: Sequence[str | Path],
) -> list[AuditedDataset]:
    """Return the data sets of these names from the paths of what was made of them."""
    datasets = []
    for name, prints_path, signals_path, quality_path in zip(names, fingerprints, signals, quality, strict=True):
        table = read_table(quality_path)
        prints = Fingerprints.load(Path(prints_path))
        usable = (table["usable"] == 1).to_numpy()
        datasets.append(AuditedDataset(name, prints, Path(signals_path), table["record_id"].tolist(), usable))
    return datasets


class _Side:
    """Several data sets, their rows numbered through."""

    def __init__(self, datasets: Sequence[AuditedDataset]) -> None:
        for dataset in datasets:
            if not len(dataset.fingerprints) == len(dataset.record_ids) == len(dataset.usable):
                raise InputError(
                    f"audit of {dataset.name}: {len(dataset.fingerprints)} fingerprints, {len(dataset.record_ids)}"
                    f" records and {len(dataset.usable)} quality flags; run its preparation again"
                )
        self.datasets = datasets
        self.offsets = np.cumsum([0, *(len(dataset.fingerprints) for dataset in datasets)])
        self.files = [SignalFile(dataset.signals_path) for dataset in datasets]
        digests = np.concatenate([dataset.fingerprints.digests for dataset in datasets])
        usable = np.concatenate([np.asarray(dataset.usable, dtype=bool) for dataset in datasets])
        self.digests = np.where(usable, digests, np.uint64(0))
        self.extents = np.concatenate([dataset.fingerprints.extents for dataset in datasets])

    @cached_property
    def first_of_equals(self) -> npt.NDArray[np.int64]:
        """For every row the first row with the same digest; -1 for rows that are not audited."""
        _, first, inverse = np.unique(self.digests, return_index=True, return_inverse=True)
        return np.where(self.digests == 0, -1, first[inverse])

    def landmarks(self, components: npt.NDArray[np.float32]) -> Landmarks:
        """Return the landmarks of the rows that are the first of their equals."""
        parts: list[Landmarks] = []
        for dataset, offset in zip(self.datasets, self.offsets, strict=False):
            prints = dataset.fingerprints
            row = prints.record.astype(np.int64) + offset
            searched = self.first_of_equals[row] == row
            rate = prints.sampling_rate_hz / samples_per_step(prints.sampling_rate_hz)
            place = np.empty((int(searched.sum()), components.shape[1]), dtype=np.float32)
            np.matmul(prints.descriptor[searched].astype(np.float32), components, out=place)
            parts.append((row[searched], prints.position[searched].astype(np.float64) / rate, place))
        record, time, place = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return record, time, place

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
        """Return the signals of rows numbered through."""
        of_dataset = np.searchsorted(self.offsets, numbers, side="right") - 1
        signals = np.empty((len(numbers), 12, self.files[0].n_samples), dtype=np.int16)
        for i in np.unique(of_dataset):
            signals[of_dataset == i] = self.files[i].rows(numbers[of_dataset == i] - self.offsets[i])
        return signals

    def names(self, numbers: npt.NDArray[np.int64]) -> tuple[list[str], list[str]]:
        """Return data set and record id of rows numbered through."""
        of_dataset = np.searchsorted(self.offsets, numbers, side="right") - 1
        rows = numbers - self.offsets[of_dataset]
        return (
            [self.datasets[i].name for i in of_dataset],
            [str(self.datasets[i].record_ids[row]) for i, row in zip(of_dataset, rows, strict=True)],
        )


def find_duplicates(datasets: Sequence[AuditedDataset], n_workers: int = 1) -> pd.DataFrame:
    """Return the pairs of usable records within a corpus that are the same signal over 3 s or more.

    Parameters
    ----------
    datasets
        Of the corpus, prepared alike, in its order.
    n_workers
        Threads of the search; the pairs do not depend on it.

    Returns
    -------
    pandas.DataFrame
        The columns `PAIR_COLUMNS`, record a before record b: b begins ``shift_s`` after a and is ``gain`` times as
        large, ``correlation`` is that over the ``overlap_s`` seconds that both have. Of equal rows each is paired with
        the first of them; a near copy is paired with all of them.
    """
    side = _sides_of(datasets)[0]
    components = principal_components([dataset.fingerprints.descriptor for dataset in datasets])
    candidates = candidates_within(side.landmarks(components), n_workers)
    near = _verified(side, side, candidates, datasets[0].fingerprints.sampling_rate_hz, n_workers)
    rows = np.arange(len(side.digests))
    copies = rows[(side.first_of_equals >= 0) & (side.first_of_equals != rows)]
    exact = _exact(side, side.first_of_equals[copies], copies, datasets[0].fingerprints.sampling_rate_hz)
    pairs = pd.concat([exact, _for_all_equals(near, side, side)], ignore_index=True)
    turned = pairs["a"] > pairs["b"]
    swapped = pairs.assign(a=pairs["b"], b=pairs["a"], shift_s=-pairs["shift_s"], gain=1 / pairs["gain"])
    table = _table(pairs.where(~turned, swapped), side, side)
    logger.info("%d candidates, %d pairs of the same signal, %d equal", len(candidates), len(table), len(exact))
    return table


def find_overlaps(
    sources: Sequence[AuditedDataset], targets: Sequence[AuditedDataset], n_workers: int = 1
) -> pd.DataFrame:
    """Return the pairs of a source's and a target's record that are the same signal, as `find_duplicates` does.

    Record a is the source's. A data set on both sides overlaps with itself, every record with itself.
    """
    if not sources or not targets:
        return pd.DataFrame(columns=PAIR_COLUMNS)
    side_a, side_b = _sides_of(sources, targets)
    rate = sources[0].fingerprints.sampling_rate_hz
    components = principal_components([dataset.fingerprints.descriptor for dataset in (*sources, *targets)])
    candidates = candidates_between(side_a.landmarks(components), side_b.landmarks(components), n_workers)
    first_a, first_b = (np.unique(side.first_of_equals[side.first_of_equals >= 0]) for side in (side_a, side_b))
    _, i, j = np.intersect1d(side_a.digests[first_a], side_b.digests[first_b], return_indices=True)
    exact = _exact(side_a, first_a[i], first_b[j], rate)
    known = pd.MultiIndex.from_frame(exact[["a", "b"]])
    candidates = candidates[~pd.MultiIndex.from_frame(candidates[["a", "b"]]).isin(known)]
    near = _verified(side_a, side_b, candidates, rate, n_workers)
    pairs = _for_all_equals(pd.concat([exact, near], ignore_index=True), side_a, side_b)
    logger.info("%d candidates, %d pairs of the same signal", len(candidates), len(pairs))
    return _table(pairs, side_a, side_b)


def _sides_of(*sides: Sequence[AuditedDataset]) -> list[_Side]:
    found = [_Side(side) for side in sides]
    names = [dataset.name for side in sides for dataset in side]
    rates = [dataset.fingerprints.sampling_rate_hz for side in sides for dataset in side]
    lengths = [file.n_samples for side in found for file in side.files]
    for name, rate, n_samples in zip(names, rates, lengths, strict=True):
        if (rate, n_samples) != (rates[0], lengths[0]):
            raise InputError(
                f"audit: {name} has {n_samples} samples at {rate:g} Hz, {names[0]} {lengths[0]} at {rates[0]:g} Hz;"
                " prepare them the same way"
            )
    return found


def _exact(side_a: _Side, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], sampling_rate_hz: float) -> pd.DataFrame:
    overlap_s = np.diff(side_a.extents[a], axis=1)[:, 0] / sampling_rate_hz
    return pd.DataFrame({"a": a, "b": b, "shift_s": 0.0, "overlap_s": overlap_s, "correlation": 1.0, "gain": 1.0})


def _verified(
    side_a: _Side, side_b: _Side, candidates: pd.DataFrame, sampling_rate_hz: float, n_workers: int
) -> pd.DataFrame:
    """Return the candidates that are the same signal; of each pair the likeliest lag that proves true."""
    found = pd.DataFrame({name: pd.Series(dtype=np.int64 if name in "ab" else np.float64) for name in FOUND_COLUMNS})
    for _, candidates_of_rank in candidates.groupby("rank"):
        known = pd.MultiIndex.from_frame(found[["a", "b"]])
        waiting = candidates_of_rank[~pd.MultiIndex.from_frame(candidates_of_rank[["a", "b"]]).isin(known)]
        found = pd.concat(
            [found, *_same_signal(side_a, side_b, waiting, sampling_rate_hz, n_workers)], ignore_index=True
        )
    return found


def _same_signal(
    side_a: _Side, side_b: _Side, candidates: pd.DataFrame, sampling_rate_hz: float, n_workers: int
) -> list[pd.DataFrame]:
    """Return the candidates that are the same signal, in lots."""

    def same(lot: pd.DataFrame) -> pd.DataFrame:
        a, b, lag_s = (lot[name].to_numpy() for name in ("a", "b", "lag_s"))
        verdict = verify(side_a.rows(a), side_b.rows(b), side_a.extents[a], side_b.extents[b], lag_s, sampling_rate_hz)
        return verdict.assign(a=a, b=b, shift_s=lag_s).loc[verdict["same"], FOUND_COLUMNS]

    n_at_once = max(1, PAIR_BYTES_AT_ONCE // (4 * 12 * side_a.files[0].n_samples))
    lots = [candidates.iloc[first : first + n_at_once] for first in range(0, len(candidates), n_at_once)]
    with ThreadPoolExecutor(n_workers) as pool:
        return list(pool.map(same, lots))


def _for_all_equals(pairs: pd.DataFrame, side_a: _Side, side_b: _Side) -> pd.DataFrame:
    """Return the pairs, each also with every row that equals its a or its b, one of the two being the first."""
    more_b = pairs.merge(_equals(side_b), left_on="b", right_on="first").assign(b=lambda t: t["equal"])
    more_a = pairs.merge(_equals(side_a), left_on="a", right_on="first").assign(a=lambda t: t["equal"])
    return pd.concat([pairs, more_a[pairs.columns], more_b[pairs.columns]], ignore_index=True)


def _equals(side: _Side) -> pd.DataFrame:
    """Return ``first, equal`` of the rows that equal an earlier one."""
    rows = np.arange(len(side.digests))
    table = pd.DataFrame({"first": side.first_of_equals, "equal": rows})
    return table[(table["first"] >= 0) & (table["first"] != table["equal"])]


def _table(pairs: pd.DataFrame, side_a: _Side, side_b: _Side) -> pd.DataFrame:
    pairs = pairs.sort_values(["a", "b"])
    datasets_a, records_a = side_a.names(pairs["a"].to_numpy(dtype=np.int64))
    datasets_b, records_b = side_b.names(pairs["b"].to_numpy(dtype=np.int64))
    return pd.DataFrame(
        {
            "dataset_a": datasets_a,
            "record_a": records_a,
            "dataset_b": datasets_b,
            "record_b": records_b,
            "shift_s": pairs["shift_s"].to_numpy(dtype=float).round(2) + 0.0,
            "overlap_s": pairs["overlap_s"].to_numpy(dtype=float).round(2),
            "correlation": pairs["correlation"].to_numpy(dtype=float).round(4),
            "gain": pairs["gain"].to_numpy(dtype=float).round(3),
        },
        columns=PAIR_COLUMNS,
    )

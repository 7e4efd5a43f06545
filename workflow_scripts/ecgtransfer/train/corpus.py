"""A corpus as training sees it: signals, labels or measured values, and who trains, validates and tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from ecgtransfer.csv_tables import read_labels, read_table
from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.signal_file import SignalFile
from ecgtransfer.train.age_sex import age_sex_inputs

MILLIVOLTS_PER_STEP = 1e-3
"""Signals are stored as int16 at 1 µV per step."""

_BLOCK_RECORDS = 256  # summed at a time, so that the constants of any corpus take little memory


@dataclass(frozen=True)
class Examples:
    """Some records.

    Attributes
    ----------
    record_id
        Their ids.
    signals
        int16, (records, 12, samples).
    labels
        float32, (records, labels): 0 or 1, or measured values; NaN where nothing is known.
    dataset
        int64, (records,): which data set of the corpus each comes from, from 0.
    age_sex
        float32, (records, 4), see `ecgtransfer.train.age_sex`; None for models that do not take it.
    """

    record_id: npt.NDArray[np.str_]
    signals: Tensor
    labels: Tensor
    dataset: Tensor
    age_sex: Tensor | None = None

    def __len__(self) -> int:
        return len(self.record_id)

    def to(self, device: torch.device) -> "Examples":
        """Return the same records on a device."""
        age_sex = None if self.age_sex is None else self.age_sex.to(device)
        return Examples(
            self.record_id, self.signals.to(device), self.labels.to(device), self.dataset.to(device), age_sex
        )

    def where(self, mask: npt.NDArray[np.bool_]) -> "Examples":
        """Return the records that a mask of shape (records,) picks, on the device that they are on."""
        picked = torch.from_numpy(mask).to(self.signals.device)
        age_sex = None if self.age_sex is None else self.age_sex[picked]
        return Examples(self.record_id[mask], self.signals[picked], self.labels[picked], self.dataset[picked], age_sex)

    def and_those_of(self, other: "Examples") -> "Examples":
        """Return these records and those of another, on the device that both are on."""
        both = None if self.age_sex is None or other.age_sex is None else torch.cat([self.age_sex, other.age_sex])
        return Examples(
            np.concatenate([self.record_id, other.record_id]),
            torch.cat([self.signals, other.signals]),
            torch.cat([self.labels, other.labels]),
            torch.cat([self.dataset, other.dataset]),
            both,
        )


@dataclass(frozen=True)
class Corpus:
    """The signals of a corpus, opened and not yet read, with its labels and its splits by record id.

    Attributes
    ----------
    signals
        One array file per data set, all of one length.
    labels
        A row per record of the files, in their order; index ``record_id``, a column per label.
    splits
        ``record_id,patient_id,role,rank_<replicate>``.
    sampling_rate_hz
        Of the signals.
    age_sex
        (records, 4), in the order of the files; None if no model needs it.
    validation_role
        Who validates: ``valid``, or in a corpus where no record has this role ``test``. Then epochs and thresholds are
        chosen on the very records on which the result is scored, as some published studies did.
    """

    signals: tuple[SignalFile, ...]
    labels: pd.DataFrame
    splits: pd.DataFrame
    sampling_rate_hz: int
    age_sex: Tensor | None = None
    validation_role: str = "valid"

    @property
    def label_names(self) -> list[str]:
        """The labels in their order."""
        return list(self.labels.columns)

    @property
    def n_samples(self) -> int:
        """Samples per lead."""
        return self.signals[0].n_samples

    def samples_in(self, duration_s: float | None) -> int | None:
        """Return the number of samples, at least 1, of a duration in s; None for None."""
        return None if duration_s is None else max(1, round(duration_s * self.sampling_rate_hz))

    def in_role(self, role: str) -> pd.DataFrame:
        """Return the rows of the splits table that have a role."""
        return self.splits[self.splits["role"] == role]

    def outside_role(self, role: str) -> pd.DataFrame:
        """Return the rows of the splits table that have any other role."""
        return self.splits[self.splits["role"] != role]

    def patients_of(self, record_ids: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
        """Return whose each of some records is."""
        patients = self.splits.set_index("record_id")["patient_id"].loc[record_ids.tolist()]
        return np.asarray(patients, dtype=np.str_)

    def without_patients_of(self, record_ids: Iterable[str]) -> "Corpus":
        """Return the corpus without all records of the patients of some records."""
        patients = self.splits.loc[self.splits["record_id"].isin(set(record_ids)), "patient_id"]
        return replace(self, splits=self.splits[~self.splits["patient_id"].isin(set(patients))])

    def subset(self, role: str, replicate: int, fraction: float) -> pd.DataFrame:
        """Return the records of a role that a fraction of its patients gives, nested within larger fractions."""
        members = self.in_role(role)
        return members[members[f"rank_{replicate}"] < fraction]

    def load(self, record_ids: Sequence[str]) -> Examples:
        """Return some records, read into memory in the requested order.

        Raises
        ------
        InputError
            If a record is not in the labels table.
        """
        rows = self.labels.index.get_indexer(pd.Index(record_ids))
        absent = np.flatnonzero(rows < 0)
        if len(absent):
            raise InputError(
                f"label table: record {record_ids[absent[0]]} missing, which the split table has ({len(absent)} in"
                " all); delete both files so that they are rebuilt"
            )
        starts = np.cumsum([0, *(file.n_records for file in self.signals)])
        signals = np.empty((len(rows), len(LEADS), self.n_samples), dtype=np.int16)
        dataset = np.searchsorted(starts, rows, side="right") - 1
        for number, (file, start) in enumerate(zip(self.signals, starts, strict=False)):
            here = np.flatnonzero(dataset == number)
            file.read_into(signals, here, rows[here] - start)
        labels = self.labels.to_numpy(dtype=np.float32)[rows]
        return Examples(
            np.asarray(record_ids, dtype=np.str_),
            torch.from_numpy(signals),
            torch.from_numpy(labels),
            torch.from_numpy(dataset),
            None if self.age_sex is None else self.age_sex[rows],
        )


def open_corpus(
    signals: Sequence[str | Path],
    labels: pd.DataFrame,
    splits: pd.DataFrame,
    sampling_rate_hz: int,
    records: pd.DataFrame | None = None,
) -> Corpus:
    """Return a corpus from the signals of its data sets and its tables.

    Parameters
    ----------
    signals
        One array file per data set.
    labels
        ``record_id`` and a column per label, rows as in the files.
    splits
        ``record_id,patient_id,role,rank_<replicate>``.
    sampling_rate_hz
        Of the signals.
    records
        ``age_years`` and ``sex``, rows as in the files, for models that take them.

    Raises
    ------
    InputError
        If a file is not an array of signals, or not as long as the others, or if they do not have one row per row of a
        table.
    """
    files = tuple(SignalFile(Path(path)) for path in signals)
    for file in files:
        if file.n_samples != files[0].n_samples:
            raise InputError(
                f"{file.path}: recordings of {file.n_samples} samples, but {files[0].n_samples} in {files[0].path};"
                " delete these files so that they are rebuilt"
            )
    n_rows = sum(file.n_records for file in files)
    for name, table in {"label": labels, "record": records}.items():
        if table is not None and len(table) != n_rows:
            raise InputError(
                f"{name} table: has {len(table)} records, but {', '.join(map(str, signals))} have {n_rows}; delete"
                " these files so that they are rebuilt"
            )
    age_sex = None if records is None else age_sex_inputs(records["age_years"], records["sex"])
    validation_role = "valid" if (splits["role"] == "valid").any() else "test"
    return Corpus(files, labels.set_index("record_id"), splits, sampling_rate_hz, age_sex, validation_role)


def read_corpus(
    signals: Sequence[str | Path],
    labels: str | Path,
    splits: str | Path,
    sampling_rate_hz: int,
    records: Sequence[str | Path] = (),
) -> Corpus:
    """Return a corpus from its files; `records` are the tables of its data sets, for models that take age and sex."""
    return open_corpus(
        signals,
        read_labels(labels),
        read_splits(splits),
        sampling_rate_hz,
        pd.concat(map(read_table, records), ignore_index=True) if records else None,
    )


def read_splits(path: str | Path) -> pd.DataFrame:
    """Return a split table, ids as text."""
    return read_table(path)


@dataclass(frozen=True)
class Normalization:
    """Per-lead mean and standard deviation in mV, taken from training records alone."""

    mean_mv: Tensor
    deviation_mv: Tensor

    def to(self, device: torch.device) -> "Normalization":
        """Return the same constants on a device."""
        return Normalization(self.mean_mv.to(device), self.deviation_mv.to(device))

    def __call__(self, signals: Tensor) -> Tensor:
        """Return int16 signals of shape (records, 12, samples) as float32 of zero mean and unit variance per lead."""
        scale = MILLIVOLTS_PER_STEP / self.deviation_mv
        return signals.float() * scale[:, None] - (self.mean_mv / self.deviation_mv)[:, None]


def normalization_of(signals: Tensor) -> Normalization:
    """Return the constants of some training records; a lead that never moves gets a deviation of 1 mV.

    Parameters
    ----------
    signals
        int16, shape (records, 12, samples). Sums are of integers, hence exact, whatever the order and the device.
    """
    n_leads = signals.shape[1]
    total = torch.zeros(n_leads, dtype=torch.int64, device=signals.device)
    squares = torch.zeros_like(total)
    for block in torch.split(signals, _BLOCK_RECORDS):
        total += block.sum(dim=(0, 2), dtype=torch.int64)
        squares += block.int().square().sum(dim=(0, 2), dtype=torch.int64)  # at most 2^30 each
    n_values = signals.shape[0] * signals.shape[2]
    mean = total.double() / n_values
    deviation = (squares.double() / n_values - mean.square()).clamp(min=0).sqrt()
    deviation_mv = torch.where(deviation > 1, deviation * MILLIVOLTS_PER_STEP, 1.0)
    return Normalization((mean * MILLIVOLTS_PER_STEP).float(), deviation_mv.float())

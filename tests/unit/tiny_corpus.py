"""A corpus small enough to train on within a test: its files, and how it is opened."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtransfer.train.corpus import Corpus, open_corpus

N_SAMPLES = 64
SAMPLING_RATE_HZ = 32
N_REPLICATES = 3


@dataclass(frozen=True)
class CorpusFiles:
    """Where the arrays and tables of a corpus are."""

    signals: tuple[Path, ...]
    labels: Path
    splits: Path
    records: Path
    measurements: Path

    def open(self, task: str = "labels", age_sex: bool = False) -> Corpus:
        """Return the corpus with what a task predicts."""
        values = {"labels": self.labels, "intervals": self.measurements}
        table = _read(values.get(task, self.records))
        columns = {"age": ["age_years"], "masked": [], "untrained": []}.get(
            task, [name for name in table if name != "record_id"]
        )
        return open_corpus(
            self.signals,
            table[["record_id", *columns]],
            _read(self.splits),
            SAMPLING_RATE_HZ,
            _read(self.records) if age_sex else None,
        )


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"record_id": str, "patient_id": str})


def write_corpus(
    folder: Path, labels: tuple[str, ...] = ("fast", "tall"), n_patients: int = 60, array_sizes: tuple[int, ...] = ()
) -> CorpusFiles:
    """Write patients of one or two records each, whose signals show their labels, and return the files.

    Of three patients one trains, one validates and one tests. `array_sizes` are the records of each array but the last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(n_patients)
    patient = np.repeat(np.arange(n_patients), rng.integers(1, 3, n_patients))
    truth = rng.random((len(patient), len(labels))) < 0.5
    record_id = pd.Series([f"r{number:03d}" for number in rng.permutation(len(patient))], name="record_id")

    arrays = np.split(_signals(truth, rng), np.cumsum(array_sizes, dtype=int))
    files = CorpusFiles(
        tuple(folder / f"signals{number}.npy" for number in range(len(arrays))),
        *(folder / f"{name}.csv" for name in ("labels", "splits", "records", "measurements")),
    )
    for path, array in zip(files.signals, arrays, strict=True):
        np.save(path, array)
    pd.DataFrame(truth.astype(int), columns=list(labels)).assign(record_id=record_id).to_csv(files.labels, index=False)
    _measured(record_id, truth, rng).to_csv(files.measurements, index=False)
    age = pd.Series(np.where(truth[:, 0], 40, 70) + rng.integers(-5, 6, len(truth)))
    records = pd.DataFrame({"record_id": record_id, "age_years": age.where(rng.random(len(truth)) < 0.9)})
    records["sex"] = rng.choice(["F", "M", None], len(truth))
    records.to_csv(files.records, index=False)

    place_in_role = np.arange(n_patients) // 3
    ranks = [rng.permutation(n_patients // 3) / (n_patients // 3) for _ in range(N_REPLICATES)]
    splits = pd.DataFrame({"record_id": record_id, "patient_id": [f"p{number}" for number in patient]})
    splits["role"] = np.array(["train", "valid", "test"])[patient % 3]
    for replicate, rank in enumerate(ranks):
        splits[f"rank_{replicate}"] = np.where(splits["role"] == "test", 0.0, rank[place_in_role][patient])
    splits.to_csv(files.splits, index=False)
    return files


def _signals(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return int16 waves: the first label doubles their frequency, the second their height."""
    time = np.linspace(0, 1, N_SAMPLES)
    cycles = np.where(truth[:, 0], 8, 4)[:, None, None]
    height = np.where(truth[:, 1], 600, 300)[:, None, None] if truth.shape[1] > 1 else 300
    phase = rng.uniform(0, 0.5, (len(truth), 12, 1))
    waves = height * np.sin(2 * np.pi * cycles * time + phase) + rng.normal(0, 30, (len(truth), 12, N_SAMPLES))
    per_lead = np.arange(1, 13)[:, None] / 6
    return (waves * per_lead + 10 * per_lead).round().astype(np.int16)


def _measured(record_id: pd.Series, truth: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return intervals that go with the first label; some could not be measured."""
    rest = {"heart_rate_bpm": (60, 40), "pr_ms": (160, -30), "qrs_ms": (90, 20), "qt_ms": (400, -60)}
    table = pd.DataFrame({"record_id": record_id})
    for name, (level, step) in rest.items():
        values = pd.Series(level + step * truth[:, 0] + rng.normal(0, abs(step) / 10, len(truth)))
        table[name] = values.where(rng.random(len(truth)) < 0.8)
    return table

"""What a study takes before any of it runs: records, disk, trainings, and hours by the speed of a device.

Numbers of records are those of the publishers, before any is left out, and epochs the most that the config allows, so
that what a study takes in the end is rather less.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecgtransfer.arms import Cell
from ecgtransfer.config.splits import Splits
from ecgtransfer.config.study import Study
from ecgtransfer.leads import LEADS
from ecgtransfer.methods import method_of
from ecgtransfer.prepare.corpora import datasets_of
from ecgtransfer.prepare.separators import BETWEEN_LABELS
from ecgtransfer.prepare.table_rows import rows_by_recording
from ecgtransfer.source import UNTRAINED, Source
from ecgtransfer.study import cells_of, pretrainings_of, studied_datasets, trained_sources
from ecgtransfer.train.accounting import PASSES
from ecgtransfer.train.registry import forward_flops_by_registry
from ecgtransfer.train.settings import TrainingSettings

DATA_COLUMNS = ["data set", "records", "download MB", "signals MB"]
TRAINING_COLUMNS = ["rule", "corpus", "model", "arm", "jobs", "trainings", "records seen"]

_SAMPLE_BYTES = 2


def data_table(study: Study, published: Mapping[str, Mapping[str, Any]], n_own: Mapping[str, int]) -> pd.DataFrame:
    """Return what the data sets of a study take, columns `DATA_COLUMNS`; a download of unknown size is empty.

    Parameters
    ----------
    study
        The whole config.
    published
        The entries of ``config/datasets.yaml``.
    n_own
        Records of each data set of one's own.
    """
    rows = []
    bytes_per_record = len(LEADS) * _SAMPLE_BYTES * study.signals.samples_per_lead
    for dataset in studied_datasets(study):
        records, download = (
            (n_own[dataset], 0.0) if dataset in n_own else _records_and_megabytes(dataset, study, published)
        )
        rows.append([dataset, records, download, records * bytes_per_record / 1e6])
    return pd.DataFrame(rows, columns=DATA_COLUMNS)


def records_of_own(study: Study) -> dict[str, int]:
    """Return how many recordings the table of each data set of one's own names, as the study reads it."""
    own = {name: study.own[name] for name in studied_datasets(study) if name in study.own}
    return {
        name: len(rows_by_recording(entry.as_given(), entry.label_separator or BETWEEN_LABELS)[0])
        for name, entry in own.items()
    }


def trainings_table(study: Study, n_records: Mapping[str, int]) -> pd.DataFrame:
    """Return the trainings of a study, columns `TRAINING_COLUMNS`: one row per rule, corpus, model and arm.

    Parameters
    ----------
    study
        The whole config.
    n_records
        Records of each data set.

    Returns
    -------
    pandas.DataFrame
        ``corpus`` is the source of `pretrain` and the target of cells. ``records seen`` counts a record as often as it
        is trained on, and a third of that where it is only predicted: a backward pass takes twice a forward pass.
    """
    models = study.transfer.models
    rows = [
        ["pretrain", source, model, "", 1, 1, _seen_in_pretraining(study, n_records, source)]
        for source in trained_sources(study)
        for model in models
        for _ in pretrainings_of(study, source)
    ]
    for cell in cells_of(study):
        seen = study.transfer.replicates * _seen_in_replicate(study, n_records, cell)
        rule = "finetune" if cell.source else "scratch"
        rows.append([rule, cell.target, cell.model, cell.arm, 1, study.transfer.replicates, seen])
    table = pd.DataFrame(rows, columns=TRAINING_COLUMNS)
    return table.groupby(TRAINING_COLUMNS[:4], sort=False, as_index=False).sum()


def hours_of(trainings: pd.DataFrame, study: Study, speeds: Mapping[str, float]) -> pd.Series:
    """Return the hours of each row of `trainings_table` on one device.

    Parameters
    ----------
    trainings
        The table.
    study
        The whole config.
    speeds
        What each model does, in FLOP per second of forward and backward pass.
    """
    n_samples = study.signals.samples_per_lead
    seconds = {
        model: PASSES * forward_flops_by_registry(model, n_samples, study.options_of(model)) / speed
        for model, speed in speeds.items()
    }
    hours: pd.Series = trainings["records seen"] * trainings["model"].map(seconds) / 3600
    return hours


def metadata_in(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield what past trainings recorded; damaged files are left out."""
    for path in paths:
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(metadata, dict) and "model" in metadata and "device" in metadata:
            yield metadata


def past_speeds(runs: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float, str]]:
    """Return what each model did on the device that it was last trained on: median FLOP per second, and the device.

    Parameters
    ----------
    runs
        The ``run.json`` of past trainings, the oldest first.
    """
    rows = [
        (run["model"], run["device"], run["samples_per_second"] * run["flops_per_sample"])
        for run in runs
        if run.get("samples_per_second") and run.get("flops_per_sample")
    ]
    table = pd.DataFrame(rows, columns=["model", "device", "speed"])
    speeds = {}
    for model, trainings in table.groupby("model"):
        last = trainings["device"].iloc[-1]
        speeds[str(model)] = (trainings.loc[trainings["device"] == last, "speed"].median(), last)
    return speeds


def mistake_in(printed: str) -> str:
    """Return the part of a failed dry run's output that tells why: lines that begin with an error, or the last ones."""
    lines = [line for line in printed.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("error")]
    if errors:
        return "\n".join(lines[errors[-1] :])
    affected = [number for number, line in enumerate(lines) if line.strip() == "affected files:"]
    if affected:
        missing = ", ".join(line.strip() for line in lines[affected[-1] + 1 :])
        return f"error: {missing}: no such file, and no rule makes it; bring it back"
    return lines[-1] if lines else "error: Snakemake's dry run failed without a message"


def plan_text(
    study: str, corpora: Mapping[str, str], data: pd.DataFrame, trainings: pd.DataFrame, origin: str, dry_run: str
) -> str:
    """Return a plan as text.

    Parameters
    ----------
    study
        Its name.
    corpora
        What each name of a corpus means.
    data, trainings
        `data_table`, and `trainings_table` with the column ``hours``.
    origin
        Where the speeds behind the hours come from, such as ``by past runs on NVIDIA H200``.
    dry_run
        What Snakemake's dry run printed.
    """
    return "\n\n".join(
        [
            f"Study {study}",
            _as_text(data),
            *(["\n".join(f"{name}: {joined}" for name, joined in corpora.items())] if corpora else []),
            _as_text(trainings),
            f"{trainings['jobs'].sum():,} jobs with {trainings['trainings'].sum():,} trainings on one device at most:\n"
            f"{trainings['hours'].sum():,.2f} hours, {origin}; less where trainings stop early or are kept.",
            "To do now, according to Snakemake's dry run:",
            _to_do(dry_run),
        ]
    )


def _as_text(rows: pd.DataFrame) -> str:
    return rows.to_string(
        index=False, na_rep="unknown", float_format=lambda number: f"{number:,.2f}" if number < 10 else f"{number:,.0f}"
    )


def _to_do(dry_run: str) -> str:
    """Return how many jobs of which rule would run, and why."""
    _, found, rest = dry_run.rpartition("Job stats:")
    counts = rest.partition("Some jobs were triggered")[0].partition("This was a dry-run")[0].strip()
    return counts if found else "nothing"


def _records_and_megabytes(
    dataset: str, study: Study, published: Mapping[str, Mapping[str, Any]]
) -> tuple[int, float | None]:
    """Return how many records to simulate or to fetch, and how much to fetch for that."""
    if dataset in study.simulate:
        settings = study.simulate[dataset]
        return round(settings.n_patients * settings.records_per_patient), 0.0
    entry = published[dataset]
    records = min(study.limits.get(dataset, entry["n_records"]), entry["n_records"])
    share = records / entry["n_records"]
    return records, entry["n_bytes"] * share / 1e6 if "n_bytes" in entry else None


def _shares(splits: Splits) -> tuple[float, float]:
    """Return which shares of the records validate and test."""
    if splits.by == "record":
        return 0.0, splits.test_share or 0.0
    return len(splits.valid_folds) / splits.n_folds, len(splits.test_folds) / splits.n_folds


def _seen_in_pretraining(study: Study, n_records: Mapping[str, int], source: str) -> float:
    if Source.of(source).task == UNTRAINED:
        return 0.0
    n_all = sum(n_records[dataset] for dataset in datasets_of(source, study.corpora))
    valid_share, test_share = _shares(study.splits)
    valid = n_all * (valid_share or test_share)  # without validation records, the test records take their place
    return _seen(TrainingSettings.of(study.pretrain.model_dump()), n_all - valid, valid)


def _seen_in_replicate(study: Study, n_records: Mapping[str, int], cell: Cell) -> float:
    n_all = sum(n_records[dataset] for dataset in datasets_of(cell.target, study.corpora))
    valid, test = (n_all * share for share in _shares(study.splits))
    train: float = cell.fraction * (n_all - valid - test)
    if valid:
        used = valid if study.transfer.validation == "full" else cell.fraction * valid
    else:
        valid = used = test
    if cell.method and method_of(cell.method).keeps_features:
        return float(train + valid + test) / PASSES
    section = study.finetune if cell.source else study.scratch
    settings = TrainingSettings.of(section.model_dump())
    return _seen(settings, train, used) + float(valid + test) / PASSES


def _seen(settings: TrainingSettings, train: float, valid: float) -> float:
    epochs, _ = settings.for_size(max(round(train), 2))
    return epochs * (train + valid / PASSES)

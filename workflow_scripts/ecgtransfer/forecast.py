"""What a study takes before any of it runs: records, disk, trainings, and hours by the speed of a device.

Numbers of records are those of the publishers, before any is left out, and epochs the most that the config allows, so
that what a study takes in the end is rather less.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from ecgtransfer.prepare.corpora import datasets_of, without_task
from ecgtransfer.study import Cell, cells_of, studied_datasets, trained_sources
from ecgtransfer.train.accounting import PASSES
from ecgtransfer.train.optimizing import TrainingSettings
from ecgtransfer.train.registry import forward_flops_by_registry

DATA_COLUMNS = ["data set", "records", "download MB", "signals MB"]
TRAINING_COLUMNS = ["rule", "corpus", "model", "arm", "jobs", "trainings", "records seen"]

_LEADS, _BYTES = 12, 2
_FEATURES_ONCE = ("probe", "svm")  # ways in which each record passes through the model once


def data_table(config: Mapping[str, Any], published: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return what the data sets of a study take, columns `DATA_COLUMNS`; a download of unknown size is empty.

    Parameters
    ----------
    config
        The whole config.
    published
        The entries of ``config/datasets.yaml``.
    """
    rows = []
    bytes_per_record = _LEADS * _BYTES * samples_per_lead(config)
    for dataset in studied_datasets(config):
        records, download = _size_of(dataset, config, published)
        rows.append([dataset, records, download, records * bytes_per_record / 1e6])
    return pd.DataFrame(rows, columns=DATA_COLUMNS)


def samples_per_lead(config: Mapping[str, Any]) -> int:
    """Return the length of the prepared signals."""
    n_samples: float = config["signals"]["sampling_rate_hz"] * config["signals"]["duration_s"]
    return round(n_samples)


def trainings_table(config: Mapping[str, Any], n_records: Mapping[str, int]) -> pd.DataFrame:
    """Return the trainings of a study, columns `TRAINING_COLUMNS`: one row per rule, corpus, model and arm.

    Parameters
    ----------
    config
        The whole config.
    n_records
        Records of each data set.

    Returns
    -------
    pandas.DataFrame
        ``corpus`` is the source of `pretrain` and the target of cells. ``records seen`` counts a record as often as it
        is trained on, and a third of that where it is only predicted: a backward pass takes twice a forward pass.
    """
    models = config["transfer"]["models"]
    rows = [
        ["pretrain", source, model, "", 1, 1, _seen_in_pretraining(config, n_records, source)]
        for source in trained_sources(config)
        for model in models
    ]
    for cell in cells_of(config):
        seen = config["transfer"]["replicates"] * _seen_in_replicate(config, n_records, cell)
        rule = "finetune" if cell.source else "scratch"
        rows.append([rule, cell.target, cell.model, cell.arm, 1, config["transfer"]["replicates"], seen])
    table = pd.DataFrame(rows, columns=TRAINING_COLUMNS)
    return table.groupby(TRAINING_COLUMNS[:4], sort=False, as_index=False).sum()


def hours_of(trainings: pd.DataFrame, n_samples: int, speeds: Mapping[str, float]) -> pd.Series:
    """Return the hours of each row of `trainings_table` on one device.

    Parameters
    ----------
    trainings
        The table.
    n_samples
        Length of the signals.
    speeds
        What each model does, in FLOP per second of forward and backward pass.
    """
    flops = trainings["model"].map(lambda model: PASSES * forward_flops_by_registry(model, n_samples) / speeds[model])
    hours: pd.Series = trainings["records seen"] * flops / 3600
    return hours


def past_speeds(results: Path) -> dict[str, tuple[float, str]]:
    """Return what each model did on the device that it was last trained on: median FLOP per second, and the device.

    Parameters
    ----------
    results
        The folder with the results of all studies; what ``run.json`` says there is read.
    """
    found: dict[str, dict[str, list[float]]] = {}
    paths = [*results.glob("*/runs/*/*/*/*/run.json"), *results.glob("*/pretrained/*/*/run.json")]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts.get("samples_per_second") and facts.get("flops_per_sample"):
            by_device = found.setdefault(facts["model"], {})
            speeds = by_device.pop(facts["device"], [])  # put back last: dictionaries keep their order
            by_device[facts["device"]] = [*speeds, facts["samples_per_second"] * facts["flops_per_sample"]]
    return {
        model: (median(by_device[last]), last) for model, by_device in found.items() for last in [list(by_device)[-1]]
    }


def _size_of(
    dataset: str, config: Mapping[str, Any], published: Mapping[str, Mapping[str, Any]]
) -> tuple[int, float | None]:
    """Return records and megabytes to fetch."""
    if dataset in config["simulate"]:
        settings = config["simulate"][dataset]
        return round(settings["n_patients"] * settings["records_per_patient"]), 0.0
    if dataset in config["own"]:
        return len(pd.read_csv(config["own"][dataset]["table"], usecols=[0])), 0.0
    entry = published[dataset]
    records = min(config["limits"].get(dataset, entry["n_records"]), entry["n_records"])
    share = records / entry["n_records"]
    return records, entry["n_bytes"] * share / 1e6 if "n_bytes" in entry else None


def _seen_in_pretraining(config: Mapping[str, Any], n_records: Mapping[str, int], source: str) -> float:
    splits = config["splits"]
    n_all = sum(n_records[dataset] for dataset in datasets_of(without_task(source)))
    valid: float = n_all * len(splits["valid_folds"]) / splits["n_folds"]
    return _seen(_settings(config["pretrain"]), n_all - valid, valid)


def _seen_in_replicate(config: Mapping[str, Any], n_records: Mapping[str, int], cell: Cell) -> float:
    splits = config["splits"]
    n_all = sum(n_records[dataset] for dataset in datasets_of(cell.target))
    valid, test = (n_all * len(splits[f"{role}_folds"]) / splits["n_folds"] for role in ("valid", "test"))
    train: float = cell.fraction * (n_all - valid - test)
    used = valid if config["transfer"]["validation"] == "full" else cell.fraction * valid
    if cell.way in _FEATURES_ONCE:
        return float(train + valid + test) / PASSES
    settings = _settings(config["finetune" if cell.source else "scratch"])
    return _seen(settings, train, used) + float(valid + test) / PASSES


def _seen(settings: TrainingSettings, train: float, valid: float) -> float:
    epochs, _ = settings.for_size(max(round(train), 2))
    return epochs * (train + valid / PASSES)


def _settings(section: Mapping[str, Any]) -> TrainingSettings:
    names = {field.name for field in fields(TrainingSettings)}
    return TrainingSettings(**{name: value for name, value in section.items() if name in names})

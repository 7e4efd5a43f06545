"""A source as pre-training sees it: the columns of its task, and nobody who is in a target."""

from pathlib import Path

import pandas as pd
import pytest
from tiny_corpus import SAMPLING_RATE_HZ, CorpusFiles, write_corpus

from ecgtransfer.train.sources import INTERVALS, read_source, values_to_learn


@pytest.fixture
def files(tmp_path: Path) -> CorpusFiles:
    return write_corpus(tmp_path, array_sizes=(30,))


def overlaps_of(folder: Path, *records: tuple[str, str]) -> Path:
    """Write the table of records, each named by data set and id, that are in a target, too."""
    path = folder / "overlaps.csv"
    pd.DataFrame(records, columns=["dataset_a", "record_a"]).assign(dataset_b="target").to_csv(path, index=False)
    return path


def test_columns_of_a_task(files: CorpusFiles) -> None:
    records, measured = pd.read_csv(files.records), pd.read_csv(files.measurements)
    assert list(values_to_learn("age", records)) == ["record_id", "age_years"]
    assert list(values_to_learn("masked", records)) == ["record_id"]
    assert list(values_to_learn("intervals", measured.assign(more=1))) == ["record_id", *INTERVALS]
    labels = pd.read_csv(files.labels)
    pd.testing.assert_frame_equal(values_to_learn("labels", labels), labels)


def test_who_is_in_a_target_is_left_out_with_all_records(files: CorpusFiles, tmp_path: Path) -> None:
    splits = pd.read_csv(files.splits)
    twice = splits[splits["patient_id"].duplicated(keep=False)]
    record, patient = twice.iloc[0][["record_id", "patient_id"]]
    overlaps = overlaps_of(tmp_path, ("one", record))
    source, n_left_out = read_source(
        "age", ["one"], files.signals, [files.records], files.splits, overlaps, SAMPLING_RATE_HZ
    )
    assert n_left_out == 2
    assert source.splits["record_id"].tolist() == splits.loc[splits["patient_id"] != patient, "record_id"].tolist()
    assert source.label_names == ["age_years"]
    assert source.age_sex is None


def test_records_of_joined_data_sets_go_by_both_names(files: CorpusFiles, tmp_path: Path) -> None:
    """Both data sets have a record of the name r000; only that of the second one is in a target."""
    labels, splits = pd.read_csv(files.labels), pd.read_csv(files.splits)
    records = pd.read_csv(files.records)
    own = [f"r{number:03d}" for number in (*range(30), *range(len(labels) - 30))]
    parts = [slice(0, 30), slice(30, None)]
    for name, part in zip("ab", parts, strict=True):
        records.assign(record_id=own)[part].to_csv(tmp_path / f"{name}.csv", index=False)
    whole = [f"{'a' if row < 30 else 'b'}:{record}" for row, record in enumerate(own)]
    labels.assign(record_id=whole).to_csv(files.labels, index=False)
    splits.assign(record_id=whole, patient_id=whole).to_csv(files.splits, index=False)
    tables = [tmp_path / "a.csv", tmp_path / "b.csv"]
    source, n_left_out = read_source(
        "labels", ["a", "b"], files.signals, [files.labels], files.splits, overlaps_of(tmp_path, ("b", "r000")),
        SAMPLING_RATE_HZ, tables,
    )  # fmt: skip
    assert n_left_out == 1
    assert source.splits["record_id"].tolist() == [name for name in whole if name != "b:r000"]
    assert source.age_sex is not None and len(source.age_sex) == len(labels)
    loaded = source.load(["b:r001", "a:r001"])
    assert loaded.dataset.tolist() == [1, 0]

"""A corpus as training sees it: what is read, in which order, and its normalisation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_corpus import N_REPLICATES, SAMPLING_RATE_HZ, CorpusFiles, write_corpus

from ecgtransfer.errors import InputError
from ecgtransfer.files import sha256_of
from ecgtransfer.train.corpus import normalization_of, open_corpus

torch.set_num_threads(1)


@pytest.fixture
def files(tmp_path: Path) -> CorpusFiles:
    return write_corpus(tmp_path, array_sizes=(20, 31))


def test_records_come_in_the_order_asked_for_from_several_arrays(files: CorpusFiles) -> None:
    corpus = files.open()
    everything = np.concatenate([np.load(path) for path in files.signals])
    labels = pd.read_csv(files.labels, index_col="record_id")
    assert len(corpus.signals) == 3
    assert corpus.label_names == ["fast", "tall"]
    assert corpus.n_samples == everything.shape[2]
    rows = np.random.default_rng(0).permutation(len(labels))[:40]
    assert min(rows) < 20 and max(rows) >= 51  # of the first and of the last array
    loaded = corpus.load(labels.index[rows].tolist())
    assert loaded.record_id.tolist() == labels.index[rows].tolist()
    assert loaded.record_id.dtype.kind == "U"
    assert loaded.signals.dtype == torch.int16
    assert loaded.labels.dtype == torch.float32
    np.testing.assert_array_equal(loaded.signals.numpy(), everything[rows])
    np.testing.assert_array_equal(loaded.labels.numpy(), labels.to_numpy()[rows])
    assert len(loaded) == 40
    assert loaded.dataset.dtype == torch.int64
    assert loaded.dataset.tolist() == [0 if row < 20 else 1 if row < 51 else 2 for row in rows]
    assert loaded.age_sex is None


def test_record_ids_stay_text(tmp_path: Path) -> None:
    files = write_corpus(tmp_path)
    for path in (files.labels, files.splits, files.records):
        path.write_text(path.read_text().replace("r0", "00").replace("r1", "01"))
    corpus = files.open()
    train = corpus.in_role("train")["record_id"].tolist()
    assert all(len(record_id) == 4 for record_id in train)
    assert corpus.load(train).record_id.tolist() == train


def test_files_are_never_written(files: CorpusFiles) -> None:
    before = [sha256_of(path) for path in files.signals]
    corpus = files.open()
    loaded = corpus.load(corpus.splits["record_id"].tolist())
    loaded.signals.zero_()
    loaded.labels.fill_(7)
    assert [sha256_of(path) for path in files.signals] == before
    assert corpus.load(["r000"]).signals.any()
    assert corpus.load(["r000"]).labels.max() <= 1


def test_roles(files: CorpusFiles) -> None:
    corpus = files.open()
    role_of = pd.read_csv(files.splits, index_col="record_id")["role"]
    for role in ("train", "valid", "test"):
        inside, outside = corpus.in_role(role)["record_id"], corpus.outside_role(role)["record_id"]
        assert set(role_of[inside]) == {role}
        assert role not in set(role_of[outside])
        assert sorted([*inside, *outside]) == sorted(role_of.index)


@pytest.mark.parametrize("role", ["train", "valid"])
def test_fractions_are_nested_and_of_whole_patients(files: CorpusFiles, role: str) -> None:
    corpus = files.open()
    n_patients = corpus.in_role(role)["patient_id"].nunique()
    for replicate in range(N_REPLICATES):
        smaller: set[str] = set()
        for fraction in (0.05, 0.1, 0.3, 0.35, 1.0):
            subset = corpus.subset(role, replicate, fraction)
            assert set(subset["role"]) == {role}
            assert subset["patient_id"].nunique() == np.ceil(fraction * n_patients - 1e-9)
            others = corpus.splits[~corpus.splits["record_id"].isin(subset["record_id"])]
            assert not set(others["patient_id"]) & set(subset["patient_id"])
            assert smaller <= set(subset["record_id"])
            smaller = set(subset["record_id"])
        assert smaller == set(corpus.in_role(role)["record_id"])
    halves = [set(corpus.subset(role, replicate, 0.5)["record_id"]) for replicate in range(N_REPLICATES)]
    assert halves[0] != halves[1] != halves[2]


def test_test_records_validate_where_no_record_has_that_role(files: CorpusFiles) -> None:
    assert files.open().validation_role == "valid"
    splits = pd.read_csv(files.splits)
    splits["role"] = splits["role"].replace("valid", "train")
    splits.to_csv(files.splits, index=False)
    assert files.open().validation_role == "test"
    valid = pd.read_csv(files.splits)["record_id"].tolist()
    assert files.open().without_patients_of(valid[:3]).validation_role == "test"


def test_mask_picks_records(files: CorpusFiles) -> None:
    corpus = files.open()
    examples = corpus.load(corpus.in_role("valid")["record_id"].tolist())
    mask = np.arange(len(examples)) % 3 == 1
    picked = examples.where(mask)
    expected = corpus.load(examples.record_id[mask].tolist())
    assert picked.record_id.tolist() == expected.record_id.tolist()
    assert torch.equal(picked.signals, expected.signals)
    assert torch.equal(picked.labels, expected.labels)
    assert torch.equal(picked.dataset, expected.dataset)
    assert picked.age_sex is None


def test_age_and_sex_go_with_their_records(files: CorpusFiles) -> None:
    corpus = files.open(age_sex=True)
    table = pd.read_csv(files.records, index_col="record_id")
    ids = table.index[[70, 3, 44, 21]].tolist()
    loaded = corpus.load(ids).where(np.array([True, False, True, True]))
    assert loaded.age_sex is not None
    assert loaded.age_sex.shape == (3, 4)
    for record_id, row in zip([ids[0], *ids[2:]], loaded.age_sex.tolist(), strict=True):
        age, sex = table.loc[record_id, ["age_years", "sex"]]
        assert row[:2] == ([pytest.approx((age - 60) / 20), 1] if age == age else [0, 0])
        assert row[2:] == {"F": [1, 1], "M": [-1, 1]}.get(sex, [0, 0])
    moved = loaded.to(torch.device("meta"))
    assert {moved.signals.device, moved.labels.device, moved.dataset.device, moved.age_sex.device} == {
        torch.device("meta")
    }


def test_empty_cells_are_not_known(files: CorpusFiles) -> None:
    table = pd.read_csv(files.labels, index_col="record_id").astype("Int64")
    table.iloc[20:51, 1] = pd.NA  # a data set that never uses this label
    table.reset_index().to_csv(files.labels, index=False)
    labels = files.open().load(table.index.tolist()).labels
    assert labels[:, 0].isfinite().all()
    assert torch.equal(labels[:, 1].isnan().nonzero().flatten(), torch.arange(20, 51))
    np.testing.assert_array_equal(labels[:20, 1], table["tall"].iloc[:20].astype(float))


def test_corpus_without_labels_has_none(files: CorpusFiles) -> None:
    corpus = files.open("masked")
    assert corpus.label_names == []
    assert corpus.load(["r003", "r001"]).labels.shape == (2, 0)


def test_durations_in_samples(files: CorpusFiles) -> None:
    corpus = files.open()
    assert corpus.sampling_rate_hz == SAMPLING_RATE_HZ == 32
    assert [corpus.samples_in(duration) for duration in (None, 2.0, 1.0, 0.2, 0.001)] == [None, 64, 32, 6, 1]


def test_patients_can_be_left_out(files: CorpusFiles) -> None:
    corpus = files.open()
    splits = corpus.splits.set_index("record_id")
    named = splits.index[[0, 1, 40]].tolist()
    left = corpus.without_patients_of(named)
    gone = set(splits["patient_id"][named])
    assert gone & set(splits["patient_id"][splits.index.difference(named)])  # who has other records, too
    assert set(left.splits["patient_id"]) == set(splits["patient_id"]) - gone
    assert left.splits["record_id"].tolist() == splits.index[~splits["patient_id"].isin(gone)].tolist()
    assert len(corpus.splits) == len(splits)


def test_tables_that_do_not_belong_to_the_signals_are_refused(files: CorpusFiles) -> None:
    tables = [pd.read_csv(path) for path in (files.labels, files.splits, files.records)]
    with pytest.raises(InputError, match=r"^label table: has \d+ records, but .*signals0\.npy.* have 51; delete"):
        open_corpus(files.signals[:2], *tables[:2], SAMPLING_RATE_HZ)
    with pytest.raises(InputError, match=r"^record table: has 3 records, but .*signals0\.npy.* have \d+; delete"):
        open_corpus(files.signals, *tables[:2], SAMPLING_RATE_HZ, tables[2].head(3))
    with pytest.raises(InputError, match=r"record r998 missing, .* \(2 in all\)"):
        files.open().load(["r001", "r998", "r999"])


def test_signals_that_are_damaged_or_of_another_length_are_refused(files: CorpusFiles) -> None:
    content = files.signals[1].read_bytes()
    files.signals[1].write_bytes(content[:-7])
    with pytest.raises(InputError, match=r"signals1\.npy: ends within row 30; remove it and run again"):
        corpus = files.open()
        corpus.load(corpus.labels.index.tolist())
    np.save(files.signals[1], np.zeros((31, 12, 70), np.int16))
    with pytest.raises(InputError, match=r"signals1\.npy: recordings of 70 samples, but 64 in .*signals0\.npy; delete"):
        files.open()
    files.signals[1].write_bytes(content[:50])
    with pytest.raises(InputError, match=r"signals1\.npy: not a readable signal array .*; remove it and run again"):
        files.open()


@pytest.mark.parametrize("n_records", [1, 255, 256, 700])
def test_normalization_equals_numpy(n_records: int) -> None:
    rng = np.random.default_rng(n_records)
    offset, height = rng.uniform(-20_000, 20_000, 12), rng.uniform(2, 3000, 12)
    steps = rng.normal(offset[:, None], height[:, None], (n_records, 12, 40)).round().clip(-32_768, 32_767)
    signals = torch.from_numpy(steps.astype(np.int16))
    normalize = normalization_of(signals)
    millivolts = steps / 1000
    mean, deviation = millivolts.mean(axis=(0, 2)), millivolts.std(axis=(0, 2))
    np.testing.assert_allclose(normalize.mean_mv.numpy(), mean, rtol=1e-6)
    np.testing.assert_allclose(normalize.deviation_mv.numpy(), deviation, rtol=1e-6)
    normalized = normalize(signals)
    assert normalized.dtype == torch.float32
    expected = (millivolts - mean[:, None]) / deviation[:, None]
    # float32 has 24 bits for a value and its lead's offset together
    tolerance = 4e-7 * (np.abs(expected) + np.abs(mean / deviation)[:, None])
    assert (np.abs(normalized.numpy() - expected) <= tolerance).all()


def test_normalization_holds_at_the_ends_of_int16() -> None:
    signals = torch.tensor([-32_768, 32_767], dtype=torch.int16).repeat(300, 12, 50)
    normalize = normalization_of(signals)
    assert normalize.mean_mv.tolist() == pytest.approx([-0.0005] * 12)
    assert normalize.deviation_mv.tolist() == pytest.approx([32.7675] * 12)


@pytest.mark.parametrize("level", [0, 7, -32_768])
def test_lead_that_never_moves_is_only_shifted(level: int) -> None:
    signals = torch.randint(-500, 500, (300, 12, 33), dtype=torch.int16)
    signals[:, 4] = level
    normalize = normalization_of(signals)
    assert normalize.deviation_mv[4] == 1
    assert (normalize.deviation_mv[[3, 5]] < 1).all()
    assert normalize(signals)[:, 4].abs().max() <= 4e-6


def test_lead_that_moves_less_than_a_step_is_only_shifted() -> None:
    signals = torch.full((20, 12, 50), 100, dtype=torch.int16)
    signals[0, 3, 7] = 101
    signals[:, 5, ::2] = 104
    normalize = normalization_of(signals)
    assert normalize.deviation_mv[3] == 1
    assert normalize.deviation_mv[5] == pytest.approx(0.002)


def test_normalization_leaves_its_input_alone() -> None:
    signals = torch.randint(-9, 9, (1, 12, 8), dtype=torch.int16)
    before = signals.clone()
    normalization_of(signals)(signals)
    assert torch.equal(signals, before)

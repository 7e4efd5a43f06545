"""What a run predicted on the test records of a small target, with the tables of the target, for tests of findings."""

import numpy as np
import pandas as pd

LABELS = ["AF", "LBBB", "PAC"]


def target(n_patients=60, n_replicates=2, seed=0, labels=LABELS, unknown=0.0, prevalence=0.4, prefix=""):
    """Return predictions, labels, splits and records: patients with one to three test records, others in training.

    A share `unknown` of the labels is missing. Probabilities tell the labels somewhat, and have ties.
    """
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), generator.integers(1, 4, size=n_patients))
    n = len(patient)
    ids = np.array([f"{prefix}r{number:04d}" for number in generator.permutation(n)])
    role = np.where(patient < n_patients * 0.7, "test", "train")
    truth = (generator.random((n, len(labels))) < prevalence).astype(float)
    noise = generator.normal(size=(n_replicates, n, len(labels)))
    probability = (1 / (1 + np.exp(-(truth - 0.5 + noise)))).round(2)
    truth[generator.random(truth.shape) < unknown] = np.nan
    table = pd.DataFrame(truth, columns=labels)
    table.insert(0, "record_id", ids)
    splits = pd.DataFrame({"record_id": ids, "patient_id": [f"{prefix}p{p}" for p in patient], "role": role})
    splits["rank_0"], splits["rank_1"] = generator.random((2, n_patients))[:, patient]
    records = pd.DataFrame({"record_id": ids, "patient_id": splits["patient_id"]})
    records["age_years"] = generator.choice([20, 39.5, 40, 64, 65, 90, np.nan], size=n_patients)[patient]
    records["sex"] = generator.choice(np.array(["F", "M", None], dtype=object), size=n_patients)[patient]
    test = np.flatnonzero(role == "test")[::-1]
    predictions = {
        "labels": np.array(labels),
        "test_record_id": ids[test],
        "test_probability": probability[:, test].astype(np.float32),
        "n_train": np.array([30, 33])[:n_replicates],
    }
    return predictions, table.sample(frac=1, random_state=1), splits, records.sample(frac=1, random_state=2)


def truth_of(predictions, labels):
    """Return the labels of the test records, (N, L), NaN where unknown."""
    return labels.set_index("record_id").loc[predictions["test_record_id"], predictions["labels"]].to_numpy()


def column_of(predictions, table, name):
    """Return a column of the splits or records for the test records."""
    return table.set_index("record_id").loc[predictions["test_record_id"], name].to_numpy()


def source_predictions(splits, labels, seed=5):
    """Return what a source says of all records of a target, in another order."""
    generator = np.random.default_rng(seed)
    ids = generator.permutation(splits["record_id"].to_numpy(dtype=str))
    probability = generator.random((len(ids), len(labels))).astype(np.float32)
    return {"record_id": ids, "labels": np.array(labels), "probability": probability}

"""A run whose predictions are to be scored, with labels that are rare, absent or not known of all records."""

import numpy as np
import pandas as pd

LABELS = ["AF", "LBBB", "PAC", "absent", "rare"]
N_REPLICATES, N_RESAMPLES, SEED = 2, 60, 17


def run_to_score():
    """A run on 60 test and 50 validation records; "absent" has no positive, "rare" one, in the test set."""
    generator = np.random.default_rng(0)
    record_ids = np.array([f"r{number:03d}" for number in range(150)])
    roles = np.array(["test"] * 60 + ["valid"] * 50 + ["train"] * 40)
    order = generator.permutation(150)
    record_ids, roles = record_ids[order], roles[order]
    splits = pd.DataFrame({"record_id": record_ids, "patient_id": generator.integers(100, size=150), "role": roles})
    splits["rank_0"] = 0.5
    truth = (generator.random((150, len(LABELS))) < 0.3).astype(int)
    test, valid = np.flatnonzero(roles == "test"), np.flatnonzero(roles == "valid")[::-1]
    truth[test, 3] = truth[test, 4] = 0
    truth[test[5], 4] = 1
    labels = pd.DataFrame(truth, columns=LABELS)
    labels.insert(0, "record_id", record_ids)

    def probability(rows):
        noisy = truth[rows] + generator.normal(size=(N_REPLICATES, len(rows), len(LABELS)))
        return (1 / (1 + np.exp(-noisy))).round(1 if len(rows) == 50 else 3).astype(np.float32)

    predictions = {
        "labels": np.array(LABELS),
        "test_record_id": record_ids[test],
        "test_probability": probability(test),
        "valid_record_id": record_ids[valid],
        "valid_probability": probability(valid),
        "valid_used": generator.random((N_REPLICATES, len(valid))) < 0.6,
        "n_train": np.array([30, 31]),
        "n_train_patients": np.array([20, 21]),
    }
    return predictions, labels.sample(frac=1, random_state=1), splits


def run_with_gaps():
    """The same with labels that are known of some records only: AF of all, "absent" of no test record."""
    predictions, labels, splits = run_to_score()
    generator = np.random.default_rng(3)
    labels = labels.astype(dict.fromkeys(LABELS, float))
    for label, share in {"LBBB": 0.5, "PAC": 0.8, "rare": 0.7}.items():
        labels.loc[generator.random(len(labels)) > share, label] = np.nan
    labels["PAC"] = labels["PAC"].where(labels["LBBB"].notna())  # known of the same records
    labels["LBBB"] = labels["LBBB"].where(labels["PAC"].notna())
    labels.loc[labels["record_id"].isin(predictions["test_record_id"]), "absent"] = np.nan
    labels.loc[labels["record_id"] == predictions["test_record_id"][5], "rare"] = 1
    return predictions, labels, splits


def value(scores, replicate, label, metric):
    rows = scores[(scores["replicate"] == replicate) & (scores["label"] == label) & (scores["metric"] == metric)]
    return rows["value"].item()


def truth_of(labels, record_ids):
    return labels.set_index("record_id").loc[record_ids, LABELS].to_numpy()

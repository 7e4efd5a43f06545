"""A private archive of several hospitals, as a folder and a table, goes through the workflow by months of recording."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from checkout import TINY, Checkout
from scipy.signal import butter, resample_poly, sosfiltfilt

from ecgtransfer.acquire.simulate import simulate_corpus
from ecgtransfer.config.signals import Signals
from ecgtransfer.leads import LEADS

# As the TIS archive has them: aVL before aVR, integers in µV.
ARCHIVE_LEADS = ["I", "II", "III", "AVL", "AVR", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"]
MONTHS = ["2022-10", "2022-11", "2022-12", "2023-01"]
SETTINGS = {"layout": "ptb-xl", "n_patients": 70, "records_per_patient": 1.4, "sampling_rate_hz": 250, "prevalence": {}}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 100 or so recordings as .npy files and a table of our own making; one row has no file."""
    folder = tmp_path_factory.mktemp("archive")
    order = [[lead.lower() for lead in LEADS].index(lead.lower()) for lead in ARCHIVE_LEADS]
    rows = []
    for number, record in enumerate(simulate_corpus("archive", SETTINGS, 5)):
        name = f"{record.record_id}.npy"
        np.save(folder / name, np.rint(1000 * record.signal[order]).astype(np.int16))
        rows.append(
            {
                "ecg": record.record_id,
                "person": f"p{record.patient_id}",
                "file": name,
                "sex": record.sex,
                "age": record.age_years,
                "codes": "|".join(record.codes),
                "clinic": f"clinic {int(record.patient_id) % 3}",
                "taken": f"{MONTHS[number % 4]}-15",
            }
        )
    rows.append(rows[0] | {"ecg": "lost", "file": "lost.npy"})
    pd.DataFrame(rows).to_csv(folder / "archive.csv", index=False)
    return folder


def study_of(checkout: Checkout, archive: Path, **entry: object) -> str:
    """Write the tiny study with the archive as its target, and return its path."""
    own = {
        "folder": str(archive),
        "table": str(archive / "archive.csv"),
        "columns": {
            "record": "ecg", "patient": "person", "labels": "codes", "site": "clinic", "month": "taken",
        },
        "sampling_rate_hz": 250,
        "unit": "uV",
        "leads": ARCHIVE_LEADS,
    }  # fmt: skip
    study = yaml.safe_load((checkout.folder / TINY).read_text())
    study["own"] = {"archive": own | entry}
    study["splits"] = {"by": "month", "valid_groups": ["2022-12"], "test_groups": ["2023-01"]}
    study["transfer"] |= {"targets": ["archive"], "models": ["gru"]}
    (checkout.folder / "study.yaml").write_text(yaml.safe_dump(study))
    return "study.yaml"


def test_archive_goes_through_to_signals_and_splits(tmp_path: Path, archive: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    config = study_of(checkout, archive)
    results = checkout.folder / "results" / "tiny"
    checkout.run(config, "--", "results/tiny/splits/archive.csv")

    records = pd.read_csv(results / "records/archive.csv", dtype=str)
    assert records.columns.tolist()[-2:] == ["site", "month"]
    rejected = pd.read_csv(results / "records/archive.rejected.csv", dtype=str)
    assert rejected["record_id"].tolist() == ["lost"]
    assert "missing" in rejected["reason"][0]

    signals = np.load(results / "signals/archive.npy")
    assert len(signals) == len(records) == len(list(archive.glob("*.npy")))
    band = Signals().band_pass
    sections = butter(band.order, (band.low_hz, band.high_hz), btype="bandpass", fs=250, output="sos")
    for row, record in list(enumerate(simulate_corpus("archive", SETTINGS, 5)))[::20]:
        filtered = sosfiltfilt(sections, np.rint(1000 * record.signal), axis=1, padlen=250)
        expected = resample_poly(filtered, 1, 5, axis=1, padtype="line")[:, :250]
        np.testing.assert_allclose(signals[row], expected, rtol=0, atol=0.51)

    splits = pd.read_csv(results / "splits/archive.csv", dtype=str).merge(records[["record_id", "month"]])
    assert set(splits.loc[splits["role"] == "test", "month"]) == {"2023-01"}
    assert set(splits.loc[splits["role"] == "valid", "month"]) == {"2022-12"}
    assert set(splits.loc[splits["role"] == "train", "month"]) <= {"2022-10", "2022-11"}
    assert (splits.groupby("patient_id")["role"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"unit": "mV"}, "uV"),
        ({"leads": [*ARCHIVE_LEADS[:-1], "Q6"]}, "Q6"),
        ({"table": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_mistakes_in_the_entry_are_told(tmp_path: Path, archive: Path, entry: dict[str, object], told: str) -> None:
    checkout = Checkout(tmp_path / "checkout")
    config = study_of(checkout, archive, **entry)
    result = checkout.snakemake("--", "results/tiny/signals/archive.npy", config=config)
    seen = result.stdout + result.stderr
    assert result.returncode != 0
    assert "Traceback" not in seen, seen
    assert told in seen

"""The study on real recordings runs to its report, from a folder laid out as PhysioNet."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from checkout import REPOSITORY, Checkout

MIRROR = REPOSITORY.parent / "shared" / "mirror"


@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror of real recordings beside the repository")
def test_real_sample_study(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    study = yaml.safe_load((tmp_path / "config/studies/real-sample.yaml").read_text())
    study["transfer"] |= {"models": ["resnet1d18"], "fractions": [1.0], "replicates": 2}
    study["training"] = {"epochs": 2, "min_steps": 0}  # a tenth of the time
    (tmp_path / "part.yaml").write_text(yaml.safe_dump(study | {"mirror": f"file://{MIRROR}"}))
    checkout.run("part.yaml")
    results = tmp_path / "results" / "real-sample"
    assert (results / "report" / "index.html").is_file()
    prepared = [pd.read_csv(path) for path in sorted((results / "signals").glob("*.csv"))]
    assert sum(len(table) for table in prepared) >= 600
    for described in (results / "records").glob("*.described.csv"):
        name = described.name.removesuffix(".described.csv")
        kept, rejected = pd.read_csv(described), pd.read_csv(results / "records" / f"{name}.rejected.csv")
        manifest = pd.read_csv(results / "raw" / f"{name}.csv")
        headers = set(manifest.loc[manifest["path"].str.endswith(".hea"), "path"])
        assert sorted([*kept["path"], *rejected["path"]]) == sorted(headers)
    verdicts = pd.read_csv(results / "findings" / "verdicts.csv")
    assert set(verdicts["target"]) == {"ludb", "georgia+ningbo"}
